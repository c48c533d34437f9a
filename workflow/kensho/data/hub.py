"""Models of the hub: what a repository holds at a commit, and its files, fetched and checked.

huggingface_hub speaks to the hub, takes the token from the environment (HF_TOKEN) and keeps the
files; nothing is copied out of its cache. It is imported where it is used: it reads its settings
when it is imported.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kensho.data.download import fault_message
from kensho.data.sources import InnerPath, Sha256
from kensho.files import read_json, sha256
from kensho.messages import site
from kensho.paths import existing
from kensho.validation import Section

DEFAULT = "https://huggingface.co"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# What transformers reads beside the weights, of what lies at the top of a repository.
TEXTS = ("*.json", "*.jinja", "*.model", "*.spm", "merges.txt", "vocab.txt")
LEFT_OUT = "*.bin.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
ASKING_S = 10  # seconds until the hub counts as out of reach

Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
HubName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$")
]


class File(Section):
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Locked(Section):
    """A repository at one commit: what is fetched of it, and nothing else is."""

    endpoint: str = Field(description="site that was asked")
    commit: Commit
    resolved: str = Field(description="date")
    answered: HubName = Field(description="name of the repository now, where it was renamed")
    gated: bool
    files: dict[InnerPath, File] = Field(min_length=1)


def online() -> None:
    """Let this process reach the hub; to be called before huggingface_hub is imported.

    Undoes what rules/common.smk sets for all jobs, unless the user works offline.
    """
    os.environ["HF_HUB_OFFLINE"] = "1" if offline() else "0"
    os.environ.setdefault("HF_HOME", str(Path("~/.cache/huggingface").expanduser()))


def offline() -> bool:
    """Whether the user has set HF_HUB_OFFLINE; see rules/common.smk."""
    return os.environ.get("KENSHO_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE")


def endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or DEFAULT).rstrip("/")


def has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


def resolve(hub: str, *, revision: str | None, cache: Path, date: str) -> Locked:
    """What is to be locked of a repository: that of ``revision``, or of main.

    Weights are not fetched, their hashes stand in the tree; the small files are, for theirs do not.
    Raises ValueError for what is refused, ConnectionError where the hub does not answer; one line.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=endpoint())
    with in_one_line(hub):
        info = api.model_info(hub, revision=revision, timeout=ASKING_S)
        commit = str(info.sha)
        listed = api.list_repo_tree(info.id, revision=commit)
        tree = {entry.path: entry for entry in listed if isinstance(entry, RepoFile)}

        def read(path: str) -> Path:
            options = {"revision": commit, "endpoint": endpoint(), "cache_dir": cache}
            return Path(hf_hub_download(info.id, path, **options))  # type: ignore[call-overload]

        if "config.json" not in tree:
            raise ValueError(f"{hub} has no config.json; mend `hub`: transformers cannot load it")
        weights = _weights(hub, tree, read)
        _refuse_code(hub, read_json(read("config.json")))
        paths = sorted({*weights, *filter(_is_text, tree)})
        files = {path: _hashed(hub, tree[path], read) for path in paths}
    return pinned(info, files, date)


def pinned(info: Any, files: Mapping[str, File], date: str) -> Locked:
    """Files of a repository at the commit of which the hub has told ``info``."""
    return Locked(
        endpoint=site(endpoint()),
        commit=str(info.sha),
        resolved=date,
        answered=info.id,
        gated=bool(info.gated),
        files=dict(files),
    )


def moved(hub: str, locked: Locked) -> str | None:
    """A line where main of the repository is no longer what is locked."""
    from huggingface_hub import HfApi

    with in_one_line(hub):
        commit = HfApi(endpoint=endpoint()).model_info(hub, timeout=ASKING_S).sha
    if commit == locked.commit:
        return None
    return f"{hub} has moved from {locked.commit[:12]}, which is used, to {str(commit)[:12]}"


