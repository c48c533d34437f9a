"""JLCE's leaderboard: every model's scores with their intervals.

Tables are observations by arm, one row for each item, metric and training seed (the replicate).
Blocks are "<task>/<cluster>/<item>", metrics "acc" with the first prompt and "acc@2" with the
second, all of them shares from 0 to 1 but for "gold" and "chosen", the indices of labels,
"thinking", a count of characters, and the counts of corpus BLEU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats

from kensho.metrics import BLEU
from kensho.stats import intervals
from kensho.stats.units import Tables

EXPERIMENT = "jlce"
LEVELS = ["task", "cluster", "item"]
LABELS = ["gold", "chosen"]
SCORE = "score"  # the number that stands for an item in the ranking
OWN_SCORE = "own_score"  # that of a task which is none of the sixteen
BESIDE = {
    *LABELS,
    *BLEU,
    SCORE,
    OWN_SCORE,
    "parsed",
    "thinking",
}  # what no score of a task is made of
RESAMPLES = 2000
COLUMNS = ["task", "template", "arm", "metric", "main", "value", "low", "high"]
COLUMNS += ["clusters", "items", "chance", "majority", "parsed"]
Value = Callable[[np.ndarray], np.ndarray]  # of a metric, from its sums over items


def scores(
    tables: Tables,
    main: Mapping[str, str],
    baselines: Mapping[str, Mapping[str, float]],
    *,
    seed: int,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row for each task, prompt, arm and metric, the task's main metric first.

    Args:
        main: main metric by task, in the order in which the tasks shall stand.
        baselines: by task the `chance` and `majority` accuracy, of guessing evenly and of always
            giving the commonest label; tasks may be absent.
        seed: of the bootstrap.

    Metrics of items are averaged over seeds within an item and then over items. Where the items
    have labels, accuracy, balanced accuracy (mean recall of the gold labels) and Matthews's
    correlation are added, each the mean over seeds; an answer without a label (-1) is wrong.
    Intervals are BCa over resampled clusters (see `interval`); where no resample differs, Wilson's
    with the clusters as items and the value as a share of the way from its least to 1.

    Returns COLUMNS: value, low and high, numbers of clusters and items, the main metric's `chance`
    and `majority` (in its own row, NaN elsewhere and where there is none), and `parsed`, the share
    of answers that could be read (NaN where the task has no such metric).

    Raises ValueError naming arm and block, task or metric for tables that cannot be used.
    """
    places, rows = {task: place for place, task in enumerate(main)}, []
    for arm, table in tables.items():
        groups = items_of(arm, table).groupby(["task", "template"], sort=False)
        for (task, template), items in groups:
            if task not in main:
                raise ValueError(
                    f"{_file(arm)}: task '{task}' has no main metric; name it among the tasks, or "
                    "take its rows out of the table"
                )
            by_metric = _scores(arm, task, items, seed, level)
            if main[task] not in by_metric:
                raise ValueError(
                    f"{_file(arm)}: task '{task}' (prompt {template}) lacks its main metric "
                    f"'{main[task]}'; evaluate it again, or name one of {', '.join(by_metric)}"
                )
            guesses = _guesses(main[task], items, baselines.get(task, {}))
            size = items[["cluster", "item"]].drop_duplicates()
            shown = {"task": task, "template": template, "arm": arm}
            shown |= {"clusters": size["cluster"].nunique(), "items": len(size)}
            shown["parsed"] = _by_item(items, "parsed").mean()
            for metric in sorted(by_metric, key=lambda name: name != main[task]):
                is_main = metric == main[task]
                value = dict(zip(("value", "low", "high"), by_metric[metric], strict=True))
                row = shown | {"metric": metric, "main": is_main} | value
                rows.append(row | (guesses if is_main else {}))
    rows.sort(key=lambda row: (places[row["task"]], row["template"]))
    return pd.DataFrame(rows, columns=COLUMNS)


def _file(arm: str) -> str:
    return f"{EXPERIMENT}/{arm}.csv"


