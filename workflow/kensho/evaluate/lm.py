"""lm-evaluation-harness's transformers backend, for models that think or converse too."""

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from kensho.evaluate import greedy, thinking
from kensho.models.encoding import encode, render
from kensho.models.loading import decode_plainly


class Backend(HFLM):
    """Scores and greedy answers as ``hf`` gives them where a model decodes without penalties.

    But for system prompts (:func:`kensho.models.encoding.render`), and for thinking
    (:mod:`kensho.evaluate.thinking`), whoever opened it: a stop sequence within it ends no answer,
    as the first line of a thought would, and the answer shows a mark that the prompt has opened.
    """

    nodes = 0
    own = False  # whether likelihoods are read by _likelihoods, not by the harness
    closes = False  # whether thinking that a prompt opens is closed before what is scored

    def __init__(self, *args, **settings) -> None:
        super().__init__(*args, **settings)
        if self.backend == "causal":
            decode_plainly(self.model)

    @property
    def engine(self) -> dict[str, Any]:
        """What computes, as conditions say it."""
        return {"name": "transformers"}

    def ask_together(self, size: int) -> None:
        """So many items in a batch from now on."""
        self.batch_size_per_gpu = size

    def release(self) -> None:
        """Let go of the model: the next one needs its memory."""
        self._model = None

    def tok_encode(self, string, add_special_tokens=None, left_truncate_len=None, **settings):
        if add_special_tokens is not None or self.add_bos_token is not None:
            return super().tok_encode(string, add_special_tokens, left_truncate_len, **settings)
        return encode(self.tokenizer, string)[-(left_truncate_len or 0) :]

    def tok_batch_encode(
        self, strings, padding_side="left", left_truncate_len=None, truncation=False
    ):
        if truncation or self.add_bos_token is not None:
            return super().tok_batch_encode(strings, padding_side, left_truncate_len, truncation)
        rows = [{"input_ids": self.tok_encode(string)} for string in strings]
        batch = self.tokenizer.pad(rows, padding_side=padding_side, return_tensors="pt")
        kept = slice(-(left_truncate_len or 0), None)
        return batch["input_ids"][:, kept], batch["attention_mask"][:, kept]

    def _encode_pair(self, context, continuation):
        if self.closes and (mark := thinking.opened(context)):
            context = f"{context}{thinking.closing(mark)}\n\n"
        return super()._encode_pair(context, continuation)

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return render(
            self.tokenizer,
            chat_history,
            answering=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
            **self.chat_template_args,
        )

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        answers: dict[int, str] = {}
        groups: dict[tuple[str, str], list[int]] = {}
        for place, request in enumerate(requests):
            key = repr(request.args[1]), thinking.opened(request.args[0])
            groups.setdefault(key, []).append(place)
        for (_, opened), places in groups.items():
            chosen = [requests[place] for place in places]
            kwargs = normalize_gen_kwargs(chosen[0].args[1], self.max_gen_toks)
            if self._plain(kwargs):
                texts = self._greedy([r.args[0] for r in chosen], kwargs, opened)
                for request, text in zip(chosen, texts, strict=True):
                    self.cache_hook.add_partial("generate_until", request.args, text)
            else:
                texts = super().generate_until(chosen, disable_tqdm=disable_tqdm)
            answers |= dict(zip(places, texts, strict=True))
        return [answers[place] for place in range(len(requests))]

    def _loglikelihood_tokens(
        self,
        requests: list[tuple[tuple[str, str] | None, list[int], list[int]]],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        if not self.own:
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        parts = []
        for _, context, continuation in requests:
            if not 0 < len(continuation) <= self.max_length:
                most = self.max_length
                raise ValueError(
                    f"a text of {len(continuation)} tokens to score, where 1 to {most} can be: "
                    "change the item"
                )
            kept = (context + continuation)[-(self.max_length + 1) :]
            parts.append((kept[: -len(continuation)], continuation))
        scored = self._likelihoods(parts)
        for (strings, _, _), answer in zip(requests, scored, strict=True):
            if strings is not None:  # parts of a rolling likelihood are not stored
                self.cache_hook.add_partial("loglikelihood", strings, answer)
        return scored

    def _likelihoods(self, parts: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        """Of each (context, continuation): log-likelihood, and whether it is the greedy one."""
        raise NotImplementedError

    def _plain(self, kwargs: dict) -> bool:
        """Whether answers are greedy ones of a causal model, without further settings."""
        known = set(kwargs) <= {"until", "max_gen_toks", "do_sample", "temperature"}
        return known and not kwargs.get("do_sample") and self.backend == "causal"

    def _continue(
        self, contexts: list[list[int]], decoding: greedy.Decoding, salt: list
    ) -> list[list[int]]:
        """Answers in tokens; ``salt`` is what they depend on besides contexts and length."""
        padding = self.tokenizer.pad_token_id
        return greedy.generate(self.model, contexts, decoding, padding=padding)

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
        decoding = greedy.Decoding(most, ended, batch=size, nodes=self.nodes)
        generated = self._continue(encoded, decoding, [stops, opened])
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
