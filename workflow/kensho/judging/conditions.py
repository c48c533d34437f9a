"""Conditions of what arms wrote and what judges said of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kensho.domain.arms import SCORES
from kensho.judging import prompts
from kensho.judging.observed import BLEU, MARKS, PREFERENCE, TRANSLATION
from kensho.judging.verdicts import Standing
from kensho.observations import Row

STAND_INS = {
    PREFERENCE: "texts and a fixed set of our own stand for those of shisa-jp-tl-bench and "
    "chotto-eval, whose judges are other ones",
    MARKS: "judges and prompts of our own stand for Shaberi's (gpt-4.1-2025-04-14), dialogues for "
    "the texts of kiseki-eval, which are not published",
    SCORES: "judges and a prompt of our own stand for the source's judge",
}
MERGED = ("models", "data", "stand_ins")  # lists of what ran


def merged(arms: Mapping[str, Mapping]) -> dict:
    """One set of conditions of what several arms, by name, wrote: everything of each, once.

    Single values (dtype, threads, device) are the first arm's; where arms differ they are in one
    list under ``own``.
    """
    first, *_ = arms.values()
    ran: dict[str, Any] = {"models": [], "at_most": {}}
    for one in arms.values():
        for key in MERGED:
            for value in one["ran"].get(key, []):
                if value not in ran.setdefault(key, []):
                    ran[key].append(value)
        ran["at_most"] |= one["ran"].get("at_most", {})
    whole = {
        **first,
        "ran": ran,
        "models": {name: model for one in arms.values() for name, model in one["models"].items()},
        "trainings": [training for one in arms.values() for training in one.get("trainings", [])],
        "seeds": sorted({seed for one in arms.values() for seed in one["seeds"]}),
    }
    for key in ("fallbacks", "deviations", "not_tested"):
        whole[key] = list(dict.fromkeys(text for one in arms.values() for text in one.get(key, [])))
    dtypes = {name: one["dtype"] for name, one in arms.items()}
    whole["own"] = {**first["own"], "arms": list(arms)}
    if len(set(dtypes.values())) > 1:
        whole["own"]["dtypes"] = dtypes
    return whole


def of_translations(arm: Mapping, absent: Mapping[str, str]) -> dict:
    """Of one arm's translations, scored."""
    own = {**arm["own"], "bleu": BLEU, "experiment": TRANSLATION}
    return {**arm, "own": own, "absent": dict(absent)}


def of_judgement(
    arms: Mapping[str, Mapping],
    judged: Mapping[str, pd.DataFrame],
    standings: Mapping[str, Standing],
    *,
    experiment: str,
    absent: Mapping[str, str],
) -> dict:
    """Of the verdicts of several judges on several arms' answers."""
    made = merged(arms)
    stand_ins = [*made["ran"].get("stand_ins", []), STAND_INS[experiment]]
    failing = {name: own.why for name, own in standings.items() if own.why}
    served = {
        name: sorted(set(rows["served"].dropna())) or ["no reply"] for name, rows in judged.items()
    }
    unseeded = [
        name
        for name, rows in judged.items()
        if rows["seed"].isna().any() and rows["served"].notna().any()
    ]
    judges = [f"{name} ({', '.join(models)})" for name, models in served.items()]
    return {
        **made,
        "ran": {**made["ran"], "stand_ins": stand_ins},
        "judges": judges,
        "absent": dict(absent),
        "warmup": "none: verdicts do not depend on time",
        "fallbacks": [
            *made["fallbacks"],
            *(f"judge {name} takes no seed, or did not answer all" for name in unseeded),
        ],
        "deviations": [
            *made["deviations"],
            f"the judges are models ({', '.join(judges)}), no persons",
            *(f"judge {name} is left out: {why}" for name, why in failing.items()),
            *(
                f"{own.incomplete} of {own.items} items are left out, since judge {name} gave no "
                "verdict on all of what they ask"
                for name, own in standings.items()
                if own.incomplete and not own.why
            ),
        ],
        "own": {
            **made["own"],
            "judges": {
                name: {
                    "served": served[name],
                    "planted_right": own.right,
                    "items": own.items,
                    "incomplete": own.incomplete,
                    "outcomes": own.outcomes,
                    "left_out": own.why,
                }
                for name, own in standings.items()
            },
            "prompt_sha256": prompts.sha256(),
            "temperature": 0,
        },
    }


def lacking(rows: Sequence[Row], wanted: Sequence[str], arm: str) -> list[str]:
    """Metrics of an arm that no row observes."""
    observed = {row.metric for row in rows if row.arm == arm}
    return [metric for metric in wanted if metric not in observed]
