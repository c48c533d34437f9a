"""PiSSA (Meng et al. 2024, arXiv 2404.02948): LoRA that begins with the largest singular values.

The base keeps the rest of each matrix while it is trained. What is saved is plain LoRA over the
base as it was: sBA - sB'A', A' and B' being what training began with, is one adapter of rank 2r.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kensho.files import read_json, write_json
from kensho.models.reference import ADAPTER
from kensho.train.methods import Targets, lora


def adapter(
    rank: int,
    targets: Targets,
    *,
    alpha: int | None = None,
    iterations: int | None = None,
):
    """PEFT's configuration; with ``iterations`` singular values are those of a randomised SVD."""
    begun = "pissa" if iterations is None else f"pissa_niter_{iterations}"
    return lora.adapter(rank, targets, alpha=alpha, init_lora_weights=begun)


class Principal(lora.Paired):
    def __init__(self, model: Any, training: Any):
        super().__init__(model, training)
        learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.begun = {name: p.detach().clone() for name, p in learning}

    def state(self) -> dict:
        return {f"begun {name}": value.clone() for name, value in self.begun.items()}

    def restored(self, state: Mapping) -> None:
        """Raises ValueError where this machine's SVD is not the checkpoint's: the base differs."""
        if any(not value.equal(state[f"begun {name}"]) for name, value in self.begun.items()):
            raise ValueError(
                f"{self.training.name}: the singular vectors computed here are not those of the "
                "checkpoint; delete its folder to start anew, or take the machine that began it"
            )

    def save(self, folder: Path, whole: Mapping | None) -> None:
        import torch
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        super().save(folder, whole)
        now = get_peft_model_state_dict(self.model, whole)
        begun = {name.replace(".default", ""): value.cpu() for name, value in self.begun.items()}
        both = {
            name: torch.cat([value.cpu(), begun[name]])
            if ".lora_A." in name
            else torch.cat([value.cpu(), -begun[name]], dim=1)
            for name, value in now.items()
        }
        save_file(both, folder / ADAPTER, metadata={"format": "pt"})
        saved = read_json(folder / lora.CONFIG)
        doubled = {key: 2 * saved[key] for key in ("r", "lora_alpha")}
        write_json(folder / lora.CONFIG, saved | doubled | {"init_lora_weights": True})


METHOD = replace(lora.METHOD, name="pissa", adapter=adapter, course=Principal, copies=1)
