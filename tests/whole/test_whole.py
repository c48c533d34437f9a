"""One of everything: all targets on a few samples, and every rule seen in the execution log."""

import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.data.hub import File, Locked
from kensho.files import sha256
from kensho.models import lock
from kensho.report.translation import english
from kensho.run import events
from tiny import written

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from leftovers import TOKEN, holders  # noqa: E402  modules of another folder of tests
from planning import copied, jobs, snakemake  # noqa: E402
from traced import traced, tracing, undeclared  # noqa: E402

# Rules that this run does not reach, each with the reason.
ELSEWHERE = {
    "gemm": "needs an accelerator",
    "rocm_variables": "needs ROCm",
    "device": "needs an accelerator",
    "shaberi_published": "reads marks of others: tests/bench/test_shaberi_published.py",
    "selftest": "times the machine: tests/bench/test_selftest.py",
    "budget": "tests/test_budget.py, tests/workflow/test_spent_budget.py",
    "preflight": "tests/test_preflight.py",
    **dict.fromkeys(("rehearsal", "make_twin"), "tests/whole/test_full_rehearsal.py"),
    "lock": "needs a hub: tests/hub/test_hub_runs.py",
    **dict.fromkeys(
        ("lock_corpora", "fetch_corpus_file"), "need a hub: tests/hub/test_hub_datasets.py"
    ),
    "provenance": "reads whatever there is: tests/provenance/test_profile.py",
    "audit": "tests/workflow/test_audit_target.py",
    "pooled": "needs crates of several sites: tests/workflow/test_pooled_crates.py",
    **dict.fromkeys(
        (
            "characteristics", "adversarial", "posterior_calibration", "formula_calibration",
            "audit_calibration", "mutants", "calibration_tables", "calibration_page",
        ),
        "the calibration has a step of its own",
    ),
}  # fmt: skip
LEFT = (".snakemake", "logs", "results")
TARGETS = {
    "all",
    "archive",
    "augmentation_study",
    "training_studies",
    "tokenisers_study",
    "domain_study",
    "serving_study",
    "benchmark",
    "own",
    "sources",
    "jlce",
    "judging",
    "stages",
    "corpora",
    "calibration",
    "calibration_full",
}
USER = "planted-user"
TARGETS_OF_USERS = (
    "all",
    "benchmark",
    "augmentation_study",
    "training_studies",
    "tokenisers_study",
    "domain_study",
    "serving_study",
    "strategy",
    "jlce",
    "judging",
    "own",
    "corpora",
    "stages",
)
BROUGHT = {
    "id": "OWN-1",
    "source": "own",
    "statement": "tuning helps",
    "quantity": "score, tuned - base",
    "unit": "points",
    "claimed": {"at_least": 0.5},
    "scope": {"models": ["any"], "hardware": "any"},
    "required_tier": "published",
    "test": {
        "design": "paired_difference",
        "outcome": "score",
        "prior": {"location": 1, "spread": 1},
        "experiment": "own-scores",
        "external": [{"path": "own/scores.csv", "format": "csv"}],
        "readings": [
            {
                "label": "all",
                "treatment": {"arm": "tuned", "metric": "score"},
                "control": {"arm": "base", "metric": "score"},
            }
        ],
        "region": [0.5, None],
        "direction": "greater",
        "sesoi": 0.2,
        "levels": ["item"],
        "family": "own",
    },
    "not_tested": None,
}


