"""Check a crate: what it holds, its verdicts, and the observations under them.

    python -m kensho.provenance CRATE            folder or zip; a fault gives exit status 1
    python -m kensho.provenance compare A B      what differs between two crates

Needs the packages of envs/stats.yaml; observations for which a package or a text is missing are
named and passed over. Within a crate, with its own code: PYTHONPATH=workflow python -B -m
kensho.provenance .
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote
from zipfile import ZipFile

import kensho
from kensho.provenance import verify_crate
from kensho.provenance.verify_crate import Crate, shown

NOT_PROVEN = """\
Not proven: that the models gave the stored answers, that times and memory were as recorded, what
the HTML pages say, nor who made the crate (its signature)."""


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["compare"]:
        from kensho.part import resolve

        return resolve("kensho.provenance.compare:main")(arguments[1:])
    if len(arguments) != 1:
        print((__doc__ or "").strip())
        return 2
    place = Path(arguments[0])
    try:
        crate = verify_crate.checked(place)
    except verify_crate.Unreadable as error:
        print(shown(str(error)))
        return 2
    print("Depth 0: files")
    if verify_crate.told(crate):
        print("The other depths take a crate that is sound at this one.")
        return 1
    try:
        if place.is_dir():
            return derived(crate, place)
        with TemporaryDirectory() as folder, ZipFile(place) as archive:
            archive.extractall(folder)  # no path leaves the folder: depth 0
            return derived(crate, Path(folder))
    except ModuleNotFoundError as error:
        print(f"Depth 1 needs the package {error.name}: install the pins of envs/stats.yaml")
        return 2


def derived(crate: Crate, folder: Path) -> int:
    """Derive verdicts and observations of the crate in a folder again; the exit status."""
    from kensho.provenance import rederive, reobserve

    if other := _other_code(folder):
        print(f"The code here is not the crate's own, first in workflow/kensho/{other}.")
    judged = [name for name, review in crate.reviews.items() if review.get("isBasedOn")]
    try:
        verdicts, differences, orphans = rederive.verdicts(folder / "results", judged)
        differences += rederive.unregistered(folder, judged)
        print(f"Depth 1: {verdicts} verdicts derived again from the observations", flush=True)
        _tell(differences, crate, folder)
        _tell([f"{path}: no review is based on it; passed over" for path in orphans], crate, folder)
        values, unlike, left = reobserve.observe(folder, lambda path: _absent(crate, path))
    except (ValueError, KeyError, TypeError) as error:
        print(shown(f"cannot be derived again: {type(error).__name__}: {error}"))
        return 1
    print(f"Depth 2: {values} values observed again from answers, records, tables and cards")
    _tell(unlike, crate, folder)
    if left:
        print("Not observed again:")
        _tell(left, crate, folder)
    print(NOT_PROVEN)
    return int(bool(differences or unlike))


def _tell(lines: Iterable[str], crate: Crate, folder: Path) -> None:
    """Print lines that begin with a path, each with the claims that rest on it."""
    for line in (line.removeprefix(f"{folder}/") for line in lines):
        print(shown(f"  {line} [{crate.resting(line.partition(':')[0])}]"), flush=True)


def _absent(crate: Crate, path: str) -> str:
    entity = crate.entities.get(f"#{quote(path)}", {})
    return str(entity.get("description", "nothing says why"))


def _other_code(folder: Path) -> str | None:
    """The first file of the library that is not the crate's own, or is not here."""
    own, here = folder / "workflow/kensho", Path(kensho.__file__).parent
    for path in sorted(own.rglob("*.py")):
        name = path.relative_to(own)
        if not (here / name).is_file() or (here / name).read_bytes() != path.read_bytes():
            return str(name)
    return None


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(2)
