"""The runner on a tiny model, and what its logs become."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from kensho.evaluate import harness
from kensho.jlce import catalogue, items, prepare, readers, run
from kensho.jlce.lm import KenshoLM
from kensho.models.loading import load
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from scipy.stats import binomtest


@pytest.fixture(scope="module")
def tiny(tiny_model):
    return load(tiny_model, torch.float32)


def test_every_task_has_a_metric_and_items():
    files = [path for path in run.PACK.glob("*.yaml") if not path.stem[-1].isdigit()]
    assert {path.stem for path in files} == set(catalogue.tasks())
    for path in files:
        definition = yaml.safe_load(re.sub(r"!function ", "", path.read_text()))
        task = catalogue.tasks()[path.stem]
        assert task.kind in items.KINDS
        assert task.main in [metric["metric"] for metric in definition["metric_list"]]


SETTINGS = run.Settings(["nli", "logic", "mathematics", "style"], limit=3)


def evaluated(model, tokenizer, journal=None):
    wrapped = KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=2, journal=journal)
    return run.evaluate(wrapped, SETTINGS, seed=1)


@pytest.fixture(scope="module")
def samples(tiny):
    return evaluated(*tiny)


def test_scores_are_those_of_the_harness_itself(tiny, samples):
    model, tokenizer = tiny
    names = [run.task_name(task) for task in SETTINGS.tasks]
    manager = TaskManager(include_path=str(run.PACK), include_defaults=False)
    wrapped = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=2)
    plain = harness.logs(wrapped, names, manager, seed=1, limit=3)
    for name in names:
        for ours, theirs in zip(samples[name], plain[name], strict=True):
            if "acc" in ours["metrics"] and "parsed" not in ours["metrics"]:
                for (one, _), (other, _) in zip(ours["filtered_resps"], theirs["filtered_resps"]):
                    assert float(one) == pytest.approx(float(other), rel=1e-3)
                assert ours["acc"] == theirs["acc"]
            else:
                assert ours["filtered_resps"] == theirs["filtered_resps"]


def test_an_interrupted_run_goes_on_and_ends_alike(tiny, samples, tmp_path, monkeypatch):
    journal = tmp_path / "journal.jsonl"
    asked = KenshoLM.generate_until

    def killed(self, *given, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(KenshoLM, "generate_until", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluated(*tiny, journal)
    kept = journal.read_bytes()
    assert kept
    monkeypatch.setattr(KenshoLM, "generate_until", asked)
    resumed = evaluated(*tiny, journal)
    assert journal.read_bytes().startswith(kept) and len(journal.read_bytes()) > len(kept)
    assert list(run.answers({0: resumed})) == list(run.answers({0: samples}))


class Chance(LM):
    """Random likelihoods, and one answer to everything."""

    def __init__(self):
        super().__init__()
        self.rng = random.Random(1)

    def loglikelihood(self, requests):
        return [(-self.rng.random(), False) for _ in requests]

    def generate_until(self, requests):
        return ["ああ" for _ in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def test_a_journal_of_another_model_is_not_taken_for_ours(tiny, samples, tiny_model, tmp_path):
    other, tokenizer = load(tiny_model, torch.float32)
    with torch.no_grad():
        other.model.norm.weight.mul_(-1)
    journal = tmp_path / "journal.jsonl"
    first = evaluated(other, tokenizer, journal)
    second = evaluated(*tiny, journal)
    assert list(run.answers({0: second})) == list(run.answers({0: samples}))
    assert list(run.answers({0: second})) != list(run.answers({0: first}))


def test_every_public_dataset_has_a_reader_of_its_kind():
    assert set(catalogue.PUBLIC) == set(readers.READERS)
    assert set(catalogue.PUBLIC.values()) <= set(items.KINDS) == set(catalogue.kinds())


def test_a_task_that_does_not_say_what_it_is_is_one_line(tmp_path, monkeypatch):
    text = (catalogue.PACK / "nli.yaml").read_text(encoding="utf-8")
    for line, said in (
        ("group: Semantic", "group: Semantics"),
        ("  main: balanced_acc", "  mane: x"),
    ):
        monkeypatch.setattr(catalogue, "PACK", tmp_path)
        (tmp_path / "nli.yaml").write_text(text.replace(line, said), encoding="utf-8")
        catalogue.tasks.cache_clear()
        with pytest.raises(ValueError, match=r"nli\.yaml: metadata: (group|main|mane)"):
            catalogue.tasks()
    catalogue.tasks.cache_clear()


def test_a_model_that_knows_nothing_scores_at_chance():
    names = [run.task_name(t) for t in catalogue.tasks() if not t.startswith("translation")]
    manager = TaskManager(include_path=str(run.PACK), include_defaults=False)
    logs = harness.logs(Chance(), names, manager, seed=1)
    found = run.observations("chance", {0: logs})
    scores = found[found["metric"].isin(["score", "own_score"])]["value"].groupby(
        found["block"].str.split("/").str[0]
    )
    for task, values in scores:
        by_likelihood = "parsed" not in logs[run.task_name(task)][0]["metrics"]
        if not by_likelihood:
            assert values.max() < 0.2, task
            continue
        kind = catalogue.tasks()[task].kind
        tests = [i for i in items.read(items.OURS / f"{kind}.jsonl", kind) if i.split == "test"]
        chance = prepare.baselines(tests)["chance"]
        low, high = binomtest(int(values.sum()), len(values)).proportion_ci(0.999)
        assert len(values) == len(tests) >= 50 and low < chance < high, task


def test_a_log_becomes_rows():
    log = {"doc": {"id": "x/1", "cluster": "c", "gold": 2}, "target": "2"}
    log |= {"metrics": ["acc", "balanced_acc", "mcc"], "filtered_resps": [("-1.5", "True")]}
    log |= {"acc": 1.0, "balanced_acc": (2, 1), "mcc": (2, 1)}
    found = run.observations("arm", {7: {"jlce_acceptability_reasoning_2": [log]}})
    assert found["block"].unique().tolist() == ["acceptability_reasoning/c/x-1"]
    rows = found.set_index("metric")["value"]
    assert rows.to_dict() == {"acc@2": 1, "gold@2": 2, "chosen@2": 1, "score@2": 1}
    assert found["replicate"].unique().tolist() == [7]


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        ([("c", "x/1"), ("c", "x-2")], ["style/c/x-1", "style/c/x-2"]),
        ([("c", "x/1"), ("c", "x-1")], ["style/c/x%2F1", "style/c/x-1"]),
        ([("c/d", "e"), ("c-d", "e")], ["style/c%2Fd/e", "style/c-d/e"]),
    ],
)
def test_blocks_of_two_items_are_two(names, blocks):
    logs = [
        {"doc": {"cluster": cluster, "id": name}, "metrics": [], "joint": 1.0}
        for cluster, name in names
    ]
    assert run.observations("arm", {1: {"jlce_style": logs}})["block"].tolist() == blocks


@pytest.mark.slow
def test_a_task_of_ones_own_runs_from_the_command_line(tiny_model, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "jlce.md").read_text()
    (definition,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (item,) = re.findall(r"`(\{\"question.*?\})`", page)
    assert len(definition.splitlines()) == 10
    (tmp_path / "my_task.yaml").write_text(definition)
    (tmp_path / "my_items.jsonl").write_text(f"{item}\n" * 3)
    command = [sys.executable, "-m", "kensho.jlce", "--model", "kensho", "--tasks", "my_task"]
    command += ["--include_path", ".", "--output_path", "out", "--device", "cpu"]
    command += ["--model_args", f"pretrained={tiny_model},dtype=float32"]
    places = {"PYTHONPATH": str(Path(run.__file__).parents[2]), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (written,) = tmp_path.rglob("results_*.json")
    assert "acc,none" in json.loads(written.read_text())["results"]["my_task"]
