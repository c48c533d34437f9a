"""Datasets of the hub: the Parquet files of a commit, pinned by sha256, and each file fetched."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path

import yaml

from kensho.data.corpora import LOCK, Corpus
from kensho.data.hub import ASKING_S, File, Locked, endpoint, in_one_line, pinned, remove
from kensho.files import replacing, sha256
from kensho.messages import site

HEADER = "# Written by `snakemake lock_corpora` from config/corpora.yaml; a run never changes it.\n"
PLACE = "config/corpora.yaml"


def resolve(corpus: Corpus, date: str) -> Locked:
    """Commit and files of a corpus: those that its pattern names, the first of them where it says.

    Nothing is fetched: the tree has the sha256 of what LFS stores, as it does Parquet files.
    Raises ValueError for what is refused, ConnectionError where the hub does not answer; one line.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    hub, pattern = str(corpus.hub), str(corpus.files)
    api = HfApi(endpoint=endpoint())
    with in_one_line(hub, place=PLACE):
        info = api.dataset_info(hub, revision=corpus.revision, timeout=ASKING_S)
        commit = str(info.sha)
        listed = api.list_repo_tree(info.id, repo_type="dataset", revision=commit, recursive=True)
        tree = {entry.path: entry for entry in listed if isinstance(entry, RepoFile)}
    paths = sorted(path for path in tree if fnmatch(path, pattern))[: corpus.first]
    if not paths:
        raise ValueError(f"{hub} has no file like {pattern} at {commit[:12]}; mend `files`")
    stored = {path: tree[path].lfs for path in paths}
    files = {p: File(sha256=lfs.sha256, bytes=lfs.size) for p, lfs in stored.items() if lfs}
    if plain := [path for path in paths if path not in files]:
        raise ValueError(
            f"{hub}: {plain[0]} has no sha256 in its tree; name Parquet files in `files`"
        )
    return pinned(info, files, date)


def renew(
    corpora: Mapping[str, Corpus],
    lock: Mapping[str, Locked],
    accepted: list[str],
    resolve: Callable[[Corpus], Locked],
) -> tuple[dict[str, Locked], list[str]]:
    """The lock with what ``resolve`` says now, and a line for each corpus of the hub.

    What cannot be resolved stays as it was. Raises ValueError where nothing could be.
    """
    renewed, lines = {}, []
    for name, corpus in corpora.items():
        if not corpus.hub:
            continue
        if corpus.licence_class not in accepted:
            lines.append(f"{name}: left out: under licence class {corpus.licence_class}")
            continue
        try:
            now = renewed[name] = resolve(corpus)
            size = sum(file.bytes for file in now.files.values()) / 1e9
            lines.append(f"{name}: {now.commit[:12]}, {len(now.files)} files, {size:.1f} GB")
        except (ValueError, ConnectionError) as error:
            lines.append(f"{name}: {'left as it was' if name in lock else 'not locked'}: {error}")
    if not renewed:
        why = "nothing was written, for no corpus could be locked"
        raise ValueError("\n".join([f"{why}; the first: {lines[0]}" if lines else why, *lines]))
    return {**lock, **renewed}, lines


def write_lock(lock: Mapping[str, Locked], path: Path | str = LOCK) -> None:
    content = {name: lock[name].model_dump() for name in sorted(lock)}
    with replacing(path) as temporary:
        temporary.write_text(HEADER + yaml.safe_dump(content, width=1000), encoding="utf-8")


def fetch(name: str, locked: Locked, file: str, cache: Path, mirror: Path | None) -> Path:
    """One locked file, checked: of the mirror (mirror/owner/name/file), the hub's cache or the hub.

    Raises ValueError or ConnectionError, one line with the mend.
    """
    expected = locked.files[file].sha256
    if mirror and (mirrored := mirror / locked.answered / file).is_file():
        if sha256(mirrored) == expected:
            return mirrored
        raise ValueError(f"{name}: {mirrored} is not as locked; put the locked file there")
    from huggingface_hub import hf_hub_download

    with in_one_line(locked.answered, locked, place=PLACE):
        got = Path(
            hf_hub_download(
                locked.answered,
                file,
                repo_type="dataset",
                revision=locked.commit,
                endpoint=endpoint(),
                cache_dir=cache,
            )
        )
    if sha256(got) != expected:
        remove(got.parent, [got.name])
        raise ValueError(
            f"{name}: {site(endpoint())} sends {file} with another sha256 than the lock's; "
            "removed: run again, or lock it anew (`snakemake lock_corpora`)"
        )
    return got
