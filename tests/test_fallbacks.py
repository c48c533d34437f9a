"""What is done where the first choice cannot be had: each forced by its real cause."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conditions_example import RECORD, tier
from dying import GIB, ended, killed, refused
from kensho import fallback
from kensho.bench import kv_cache
from kensho.bench.blocks import interleaved
from kensho.bench.run import Run
from kensho.bench.settings import KVCache
from kensho.claims.model import Tier
from kensho.models import cards, hardware
from kensho.plan.check import check

ROOT = Path(__file__).parents[1]
CARDS = cards.load(ROOT / "resources" / "architectures.yaml")
ONE_RUN = {"blocks": 1, "run": Run(Path(), threads=1, seed=1)}
GRID = KVCache(lengths=[512], batches=[1], dtypes=["float16"], measured_lengths=[8])
OBSERVED = fallback.lowered({"ran": {"models": []}, "fallbacks": []}, ["first"], "reference")


def test_tiers_are_those_of_the_claims():
    assert list(fallback.TIERS) == [tier.value for tier in Tier]


@pytest.mark.parametrize(
    ("at_most", "left"), [("at-scope", "reference"), ("reduced", "reduced"), ("analytic",) * 2]
)
def test_a_fallback_is_named_and_never_strengthens_evidence(at_most, left):
    found = fallback.lowered(OBSERVED, ["second"], at_most)
    assert tier(found) == left and found["fallbacks"] == ["first", "second"]
    assert fallback.lowered(OBSERVED, [], at_most) == OBSERVED


# Accelerators: rocm -> cuda -> none


@pytest.fixture
def seen():
    """What torch sees here, which is not ROCm."""
    if (found := hardware.detected()) == "rocm":
        pytest.skip("this machine has ROCm")
    return found


def test_without_rocm_the_next_one_is_taken_and_named(seen):
    taken = fallback.accelerator("rocm", seen, ["cuda", "none"])
    assert taken == [f"accelerator: rocm -> {seen} (torch sees no ROCm device)"]
    assert fallback.accelerator(seen, seen, []) == []


@pytest.mark.parametrize(("chain", "mend"), [([], "to accelerator_fallback"), (None, "change")])
def test_without_a_fallback_there_is_only_refusal(seen, chain, mend):
    with pytest.raises(ValueError, match=f"says accelerator: rocm, torch sees {seen}; .*{mend}"):
        fallback.accelerator("rocm", seen, chain)


def test_what_is_seen_but_not_declared_is_refused():
    with pytest.raises(ValueError, match="add cuda to accelerator_fallback"):
        fallback.accelerator("rocm", "cuda", ["none"])


@pytest.mark.parametrize(
    ("accelerator", "chain", "said"),
    [
        ("rocm", ["cuda", "none"], None),
        ("rocm", ["cuda"], None),
        ("rocm", ["none"], None),
        ("rocm", ["none", "cuda"], "after rocm may come, in this order: cuda, none"),
        ("cuda", ["cuda"], "after cuda may come, in this order: none"),
        ("none", ["cuda"], "after none may come, in this order: nothing"),
    ],
)
def test_the_chain_goes_down(accelerator, chain, said):
    raw = {"accelerator": accelerator, "accelerator_fallback": chain}
    found = [line for line in check(raw, {}, {}, CARDS)[1] if "accelerator_fallback" in line]
    assert [line.endswith(said or "") for line in found] == [True] * (said is not None)


def test_a_fallback_of_the_training_is_named_by_its_evaluation(tmp_path):
    import torch
    from kensho.evaluate.arms import conditions
    from kensho.evaluate.engines import Served
    from kensho.train import record

    line = "accelerator: rocm -> none (torch sees no ROCm device)"
    (tmp_path / "base.json").write_text(
        json.dumps({**RECORD["base"], "path": "results/models/tiny"})
    )
    for seed in (1, 2):
        record.write(tmp_path / f"{seed}.json", RECORD | {"seed": seed, "fallbacks": [line]})
    records = [tmp_path / "1.json", tmp_path / "2.json"]
    given = {"dtype": torch.float32, "threads": 1, "not_tested": [], "asked": []}
    by = Served({"name": "transformers"}, "engine: vllm -> transformers (an adapter)")
    found = conditions(tmp_path / "base.json", records, **given, served=[by, by])
    assert found["fallbacks"] == [f"training: {line}", by.fallback] and found["seeds"] == [1, 2]
    assert found["own"]["engine"] == by.engine


# Out of memory: the next smaller model


@pytest.mark.parametrize(("run", "said"), [(refused, "MemoryError"), (killed, "killed")])
def test_a_run_that_dies_of_memory_is_told_from_others(run, said):
    with pytest.raises(fallback.OutOfMemory, match=f"arm x, block 0: {said}"):
        interleaved({"x": run}, **ONE_RUN)
    with pytest.raises(RuntimeError, match="exit code 3"):
        interleaved({"x": ended}, **ONE_RUN)


def test_the_next_smaller_model_is_tried_and_the_last_may_fail():
    def attempt(run):
        return interleaved({"x": run}, **ONE_RUN)[0]["arm"]

    result, rung, taken = fallback.on_smaller(attempt, {"large": refused, "small": dict})
    assert (result, rung) == ("x", dict) and len(taken) == 1
    assert taken[0].startswith("out of memory: large -> small (arm x, block 0: MemoryError")
    with pytest.raises(fallback.OutOfMemory, match="killed"):
        fallback.on_smaller(attempt, {"large": refused, "small": killed})


TRAINING = """
import json, sys
from pathlib import Path
from kensho.bench.run import Run
from kensho.bench.settings import Cell, TrainingMemory
from kensho.bench.training_memory import conditions, observe_on_ladder
from kensho.fallback import lowered
from kensho.models.cards import Card

