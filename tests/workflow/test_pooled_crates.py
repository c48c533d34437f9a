"""The target `pooled` from real small crates, one of them a zip."""

import html
import json
import sys
import zipfile

import pytest
from planning import ROOT, copied, jobs, snakemake

sys.path.insert(0, str(ROOT / "tests" / "stats"))
from sites_example import claim, gained, site


@pytest.fixture
def folder(tmp_path):
    copied(tmp_path)
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    return tmp_path


def configured(*crates):
    return ("--config", f"pooled={{crates: [{', '.join(crates)}]}}")


def test_without_crates_the_target_names_the_key(folder):
    for crates, line in (
        ((), "config: pooled.crates: 0 given; name the crates of two sites or more"),
        (("here", "nowhere.zip"), "config: pooled.crates: nowhere.zip: not there"),
    ):
        done = snakemake(folder, "pooled", *(configured(*crates) if crates else ()))
        assert done.returncode and line in done.stdout, done.stdout
    planned = snakemake(folder, "pooled", "-n", *configured("here", "there"))
    assert jobs(planned.stdout) == {"pooled": 1, "total": 1}


@pytest.mark.slow
def test_claims_of_two_crates_are_judged_once_more(folder):
    for seed, place in enumerate(("here", "there")):
        site(folder / place, claim(), gained(1.5, seed=seed))
    with zipfile.ZipFile(folder / "there.zip", "w") as archive:
        for file in sorted((folder / "there").rglob("*")):
            archive.write(file, file.relative_to(folder / "there"))
    done = snakemake(folder, "pooled", *configured("here", "there.zip"))
    assert done.returncode == 0, done.stdout
    results = folder / "results"
    judged = json.loads((results / "pooled/R-1.json").read_text())
    [told] = json.loads((results / "pooled.json").read_text())["claims"]
    assert [each["site"] for each in told["sites"]] == ["here", "there.zip"]
    assert judged["sentence"] == told["sentence"]
    assert told["sentence"] in html.unescape((results / "pooled_report.html").read_text())
    assert (results / "pooled/R-1.nc").stat().st_size
    assert not (results / "analysis").exists()  # a site's verdict stays its own
    again = snakemake(folder, "pooled", "-n", *configured("here", "there.zip"))
    assert jobs(again.stdout) == {}
    twice = snakemake(folder, "pooled", *configured("there", "there.zip"))
    assert "there and there.zip are of the same run" in twice.stdout
    assert "one site counted twice; leave one out of pooled.crates" in twice.stdout
