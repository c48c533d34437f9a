"""The keys that docs/own-results.md shows for further designs are accepted as they stand."""

import re
from pathlib import Path

import pytest
import yaml
from kensho import external
from kensho.claims.model import Claim

PAGE = Path(__file__).parents[2] / "docs" / "own-results.md"
SECTION = PAGE.read_text(encoding="utf-8").split("## More designs\n")[1].split("\n## ")[0]
SHOWN = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", SECTION, re.S)]
TABLES = [
    {"path": "own/scores.csv", "format": "csv", "arm": arm, "metric": "score"}
    for arm in ("tuned", "base")
]
JUDGED = [{"path": "own/preferences.csv", "format": "pairwise", "arm": "tuned"}]
COMMON = {"experiment": "own", "external": TABLES, "region": [0.6, None], "sesoi": 0.05}


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown["design"])
def test_a_documented_design_is_accepted(shown):
    record = {
        "id": "OWN-4",
        "source": "own",
        "statement": "so it is",
        "quantity": "what the page shows",
        "unit": "as it is",
        "claimed": {"at_least": (COMMON | shown)["region"][0]},
        "scope": {"models": ["tuned"], "hardware": "any"},
        "test": COMMON | ({"external": JUDGED} if shown["design"] == "win_rate" else {}) | shown,
        "not_tested": None,
    }
    claim = Claim.model_validate(record)
    assert external.problems([claim], own=["evaluation"]) == []
    assert set(claim.test.arms) <= {"tuned", "base", "arena"}


def test_the_page_shows_every_design_that_it_announces():
    assert len(SHOWN) == 6 and len({shown["design"] for shown in SHOWN}) == 6
