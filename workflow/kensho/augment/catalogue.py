"""The augmentation techniques: one entry here and one module each.

The code of a technique is called with the training samples, its files by name (``train`` among
them), its settings as plain values, ``limit`` (variants after which it may stop) and ``seed``; it
returns a table of :data:`kensho.augment.COLUMNS`. One that reads words gets ``analyser`` among its
settings (:func:`settings_of`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, create_model

from kensho.linguistics.tokens import Analyser
from kensho.part import Catalogue, Needs, Part
from kensho.validation import Count, Section, Share

_NEEDS = Needs(environment="data", minutes=30)


@dataclass(frozen=True, kw_only=True)
class Technique(Part):
    """A technique; ``sources`` are the entries of config/sources.yaml that it reads.

    ``analysed``: whether it reads words, by the analyser that the configuration chooses.
    """

    default: Section
    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    analysed: bool = False
    needs: Needs = _NEEDS


class Drawn(Section):
    probability: Share = Field(0.5, description="chance that a word or sentence is changed")
    per_sample: Count = Field(1, description="variants drawn from one sample")


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
    reserved=("target", "analyser"),
)

_SETTINGS: dict[str, Any] = {
    name: (type(part.default), Field(part.default, description=part.title))
    for name, part in TECHNIQUES.items()
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
