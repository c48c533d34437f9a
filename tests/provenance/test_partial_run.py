"""A run of one claim where secrets are about: what its crate says, what it lacks, what stops it."""

import json
import platform
import sys
import zipfile
from pathlib import Path

import pytest
from crate_graph import entities, judged
from kensho.paths import Paths, folders

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
from leftovers import TOKEN, holders
from planning import copied, snakemake

pytestmark = pytest.mark.crate
USER, HOME = "planted-user", "planted-home"
NOWHERE = f"http://{USER}:{TOKEN}@127.0.0.1:9/{TOKEN}"
JUDGE = {"url": f"http://127.0.0.1:9/{TOKEN}", "model": "m", "pairs": [["full", "base"]]}
CACHE, _ = folders(Paths())  # of the finished run: no index can be asked here
CLAIM, TABLE = "R-1", "results/benchmark_data/kv_cache/mla.csv"


def run(folder, target):
    planted = {
        **{"PIP_INDEX_URL": f"{NOWHERE}/simple", "HF_ENDPOINT": NOWHERE, "HF_TOKEN": TOKEN},
        **{"KENSHO_CACHE": str(CACHE), "KENSHO_MIRROR": str(folder / TOKEN)},
        **{"USER": USER, "LOGNAME": USER, "HOME": str(folder / HOME), "OPENAI_API_KEY": TOKEN},
    }
    settings = f"jlce={json.dumps({'judge': JUDGE})}"
    return snakemake(folder, "--config", settings, "--", target, **planted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The workflow with that run and its crate."""
    folder = copied(tmp_path_factory.mktemp("run"))
    for target in (f"results/analysis/{CLAIM}.json", "provenance"):
        done = run(folder, target)
        assert done.returncode == 0, done.stdout
    return folder


def test_the_crate_holds_no_secret_no_user_and_no_folder_of_this_machine(folder):
    with zipfile.ZipFile(folder / "results/kensho.crate.zip") as crate:
        crate.extractall(folder / "unpacked")
    names = [TOKEN, USER, HOME, str(folder), sys.prefix]
    names += [platform.node()] if len(platform.node()) > 5 else []  # shorter, it is a word too
    for place in ("results/provenance", "unpacked"):
        assert [*holders(folder / place, names)] == []


def test_claims_that_did_not_run_are_not_tested_for_a_reason(folder):
    graph = entities(folder / "results/provenance")
    assert judged(graph) == {CLAIM}
    others = {name for name in graph if name.startswith("#review-")} - {f"#review-{CLAIM}"}
    assert others and all(graph[name]["reviewBody"] for name in others)
    ratings = {graph[graph[name]["reviewRating"]["@id"]]["ratingValue"] for name in others}
    assert ratings == {"NOT TESTED"}


def test_an_observation_that_was_edited_stops_the_export_by_name(folder):
    archive, table = folder / "results/kensho.crate.zip", folder / TABLE
    before, rows = archive.read_bytes(), table.read_text(encoding="utf-8")
    table.write_text(f"{rows}{rows.splitlines()[-1]}\n", encoding="utf-8")
    done = run(folder, "provenance")
    table.write_text(rows, encoding="utf-8")
    assert done.returncode != 0 and f"{TABLE}: is not what kv_cache wrote" in done.stdout
    assert "Traceback" not in done.stdout and archive.read_bytes() == before
