"""Processor seconds of `audit` for a table of 10,000 rows: every check, and the ties.

Figures are drawn here, most of them consistent and some not: this times the checks, nothing else.
"""

import time
from collections.abc import Iterator

import machine
import numpy as np
import pandas as pd
from kensho.audit import catalogue, table
from kensho.stats import aggregates

ROWS, LIMIT = 10_000, 10
Case = tuple[str, dict[str, object], dict[str, object]]  # what it times, columns, check


def matrices(rng: np.random.Generator, items: int, decimals: int) -> dict[str, list[str]]:
    """Figures of random confusion matrices, one of three rows with an MCC that is moved."""
    positives = rng.integers(1, items, ROWS)
    hits = rng.binomial(positives, rng.uniform(0.5, 1, ROWS))
    right = rng.binomial(items - positives, rng.uniform(0.5, 1, ROWS))
    alarms, missed = items - positives - right, positives - hits
    recall, specificity = hits / positives, right / (items - positives)
    square = (hits + alarms) * positives * (items - positives) * (right + missed)
    mcc = (hits * right - alarms * missed) / np.sqrt(np.maximum(square, 1))
    figures = {
        "accuracy": (hits + right) / items,
        "precision": hits / np.maximum(hits + alarms, 1),
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * hits / (2 * hits + alarms + missed),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": np.where(rng.random(ROWS) < 1 / 3, mcc + rng.uniform(-0.2, 0.2, ROWS), mcc),
    }
    return {
        "positives": [str(k) for k in positives],
        **{name: [f"{x:.{decimals}f}" for x in values] for name, values in figures.items()},
    }


def confusions(rng: np.random.Generator) -> Iterator[Case]:
    four = ["accuracy", "f1", "balanced_accuracy", "mcc"]
    for items, decimals in ((200, 3), (2000, 3)):
        columns = matrices(rng, items, decimals)
        for names in (four, four[:2], four[2:], ["accuracy", "mcc"], ["precision", "specificity"]):
            check = {"check": "confusion", "items": items, **{name: name for name in names}}
            yield f"of {items} items, {decimals} decimals: {', '.join(names)}", columns, check
        check = {"check": "confusion", "items": items, "positives": "positives"}
        check |= {name: name for name in four}
        yield f"of {items} items, {decimals} decimals: the four and positives", columns, check


def rows(rng: np.random.Generator) -> Iterator[Case]:
    def figures(low: float, high: float, decimals: int) -> list[str]:
        return [f"{x:.{decimals}f}" for x in rng.uniform(low, high, ROWS)]

    share, more = figures(0, 1, 3), figures(0, 1, 3)
    yield "", {"x": share}, {"check": "reachable", "score": "x", "items": 448}
    errors = {"x": share, "e": [f"{(float(x) * (1 - float(x)) / 448) ** 0.5:.4f}" for x in share]}
    yield "", errors, {"check": "standard_error", "score": "x", "error": "e", "items": 448}
    parts = {f"e{i}": figures(0.01, 0.05, 3) for i in range(5)}
    group = {"check": "group_error", "error": "e0", "parts": list(parts), "sizes": [200] * 5}
    yield "", parts, group
    for items, highest in ((80, 5), (80, 10), (2000, 10)):
        judged = {"m": figures(1, highest, 2), "s": figures(0, highest / 2, 2)}
        check = {"check": "judge_scores", "mean": "m", "deviation": "s", "items": items}
        yield f"{items} from 1 to {highest}", judged, check | {"lowest": 1, "highest": highest}
    for test, freedom in (("t", {"df": 28}), ("F", {"df": 2, "df2": 60}), ("chi2", {"df": 3}),
                          ("r", {"df": 55}), ("z", {})):  # fmt: skip
        values = figures(-0.9 if test in "rtz" else 0, 0.9 if test == "r" else 4, 2)
        columns = {"p": figures(0, 1, 3), "v": values}
        yield (
            test,
            columns,
            {"check": "p_value", "p": "p", "statistic": "v", "test": test, **freedom},
        )
    ends = {"p": share, "x": figures(0.4, 0.6, 2), "low": figures(0, 0.4, 2),
            "high": figures(0.6, 1, 2)}  # fmt: skip
    yield "", ends, {"check": "p_of_interval", "p": "p", "low": "low", "high": "high"}
    yield "", ends, {"check": "symmetric", "estimate": "x", "low": "low", "high": "high"}
    yield (
        "",
        {"d": share, "t": more},
        {"check": "d_of_t", "effect": "d", "statistic": "t", "items": 50},
    )
    yield "", {"x": share, "y": more, "z": share}, {
        "check": "derived", "figure": "x", "operation": "ratio", "parts": ["y", "z"]}  # fmt: skip
    ends = {"before": "x", "after": "y", "printed_gain": "z"}
    yield "", {"x": share, "y": more, "z": share}, {"check": "gain", **ends, "unit": "points"}
    several = {f"p{i}": figures(0, 1, 3) for i in range(10)} | {"x": figures(0.4, 0.6, 3)}
    names = [f"p{i}" for i in range(10)]
    yield "of 10", several, {"check": "mean_of_parts", "total": "x", "parts": names}
    yield "", {"x": share, "y": more}, {"check": "complement", "wins": "x", "losses": "y"}
    machines = {"gb": figures(1, 200, 1), "b": figures(1, 80, 2), "tps": figures(1, 500, 1)}
    weights = {"parameters": "b", "bits": 16}
    yield "", machines, {"check": "weights_in_memory", "memory": "gb", **weights}
    yield "", machines, {"check": "file_size", "size": "gb", **weights}
    yield "", machines, {"check": "bandwidth", "passes": "tps", **weights, "limit": 5300}
    yield "", machines, {"check": "peak", "tokens": "tps", "parameters": "b", "limit": 1307}
    yield "", machines, {"check": "cost", "total": "gb", "hours": "tps", "price": "b"}
    yield "", {"x": share}, {"check": "within", "figure": "x", "lowest": 0, "highest": 1}
    yield (
        "",
        {"x": share, "y": figures(0, 1, 2)},
        {"check": "same", "figure": "x", "elsewhere": "y"},
    )
    days = {"r": [f"2024-{1 + i % 12:02}-01" for i in range(ROWS)]}
    yield "", days, {"check": "dated", "reported": "r", "published": "2024-06-01"}


