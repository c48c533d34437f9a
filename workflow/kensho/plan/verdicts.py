"""Which verdicts a run makes, which of earlier runs it keeps, and which of those are stale."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import read_json, sha256
from kensho.plan.plan import JUDGED, STUDIES, Plan

GAINS = "results/augmentation_study/gains.csv"  # a table, which the report shows too
PAGES = {  # that the report links to, by the target that makes each
    "jlce": "results/jlce.html",
    "calibration": "results/calibration/short/report.html",
    "calibration_full": "results/calibration/full/report.html",
    "audit": "results/audit.html",
    "domain_study": "results/domain.html",
    "stages": "results/stages.html",
    "tokenisers_study": "results/tokenisers.html",
    "augmentation_study": GAINS,
}
Outdated = Callable[
    [Sequence[str]], Mapping[str, str]
]  # why each of some files is made anew, if so


@dataclass(frozen=True)
class Verdicts:
    """Where the verdicts of the report come from, decided once, by the head of a run.

    ``requested``: claims that the targets of the command judge; ``kept``: others that an earlier
    run has judged, whose analyses are plain files to this one; ``pages``: targets whose page is
    there or made now, ``earlier`` those of them that this command does not make; ``stale``: why
    analyses and pages that are kept no longer hold, by path.
    """

    requested: Sequence[str]
    kept: Sequence[str] = ()
    pages: Sequence[str] = ()
    earlier: Sequence[str] = ()
    stale: Mapping[str, str] = field(default_factory=dict)


def analysis(claim: str) -> str:
    """Path of the analysis of a claim."""
    return f"results/analysis/{claim}.json"


def decide(
    plan: Plan, claims: Iterable[Claim], targets: Collection[str], outdated: Outdated
) -> Verdicts:
    """What a command with these targets makes, and what of earlier runs its report shows."""
    if "archive" in targets:  # it runs nothing, and shows what is there
        judged = filter(os.path.exists, map(analysis, plan.tested))
        return Verdicts(plan.requested(["all", *judged]))
    requested = plan.requested(targets)
    if not {*JUDGED, "provenance"} & {*targets}:
        return Verdicts(requested)
    rest = [claim.id for claim in claims if claim.id not in requested]
    kept = [name for name in rest if os.path.exists(analysis(name))]
    asked = {*targets, *(("jlce", "stages", *STUDIES) if "rehearsal" in targets else ())}
    if plan.stage != "whole":  # what it is made of would be run for it
        asked -= {"augmentation_study"}
    made = [target for target, path in PAGES.items() if {target, path} & asked]
    there = [target for target, path in PAGES.items() if os.path.exists(path)]
    files = [analysis(name) for name in kept if name in plan.tested]
    earlier = [target for target in there if target not in made]
    # with a spent budget no recipe is planned: what made their page is not what would make it now
    files += [PAGES[target] for target in earlier if target != "stages" or plan.stage == "whole"]
    stale = {
        analysis(name): f"the configuration no longer tests it: {plan.reasons[name]}"
        for name in kept
        if name not in plan.tested
    }
    stale |= {analysis(name): why for name in kept if (why := _changed(Path(analysis(name))))}
    pages = [target for target in PAGES if target in made or target in there]
    stale = dict(outdated(files) if files else {}) | stale
    return Verdicts(requested, kept, pages, earlier, stale)


def _changed(path: Path) -> str | None:
    """Why an analysis no longer follows from its files, which may have come without their times."""
    for file in read_json(path).get("observations", []):
        observations = path.parents[1] / file["file"]
        if not observations.exists():
            return f"its observations are gone: {observations}"
        if sha256(observations) != file["sha256"]:
            return f"its observations have changed since: {observations}"
    return None
