"""Changes of the tables that must not change a verdict, or must turn it round.

Each relation is checked through the whole closed-form path, from tables to the rule, with the true
value inside the claimed region, at its end and outside; and once through the sampler.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kensho.claims import designs
from kensho.claims.base import Contrast, Level, Reading, Side
from kensho.claims.designs import Test
from kensho.claims.model import Claim, Claimed, Scope
from kensho.stats import decision
from kensho.stats.analysis import Settings
from kensho.stats.evidence import gather
from kensho.stats.hypothesis import Hypothesis
from kensho.stats.judge import judge

ALPHA = 0.05
_CLOSE = 1e-9  # relative
_SAMPLED = 0.02  # Monte Carlo error of a posterior probability

Tables = dict[str, pd.DataFrame]
Ends = Callable[[np.ndarray], np.ndarray]  # how the interval must move, on the claim's scale
Changed = tuple[Test, Tables, Ends]


@dataclass(frozen=True)
class Subject:
    """A registered test, tables for a true value (claim's scale), and the true values to try."""

    name: str
    test: Test
    tables: Callable[[float, np.random.Generator], Tables]
    truths: tuple[float, ...]


def run(seed: int = 0, draws: int | None = 500) -> pd.DataFrame:
    """Columns relation, design, holds; `draws` None leaves the sampler out."""
    rows = []
    for place, subject in enumerate(subjects()):
        rng = np.random.default_rng([seed, place])
        data = [subject.tables(truth, rng) for truth in subject.truths]
        before = [closed_form(subject.test, tables) for tables in data]
        for relation, change in RELATIONS.items():
            changed = [change(subject.test, tables, rng) for tables in data]
            pairs = [(old, new) for old, new in zip(before, changed, strict=True) if new]
            if pairs:
                holds = all(_agree(old, closed_form(*new[:2]), new[2]) for old, new in pairs)
                rows.append((relation, subject.name, holds))
        if place == 0 and draws:
            old = _sampled(subject.test, data[0], draws)
            for relation, change in RELATIONS.items():
                if changed_data := change(subject.test, data[0], rng):
                    test, tables, moved = changed_data
                    new = _sampled(test, tables, draws)
                    holds = _agree(old[:2], new[:2], moved) and abs(old[2] - new[2]) <= _SAMPLED
                    rows.append((relation, f"{subject.name}, sampled", holds))
    return pd.DataFrame(rows, columns=["relation", "design", "holds"])


def closed_form(test: Test, tables: Mapping[str, pd.DataFrame]) -> tuple[tuple, np.ndarray]:
    """Verdict with reason, and the interval on the claim's scale."""
    evidence = gather(test, next(iter(test.all_readings), None), tables, 0)
    if evidence.interval is None:
        raise ValueError(evidence.constant)
    ends = evidence.scale.back(np.array(evidence.interval(ALPHA)[1:3], dtype=float))
    return decision.by_interval(Hypothesis.of_test(test), (ends[0], ends[1])), ends


def _sampled(test: Test, tables: Tables, draws: int) -> tuple[tuple, np.ndarray, float]:
    """The same of a whole judgement, and the posterior probability of the region."""
    low, high = test.region
    claim = Claim(
        id="M-1", source="A", statement="-", quantity="-", unit="-",
        claimed=Claimed(low=low, high=high), scope=Scope(models=["any"]), test=test,
        not_tested=None,
    )  # fmt: skip
    conditions = {arm: {"tier": "at-scope"} for arm in tables}
    settings = Settings(family_size=1, alpha=ALPHA, seed=0, draws=draws)
    judgement = judge(claim, tables, conditions, settings)[0].model_dump()
    verdict = judgement["verdict"], judgement["reason"]
    return verdict, np.array(judgement["interval"]), judgement["posterior"]["p_region"]


def _agree(old: tuple, new: tuple, moved: Ends) -> bool:
    return old[0] == new[0] and np.allclose(np.sort(moved(old[1])), new[1], rtol=_CLOSE, atol=1e-12)


def _each(tables: Tables, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Tables:
    return {arm: change(table) for arm, table in tables.items()}


def swap_arms(test: Test, tables: Tables, rng: np.random.Generator) -> Changed | None:
    """The other side first, or wrong for right: reciprocal, negated or complementary."""
    if test.scale in ("dose", "level"):
        return None
    turn = {"ratio": lambda x: 1 / x, "difference": lambda x: -x, "share": lambda x: 1 - x}
    turned = turn[test.scale]
    low, high = test.region
    swapped: dict = {
        "region": [None if end is None else turned(end) for end in (high, low)],
        "direction": {"greater": "less", "less": "greater", None: None}[test.direction],
    }
    if isinstance(test, designs.PairRanking):
        swapped["models"] = test.models[::-1]
    elif test.scale == "share":
        other = {"preference.first": "preference.second", "preference.second": "preference.first"}
        tables = _each(
            tables, lambda t: t.assign(value=1 - t["value"], metric=t["metric"].replace(other))
        )
    else:
        swapped["readings"] = [
            reading.model_copy(
                update=dict(
                    zip(list(type(reading).model_fields)[1:], reversed(reading.sides), strict=True)
                )
            )
            for reading in test.all_readings
        ]
    return test.model_copy(update=swapped), tables, turned


def other_unit(test: Test, tables: Tables, rng: np.random.Generator) -> Changed | None:
    """Milliseconds for seconds, scores of 100 for scores of 10, doses in pairs."""
    if test.scale == "ratio":
        return test, _each(tables, lambda t: t.assign(value=1000 * t["value"])), lambda x: x
    region = [end and 2 * end for end in test.region]
    if isinstance(test, designs.DoseOptimum):
        doses = {arm: 2 * dose for arm, dose in test.doses.items()}
        return test.model_copy(update={"region": region, "doses": doses}), tables, lambda x: 2 * x
    if test.scale == "level" or getattr(test, "outcome", None) == "score":
        doubled = _each(tables, lambda t: t.assign(value=2 * t["value"]))
        prior = {name: 2 * scale for name, scale in (test.prior or {}).items()}
        wider = test.model_copy(update={"region": region, "sesoi": 2 * test.sesoi, "prior": prior})
        return wider, doubled, lambda x: 2 * x
    return None


def shuffle_and_rename(test: Test, tables: Tables, rng: np.random.Generator) -> Changed:
    """Rows in another order in every table, blocks under other names of the same order."""

    def renamed(block: str) -> str:
        return "/".join("the " + part for part in block.split("/"))

    shuffled = _each(
        tables,
        lambda t: (
            t.iloc[rng.permutation(len(t))]
            .assign(block=lambda t: t["block"].map(renamed))
            .reset_index(drop=True)
        ),
    )
    return test, shuffled, lambda x: x


def block_effects(test: Test, tables: Tables, rng: np.random.Generator) -> Changed | None:
    """Every block slower, or easier, by the same for all arms."""
    unlike = test.scale in ("share", "level") or not test.paired
    if unlike or getattr(test, "outcome", None) == "binary":
        return None
    blocks = next(iter(tables.values()))["block"].unique()
    effect = pd.Series(rng.normal(0, 1, len(blocks)), blocks)

    def shifted(table: pd.DataFrame) -> pd.DataFrame:
        own = table["block"].map(effect)
        value = table["value"] * np.exp(own) if test.scale == "ratio" else table["value"] + own
        return table.assign(value=value)

    return test, _each(tables, shifted), lambda x: x


def double_iterations(test: Test, tables: Tables, rng: np.random.Generator) -> Changed:
    """Every iteration twice: the block is the unit, so nothing is gained."""

    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        again = table.assign(replicate=table["replicate"] + 1 + table["replicate"].max())
        return pd.concat([table, again], ignore_index=True)

    return test, _each(tables, doubled), lambda x: x


RELATIONS: dict[str, Callable[[Test, Tables, np.random.Generator], Changed | None]] = {
    "swap arms": swap_arms,
    "other unit": other_unit,
    "shuffle rows, rename blocks": shuffle_and_rename,
    "constant block effects": block_effects,
    "iterations doubled": double_iterations,
}


def _table(arm: str, metric: str, blocks: list[str], values: np.ndarray) -> pd.DataFrame:
    """Observations of one metric, values (blocks, replicates)."""
    replicates = values.shape[1]
    return pd.DataFrame(
        {
            "experiment": "e",
            "arm": arm,
            "block": np.repeat(blocks, replicates),
            "replicate": np.tile(np.arange(replicates), len(blocks)),
            "metric": metric,
            "value": values.ravel().astype(float),
            "unit": "-",
        }
    )


def _names(n: int) -> list[str]:
    return [f"b{i:02d}" for i in range(n)]


def _pair(over: np.ndarray, under: np.ndarray, blocks: list[str]) -> Tables:
    return {"a": _table("a", "m", blocks, over), "b": _table("b", "m", blocks, under)}


def _seconds(truth: float, rng: np.random.Generator) -> Tables:
    times = np.exp(rng.normal(0, 0.02, (2, 12, 3)) + rng.normal(0, 0.5, (12, 1)))
    return _pair(truth * times[0], times[1], _names(12))


def _scores(truth: float, rng: np.random.Generator) -> Tables:
    scores = rng.normal(5, 0.3, (2, 40, 2))
    return _pair(scores[0] + truth, scores[1], _names(40))


def _clustered(truth: float, rng: np.random.Generator) -> Tables:
    blocks = [f"c{c}/i{i}" for c in range(12) for i in range(25)]
    right = rng.random((2, len(blocks), 1)) < np.array([0.7 + truth, 0.7])[:, None, None]
    return _pair(right[0], right[1], blocks)


def _unpaired(truth: float, rng: np.random.Generator) -> Tables:
    over, under = rng.normal(truth, 0.5, (60, 2)), rng.normal(0, 0.3, (90, 2))
    return {"a": _table("a", "m", _names(60), over), "b": _table("b", "m", _names(90), under)}


def _unpaired_answers(truth: float, rng: np.random.Generator) -> Tables:
    over, under = rng.random((300, 1)) < 0.6 + truth, rng.random((400, 1)) < 0.6
    return {"a": _table("a", "m", _names(300), over), "b": _table("b", "m", _names(400), under)}


def _level(truth: float, rng: np.random.Generator) -> Tables:
    return {"a": _table("a", "m", _names(40), truth + rng.normal(0, 0.5, (40, 2)))}


def _repeated(truth: float, rng: np.random.Generator) -> Tables:
    own = rng.beta(truth, 1 - truth, (100, 1))
    return {"a": _table("a", "m", _names(100), rng.random((100, 4)) < own)}


def _preferences(truth: float, rng: np.random.Generator) -> Tables:
    blocks = _names(80)
    orders = ("preference.first", "preference.second")
    values = rng.binomial(2, truth, (2, 80, 1)) / 2
    return {"a": pd.concat([_table("a", o, blocks, v) for o, v in zip(orders, values, strict=True)],
                           ignore_index=True)}  # fmt: skip


def _drawn_orders(truth: float, rng: np.random.Generator) -> Tables:
    table = _preferences(truth, rng)["a"]
    drawn = np.tile(rng.random(80) < 0.5, 2) == (table["metric"] == "preference.first")
    return {"a": table[drawn].reset_index(drop=True)}


def _comparisons(truth: float, rng: np.random.Generator) -> Tables:
    """Both orders of 60 prompts; whoever is shown first gains 10 points."""
    orders = {"a over b": truth + 0.1, "b over a": 1 - truth + 0.1}
    tables = [
        _table("c", metric, _names(60), rng.binomial(2, share, (60, 1)) / 2)
        for metric, share in orders.items()
    ]
    return {"c": pd.concat(tables, ignore_index=True)}


_DOSES = {f"d{dose}": float(dose) for dose in (500, 1000, 2000, 4000, 8000, 16000)}


def _curve(truth: float, rng: np.random.Generator) -> Tables:
    return {
        arm: _table(
            arm, "m", _names(10),
            -0.4 * math.log2(dose / truth) ** 2 + rng.normal(0, 0.4, (10, 1)),
        )
        for arm, dose in _DOSES.items()
    }  # fmt: skip


def subjects() -> tuple[Subject, ...]:
    """One registered test of every kind that a relation says something about."""
    a, b = (Side(arm=arm, metric="m") for arm in ("a", "b"))
    ratio = Reading(label="a over b", numerator=a, denominator=b)
    of = Level(label="a", of=a)
    minus = Contrast(label="a minus b", treatment=a, control=b)
    return (
        Subject("paired ratio", designs.PairedRatio(
            design="paired_log_ratio", experiment="e", readings=[ratio], region=[1.7, 1.9],
            direction="greater", sesoi=1.05), _seconds, (1.8, 1.9, 2.2)),
        Subject("score difference", designs.PairedDifference(
            design="paired_difference", experiment="e", readings=[minus], outcome="score",
            region=[0.3, 0.7], direction="greater", sesoi=0.1,
            prior={"location": 1.0, "spread": 1.0}), _scores, (0.5, 0.7, 1.0)),
        Subject("accuracy difference, clusters", designs.PairedDifference(
            design="paired_difference", experiment="e", readings=[minus], outcome="binary",
            region=[0.0, 0.3], direction="greater", sesoi=0.01, levels=["cluster", "item"]),
            _clustered, (0.15, 0.0, -0.2)),
        Subject("win rate", designs.WinRate(
            design="win_rate", experiment="e", comparison="a", region=[0.6, 0.9],
            direction="greater", sesoi=0.05), _preferences, (0.75, 0.6, 0.45)),
        Subject("optimal dose", designs.DoseOptimum(
            design="dose_optimum", experiment="e", doses=_DOSES, metric="m",
            region=[2500.0, 6400.0], sesoi=0.1), _curve, (4000.0, 6400.0, 9000.0)),
        Subject("score difference, unpaired", designs.UnpairedDifference(
            design="unpaired_difference", experiment="e", readings=[minus], outcome="score",
            region=[0.2, 0.8], direction="greater", sesoi=0.1,
            prior={"location": 1.0, "spread": 1.0}), _unpaired, (0.5, 0.8, 1.5)),
        Subject("accuracy difference, unpaired", designs.UnpairedDifference(
            design="unpaired_difference", experiment="e", readings=[minus], outcome="binary",
            region=[0.0, 0.4], direction="greater", sesoi=0.01),
            _unpaired_answers, (0.2, 0.0, -0.3)),
        Subject("mean score", designs.MeanScore(
            design="mean_score", experiment="e", readings=[of], region=[6.7, 7.3], sesoi=0.1,
            prior={"location": 10.0, "spread": 2.0}), _level, (7.0, 7.3, 8.0)),
        Subject("accuracy, repeated items", designs.Proportion(
            design="proportion", outcome="repeats", experiment="e", readings=[of],
            region=[0.5, 0.9], sesoi=0.05), _repeated, (0.7, 0.5, 0.2)),
        Subject("win rate, one random order", designs.WinRate(
            design="win_rate", orders="random", experiment="e", comparison="a",
            region=[0.6, 0.9], direction="greater", sesoi=0.05),
            _drawn_orders, (0.75, 0.6, 0.4)),
        Subject("order by comparisons", designs.PairRanking(
            design="pair_ranking", experiment="e", comparison="c", models=["a", "b"],
            order="whole", region=[0.6, 0.9], direction="greater", sesoi=0.05),
            _comparisons, (0.75, 0.6, 0.4)),
    )  # fmt: skip
