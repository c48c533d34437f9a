"""Selection of augmented samples: what is dropped, and how many each technique contributes."""

import hashlib

import pandas as pd

from kensho.augment import COLUMNS
from kensho.data.duplicates import key, near

OUTCOMES = ["unchanged", "duplicate", "test_leak", "surplus", "kept"]


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
    return order[COLUMNS].reset_index(drop=True)


def select(
    candidates: pd.DataFrame,
    originals: pd.DataFrame,
    test: pd.DataFrame,
    *,
    target: int,
    seed: int,
    threshold: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Originals plus as many candidates as lead to ``target`` rows, and what became of each.

    ``candidates`` has ``COLUMNS``, ``originals`` id, ja, en and ``test`` ja. A candidate is dropped
    as ``unchanged`` (equal to its parent), ``duplicate`` (equal to another original or an earlier
    candidate) or ``test_leak`` (bigram Jaccard similarity of at least ``threshold`` to a test
    sentence); equality is that of letters and digits after normalisation. Fewer than ``target``
    rows come back when the candidates do not suffice.

    Returns ``COLUMNS`` of the selection and ``technique, outcome, count``.

    Raises:
        ValueError: ``target`` is below the number of originals, or a candidate has no parent there.
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
    table = by_rank_then_hash(candidates, seed)
    reduced = table["ja"].map(key)
    outcome = pd.Series("kept", index=table.index)
    outcome[reduced.isin(keys.values()) | reduced.duplicated()] = "duplicate"
    outcome[reduced == table["parent"].map(keys)] = "unchanged"
    left = outcome.index[outcome == "kept"]
    leaks = near(table.loc[left, "ja"].tolist(), test["ja"].tolist(), threshold)
    outcome[left[leaks]] = "test_leak"

    fit = table[outcome == "kept"]
    techniques = sorted(table["technique"].unique())
    available = {name: int((fit["technique"] == name).sum()) for name in techniques}
    share = fit["technique"].map(quotas(available, target - len(originals)))
    over = fit.groupby("technique").cumcount() >= share
    outcome[fit.index[over.to_numpy(dtype=bool)]] = "surplus"

    base = originals.assign(parent=originals["id"], technique="original", operation="")
    augmented = pd.concat([base[COLUMNS], table[outcome == "kept"]], ignore_index=True)
    tally = pd.crosstab(table["technique"], outcome).reindex(
        index=techniques, columns=OUTCOMES, fill_value=0
    )
    counts = tally.rename_axis(index="technique", columns="outcome").stack().rename("count")
    return augmented, counts.reset_index()
