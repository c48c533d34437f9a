"""Whether a run can go on where it is: encoding, the folder's name and owner, the command's place.

With the standard library alone: the Makefile asks before anything is installed, the Snakefile
before anything else.
"""

import getpass
import os
import re
import sys
from pathlib import Path

# What shells, pip (PIP_CONSTRAINT) and Snakemake read as more than a name.
ODD = re.compile(r"""[\s'"`$&|;<>()*?\[\]{}\\:]""")
WRITTEN = ("", ".snakemake", ".snakemake/*/", "logs", "logs/*", "results", "results/*/")


def refusal(folder: Path, python: str = sys.executable) -> str | None:
    """Why nothing can run in a folder with this interpreter, in one line with the mend."""
    return _name(folder, python) or _closed(folder) or _elsewhere(folder)


def step_out(folder: Path) -> None:
    """Go to the repository where a job of a rehearsal begins in the rehearsal's own folder.

    So do steps of SLURM's jobs. The variable is `kensho.fallback.REHEARSAL`; this
    module is read before anything is installed.
    """
    if "KENSHO_REHEARSAL" in os.environ and Path.cwd() == folder / "rehearsal":
        os.chdir(folder)


def in_utf8() -> None:
    """Begin this command anew in UTF-8 where the locale has another encoding.

    Files and their names are UTF-8 to all of its processes; the terminal gets what it can read.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:backslashreplace")
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _name(folder: Path, python: str) -> str | None:
    for path in (str(folder), python):
        if odd := ODD.search(path):
            character = "a space" if odd[0].isspace() else odd[0]
            return (
                f"{path}: {character} in this path is more than a name to shells and to pip; put "
                "the repository into a folder without it (git clone), and set it up there"
            )
    return None


def _closed(folder: Path) -> str | None:
    for path in (path for pattern in WRITTEN for path in _there(folder, pattern)):
        if not os.access(path, os.W_OK):
            return (
                f"{path}: not writable by {_me()}, and even `verify` writes its log; copy the "
                f"folder (cp -a {folder} COPY) and give the command in the copy"
            )
    return None


def _elsewhere(folder: Path) -> str | None:
    here = Path.cwd()
    if here.samefile(folder):
        return None
    return f"the command would work in {here}, but runs live in the repository: add -d {folder}"


def _there(folder: Path, pattern: str) -> list[Path]:
    return [folder] if not pattern else sorted(folder.glob(pattern))


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"user {os.getuid()}"


if __name__ == "__main__":
    sys.exit(refusal(Path(__file__).parents[2]))
