"""How an arm adapts its base: which weights are trained, and how the base's are held meanwhile.

A method is a module of this package with an object ``METHOD``. It imports torch and PEFT only where
it uses them, so that memory can be planned without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from peft import PeftConfig

Held = Literal["as computed", "float32", "nf4"]


@dataclass(frozen=True)
class Method:
    """One method.

    ``weights`` says how the base is held while it is trained; ``adapter`` makes PEFT's
    configuration of a rank, target modules and the method's own settings by name, and ``tensors``
    gives the elements of each tensor that a matrix of shape (in, out) gets at a rank. Both are None
    where the weights themselves are trained, and a whole model is saved.
    """

    name: str
    weights: Held
    adapter: Callable[..., PeftConfig] | None = None
    tensors: Callable[[tuple[int, int], int], list[int]] | None = None

    @property
    def whole(self) -> bool:
        """Whether every weight is trained."""
        return self.adapter is None


NONE = Method("none", weights="as computed")  # of a stage that trains nothing
