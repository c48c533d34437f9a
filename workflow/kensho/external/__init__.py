"""Item-level results that others published or the user brings, as observation tables.

`wanted` says what claims ask, `kinds` tells what a file is, `records` reads cells; `tables`,
`harness`, `suites` and `crate` make rows of them, `check` holds the rows of all arms against each
other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from kensho.claims.model import Claim, Tier
from kensho.external import check, crate, harness, suites, tables, wanted
from kensho.external.rows import At, Row, known, shown
from kensho.external.wanted import Experiment as Experiment
from kensho.external.wanted import awaited as awaited
from kensho.external.wanted import digests as digests
from kensho.external.wanted import experiments as experiments
from kensho.external.wanted import missing as missing
from kensho.external.wanted import moved as moved
from kensho.external.wanted import problems as problems
from kensho.files import sha256
from kensho.observations import COLUMNS, validate

READERS = {
    "lm-eval": harness.samples,
    "lm-eval-results": harness.results,
    "inspect": suites.inspect,
    "helm": suites.helm,
    "alpaca-eval": suites.alpaca,
    "crate": crate.rows,
    **dict.fromkeys(sorted(wanted.PLAIN), tables.rows),
}


def observe(name: str, experiment: Experiment) -> dict[str, tuple[pd.DataFrame, dict]]:
    """Observation table and conditions of each arm of an experiment.

    Raises ValueError, one line with file and line, for a table that is missing, of another format,
    empty, without a needed column or arm; a value that is no finite number; an item that stands
    there twice; an item that one arm has and another has not (unless the experiment drops these),
    or that is another document there; a prompt judged in one order only.
    """
    try:
        return _observe(name, experiment)
    except ValueError as error:  # nothing from a file reaches the terminal as it is
        raise ValueError(shown(error, most=600)) from None


def check_metrics(claims: Mapping[str, Mapping], brought: Mapping[str, tuple]) -> None:
    """Raise ValueError for a registered claim of whose metrics an arm's table has none."""
    for name, record in claims.items():
        test = Claim.model_validate({k: v for k, v in record.items() if k != "family_size"}).test
        metrics_by_arm: dict[str, list[str]] = {}
        for side in test.sides if test else ():
            metrics_by_arm.setdefault(side.arm, []).append(side.metric)
        for arm, metrics in metrics_by_arm.items():
            held = brought[arm][0]["metric"].unique()
            if not set(metrics) & set(held):
                raise ValueError(
                    f"claim {name}: test.metric: the tables of '{arm}' give no '{metrics[0]}', "
                    f"{known(metrics[0], held)}"
                )


def _observe(name: str, experiment: Experiment) -> dict[str, tuple[pd.DataFrame, dict]]:
    machines = crate.machines(experiment.tables)
    rows = _rows(experiment)
    judges = sorted(rows["judge"].dropna().unique())
    if judges:
        numbers = {judge: number for number, judge in enumerate(judges)}
        rows["replicate"] = rows["judge"].map(numbers).fillna(rows["replicate"]).astype(int)

    def where(row) -> str:
        return str(At(experiment.tables[row.table], row.place))

    check.of_one_arm(rows, experiment, where)
    read = rows.groupby(["arm", "table"], observed=True).size()
    rows, left_out = check.paired(rows, experiment, where)
    unchecked = check.documents(rows, experiment, where)
    kept = rows.groupby(["arm", "table"], observed=True).size().reindex(read.index, fill_value=0)
    shared = {
        "tier": Tier.PUBLISHED.value,
        "note": "the data existed before the claim was registered here",
        "asked_sha256": experiment.digest(),
        **({"judges": judges} if judges else {}),
        "fallbacks": [],
    }
    files = {table.path: sha256(table.path) for table in experiment.tables}
    return {
        arm: (
            _table(of_arm, name),
            {
                **shared,
                **(machine := machines.get(arm, {})),
                "deviations": machine.get("deviations", [])
                + left_out
                + ([unchecked[arm]] if arm in unchecked else []),
                "names_alone": arm in unchecked,
                "tables": [
                    {
                        **experiment.tables[number].model_dump(exclude_defaults=True),
                        "sha256": files[experiment.tables[number].path],
                        "rows": int(count),
                    }
                    for number, count in kept[arm].items()
                ],
            },
        )
        for arm, of_arm in rows.groupby("arm", sort=True, observed=True)
    }


def _rows(experiment: Experiment) -> pd.DataFrame:
    """Rows of all tables that belong to the experiment's arms."""
    frames: list[pd.DataFrame] = []
    names: set[str] = set()  # of all arms in the tables
    for number, table in enumerate(experiment.tables):
        of_arms = _of_arms(READERS[table.format](table, experiment), experiment.arms, names)
        frame = pd.DataFrame(of_arms, columns=Row._fields).assign(table=number)
        frames.append(frame.astype(dict.fromkeys(("arm", "metric", "unit", "judge"), "category")))
    for arm in experiment.arms:
        if not any((frame["arm"] == arm).any() for frame in frames):
            paths = ", ".join(sorted({table.path for table in experiment.tables}))
            raise ValueError(f"{paths}: no row of the arm '{arm}', {known(arm, names)}")
    rows = pd.concat(frames, ignore_index=True)
    return rows.astype(dict.fromkeys(("arm", "metric", "unit"), "category"))


def _of_arms(rows, arms: Sequence[str], names: set[str]) -> list[Row]:
    kept = []
    for row in rows:
        names.add(row.arm)
        if row.arm in arms:
            kept.append(row)
    return kept


def _table(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    texts = dict.fromkeys(("experiment", "arm", "block", "metric", "unit"), str)
    frame = rows.assign(experiment=name)[COLUMNS].astype(texts).reset_index(drop=True)
    return validate(frame, "observations")
