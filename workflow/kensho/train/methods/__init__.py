"""How an arm adapts its base: which weights are trained, and how the base's are held meanwhile.

A method is a module of this package with an object ``METHOD``; variants of one share a module. It
imports torch and PEFT only where it uses them, so that memory can be planned without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import Tensor

    from kensho.train.run import Training

Held = Literal["as computed", "float32", "nf4"]
Targets = list[str] | str  # modules by name, or what PEFT takes for a list (a tuple it does not)
# Of a method's settings those that its adapter is not made of, or is told by themselves.
APART = ("name", "rank", "targets", "nf4", "lora_plus")


def own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a method's adapter takes of its settings beside rank and targets."""
    return {key: value for key, value in settings.items() if key not in APART}


class Course:
    """A method at work on one model: what it does beside following the gradient of the loss.

    Made when the adapter is there and before processes share the model; this one does nothing.
    """

    def __init__(self, model: Any, training: Training):
        self.model, self.training = model, training
        self.settings: Mapping[str, Any] = training.settings.get("method", {})

    def factors(self) -> list[tuple[Tensor, float]]:
        """Each parameter that learns, and what multiplies the learning rate for it."""
        return [(p, 1.0) for p in self.model.parameters() if p.requires_grad]

    def penalty(self) -> Tensor | None:
        """A term of the loss of a step that no sample enters, None where there is none."""
        return None

    def stepped(self, step: int) -> None:
        """Called after an optimiser step, counted from 1, while its gradients are there."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps beside weights and moments; the same names at every step."""
        return {}

    def restored(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a ``state`` that a checkpoint kept."""

    def save(self, folder: Path, whole: Mapping[str, Tensor] | None) -> None:
        """Write what was trained; ``whole`` is the state of a model that processes share."""
        for config in getattr(self.model, "peft_config", {}).values():
            for name, value in [*vars(config).items()]:
                if isinstance(value, set):  # in an order of the process: equal runs, equal files
                    setattr(config, name, sorted(value))
        self.model.save_pretrained(folder, state_dict=whole)


@dataclass(frozen=True)
class Method:
    """One method.

    ``weights`` says how the base is held while it is trained; ``adapter`` makes PEFT's
    configuration of a rank (None unless ``ranked``), target modules and the method's own settings
    by name, and ``tensors`` gives the elements of each tensor that learns beside a matrix of shape
    (in, out), of a rank, the name of its ``module`` and the same settings. Both are None where the
    weights themselves are trained, and a whole model is saved; ``tensors`` alone where nobody knows
    them beforehand.

    ``frozen``: elements that all matrices share and that do not learn, of shapes and a rank.
    ``drawn``: the adapter takes the run's seed itself. ``half``: adapters learn in bfloat16.
    ``branches``: they are LoRA's, whose activations are planned. ``copies``: further float32
    tensors as large as what learns. ``unknown``: what is saved is held against what was trained.
    ``linear``: it takes linear layers alone. ``alone``: why several processes cannot share the
    training, None where they can.
    """

    name: str
    weights: Held = "as computed"
    adapter: Callable[..., PeftConfig] | None = None
    tensors: Callable[..., list[int]] | None = None
    frozen: Callable[[list[tuple[int, int]], int], int] | None = None
    ranked: bool = True
    drawn: bool = False
    half: bool = False
    branches: bool = False
    copies: int = 0
    unknown: bool = False
    linear: bool = False
    course: type[Course] = Course
    alone: str | None = None

    @property
    def whole(self) -> bool:
        """Whether every weight is trained."""
        return self.adapter is None

    def of(self, settings: Mapping[str, Any]) -> Method:
        """The method as its settings have the base held."""
        return replace(self, weights="nf4") if settings.get("nf4") else self

    @property
    def one_process(self) -> str | None:
        """Why it takes a single process, None where several can share it."""
        return "weights in 4 bits are not shared" if self.weights == "nf4" else self.alone


NONE = Method("none")  # of a stage that trains nothing
