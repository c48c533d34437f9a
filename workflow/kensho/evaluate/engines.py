"""The harness's model for what a reference names, run by the engine of the configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kensho.evaluate.lm import Backend
from kensho.evaluate.vllm import VllmLM
from kensho.models.engine import Engine
from kensho.models.loading import load_reference
from kensho.models.reference import Reference
from kensho.models.vllm import Refused, Vllm, devices
from kensho.models.vllm_check import unserved


class Served(NamedTuple):
    """What ran a model, as conditions say it, and the fallback that was taken, if any."""

    engine: dict[str, Any]
    fallback: str | None


@contextmanager
def opened(
    model: Reference,
    dtype: torch.dtype,
    engine: Engine,
    backend: type[Backend],
    *,
    threads: int,
    **settings,
) -> Iterator[tuple[Backend, Served]]:
    """The model in vLLM, or in transformers behind ``backend``; ``settings`` are the backend's."""
    why = unserved(engine.python, model, dtype, threads) if engine.python else None
    if engine.python and not why:
        try:
            served = Vllm(engine.python, model, dtype, threads=threads, devices=devices())
        except Refused as error:
            why = f"{Path(model.base).name} ({error})"
        else:
            with served:
                by_vllm = VllmLM(served, **settings)
                yield by_vllm, Served(by_vllm.engine, None)
            return
    fallback = engine.instead(why)
    if why:
        print(f"vLLM does not serve {why}: transformers runs it", file=sys.stderr)
    loaded, tokenizer = load_reference(model, dtype)
    lm = backend(pretrained=loaded, tokenizer=tokenizer, **settings)
    yield lm, Served({**lm.engine, **({"unserved_by_vllm": why} if why else {})}, fallback)
    lm.release()
