"""Small tables in the folder of a test, and what becomes of them."""

import json
from pathlib import Path

from kensho import external
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim

BASE, TUNED = (f"{arm}/samples_jnli_2026-05-01T10-00-00.000001.jsonl" for arm in ("base", "tuned"))
SCORES = "arm,item,score\nbase,a,1\nbase,b,2\ntuned,a,3\ntuned,b,4.5\n"
WINS = (
    "prompt,order,judge,winner\n"
    "p1,tuned,gpt,tuned\np1,base,gpt,tie\np2,tuned,gpt,base\np2,base,gpt,tuned\n"
    "p1,tuned,human,tie\np1,base,human,base\np2,tuned,human,tuned\np2,base,human,tuned\n"
)


def put(path, content):
    """Write a file, text as UTF-8 with the line ends that it has."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


def sample(number, score, **more):
    """A sample as the harness logs it, but for what was answered; a key given as None is out."""
    line = {
        "doc_id": number,
        "doc": {"passage": f"p{number // 2}", "key": f"q/{number}", "question": f"何{number}？"},
        "target": "1",
        "arguments": {"gen_args_0": {"arg_0": f"Q: 何{number}？", "arg_1": " 1"}},
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": score,
        "acc_norm": 0.0,
        **more,
    }
    return {key: value for key, value in line.items() if value is not None}


def lines(entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def log(scores, **more):
    return lines(sample(number, score, **more) for number, score in enumerate(scores))


def observe(*tables, arms=("base", "tuned"), levels=("block",), **more):
    found = [ExternalTable(**table) for table in tables]
    return external.observe("brought", external.Experiment(found, list(levels), list(arms), **more))


def logs(**more):
    return [
        {"path": path, "format": "lm-eval", "arm": arm, "metric": "acc", **more}
        for path, arm in ((BASE, "base"), (TUNED, "tuned"))
    ]


def both_logs(base=(1.0, 0.0, 1.0, 0.0), tuned=(1.0, 1.0, 1.0, 0.0), **more):
    put(BASE, log(base))
    put(TUNED, log(tuned, **more))


def values(frame):
    return dict(zip(frame["block"], frame["value"], strict=True))


def of_arms(found):
    """Values of each arm by block."""
    return {arm: values(frame) for arm, (frame, _) in found.items()}


def claim(name="OWN-1", **test):
    side = {"metric": "score", "block": None}
    return Claim.model_validate(
        {
            "id": name,
            "source": "A",
            "statement": "tuned is better",
            "quantity": "score, tuned - base",
            "unit": "points",
            "claimed": {"at_least": 1.0},
            "scope": {"models": []},
            "required_tier": "published",
            "test": {
                "design": "paired_difference",
                "outcome": "score",
                "prior": {"location": 1.0, "spread": 1.0},
                "experiment": "brought",
                "external": [{"path": "scores.csv", "format": "csv"}],
                "readings": [
                    {
                        "label": "mean",
                        "treatment": {"arm": "tuned", **side},
                        "control": {"arm": "base", **side},
                    }
                ],
                "region": [1.0, None],
                "direction": "greater",
                "sesoi": 0.1,
                **test,
            },
            "not_tested": None,
        }
    )
