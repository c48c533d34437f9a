"""The statistical summary: every claim of the registry with its verdict or its reason."""

import re
from collections import Counter
from collections.abc import Mapping

from kensho.claims.arithmetic import lint
from kensho.claims.model import Claim, Verdict
from kensho.claims.registry import family_size
from kensho.stats.frequentist import holm


def summarise(
    claims: list[Claim],
    analyses: Mapping[str, dict],
    untested: Mapping[str, str],
    *,
    scale: str,
    alpha: float,
    registry: list[Claim] | None = None,
) -> dict:
    """Content of ``statistical_summary.json``.

    ``analyses`` by claim id, ``untested`` the reasons of the others. Holm's adjustment runs over
    all p-values of a family and stands beside Bonferroni's, which decides. Families are counted
    over the ``registry``, where ``claims`` are not all of it.
    """
    findings = lint(claims)
    families = sorted({claim.test.family for claim in claims if claim.test})
    sizes = {name: family_size(registry or claims, name) for name in families}
    adjusted = _holm_by_family(analyses, sizes)
    entries = []
    for claim in claims:
        analysis = analyses.get(claim.id)
        judged = analysis is not None
        if judged:
            analysis = {k: v for k, v in analysis.items() if k != "record"}  # the entry has it
            analysis["p_holm"] = adjusted.get(claim.id)
        own = findings[findings["claim"] == claim.id].drop(columns="claim")
        entries.append(
            {
                **claim.model_dump(mode="json", exclude={"test", "not_tested", "arithmetic"}),
                "region": list(claim.test.region) if claim.test else None,
                "arithmetic": own.to_dict("records"),
                "verdict": analysis["verdict"] if judged else Verdict.NOT_TESTED.value,
                "reason": analysis["reason"] if judged else "NOT_TESTED",
                "sentence": analysis["sentence"] if judged else untested[claim.id],
                "analysis": analysis,
                "record": claim.model_dump(mode="json"),
                "record_sha256": claim.digest(),
            }
        )
    return {
        "title": "Kenshō validation report 検証",
        "scale": scale,
        "alpha": alpha,
        "family": sizes,
        "verdict_counts": dict(Counter(entry["verdict"] for entry in entries)),
        "arithmetic_findings": int((~findings["agrees"]).sum()),
        "claims": sorted(entries, key=_place),
    }


def _place(entry: dict) -> tuple:
    """Order of the catalogue: by source, the main claims (R) before the figures (F)."""
    group = entry["id"].split("-")[0]
    number = int((re.findall(r"-(\d+)", entry["id"]) or ["0"])[0])
    return entry["source"], ["R", "F"].index(group) if group in ("R", "F") else 2, number


def _holm_by_family(analyses: Mapping[str, dict], sizes: Mapping[str, int]) -> dict[str, float]:
    """Holm over the whole family: a claim that has no p value counts as one of 1."""
    families: dict[str, dict[str, float]] = {}
    for name, analysis in analyses.items():
        if analysis["p_value"] is not None:
            families.setdefault(analysis["family"], {})[name] = analysis["p_value"]
    found = {}
    for family, p_values in families.items():
        missing = max(0, sizes.get(family, 0) - len(p_values))
        found |= zip(p_values, holm([*p_values.values(), *[1.0] * missing]), strict=False)
    return found