def items_of(arm: str, table: pd.DataFrame) -> pd.DataFrame:
    """Rows without warm-up, block and metric in their parts: LEVELS, metric, template."""
    rows = table[table["replicate"] >= 0]
    values, metric = rows["value"], rows["metric"].str.replace(r"@\d+$", "", regex=True)
    label, free = metric.isin(LABELS), metric.isin([*BLEU, "thinking"])
    for wrong, what in (
        (rows["block"].str.count("/") != 2, "is no <task>/<cluster>/<item>"),
        (metric.str.contains("@"), "has a metric that is no <name>@<number of the prompt>"),
        (~label & ~free & ~values.between(0, 1), "has a value that is no share from 0 to 1"),
        (label & ((values < -1) | (values % 1 != 0)), "has a value that is no index of a label"),
    ):
        for row in rows[wrong].head(1).itertuples():
            raise ValueError(
                f"{_file(arm)}, line {row.Index + 2}: block '{row.block}' {what} ({row.metric}: "
                f"{row.value:g}); mend the task's metric and evaluate again"
            )
    parts = rows["block"].str.split("/", expand=True).set_axis(LEVELS, axis=1)
    template = rows["metric"].str.extract(r"@(\d+)$")[0].fillna("1").astype(int)
    return rows.assign(**parts, metric=metric, template=template)


def _by_item(items: pd.DataFrame, metric: str) -> pd.Series:
    """Mean over seeds: index cluster, item."""
    rows = items[items["metric"] == metric]
    return rows.groupby(["cluster", "item"], sort=False)["value"].mean()


def _scores(arm: str, task: str, items: pd.DataFrame, seed: int, level: float) -> dict[str, tuple]:
    """By metric: value and both ends of its interval, for one task with one prompt."""
    clusters = items["cluster"].nunique()
    if clusters < 2:
        raise ValueError(
            f"{_file(arm)}: task '{task}' has {clusters} cluster; at least 2 are needed to tell "
            "how sure its score is; evaluate more items"
        )
    scores = {}
    for metric in items["metric"].unique():
        if metric not in BESIDE:
            values = _by_item(items, metric).groupby(level="cluster", sort=False)
            sums = values.agg(["sum", "count"]).to_numpy(float)
            low, high = interval(sums, mean, seed, level)
            scores[metric] = float(mean(sums.sum(0))), low, high
    if items["metric"].isin(LABELS).any():
        counts = _confusion(arm, task, items)
        for metric, of_counts in BY_LABELS.items():
            if metric not in scores:
                low, high = interval(counts, of_counts, seed, level)
                scores[metric] = float(of_counts(counts.sum(0))), low, high
    if items["metric"].isin(BLEU).any():
        counts = _ngrams(items)
        low, high = interval(counts, corpus_bleu, seed, level)
        scores["bleu"] = float(corpus_bleu(counts.sum(0))), low, high
    for metric, (value, low, high) in scores.items():
        if high - low < 1e-12:  # clusters that are all alike are not certain to stay so
            least = LEAST.get(metric, 0.0)
            share = (value - least) / (1 - least)
            ends = intervals.proportion(share * clusters, clusters, 1 - level)[1:3]
            low, high = (float(least + (1 - least) * end) for end in ends)
            scores[metric] = value, low, high
    return scores


def _confusion(arm: str, task: str, items: pd.DataFrame) -> np.ndarray:
    """Counts of gold and chosen labels: clusters x seeds x labels x labels, gold first."""
    rows = items[items["metric"].isin(LABELS)]
    pairs = rows.pivot(index=["cluster", "item"], columns=["metric", "replicate"], values="value")
    seeds = list(pairs.columns.get_level_values("replicate").unique())
    pairs = pairs.reindex(columns=pd.MultiIndex.from_product([LABELS, seeds]))
    for cluster, item in pairs.index[pairs.isna().any(axis=1)][:1]:
        raise ValueError(
            f"{_file(arm)}: block '{task}/{cluster}/{item}' lacks 'gold' or 'chosen' of one of the "
            f"seeds {', '.join(map(str, seeds))}; evaluate the arm again"
        )
    labels, codes = np.unique(pairs.to_numpy(), return_inverse=True)
    gold, chosen = np.split(codes.reshape(pairs.shape), 2, axis=1)  # items x seeds
    clusters = pd.factorize(pairs.index.get_level_values("cluster"))[0]
    counts = np.zeros((clusters.max() + 1, len(seeds), labels.size, labels.size))
    np.add.at(counts, (clusters[:, None], np.arange(len(seeds)), gold, chosen), 1)
    return counts


def _ngrams(items: pd.DataFrame) -> np.ndarray:
    """What corpus BLEU adds up: clusters x seeds x BLEU."""
    rows = items[items["metric"].isin(BLEU)]
    keys = ["cluster", "replicate", "metric"]
    sums = rows.groupby(keys, sort=False)["value"].sum().unstack("metric")[list(BLEU)]
    clusters, seeds = rows["cluster"].unique(), rows["replicate"].unique()
    whole = sums.reindex(pd.MultiIndex.from_product([clusters, seeds]))
    return whole.to_numpy().reshape(len(clusters), len(seeds), len(BLEU))


