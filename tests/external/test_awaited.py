"""Tables that a claim says are not there yet: no fault, until they are there."""

import json

from kensho import external
from kensho.claims.model import Claim
from kensho.external import wanted

RECORD = {
    **{"id": "X-1", "source": "D", "statement": "scores 7", "quantity": "score", "unit": "points"},
    **{"claimed": {"at_least": 7}, "scope": {"models": []}, "required_tier": "published"},
    "test": {
        "design": "mean_score",
        "experiment": "scores",
        "external": [{"path": "scores.csv", "format": "csv"}],
        "readings": [{"label": "mean", "of": {"arm": "a", "metric": "score"}}],
        **{"region": [7, None], "prior": {"location": 10, "spread": 2}, "sesoi": 0.1},
        "levels": ["item"],
    },
    **{"not_tested": None, "obstacles": ["needs model"], "recipe": "make scores"},
}


def claims(**changes):
    return [Claim.model_validate({**RECORD, **changes})]


def test_a_claim_with_obstacles_awaits_its_table_and_one_without_misses_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    waiting, other = claims(), claims(id="X-2", obstacles=[], recipe=None)
    assert external.awaited(waiting, tmp_path) == ["scores"]
    assert external.awaited(other, tmp_path) == []
    assert external.awaited([*waiting, *other], tmp_path) == []
    assert external.missing(external.experiments(other), tmp_path)


def test_a_table_that_is_there_or_was_imported_is_awaited_no_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = external.experiments(claims())["scores"].digest()
    imported = tmp_path / "observed/scores"
    imported.mkdir(parents=True)
    (imported / "a.csv").touch()
    (imported / "a.conditions.json").write_text(json.dumps({"asked_sha256": asked}))
    assert external.awaited(claims(), tmp_path / "observed") == []
    assert external.awaited(claims(), tmp_path / "elsewhere") == ["scores"]
    (tmp_path / "scores.csv").touch()
    assert wanted.awaited(claims(), tmp_path / "elsewhere") == []
