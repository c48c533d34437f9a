"""The target `audit`: the registry and a table, with and without the mirror's board."""

import pandas as pd
import pytest
import yaml
from planning import copied, jobs, nowhere, snakemake

SPEC = {
    "title": "A paper's table",
    "table": "paper.csv",
    "rows": "model",
    "checks": [{"check": "reachable", "score": "acc", "items": 448}],
}


@pytest.mark.slow
def test_claims_and_tables_are_audited_by_one_command(tmp_path):
    copied(tmp_path)
    (tmp_path / "paper.csv").write_text("model,acc\nA,0.571\nB,0.570\n", encoding="utf-8")
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    tables = ("--config", "audit={tables: [paper.yaml, config/audit/swallow.yaml]}")
    done = snakemake(tmp_path, "audit", *tables, **nowhere(tmp_path))
    assert done.returncode == 0, done.stdout
    results = tmp_path / "results/audit"
    claims = pd.read_csv(results / "claims.csv").set_index("claim").word
    assert {"D-2", "F-12"} <= set(claims.index[claims == "IMPOSSIBLE"])
    found = pd.read_csv(results / "findings.csv")
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]
    page = (tmp_path / "results/audit.html").read_text(encoding="utf-8")
    assert "256 are 0.5714" in page and "set paths.mirror (or KENSHO_MIRROR)" in page
    again = snakemake(tmp_path, "audit", "-n", *tables, **nowhere(tmp_path))
    assert jobs(again.stdout) == {}
    (tmp_path / "paper.csv").write_text("model,acc\nA,0.571\nB,high\n", encoding="utf-8")
    done = snakemake(tmp_path, "audit", *tables, **nowhere(tmp_path))
    assert "paper.csv, line 3, 'acc': 'high' is no printed number" in done.stdout