def corpus_bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU (Papineni et al. 2002) as a share, from counts (..., seeds, BLEU), mean over seeds.

    Exponential smoothing (Chen and Cherry 2014, method 3), as sacrebleu: the k-th order without a
    match counts as 1 / 2^k matches. 0 where no word is right.
    """
    length, gold, right, ngrams = np.split(counts.astype(float), [1, 2, 6], axis=-1)
    missed = (right == 0) & (ngrams > 0)
    smoothed = np.where(missed, 0.5 ** missed.cumsum(-1), right)
    share = np.divide(smoothed, ngrams, out=np.zeros_like(right), where=ngrams > 0)
    some = (right.sum(-1) > 0) & (ngrams > 0).all(-1)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0).mean(-1)
    brevity = np.minimum(1 - np.divide(gold, length, out=np.ones_like(gold), where=length > 0), 0)
    return np.where(some, np.exp(logs + brevity[..., 0]), 0.0).mean(-1)


def mean(sums: np.ndarray) -> np.ndarray:
    """Mean of items from their sum and count (..., 2)."""
    return sums[..., 0] / sums[..., 1]


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of right labels from confusion counts (..., seeds, gold, chosen), mean over seeds."""
    right = np.trace(counts, axis1=-2, axis2=-1)
    return (right / counts.sum((-2, -1))).mean(-1)


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Mean over the labels that occur as gold of the share found; counts as in `accuracy`."""
    gold, right = counts.sum(-1), np.diagonal(counts, axis1=-2, axis2=-1)
    recall = np.divide(right, gold, out=np.zeros_like(gold), where=gold > 0)
    return (recall.sum(-1) / (gold > 0).sum(-1)).mean(-1)


def matthews(counts: np.ndarray) -> np.ndarray:
    """Matthews's correlation of gold and chosen labels (1975); counts as in `accuracy`.

    Of more than two labels Gorodkin's R_K (2004). 0 where one side has a single label.
    """
    gold, chosen, items = counts.sum(-1), counts.sum(-2), counts.sum((-2, -1))
    right = np.trace(counts, axis1=-2, axis2=-1)
    covariance = right * items - (gold * chosen).sum(-1)
    spread = [np.maximum(items**2 - (side**2).sum(-1), 0) for side in (gold, chosen)]
    both = np.sqrt(spread[0] * spread[1])
    return np.divide(covariance, both, out=np.zeros_like(items), where=both > 0).mean(-1)


BY_LABELS: Mapping[str, Value] = {
    "acc": accuracy,
    "balanced_acc": balanced_accuracy,
    "mcc": matthews,
}
LEAST = {"mcc": -1.0}  # of the metrics that are below 0


def interval(sums: np.ndarray, value: Value, seed: int, level: float) -> tuple[float, float]:
    """BCa bootstrap interval (Efron 1987) of a function of sums over items, clusters resampled.

    Args:
        sums: (clusters, ...) of each cluster, at least 2 of them.
        value: (..., *sums.shape[1:]) -> (...), a value for each set of sums.

    The acceleration is that of the jackknife over clusters. Both ends are the value itself where no
    resample differs: Matthews's correlation does not under a model that always gives one label.
    """
    total = sums.sum(0)
    apart = value(np.tensordot(_weights(len(sums), seed), sums, 1)) - value(total)
    left_out = value(total - sums)
    # rounding errors are no differences
    below = np.mean(apart < -1e-12) + np.mean(np.abs(apart) <= 1e-12) / 2
    bias = stats.norm.ppf(np.clip(below, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    pull = left_out.mean() - left_out
    size = (pull**2).sum() ** 1.5
    acceleration = (pull**3).sum() / (6 * size) if size > 0 else 0.0
    z = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(apart, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(value(total) + low), float(value(total) + high)


@lru_cache(maxsize=16)  # as many sizes as there are tasks
def _weights(clusters: int, seed: int) -> np.ndarray:
    """How often each cluster was drawn: RESAMPLES x clusters."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), RESAMPLES).astype(float)


def _guesses(metric: str, items: pd.DataFrame, baseline: Mapping[str, float]) -> dict[str, float]:
    """What a metric is for even guesses and for the commonest label; {} where it has no such."""
    if metric == "acc":
        return {name: baseline[name] for name in ("chance", "majority") if name in baseline}
    if metric == "balanced_acc":
        share = 1 / items.loc[items["metric"] == "gold", "value"].nunique()
        return {"chance": baseline.get("chance", share), "majority": share}
    return {"chance": 0.0, "majority": 0.0} if metric == "mcc" else {}
