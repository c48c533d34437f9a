"""A judge behind an OpenAI-compatible chat endpoint, asked at temperature 0, each thing once.

Faults are of one line that names the key of the configuration (`jlce.judge.url` for instance) and
the mend: ConnectionErrors where the endpoint may be back soon, ValueErrors where it may not, Late
and Refused where it is this very request. Of an address only scheme and host are shown. The API
key comes from the environment and goes into the request alone.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from textwrap import shorten
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from kensho.evaluate.journal import digest
from kensho.messages import site

ATTEMPTS = 5  # of a request that the endpoint puts off
LONGEST_WAIT = 300  # seconds that are waited before an attempt
CONNECT = 10  # seconds
FIRST_WAIT = 1.0  # seconds before a second attempt, doubled before each further one
BUSY = (408, 425, 429, 500, 502, 503, 504, *range(520, 530))  # from 520 on: gateways' own
REFUSING = (400, 413, 422, 451)  # this request, whatever the next one gets
PASSING = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,  # a body that was cut in the middle
    requests.exceptions.ContentDecodingError,
    requests.exceptions.JSONDecodeError,  # the same without Content-Length
)


class Late(ValueError):
    """No reply within the time that a request has."""


class Refused(ValueError):
    """A request that the endpoint will not answer (HTTP 400, 413, 422, 451)."""


@dataclass(frozen=True)
class Endpoint:
    """Where the judge is, and how it is asked."""

    url: str  # base URL, to which /chat/completions is added
    model: str
    key_variable: str | None  # environment variable that holds the API key
    seed: int
    max_tokens: int  # of one reply
    timeout: float  # seconds without a byte of the reply
    parallel: int  # requests at a time
    key: str = "jlce.judge"  # of the configuration, as faults name it

    def __post_init__(self):
        if why := unfit(self.url, self.key_variable):
            raise ValueError(f"{self.key}.url: {why}")
        # it may be the key itself, so it is not shown
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_variable or "none"):
            raise ValueError(
                f"{self.key}.key_variable: not the name of an environment variable; export the key "
                "in one, JUDGE_KEY for instance, and give that name"
            )


def unfit(url: str, key_variable: str | None) -> str | None:
    """Why a judge is not asked at this address, None where it may be. Nothing of it is shown."""
    if re.search(r"[@?#]", url):
        return (
            "holds a password or a query; give the bare URL, and the key in the environment "
            "variable that key_variable names"
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its message quotes what may be a password
        return "cannot be read as an address; give https, host and path"
    if key_variable and parts.scheme != "https" and not _loopback(host):
        return (
            "would send the API key in the clear; give an https URL, or one of this machine "
            "(127.0.0.1)"
        )
    return None


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


class Reply(NamedTuple):
    """What the judge wrote, and what the endpoint said of it."""

    text: str
    model: str
    finish: str | None  # "length" where the reply was cut
    seed: int | None  # None where the endpoint takes no seed


def replies(
    endpoint: Endpoint, prompts: Iterable[str], journal: MutableMapping[str, list]
) -> dict[str, Reply]:
    """Reply to each prompt; what the journal holds is not asked again, and equal prompts once.

    Replies enter the journal as they come, so a run that was interrupted goes on.
    """
    keys = {prompt: key_of(endpoint, prompt) for prompt in prompts}
    pending = {prompt: key for prompt, key in keys.items() if key not in journal}
    secret, lock = key_from_environment(endpoint) if pending else None, Lock()

    def settle(prompt: str, key: str) -> None:
        reply = ask(endpoint, prompt, secret)
        with lock:
            journal[key] = list(reply)

    with ThreadPoolExecutor(endpoint.parallel) as pool:
        futures = [pool.submit(settle, *one) for one in pending.items()]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # what is under way still enters the journal
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {prompt: Reply(*journal[key]) for prompt, key in keys.items()}


def key_of(endpoint: Endpoint, prompt: str) -> str:
    """Key of a prompt's reply in a journal."""
    return digest([endpoint.url, _request(endpoint, prompt)])