def card(name, words, width):
    sizes = {"vocab_size": words, "hidden_size": width, "intermediate_size": 2 * width,
             "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
             "max_position_embeddings": 512, "tie_word_embeddings": True}
    return Card(name=name, model_type="llama", config=sizes, parameters=None, source="test",
                remark="")

settings = TrainingMemory(
    arms=["lora-r8-qv", "full"], adapted="vast", full="vast", ladder=["tiny"],
    cells=[Cell(batch=1, length=16)])
run = Run(Path(), threads=1, seed=1)
known = {"vast": card("vast", 600_000, 4096), "tiny": card("tiny", 512, 64)}
frame, used, taken = observe_on_ladder(known, settings, run)
weights = frame[frame["metric"] == "weights_bytes"].groupby("arm")["value"].max()
print(json.dumps({**lowered(conditions(known, used, settings, run), taken, "reduced"),
                  "weights": weights.to_dict()}))
"""


def test_training_under_a_limit_goes_on_with_the_smaller_card(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    done = subprocess.run(
        [sys.executable, script],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 * GIB, 8 * GIB)),
        **{"capture_output": True, "text": True},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    taken = [line for line in found["fallbacks"] if "left out" not in line]
    assert len(taken) == 1 and taken[0].startswith("out of memory: vast -> tiny (arm ")
    assert "allocate memory" in taken[0]
    assert tier(found) == "reduced" and found["models"] == {"lora": "tiny", "full": "tiny"}
    assert set(found["weights"].values()) == {
        4 * (512 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) + 5 * 64)
    }  # both arms are of the tiny card: they stay comparable


# Time limit: the closed form, for bytes alone


def test_bytes_that_no_time_was_left_for_come_from_the_closed_form():
    at_once = GRID.model_copy(update={"time_limit_s": 1e-6})
    found, missing = kv_cache.observe(CARDS, at_once)
    assert set(missing) == {*kv_cache.variants(CARDS), kv_cache.RUN}
    assert missing["mla"] == ["L512-B1-float16"]
    assert found.equals(kv_cache.observe(CARDS, GRID)[0])
    assert set(found["unit"]) == {"bytes"}  # nothing that takes time has a formula
    described = kv_cache.conditions(1e-6, missing["mla"])
    assert tier(described) == "analytic" and described["not_measured"] == missing["mla"]
    assert described["fallbacks"] == ["time limit of 1e-06 s: 1 blocks by formula"]


def test_what_was_measured_in_time_stays_measured():
    many = {"measured_lengths": list(range(1, 3000)), "time_limit_s": 3}
    found, missing = kv_cache.observe(CARDS, GRID.model_copy(update=many))
    assert set(missing) == {kv_cache.RUN} and missing[kv_cache.RUN][-1] == "L2999-B1-float16"
    last = found[(found["arm"] == kv_cache.RUN) & (found["block"] == "L2999-B1-float16")]
    assert last.set_index("metric")["value"]["cache_bytes"] == 576 * 2999 * 2
    described = kv_cache.conditions(3, missing.get("mla", []))
    assert tier(described) == "at-scope" and described["fallbacks"] == []


def test_the_time_limit_ends_with_its_block():
    fallback.within(0.05, list)
    fallback.within(None, lambda: time.sleep(0.1))
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_errors_pass_through_a_time_limit():
    with pytest.raises(ZeroDivisionError):
        fallback.within(60, lambda: 1 / 0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
