"""Settings of the study of adapted models: the section `domain` of the configuration."""

from typing import Self

from pydantic import Field, model_validator

from kensho.validation import Count, LearningRate, Name, Rank, Section, Steps


class Domain(Section):
    swallow: Name | None = Field(
        "gemma-3-270m", description="in the place of the source's Swallow-8B; null for none"
    )
    elyza: Name | None = Field(None, description="in the place of ELYZA-JP-8B; null for none")
    qwen: Name | None = Field(
        "smollm2-135m-instruct", description="in the place of Qwen2.5-7B; null for none"
    )
    crossed: list[Name] = Field(
        [], description="further models, with attention of other kinds (C-3.attention)"
    )
    steps: Steps = Field(10, description="optimiser steps, equal for all models (C-2)")
    learning_rate: LearningRate = 2e-3
    rank: Rank = 8
    batch_size: Count = 8
    max_length: Count = Field(96, description="tokens per sample; longer samples are cut")
    items: Count = Field(40, description="held-out sentences that each of them translates")
    max_new_tokens: Count = Field(32, description="at most, of an answer")

    @model_validator(mode="after")
    def _once(self) -> Self:
        named = [self.swallow, self.elyza, self.qwen, *self.crossed]
        for name in self.crossed:
            if (times := named.count(name)) > 1:
                raise ValueError(f"crossed: '{name}' stands in {times} places; name it once")
        return self
