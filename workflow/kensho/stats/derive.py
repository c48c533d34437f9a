"""From observation files to an analysis, and the check that a stored analysis still follows."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kensho.claims.model import Claim, Verdict
from kensho.files import read_json, sha256
from kensho.observations import read
from kensho.stats.compare import compare
from kensho.stats.judge import judge

if TYPE_CHECKING:
    from arviz import InferenceData

BENCHMARK_DATA = Path("benchmark_data")
COPIED = ("verdict", "reason", "sentence")  # from the analysis into the entry of the summary


def derive(
    claim: Claim, results: Path, *, family_size: int, alpha: float, seed: int, draws: int
) -> tuple[dict, "InferenceData | None"]:
    """Judge a claim on the observation files under ``results``.

    The analysis names every file with its sha256 and the settings that it was made with.
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
    analysis, posterior = judge(claim, tables, conditions, **settings)
    return {**analysis, "observations": files, "settings": settings}, posterior


def verify(summaries: Mapping[str, Mapping], results: Path) -> list[str]:
    """Everything in which the stored analyses differ from what the observations say now.

    ``summaries`` by file name. One line each: observation files that changed or are missing (those
    behind no claim included), analyses that do not follow from them or that no summary shows,
    entries of a summary that are not their analysis.
    """
    found = []
    for path in sorted((results / BENCHMARK_DATA).glob("*/*.csv")):
        try:
            read(path)
        except ValueError as error:
            found.append(str(error))
    entries = [entry for summary in summaries.values() for entry in summary["claims"]]
    judged = {entry["id"] for entry in entries if entry["analysis"] is not None}
    for path in sorted((results / "analysis").glob("*.json")):
        if path.stem not in judged:
            found.append(f"{path}: an analysis that no summary shows ({', '.join(summaries)})")
    derived: dict[str, dict] = {}
    for name, summary in summaries.items():
        for entry in summary["claims"]:
            if entry["analysis"] is None:
                if entry["verdict"] != Verdict.NOT_TESTED:
                    found.append(f"{entry['id']}: {entry['verdict']} in {name}, but no analysis")
                continue
            try:
                found += _differences(entry, summary, name, results, derived)
            except ValueError as error:
                found.append(str(error))
    return list(dict.fromkeys(found))


def _differences(
    entry: Mapping, summary: Mapping, name: str, results: Path, derived: dict[str, dict]
) -> list[str]:
    """Lines about one judged claim of a summary; ``derived`` keeps analyses made anew, by claim."""
    stored = results / "analysis" / f"{entry['id']}.json"
    analysis = read_json(stored)
    if "settings" not in analysis:
        raise ValueError(f"{stored}: holds no analysis; run the workflow again")
    claim = Claim.model_validate(entry["record"])
    expected = {"alpha": summary["alpha"], "family_size": summary["family"][claim.test.family]}
    for key, value in expected.items() if claim.test.stochastic else ():
        if analysis["settings"][key] != value:
            raise ValueError(
                f"{stored}: judged with {key} {analysis['settings'][key]}, {name} says {value}; "
                "run the workflow again"
            )
    identity = f"{claim.id} {claim.digest()}"
    if identity not in derived:
        derived[identity], _ = derive(claim, results, **analysis["settings"])
    again = derived[identity]
    differences = compare(analysis, again)
    if analysis["observations"] != again["observations"]:
        differences.append("made from other observation files than those here now")
    shown = {key: value for key, value in entry["analysis"].items() if key != "p_holm"}
    if shown != analysis or any(entry[key] != analysis[key] for key in COPIED):
        differences.append(f"not what {name} shows of it")
    return [f"{stored}: {difference}" for difference in differences]
