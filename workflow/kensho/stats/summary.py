"""The statistical summary: every claim of the registry with its verdict or its reason."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kensho.audit import registry as audits
from kensho.audit.printed import Word
from kensho.claims.model import STALE, Claim, Verdict
from kensho.claims.registry import family_size
from kensho.stats.frequentist import holm


@dataclass(frozen=True)
class Judged:
    """What is known of claims, by id: analyses, why some of them are stale, why others have none
    and of which kinds that is, and the commands that would test these anew."""

    analyses: Mapping[str, dict]
    untested: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, list[str]] = field(default_factory=dict)


def summarise(
    claims: list[Claim],
    judged: Judged,
    *,
    scale: str,
    alpha: float,
    registry: list[Claim] | None = None,
) -> dict:
    """Content of ``statistical_summary.json``.

    Holm's adjustment runs over all p-values of a family and stands beside Bonferroni's, which
    decides. Families are counted over the ``registry``, where ``claims`` are not all of it. A
    verdict on another record than the claim's, or known to be stale, is none.
    """
    findings = audits.audit(claims)
    families = sorted({claim.test.family for claim in claims if claim.test})
    sizes = {name: family_size(registry or claims, name) for name in families}
    stale = {**_changed(claims, judged.analyses), **judged.stale}
    current = {name: one for name, one in judged.analyses.items() if name not in stale}
    adjusted = _holm_by_family(current, sizes)
    entries = []
    for claim in claims:
        own = findings[findings["claim"] == claim.id].drop(columns="claim")
        shown: dict = {"command": None, "analysis": None, "kinds": []}
        if (analysis := current.get(claim.id)) is not None:
            shown |= {key: analysis[key] for key in ("verdict", "reason", "sentence")}
            shown["analysis"] = {k: v for k, v in analysis.items() if k != "record"}
            shown["analysis"]["p_holm"] = adjusted.get(claim.id)
        elif claim.id in stale:
            was = judged.analyses[claim.id]["verdict"]
            shown |= {
                "verdict": STALE,
                "reason": STALE,
                "sentence": f"was {was}; {stale[claim.id]}",
            }
        else:
            reason = judged.untested[claim.id]
            shown |= {
                "verdict": Verdict.NOT_TESTED.value,
                "reason": "NOT_TESTED",
                "sentence": reason,
                "kinds": judged.kinds.get(claim.id, []),
            }
        if shown["analysis"] is None:
            shown["command"] = judged.commands.get(claim.id)
        entries.append(
            {
                **claim.model_dump(mode="json", exclude={"test", "not_tested", "audit"}),
                "region": list(claim.test.region) if claim.test else None,
                "audit": own.to_dict("records"),
                **shown,
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
        "impossible_figures": int((findings["word"] == Word.IMPOSSIBLE.value).sum()),
        "claims": sorted(entries, key=_place),
    }


def _changed(claims: list[Claim], analyses: Mapping[str, dict]) -> dict[str, str]:
    """Claims that are not those which were judged, with the keys that differ."""
    changed = {}
    for claim in claims:
        now, then = claim.model_dump(mode="json"), analyses.get(claim.id, {}).get("record")
        if then is not None and then != now:
            keys = [key for key in {**now, **then} if now.get(key) != then.get(key)]
            changed[claim.id] = f"the claim has changed since: {', '.join(keys)}"
    return changed


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
    adjusted: dict[str, float] = {}
    for family, p_values in families.items():
        missing = max(0, sizes.get(family, 0) - len(p_values))
        adjusted |= zip(p_values, holm([*p_values.values(), *[1.0] * missing]), strict=False)
    return adjusted
