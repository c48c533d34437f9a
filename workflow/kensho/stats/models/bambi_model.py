"""bambi's PyMC model of a formula, made fit to be sampled many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm

from kensho.claims.formula import RESPONSE, Formula
from kensho.stats.models.base import Data, Prior

TRIALS = "trials"
OWN = {"gaussian": ("sigma", "noise"), "beta_binomial": ("kappa", "precision")}
_BAMBI = {"ordinal": "cumulative"}  # bambi's name where it is another


@dataclass(frozen=True)
class Columns:
    """Design matrices of a table of rows; `fixed` by the name of a term, without the intercept.

    groups: by bambi's name of a term ("1|item"): its columns (rows, c), the group of each row and
        the number of groups.
    """

    fixed: dict[str, np.ndarray]
    groups: dict[str, tuple[np.ndarray, np.ndarray, int]]


def _centres(design: Columns) -> dict[str, str]:
    """The fixed effect around which a term's groups lie; of several terms with the fewest groups.

    Where groups hold many rows, what the rows say is their sum alone.
    """
    fixed_of: dict[str, str] = {}
    for name in sorted(design.groups, key=lambda name: design.groups[name][2]):
        effect = name.split("|")[0]
        fixed = "Intercept" if effect == "1" else effect
        wide = 1 if effect == "1" else design.fixed.get(effect, np.empty((0, 0))).shape[1]
        if fixed not in fixed_of.values() and design.groups[name][0].shape[1] == wide:
            fixed_of[name] = fixed
    return fixed_of


def build(
    formula: Formula,
    likelihood: str,
    frame: pd.DataFrame,
    design: Columns,
    data: Data,
    prior: Prior,
) -> pm.Model:
    """bambi's PyMC model, with y and the hyperparameters as `pm.Data` and without what it derives.

    bambi holds the scores and the priors as constants: every data set and prior would be compiled
    anew. Its deterministic quantities are left out, one of which has an entry for each row.

    Groups of few rows are easy to sample as z times sd, groups of many as their sum with the fixed
    effect around which they lie. Sampled is raw = (z + (1 - k^2) centre / sd) / k in between, with
    k^2 = v / (v + rows sd^2) and v the variance of what one row says; the density of z and the
    Jacobian leave the posterior as it is.
    """
    import bambi

    def as_data(name: str, value: object):
        context = pm.modelcontext(None)
        if name not in context.named_vars:
            pm.Data(name, np.asarray(value, dtype=float))
        return context[name]

    def scale(name: str):
        return as_data(name, prior[name])

    def normal(hyper: str):
        make = lambda name, **dims: pm.Normal(name, 0, scale(hyper), **dims)  # noqa: E731
        return bambi.Prior("Normal", dist=make)

    def half(hyper: str):
        make = lambda name, **dims: pm.HalfNormal(name, scale(hyper), **dims)  # noqa: E731
        return bambi.Prior("HalfNormal", dist=make)

    around = _centres(design)

    def group(name: str, mu, sigma, dims):
        x, code, count = design.groups[name]
        rows = np.stack([np.bincount(code, column**2, count) for column in x.T], axis=1)
        variance = as_data("row_variance", data["row_variance"])
        rows = rows[:, 0] if sigma.ndim == 0 else rows
        k = pm.math.sqrt(variance / (variance + rows * sigma**2))
        drawn = pm.Flat(f"{name}_raw", dims=dims) * k
        if around.get(name) in pm.modelcontext(None).named_vars:
            drawn = drawn - (1 - k**2) / sigma * pm.modelcontext(None)[around[name]]
        z = pm.Deterministic(f"{name}_offset", drawn, dims=dims)
        pm.Potential(f"{name}_density", pm.logp(pm.Normal.dist(), z) + pm.math.log(k))
        return z * sigma

    def ordered(name: str, **dims):
        steps = len(np.unique(frame[RESPONSE])) - 1
        return pm.Normal(
            name, 0, scale("level"), transform=pm.distributions.transforms.ordered,
            initval=np.linspace(-1, 1, steps) if steps > 1 else np.zeros(1), **dims,
        )  # fmt: skip

    priors = {
        "Intercept": normal("level"),
        "common": normal("effect"),
        "group_specific": bambi.Prior("Normal", dist=group, mu=0, sigma=half("spread")),
    }
    if likelihood in OWN:
        name, hyper = OWN[likelihood]
        priors[name] = half(hyper)
    right = formula.text
    if likelihood == "ordinal":
        priors["threshold"] = bambi.Prior("Normal", dist=ordered)
        frame = frame.assign(**{RESPONSE: pd.Categorical(frame[RESPONSE], ordered=True)})
        right = right.replace("1 +", "0 +", 1)  # the thresholds take its place
    left = f"proportion({RESPONSE}, {TRIALS})" if likelihood == "beta_binomial" else RESPONSE
    spec = bambi.Model(
        f"{left} ~ {right}",
        frame,
        family=_BAMBI.get(likelihood, likelihood),
        priors=priors,
        auto_scale=False,
        center_predictors=False,
        noncentered=False,
    )
    spec.build()
    built = spec.backend.model
    (response,) = built.observed_RVs
    old = built.rvs_to_values[response]
    with built:
        y = pm.Data("y", np.asarray(data["y"], dtype=float if likelihood == "gaussian" else int))
    built.rvs_to_values[response] = y
    built.values_to_rvs[y] = built.values_to_rvs.pop(old)
    for derived in list(built.deterministics):
        if not derived.name.endswith("_offset"):
            built.deterministics.remove(derived)
            del built.named_vars[derived.name]
    return built
