"""The augmentation techniques: one entry here and one module each.

The code of a technique is called with the training samples, its files by name (``train`` among
them), its settings as plain values, ``limit`` (variants after which it may stop) and ``seed``; it
returns all its candidates as a table of :data:`kensho.augment.COLUMNS`. English sides may be empty.
One that reads words gets ``analyser`` among its settings (:func:`settings_of`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, create_model

from kensho.linguistics.tokens import Analyser
from kensho.part import Catalogue, Needs, Part
from kensho.validation import Count, Section, Share

_NEEDS = Needs(environment="data", minutes=30)


@dataclass(frozen=True, kw_only=True)
class Technique(Part):
    """A technique; ``sources`` are the entries of config/sources.yaml that it reads.

    Of a ``guarded`` one every candidate is scored by the meaning guard, and those below its
    threshold are dropped; of the others a sample is scored, for the report alone. ``analysed``:
    whether it reads words, by the analyser that the configuration chooses.
    """

    default: Section
    guarded: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    analysed: bool = False
    needs: Needs = _NEEDS


GUARD = Part(
    name="guard",
    title="meaning guard (Universal Sentence Encoder)",
    code="kensho.augment.guard:scored",
    needs=_NEEDS,
)


class Guard(Section):
    """Settings of the meaning guard."""

    encoder: Literal["use-multilingual-v3"] = Field(
        "use-multilingual-v3", description="sentence encoder; the only one that a package holds"
    )
    pairs: Count = Field(1000, description="human paraphrases that calibrate its threshold")
    rejected: Share = Field(0.05, description="share of those that the threshold may reject")
    sample: Count = Field(100, description="candidates of an unguarded technique that are scored")


class Drawn(Section):
    probability: Share = Field(0.5, description="chance that a word or sentence is changed")
    per_sample: Count = Field(1, description="variants drawn from one sample")


class Eda(Section):
    alpha: Share = Field(0.1, description="share of the units that a change concerns")
    per_sample: Count = Field(9, description="candidates of one sample, a third by each operation")
    unit: Literal["word", "bunsetsu"] = Field("word", description="what is moved")


TECHNIQUES = Catalogue(
    "technique",
    (
        Technique(
            name="synonyms",
            title="Sudachi synonym groups",
            code="kensho.augment.synonyms:technique",
            default=Drawn(per_sample=5),
            inputs={"attested": "results/data/attested.csv"},
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="eda",
            title="EDA: random insertion, swap and deletion of words or bunsetsu",
            code="kensho.augment.eda:technique",
            default=Eda(),
            inputs={"attested": "results/data/attested.csv"},
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="bunsetsu",
            title="order of bunsetsu (GiNZA)",
            code="kensho.augment.bunsetsu:technique",
            default=Drawn(probability=1.0, per_sample=5),
            sources=("sudachidict-core",),
        ),
        Technique(
            name="politeness",
            title="plain <-> polite predicates",
            code="kensho.augment.politeness:technique",
            default=Drawn(probability=1.0),
            inputs={"verbs": "resources/linguistics/lexical_verbs.csv"},
            sources=("sudachidict-core",),
            analysed=True,
        ),
    ),
    reserved=("target", "techniques", "guard", "analyser"),
)


def guarded(technique: Technique) -> tuple[Part, ...]:
    """A technique and, where it has the meaning guard, that: what a job resolves."""
    return (technique, GUARD) if technique.guarded else (technique,)


_NAME: Any = Literal[tuple(TECHNIQUES)]
_TECHNIQUES = Field(
    ["synonyms", "bunsetsu", "politeness"],
    min_length=1,
    description="those of the catalogue that make the augmented corpus",
)
_SETTINGS: dict[str, Any] = {
    "techniques": (list[_NAME], _TECHNIQUES),
    "guard": (Guard, Field(Guard(), description=GUARD.title)),
    **{
        name: (type(part.default), Field(part.default, description=part.title))
        for name, part in TECHNIQUES.items()
    },
}
Augmentation = create_model(
    "Augmentation",
    __base__=Section,
    target=(
        Count,
        Field(45_000, description="samples wanted in all, originals included (F-6)"),
    ),
    analyser=(
        Analyser,
        Field("sudachi", description="analysis into words: SudachiDict, or fugashi with UniDic"),
    ),
    **_SETTINGS,
)


def settings_of(augmentation: Any, name: str) -> dict[str, Any]:
    """What a technique is called with: its own settings, and the analyser if it reads words."""
    own = getattr(augmentation, name).model_dump()
    return {**own, "analyser": augmentation.analyser} if TECHNIQUES[name].analysed else own


def sources_of(augmentation: Any, name: str) -> tuple[str, ...]:
    """Entries of config/sources.yaml that a technique reads under a configuration."""
    unidic = TECHNIQUES[name].analysed and augmentation.analyser == "fugashi"
    return (*TECHNIQUES[name].sources, *(("unidic-lite",) if unidic else ()))