def ask(endpoint: Endpoint, prompt: str, secret: str | None) -> Reply:
    """One reply; a busy endpoint is asked again when it says, one that takes no seed without it.

    Raises ConnectionError for an endpoint that stays busy or out of reach, Late where no reply
    comes in time, Refused where it will not answer this, ValueError for one that cannot be
    asked so or answers something else than a chat.
    """
    body = _request(endpoint, prompt)
    for attempt in range(ATTEMPTS):
        try:
            response = _post(endpoint, body, secret)
        except PASSING as error:
            if attempt + 1 == ATTEMPTS:
                raise ConnectionError(
                    f"{endpoint.key}.url: cannot reach {site(endpoint.url)} "
                    f"({type(error).__name__}, {ATTEMPTS} attempts); start the judge there, or "
                    "mend the URL; what is judged is kept"
                ) from None
            time.sleep(FIRST_WAIT * 2**attempt)
            continue
        if response.status_code in (400, 422) and "seed" in body and "seed" in response.text:
            del body["seed"]
            continue
        if response.status_code not in BUSY:
            break
        if attempt + 1 < ATTEMPTS:
            time.sleep(_wait(endpoint, response, attempt))
    if response.status_code in BUSY:
        raise ConnectionError(
            f"{endpoint.key}.url: {site(endpoint.url)} is still busy (HTTP {response.status_code}) "
            f"after {ATTEMPTS} attempts; run again later, or lower {endpoint.key}.parallel; what "
            "is judged is kept"
        )
    if response.status_code != 200:
        fault = Refused if response.status_code in REFUSING else ValueError
        raise fault(_refusal(endpoint, response, secret))
    try:
        completion = response.json()
        choice = completion["choices"][0]
        text = choice["message"]["content"]
        if not isinstance(text, str | None):
            raise TypeError
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError(
            f"{endpoint.key}.url: what {site(endpoint.url)} answers is no chat completion; give "
            "the base URL of an OpenAI-compatible endpoint, which usually ends in /v1"
        ) from None
    served = str(completion.get("model") or endpoint.model)
    text = (text or "").encode(errors="replace").decode()  # half a character could not be written
    return Reply(text, served, choice.get("finish_reason"), body.get("seed"))


def _request(endpoint: Endpoint, prompt: str) -> dict:
    return {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": endpoint.max_tokens,
        "seed": endpoint.seed,
    }


def key_from_environment(endpoint: Endpoint) -> str | None:
    """The API key. Raises ValueError where its variable holds none."""
    if endpoint.key_variable is None:
        return None
    key = os.environ.get(endpoint.key_variable, "").strip()
    # of what no header may hold, the HTTP library's error would quote the key
    if not re.fullmatch(r"[!-~]+", key):
        what = "holds no API key" if key else "is not set"
        raise ValueError(
            f"{endpoint.key}.key_variable: the environment variable {endpoint.key_variable} "
            f"{what}; export the judge's API key in it"
        )
    return key


def _post(endpoint: Endpoint, body: Mapping, secret: str | None) -> requests.Response:
    host = urlsplit(endpoint.url).hostname
    try:
        response = requests.post(
            f"{endpoint.url.rstrip('/')}/chat/completions",
            json=body,
            auth=_signed(secret),
            timeout=(CONNECT, endpoint.timeout),
            allow_redirects=False,
            # what stays on this machine goes through no proxy
            proxies={"no_proxy": host} if host and _loopback(host) else None,
        )
        if response.status_code == 200 and response.text.startswith("{"):
            response.json()
        return response
    except requests.ReadTimeout:
        raise Late(
            f"{endpoint.key}.timeout: no reply from {site(endpoint.url)} within "
            f"{endpoint.timeout:g} s; raise it, or take a faster judge; what is judged is kept"
        ) from None
    except PASSING:
        raise
    except requests.RequestException as error:
        raise ValueError(
            f"{endpoint.key}.url: {site(endpoint.url)} cannot be asked ({type(error).__name__}); "
            "mend the URL; what is judged is kept"
        ) from None


def _signed(secret: str | None) -> Callable:
    """Puts the key into a request; used even without one, lest a .netrc be sent instead."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if secret is not None:
            request.headers["Authorization"] = f"Bearer {secret}"
        return request

    return sign


def _wait(endpoint: Endpoint, response: requests.Response, attempt: int) -> float:
    """Seconds until the next attempt: as Retry-After says (RFC 9110, 10.2.3), else 1, 2, 4, ..."""
    after = response.headers.get("Retry-After", "").strip()
    seconds = FIRST_WAIT * 2**attempt
    if re.fullmatch(r"[0-9]+", after):
        seconds = float(after)
    elif after:
        try:
            until = parsedate_to_datetime(after)
            seconds = max(0.0, (until - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):  # no date, or one without a zone
            pass
    if seconds > LONGEST_WAIT:
        raise ValueError(
            f"{endpoint.key}.url: {site(endpoint.url)} takes no request for {seconds:.0f} s (HTTP "
            f"{response.status_code}); run again then, what is judged is kept"
        )
    return seconds


def _refusal(endpoint: Endpoint, response: requests.Response, secret: str | None) -> str:
    url, status = site(endpoint.url), response.status_code
    if status in (401, 403):
        if endpoint.key_variable is None:
            mend = "name there the environment variable that holds the judge's API key"
        else:
            mend = f"put a valid key into the environment variable {endpoint.key_variable}"
        return f"{endpoint.key}.key_variable: {url} refuses access (HTTP {status}); {mend}"
    if status == 404 or 300 <= status < 400:
        return (
            f"{endpoint.key}.url: HTTP {status} from {url}; give the base URL, which usually ends "
            f"in /v1, and in {endpoint.key}.model a model that is served there"
        )
    reason = response.text.replace(secret, "…") if secret else response.text
    return (
        f"{endpoint.key}.model: {url} refuses the request (HTTP {status}: "
        f"{shorten(reason, 200, placeholder=' …')}); mend {endpoint.key} as it says, and run again"
    )
