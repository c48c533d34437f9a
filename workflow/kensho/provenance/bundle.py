"""Writing a crate: the folder, its manifest, and the zip of the same bytes."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from kensho.files import replacing, sha256
from kensho.provenance import page, publish, verify_crate, vocabulary
from kensho.provenance.crate import METADATA, PREVIEW, graph
from kensho.provenance.history import History, Item
from kensho.run import events

MANIFEST, VERIFIER = "manifest-sha256.txt", "verify_crate.py"
TRACKED = ("config", "envs", "profiles", "pyproject.toml", "requirements.lock", "LICENSE")
CODE = ("Snakefile", "rules", "workflow", "resources", "config/claims", "CITATION.cff")
PASSWORD = re.compile(rb"://[^/\s:@'\"]+:[^/\s@'\"]+@")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can state

README = """# A crate of Kenshō

Verdicts on published claims, and all that they rest on: observations, analyses, answers, records of
trainings, the events of every job, and the code that made them. Open `{preview}` to read it.

    python3 {verifier}                                   files, hashes, and what rests on what
    PYTHONPATH=workflow python -B -m kensho.provenance .  verdicts and observations derived again

The first needs bare Python, the second the packages of `envs/stats.yaml`. Models and adapters are
not inside: their sha256 are.
"""


def repository(root: Path) -> list[str]:
    """The workflow's own files below a folder: what git has of it, code not yet added included.

    Where there is no git, all files that are not hidden.
    """
    try:
        listed = [
            subprocess.run(
                ["git", "ls-files", "-z", *options, "--", *paths],
                cwd=root,
                capture_output=True,
                check=True,
            ).stdout.decode()
            for options, paths in (
                (["--cached"], TRACKED),
                (["--cached", "--others", "--exclude-standard"], CODE),
            )
        ]
        paths = [path for output in listed for path in output.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        places = [place for name in (*TRACKED, *CODE) for place in _at(root / name)]
        paths = [place.relative_to(root).as_posix() for place in places]
    return sorted(path for path in {*paths} if (root / path).is_file())


def _at(place: Path) -> Iterable[Path]:
    """A file, or the files of a folder that are neither hidden nor compiled."""
    below = (path for path in place.rglob("*") if path.suffix != ".pyc")
    return [place, *(p for p in below if not p.relative_to(place).as_posix().startswith("."))]


def export(history: History, folder: Path, archive: Path) -> None:
    """Write the crate to ``folder`` and ``archive``; both take the places of earlier ones whole.

    Raises ValueError naming a file that changes meanwhile or would show a folder of this machine.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _fill(partial, history)
        if faults := verify_crate.lines(verify_crate.checked(partial)):
            raise ValueError(f"{faults[0]}: nothing is exported ({len(faults)} such faults)")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    with replacing(archive) as temporary:
        _zip(folder, temporary)


def _fill(folder: Path, history: History) -> None:
    inside = [item for item in history.items.values() if not item.outside]
    for item in inside:
        place = folder / item.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, place)
    made = [
        _write(
            folder,
            str(events.LOG),
            b"".join(events.as_json(event) + b"\n" for event in _told(history)),
        ),
        _write(folder, "README.md", README.format(preview=PREVIEW, verifier=VERIFIER)),
        _write(folder, VERIFIER, Path(__file__).with_name(VERIFIER).read_text(encoding="utf-8")),
    ]
    entities, settings = graph(history, made), history.workflow.settings
    made += [
        _write(folder, ".zenodo.json", _json(publish.zenodo(settings, entities))),
        _write(folder, "prov.json", _json(publish.prov(entities))),
    ]
    # These state the hash of what stands above, so none is stated of them but in the manifest.
    named = [Item(name, None, None) for name in (PREVIEW, "provenance.intoto.json")]
    entities = graph(history, [*made, *named])
    _write(folder, METADATA, _json({"@context": vocabulary.CONTEXT, "@graph": entities}))
    _write(folder, PREVIEW, page.build(history, entities))
    for item in inside:
        _check(folder, item)
    statement = publish.statement(_manifest(folder), entities)
    _write(folder, "provenance.intoto.json", _json(statement))
    lines = (f"{digest}  {path}\n" for path, digest in sorted(_manifest(folder).items()))
    _write(folder, MANIFEST, "".join(lines))


def _told(history: History) -> list[events.Event]:
    """The events, hosts by number."""
    hosts = {attempt.start.host: attempt.host for attempt in history.attempts.values()}
    return [replace(event, host=hosts.get(event.host, "")) for event in history.past]


def _check(folder: Path, item: Item) -> None:
    """What was copied is what was hashed, and shows no folder of this machine."""
    content = (folder / item.path).read_bytes()
    if sha256(folder / item.path) != item.sha256:
        raise ValueError(f"{item.path}: changes while it is exported; export again when it is done")
    if item.path.startswith("config/") and PASSWORD.search(content):
        raise ValueError(f"{item.path}: an address there holds a password; take it out")
    if item.maker:
        for place in {str(Path.home()), os.getcwd()} - {"/"}:
            if place.encode() in content:
                raise ValueError(f"{item.path}: names a folder of this machine: {place}")


def _write(folder: Path, name: str, content: str | bytes) -> Item:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Item(name, path.stat().st_size, sha256(path))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _manifest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def _zip(folder: Path, archive: Path) -> None:
    """Equal content gives equal bytes: sorted names, one time, one mode."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as crate:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            crate.writestr(entry, path.read_bytes(), compresslevel=9)
