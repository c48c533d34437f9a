"""A model in vLLM, for whoever started this file with the Python of vLLM's own environment.

Settings are the first argument, JSON; then each line of the input is a call, each line of the
output its answer: ``{"answer": ...}`` or ``{"error": ...}``. What vLLM writes goes to the error
output. It needs nothing of this package, whose dependencies are not there, and is driven by
:mod:`kensho.models.vllm`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

SHORT = 16  # tokens of a continuation that are asked for one by one, behind a cached context
PR_SET_PDEATHSIG = 1  # of prctl(2)
Scored = tuple[float, bool]


class Served:
    """A model that vLLM holds, with an adapter or without."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from vllm import LLM

        adapter = settings.pop("adapter", None)
        more = {"enable_lora": True, "max_lora_rank": adapter["rank"]} if adapter else {}
        # Answers are the likeliest tokens, whatever a model's own defaults are.
        self.model = LLM(generation_config="vllm", disable_log_stats=True, **settings, **more)
        self.adapter = self._request(adapter["path"]) if adapter else None

    @staticmethod
    def _request(path: str):
        from vllm.lora.request import LoRARequest

        return LoRARequest(lora_name="adapter", lora_int_id=1, lora_path=path)

    def about(self) -> dict[str, Any]:
        """Version and what vLLM decided, as conditions."""
        import torch
        import vllm
        from vllm.platforms import current_platform

        config = self.model.llm_engine.vllm_config
        return {
            "version": vllm.__version__,
            "device": current_platform.device_type,
            "torch": torch.__version__,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "context": config.model_config.max_model_len,
            "eager": config.model_config.enforce_eager,
            "chunked_prefill": bool(config.scheduler_config.enable_chunked_prefill),
            "tokens_at_once": config.scheduler_config.max_num_batched_tokens,
            "sequences_at_once": config.scheduler_config.max_num_seqs,
            "prefix_caching": bool(config.cache_config.enable_prefix_caching),
            "cache_dtype": str(config.cache_config.cache_dtype),
            "block_tokens": config.cache_config.block_size,
            "devices": config.parallel_config.tensor_parallel_size,
        }

    def score(self, requests: Sequence[tuple[list[int], list[int]]], adapted: bool) -> list[Scored]:
        """Of each (context, continuation): log-likelihood, and whether it is the greedy one.

        A short continuation is asked for token by token, each behind its beginning, which the
        cache keeps and requests share; a long one is read whole, for which vLLM takes nothing from
        its cache, and not under adapters, where 0.32 takes prompts for answers.
        """
        wanted: dict[tuple[int, ...], set[int]] = {}
        short = [
            index
            for index, (_, continuation) in enumerate(requests)
            if adapted or len(continuation) <= SHORT
        ]
        for index in short:
            for beginning, token in _steps(*requests[index]):
                wanted.setdefault(beginning, set()).add(token)
        steps = self._next(wanted, adapted)
        scores: list[Scored] = [(0.0, False)] * len(requests)
        for index in short:
            tokens = [steps[beginning][token] for beginning, token in _steps(*requests[index])]
            scores[index] = sum(value for value, _ in tokens), all(best for _, best in tokens)
        long = [index for index in range(len(requests)) if index not in set(short)]
        read = self._whole([requests[index] for index in long], adapted)
        for index, score in zip(long, read, strict=True):
            scores[index] = score
        return scores

    def _next(
        self, wanted: dict[tuple[int, ...], set[int]], adapted: bool
    ) -> dict[tuple[int, ...], dict[int, Scored]]:
        """Log-probability of wanted tokens behind each beginning, and whether each is the best."""
        order = sorted(wanted)  # beginnings that share most stand together
        sampling = [
            self._sampling(max_tokens=1, logprob_token_ids=sorted(wanted[beginning]))
            for beginning in order
        ]
        steps = {}
        for beginning, output in zip(order, self._run(order, sampling, adapted), strict=True):
            (best,), (likelihoods,) = output.outputs[0].token_ids, output.outputs[0].logprobs
            steps[beginning] = {
                token: (likelihoods[token].logprob, token == best) for token in wanted[beginning]
            }
        return steps

    def _whole(self, requests: Sequence[tuple[list[int], list[int]]], adapted: bool):
        prompts = [[*context, *continuation] for context, continuation in requests]
        sampling = [self._sampling(max_tokens=1, prompt_logprobs=0)] * len(prompts)
        for (context, continuation), output in zip(
            requests, self._run(prompts, sampling, adapted), strict=True
        ):
            rows = output.prompt_logprobs[len(context) :]
            read = [row[token] for row, token in zip(rows, continuation, strict=True)]
            yield sum(one.logprob for one in read), all(one.rank == 1 for one in read)

    def generate(
        self,
        prompts: Sequence[list[int]],
        most: Sequence[int],
        ends: Sequence[int],
        stops: Sequence[str],
        adapted: bool,
    ) -> list[list[int]]:
        """Greedy answers, up to and with a token of ``ends`` or one that completes a stop.

        Each has at most as many tokens as its entry of ``most``.
        """
        sampling = [
            self._sampling(
                max_tokens=count, ignore_eos=True, stop_token_ids=list(ends), stop=list(stops)
            )
            for count in most
        ]
        outputs = self._run(prompts, sampling, adapted)
        return [list(output.outputs[0].token_ids) for output in outputs]

    def timed(self, prompts: Sequence[list[int]], tokens: int, adapted: bool) -> dict[str, Any]:
        """Answers of exactly so many tokens: seconds of the first and of the last, and tokens."""
        engine = self.model.llm_engine
        sampling = self._sampling(max_tokens=tokens, min_tokens=tokens, ignore_eos=True)
        began, marks = time.perf_counter(), []
        for place, prompt in enumerate(prompts):
            engine.add_request(
                str(place),
                {"prompt_token_ids": prompt},
                sampling,
                lora_request=self.adapter if adapted else None,
            )
        written: dict[str, list[int]] = {}
        while engine.has_unfinished_requests():
            for output in engine.step():
                written[output.request_id] = list(output.outputs[0].token_ids)
            marks.append((time.perf_counter() - began, sum(map(len, written.values()))))
        marks = [(at, count) for at, count in marks if count]
        return {"marks": marks, "tokens": [written[str(place)] for place in range(len(prompts))]}

    def timed_scoring(self, ids: list[int], adapted: bool) -> dict[str, Any]:
        """Seconds to read a text whole, and the log-likelihood of all but its first token."""
        began = time.perf_counter()
        ((score, _),) = self._whole([(ids[:1], ids[1:])], adapted)
        return {"seconds": time.perf_counter() - began, "score": score}

    def peak(self) -> int:
        """Bytes of resident memory of this process, at most until now."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def forget(self) -> None:
        """Empty the cache of beginnings."""
        self.model.reset_prefix_cache()

    def _run(self, prompts, sampling, adapted: bool):
        if not prompts:
            return []
        return self.model.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            sampling,
            use_tqdm=False,
            lora_request=self.adapter if adapted else None,
        )

    @staticmethod
    def _sampling(**settings):
        from vllm import SamplingParams

        settings |= {"skip_special_tokens": False, "spaces_between_special_tokens": False}
        return SamplingParams(temperature=0, detokenize=bool(settings.get("stop")), **settings)


def _steps(context: list[int], continuation: list[int]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Each token of a continuation with what stands before it."""
    for place, token in enumerate(continuation):
        yield (*context, *continuation[:place]), token


def main() -> None:
    """Serve one model until the input ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print
    served = _told(answers, lambda: Served(json.loads(sys.argv[1])), lambda served: served.about())
    for line in sys.stdin if served else ():
        name, arguments = json.loads(line)
        _told(answers, lambda: getattr(served, name)(**arguments))  # noqa: B023 (called at once)


def _told(answers: TextIO, call: Callable[[], Any], shown: Callable = lambda result: result) -> Any:
    """What a call gives, after what is ``shown`` of it was written as an answer, or its error."""
    try:
        result = call()
        told = {"answer": shown(result)}
    except Exception as error:
        traceback.print_exc()
        result, told = None, {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told), file=answers, flush=True)
    return result


if __name__ == "__main__":
    main()