class Judge(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that calls every pair a tie."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "同じです。\n引き分け"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"model": "tie", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def judge():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path, judge, tmp_path_factory):
    """The code with the overlay, a brought table and medical questions of the test's own."""
    copied(tmp_path)
    overlay = yaml.safe_load((ROOT / "tests/whole/tiny.yaml").read_text(encoding="utf-8"))
    overlay["jlce"]["judge"] = {
        "url": f"{judge}/{TOKEN}",
        "model": "tie",
        "pairs": [["lora-r8", "base"]],
        "key_variable": "JUDGE_KEY",
    }
    overlay["judging"]["judges"] = [
        {"name": "tie", "url": f"{judge}/{TOKEN}", "model": "tie", "key_variable": "JUDGE_KEY"}
    ]
    overlay["bench"]["medical"]["subjects"] = ["jmmlu-anatomy"]
    mirror = tmp_path / f"mirror-{TOKEN}"
    overlay["paths"] = {"mirror": str(mirror)}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    questions = mirror / "questions.csv"
    questions.parent.mkdir()
    bones = ["大腿骨", "上腕骨", "頭蓋骨", "鎖骨", "尺骨", "脛骨", "肋骨", "仙骨", "腓骨", "橈骨"]
    rows = [
        f"{b}がある所はどこか,頭{i},腕{i},脚{i},胴{i},{'ABCD'[i % 4]}" for i, b in enumerate(bones)
    ]
    questions.write_text("\n".join(rows) + "\n", encoding="utf-8")
    sources = yaml.safe_load((tmp_path / "config/sources.yaml").read_text(encoding="utf-8"))
    sources["jmmlu-anatomy"] |= {
        "sha256": sha256(questions),
        "bytes": questions.stat().st_size,
        "places": [{"mirror": "questions.csv"}],
    }
    polite = {"見る": 4, "切る": 4, "見ます": 2, "切ります": 2, "ご覧になる": 1, "お切りになる": 1}
    levels = [f"{bone}を{verb}。,{level}" for bone in bones for verb, level in polite.items()]
    (mirror / "keico.csv").write_text("本文,Level\n" + "\n".join(levels), encoding="utf-8")
    sources["keico"] |= {
        "sha256": sha256(mirror / "keico.csv"),
        "bytes": (mirror / "keico.csv").stat().st_size,
        "places": [{"mirror": "keico.csv"}],
    }
    spoken(mirror, bones)
    sources["real-persona-chat"] |= {
        "sha256": sha256(mirror / "dialogues.tar.gz"),
        "bytes": (mirror / "dialogues.tar.gz").stat().st_size,
        "places": [{"mirror": "dialogues.tar.gz"}],
    }
    for lost in ("jcommonsenseqa", "jnli", "jcola"):
        address = f"http://user:{TOKEN}@127.0.0.1:9/{TOKEN}?X-Signature={TOKEN}"
        places = [{"mirror": "none.json"}, {"https": address}]
        sources[lost] |= {"sha256": "0" * 64, "places": places}
    text = yaml.safe_dump(sources, allow_unicode=True)
    (tmp_path / "config/sources.yaml").write_text(text, encoding="utf-8")
    small_model(tmp_path, tmp_path_factory.mktemp("weights"))
    (tmp_path / "own").mkdir()
    scores = [f"{arm},q{i},{5 + i % 3 + (arm == 'tuned') + i / 100 * (arm == 'tuned')}"
              for arm in ("base", "tuned") for i in range(20)]  # fmt: skip
    (tmp_path / "own/scores.csv").write_text("arm,item,score\n" + "\n".join(scores) + "\n")
    notes = (json.dumps({"text": f"{b}は{b}の骨です。"}) for b in bones)
    (tmp_path / "own/notes.jsonl").write_text("\n".join(notes), encoding="utf-8")
    (tmp_path / "config/claims/own.yaml").write_text(yaml.safe_dump([BROUGHT]), encoding="utf-8")
    return tmp_path


def small_model(folder, weights):
    """The model that the overlay trains and asks: two layers, locked, in a folder of its own."""
    written(weights, width=64)
    files = {
        path.name: File(bytes=path.stat().st_size, sha256=sha256(path))
        for path in weights.iterdir()
    }
    hub = "tests/small"
    small = Locked(
        endpoint="huggingface.co", commit="0" * 40, resolved="2026-11-28", answered=hub,
        gated=False, files=files,
    )  # fmt: skip
    lock.write({hub: small}, folder / lock.PATH)
    models = yaml.safe_load((folder / "config/models.yaml").read_text(encoding="utf-8"))
    models["small"] = {
        "hub": hub, "folder": str(weights), "licence": "MIT", "licence_class": "permissive",
        "chat": "none", "role": "base",
    }  # fmt: skip
    text = yaml.safe_dump(models, allow_unicode=True)
    (folder / "config/models.yaml").write_text(text, encoding="utf-8")


def spoken(folder, bones):
    """An archive of dialogues between two people, as RealPersonaChat has them."""
    with tarfile.open(folder / "dialogues.tar.gz", "w:gz") as archive:
        for number, bone in enumerate(bones):
            said = [
                {"interlocutor_id": "AB"[turn % 2], "text": f"{bone}は{turn}本"}
                for turn in range(6)
            ]
            text = json.dumps({"dialogue_id": number, "utterances": said}).encode()
            member = tarfile.TarInfo(f"dialogues/{number}.json")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def run(folder, *targets, **environment):
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--quiet", "rules"]
    beside = ["--max-threads", "1"]  # so little work: jobs beside each other, on one thread each
    return subprocess.run(
        [*command, *beside, "--configfile", "tiny.yaml", "--", *targets],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2400,
        env={**os.environ, "LOGNAME": USER, "USER": USER, "JUDGE_KEY": TOKEN, "HF_TOKEN": TOKEN,
             **environment},
    )  # fmt: skip


PARTS = {
    *PREPARATIONS,
    *EXPERIMENTS,
    "translation_preference",
    "marks",
}  # each is a rule of its name


def rules_of(folder):
    text = "".join(p.read_text(encoding="utf-8") for p in folder.glob("rules/*.smk"))
    return set(re.findall(r"^rule (\w+):", text, re.M)) | PARTS


@pytest.mark.whole
def test_every_rule_runs_once_for_each_thing_that_it_makes(folder, tmp_path_factory):
    trace = tmp_path_factory.mktemp("trace")
    watched = tracing(trace, folder)
    done = run(folder, *TARGETS_OF_USERS, **watched)
    assert done.returncode == 0, done.stdout[-6000:]
    past = events.read(folder / events.LOG)
    finished = [event.job for event in past if event.event == "finished"]
    assert len(finished) == len(set(finished)), "a job ran twice"
    assert not [event.job for event in past if event.event == "failed"]
    ran = {re.sub(r"^import_tables_.*", "import_tables", name.split()[0]) for name in finished}
    missed = rules_of(folder) - ran - TARGETS - set(ELSEWHERE) - {"verify"}
    assert not missed, f"rules that never ran: {missed}"
    assert "import_tables" in ran and not ran & set(ELSEWHERE)
    verified = run(folder, "verify", **watched)
    assert verified.returncode == 0, verified.stdout[-3000:]
    ruled = {re.sub(r"^import_tables_.*", "import_tables", rule) for rule in traced(trace)}
    assert ruled >= ran | {"verify"} and undeclared(trace) == []
    again = snakemake(folder, "-n", "--configfile", "tiny.yaml", "--", *TARGETS_OF_USERS)
    assert jobs(again.stdout) == {}, again.stdout[-3000:]
    for claim in ("D-2.pair", "D-2", "C-2.swallow", "C-4.score"):  # its judge cannot judge
        analysis = json.loads((folder / f"results/analysis/{claim}.json").read_text("utf-8"))
        assert analysis["verdict"] == "NOT TESTED", analysis["sentence"]
        assert "tie: it got 0 of 24 planted pairs right" in analysis["sentence"]
    analysis = json.loads((folder / "results/analysis/OWN-1.json").read_text(encoding="utf-8"))
    assert analysis["verdict"] == "VERIFIED"
    said = done.stdout + verified.stdout + again.stdout
    assert TOKEN not in said
    assert not [left for name in LEFT for left in holders(folder / name, [TOKEN])]
    pages = [*(folder / "results").glob("*.html")]
    made = {"validation_report", "own_report", "jlce", "domain", "tokenisers", "stages"}
    assert {page.stem for page in pages} == made | {f"{name}.ja" for name in made}
    for page in ("validation_report.html", "jlce.html"):  # why sources were left out stands there
        text = (folder / "results" / page).read_text(encoding="utf-8")
        assert "none.json is missing; https: cannot reach http://127.0.0.1:9" in text
    here = [USER, str(folder), str(ROOT), sys.prefix, f"{Path.home()}/"]
    host = [platform.node()] if len(platform.node()) > 5 else []  # shorter, it is a word too
    assert not [*holders(folder / "results", here + host)]
    place = json.loads((folder / "results/models/small.json").read_text("utf-8"))["path"]
    assert not [*holders(folder / "results/benchmark_data", [place])]
    # what the report says depends on the machine too: tests/report/test_japanese.py
    others = [folder / f"results/{name}.ja.html" for name in made - {"validation_report"}]
    untranslated = {page.name: english(page.read_text(encoding="utf-8")) for page in others}
    assert not any(untranslated.values()), untranslated
    shutil.rmtree(folder / "results")
