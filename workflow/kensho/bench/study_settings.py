"""Settings of the studies: those of the section `bench` that train models or classifiers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from kensho.augment.catalogue import TECHNIQUES
from kensho.bench.serving_arms import OPTIONS
from kensho.bench.settings import Blocks, Counts
from kensho.validation import (
    Count,
    LearningRate,
    Name,
    Rank,
    Seconds,
    Section,
    Seed,
    Steps,
)

Seeds = Annotated[list[Seed], Field(min_length=1)]


if TYPE_CHECKING:
    Technique = str
else:
    Technique = Literal[tuple(TECHNIQUES)]
Techniques = Annotated[list[Technique], Field(min_length=1)]


class Study(Section):
    """Of F-4: what is added to how many originals."""

    techniques: Techniques = Field(
        ["eda", "synonyms", "bunsetsu"], description="an arm of each, and one of all (combined)"
    )
    added: Count = Field(2, description="rows that come to each original (F-6: 15,000 to 45,000)")


StudyTask = Literal["keico", "jnli", "jcola-train"]


class AugmentationFeatures(Study):
    techniques: Techniques = Field(
        ["eda", "synonyms", "bunsetsu", "syntax", "politeness"],
        description="an arm of each where it leaves labels true, and one of all (combined)",
    )
    tasks: Annotated[list[StudyTask], Field(min_length=1)] = Field(
        ["keico", "jnli", "jcola-train"],
        description="sources of labelled items (F-4); those that are not at hand are left out",
    )
    sizes: Counts = Field([100, 500, 2000], description="originals")
    seeds: Blocks = Field(20, description="replicates: originals, and test items of their own")
    tested: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.4, description="share of the items that seeds test on; the others are the pool"
    )

    def of_task(self, task: str) -> list[str]:
        """Techniques that leave a task's labels true."""
        return [name for name in self.techniques if task not in TECHNIQUES[name].relabelled]

    def tried(self, tasks: Sequence[str]) -> list[str]:
        """Techniques that leave the labels of one of these tasks true."""
        return [name for name in self.techniques if any(name in self.of_task(t) for t in tasks)]

    @model_validator(mode="after")
    def _labels_stay(self) -> Self:
        for task in self.tasks:
            if not self.of_task(task):
                raise ValueError(
                    f"techniques: each of them changes what {task}'s labels state; add another, or "
                    "leave the task out"
                )
        return self


class AugmentationTraining(Study):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    arms: list[Literal[("none", "repeat", "combined", "pivot", "more-data", *TECHNIQUES)]] = Field(  # type: ignore[valid-type]
        ["none", "repeat", "eda", "combined"], description="controls and techniques", min_length=2
    )
    sizes: Counts = Field([100], description="originals")
    pool: Count = Field(2000, description="training samples that originals are drawn from")
    items: Count = Field(48, description="held-out sentences scored for NLL per character")
    translated: Count = Field(24, description="of them, translated for chrF")
    max_new_tokens: Count = Field(64, description="at most, of a translation")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        [1, 2, 3, 4, 5], description="replicates: originals, adapter and order (F-4)"
    )
    rank: Rank = 8
    learning_rate: LearningRate = 2e-3
    steps: Steps = Field(13, description="optimiser steps, equal for all arms")
    batch_size: Count = 8
    max_length: Count = Field(96, description="tokens per sample; longer samples are cut")

    @model_validator(mode="after")
    def _arms_are_made(self) -> Self:
        lacking = {*self.arms} & {*TECHNIQUES} - {*self.techniques}
        if lacking:
            raise ValueError(f"arms: '{min(lacking)}' is none of its techniques; add it there")
        if self.translated > self.items:
            raise ValueError(f"translated: {self.translated} of {self.items} items; lower it")
        return self


class Learning(Section):
    """What the studies of training share."""

    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    items: Count = Field(48, description="held-out sentences scored for NLL per character")
    learning_rate: LearningRate = 2e-3
    batch_size: Count = 8
    max_length: Count = Field(96, description="tokens per sample; longer samples are cut")


class Seeded(Learning):
    seeds: Seeds = Field([1, 2, 3], description="replicates: samples, their order and adapters")


class TrainingScale(Seeded):
    rank: Rank = 8
    unit: Count = Field(40, description="samples of the first of five doses (C-1: 1,000)")
    epochs: Count = Field(1, description="how often each sample is seen, at every dose")


