"""From observation files to an analysis, and the check that a stored analysis still follows."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kensho.claims.model import STALE, Claim, Verdict
from kensho.files import read_json, sha256
from kensho.observations import read
from kensho.stats.analysis import Analysis, BroughtTable, ObservationFile, Settings
from kensho.stats.compare import compare
from kensho.stats.judge import judge
from kensho.validation import problems

if TYPE_CHECKING:
    from arviz import InferenceData

BENCHMARK_DATA = Path("benchmark_data")
COPIED = ("verdict", "reason", "sentence")  # from the analysis into the entry of the summary


def derive(
    claim: Claim, results: Path, settings: Settings
) -> tuple[Analysis, "InferenceData | None"]:
    """Judge a claim on the observation files under ``results``.

    Raises ValueError naming the file for observations that are missing, malformed or changed.
    """
    tables, conditions, files = {}, {}, []
    for arm in claim.required_test.arms:
        path = BENCHMARK_DATA / claim.required_test.experiment / f"{arm}.csv"
        tables[arm], conditions[arm] = read(results / path)
        digest, rows = sha256(results / path), len(tables[arm])
        files.append(ObservationFile(file=str(path), sha256=digest, rows=rows))
    brought = _brought(conditions.values())
    try:
        judgement, posterior = judge(claim, tables, conditions, settings)
    except ValueError as error:
        if not brought:
            raise
        paths = ", ".join(table.path for table in brought)
        raise ValueError(f"{error} (as read from {paths})") from None
    files_and_record = {"observations": files, "tables": brought, "record": claim}
    return Analysis(**dict(judgement), **files_and_record, settings=settings), posterior


def _brought(conditions: Iterable[Mapping]) -> list[BroughtTable]:
    """Each table that observations come from, with its rows in all of them."""
    tables: dict[str, BroughtTable] = {}
    for entry in (entry for of_arm in conditions for entry in of_arm.get("tables") or []):
        path, before = entry["path"], tables.get(entry["path"])
        rows = entry["rows"] + (before.rows if before else 0)
        tables[path] = BroughtTable(path=path, sha256=entry["sha256"], rows=rows)
    return list(tables.values())


def orphans(summaries: Mapping[str, Mapping], results: Path, claims: Collection[str]) -> list[Path]:
    """Stored analyses of claims that neither the registry (their ids) nor a summary has."""
    known = {*claims, *(entry["id"] for entry in _judged(summaries))}
    return [path for path in _analyses(results) if path.stem not in known]


def verify(summaries: Mapping[str, Mapping], results: Path, claims: Collection[str]) -> list[str]:
    """Everything in which the stored analyses differ from what the observations say now.

    ``summaries`` by file name, ``claims`` the ids of the registry. One line each: observation files
    that changed or are missing (those behind no claim included), analyses that do not follow from
    them, shown by a summary or not, entries of a summary that are not their analysis. Orphans are
    passed over.
    """
    differences: list[str] = []
    derived: dict[str, dict] = {}  # analyses made anew, by claim
    for path in sorted((results / BENCHMARK_DATA).glob("*/*.csv")):
        try:
            read(path)
        except ValueError as error:
            differences.append(str(error))
    for name, summary in summaries.items():
        differences += [
            f"{entry['id']}: {entry['verdict']} in {name}, but no analysis"
            for entry in summary["claims"]
            if entry["analysis"] is None and entry["verdict"] not in (Verdict.NOT_TESTED, STALE)
        ]
        for entry in _judged({name: summary}):
            try:
                differences += _differences(entry, summary, name, results, derived)
            except ValueError as error:
                differences.append(str(error))
    shown = {entry["id"] for entry in _judged(summaries)}
    for path in _analyses(results):
        if path.stem in shown or path.stem not in claims:
            continue
        try:
            analysis = _stored(path)
            claim = _claim(analysis["record"], path)
            differences += _unlike(path, analysis, claim, results, derived)
        except ValueError as error:
            differences.append(str(error))
    return list(dict.fromkeys(differences))


def _judged(summaries: Mapping[str, Mapping]) -> list[Mapping]:
    entries = [entry for summary in summaries.values() for entry in summary["claims"]]
    return [entry for entry in entries if entry["analysis"] is not None]


def _analyses(results: Path) -> list[Path]:
    return sorted((results / "analysis").glob("*.json"))


def _stored(path: Path) -> dict:
    analysis = read_json(path)
    if not {"settings", "record"} <= analysis.keys():
        raise ValueError(f"{path}: holds no analysis; run the workflow again")
    return analysis


def _claim(record: Mapping, path: Path) -> Claim:
    try:
        return Claim.model_validate(record)
    except ValidationError as error:
        [first, *_] = problems(error, str(path), Claim, under="record")
        raise ValueError(f"{first}; run the workflow again") from None


def _differences(
    entry: Mapping, summary: Mapping, name: str, results: Path, derived: dict[str, dict]
) -> list[str]:
    """Lines about one judged claim of a summary; ``derived`` keeps analyses made anew, by claim."""
    path = results / "analysis" / f"{entry['id']}.json"
    analysis, claim = _stored(path), _claim(entry["record"], path)
    test = claim.required_test
    expected = {"alpha": summary["alpha"], "family_size": summary["family"][test.family]}
    for key, value in expected.items() if test.stochastic else ():
        if analysis["settings"][key] != value:
            raise ValueError(
                f"{path}: judged with {key} {analysis['settings'][key]}, {name} says {value}; "
                "run the workflow again"
            )
    differences = _unlike(path, analysis, claim, results, derived)
    shown = {key: value for key, value in entry["analysis"].items() if key != "p_holm"}
    if shown | {"record": entry["record"]} != analysis or any(
        entry[key] != analysis[key] for key in COPIED
    ):
        differences.append(f"{path}: not what {name} shows of it; make the report again")
    return differences


def _unlike(
    path: Path, analysis: Mapping, claim: Claim, results: Path, derived: dict[str, dict]
) -> list[str]:
    """Where a stored analysis is not what the claim and the observations give."""
    identity = f"{claim.id} {claim.digest()}"
    if identity not in derived:
        again, _ = derive(claim, results, Settings(**analysis["settings"]))
        derived[identity] = again.model_dump(mode="json")
    differences = compare(analysis, derived[identity])
    if analysis["observations"] != derived[identity]["observations"]:
        differences.append("made from other observation files than those here now")
    return [f"{path}: {difference}" for difference in differences]
