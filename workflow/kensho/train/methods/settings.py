"""Settings of the methods of training, beside their names in a stage."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from kensho.train.targets import Target
from kensho.validation import Count, Rank, Section


class Targeted(Section):
    targets: list[Target] = Field(min_length=1, description="modules that get adapters")


class Quantisable(Targeted):
    nf4: bool = Field(
        False, description="hold the base in NF4 with double quantisation; adapters in float32"
    )
    never: ClassVar[str | None] = None  # why it cannot be

    @field_validator("nf4")
    @classmethod
    def _possible(cls, value: bool) -> bool:
        if value and cls.never:
            raise ValueError(f"{cls.never}; leave nf4 out")
        return value


class Adapters(Targeted):
    rank: Rank
    alpha: Count | None = Field(
        None, description="adapters are weighed by alpha / rank; null for 2 x rank"
    )


class Pairs(Adapters):
    lora_plus: float = Field(
        1.0, ge=1, le=1024, description="learning rate of B, times that of A (LoRA+)"
    )


class Dora(Pairs, Quantisable):
    pass


class RsLora(Pairs, Quantisable):
    alpha: Count = Field(
        8, description="adapters are weighed by alpha / sqrt(rank); 8: as LoRA's at rank 16"
    )


class Pissa(Pairs, Quantisable):
    never = "PiSSA begins with the singular values of the weights as they are"
    iterations: Count | None = Field(
        None, description="of a randomised SVD, about 16; null for the whole one, which is slow"
    )


class AdaLora(Adapters, Quantisable):
    rank: Rank = Field(description="of a module in the end, on average")
    begun_with: Rank | None = Field(None, description="rank at first; null for 1.5 x rank")
    initial: float = Field(0.1, ge=0, lt=1, description="share of the steps before ranks fall")
    final: float = Field(0.3, ge=0, lt=1, description="share of the steps at the final ranks")
    orthogonality: float = Field(
        0.5, ge=0, description="weight of the term that holds P and Q orthogonal, in the loss"
    )

    @model_validator(mode="after")
    def _falling(self):
        if self.initial + self.final >= 1:
            raise ValueError("no step is left in which ranks fall; lower initial or final")
        if self.begun_with is not None and self.begun_with <= self.rank:
            raise ValueError(f"no rank falls to {self.rank}; raise begun_with above it")
        return self


class Vera(Quantisable):
    rank: Rank = Field(256, description="of the matrices that all modules share")


class Ia3(Quantisable):
    never = "PEFT's factors change the dtype of activations that 4-bit layers read"


class Oft(Quantisable):
    block_size: Annotated[Count, Field(ge=2)] = Field(
        32, description="inputs that are turned together; divides the inputs of every module"
    )


class Miss(Quantisable):
    rank: Rank


class PeftClass(Quantisable):
    never = "whether a class of PEFT that is passed through can stand on 4 bits is not known"
    config: str = Field(description="a class of PEFT's configurations, BOFTConfig for instance")
    settings: dict[str, Any] = Field({}, description="of that class, but for its target modules")

    @model_validator(mode="after")
    def _known(self):
        from kensho.train.methods.passed import adapter  # PEFT takes seconds: not without need

        adapter(None, self.targets, config=self.config, settings=self.settings)
        return self
