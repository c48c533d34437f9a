"""Observations from the harness's per-item logs; whoever has the logs can make them again."""

from collections.abc import Mapping

import pandas as pd
import sacrebleu

from kensho.evaluate.catalogue import LIKELIHOOD, TRANSLATION
from kensho.evaluate.thinking import without_thinking


def rows(arm: str, samples: Mapping[int, Mapping[str, list]]) -> tuple[list[dict], list[dict]]:
    """Observation rows per item (experiment evaluation) and per seed (experiment adaptation)."""
    per_item, per_seed = [], []
    for seed, logs in samples.items():
        observed = items(logs).drop(columns="task")
        observed = observed.assign(experiment="evaluation", arm=arm, replicate=seed)
        per_item += observed.to_dict("records")
        per_seed += [
            {
                **{"experiment": "adaptation", "arm": arm, "block": f"seed-{seed}"},
                **{"replicate": 0, "metric": metric, "value": value, "unit": unit},
            }
            for metric, value, unit in totals(logs)
        ]
    return per_item, per_seed


def items(samples: Mapping[str, list]) -> pd.DataFrame:
    """Observed numbers per item: columns task, block, metric, value, unit.

    tatoeba_nll gives ``nll`` (nats, the whole Japanese side) and ``characters``; tatoeba_en_ja
    gives sentence ``chrf`` (chrF2 of Popović 2015, sacrebleu's default, 0-100) of the answer
    without thinking; the others ``accuracy`` (0 or 1).
    """
    rows = []
    for name, logs in samples.items():
        for log in logs:
            block = f"{name}-{log['doc_id']}"
            if name == LIKELIHOOD:
                measurements = [
                    ("nll", -float(log["filtered_resps"][0][0]), "nats"),
                    ("characters", float(len(log["doc"]["ja"])), "characters"),
                ]
            elif name == TRANSLATION:
                answer, _ = without_thinking(log["filtered_resps"][0])
                score = sacrebleu.sentence_chrf(answer, [log["doc"]["ja"]])
                measurements = [("chrf", score.score, "points")]
            else:
                measurements = [("accuracy", float(log["acc"]), "share")]
            rows += [(name, block, *observed) for observed in measurements]
    return pd.DataFrame(rows, columns=["task", "block", "metric", "value", "unit"])


def totals(samples: Mapping[str, list]) -> list[tuple[str, float, str]]:
    """Corpus figures as (metric, value, unit): NLL per character, corpus chrF, mean accuracies."""
    table, figures = items(samples), []
    for name, logs in samples.items():
        rows = table[table["task"] == name]
        total = rows.groupby("metric")["value"].sum()
        if name == LIKELIHOOD:
            value = total["nll"] / total["characters"]
            figures.append(("nll_per_character", value, "nats/character"))
        elif name == TRANSLATION:
            answers = [without_thinking(log["filtered_resps"][0])[0] for log in logs]
            references = [[log["doc"]["ja"] for log in logs]]
            figures.append(("chrf", sacrebleu.corpus_chrf(answers, references).score, "points"))
        else:
            figures.append((f"accuracy_{name}", total["accuracy"] / len(logs), "share"))
    return figures
