"""``lm_eval --model kensho``: lm-evaluation-harness's transformers backend, on prefix trees.

Importing this module registers the model. Arguments are those of ``hf`` (``pretrained``, ``peft``,
``dtype``, ``batch_size``, ...) and ``nodes``, the tokens that one pass reads beside the shared
beginning, and ``journal``, a file from which an interrupted run goes on.
"""

import sys
from pathlib import Path
from typing import Any

from lm_eval.api.registry import register_model

from kensho.evaluate.greedy import Decoding
from kensho.evaluate.journal import Journal, digest
from kensho.evaluate.lm import Backend
from kensho.jlce import fast
from kensho.models.loading import probe_logits

NODES = {"cpu": 512, "cuda": 4096}


@register_model("kensho")
class KenshoLM(Backend):
    """The same scores and greedy answers as :class:`Backend`, from fewer operations.

    Sampling, beam search and models that are not causal go the way of ``hf``. Architectures that
    prefix trees are not made for are read without them and without a journal, as one line says.
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
        self.unfit = fast.unfit(self.model)
        self.own = self.backend == "causal" and not self.unfit
        if self.unfit:
            print(f"{self.unfit}: answers are the same, and slower", file=sys.stderr)

    @property
    def engine(self) -> dict[str, Any]:
        return {**super().engine, "reads": self.unfit or "shared beginnings once"}

    def _likelihoods(self, parts: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        return fast.loglikelihoods(
            self.model, parts, nodes=self.nodes, journal=self.journal, salt=self.salt
        )

    def _continue(
        self, contexts: list[list[int]], decoding: Decoding, salt: list
    ) -> list[list[int]]:
        if self.unfit:
            return super()._continue(contexts, decoding, salt)
        salted = digest([self.salt, *salt])
        return fast.generate(self.model, contexts, decoding, journal=self.journal, salt=salted)
