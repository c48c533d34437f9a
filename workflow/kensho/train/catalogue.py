"""Methods and stages of training: one entry here and one module each.

The code of a method is an object :class:`kensho.train.methods.Method`. The code of a stage is
called with the model that it begins with (:class:`kensho.models.reference.Reference`), its samples,
the folders of its result and its checkpoints, and a :class:`kensho.train.run.Training`; it returns
the steps and a record.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, create_model

from kensho.part import Catalogue, Needs, NoSettings, Part
from kensho.train.targets import Target
from kensho.validation import Count, LearningRate, Name, Rank, Section


def choice(catalogue: Catalogue, key: str) -> Any:
    """A setting that names one part by ``key`` and holds that part's settings beside it."""
    tags: dict[str, dict[str, Any]] = {name: {key: (Literal[name], ...)} for name in catalogue}
    models = [
        create_model(f"{catalogue.kind.title()}_{name}", __base__=part.settings, **tags[name])
        for name, part in catalogue.items()
    ]
    return Annotated[Union[*models], Field(discriminator=key)] if models[1:] else models[0]


class Adapters(Section):
    rank: Rank
    targets: list[Target] = Field(min_length=1, description="modules that get adapters")


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
            settings=Adapters,
        ),
        Part(
            name="qlora",
            title="low-rank adapters over a base in NF4",
            code="kensho.train.methods.qlora:METHOD",
            settings=Adapters,
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


class Tuned(Section):
    corpus: Literal["original", "augmented"] = "original"
    samples: Count | None = Field(None, description="the first so many of the corpus; null for all")
    learning_rate: LearningRate = 1e-3
    batch_size: Count | None = Field(None, description="samples at once; null for the common one")
    accumulation: Count = Field(1, description="batches of one step")
    checkpointing: bool = Field(
        False, description="compute activations again for the gradient instead of keeping them"
    )
    method: Method


class Sft(Tuned):
    directions: Literal["en-ja", "ja-en", "both"] = Field(
        "en-ja", description="of translation; both: each pair is two samples"
    )
    turns: Literal["as evaluated", "plain", "chat"] = Field(
        "as evaluated",
        description="chat: a prompt is a user's turn of the chat template; as evaluated: where the "
        "model is asked so (config/models.yaml)",
    )
    context: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="samples before a prompt, as many as fit, read but not learned"
    )


class Cpt(Tuned):
    learning_rate: LearningRate = 2e-4
    mixture: Name | None = Field(
        None,
        description="mixture of config/corpora.yaml (in corpora.make); null for the corpus's "
        "Japanese sentences",
    )
    packing: bool = Field(
        False,
        description="fill rows of max_length with several documents, kept apart by attention; "
        "false: one document a row",
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


@dataclass(frozen=True, kw_only=True)
class Stage(Part):
    """A stage; ``data`` says what its samples are, "nothing" where it trains nothing."""

    data: Literal["pairs", "texts", "preferences", "nothing"]


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
            name="merge",
            title="adapters become part of the weights, in float32",
            code="kensho.train.merge:stage",
            data="nothing",
            needs=Needs(cores="all", accelerator=True, memory_mb=8000, minutes=30),
        ),
    ),
)
