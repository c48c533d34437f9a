"""Posteriors of data simulated at fixed, realistic parameters: coverage and verdicts.

SBC averages over the prior; here the truth is one that claims are made of. The closed-form twin of
the same data answers beside: its interval decides together with the sampled posterior, as shipped,
and once more with the t posterior that a flat prior gives. Sensitivity priors are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats

from kensho.stats import bayesian, davidson, decision, intervals
from kensho.stats.calibration import sbc
from kensho.stats.hypothesis import Direction, Hypothesis
from kensho.stats.models import Data, Model
from kensho.stats.scales import DIFFERENCE, DOSE, RATIO, SHARE, Region, Scale

ALPHA = 0.05
_NOTHING = np.zeros(0, dtype=int)


@dataclass(frozen=True)
class Setting:
    """Fixed parameters of a model and the claim that is made of them.

    parameters: by name, without group effects, which every data set draws anew.
    margin: half the width of the claimed region, working scale; wide enough for a power of 0.9.
    closed: (data, alpha) -> closed-form interval of the same estimand.
    data: the design, with outcomes to fill; None for that of SBC.
    """

    parameters: dict[str, float | list[float]]
    scale: Scale
    margin: float
    closed: Callable[[Data, float], intervals.Fit]
    direction: Direction | None = "greater"
    sesoi: float = 0.01
    data: Data | None = None

    def claimed(self, region: Region) -> Hypothesis:
        """The claim that the estimand lies in a region of its scale."""
        return Hypothesis(self.scale, region, self.direction, self.sesoi)


def _peak(data: Data, alpha: float) -> intervals.Fit:
    doses = np.unique(data["x"])
    return intervals.peak(doses, data["y"].reshape(-1, doses.size), alpha)


def _of_units(unit_values: Callable[[Data], np.ndarray]) -> Callable[[Data, float], intervals.Fit]:
    return lambda data, alpha: intervals.mean(unit_values(data), alpha)


def _crossed(data: Data, alpha: float) -> intervals.Fit:
    """The interval of values at k sites and of n units with these moments: it knows no more."""
    sites, units = (
        sample * np.sqrt(data[squares] / (sample**2).sum())
        for sample, squares in (
            (np.linspace(-1, 1, int(data[size][0])), squares)
            for size, squares in (("k", "apart"), ("n", "squares"))
        )
    )
    return intervals.crossed(data["mean"] + sites[:, None] + units, alpha)


def _welch(data: Data, alpha: float) -> intervals.Fit:
    """Welch's interval of samples with these moments: it knows no more of them."""
    samples = []
    for n, squares in zip(data["n"], data["squares"], strict=True):
        sample = np.linspace(-1, 1, n)
        samples.append(sample * np.sqrt(squares / (sample**2).sum()))
    return intervals.welch(samples[0] + data["difference"][0], samples[1], alpha)


_ONCE = {
    **sbc.DESIGNS["strengths"].data,
    "alone": 40 * sbc.DESIGNS["strengths"].data["alone"],  # 2,400 prompts with one judgement each
    **dict.fromkeys(("first", "second", "outcome", "answer_first", "answer_second"), _NOTHING),
    "answers": np.array(0),
}


def _compared(data: Data, alpha: float) -> intervals.Fit:
    fit = davidson.strengths(data["alone"], True)
    return davidson.smallest(*davidson.gaps(fit, [(0, 1)]), np.inf, alpha)


