"""lm-evaluation-harness on a model that vLLM serves: :class:`Backend` but for the arithmetic."""

from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from kensho.evaluate import greedy
from kensho.evaluate.journal import Journal, digest
from kensho.evaluate.lm import Backend
from kensho.models.vllm import Vllm

TOGETHER = 512  # requests that vLLM gets at once, and what a run that is killed loses at most


class VllmLM(Backend):
    """Scores and greedy answers from vLLM, on the tokens of :class:`Backend`.

    An interrupted run goes on from its ``journal``. Raises ValueError for answers that are sampled.
    """

    own = True

    def __init__(self, served: Vllm, *, batch_size: int, journal: Path | str | None = None) -> None:
        hollow = _hollow(served.model.base)
        super().__init__(pretrained=hollow, tokenizer=served.tokenizer, batch_size=batch_size)
        self.served, self.together = served, TOGETHER
        self.journal: MutableMapping[str, list] = Journal(journal) if journal else {}
        # A journal may have been begun with another model or version.
        self.salt = digest([served.probe, served.about["version"], served.about["torch"]])

    @property
    def engine(self) -> dict[str, Any]:
        return {"name": "vllm", **self.served.about}

    def ask_together(self, size: int) -> None:
        self.together = size
        self.served.forget()

    def _likelihoods(self, parts: Sequence[tuple[list[int], list[int]]]) -> list:
        longest = max((len(context) + len(rest) for context, rest in parts), default=0)
        self._fits(longest + 1, "set engine: transformers")  # a token follows what is scored
        return self._in_parts(parts, self.served.loglikelihoods, ["likelihood"])

    def _continue(
        self, contexts: list[list[int]], decoding: greedy.Decoding, salt: list
    ) -> list[list[int]]:
        """Stops are vLLM's to find, and ours to decide: what did not end goes on."""
        longest = max(map(len, contexts), default=0) + decoding.most
        self._fits(longest, "lower max_new_tokens, or set engine: transformers")
        (stops, opened), ends = salt, sorted(self._end_tokens())

        def answered(prompts: Sequence[list[int]]) -> list[list[int]]:
            answers: list[list[int]] = [[] for _ in prompts]
            going = list(range(len(prompts)))
            while going:
                written = self.served.generate(
                    [[*prompts[i], *answers[i]] for i in going],
                    [decoding.most - len(answers[i]) for i in going],
                    ends=ends,
                    stops=[] if opened else stops,  # within thinking they end nothing
                )
                for i, tokens in zip(going, written, strict=True):
                    answers[i] = _until(decoding.ended, answers[i], tokens)
                going = [
                    i
                    for i in going
                    if len(answers[i]) < decoding.most and not decoding.ended(answers[i])
                ]
            return answers

        return self._in_parts(contexts, answered, [decoding.most, ends, *salt])

    def _fits(self, longest: int, mend: str) -> None:
        """Raises ValueError where vLLM holds no sequence of so many tokens."""
        if longest > (most := self.served.about["context"]):
            raise ValueError(
                f"a text and its answer have {longest} tokens, vLLM holds {most} of this model; "
                f"{mend}"
            )

    def _in_parts(self, requests: Sequence, ask: Callable[[Sequence], list], salt: list) -> list:
        """Answers in the order of the requests, of which those that begin alike go together."""
        order = sorted(range(len(requests)), key=lambda i: requests[i])
        answers: list[Any] = [None] * len(requests)
        for first in range(0, len(order), self.together):
            places = order[first : first + self.together]
            asked = [requests[place] for place in places]
            key = digest([self.salt, salt, asked])
            if key not in self.journal:
                self.journal[key] = ask(asked)
            for place, answer in zip(places, self.journal[key], strict=True):
                answers[place] = answer
        return answers

    def generate_until(self, requests, disable_tqdm: bool = False) -> list[str]:
        for request in requests:
            if request.args[1].get("do_sample"):
                raise ValueError("answers that are sampled are left to engine: transformers")
        return super().generate_until(requests, disable_tqdm)


def _until(
    ended: Callable[[list[int]], bool], answer: list[int], tokens: Sequence[int]
) -> list[int]:
    """An answer with further tokens, up to and with the one that ends it."""
    for token in tokens:
        answer = [*answer, token]
        if ended(answer):
            break
    return answer


def _hollow(folder: str):
    """A model's configuration in its class, without weights: what the harness asks it for."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    if (Path(folder) / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model
