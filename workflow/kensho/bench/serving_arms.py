"""Arms of the experiment `serving`, by what vLLM's server is started with, and its loads' names."""

import json
from pathlib import Path

DRAFTED = 4  # tokens at a time
BASE = "plain"  # whose answers the others' are held against
UNCACHED = ("--no-enable-prefix-caching",)
OPTIONS = {
    BASE: UNCACHED,
    "prefix-caching": ("--enable-prefix-caching",),
    "ngram": UNCACHED,  # speculation without a model: what followed these tokens before
    "draft": UNCACHED,
    "fp8-weights": (*UNCACHED, "--quantization", "fp8"),
    "fp8-cache": (*UNCACHED, "--kv-cache-dtype", "fp8"),
}
SPECULATIVE = ("ngram", "draft")
REGISTERED = ("batch-8",)  # loads of which claims read metrics, and which the settings may lack


def options(arm: str, draft: Path | None) -> tuple[str, ...]:
    """What `vllm serve` gets for an arm. Raises ValueError where no draft model is named."""
    own: dict[str, object] = {"num_speculative_tokens": DRAFTED}
    if arm == "ngram":
        own |= {"method": "ngram", "prompt_lookup_max": DRAFTED, "prompt_lookup_min": 2}
    elif arm == "draft":
        if draft is None:
            raise ValueError("no smaller model drafts; name one in bench.serving.draft")
        own |= {"method": "draft_model", "model": str(draft.absolute())}
    speculation = ("--speculative-config", json.dumps(own)) if arm in SPECULATIVE else ()
    return (*OPTIONS[arm], *speculation)
