"""``lm_eval --model kensho``: lm-evaluation-harness's transformers backend, on prefix trees.

Importing this module registers the model. Arguments are those of ``hf`` (``pretrained``, ``peft``,
``dtype``, ``batch_size``, ...) and ``nodes``, the tokens that one pass reads beside the shared
beginning, and ``journal``, a file from which an interrupted run goes on.
"""

from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from kensho.evaluate import thinking
from kensho.jlce import fast
from kensho.jlce.journal import Journal, digest
from kensho.models.loading import probe_logits

NODES = {"cpu": 512, "cuda": 4096}


@register_model("kensho")
class KenshoLM(HFLM):
    """The same scores and greedy answers as ``hf`` gives, from fewer operations.

    But for thinking (:mod:`kensho.evaluate.thinking`): a stop sequence within it ends no answer, as
    the first line of a thought would, and where the prompt has opened it the answer shows that.
    Sampling, beam search and models that are not causal go the way of ``hf``.
    """

    def __init__(
        self, *args, nodes: int | None = None, journal: Path | str | None = None, **settings
    ) -> None:
        super().__init__(*args, **settings)
        self.journal = Journal(journal) if journal else {}
        self.salt = ""  # a journal may have been begun with another model
        if journal:
            self.salt = digest(probe_logits(self.model, self.tokenizer).tolist())
        self.nodes = int(nodes or NODES.get(self.device.type, NODES["cuda"]))

    def _loglikelihood_tokens(
        self,
        requests: list[tuple[tuple[str, str] | None, list[int], list[int]]],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        if self.backend != "causal":
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        parts = []
        for _, context, continuation in requests:
            kept = (context + continuation)[-(self.max_length + 1) :]
            parts.append((kept[: -len(continuation)], continuation))
        scored = fast.loglikelihoods(
            self.model, parts, nodes=self.nodes, journal=self.journal, salt=self.salt
        )
        for (strings, _, _), answer in zip(requests, scored, strict=True):
            if strings is not None:  # parts of a rolling likelihood are not stored
                self.cache_hook.add_partial("loglikelihood", strings, answer)
        return scored

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        answers: dict[int, str] = {}
        groups: dict[tuple[str, str], list[int]] = {}
        for place, request in enumerate(requests):
            key = repr(request.args[1]), thinking.opened(request.args[0])
            groups.setdefault(key, []).append(place)
        for (_, opened), places in groups.items():
            chosen = [requests[place] for place in places]
            kwargs = normalize_gen_kwargs(chosen[0].args[1], self.max_gen_toks)
            plain = set(kwargs) <= {"until", "max_gen_toks", "do_sample", "temperature"}
            if kwargs.get("do_sample") or not plain or self.backend != "causal":
                texts = super().generate_until(chosen, disable_tqdm=disable_tqdm)
            else:
                texts = self._greedy([r.args[0] for r in chosen], kwargs, opened)
                for request, text in zip(chosen, texts, strict=True):
                    self.cache_hook.add_partial("generate_until", request.args, text)
            answers |= dict(zip(places, texts, strict=True))
        return [answers[place] for place in range(len(requests))]

    def _greedy(self, contexts: list[str], kwargs: dict, opened: str) -> list[str]:
        most = kwargs["max_gen_toks"]
        stops = handle_stop_sequences(
            kwargs.get("until"), eos=self.tok_decode([self.eot_token_id], skip_special_tokens=False)
        )
        stops = [stop for stop in stops if stop]
        tail = max((len(stop) for stop in stops), default=0) + 4  # tokens that may hold a stop
        ends = self._end_tokens()

        def ended(tokens: list[int]) -> bool:
            if tokens[-1] in ends:
                return True
            text = self.tok_decode(tokens[-tail:], skip_special_tokens=False)
            if not any(stop in text for stop in stops):
                return False
            _, answer = self._divided(tokens, opened)
            return any(stop in answer for stop in stops)

        encoded = [
            self.tok_encode(context, left_truncate_len=self.max_length - most)
            for context in contexts
        ]
        size = self.batch_size if isinstance(self.batch_size, int) else 16
        generated = fast.generate(
            self.model,
            encoded,
            fast.Decoding(most, ended, batch=size, nodes=self.nodes),
            journal=self.journal,
            salt=digest([self.salt, stops, opened]),
        )
        return [self._text(tokens, stops, opened) for tokens in generated]

    def _text(self, tokens: list[int], stops: list[str], opened: str) -> str:
        think = self.think_end_token
        if isinstance(think, int) and think in tokens:
            tokens = tokens[len(tokens) - tokens[::-1].index(think) :]
            return postprocess_generated_text(self.tok_decode(tokens).lstrip(), stops, None)
        if isinstance(think, str):
            return postprocess_generated_text(self.tok_decode(tokens), stops, think)
        thought, answer = self._divided(tokens, opened)
        answer = answer if thought else self.tok_decode(tokens)
        return thought + postprocess_generated_text(answer, stops, None)

    def _divided(self, tokens: list[int], opened: str) -> tuple[str, str]:
        """The thinking at the beginning of an answer with its marks, and the answer proper."""
        text = opened + self.tok_decode(tokens, skip_special_tokens=False)
        end = thinking.end(text)
        return text[:end], text[end:].lstrip() if end else text

    def _end_tokens(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        tokens = configured if isinstance(configured, list) else [configured]
        return {token for token in [*tokens, self.eot_token_id] if token is not None}