def fetch(
    hub: str,
    locked: Locked,
    cache: Path,
    offline: bool = False,
    *,
    folder: Path | None = None,
    mirror: Path | None = None,
) -> Path:
    """The folder that holds every locked file, each checked by its sha256.

    Its own ``folder`` alone where it is given, else the first of ``mirror``/owner/name, the cache
    and the hub. Raises ValueError or ConnectionError, one line with the mend; what has another hash
    is removed from the cache.
    """
    if folder:
        if lacking := unlike(folder, locked):
            raise ValueError(
                f"{hub}: {_listed(lacking)} in {folder.name} missing, or not as locked; put the "
                "files of the locked commit there and no others, or leave `folder` out"
            )
        return folder
    if mirror and (mirrored := mirror / hub).is_dir():
        if not (lacking := unlike(mirrored, locked)):
            return mirrored
        print(f"{hub}: {_listed(lacking)} in the mirror missing, or not as locked", file=sys.stderr)
    snapshot = snapshot_of(locked, cache)
    lacking = unlike(snapshot, locked)
    if spoilt := remove(snapshot, lacking):
        print(f"{hub}: {_listed(spoilt)} not as locked, fetched again", file=sys.stderr)
    if lacking:
        if offline:
            raise ValueError(
                f"{hub}: {_listed(lacking)} not in the cache, and HF_HUB_OFFLINE is set; unset it, "
                "or set paths.mirror (or KENSHO_MIRROR) to a folder that holds it"
            )
        _download(hub, locked, cache, lacking)
        wanted = {path: file for path, file in locked.files.items() if path in lacking}
        lacking = [path for path, file in wanted.items() if _differs(snapshot / path, file)]
        if spoilt := remove(snapshot, lacking):
            raise ValueError(
                f"{hub}: {site(endpoint())} sends {_listed(spoilt)} with another sha256 than the "
                "lock's; removed: run again, or lock it anew (`snakemake lock`)"
            )
        if lacking:  # without a network huggingface_hub is content with what it has
            raise ConnectionError(_unreachable(hub))
    return snapshot


def snapshot_of(locked: Locked, cache: Path) -> Path:
    """Where huggingface_hub's cache keeps the files of a commit."""
    return cache / f"models--{locked.answered.replace('/', '--')}" / "snapshots" / locked.commit


def unlike(folder: Path, locked: Locked) -> list[str]:
    """Locked files that a folder lacks or has otherwise, and others that transformers reads."""
    there = [place.name for place in folder.iterdir()] if folder.is_dir() else []
    unlocked = [p for p in there if (p == WEIGHTS or _is_text(p)) and p not in locked.files]
    return unlocked + [p for p, file in locked.files.items() if _differs(folder / p, file)]


def _differs(place: Path, file: File) -> bool:
    if not place.is_file() or place.stat().st_size != file.bytes:
        return True
    return sha256(place) != file.sha256


def still_to_come(folder: Path, locked: Locked) -> int:
    """Bytes of the locked files that are not there; says nothing of their hashes."""
    return sum(file.bytes for path, file in locked.files.items() if not (folder / path).is_file())


def _download(hub: str, locked: Locked, cache: Path, paths: list[str]) -> None:
    need = sum(file.bytes for path, file in locked.files.items() if path in paths)
    if need > (free := shutil.disk_usage(existing(cache)).free):
        raise ValueError(
            f"{hub}: {need / 1e9:.1f} GB to fetch, {free / 1e9:.1f} GB free; free some, or set "
            "paths.models (or KENSHO_MODELS) to a folder on another disk"
        )
    from huggingface_hub import snapshot_download

    with in_one_line(hub, locked):
        snapshot_download(
            locked.answered,
            revision=locked.commit,
            endpoint=endpoint(),
            cache_dir=cache,
            allow_patterns=paths,
        )


def remove(folder: Path, paths: list[str]) -> list[str]:
    """Remove files that are there, with what their links lead to; returns their paths."""
    there = [path for path in paths if (folder / path).is_symlink() or (folder / path).exists()]
    for place in (folder / path for path in there):
        while place.is_symlink():
            target = place.parent / os.readlink(place)
            place.unlink()
            place = target
        place.unlink(missing_ok=True)
    return there


