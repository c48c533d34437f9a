"""What conditions say of a model that was built, not loaded."""

from kensho.models.cards import Card


def of_card(card: Card, *, whole: bool = True) -> dict:
    """A model of random weights, with the card's dimensions or (not ``whole``) smaller ones.

    A :class:`kensho.observations.ran.Model`; of a loaded one it is
    :meth:`kensho.models.reference.Base.ran`.
    """
    return {"name": card.name, "hub": card.hub, "weights": "random", "as_card": whole}
