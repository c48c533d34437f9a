"""Models: entries of config/models.yaml, and what the hub was found to hold of them."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError

from kensho.data.hub import Commit, HubName
from kensho.data.licences import LicenceClass
from kensho.models.cards import Card
from kensho.validation import Name, Section, problems, read_yaml, suggestion

Scale = Literal["embedded", "standard", "full"]


class Model(Section):
    """One model. What is null is not known, and asked of the hub where it is needed."""

    model_config = ConfigDict(frozen=True)

    hub: HubName | None = Field(None, description="repository as the hub spells it")
    also: list[str] = Field([], description="other names under which claims speak of it")
    revision: Commit | None = Field(None, description="commit to lock; null for that of main")
    folder: str | None = Field(None, description="its files on this machine; their hashes count")
    licence: str | None = None
    licence_class: LicenceClass | None = None
    gated: bool | None = None
    card: Name | None = Field(None, description="entry of resources/architectures.yaml")
    context: Annotated[int, Field(gt=0)] | None = Field(None, description="tokens; the card's")
    chat: Literal["template", "none"] | None = None
    dtype: Literal["float32", "float16", "bfloat16", "float8_e4m3fn"] | None = Field(
        None, description="of the weights as they are published"
    )
    role: Literal["base", "instruct", "reasoning", "translation", "masked"]
    languages: list[Literal["ja", "en", "zh"]] = Field(
        [], description="that it is known to read and write; techniques that translate ask"
    )
    stands_in: dict[Scale, Name] = Field({}, description="model that takes its place at a scale")
    files: dict[Literal["gguf"], Name] = Field(
        {}, description="entry of config/sources.yaml that holds it in one file"
    )


def load(
    path: Path | str, sources: Collection[str], cards: Mapping[str, Card]
) -> tuple[dict[str, Model], list[str]]:
    """Models by name and the problems of the file, one line each.

    Where an entry leaves its context open, it is that of its card.
    """
    try:
        raw = read_yaml(Path(path))
    except (OSError, ValueError) as error:
        return {}, [str(error)]
    if not isinstance(raw, dict):
        return {}, [f"{path}: expected a mapping of models by name"]
    models: dict[str, Model] = {}
    faults: list[str] = []
    for name, entry in raw.items():
        try:
            models[name] = Model.model_validate(entry)
        except ValidationError as error:
            faults += problems(error, str(path), Model, under=name)
    lines = [*_unknown_names(models, raw, sources, cards), *_used_twice(models)]
    filled = {name: _with_context(model, cards) for name, model in models.items()}
    return filled, faults + [f"{path}: {line}" for line in lines]


def _unknown_names(
    models: Mapping[str, Model], listed: Iterable[str], sources: Collection[str], cards: Mapping
) -> Iterable[str]:
    for name, model in models.items():
        others = [other for other in listed if other != name]
        asked: list[tuple[str, set[str], Collection[str], str]] = [
            ("card", {model.card} if model.card else set(), cards, "resources/architectures.yaml"),
            ("files", {*model.files.values()}, sources, "config/sources.yaml"),
            ("stands_in", {*model.stands_in.values()}, others, "the file"),
        ]
        for key, values, known, place in asked:
            for value in sorted(values - {*known}):
                yield f"{name}.{key}: '{value}' is not in {place}, {suggestion(value, known)}"


def _used_twice(models: Mapping[str, Model]) -> Iterable[str]:
    owners: dict[str, str] = {}
    for name, model in models.items():
        for spoken in names(model):
            if spoken in owners:
                yield f"{name}: '{spoken}' is {owners[spoken]} already; leave one out"
            owners[spoken] = name


def _with_context(model: Model, cards: Mapping[str, Card]) -> Model:
    card = cards.get(model.card or "")
    if model.context or card is None:
        return model
    sizes = card.config
    context = sizes.get("max_position_embeddings", sizes.get("n_positions"))
    return model.model_copy(update={"context": context})


def obstacle(model: Model, accepted: Collection[str]) -> tuple[str, str] | None:
    """What keeps a run from asking the hub for a model, and the mend; None where nothing does."""
    if model.licence_class is None:
        return "licence not known", "read it, then set licence and licence_class"
    if model.licence_class not in accepted:
        mend = f"add {model.licence_class} to licences if you accept it"
        return f"under licence class {model.licence_class}", mend
    if model.hub is None:
        return "repository not known", "set `hub`"
    return None


def files(name: str, models: Mapping[str, Model]) -> dict[str, str]:
    """What a job reads of a model: its file, and its weights too where the workflow makes them."""
    made = {"weights": f"results/models/{name}"} if name in models and models[name].files else {}
    return {"model": f"results/models/{name}.json", **made}


def twins(models: Mapping[str, Model]) -> dict[str, Model]:
    """The models as a rehearsal has them: each a twin that the workflow makes."""
    return {name: one.model_copy(update={"files": {"twin": name}}) for name, one in models.items()}


def names(model: Model) -> list[str]:
    """The names under which a claim's scope may speak of a model."""
    return [name for name in (model.hub, *model.also) if name]


def named(models: Mapping[str, Model], spoken: str) -> str | None:
    """Name of the entry that a claim's scope speaks of, None where there is none."""
    return next((name for name, model in models.items() if spoken in names(model)), None)
