"""From observation files to an analysis, and the check that a stored analysis still follows."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kensho.claims.model import STALE, Claim, Verdict
from kensho.files import read_json, sha256
from kensho.observations import read
from kensho.stats.compare import compare
from kensho.stats.judge import judge
from kensho.validation import problems

if TYPE_CHECKING:
    from arviz import InferenceData

BENCHMARK_DATA = Path("benchmark_data")
COPIED = ("verdict", "reason", "sentence")  # from the analysis into the entry of the summary


def derive(
    claim: Claim, results: Path, *, family_size: int, alpha: float, seed: int, draws: int
) -> tuple[dict, "InferenceData | None"]:
    """Judge a claim on the observation files under ``results``.

    The analysis holds the claim's record and names every file with its sha256, the tables that the
    user brought, and the settings that it was made with.
    Raises ValueError naming the file for observations that are missing, malformed or changed.
    """
    tables, conditions, files = {}, {}, []
    for arm in claim.test.arms:
        path = BENCHMARK_DATA / claim.test.experiment / f"{arm}.csv"
        tables[arm], conditions[arm] = read(results / path)
        files.append(
            {"file": str(path), "sha256": sha256(results / path), "rows": len(tables[arm])}
        )
    settings = {"family_size": family_size, "alpha": alpha, "seed": seed, "draws": draws}
    brought = _brought(conditions.values())
    try:
        analysis, posterior = judge(claim, tables, conditions, **settings)
    except ValueError as error:
        if not brought:
            raise
        paths = ", ".join(table["path"] for table in brought)
        raise ValueError(f"{error} (as read from {paths})") from None
    return {
        **analysis,
        "observations": files,
        "tables": brought,
        "settings": settings,
        "record": claim.model_dump(mode="json"),
    }, posterior


def _brought(conditions: Iterable[Mapping]) -> list[dict]:
    """Path (as the claim has it), sha256 and rows of each table that observations come from."""
    found: dict[str, dict] = {}
    for table in (table for held in conditions for table in held.get("tables") or []):
        before = found.get(table["path"], {"rows": 0})["rows"]
        found[table["path"]] = {
            "path": table["path"],
            "sha256": table["sha256"],
            "rows": before + table["rows"],
        }
    return list(found.values())


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
    found, derived = [], {}
    for path in sorted((results / BENCHMARK_DATA).glob("*/*.csv")):
        try:
            read(path)
        except ValueError as error:
            found.append(str(error))
    for name, summary in summaries.items():
        found += [
            f"{entry['id']}: {entry['verdict']} in {name}, but no analysis"
            for entry in summary["claims"]
            if entry["analysis"] is None and entry["verdict"] not in (Verdict.NOT_TESTED, STALE)
        ]
        for entry in _judged({name: summary}):
            try:
                found += _differences(entry, summary, name, results, derived)
            except ValueError as error:
                found.append(str(error))
    shown = {entry["id"] for entry in _judged(summaries)}
    for path in _analyses(results):
        if path.stem in shown or path.stem not in claims:
            continue
        try:
            analysis = _stored(path)
            claim = _claim(analysis["record"], path)
            found += _unlike(path, analysis, claim, results, derived)
        except ValueError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


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
    expected = {"alpha": summary["alpha"], "family_size": summary["family"][claim.test.family]}
    for key, value in expected.items() if claim.test.stochastic else ():
        if analysis["settings"][key] != value:
            raise ValueError(
                f"{path}: judged with {key} {analysis['settings'][key]}, {name} says {value}; "
                "run the workflow again"
            )
    found = _unlike(path, analysis, claim, results, derived)
    shown = {key: value for key, value in entry["analysis"].items() if key != "p_holm"}
    if shown | {"record": entry["record"]} != analysis or any(
        entry[key] != analysis[key] for key in COPIED
    ):
        found.append(f"{path}: not what {name} shows of it; make the report again")
    return found


def _unlike(
    path: Path, analysis: Mapping, claim: Claim, results: Path, derived: dict[str, dict]
) -> list[str]:
    """Where a stored analysis is not what the claim and the observations give."""
    identity = f"{claim.id} {claim.digest()}"
    if identity not in derived:
        derived[identity], _ = derive(claim, results, **analysis["settings"])
    again = derived[identity]
    found = compare(analysis, again)
    if analysis["observations"] != again["observations"]:
        found.append("made from other observation files than those here now")
    return [f"{path}: {difference}" for difference in found]
