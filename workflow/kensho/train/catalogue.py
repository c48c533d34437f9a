"""Methods and stages of training: one entry here and one module each.

The code of a method is an object :class:`kensho.train.methods.Method`. The code of a stage is
called with the model that it begins with (:class:`kensho.models.reference.Reference`), its samples,
the folders of its result and its checkpoints, and a :class:`kensho.train.run.Training`; it returns
the steps and a record.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model, model_validator

from kensho.part import Catalogue, Needs, NoSettings, Part
from kensho.train.methods.settings import (
    AdaLora,
    Adapters,
    Dora,
    Ia3,
    Miss,
    Oft,
    Pairs,
    PeftClass,
    Pissa,
    RsLora,
    Vera,
)
from kensho.train.schedule import Scheduler
from kensho.validation import Count, LearningRate, Name, Section, ShareOrNone


def choice(catalogue: Catalogue, key: str) -> Any:
    """A setting that names one part by ``key`` and holds that part's settings beside it."""
    tags: dict[str, dict[str, Any]] = {name: {key: (Literal[name], ...)} for name in catalogue}
    models = [
        create_model(f"{catalogue.kind.title()}_{name}", __base__=part.settings, **tags[name])
        for name, part in catalogue.items()
    ]
    return Annotated[Union[*models], Field(discriminator=key)] if models[1:] else models[0]


Rule = Literal["chrf", "japanese", "ended"]  # of a reward, kensho.train.rewards


METHODS = Catalogue(
    "method",
    (
        Part(
            name="full",
            title="every weight is trained",
            code="kensho.train.methods.full:METHOD",
            settings=NoSettings,
        ),
        Part(
            name="lora",
            title="low-rank adapters",
            code="kensho.train.methods.lora:METHOD",
            settings=Pairs,
        ),
        Part(
            name="rslora",
            title="low-rank adapters that weigh alpha / sqrt(rank)",
            code="kensho.train.methods.lora:RSLORA",
            settings=RsLora,
        ),
        Part(
            name="dora",
            title="low-rank adapters of direction, and a length for each row",
            code="kensho.train.methods.lora:DORA",
            settings=Dora,
        ),
        Part(
            name="qlora",
            title="low-rank adapters in bfloat16 over a base in NF4",
            code="kensho.train.methods.qlora:METHOD",
            settings=Pairs,
        ),
        Part(
            name="pissa",
            title="low-rank adapters that begin with the largest singular values",
            code="kensho.train.methods.pissa:METHOD",
            settings=Pissa,
        ),
        Part(
            name="adalora",
            title="ranks that fall to a budget where they matter least",
            code="kensho.train.methods.adalora:METHOD",
            settings=AdaLora,
        ),
        Part(
            name="vera",
            title="two vectors a module beside random matrices that all share",
            code="kensho.train.methods.vera:METHOD",
            settings=Vera,
        ),
        Part(
            name="oft",
            title="inputs turned in blocks",
            code="kensho.train.methods.others:OFT",
            settings=Oft,
        ),
        Part(
            name="miss",
            title="one matrix for all shards of the input",
            code="kensho.train.methods.others:MISS",
            settings=Miss,
        ),
        Part(
            name="ia3",
            title="a factor for each activation",
            code="kensho.train.methods.others:IA3",
            settings=Ia3,
        ),
        Part(
            name="peft",
            title="any other class of PEFT, by its name",
            code="kensho.train.methods.passed:METHOD",
            settings=PeftClass,
        ),
    ),
)


if needy := [name for name, part in METHODS.items() if part.needs != Needs()]:
    raise ValueError(
        f"method '{needy[0]}': needs are those of the stage that trains; leave them out"
    )

if TYPE_CHECKING:
    Method = Adapters | NoSettings
else:
    Method = choice(METHODS, "name")


class Read(Section):
    corpus: Literal["original", "augmented"] = "original"
    samples: Count | None = Field(None, description="the first so many of the corpus; null for all")

    @model_validator(mode="after")
    def _hold_variants(self):
        if self.samples is not None and self.corpus == "augmented":
            raise ValueError("samples: the augmented corpus begins with originals; leave it out")
        return self


def _of_one_source(own: Any) -> Any:
    if own.mixture is not None and own.corpus == "augmented":
        raise ValueError("mixture: it is read in the place of the corpus; leave corpus out")
    return own


class Texts(Read):
    mixture: Name | None = Field(
        None,
        description="mixture of config/corpora.yaml (in corpora.make); null for the corpus's "
        "Japanese sentences",
    )

    @model_validator(mode="after")
    def _of_one_source(self):
        return _of_one_source(self)


class Tuned(Read):
    learning_rate: LearningRate = 1e-3
    batch_size: Count | None = Field(None, description="samples at once; null for the common one")
    accumulation: Count = Field(1, description="batches of one step")
    steps: Annotated[int, Field(ge=3, le=1_000_000)] | None = Field(
        None, description="optimiser steps of a recipe's stage; null for train.steps"
    )
    max_length: Count | None = Field(
        None, description="tokens per sample; null for train.max_length"
    )
    checkpointing: bool = Field(
        False, description="compute activations again for the gradient instead of keeping them"
    )
    scheduler: Scheduler = Field(
        "linear", description="how the rate falls after warm-up, to nought or not at all"
    )
    warm_up: ShareOrNone = Field(0.1, description="share of the steps in which the rate grows")
    weight_decay: ShareOrNone = Field(
        0.0, description="AdamW's, of matrices; few steps forget little"
    )
    method: Method