def _weights(hub: str, tree: Mapping, read: Callable[[str], Path]) -> list[str]:
    """The safetensors files that transformers loads, index left out."""
    if WEIGHTS in tree:
        return [WEIGHTS]
    if INDEX in tree:
        shards = sorted({*read_json(read(INDEX))["weight_map"].values()})
        if lacking := [shard for shard in shards if shard not in tree]:
            raise ValueError(
                f"{hub} lacks {_listed(lacking)}, which its index names; set `revision` to a "
                "commit that is whole"
            )
        return shards
    if pickles := sorted(path for path in tree if path.endswith(PICKLES)):
        raise ValueError(
            f"{hub} has only pickles ({_listed(pickles)}), which are never loaded; set `revision` "
            "to a commit with safetensors files"
        )
    raise ValueError(f"{hub} has no safetensors weights at its top; mend `hub` or `revision`")


def _refuse_code(hub: str, config: Mapping[str, Any]) -> None:
    """Some repositories bring code for an architecture that transformers has: it is not used."""
    if "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if (kind := config.get("model_type")) not in CONFIG_MAPPING_NAMES:
        raise ValueError(
            f"{hub} needs trust_remote_code: its own code for '{kind}' is never run; take a model "
            "of an architecture that transformers has"
        )


def _hashed(hub: str, entry: Any, read: Callable[[str], Path]) -> File:
    """A file of the tree with its sha256; of what git keeps itself, the tree has git's hash."""
    if entry.lfs:
        return File(sha256=entry.lfs.sha256, bytes=entry.lfs.size)
    content = read(entry.path).read_bytes()
    if hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != entry.blob_id:
        remove(read(entry.path).parent, [entry.path])
        raise ValueError(f"{hub}: {entry.path} is not what its tree says; removed: run again")
    return File(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _is_text(path: str) -> bool:
    return any(fnmatch(path, text) for text in TEXTS) and not fnmatch(path, LEFT_OUT)


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


@contextmanager
def in_one_line(
    hub: str, locked: Locked | None = None, place: str = "config/models.yaml"
) -> Iterator[None]:
    """What huggingface_hub raises, as one line with its mend; ``place`` names the repository."""
    from huggingface_hub import errors

    where = site(endpoint())
    try:
        yield
    except errors.GatedRepoError:
        mend = "ask for access with its account" if has_token() else "set HF_TOKEN"
        raise ValueError(
            f"{hub} is gated: accept its terms on its page at {where}, and {mend}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ValueError(
            f"{where} has no repository {hub}, or shows it to others alone; mend `hub` in "
            f"{place}, or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        mend = "run `snakemake lock`" if locked else f"mend `revision` in {place}"
        raise ValueError(f"{where} has no such commit of {hub}; {mend}") from None
    except errors.EntryNotFoundError as error:
        if isinstance(error, FileNotFoundError):  # it was looked for in the cache alone
            raise ConnectionError(_unreachable(hub)) from None
        lost = "lock it anew (`snakemake lock`)" if locked else "run again later"
        raise ValueError(f"{where} lacks a file that the tree of {hub} names; {lost}") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        raise ConnectionError(f"{hub}: HTTP {status} from {where}; run again later") from None
    except (errors.HTTPError, ConnectionError, TimeoutError):
        raise ConnectionError(_unreachable(hub)) from None
    except OSError as error:
        if error.errno is None:  # as a file of another size than announced
            raise ConnectionError(f"{_unreachable(hub)} ({fault_message(error)})") from None
        mend = "mend that, or set paths.models (or KENSHO_MODELS) to another folder"
        raise ValueError(f"{hub}: {fault_message(error)}; {mend}") from None


def _unreachable(hub: str) -> str:
    return (
        f"{hub}: {site(endpoint())} cannot be reached or broke off; run again when it answers, or "
        "set paths.mirror (or KENSHO_MIRROR) to a folder that holds it"
    )
