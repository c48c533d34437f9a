"""Settings of judging: the section `judging` of the configuration."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kensho.jlce.chat import unfit
from kensho.validation import Count, Name, Section

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _variable(name: str) -> str:
    if not re.fullmatch(VARIABLE, name):  # it may be the key itself, so it is not shown
        raise ValueError("not the name of an environment variable; export the key in one")
    return name


Variable = Annotated[str, AfterValidator(_variable)]


class Address(Section):
    """An OpenAI-compatible endpoint that judges."""

    url: str = Field(
        description="base URL of an OpenAI-compatible endpoint, usually ending in /v1",
        pattern=r"^https?://[^\s@?#]+$",
    )
    model: Annotated[str, Field(min_length=1)]
    key_variable: Variable | None = Field(
        None,
        description="name of the environment variable that holds the API key",
        json_schema_extra={"pattern": VARIABLE},
    )
    max_tokens: Count = Field(1024, description="of one verdict with its reasons")
    timeout: Count = Field(120, description="seconds without a byte of the reply")
    parallel: Count = Field(4, description="requests at a time")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if why := unfit(self.url, self.key_variable):
            raise ValueError(f"url: {why}")
        return self


class NamedJudge(Address):
    name: Name = Field(description="as observations and files name it")


Question = Literal["elyza-tasks-100", "rakuda", "tengu-bench", "ja-mt-bench"]


File = Annotated[str, Field(min_length=1)]


class Judging(Section):
    before: Name = Field("base", description="arm of the evaluation that the claims begin with")
    after: Name | None = Field(
        None, description="arm that is compared with it; null for the first of train.arms"
    )
    anchors: list[Name] | None = Field(
        None,
        description="the fixed set: arms whose translations both are compared with (D-2, D-3); "
        "null for evaluate.references",
    )
    judges: list[NamedJudge] = Field([], description="models that judge; none: D-2 to D-5 wait")
    items: Count = Field(20, description="sentences and dialogue turns of each direction")
    questions: Count = Field(10, description="of each set of open questions")
    context: Annotated[int, Field(ge=0, le=20)] = Field(
        4, description="earlier turns, with their translations, before a turn of a dialogue"
    )
    sets: list[Question] = Field(
        ["elyza-tasks-100", "rakuda", "tengu-bench", "ja-mt-bench"],
        description="open questions (D-5), asked where they are at hand and accepted",
    )
    llm_jp_eval: File | None = Field(
        None, description="folder of alt-e-to-j.json, ... as llm-jp-eval prepares them (D-1)"
    )
    comet: File | None = Field(
        None, description="CSV of COMET scores of the very answers of a run (docs/judging.md)"
    )
    instructions: dict[Literal["en-ja", "ja-en"], str] = Field(
        {}, description="system prompts of models with a chat template, by direction"
    )
    batch_size: Count = Field(16, description="answers written at once")
    max_new_tokens: Count = Field(64, description="of a translation")
    max_answer_tokens: Count = Field(256, description="of an answer to an open question")
    planted_right: Annotated[float, Field(ge=0.5, le=1)] = Field(
        0.8, description="of planted pairs that a judge must get right, in both orders"
    )
    most_missing: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.05, description="of the items a judge is asked about, lacking one of its verdicts"
    )