class Packed(Tuned):
    packing: bool = Field(
        True, description="no padding, attention stays in each row; padded where a model is unfit"
    )


class Sft(Packed):
    mixture: Name | None = Field(
        None,
        description="mixture of config/corpora.yaml (in corpora.make), of pairs or of dialogues; "
        "null for the corpus's pairs",
    )
    learned: Literal["completions", "all"] = Field(
        "completions", description="tokens with loss; a prompt is given, not to be foretold"
    )
    directions: Literal["en-ja", "ja-en", "both"] = Field(
        "en-ja", description="of translation; both: each pair is two samples"
    )
    turns: Literal["as evaluated", "plain", "chat"] = Field(
        "as evaluated",
        description="chat: a prompt is a user's turn of the chat template; as evaluated: where the "
        "model is asked so (config/models.yaml)",
    )
    context: Annotated[int, Field(ge=0, le=100)] = Field(
        0,
        description="samples before a prompt, as many as fit and do not hold its answer, or "
        "earlier exchanges of its dialogue; learned only where all is",
    )

    @model_validator(mode="after")
    def _of_one_source(self):
        return _of_one_source(self)


class Cpt(Texts, Packed):
    learning_rate: LearningRate = 2e-4
    blocks: bool = Field(
        False,
        description="fill rows of max_length with several documents, kept apart by attention; "
        "false: one document a row",
    )


class Expand(Texts):
    pieces: Count = Field(4_000, description="Japanese tokens added (R-2; Swallow adds 11,176)")


class Quantise(Section):
    format: Literal["q8_0", "q4_k_m"] = Field(
        "q8_0", description="of GGUF; q4_k_m needs rows that 256 divides"
    )


class Dpo(Tuned):
    corpus: Literal["original"] = Field(
        "original", description="its Japanese side is preferred; what was made of it is not"
    )
    learning_rate: LearningRate = 1e-4
    beta: Annotated[float, Field(gt=0, le=10)] = Field(
        0.1, description="how dearly leaving the reference, the stage before, is paid"
    )
    rejected: Literal["neighbour", "eda", "own"] = Field(
        "neighbour",
        description="the side that is not preferred: another sample's translation, one damaged by "
        "EDA, or one that the model samples at the stage before",
    )


class Grpo(Tuned):
    corpus: Literal["original"] = Field(
        "original", description="its Japanese side is the reference"
    )
    learning_rate: LearningRate = 1e-4
    group: Annotated[int, Field(ge=2, le=1024)] = Field(
        4, description="answers to a prompt; batch_size counts answers"
    )
    new_tokens: Count = Field(48, description="of an answer; with its prompt at most max_length")
    beta: Annotated[float, Field(ge=0, le=10)] = Field(
        0.04, description="weight of the divergence from the stage before; 0 spares its copy"
    )
    rewards: dict[Rule, float] = Field(
        {"chrf": 1.0}, description="weights of rules (docs/stages.md)", min_length=1
    )


@dataclass(frozen=True, kw_only=True)
class Stage(Part):
    """A stage.

    ``data`` says what its samples are, ``begins`` what its model must be, if that matters.
    """

    data: Literal["pairs", "texts", "preferences", "nothing"]
    begins: Literal["any", "adapters", "whole"] = "any"


TRAINED = Needs(cores="all", accelerator=True, memory_mb=8000, minutes=60)
STAGES = Catalogue(
    "stage",
    (
        Stage(
            name="sft",
            title="supervised fine-tuning on prompts and completions",
            code="kensho.train.sft:stage",
            settings=Sft,
            data="pairs",
            needs=TRAINED,
        ),
        Stage(
            name="cpt",
            title="continual pre-training on plain text",
            code="kensho.train.cpt:stage",
            settings=Cpt,
            data="texts",
            needs=TRAINED,
        ),
        Stage(
            name="dpo",
            title="direct preference optimisation against the stage before",
            code="kensho.train.dpo:stage",
            settings=Dpo,
            data="preferences",
            needs=TRAINED,
        ),
        Stage(
            name="grpo",
            title="group relative policy optimisation on rewards by rule",
            code="kensho.train.grpo:stage",
            settings=Grpo,
            data="pairs",
            needs=TRAINED,
        ),
        Stage(
            name="expand",
            title="Japanese tokens join the vocabulary, their embeddings means of old ones",
            code="kensho.train.expand:stage",
            settings=Expand,
            data="texts",
            begins="whole",
            needs=Needs(cores="all", memory_mb=8000, minutes=30),
        ),
        Stage(
            name="merge",
            title="adapters become part of the weights, in float32",
            code="kensho.train.merge:stage",
            data="nothing",
            begins="adapters",
            needs=Needs(cores="all", accelerator=True, memory_mb=8000, minutes=30),
        ),
        Stage(
            name="quantise",
            title="weights in a format of llama.cpp (GGUF), and what these hold",
            code="kensho.train.quantise:stage",
            settings=Quantise,
            data="nothing",
            begins="whole",
            needs=Needs(cores="all", memory_mb=8000, minutes=30),
        ),
    ),
)
