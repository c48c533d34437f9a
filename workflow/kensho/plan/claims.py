"""docs/claims.md: what each scale does with each claim, from the plans of the shipped scales."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from kensho import external
from kensho.claims import registry
from kensho.claims.model import Claim
from kensho.data import sources
from kensho.models import cards, catalogue
from kensho.plan import plan as plans
from kensho.plan.config import Config
from kensho.plan.plan import COMMAND, FETCH, Folder, Plan
from kensho.report.markdown import in_japanese
from kensho.validation import read_yaml

PAGE, JAPANESE = Path("docs/claims.md"), Path("docs/ja/claims.md")
SCALES = {"embedded": None, "standard": "standard", "full": "full"}
FETCHED, BROUGHT = " †", " ‡"
PROFILES = {"full": "slurm-mi300x"}


def plan_of(overlay: str | None, claims: list[Claim], *, fetched: bool) -> Plan:
    """The plan of a scale where only packages are at hand, or every source that is listed."""
    config = Config().model_dump(mode="json")
    if overlay:
        config = _laid_over(config, read_yaml(Path(f"config/scales/{overlay}.yaml")))
    listed, _ = sources.load("config/sources.yaml")
    architectures = cards.load(Path("resources/architectures.yaml"))
    models, _ = catalogue.load("config/models.yaml", listed, architectures)
    folder = Folder(
        at_hand=lambda name: fetched,
        observed=lambda name, arms: False,
        awaited=[*external.experiments(claims)],
    )
    return plans.make(Config.model_validate(config), claims, listed, models, folder)[0]


def _laid_over(base: dict, over: Mapping) -> dict:
    """As Snakemake lays one configuration over another: mappings key by key."""
    return base | {
        key: _laid_over(base[key], value)
        if isinstance(value, Mapping) and isinstance(base.get(key), dict)
        else value
        for key, value in over.items()
    }


def page() -> str:
    """The page. Raises ClaimError where the registry is faulty."""
    claims = registry.load(Path("config/claims"))
    made = {}
    for scale, overlay in SCALES.items():
        now, later = (plan_of(overlay, claims, fetched=fetched) for fetched in (False, True))
        made[scale] = {claim.id: cell(claim, now, later) for claim in claims}
    lines = [
        "# What each scale does with each claim",
        "",
        "[日本語](ja/claims.md)",
        "",
        "Generated from config/claims and the shipped scales by `make config`. A cell names the",
        "target that judges the claim there, or the kind of reason for which it is NOT TESTED; the",
        f"report gives the reason in full. {FETCHED.strip()}: after `{FETCH}`.",
        f"{BROUGHT.strip()}: on tables that are brought, which a [recipe](#recipes) makes or the",
        "claim's remarks describe. What a verdict can be follows from the tier of what ran",
        "([statistics.md](statistics.md)).",
        "",
        "| scale | command |",
        "|---|---|",
        *(f"| {scale} | `{_command(scale)} TARGET` |" for scale in SCALES),
        "",
        f"## {len(claims)} claims",
        "",
        f"| claim | statement | design | {' | '.join(SCALES)} |",
        f"|---|---|---|{'---|' * len(SCALES)}",
        *(_row(claim, made) for claim in claims),
        "",
        "## Counts",
        "",
        "A claim with several reasons counts under each.",
        "",
        f"| | {' | '.join(SCALES)} |",
        f"|---|{'---|' * len(SCALES)}",
        *_counts(made),
        "",
        "## Recipes",
        "",
        "| claim | command |",
        "|---|---|",
        *(f"| {c.id} | `{c.recipe} && {COMMAND} own` |" for c in claims if c.recipe),
    ]
    return "\n".join(lines) + "\n"


def _command(scale: str) -> str:
    overlay = SCALES[scale]
    profile = COMMAND.replace("local", PROFILES.get(scale, "local"))
    return f"{profile} --configfile config/scales/{overlay}.yaml --" if overlay else COMMAND


def cell(claim: Claim, now: Plan, fetched: Plan) -> str:
    """What a scale does with a claim, by its plans before and after sources are fetched."""
    if claim.id in fetched.tested:
        return f"`{fetched.targets[claim.id]}`{'' if claim.id in now.tested else FETCHED}"
    kinds = ", ".join(fetched.kinds[claim.id])
    return f"NOT TESTED: {kinds}{BROUGHT if claim.test and claim.test.external else ''}"


def _row(claim: Claim, made: Mapping[str, Mapping[str, str]]) -> str:
    design = f"`{claim.test.design}`" if claim.test else "–"
    cells = " | ".join(cells[claim.id] for cells in made.values())
    return f"| {claim.id} ({claim.source}) | {claim.statement} | {design} | {cells} |"


def _counts(made: Mapping[str, Mapping[str, str]]) -> list[str]:
    counted = {scale: Counter[str]() for scale in made}
    for scale, cells in made.items():
        for text in cells.values():
            word, _, kinds = text.removesuffix(BROUGHT).partition(": ")
            if not kinds:
                word = f"judged, once fetched{FETCHED}" if FETCHED in text else "judged"
            counted[scale].update([word, *(f"… {kind}" for kind in kinds.split(", ") if kind)])
    rows = sorted({row for count in counted.values() for row in count})
    rows.sort(key=lambda row: (row.startswith("…"), row.startswith("NOT")))
    return [f"| {row} | {' | '.join(str(c[row]) for c in counted.values())} |" for row in rows]


if __name__ == "__main__":
    text = page()
    for path, written in ((PAGE, text), (JAPANESE, in_japanese(text))):
        path.write_text(written, encoding="utf-8")
        print("wrote", path)