SETTINGS = {
    "location": Setting(  # a gain of 12.5 % that varies by 3 % between blocks
        {"mu": np.log(1.125), "sigma": 0.03, "nu": 10.0},
        RATIO, 0.03, _of_units(lambda d: d["y"]), sesoi=1.02,
    ),
    "normal": Setting(  # half a point, scores differ by one from item to item
        {"mu": 0.5, "sigma": 1.0},
        DIFFERENCE, 0.4, _of_units(lambda d: d["y"]), data={"y": np.zeros(80)},
    ),
    "proportion": Setting(  # three in four right, clusters from 55 to 89 %
        {"a": 1.2, "sd": 0.5},
        SHARE, 0.14, _of_units(lambda d: d["correct"] / d["items"]), direction=None,
    ),
    "pairs": Setting(  # 28 % discordant, of which A wins 62 %
        {"a": -1.0, "sd_a": 0.5, "d": 0.5, "sd_d": 0.3},
        DIFFERENCE, 0.1, _of_units(lambda d: (d["wins"] - d["losses"]) / d["items"]),
    ),
    "bradley_terry": Setting(  # the first place is worth a quarter of the difference in strength
        {"strength": 1.2, "position": 0.3, "log_tie": -0.5, "sd": 0.5},
        SHARE, 0.2, _of_units(lambda d: d["outcome"].reshape(-1, 2).mean(1) / 2), sesoi=0.05,
    ),
    "dose": Setting(  # 0.3 points per squared octave, noise and seeds of half a point
        {"peak": np.log2(4000), "c": 0.3, "top": 1.0, "seed_sd": 0.5, "sigma": 0.5},
        DOSE, 0.6, _peak, direction=None, sesoi=1.0,
    ),
    "ranking": Setting(  # 10 points apart, 5 points from task to task
        {"theta": [0.05, -0.05, 0.02, -0.02], "tau": 0.05},
        DIFFERENCE, 0.14, _of_units(lambda d: d["mean"][:, 0] - d["mean"][:, 1]),
        data={"mean": np.full((8, 4), 0.5),  # each task asks items of its own
              "cov": np.tile(0.25 / 100 * (0.5 + 0.5 * np.eye(4)), (8, 1, 1))},
    ),
    "beta_binomial": Setting(
        {"p": [0.75, 0.25]}, SHARE, 0.12,
        lambda d, alpha: intervals.proportion(d["correct"][0], d["items"][0], alpha),
        direction=None, data={"correct": np.array([0]), "items": np.array([200])},
    ),
    "dirichlet_pairs": Setting(
        {"p": [0.55, 0.22, 0.10, 0.13]}, DIFFERENCE, 0.12,
        lambda d, alpha: intervals.paired_proportions(
            d["counts"][1], d["counts"][2], d["counts"].sum(), alpha
        ),
        data={"counts": np.array([0, 0, 0, 300])},
    ),
    "dirichlet_wins": Setting(
        {"p": [0.65, 0.15, 0.20]}, SHARE, 0.11,
        _of_units(lambda d: np.repeat([1.0, 0.5, 0.0], d["counts"])), sesoi=0.05,
        data={"counts": np.array([0, 0, 200])},
    ),
    "two_samples": Setting(  # half a point, one arm twice as spread and half as large
        {"mu": 0.5, "sigma": [2.0, 1.0]}, DIFFERENCE, 1.0, _welch,
        data={"difference": np.zeros(1), "squares": np.zeros(2), "n": np.array([60, 120])},
    ),
    "two_proportions": Setting(
        {"p": [0.8, 0.7]}, DIFFERENCE, 0.15,
        lambda d, alpha: intervals.unpaired_proportions(d["correct"], d["items"], alpha),
        data={"correct": np.array([0, 0]), "items": np.array([300, 250])},
    ),
    "strengths": Setting(  # the first wins 60 %, whoever is shown first gains
        {"theta": [0.4, -0.2, -0.2], "position": 0.3, "log_tie": -0.5, "sd": 0.3},
        SHARE, 0.08, _compared, sesoi=0.02, data=_ONCE,
    ),
    "repeats": Setting(  # two in three right, items much alike within themselves
        {"mean": 0.67, "rho": 0.6}, SHARE, 0.13,
        _of_units(lambda d: np.repeat(np.arange(6) / 5, d["units"][0])), direction=None,
        data={"answers": np.array([5]), "units": np.array([[150, 0, 0, 0, 0, 0]])},
    ),
    "sites": Setting(  # half a point, sites differ by as much, items by one
        {"mu": 0.5, "tau": 0.5, "sigma": 5 * [1.0]},
        DIFFERENCE, 1.2, _of_units(lambda d: d["mean"]),
        data={"mean": np.zeros(5), "squares": np.zeros(5), "n": np.full(5, 40.0)},
    ),
    "crossed": Setting(  # the same with 100 items shared by all
        {"mu": 0.5, "tau": 0.5, "sigma": 1.0}, DIFFERENCE, 1.2, _crossed,
        data={"k": np.array([5.0]), "n": np.array([100.0])},
    ),
}  # fmt: skip


