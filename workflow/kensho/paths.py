"""Folders outside the repository. Apart from the other settings, for fetching reads no others."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kensho.validation import Section

GGUF = Path(__file__).parents[2] / ".venv-gguf"  # what `make gguf` makes, in the repository
Folder = Annotated[str, Field(min_length=1)]


class Paths(Section):
    cache: Folder = Field(
        "~/.cache/kensho", description="fetched files by sha256; KENSHO_CACHE wins"
    )
    mirror: Folder | None = Field(
        None, description="folder tried before the network; KENSHO_MIRROR wins"
    )
    models: Folder | None = Field(
        None, description="cache of the hub's models; KENSHO_MODELS wins; null for the hub's own"
    )


def folders(
    settings: Paths, environment: Mapping[str, str] = os.environ
) -> tuple[Path, Path | None]:
    """Cache and mirror; KENSHO_CACHE and KENSHO_MIRROR win over the configuration."""
    cache = Path(environment.get("KENSHO_CACHE") or settings.cache).expanduser()
    mirror = environment.get("KENSHO_MIRROR") or settings.mirror
    return cache, Path(mirror).expanduser() if mirror else None


def models(settings: Paths, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's models are kept: KENSHO_MODELS, paths.models, or as huggingface_hub does."""
    home = environment.get("HF_HOME") or "~/.cache/huggingface"
    own = environment.get("HF_HUB_CACHE") or f"{home}/hub"
    return Path(environment.get("KENSHO_MODELS") or settings.models or own).expanduser()


def without_home(folder: Path) -> str:
    """The folder as a record may name it: the user's home as ~, for `expanduser`."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def of_libraries(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables under which libraries compile and cache in a folder, and leave the home alone.

    What the user has set stays.
    """
    folder = folder.absolute()
    kept = {
        "XDG_CACHE_HOME": folder,
        "MPLCONFIGDIR": folder / "matplotlib",
        "NUMBA_CACHE_DIR": folder / "numba",
        "TRITON_CACHE_DIR": folder / "triton",
    }
    flags = environment.get("PYTENSOR_FLAGS")  # the last of two equal flags wins
    compiled = f'base_compiledir="{folder / "pytensor"}"'
    return {
        **{name: str(path) for name, path in kept.items() if name not in environment},
        "PYTENSOR_FLAGS": f"{compiled},{flags}" if flags else compiled,
    }


def writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that is there, takes new files."""
    return os.access(existing(folder), os.W_OK)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())
