"""The loads of the experiment `serving`, and one server under all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from kensho.bench import load
from kensho.bench.load import Failure, Load, Request
from kensho.models.vllm import Refused
from kensho.models.vllm_server import NAME, Server

if TYPE_CHECKING:
    from kensho.bench.study_settings import Serving as Settings

LANGUAGES = ("en", "ja")
COUNTED = (  # by the server, under each load
    "prefix_cache_hits",
    "spec_decode_num_draft_tokens",
    "spec_decode_num_accepted_tokens",
)


class Plan(NamedTuple):
    """A load: requests by their blocks, sent in batches of a size or at times (s)."""

    requests: dict[str, Request]
    batch: int = 1
    times: list[float] | None = None
    answered_as: str = "single"  # load of the same requests, whose answers these are held against


def plans(texts: Mapping[str, list[int]], settings: Settings, seed: int) -> dict[str, Plan]:
    """Loads by name; ``texts`` are token ids by language, in turns. Raises ValueError if too short.

    A context longer than a text repeats it.
    """
    new, length = settings.new_tokens, settings.prompt_tokens
    prompts = {}
    for number in range(settings.requests):
        language, place = LANGUAGES[number % 2], number // 2
        begin = settings.shared_tokens + place * length
        prompts[f"{language}-{place:03d}"] = texts[language][begin : begin + length]
    for block, prompt in prompts.items():
        if len(prompt) < length:
            raise ValueError(
                f"bench.serving: the held-out texts end before prompt {block}; lower requests "
                "or prompt_tokens, or raise data.test"
            )
    requests = {block: Request(prompt, new) for block, prompt in prompts.items()}
    behind = {
        block: Request(texts[block[:2]][: settings.shared_tokens] + prompt, new)
        for block, prompt in prompts.items()
    }
    made = {"single": Plan(requests)}
    made |= {f"batch-{size}": Plan(requests, batch=size) for size in settings.batches}
    for rate in settings.rates:
        times = load.arrivals(rate, len(requests), seed)
        made[f"rate-{rate:g}"] = Plan(requests, times=times)
    made["shared"] = Plan(behind, answered_as="shared")
    for size in settings.contexts:
        long = {
            f"{language}-000": Request([*islice(cycle(text), size - new)], new)
            for language, text in texts.items()
        }
        made[f"context-{size}"] = Plan(long, answered_as=f"context-{size}")
    return made


def serve(start: Callable[[], Server], loads: Mapping[str, Plan], timeout: float) -> dict[str, Any]:
    """One server under all loads: what was observed, or why it does not serve (``refused``)."""
    try:
        server = start()
    except Refused as error:
        return {"refused": str(error)}
    with server:
        warm = load.in_batches(
            server.url, NAME, [*loads["single"].requests.values()][:1], 1, timeout
        )
        done = {name: _under(server, plan, timeout) for name, plan in loads.items()}
        _, cache = server.metrics()
        blocks, size = cache.get("num_gpu_blocks", ""), cache.get("block_size", "")
        return {
            "start_seconds": server.start_seconds,
            "warmup_seconds": None if warm.failures else warm.seconds,
            "peak_memory_bytes": None if server.gone else server.peak_bytes(),
            "cache_tokens": int(blocks) * int(size) if blocks.isdigit() else None,
            "server": {"context": server.context, **cache},
            "loads": done,
        }


def _under(server: Server, plan: Plan, timeout: float) -> dict[str, Any]:
    requests = [*plan.requests.values()]
    server.forget()
    before, _ = server.metrics()
    if why := server.gone:
        done = Load([Failure("gone", why)] * len(requests), 0.0)
    elif plan.times is None:
        done = load.in_batches(server.url, NAME, requests, plan.batch, timeout)
    else:
        done = load.at_times(server.url, NAME, requests, plan.times, timeout)
    after, _ = server.metrics()
    counted = {
        name: after[f"{name}_total"] - before.get(f"{name}_total", 0.0)
        for name in COUNTED
        if f"{name}_total" in after
    }
    return {"seconds": done.seconds, "answers": [[*one] for one in done.answers], **counted}
