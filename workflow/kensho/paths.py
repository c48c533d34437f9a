"""Folders outside the repository. Apart from the other settings, for fetching reads no others."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from kensho.validation import Section


class Paths(Section):
    cache: str = Field("~/.cache/kensho", description="fetched files by sha256; KENSHO_CACHE wins")
    mirror: str | None = Field(
        None, description="folder tried before the network; KENSHO_MIRROR wins"
    )


def folders(given: Paths, environment: Mapping[str, str] = os.environ) -> tuple[Path, Path | None]:
    """Cache and mirror; KENSHO_CACHE and KENSHO_MIRROR win over the configuration."""
    cache = Path(environment.get("KENSHO_CACHE") or given.cache).expanduser()
    mirror = environment.get("KENSHO_MIRROR") or given.mirror
    return cache, Path(mirror).expanduser() if mirror else None