class Ranks(Seeded):
    steps: Steps = Field(10, description="optimiser steps, equal for all ranks (F-7)")


class Dialogues(Section):
    turns: Count = Field(3, description="turns ahead of the one that is learnt or asked")
    max_characters: Count = Field(90, description="of a turn with those ahead of it; others go")


class RanksDialogue(Ranks, Dialogues):
    steps: Steps = Field(8, description="optimiser steps, equal for all ranks (F-7)")
    batch_size: Count = 4
    items: Count = Field(24, description="held-out turns scored for NLL per character")
    max_length: Count = Field(256, description="tokens per sample; longer samples are cut")


class Adapters(Seeded):
    sizes: Counts = Field([16, 64], description="samples; the last one is judged (R-5)")
    full_learning_rate: LearningRate = Field(2e-4, description="where every weight is trained")


class Rates(Seeded):
    samples: Count = Field(40, description="of each learning rate and alpha, seen once (R-5)")


class Replay(Seeded):
    rank: Rank = 8
    steps: Steps = Field(16, description="optimiser steps, equal for all shares of English")
    full_learning_rate: LearningRate = Field(2e-4, description="where every weight is trained")


class Continual(Seeded):
    rank: Rank = 8
    steps: Steps = Field(10, description="optimiser steps of each of the two tasks")
    osf_learning_rate: LearningRate = Field(2e-4, description="of weights in their own subspace")


class Regret(Section):
    """The choice's batch, rank and learning rate are the strategy's."""

    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    task: Literal["standard", "complex"] = Field("standard", description="as strategy.task")
    items: Count = Field(32, description="held-out sentences that judge; as many select the best")
    samples: Count = Field(160, description="of each training, seen once")
    ranks: Annotated[list[Rank], Field(min_length=1)] = Field(
        [4, 16, 64], description="of the grid"
    )
    learning_rates: Annotated[list[LearningRate], Field(min_length=1)] = Field(
        [2e-4, 1e-3, 5e-3], description="of the grid"
    )
    max_length: Count = Field(96, description="tokens per sample; longer samples are cut")
    seeds: Seeds = Field([1, 2, 3], description="replicates: order of the samples and adapters")


class Persona(Learning, Dialogues):
    rank: Rank = 8
    speakers: Annotated[int, Field(ge=2, le=1000)] = Field(6, description="adapters; the units")
    steps: Steps = Field(8, description="optimiser steps of each adapter")
    batch_size: Count = 4
    items: Count = Field(16, description="held-out turns of each speaker")
    max_length: Count = Field(256, description="tokens per sample; longer samples are cut")


class Serving(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    draft: Name | None = Field(
        None,
        description="a smaller model of the same vocabulary, which the arm draft speculates by",
    )
    arms: Annotated[list[Literal[tuple(OPTIONS)]], Field(min_length=1)] = Field(  # type: ignore[valid-type]
        [*OPTIONS], description="what a device cannot serve ends with its reason"
    )
    requests: Count = Field(24, description="of each load, English and Japanese in turns")
    prompt_tokens: Count = 64
    new_tokens: Annotated[Count, Field(ge=2)] = Field(16, description="of each answer, greedy")
    batches: Counts = Field([8], description="requests that are sent at once")
    rates: Annotated[list[Annotated[float, Field(gt=0, le=10_000)]], Field(min_length=1)] = Field(
        [1, 4], description="users who arrive in a second, on average"
    )
    shared_tokens: Count = Field(
        256,
        description="that prompts of the load shared begin with; vLLM caches blocks (128 tokens)",
    )
    contexts: Annotated[list[Annotated[Count, Field(ge=32)]], Field(min_length=1)] = Field(
        [1024, 8192], description="tokens of prompt and answer, up to the model's limit"
    )
    timeout_s: Seconds = Field(600, description="of one request")
    rounds: Blocks = Field(2, description="servers of each arm, one after another")

    @model_validator(mode="after")
    def _contexts_hold_prompts(self) -> Self:
        if (least := min(self.contexts)) <= self.new_tokens:
            raise ValueError(
                f"contexts: {least} hold no prompt of {self.new_tokens} new tokens; raise it"
            )
        return self
