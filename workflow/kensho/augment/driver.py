"""Selection of augmented samples: what is dropped, and how many each technique contributes."""

import hashlib

import pandas as pd

from kensho.augment import COLUMNS
from kensho.data.duplicates import key, near

JUDGED = ["similarity", "unattested", "unfit"]  # what the guard and a model say of a candidate
DROPS = ["unfit", "unchanged", "duplicate", "meaning", "grammar", "test_leak", "surplus"]
OUTCOMES = [*DROPS, "kept"]


def quotas(available: dict[str, int], wanted: int) -> dict[str, int]:
    """``wanted`` samples shared equally; what one technique cannot fill goes to the others."""
    shares: dict[str, int] = {}
    for name in sorted(available, key=lambda n: (available[n], n)):
        shares[name] = min(available[name], wanted // (len(available) - len(shares)))
        wanted -= shares[name]
    return shares


def by_rank_then_hash(candidates: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Candidates in selection order: every parent's first variant before any second one."""
    ordered = candidates.sort_values("id", ignore_index=True)
    rank = ordered.groupby(["technique", "parent"]).cumcount()
    digest = [hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest() for name in ordered["id"]]
    order = ordered.assign(_rank=rank, _digest=digest).sort_values(["_rank", "_digest"])
    return order.drop(columns=["_rank", "_digest"]).reset_index(drop=True)


def below(similarity: pd.Series, least: float | None) -> pd.Series:
    """Whether each candidate was scored, and below the least similarity.

    Raises ValueError where there are scores and no threshold.
    """
    scores = pd.to_numeric(similarity.replace("", None))
    if least is None:
        if scores.notna().any():
            raise ValueError("candidates were scored without a threshold; pass least_similarity")
        return pd.Series(False, index=similarity.index)
    return scores < least


def select(
    candidates: pd.DataFrame,
    originals: pd.DataFrame,
    test: pd.DataFrame,
    *,
    target: int,
    seed: int,
    threshold: float,
    least_similarity: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Originals plus as many candidates as lead to ``target`` rows, and what became of each.

    ``candidates`` has ``COLUMNS``; where the guard scored any, ``similarity`` (cosine to the
    parent, "" where not scored) and ``unattested`` (a connection of words that nobody wrote, ""
    where there is none); where a model wrote any, ``unfit`` (why one is no sentence, "" where it
    may be one). ``originals`` and ``test`` have id, ja, en. A candidate is dropped as ``unfit``,
    ``unchanged`` (equal to its parent), ``duplicate`` (equal to another original or an earlier fit
    candidate that the guard lets pass), ``meaning`` (scored below ``least_similarity``),
    ``grammar`` (unattested) or ``test_leak`` (bigram Jaccard similarity of at least ``threshold``
    to a test sentence, or its English side); equality is that of letters and digits after
    normalisation. Fewer than
    ``target`` rows come back when the candidates do not suffice.

    Returns ``COLUMNS`` of the selection and ``technique, outcome, count``.

    Raises:
        ValueError: ``target`` is below the number of originals, a candidate has no parent there, or
            candidates were scored and there is no threshold.
    """
    if target < len(originals):
        raise ValueError(
            f"augment target {target} is below the {len(originals)} originals: raise it"
        )
    keys = dict(zip(originals["id"], map(key, originals["ja"]), strict=True))
    if strays := sorted(set(candidates["parent"]) - set(keys)):
        raise ValueError(
            f"candidate parent {strays[0]!r} is not among the originals: pass its table"
        )
    table = by_rank_then_hash(candidates.reindex(columns=[*COLUMNS, *JUDGED]), seed)
    table[JUDGED] = table[JUDGED].fillna("")
    reduced = table["ja"].map(key)
    drifted = below(table["similarity"], least_similarity)
    outcome = pd.Series("kept", index=table.index)
    unfit, broken = table["unfit"] != "", table["unattested"] != ""
    outcome[broken] = "grammar"
    outcome[drifted] = "meaning"
    stopped = drifted | broken | unfit
    repeats = reduced.isin(keys.values())
    repeats |= ~stopped & reduced.mask(stopped).duplicated()
    outcome[repeats] = "duplicate"
    outcome[reduced == table["parent"].map(keys)] = "unchanged"
    outcome[unfit] = "unfit"
    left = outcome.index[outcome == "kept"]
    leaks = near(table.loc[left, "ja"].tolist(), test["ja"].tolist(), threshold)
    leaks |= table.loc[left, "en"].map(key).isin(set(map(key, test["en"])) - {""}).to_numpy(bool)
    outcome[left[leaks]] = "test_leak"

    fit = table[outcome == "kept"]
    techniques = sorted(table["technique"].unique())
    available = {name: int((fit["technique"] == name).sum()) for name in techniques}
    share = fit["technique"].map(quotas(available, target - len(originals))).astype(int)
    over = fit.groupby("technique").cumcount() >= share
    outcome[fit.index[over.to_numpy(dtype=bool)]] = "surplus"

    base = originals.assign(parent=originals["id"], technique="original", operation="")
    augmented = pd.concat([base, table[outcome == "kept"]], ignore_index=True)[COLUMNS]
    tally = pd.crosstab(table["technique"], outcome).reindex(
        index=techniques, columns=OUTCOMES, fill_value=0
    )
    counts = tally.rename_axis(index="technique", columns="outcome").stack().rename("count")
    return augmented, counts.reset_index()
