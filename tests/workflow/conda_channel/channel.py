"""A conda channel and a folder of wheels, small enough to be built for one test.

Usage: channel.py CHANNEL WHEELS (with the Python of a virtual environment that holds py-rattler).
The channel's `python` is the interpreter that runs this, made to believe in the prefix it stands
in, as in a virtual environment; its `pip` is the one installed here.
"""

import asyncio
import hashlib
import io
import json
import platform
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pip
from rattler import Platform
from rattler.index import index_fs

PLACEHOLDER = "/the/prefix/of/the/package/as/it/was/built"
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
INTERPRETER = sys._base_executable


def package(
    channel: Path, name: str, version: str, files: Mapping[str, bytes], depends: Sequence[str] = ()
) -> None:
    """Add a package to the channel; what lies in bin/ is executable and moves with its prefix."""
    paths, members = [], dict(files)
    for path, content in files.items():
        entry = {"_path": path, "path_type": "hardlink", "size_in_bytes": len(content)}
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        if PLACEHOLDER.encode() in content:
            entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
        paths.append(entry)
    index = {"name": name, "version": version, "build": "0", "build_number": 0}
    index |= {"depends": list(depends), "subdir": "noarch", "noarch": "generic"}
    members["info/index.json"] = json.dumps(index).encode()
    members["info/paths.json"] = json.dumps({"paths": paths, "paths_version": 1}).encode()
    with tarfile.open(channel / "noarch" / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(content))


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Add a wheel with one module that knows its version."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


def main(channel: Path, wheels: Path) -> None:
    for folder in (channel / "noarch", channel / str(Platform.current()), wheels):
        folder.mkdir(parents=True)
    python = f'#!/bin/bash\nexec -a "$0" {INTERPRETER} "$@"\n'  # which finds pyvenv.cfg beside bin/
    settings = f"home = {Path(INTERPRETER).parent}\ninclude-system-site-packages = false\n"
    files = {"bin/python": python.encode(), "pyvenv.cfg": settings.encode()}
    package(channel, "python", platform.python_version(), files)
    source = Path(pip.__file__).parent
    modules = {
        f"{SITE}/pip/{path.relative_to(source)}": path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    package(channel, "pip", version("pip"), modules, ["python"])
    package(channel, "words", "1.0", {"share/words.txt": b"kotoba\n"})
    package(channel, "words", "2.0", {"share/words.txt": b"word\n"})
    speaker = f"#!/bin/sh\ncat {PLACEHOLDER}/share/words.txt\n"
    package(channel, "speaker", "1.0", {"bin/speak": speaker.encode()}, ["words <2"])
    asyncio.run(index_fs(channel))
    wheel(wheels, "vowels", "1.0", "consonants")
    wheel(wheels, "vowels", "2.0")
    wheel(wheels, "consonants", "1.0")
    wheel(wheels, "consonants", "2.0")


main(*map(Path, sys.argv[1:]))