def columns_(rng: np.random.Generator) -> Iterator[Case]:
    for items, decimals in ((448, 3), (1319, 4)):
        scores = [f"{k / items:.{decimals}f}" for k in rng.integers(0, items + 1, ROWS)]
        for of in (items, items + 1):
            check = {"check": "items_recovered", "scores": "x", "items": of}
            yield f"{items} items at {decimals} decimals, held against {of}", {"x": scores}, check
    scores = np.sort(rng.random(ROWS))[::-1]
    texts = [f"{x:.4f}" for x in scores]
    places = [str(k) for k in range(1, ROWS + 1)]
    yield "", {"x": texts, "r": places}, {"check": "ranks", "scores": "x", "places": "r"}
    yield "", {"x": ["**1.0000**", *texts[1:]]}, {"check": "bold_is_best", "scores": "x"}
    yield "", {"x": texts}, {"check": "round_robin", "rates": "x"}
    for players in (142, 2000, ROWS):
        ability = rng.normal(0, 1, players)
        first = rng.integers(0, players, ROWS)
        second = (first + rng.integers(1, players, ROWS)) % players
        rates = 1 / (1 + np.exp(ability[second] - ability[first]))
        pairs = {"a": [f"m{i}" for i in first], "b": [f"m{i}" for i in second],
                 "x": [f"{x:.3f}" for x in rates]}  # fmt: skip
        check = {"check": "cycles", "first": "a", "second": "b", "rates": "x"}
        yield f"of {players} players", pairs, check


def seconds(columns: dict[str, object], check: dict[str, object]) -> tuple[float, dict[str, int]]:
    """Seconds of the audit of one check, and how many findings have which word."""
    spec = table.Spec.model_validate(
        {"title": "t", "table": "t.csv", "rows": "model", "checks": [check]}
    )
    of = pd.DataFrame({"model": [f"m{i}" for i in range(ROWS)], **columns}, dtype=str)
    of.index = pd.Index([f"line {i + 2}" for i in range(ROWS)])
    start = time.process_time()
    findings = table.audit(spec, of, "t.csv")
    return time.process_time() - start, findings["word"].value_counts().to_dict()


def ties(rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Seconds for places on a board of as many distinct scores as rows."""
    scores = rng.permutation(ROWS) / ROWS
    for decimals in (4, 6):
        spec = table.Spec.model_validate(
            {"title": "t", "table": "t.csv", "rows": "model", "checks": [],
             "ties": [{"score": "x", "items": 1319}]}
        )  # fmt: skip
        of = pd.DataFrame(
            {"model": [f"m{i}" for i in range(ROWS)], "x": [f"{x:.{decimals}f}" for x in scores]}
        )
        start = time.process_time()
        aggregates.places(spec, of, 0.05)
        yield f"{decimals} decimals", time.process_time() - start


def main() -> None:
    print(machine.describe())
    rng, slow, timed = np.random.default_rng(0), [], set()
    for kinds in (rows, columns_, confusions):
        for of, columns, check in kinds(rng):
            took, words = seconds(columns, check)
            name = f"{check['check']} {of}".strip()
            timed.add(check["check"])
            told = ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
            print(f"{took:7.2f} s  {name} ({told})", flush=True)
            slow += [name] * (took >= LIMIT)
    for of, took in ties(rng):
        print(f"{took:7.2f} s  ties of {ROWS} distinct scores, {of}", flush=True)
        slow += [f"ties, {of}"] * (took >= LIMIT)
    if left := set(catalogue.CHECKS) - timed:
        raise SystemExit(f"never timed: {', '.join(sorted(left))}")
    if slow:
        raise SystemExit(f"slower than {LIMIT} s: {'; '.join(slow)}")


if __name__ == "__main__":
    main()
