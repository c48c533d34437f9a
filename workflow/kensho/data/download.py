"""Downloads that nothing can spoil: one writer at a time, resumed, bounded, checked by hash."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import traceback
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import requests
from requests.adapters import HTTPAdapter, Retry

from kensho.files import sha256
from kensho.messages import site

TIMEOUT = (5, 60)  # seconds to connect, seconds without a byte
MOST = 1 << 33  # bytes of a file whose size nobody states
LISTED = 1 << 26  # bytes of a package's list of files
BUSY = (429, 500, 502, 503, 504)
_INDEX = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
_RETRY = Retry(
    total=3,
    connect=1,
    backoff_factor=0.5,
    status_forcelist=BUSY,
    allowed_methods=("GET", "HEAD"),
    raise_on_status=False,
    retry_after_max=60,  # seconds, whatever a place asks for
)


def session() -> requests.Session:
    """A session that asks again where a server is busy or a connection is refused."""
    client = requests.Session()
    for scheme in ("http://", "https://"):
        client.mount(scheme, HTTPAdapter(max_retries=_RETRY))
    return client


def may_pass(error: Exception) -> bool:
    """Whether the network or a place may do later what it does not now."""
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in BUSY
    return isinstance(error, PASSING)


def fault_message(error: Exception) -> str:
    """A fault of a place in a few words, without anything that an address may carry."""
    if isinstance(error, requests.RequestException):
        place = site(getattr(error.request, "url", None))
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return f"HTTP {error.response.status_code} from {place}"
        return f"cannot reach {place}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({Path(str(error.filename or '')).name})"
    if traceback.extract_tb(error.__traceback__)[-1].filename == urllib.parse.__file__:
        return "an address that cannot be read"  # which its message quotes
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def alone(cache: Path, name: str) -> Iterator[None]:
    """Hold the kernel's lock on one file of the cache; it falls with the process that holds it.

    Raises ValueError where the cache takes no file, or its file system no lock (Lustre's default).
    """
    folder = cache / "locks"
    with ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fcntl.flock(opened.enter_context(open(folder / name, "ab")), fcntl.LOCK_EX)
        except OSError as error:
            raise ValueError(
                f"the cache of fetched files cannot be locked ({error.strerror}); set paths.cache "
                "(or KENSHO_CACHE) to a folder that can"
            ) from None
        yield


def download(url: str, expected: str, stored: Path, most: int = MOST) -> None:
    """Bring a file of `most` bytes at most to ``stored``, going on where an attempt stopped.

    To be called by whoever holds the lock on ``stored``. The part has a name of this process, and
    is renamed when its hash is the expected one. Raises ValueError for another hash and for more
    bytes than there should be, requests' errors for what the network does.
    """
    stored.parent.mkdir(parents=True, exist_ok=True)
    partial = _adopted(stored)
    have = partial.stat().st_size if partial.is_file() else 0
    room = most - have
    # unpacked on the way, a compressed answer could not be resumed at the byte where it broke
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session() as web, web.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code != 416:  # 416: the partial file is already complete
            response.raise_for_status()
            resumed = response.status_code == 206
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(partial, flags | (os.O_APPEND if resumed else os.O_TRUNC), 0o644)
            with open(descriptor, "wb") as file:
                room = room if resumed else most
                for chunk in response.iter_content(1 << 16):
                    if (room := room - len(chunk)) < 0:
                        break
                    file.write(chunk)
    if room < 0:
        fault = f"{site(url)} sends more than the {most:,} bytes of the file"
    elif (actual := sha256(partial)) != expected:
        fault = f"{site(url)} has sha256 {actual[:12]}…, expected {expected[:12]}…"
    else:
        return os.replace(partial, stored)
    partial.unlink()
    if have:  # what was resumed may have come from another place: once more from the start
        return download(url, expected, stored, most)
    raise ValueError(fault)


def _adopted(stored: Path) -> Path:
    """Name of this process for the part of a file; what a dead one left of it is gone on with."""
    own = stored.with_name(f"{stored.name}.{socket.gethostname()}-{os.getpid()}.part")
    for left in sorted(stored.parent.glob(f"{stored.name}*.part")):
        if left.is_symlink():
            left.unlink()
        elif left != own:
            os.replace(left, own)
    return own


def index_entry(index: str, file: str, package: str) -> tuple[str, int]:
    """URL and most bytes of a distribution file, from a package index: JSON (PEP 691) or HTML."""
    headers = {"Accept": _INDEX}
    with session() as web, web.get(index, headers=headers, stream=True, timeout=TIMEOUT) as page:
        page.raise_for_status()
        listed = bytearray()
        for chunk in page.iter_content(1 << 16):
            listed += chunk
            if len(listed) > LISTED:
                raise ValueError(f"{site(page.url)} sends a list of more than {LISTED:,} bytes")
    if "json" in page.headers.get("Content-Type", ""):
        try:
            files = json.loads(listed)["files"]
            sizes = {one["filename"]: (str(one["url"]), one.get("size")) for one in files}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{site(page.url)} sends no list of files for {package}") from None
        if file in sizes:
            href, size = sizes[file]
            return urldefrag(urljoin(page.url, href))[0], size if isinstance(size, int) else MOST
    else:
        for href, text in _links(listed.decode(errors="replace")):
            if text == file:
                return urldefrag(urljoin(page.url, href))[0], MOST
    raise ValueError(f"{file} is not in the index of {package}")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[list[str]] = []
        self.open = False

    def handle_starttag(self, tag: str, attributes: list) -> None:
        href = dict(attributes).get("href")
        if self.open or tag != "a" or not href:
            return
        self.open = True
        self.links.append([href, ""])

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "a"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.links[-1][1] += data


def _links(text: str) -> list[tuple[str, str]]:
    """Address and text of the links of a page, entities read."""
    parser = _Links()
    parser.feed(text)
    return [(href, text.strip()) for href, text in parser.links]
