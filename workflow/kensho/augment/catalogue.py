"""The augmentation techniques: one entry here and one module each.

The code of a technique is called with the training samples, its files by name (``train`` among
them), its settings as plain values, ``limit`` (variants after which it may stop) and ``seed``; it
returns all its candidates as a table of :data:`kensho.augment.COLUMNS`. English sides may be empty.
One that reads words gets ``analyser`` among its settings (:func:`settings_of`). A technique by a
model finds the files of its models under ``models``, and says in a column ``unfit`` why an answer
is no sentence, "" where it may be one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from kensho.linguistics.tokens import Analyser
from kensho.part import Catalogue, Needs, Part
from kensho.validation import Count, Name, Section, Share

_NEEDS = Needs(environment="data", minutes=30)
_PARSED = Needs(environment="data", cores="all", minutes=30)


@dataclass(frozen=True, kw_only=True)
class Technique(Part):
    """A technique; ``sources`` are the entries of config/sources.yaml that it reads.

    Of a ``guarded`` one every candidate is scored by the guard, and what it does not let pass is
    dropped; of the others a sample is scored, for the report alone. ``analysed``: whether it reads
    words, by the analyser that the configuration chooses. ``relabelled``: tasks of studies whose
    labels it makes wrong, on which it is not tried.
    """

    default: Section
    guarded: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    analysed: bool = False
    relabelled: tuple[str, ...] = ()
    needs: Needs = _NEEDS


GUARD = Part(
    name="guard",
    title="guard of meaning (Universal Sentence Encoder) and grammar",
    code="kensho.augment.guard:scored",
    needs=_NEEDS,
)


class Guard(Section):
    """Settings of the guard."""

    encoder: Literal["use-multilingual-v3"] = Field(
        "use-multilingual-v3", description="sentence encoder; the only one that a package holds"
    )
    pairs: Annotated[int, Field(ge=20, le=1_000_000)] = Field(
        1000, description="human paraphrases that calibrate its threshold"
    )
    rejected: Share = Field(0.05, description="share of those that the guard may reject")
    sentences: Annotated[int, Field(ge=1000, le=1_000_000)] = Field(
        30_000, description="by people, whose connections of words pass its grammar check"
    )
    sample: Count = Field(100, description="candidates of an unguarded technique that are scored")


class Asking(Section):
    """Of a technique by a model."""

    models: list[Name] = Field(
        ["gemma-3-270m"], description="of config/models.yaml; one, or one for each leg of a trip"
    )
    samples: Count = Field(300, description="originals that it is asked about, drawn by their ids")
    batch: Count = Field(32, description="texts that the model reads or writes at once")


class Replacing(Asking):
    per_sample: Count = Field(1, description="variants of one sample, the likeliest")
    candidates: Count = Field(8, description="attested words that are tried in a place")
    margin: Annotated[float, Field(ge=0, le=100)] = Field(
        2.0, description="nats that a variant may be less likely than its original"
    )


class Writing(Asking):
    max_new_tokens: Count = Field(48, description="of an answer; a longer one is unfit")
    shots: Count = Field(5, description="worked examples of the corpus, outside the splits")


class Trip(Writing):
    via: list[Literal["en", "zh"]] = Field(
        ["en"], min_length=1, description="languages between Japanese and Japanese, in order"
    )


def models_of(settings: Section) -> list[str]:
    """Models that a technique with these settings asks, in the order of its legs."""
    return list(getattr(settings, "models", []))


_POLITE = ("keico",)  # whose labels are levels of politeness
_ATTESTED = {"attested": "results/data/attested.csv"}
_SHOWN = {"attested_pairs": "results/data/attested_pairs.csv", "test": "results/data/test.csv"}
_BY_MODEL: dict[str, Any] = {
    "guarded": True,
    "needs": Needs(environment="models", cores="all", accelerator=True, minutes=60, memory_mb=8000),
}


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
            inputs=_ATTESTED,
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="eda",
            title="EDA: random insertion, swap and deletion of words or bunsetsu",
            code="kensho.augment.eda:technique",
            default=Eda(),
            inputs=_ATTESTED,
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="bunsetsu",
            title="order of bunsetsu (GiNZA)",
            code="kensho.augment.bunsetsu:technique",
            default=Drawn(probability=1.0, per_sample=5),
            sources=("sudachidict-core",),
            needs=_PARSED,
        ),
        Technique(
            name="politeness",
            title="plain <-> polite predicates",
            code="kensho.augment.politeness:technique",
            relabelled=_POLITE,
            default=Drawn(probability=1.0),
            inputs={"verbs": "resources/linguistics/lexical_verbs.csv"},
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="honorific",
            title="predicates of persons of rank: sonkeigo, and back",
            code="kensho.augment.honorific:technique",
            relabelled=_POLITE,
            default=Drawn(probability=1.0),
            inputs={
                "verbs": "resources/linguistics/lexical_verbs.csv",
                "words": "resources/linguistics/honorific_words.csv",
            },
            sources=("sudachidict-core",),
            analysed=True,
        ),
        Technique(
            name="syntax",
            title="direct passive, and cleft with a relative clause (GiNZA)",
            code="kensho.augment.syntax:technique",
            default=Drawn(probability=1.0, per_sample=2),
            sources=("sudachidict-core",),
            needs=_PARSED,
        ),
        Technique(
            name="contextual_causal",
            title="contextual (causal): attested words, ranked by a causal language model",
            code="kensho.augment.contextual:causal",
            default=Replacing(),
            sources=("sudachidict-core",),
            inputs=_ATTESTED,
            analysed=True,
            **_BY_MODEL,
        ),
        Technique(
            name="contextual_masked",
            title="contextual (masked): attested words, ranked by a masked language model",
            code="kensho.augment.contextual:masked",
            default=Replacing(models=["modernbert-ja-30m"]),
            sources=("sudachidict-core",),
            inputs=_ATTESTED,
            analysed=True,
            **_BY_MODEL,
        ),
        Technique(
            name="round_trip",
            title="back-translation by models, Japanese to English to Japanese",
            code="kensho.augment.round_trip:technique",
            relabelled=_POLITE,
            default=Trip(),
            inputs=_SHOWN,
            **_BY_MODEL,
        ),
        Technique(
            name="multi_hop",
            title="back-translation by models through English and Chinese",
            code="kensho.augment.round_trip:technique",
            relabelled=_POLITE,
            default=Trip(models=[], via=["en", "zh"]),
            inputs=_SHOWN,
            **_BY_MODEL,
        ),
        Technique(
            name="paraphrase",
            title="paraphrases by a model that is shown sentences with one English side",
            code="kensho.augment.paraphrase:technique",
            relabelled=_POLITE,
            default=Writing(),
            inputs=_SHOWN,
            **_BY_MODEL,
        ),
    ),
    reserved=("target", "techniques", "guard", "analyser"),
)


def guarded(technique: Technique) -> tuple[Part, ...]:
    """A technique and, where it has the guard, that: what a job resolves."""
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