def region(model: Model, truth: str) -> Region:
    """Claimed region, on the claim's scale, with the true value at its "centre" or "lower" end."""
    setting = SETTINGS[model.name]
    value = float(model.estimand(_draw(setting), {})[0])
    low = {"centre": value - setting.margin, "lower": value}[truth]
    return setting.scale.back(np.array([low, low + 2 * setting.margin])).tolist()


def run(model: Model, truth: str, simulation: sbc.Simulation) -> pd.DataFrame:
    """A row for each simulated data set; the same for any number of processes.

    Returns columns model, truth, replication, low, high (equal-tailed 95 % interval, the claim's
    scale), covered, covered_closed, p_region, p_closed, verdict, verdict_closed, divergences.
    """
    place = ("centre", "lower").index(truth)
    seeds = np.random.SeedSequence([simulation.seed, place]).spawn(simulation.replications)
    claimed = SETTINGS[model.name].claimed(region(model, truth))
    rows = Parallel(n_jobs=simulation.processes)(
        delayed(_replicate)(model, claimed, child, simulation.draws, simulation.tune)
        for child in seeds
    )
    table = pd.DataFrame(rows).rename_axis("replication").reset_index()
    return table.assign(model=model.name, truth=truth)


def _draw(setting: Setting) -> dict[str, np.ndarray]:
    return {name: np.array([value]) for name, value in setting.parameters.items()}


def _replicate(
    model: Model, claimed: Hypothesis, seed: np.random.SeedSequence, draws: int, tune: int
) -> dict:
    rng, setting = np.random.default_rng(seed), SETTINGS[model.name]
    scale, draw = setting.scale, _draw(setting)
    design = setting.data or sbc.DESIGNS[model.name].data
    data = model.simulate(draw, design, rng)
    truth = scale.back(model.estimand(draw, data)[0])
    prepared = model.prepare(data)
    drawn, divergences = sbc.fit(model, prepared, int(rng.integers(2**31)), draws, tune)
    posterior = bayesian.summarise(model.estimand(drawn, prepared), claimed)
    p_region, p_direction = posterior["p_region"], posterior["p_direction"]
    fit = setting.closed(data, ALPHA)
    p_closed = _mass(fit, scale, claimed.region)
    direction_closed = _mass(fit, scale, claimed.effects) if setting.direction else None
    ends = float(scale.back(fit.low)), float(scale.back(fit.high))
    verdict, _ = decision.settle(claimed, ends, p_region, (), p_direction)
    verdict_closed, _ = decision.settle(claimed, ends, p_closed, (), direction_closed)
    low, high = posterior["eti"]
    return {
        "low": low,
        "high": high,
        "covered": low <= truth <= high,
        "covered_closed": ends[0] <= truth <= ends[1],
        "p_region": p_region,
        "p_closed": p_closed,
        "verdict": str(verdict),
        "verdict_closed": str(verdict_closed),
        "divergences": divergences,
    }


def _mass(fit: intervals.Fit, scale: Scale, region: Region) -> float:
    """Probability of a region under the t posterior that a flat prior gives."""
    at = (np.array(scale.ends(region)) - fit.estimate) / fit.se
    return float(np.diff(stats.t.cdf(at, fit.dof))[0])


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Shares over the rows of `run`: one row for each model and truth.

    Returns columns model, truth, replications, coverage, coverage_closed, verified, failed,
    agreement (of the verdicts with both posteriors; where they differ the sampled one is mostly the
    more cautious), low and high (limits of the coverage: 0.95 +- 0.03, and with fewer than 500
    replications as many Monte Carlo errors), holds.
    """
    rows = []
    for (model, truth), group in table.groupby(["model", "truth"], sort=False):
        n, agrees = len(group), group["verdict"] == group["verdict_closed"]
        band = 0.03 * max(1, np.sqrt(500 / n))
        row = {
            "model": model,
            "truth": truth,
            "replications": n,
            "coverage": group["covered"].mean(),
            "coverage_closed": group["covered_closed"].mean(),
            "verified": (group["verdict"] == "VERIFIED").mean(),
            "failed": (group["verdict"] == "FAILED").mean(),
            "agreement": agrees.mean(),
            "low": 0.95 - band,
            "high": 0.95 + band,
        }
        rows.append(row | {"holds": abs(row["coverage"] - 0.95) <= band + 1e-9})
    return pd.DataFrame(rows)
