"""How a model comes to be at hand: fetched from the hub, converted from a package, or a twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kensho.data import hub
from kensho.data.hub import Locked
from kensho.messages import site
from kensho.models import cards, reference, twins
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.models.reference import Base
from kensho.paths import without_home


def of_hub(name: str, model: Model, card: Card | None, locked: Locked, folder: Path) -> Base:
    """A fetched repository. Its weights are its own where the lock was resolved at the hub itself.

    ``folder`` holds what is locked (:func:`kensho.data.hub.fetch`); ``card`` is that of the model.
    """
    return _described(
        Base(
            name=name,
            path=without_home(folder),
            weights="own" if locked.endpoint == site(hub.DEFAULT) else "other",
            hub=model.hub,
            revision=locked.commit,
            files={
                path: file.sha256
                for path, file in locked.files.items()
                if path.endswith(".safetensors")
            },
            parameters=reference.parameters(folder),
        ),
        model,
        card,
    )


def converted(
    gguf: Path, source: Mapping[str, Any], name: str, model: Model, card: Card | None, folder: Path
) -> Base:
    """A package's GGUF file as safetensors in ``folder``: other weights than those of the hub."""
    from kensho.models.convert import gguf_to_safetensors

    made = {"source": dict(source), **gguf_to_safetensors(gguf, folder)}
    return _described(_local(name, model, folder, made), model, card)


def twin(name: str, model: Model, card: Card | None, seed: int, folder: Path) -> Base:
    """A twin of the architecture, with tokens of single bytes, in ``folder``.

    The architecture is the card's, without one that of the model's role. Raises ValueError where
    neither says it.
    """
    template = CHAT if model.chat == "template" else None
    if card is None and model.role not in twins.BY_ROLE:
        raise ValueError(f"{name}: no architecture to make a twin of; add its `card`")
    kind = card.model_type if card else twins.BY_ROLE[model.role][0]
    twins.make(kind, folder, seed=seed, chat_template=template)
    return _described(_local(name, model, folder, {"twin": kind}), model, card)


CHAT = (  # of a twin that is to be asked in turns
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


def _local(name: str, model: Model, folder: Path, made: dict[str, Any]) -> Base:
    return Base(
        name=name,
        path=str(folder),
        weights="other",
        hub=model.hub,
        files=reference.weights(folder),
        parameters=reference.parameters(folder),
        made=made,
    )


def _described(base: Base, model: Model, card: Card | None) -> Base:
    """With how it is asked, and how far it is the model that it is named after."""
    more: dict[str, Any] = {"chat": model.chat == "template", "licence": model.licence}
    if twins.is_twin(base.folder):
        more["weights"] = "twin"
    elif card is not None:
        more["as_card"] = cards.matches(card, base.folder, base.parameters)
    return base.model_copy(update=more)
