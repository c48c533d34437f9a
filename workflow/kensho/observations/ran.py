"""What ran to make observations: the facts from which their tier is derived."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kensho.fallback import Tier


class Record(BaseModel):
    """What jobs write for others to read: unknown keys, wrong types and NaN are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Model(Record):
    """A model that ran, or the base of one that was trained."""

    name: str
    weights: Literal["own", "other", "random", "twin"] = Field(
        description="own: those of the locked revision, by sha256; other: converted, expanded, ..."
    )
    hub: str | None = Field(None, description="repository whose model or dimensions it is")
    revision: str | None = Field(None, description="locked commit")
    files: dict[str, str] = Field({}, description="sha256 of its weights, by file")
    parameters: int | None = None
    as_card: bool = Field(False, description="parameters and dimensions are those of its card")


class Data(Record):
    """A table that was trained on or asked."""

    name: str
    items: int = Field(description="that were used")
    of: int | None = Field(None, description="that there are; null where it does not matter")
    sha256: str | None = None


class Ran(Record):
    """What ran. ``models`` has no default: an experiment without any says so."""

    models: list[Model]
    data: list[Data] = []
    follows_from: str | None = Field(
        None, description="what alone decides the quantity, so that weights and hardware do not"
    )
    computed: str | None = Field(None, description="from what, where nothing was measured")
    stand_ins: list[str] = Field([], description="for what the claim speaks of, beside models")
    at_most: dict[str, Tier] = Field({}, description="tier by fallback that was taken")
