"""The crate of the finished run: its profile's validator and questions, and what rests on what."""

import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import yaml
from crate_graph import entities, judged, made, reached
from kensho.files import sha256
from kensho.run import events

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from planning import snakemake  # noqa: E402  a module of another folder of tests
from questions import QUESTIONS  # noqa: E402

pytestmark = pytest.mark.crate
FOLDER, ARCHIVE = ROOT / "results/provenance", ROOT / "results/kensho.crate.zip"
# Author, publisher and agents: what is asked of a crate whose configuration names nobody.
OF_NOBODY = {"ro-crate-1.1_22.2", "ro-crate-1.1_22.3", "process-run-crate-0.5_8.6"}
LEFT_OUT = ["process-run-crate-0.5_5.1"]
SOMEBODY = {
    "title": "An embedded run",
    "description": "Every claim of the main job, on a small model.",
    "authors": [
        {
            **{"name": "Josiah Carberry", "orcid": "0000-0002-1825-0097"},
            **{"affiliation": "Brown University", "affiliation_url": "https://www.brown.edu/"},
        }
    ],
    "publisher": {"name": "Brown University", "url": "https://www.brown.edu/"},
    "licence": "https://creativecommons.org/licenses/by/4.0/",
}
MOST_BYTES = 15e6  # of the zip, at the embedded scale
SUFFIXES = (".safetensors", ".gguf", ".bin", ".pt", ".pth")


@pytest.fixture(scope="module")
def validator(request):
    """Python of an environment of validator.txt, made once in pytest's cache of this folder."""
    lock = HERE / "validator.txt"
    folder = Path(request.config.cache.mkdir(f"validator-{sha256(lock)[:12]}"))
    python, complete = folder / "bin/python", folder / "complete"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [*pip, "--require-hashes", "--requirement", lock],
    ):
        if not complete.is_file():
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if done.returncode:
                why = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
                pytest.fail(f"no environment of {lock.name}: {why}", pytrace=False)
    complete.touch()
    return python


def export(*options):
    done = snakemake(ROOT, *options, "--", "provenance")
    assert done.returncode == 0, done.stdout


def why():
    command = [sys.executable, "-m", "kensho.run.why"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def asked(validator, tmp_path_factory):
    """What the validator says of the crates of the finished run, that of nobody last."""
    if not (ROOT / "results/validation_report.html").is_file():
        pytest.skip("no finished run here: `make report` first")
    overlay = tmp_path_factory.mktemp("settings") / "somebody.yaml"
    overlay.write_text(yaml.safe_dump({"provenance": SOMEBODY}), encoding="utf-8")
    answers = {}
    for name, options in {"somebody": ("--configfile", str(overlay)), "nobody": ()}.items():
        export(*options)
        done = subprocess.run(
            [validator, HERE / "ask.py", FOLDER, ARCHIVE],
            **{"cwd": HERE, "capture_output": True, "text": True, "timeout": 600},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers[name] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture
def graph(asked):
    return entities(FOLDER)


@pytest.mark.parametrize("crate", [FOLDER, ARCHIVE], ids=["folder", "zip"])
@pytest.mark.parametrize("named, expected", [("somebody", set()), ("nobody", OF_NOBODY)])
def test_no_check_fails_but_those_that_ask_for_persons(asked, named, expected, crate):
    found = asked[named]["faults"][str(crate)]
    assert found["left out"] == LEFT_OUT
    assert {*found["failed"]} == expected, found["failed"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_rows(asked, question):
    assert asked["nobody"]["rows"][str(FOLDER)][question] > 0


def test_an_export_runs_no_other_job_and_makes_the_same_bytes(asked):
    assert why().startswith("nothing")
    started, before = events.read(ROOT / events.LOG, "started"), state()
    export()
    later = events.read(ROOT / events.LOG, "started")[len(started) :]
    assert [event.rule for event in later] == ["provenance"]
    assert state() == before and why().startswith("nothing")


def state():
    """Times of all results but the crate, of which the bytes."""
    times = {
        path: path.stat().st_mtime_ns
        for path in (ROOT / "results").rglob("*")
        if path.is_file() and path != ARCHIVE and FOLDER not in path.parents
    }
    return times, sha256(ARCHIVE)


def test_the_zip_is_the_folder_small_and_without_weights(asked):
    with zipfile.ZipFile(ARCHIVE) as crate:
        names = Counter(crate.namelist())
    assert names == Counter(str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*") if p.is_file())
    assert not [name for name in names if name.endswith(SUFFIXES)]
    assert ARCHIVE.stat().st_size < MOST_BYTES


def test_models_corpora_and_adapters_are_known_by_their_sha256(graph):
    kinds = r"#results/models/[^/]+", r"#?results/data/.+", r"#results/train/.+/model", "#source-.+"
    for kind in kinds:
        entries = {name: e for name, e in graph.items() if re.fullmatch(kind, name)}
        assert entries, kind
        for name, entity in entries.items():
            assert re.fullmatch("[0-9a-f]{64}", entity.get("sha256", "")), name


def test_every_judged_verdict_reaches_a_source_or_a_file_of_the_repository(graph):
    ends = re.compile("#source-|config/|resources/|workflow/")
    claims = judged(graph)
    assert {"R-1", "R-5.memory", "R-5.retention"} <= claims
    for claim in claims:
        assert [name for name in reached(graph, claim) if ends.match(name)], claim


def test_the_cache_claim_rests_on_no_corpus_and_no_model(graph):
    used = reached(graph, "R-1")
    assert not [name for name in used if re.match("#?results/(data|models|train)/|#source-", name)]


@pytest.mark.parametrize("claim", ["R-5.memory", "R-5.retention"])
def test_claims_on_training_rest_on_weights_corpus_and_model(graph, claim):
    used = reached(graph, claim)
    sources = {name.removeprefix("#source-") for name in used if name.startswith("#source-")}
    kinds = {name: json.loads(record(name).read_text(encoding="utf-8"))["kind"] for name in sources}
    assert {"model", "dataset"} <= {*kinds.values()}
    assert "results/data/train.csv" in {name.lstrip("#") for name in used}
    adapters = re.compile("#results/train/.+/model")
    attempts = [name for name in used if name.startswith("#attempt-")]
    assert list(filter(adapters.fullmatch, used | made(graph, attempts)))
    if claim == "R-5.retention":  # answers of the adapters; memory is seen while they are made
        assert list(filter(adapters.fullmatch, used))


def record(source):
    return FOLDER / f"results/sources/{source}/record.json"
