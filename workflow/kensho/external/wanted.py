"""What claims ask of tables that the user brings, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim, Test
from kensho.external.kinds import FOLDER, MISSING
from kensho.external.rows import ORDERS, known, shown
from kensho.files import read_json, sha256

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Tables without a suite of their own.
PLAIN = {"csv", "jsonl", "parquet", "pairwise", "comparisons"}
JUDGED = ("pairwise", "comparisons")  # formats that are layouts too
CRATE = ("experiment", "of")  # keys that an exported crate needs
OF_ARM = ("wide", "pairwise")  # layouts in which an arm has its own part of a row
# Keys of a table that only some formats read.
READ_BY = {
    "layout": {"csv", "jsonl", "parquet"},
    "fields": PLAIN,
    "delimiter": {"csv", "pairwise", "comparisons"},
    "decimal": {"csv"},
    "score": PLAIN,
    "filter": {"lm-eval", "lm-eval-results", "helm"},
    "item": {*PLAIN, "lm-eval", "inspect", "alpaca-eval"},
    "cluster": {*PLAIN, "lm-eval", "inspect", "alpaca-eval"},
    "task": {*PLAIN, "lm-eval", "inspect", "helm", "alpaca-eval"},
    "metric": {"csv", "jsonl", "parquet", "lm-eval", "lm-eval-results", "inspect", "helm", "crate"},
    **{key: {"crate"} for key in CRATE},
}
# Keys and fields of a plain table that a layout does not read.
_SHOWN = {"fields.first", "fields.second"}
UNREAD = {
    "long": {"fields.order", "fields.judge", *_SHOWN},
    "wide": {"score", "fields.arm", "fields.order", "fields.judge", *_SHOWN},
    "pairwise": {"metric", "decimal", "fields.arm", "fields.replicate", "fields.unit", *_SHOWN},
    "comparisons": {
        *("metric", "decimal", "fields.arm", "fields.replicate", "fields.unit", "fields.order"),
    },
}
AGREED = ("external", "levels", "aliases", "incomplete")


@dataclass(frozen=True)
class Experiment:
    """What claims ask of the tables of one experiment."""

    tables: list[ExternalTable]
    levels: list[str]
    arms: list[str]
    aliases: dict[str, str] = field(default_factory=dict)  # name in claims: in the tables
    incomplete: str = "refuse"  # or drop: items that not every arm has
    orders: str = "both"  # or random: each prompt is judged in one order, drawn for it
    paired: bool = True  # whether a claim pairs the items of the arms

    def named(self, name: str, where: object) -> str:
        """The name that claims give to an arm of a table."""
        inverse = {in_table: own for own, in_table in self.aliases.items()}
        if name in self.aliases and name not in inverse:
            raise ValueError(
                f"{where}: '{shown(name)}' stands in the table, and the claim's aliases give that "
                f"name to '{shown(self.aliases[name])}'; take another alias"
            )
        return inverse.get(name, name)

    def record(self) -> dict:
        """The same as JSON values."""
        tables = [table.model_dump(exclude_defaults=True) for table in self.tables]
        return asdict(self) | {"tables": tables}

    @classmethod
    def of(cls, record: Mapping) -> Experiment:
        """An experiment from its record."""
        tables = [ExternalTable.model_validate(table) for table in record["tables"]]
        return cls(**{**record, "tables": tables})

    def digest(self) -> str:
        """sha256 of the record: what an imported copy was asked for."""
        text = json.dumps(self.record(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def experiments(claims: Iterable[Claim]) -> dict[str, Experiment]:
    """Experiments whose results are brought, with the arms that all their claims read."""
    tests_by_experiment: dict[str, list] = {}
    for _, test in _tested(claims):
        if test.external:
            tests_by_experiment.setdefault(test.experiment, []).append(test)
    return {
        name: Experiment(
            tests[0].external,
            tests[0].levels,
            sorted({arm for test in tests for arm in test.arms}),
            tests[0].aliases,
            tests[0].incomplete,
            _orders(tests),
            any(getattr(test, "paired", True) for test in tests),
        )
        for name, tests in tests_by_experiment.items()
    }


def _tested(claims: Iterable[Claim]) -> Iterator[tuple[Claim, Test]]:
    """Claims that have a registered test, and the test."""
    for claim in claims:
        if claim.test is not None:
            yield claim, claim.test


def _orders(tests: Iterable) -> str:
    """`random` where that is enough for every claim that has an opinion."""
    orders = {test.orders for test in tests if hasattr(test, "orders")}
    return "random" if orders == {"random"} else "both"


def problems(claims: Iterable[Claim], own: Collection[str]) -> list[str]:
    """Faults of the claims that bring tables, one line each; `own` are our own experiments."""
    lines: list[str] = []
    first: dict[str, tuple[Claim, Test]] = {}
    for claim, test in _tested(claims):
        where = f"claim {claim.id}: test"
        other, before = first.setdefault(test.experiment, (claim, test))
        if test.external or before.external:
            differ = [k for k in AGREED if getattr(test, k) != getattr(before, k)]
            if differ:
                lines.append(
                    f"{where}.{differ[0]}: {other.id} names the experiment '{test.experiment}' "
                    f"with another value of {' and '.join(differ)}; give both the same, or one of "
                    "them another experiment"
                )
        if not test.external:
            lines += [
                f"{where}.{key}: goes with `external`, and only with it"
                for key, default in (("aliases", {}), ("incomplete", "refuse"))
                if getattr(test, key) != default
            ]
            continue
        if test.experiment in own:
            lines.append(
                f"{where}.experiment: '{test.experiment}' is run by the workflow; "
                "give the tables another name"
            )
        for name in (test.experiment, *test.arms):
            if not NAME.fullmatch(name):
                alias = f"; for an arm, {{aliases: {{a-name: '{shown(name)}'}}}} goes with it"
                lines.append(
                    f"{where}: '{shown(name)}' becomes a file name; use letters, digits, '.', '_', "
                    f"'-'{alias if name in test.arms else ''}"
                )
        lines += [f"{where}.external{line}" for line in _table_faults(test.external, test)]
        lines += [f"{where}.{line}" for line in _metric_faults(test.external, test)]
    return lines


def layout_of(table: ExternalTable) -> str:
    """How a plain table lays out its results."""
    return table.layout or (table.format if table.format in JUDGED else "long")


def _table_faults(tables: Sequence[ExternalTable], test) -> Iterator[str]:
    clusters = [level for level in test.levels[:-1] if level != "task"]
    if len(clusters) > 1:
        yield f": tables have one level of clusters, the test has {' and '.join(clusters)}"
    for number, table in enumerate(tables):
        layout = layout_of(table)
        if table.arm is None and (table.format not in PLAIN or layout in JUDGED):
            yield f"[{number}].arm: required key is missing (whose results {table.path} holds)"
        settings = table.model_dump(exclude_defaults=True)
        for key in [*settings, *(f"fields.{name}" for name in table.fields)]:
            if table.format not in READ_BY.get(key, {table.format}):
                yield f"[{number}].{key}: format {table.format} does not read it; leave it out"
            elif table.format in PLAIN and key in UNREAD[layout]:
                yield f"[{number}].{key}: layout {layout} does not read it; leave it out"
        for key in CRATE if table.format == "crate" else ():
            if getattr(table, key) is None:
                yield f"[{number}].{key}: required key is missing (what {table.path} is to tell)"
            elif key == "experiment" and table.experiment != tables[0].experiment:
                yield (
                    f"[{number}].experiment: '{shown(table.experiment)}', and the first table's is "
                    f"'{shown(tables[0].experiment)}'; compare machines on one experiment"
                )
        if table.format == "lm-eval-results" and test.levels != ["task"]:
            yield (
                f"[{number}].format: {table.path} holds one mean for each task and no items, so "
                "levels must be [task]; for items bring the log that --log_samples writes"
            )
        if table.cluster and not clusters:
            yield (
                f"[{number}].cluster: the test has no level for '{table.cluster}'; "
                f"give it levels: [{table.cluster}, item]"
            )
        if clusters and table.format not in READ_BY["cluster"]:
            yield f"[{number}].format: {table.format} says no level '{clusters[0]}'; leave it out"
        elif clusters and not table.cluster:
            yield f"[{number}].cluster: name the column of the level '{clusters[0]}'"
    logs: dict[tuple, str | None] = {}
    for number, table in enumerate(tables):
        if table.format not in (PLAIN - {"comparisons"}) | {"alpaca-eval"}:
            log = (table.path, table.metric, table.filter)
            other = logs.setdefault(log, table.arm)
            if other != table.arm:
                yield f"[{number}].path: {table.path} is of '{other}' too; bring one of each"
    if all(table.arm is not None for table in tables):
        brought = {table.arm for table in tables}
        for arm in test.arms:
            if arm not in brought:
                yield f": no table of the arm '{arm}', {known(arm, brought)}"


def _metric_faults(tables: Sequence[ExternalTable], test) -> Iterator[str]:
    """Metrics that the test reads and no table gives, as far as the claim alone tells."""
    for arm, metric in dict.fromkeys((side.arm, side.metric) for side in test.sides):
        metrics = [_metrics(table) for table in tables if table.arm in (None, arm)]
        names = {name for some in metrics for name in some or ()}
        if metrics and None not in metrics and metric not in names:
            yield f"metric: the tables of '{arm}' give no '{metric}', {known(metric, names)}"


def _metrics(table: ExternalTable) -> Sequence[str] | None:
    """Names under which a table gives values; None where only the file says them."""
    layout = layout_of(table)
    if table.format in PLAIN and layout == "pairwise":
        return ORDERS
    if table.format in PLAIN and layout == "comparisons":
        return None
    if table.format in PLAIN:
        return (table.metric or (table.score if layout == "long" else None) or "score",)
    if table.format == "alpaca-eval":
        return ("preference",)
    return (table.metric,) if table.metric else None


def missing(brought: Mapping[str, Experiment], observations: Path) -> list[str]:
    """One line for each file that is not there although its experiment must still be imported."""
    paths = {
        path
        for name, experiment in brought.items()
        for path in _gone(experiment)
        if not _imported(name, experiment, observations)
    }
    return [f"{path}: {FOLDER if Path(path).is_dir() else MISSING}" for path in sorted(paths)]


def awaited(claims: Sequence[Claim], observations: Path) -> list[str]:
    """Experiments whose tables are not there yet, which all their claims say is no fault."""
    faults = {
        test.experiment for claim, test in _tested(claims) if test.external and not claim.obstacles
    }
    return [
        name
        for name, experiment in experiments(claims).items()
        if name not in faults
        and all(not Path(table.path).exists() for table in experiment.tables)
        and not _imported(name, experiment, observations)
    ]


def moved(brought: Mapping[str, Experiment], observations: Path) -> list[str]:
    """One line for each experiment whose files are gone since their import."""
    return [
        f"{', '.join(gone)}: gone since the import; {observations / name} stands, and only a fresh "
        "import needs the file"
        for name, experiment in brought.items()
        if (gone := _gone(experiment)) and _imported(name, experiment, observations)
    ]


def digests(experiment: Experiment) -> list[str]:
    """Digest of each table's file, whatever its time stamp; "" for one that is gone."""
    paths = [Path(table.path) for table in experiment.tables]
    return [sha256(path)[:16] if path.is_file() else "" for path in paths]


def _gone(experiment: Experiment) -> list[str]:
    return sorted({table.path for table in experiment.tables if not Path(table.path).is_file()})


def _imported(name: str, experiment: Experiment, observations: Path) -> bool:
    """Whether the imported copy is there and is what the claims ask for today."""
    tables = [observations / name / f"{arm}.csv" for arm in experiment.arms]
    if not all(table.is_file() for table in tables):
        return False
    try:
        conditions = [read_json(table.with_suffix(".conditions.json")) for table in tables]
    except ValueError:
        return False
    return all(record.get("asked_sha256") == experiment.digest() for record in conditions)
