"""Arms of the studies of training, by name."""

from typing import NamedTuple


class Configuration(NamedTuple):
    """Rank and modules (:data:`kensho.train.plan.TARGETS`); without a rank all weights learn."""

    rank: int | None
    modules: str = ""
    learning_rate: float | None = None
    alpha: int | None = None


DOSES = {f"size-{units}": units for units in (1, 2, 3, 4, 5)}  # C-1: in thousands of samples
RANKS = {f"rank-{rank}": rank for rank in (4, 8, 16, 32, 64)}
CONFIGURATIONS = {
    "full": Configuration(None),
    "r4-qv": Configuration(4, "qv"),
    "r8-qkvo": Configuration(8, "qkvo"),
    "r16-all-linear": Configuration(16, "all-linear"),
    "r32-all-linear": Configuration(32, "all-linear"),
}
RATES = {
    **{
        f"lr-{rate:.0e}": Configuration(8, "qkvo", learning_rate=rate)
        for rate in (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
    },
    **{f"alpha-{alpha}": Configuration(8, "qkvo", alpha=alpha) for alpha in (4, 8, 16, 32, 64)},
}
REPLAY = {
    f"{method}-{share}": (method, share) for method in ("lora", "full") for share in (0, 5, 25)
}
CONTINUAL = ("one", "merged", "fresh", "osf")
REGRET = ("chosen", "best")
PERSONA = ("own", "other")
