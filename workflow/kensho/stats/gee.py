"""A formula's contrast by statsmodels, in the likelihood's own link: shown, and never decides.

Generalised estimating equations with exchangeable units and bias-reduced errors (Mancl & DeRouen
2001, Biometrics 57), of ordered scores a cumulative logit with the clustered sandwich; the contrast
by g-computation and the delta method, t with the units' degrees of freedom.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from kensho.claims.formula import RESPONSE
from kensho.claims.formula_design import FormulaContrast
from kensho.stats.marginal import Rows
from kensho.stats.models.formula import columns

Fit = tuple[float, float, float]  # estimate, low, high


def marginal_model(
    test: FormulaContrast, frame: pd.DataFrame, score: np.ndarray, rows: Rows, alpha: float
) -> Fit | None:
    """Estimate and interval on the working scale; None where the model has no finite fit.

    Args: frame as the model takes it; score (rows,), of a beta-binomial count the share.
    """
    design, in_arm = columns(replace(test.parsed, groups=()), frame)
    x, treated, control = (
        np.hstack([np.ones((len(frame), 1)), *d.fixed.values()])
        for d in (design, in_arm(test.contrast.treatment), in_arm(test.contrast.control))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not converge is left out
        try:
            if test.likelihood == "ordinal":
                means, gradients, cov = _ordered(frame[RESPONSE], x, treated, control, rows)
            else:
                means, gradients, cov = _gee(score, x, treated, control, rows, test.likelihood)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError):
            return None
    if test.scale == "ratio":
        if min(means) <= 0:
            return None
        means, gradients = np.log(means), gradients / np.array(means)[:, None]
    estimate, gradient = means[0] - means[1], gradients[0] - gradients[1]
    variance = gradient @ cov @ gradient
    half = stats.t.ppf(1 - alpha / 2, rows.dof) * np.sqrt(max(variance, 0))
    if not (np.isfinite([estimate, half]).all() and half > 0):
        return None
    ends = (estimate, estimate - half, estimate + half)
    estimate, low, high = (float(f"{x:.5g}") for x in ends)  # further digits are the machine's
    return estimate, low, high


def _gee(score, x, treated, control, rows: Rows, likelihood: str):
    """Average predictions of both arms (2,), their gradients (2, p) and the covariance (p, p)."""
    from statsmodels import api as sm

    gaussian = likelihood == "gaussian"
    family = sm.families.Gaussian() if gaussian else sm.families.Binomial()
    fit = sm.GEE(
        score, x, groups=rows.unit, family=family, cov_struct=sm.cov_struct.Exchangeable()
    ).fit(cov_type="bias_reduced")
    if not fit.converged:
        raise ValueError("no convergence")
    beta, means, gradients = fit.params, [], []
    for z in (treated, control):
        mean = z @ beta if gaussian else expit(z @ beta)
        slope = np.ones_like(mean) if gaussian else mean * (1 - mean)
        means.append(mean.mean())
        gradients.append((slope[:, None] * z).mean(axis=0))
    return np.array(means), np.array(gradients), fit.cov_params()


def _ordered(score: pd.Series, x, treated, control, rows: Rows):
    from statsmodels.miscmodels.ordinal_model import OrderedModel
    from statsmodels.tools.numdiff import approx_fprime

    levels, codes = np.unique(score.to_numpy(float), return_inverse=True)
    model = OrderedModel(pd.Categorical(codes, ordered=True), x[:, 1:], distr="logit")
    fit = model.fit(method="bfgs", maxiter=500, disp=False)
    if not fit.mle_retvals["converged"]:
        raise ValueError("no convergence")
    scores = model.score_obs(fit.params)
    by_unit = np.stack([np.bincount(rows.unit, column) for column in scores.T], axis=1)
    bread = np.linalg.inv(model.hessian(fit.params))
    cov = bread @ (by_unit.T @ by_unit) @ bread * rows.units / (rows.units - 1)

    def means(params: np.ndarray) -> np.ndarray:
        every = (model.predict(params, z[:, 1:], which="prob") for z in (treated, control))
        return np.array([(np.asarray(p) @ levels).mean() for p in every])

    return means(fit.params), np.atleast_2d(approx_fprime(fit.params, means)), cov
