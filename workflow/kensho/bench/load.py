"""A load of requests on an OpenAI-compatible server of completions, and when it answered.

Requests go in batches, each sent when the one before is answered whole (a batch of 1: one request
at a time), or at times that do not wait for answers: users who arrive as a Poisson process. Answers
are greedy, of exactly so many tokens, and come token by token (server-sent events). What is no such
answer is a failure of a named kind and has no times.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import aiohttp
import numpy as np

KINDS = ("refused", "late", "gone", "nonsense")
SHOWN = 200  # characters of what a server says


class Request(NamedTuple):
    """A prompt (text, or the model's token ids), and tokens of its answer."""

    prompt: str | list[int]
    tokens: int


class Answer(NamedTuple):
    """Seconds after the load began: when it was ``due`` and ``sent``, its first and last token."""

    due: float
    sent: float
    first: float
    last: float
    tokens: int
    text: str

    @property
    def first_token_seconds(self) -> float:
        return self.first - self.sent

    @property
    def latency_seconds(self) -> float:
        return self.last - self.sent

    @property
    def token_seconds(self) -> float | None:
        """Mean time of a token behind the first; None where there is none."""
        return (self.last - self.first) / (self.tokens - 1) if self.tokens > 1 else None


class Failure(NamedTuple):
    """Why a request has no answer: one of KINDS, and in words."""

    kind: str
    why: str


class Load(NamedTuple):
    """What each request got, and seconds from the beginning until the last was settled."""

    answers: list[Answer | Failure]
    seconds: float

    @property
    def failures(self) -> Counter[str]:
        """Failed requests by kind."""
        return Counter(one.kind for one in self.answers if isinstance(one, Failure))


def arrivals(rate: float, count: int, seed: int) -> list[float]:
    """Times (s) of ``count`` arrivals of a Poisson process of ``rate`` per second."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, count)
    return [float(at) for at in np.cumsum(gaps)]


def in_batches(
    url: str, model: str, requests: Sequence[Request], size: int, timeout: float
) -> Load:
    """Answers to batches of ``size``, one after another; ``timeout`` (s) is of each request."""

    async def send(one: Callable[[Request, float], Awaitable], now: Callable[[], float]) -> list:
        answers = []
        for start in range(0, len(requests), size):
            due = now()
            batch = requests[start : start + size]
            answers += await asyncio.gather(*(one(request, due) for request in batch))
        return answers

    return asyncio.run(_load(url, model, send, timeout))


def at_times(
    url: str, model: str, requests: Sequence[Request], times: Sequence[float], timeout: float
) -> Load:
    """Answers to requests that are sent at ``times`` (s), whatever was answered by then."""

    async def send(one: Callable[[Request, float], Awaitable], now: Callable[[], float]) -> list:
        async def later(request: Request, due: float) -> Answer | Failure:
            await asyncio.sleep(max(0.0, due - now()))
            return await one(request, due)

        return await asyncio.gather(*map(later, requests, times))

    return asyncio.run(_load(url, model, send, timeout))


async def _load(url: str, model: str, send: Callable[..., Awaitable], timeout: float) -> Load:
    limit = aiohttp.ClientTimeout(total=timeout)
    # a connection for each request: one that waited for the next may be closed just as it is used
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as session:
        began = time.perf_counter()

        def now() -> float:
            return time.perf_counter() - began

        async def one(request: Request, due: float) -> Answer | Failure:
            try:
                return await _ask(session, url, model, request, due, now)
            except TimeoutError:
                return Failure("late", f"no whole answer within {timeout:g} s")
            except aiohttp.ClientError as error:
                return Failure("gone", type(error).__name__)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                return Failure("nonsense", f"{type(error).__name__}: {error}"[:SHOWN])

        answers = await send(one, now)
        return Load(answers, now())


async def _ask(
    session: aiohttp.ClientSession,
    url: str,
    model: str,
    request: Request,
    due: float,
    now: Callable[[], float],
) -> Answer | Failure:
    body = {
        **{"model": model, "prompt": request.prompt, "max_tokens": request.tokens},
        **{"temperature": 0, "ignore_eos": True},
        **{"stream": True, "stream_options": {"include_usage": True}},
    }
    marks, text, tokens, whole = list[float](), "", None, False
    sent = now()
    async with session.post(f"{url}/v1/completions", json=body) as response:
        if response.status != 200:
            return Failure("refused", f"HTTP {response.status}: {await response.text()}"[:SHOWN])
        async for line in response.content:
            if not (line := line.strip()) or line.startswith(b":"):
                continue
            event = line.removeprefix(b"data:").strip()
            if event == b"[DONE]":
                whole = True
                continue
            told = json.loads(event)
            if usage := told.get("usage"):
                tokens = int(usage["completion_tokens"])
            for choice in told["choices"]:
                text += choice["text"]
                marks.append(now())
    if not whole:
        return Failure("gone", "the stream ended before its last event")
    if tokens != request.tokens or not marks:
        return Failure("nonsense", f"{tokens} tokens, {request.tokens} were asked for")
    return Answer(due, sent, marks[0], marks[-1], tokens, text)
