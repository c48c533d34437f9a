"""What techniques by a model share: whom they ask, the one-line answers, and which are unfit.

A causal model is shown worked examples; an instruct model sees them as turns of its chat template;
a model of the kind sequence-to-sequence gets the text alone. Answers are greedy and in float32.
Texts are asked once each and in an order of their own, so that the order of the rows changes
nothing; what else stands in a batch moves scores by float32's rounding alone.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from kensho.augment import hash_order
from kensho.evaluate import greedy
from kensho.evaluate.greedy import Decoding
from kensho.jlce import fast
from kensho.models.encoding import encode, render
from kensho.models.loading import decode_plainly, family, tokenizer_of, weights
from kensho.models.reference import base

JAPANESE = re.compile(r"[ぁ-ゖァ-ヺー々一-鿿]")
KANA = re.compile(r"[ぁ-ゖァ-ヺ]")
LATIN = re.compile(r"[A-Za-z]")
NODES = 1024  # tokens beside the shared beginning that are read at once
LANGUAGES = {"ja": "Japanese", "en": "English", "zh": "Chinese"}
LABELS = {"ja": "日本語", "en": "英語", "zh": "中国語"}


class Answer(NamedTuple):
    """One line; ``whole`` says whether the model ended it within the tokens that it may write."""

    text: str
    whole: bool


class Examples(NamedTuple):
    """Worked examples (asked, answered) with the labels of both sides."""

    asked: str
    answered: str
    pairs: Sequence[tuple[str, str]]

    def plain(self, text: str) -> str:
        """Prompt of a model that continues text."""
        shown = (f"{self.asked}: {x}\n{self.answered}: {y}\n\n" for x, y in self.pairs)
        return "".join(shown) + f"{self.asked}: {text}\n{self.answered}:"

    def turns(self, text: str) -> list[dict[str, str]]:
        """The same as a conversation."""
        turns = [(f"{self.asked}: {x}\n{self.answered}:", y) for x, y in self.pairs]
        examples = [
            {"role": role, "content": content}
            for turn in turns
            for role, content in zip(("user", "assistant"), turn, strict=True)
        ]
        return [*examples, {"role": "user", "content": f"{self.asked}: {text}\n{self.answered}:"}]


class Asked:
    """The model of a file of results/models, in float32, and how it is asked."""

    def __init__(self, path: Path, *, max_new_tokens: int, batch: int):
        about = base(path)
        self.name, self.chat, self.folder = about.name, about.chat, about.folder
        self.most, self.batch = max_new_tokens, batch
        self.family = family(self.folder)
        self.tokenizer = tokenizer_of(self.folder)
        self.model = weights(self.folder, torch.float32, family=self.family).eval()
        if self.family == "causal":
            decode_plainly(self.model)

    def answers(self, texts: Sequence[str], examples: Examples) -> list[Answer]:
        """A line for each text, in their order.

        Raises ValueError for a model that writes nothing.
        """
        if self.family == "masked":
            raise ValueError(f"{self.name} fills gaps and writes no text; name a causal model")
        write = self._translated if self.family == "seq2seq" else self._continued
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        answer = dict(zip(distinct, write(distinct, examples), strict=True))
        return [answer[text] for text in texts]

    def _continued(self, texts: Sequence[str], examples: Examples) -> list[Answer]:
        if self.chat:
            prompts = [render(self.tokenizer, examples.turns(text)) for text in texts]
        else:
            prompts = [examples.plain(text) for text in texts]
        contexts = [encode(self.tokenizer, prompt) for prompt in prompts]
        decoding = Decoding(self.most, self._ended, batch=self.batch, nodes=NODES)
        if fast.unfit(self.model) is None:
            written = fast.generate(self.model, contexts, decoding)
        else:
            padding = self.tokenizer.pad_token_id
            written = greedy.generate(self.model, contexts, decoding, padding=padding)
        return [self._line(tokens) for tokens in written]

    def _ended(self, tokens: list[int]) -> bool:
        """At an end token, or at a newline behind text.

        One token is decoded at a time: to search the whole answer for the string each time, as
        transformers' stop_strings does, is slow with large vocabularies.
        """
        if tokens[-1] in self._ends:
            return True
        return "\n" in self._text(tokens[-1:]) and bool(self._text(tokens).strip())

    @cached_property
    def _ends(self) -> set[int]:
        own = self.model.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])}

    def _text(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _line(self, tokens: list[int]) -> Answer:
        text = self._text(tokens).strip()
        return Answer(text.partition("\n")[0].strip(), self._ended(tokens))

    @torch.inference_mode()
    def _translated(self, texts: Sequence[str], _: Examples) -> list[Answer]:
        encoded = [self.tokenizer(text)["input_ids"] for text in texts]
        order = sorted(range(len(texts)), key=lambda i: (len(encoded[i]), encoded[i]))
        answers: dict[int, Answer] = {}
        for first in range(0, len(order), self.batch):
            rows = order[first : first + self.batch]
            padded = self.tokenizer.pad(
                {"input_ids": [encoded[i] for i in rows]}, return_tensors="pt"
            )
            written = self.model.generate(
                input_ids=padded["input_ids"].to(self.model.device),
                attention_mask=padded["attention_mask"].to(self.model.device),
                max_new_tokens=self.most,
                num_beams=1,
                do_sample=False,
            )
            for row, tokens in zip(rows, written[:, 1:].tolist(), strict=True):
                text = self._text(tokens).strip()
                answers[row] = Answer(text, not self._ends.isdisjoint(tokens))
        return [answers[place] for place in range(len(texts))]


def drawn(samples: pd.DataFrame, technique: str, *, seed: int, most: int) -> pd.DataFrame:
    """At most so many of the samples, by a hash of their ids; in their own order."""
    taken = hash_order(seed, technique, samples["id"])[:most]
    return samples.iloc[sorted(taken)]


def unfit(answer: Answer, parent: str, language: str = "ja") -> str:
    """Why an answer is no sentence that could stand for its parent, "" where it may be one."""
    text = answer.text
    japanese, latin = len(JAPANESE.findall(text)), len(LATIN.findall(text))
    in_language = {
        "ja": bool(KANA.search(text)) and japanese >= latin,
        "en": latin > 0 and not japanese,
        "zh": japanese > latin and not KANA.search(text),
    }
    if not text:
        return "empty"
    if not answer.whole:
        return "unfinished"
    if not in_language[language]:
        return f"not {LANGUAGES[language]}"
    if language == "ja" and len(text) > 2 * len(parent) + 10:
        return "too long"
    return ""
