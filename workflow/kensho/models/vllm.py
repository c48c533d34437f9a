"""vLLM as an engine: a model in a process of its own, with the Python of vLLM's environment.

That environment cannot be ours, whose versions of libraries vLLM refuses. Texts are tokens here and
there, so that nothing but the arithmetic differs from transformers (Kwon et al. 2023,
arXiv:2309.06180). ``.venv-vllm`` is made by `make vllm`, or envs/vllm.*.yaml name what conda makes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch

from kensho.fallback import OutOfMemory, of_memory
from kensho.files import read_json
from kensho.messages import plain
from kensho.models import as_lora, vllm_worker
from kensho.models.loading import SPLITS, device, tokenizer_of
from kensho.models.reference import Reference
from kensho.models.vllm_worker import Scored

CACHE = 2  # GB of keys and values on a processor; on an accelerator what the weights leave
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # of adapters that vLLM has kernels for
# Of an adapter's configuration: what vLLM would ignore or refuse if it held anything else.
PLAIN = {"peft_type": "LORA", "use_dora": False, "bias": "none", "use_rslora": False}
ABSENT = ("modules_to_save", "rank_pattern", "alpha_pattern", "trainable_token_indices")
# What vLLM raises for an architecture, a shape or an adapter that it has no code for.
OF_MODEL = ("AssertionError", "AttributeError", "KeyError", "NotImplementedError", "ValueError")
TAIL = 20_000  # characters of what a process that failed had written


class Timed(NamedTuple):
    """Answers that were timed: of each step its end (s) and the tokens written until then."""

    marks: list[tuple[float, int]]
    tokens: list[list[int]]


def devices() -> int:
    """Accelerators of this job, among which a model is shared; a rehearsal may have fewer."""
    planned = int(os.environ.get("KENSHO_DEVICES", 1))
    return max(1, min(planned, torch.cuda.device_count())) if device() == "cuda" else 1


def unfit(model: Reference, dtype: torch.dtype) -> str | None:
    """Why vLLM cannot serve what a reference names as it is, None where it can."""
    if model.adapters and dtype == torch.float32 and device() == "cuda":
        return "an adapter in float32 on an accelerator"
    # whether it fails there, and how, is a matter of the processor
    latent = read_json(Path(model.base) / "config.json").get("kv_lora_rank")
    if latent and dtype == torch.float32 and device() == "cpu":
        return "latent attention (MLA) in float32 on a processor"
    if model.adapters and model.weights == "nf4":
        return "an adapter over weights in NF4"
    if len(model.adapters) > 1:
        return f"{len(model.adapters)} adapters over each other"
    for adapter in model.adapters:
        config = read_json(Path(adapter.path) / as_lora.CONFIG)
        if config["peft_type"] in as_lora.EXACT:
            continue
        other = [key for key, value in PLAIN.items() if config.get(key, value) != value]
        other += [key for key in ABSENT if config.get(key)]
        if config["r"] > RANKS[-1]:
            other.append(f"rank {config['r']}")
        if other:
            return f"an adapter with {', '.join(other)}"
    return None


class Refused(ValueError):
    """vLLM does not take this model as it is."""


class Vllm:
    """A model that vLLM serves, until it is closed; a context manager.

    Raises Refused where it does not take the model, OutOfMemory where memory was refused, else
    ValueError, each with what vLLM said.
    """

    def __init__(
        self,
        python: Path | str,
        model: Reference,
        dtype: torch.dtype,
        *,
        threads: int,
        devices: int = 1,
    ) -> None:
        self.model, self.adapted = model, bool(model.adapters)
        self.tokenizer = tokenizer_of(model.base)
        settings: dict[str, Any] = {
            "model": str(Path(model.base).absolute()),
            "dtype": str(dtype).removeprefix("torch."),
            "max_model_len": -1,  # as much of the model's context as its cache has room for
            "enable_prefix_caching": True,
            "enable_chunked_prefill": True,
            "enforce_eager": device() == "cpu",  # there a graph takes minutes to make
            "tensor_parallel_size": devices,
        }
        if self.adapted:
            folder = Path(model.adapters[0].path)
            self._plain = tempfile.TemporaryDirectory()
            if read_json(folder / as_lora.CONFIG)["peft_type"] in as_lora.EXACT:
                into = Path(self._plain.name) / "lora"
                try:
                    folder = as_lora.written(folder, Path(model.base), into)
                except ValueError as error:
                    raise Refused(f"vLLM: {error}") from None
            rank = read_json(folder / as_lora.CONFIG)["r"]
            if rank > RANKS[-1]:
                raise Refused(f"vLLM: an adapter of rank {rank}")
            held = next(one for one in RANKS if one >= rank)
            settings["adapter"] = {"path": str(folder.absolute()), "rank": held}
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), "-P", vllm_worker.__file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment(threads),
            encoding="utf-8",
        )
        try:
            self.about: dict[str, Any] = self._answer()
            if self.about["device"] != device():
                raise ValueError(
                    f"vLLM sees {self.about['device']}, torch {device()}; give `make vllm` "
                    "the build of TORCH"
                )
            self.probe = self._probe()
        except BaseException:
            self.close()
            raise

    def loglikelihoods(self, requests: Sequence[tuple[list[int], list[int]]]) -> list[Scored]:
        """Of each (context, continuation): log-likelihood (nat), and whether it is the greedy one.

        Neither part may be empty.
        """
        scored = self._call("score", requests=requests, adapted=self.adapted)
        return [(float(value), bool(greedy)) for value, greedy in scored]

    def generate(
        self,
        prompts: Sequence[list[int]],
        most: Sequence[int],
        *,
        ends: Sequence[int],
        stops: Sequence[str] = (),
    ) -> list[list[int]]:
        """Greedy answers of at most ``most`` tokens each, that one of ``ends`` or a stop ends."""
        return self._call(
            "generate", prompts=prompts, most=most, ends=ends, stops=stops, adapted=self.adapted
        )

    def timed(self, prompts: Sequence[list[int]], tokens: int) -> Timed:
        """Answers of exactly so many tokens, whatever token would end them."""
        timed = self._call("timed", prompts=prompts, tokens=tokens, adapted=self.adapted)
        return Timed([(at, count) for at, count in timed["marks"]], timed["tokens"])

    def timed_scoring(self, ids: list[int]) -> tuple[float, float]:
        """Seconds to read a text whole, and log-likelihood of all its tokens but the first."""
        timed = self._call("timed_scoring", ids=ids, adapted=self.adapted)
        return timed["seconds"], timed["score"]

    def peak_bytes(self) -> int:
        """Resident memory of vLLM's process at most until now, the cache that it takes included."""
        return int(self._call("peak"))

    def forget(self) -> None:
        """Empty the cache of beginnings."""
        self._call("forget")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _probe(self) -> list[float]:
        """Log-likelihoods of a text's tokens, which an adapter must change."""
        ids = self.tokenizer(SPLITS, add_special_tokens=False)["input_ids"]
        requests = [(ids[:place], ids[place : place + 1]) for place in range(1, len(ids))]
        read = {
            adapted: [value for value, _ in self._call("score", requests=requests, adapted=adapted)]
            for adapted in {False, self.adapted}
        }
        if self.adapted and read[True] == read[False]:
            raise ValueError(
                f"{self.model.adapters[0].path}: the adapter does not change what vLLM computes"
            )
        return read[self.adapted]

    def _call(self, name: str, **arguments) -> Any:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # what ended it is told below
            print(json.dumps([name, arguments]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        told = json.loads(line) if line else {"error": self._end()}
        if "error" not in told:
            return told["answer"]
        self._said.seek(0)
        print(self._said.read()[-TAIL:], file=sys.stderr)
        error = RuntimeError(told["error"])
        cause = f"vLLM: {plain(str(error)).partition(chr(10))[0]}"
        if of_memory(error) or "Free memory on device" in told["error"]:
            raise OutOfMemory(cause)
        raise (Refused if told["error"].startswith(OF_MODEL) else ValueError)(cause)

    def _end(self) -> str:
        code = self._process.wait()
        return "killed, as happens out of memory" if code == -9 else f"ended with exit code {code}"


def environment(threads: int) -> dict[str, str]:
    """Variables of vLLM's process: its own Python's packages, no network, our cores."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {
        "OMP_NUM_THREADS": str(threads),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": str(CACHE),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process where one device serves
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
