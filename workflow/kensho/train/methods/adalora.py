"""AdaLoRA (Zhang et al. 2023, arXiv 2303.10512): ranks go where they matter, within a budget.

An increment is P diag(E) Q with more triplets than the budget allows; from a tenth of the steps on
(``initial``) the least important ones are masked, until the ranks of all modules sum to the budget
for the last third (``final``). P and Q are held near orthogonal by a term of the loss (equation 4).
"""

from collections.abc import Mapping
from typing import Any

from kensho.train.methods import Course, Method, Targets

NAME = "default"  # of PEFT's adapter


def initial_rank(rank: int, initial: int | None) -> int:
    """Half as much again as the mean rank in the end, as in section 4.1."""
    return initial or -(-3 * rank // 2)


def adapter(
    rank: int,
    targets: Targets,
    *,
    alpha: int | None = None,
    begun_with: int | None = None,
    orthogonality: float = 0.5,
    **schedule: float,
):
    """PEFT's configuration; the schedule is set in steps when their number is known.

    PEFT divides alpha by the rank at first; here adapters weigh alpha / rank as LoRA's do.
    """
    from peft import AdaLoraConfig

    most = initial_rank(rank, begun_with)
    return AdaLoraConfig(
        init_r=most,
        target_r=rank,
        lora_alpha=(alpha or 2 * rank) * most / rank,  # type: ignore[arg-type]  # PEFT divides it
        target_modules=targets,
        orth_reg_weight=orthogonality,
        total_step=1,
        task_type="CAUSAL_LM",
    )


def tensors(
    shape: tuple[int, int], rank: int, *, begun_with: int | None = None, **_: Any
) -> list[int]:
    """r x in, r singular values and out x r, at the rank before anything is masked."""
    most = initial_rank(rank, begun_with)
    return [most * shape[0], most, most * shape[1]]


class Allocating(Course):
    """PEFT's allocator, told of every step; of checkpoints it keeps averages and masks."""

    def __init__(self, model: Any, training: Any):
        super().__init__(model, training)
        self.tuner, self.config = model.base_model, model.peft_config[NAME]
        self.allocator = self.tuner.rankallocator
        for name, p in model.named_parameters():
            if "ranknum" in name:  # PEFT lets the divisor learn where it casts adapters
                p.requires_grad_(False)
        steps = training.steps
        self.config.total_step = steps
        self.config.tinit = int(self.settings.get("initial", 0.1) * steps)
        self.config.tfinal = int(self.settings.get("final", 0.3) * steps)
        self.cut = steps - self.config.tfinal

    @property
    def triplets(self) -> dict:
        """Parameters of the increments by PEFT's name."""
        return {n: p for n, p in self.tuner.model.named_parameters() if "lora_" in n}

    def penalty(self):
        """Weight x mean Frobenius distance of P'P and QQ' from one, as PEFT has it."""
        import torch

        distances = []
        for name, p in self.triplets.items():
            if "lora_E" not in name:
                product = p @ p.T if "lora_A" in name else p.T @ p
                one = torch.eye(len(product), dtype=p.dtype, device=p.device)
                distances.append(torch.linalg.norm(product - one))
        return self.config.orth_reg_weight * torch.stack(distances).mean()

    def stepped(self, step: int) -> None:
        """Raises ValueError where the final ranks do not sum to the budget: importances tie."""
        self.tuner.update_and_allocate(step)
        if step == self.cut:
            ranks = sum(map(sum, self.config.rank_pattern.values()))
            if ranks != self.allocator.target_bgt:
                raise ValueError(
                    f"{self.training.name}: ranks of {ranks} in all, of a budget of "
                    f"{self.allocator.target_bgt}: some triplets learn nothing; take fewer targets"
                )

    def state(self) -> dict:
        import torch

        kept = {}
        for name, p in self.triplets.items():
            for key in ("exp_avg_ipt", "exp_avg_unc"):
                held = getattr(self.allocator, key).get(name)
                kept[f"{key} {name}"] = torch.zeros_like(p) if held is None else held
            if "lora_E" in name:
                mask = (self.config.rank_pattern or {}).get(name, [True] * len(p))
                kept[f"kept {name}"] = torch.tensor(mask)
        return kept

    def restored(self, state: Mapping) -> None:
        pattern = {}
        for name, p in self.triplets.items():
            self.allocator.ipt[name] = p.detach() * 0
            for key in ("exp_avg_ipt", "exp_avg_unc"):
                getattr(self.allocator, key)[name] = state[f"{key} {name}"]
            if "lora_E" in name:
                pattern[name] = state[f"kept {name}"].tolist()
        self.config.rank_pattern = pattern


METHOD = Method(
    "adalora",
    adapter=adapter,
    tensors=tensors,
    course=Allocating,
    copies=3,
    alone="importances are compared across all modules, each whole",
)
