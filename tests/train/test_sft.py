import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from kensho.models.loading import load_reference, probe_logits
from kensho.models.reference import Reference, read, write
from kensho.train.methods import full, lora, qlora
from kensho.train.run import Training
from kensho.train.sft import stage
from kensho.train.stage import draw
from safetensors.torch import load_file

PAIRS = pd.DataFrame(
    {
        "id": [str(i) for i in range(12)],
        "en": [f"I have {i} cats." for i in range(12)],
        "ja": [f"私は猫を{i}匹飼っている。" for i in range(12)],
    }
)
HELD = {"weights": "float32", "compute": "float32"}
SCHEDULE = {
    "learning_rate": 1e-2,
    "steps": 6,
    "batch_size": 2,
    "max_length": 96,
    "checkpoint_every": 2,
    "dtype": torch.float32,
}
LORA = {"method": lora.METHOD, "rank": 4, "targets": ["q_proj", "v_proj"]}
FULL = {"method": full.METHOD, "rank": None, "targets": None}


def run(tiny_model, folder, seed=1, samples=PAIRS, **arm):
    base = tiny_model if isinstance(tiny_model, Reference) else Reference.of(tiny_model)
    training = Training(name="test", seed=seed, **{**SCHEDULE, **LORA, **arm})
    return stage(base, samples, folder / "model", folder / "checkpoints", training)


def weights(folder):
    return load_file(next((folder / "model").glob("*.safetensors")))


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_lora_learns_and_counts_its_parameters(tiny_model, tmp_path):
    steps, record = run(tiny_model, tmp_path)
    assert list(steps["step"]) == [1, 2, 3, 4, 5, 6]
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    # q: 32 -> 32, v: 32 -> 16 (two key-value heads), two layers, rank 4
    assert record.trainable_parameters == 2 * 4 * ((32 + 32) + (32 + 16))
    steady = steps[steps["step"] > 2]
    assert record.tokens_per_second == steady["tokens"].sum() / steady["seconds"].sum()


@pytest.mark.parametrize(
    ("method", "held", "computed"),
    [(full, "float32", "bfloat16"), (lora, "bfloat16", "bfloat16"), (qlora, "nf4", "bfloat16")],
)
def test_the_record_says_how_weights_are_held_and_computed(
    block_model, tmp_path, method, held, computed
):
    arm = FULL if method is full else LORA
    _, record = run(
        block_model, tmp_path, **{**arm, "method": method.METHOD, "dtype": torch.bfloat16}
    )
    assert (record.weights, record.dtype) == (held, computed)


def test_a_second_stage_begins_with_what_the_first_made(tiny_model, tmp_path):
    base = Reference.of(tiny_model)
    run(base, tmp_path / "first")
    write(tmp_path / "model.json", base.trained(tmp_path / "first/model", "lora", **HELD))
    first = read(tmp_path / "model.json")
    steps, _ = run(first, tmp_path / "second", **FULL)
    afresh, _ = run(base, tmp_path / "afresh", **FULL)
    assert steps["loss"].iloc[0] < afresh["loss"].iloc[0]
    second = first.trained(tmp_path / "second/model", None, **HELD)
    assert second.base == str(tmp_path / "second/model") and not second.adapters
    with_first, tokenizer = load_reference(first, torch.float32)
    with_second, _ = load_reference(second, torch.float32)
    assert not torch.equal(
        probe_logits(with_first, tokenizer), probe_logits(with_second, tokenizer)
    )


def test_steps_of_warm_up_alone_have_no_speed(tiny_model, tmp_path):
    steps, record = run(tiny_model, tmp_path, steps=2)
    assert len(steps) == 2 and record.tokens_per_second is None
    record.model_dump_json()


def test_a_process_of_its_own_observes_its_peak(tiny_model, tmp_path):
    # a process that gives memory of earlier work back meanwhile could end below where it began
    code = (
        f"import sys; sys.path[:0] = {[os.path.dirname(__file__), *sys.path]!r}\n"
        "from pathlib import Path; import test_sft\n"
        f"_, record = test_sft.run(Path({str(tiny_model)!r}), Path({str(tmp_path)!r}))\n"
        "print(record.peak_memory_bytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and int(done.stdout) > 100_000, done.stderr


def test_full_trains_every_parameter(tiny_model, tmp_path):
    _, record = run(tiny_model, tmp_path, **FULL)
    total = sum(tensor.numel() for tensor in load_file(tiny_model / "model.safetensors").values())
    assert record.trainable_parameters == total


def test_the_seed_decides_the_adapter(tiny_model, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tiny_model, tmp_path / name, seed=seed)
    assert equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not equal(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_a_learning_rate_of_nothing_is_noticed(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="did not change the logits"):
        run(tiny_model, tmp_path, learning_rate=1e-30)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import test_sft
from kensho.train import loop
note = loop.Seen.note
def die_at_step_5(self, **row):
    note(self, **row)
    if row["step"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
loop.Seen.note = die_at_step_5
test_sft.torch.set_num_threads(1)
test_sft.run(Path({model!r}), Path({folder!r}), **test_sft.{arm})
"""


@pytest.mark.parametrize(("name", "arm"), [("LORA", LORA), ("FULL", FULL)])
def test_killed_and_resumed_equals_undisturbed(tiny_model, tmp_path, name, arm):
    whole, _ = run(tiny_model, tmp_path / "whole", **arm)
    paths = [os.path.dirname(__file__), *sys.path]
    code = KILLED.format(
        paths=paths, model=str(tiny_model), folder=str(tmp_path / "killed"), arm=name
    )
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (tmp_path / "killed" / "model").exists()
    seen = (tmp_path / "killed" / "checkpoints" / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in seen] == [1, 2, 3, 4, 5]
    torn = tmp_path / "killed/checkpoints/.checkpoint.partial"  # killed while writing it
    torn.mkdir()
    (torn / ".metadata").write_text("half")
    resumed, _ = run(tiny_model, tmp_path / "killed", **arm)
    assert list(resumed["step"]) == list(whole["step"])
    assert list(resumed["loss"]) == list(whole["loss"])
    assert list(resumed["tokens"]) == list(whole["tokens"])
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_checkpoints_of_other_settings_are_not_resumed(tiny_model, tmp_path):
    whole, _ = run(tiny_model, tmp_path / "whole", rank=2)
    paths = [os.path.dirname(__file__), *sys.path]
    code = KILLED.format(
        paths=paths, model=str(tiny_model), folder=str(tmp_path / "killed"), arm="LORA"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert list((tmp_path / "killed" / "checkpoints").glob("checkpoint-*"))
    other, _ = run(tiny_model, tmp_path / "killed", rank=2)
    assert list(other["loss"]) == list(whole["loss"])
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_a_finished_run_trains_nothing_again_while_its_checkpoints_are_there(tiny_model, tmp_path):
    steps, record = run(tiny_model, tmp_path)
    trained = weights(tmp_path)
    shutil.rmtree(tmp_path / "model")
    again, told = run(tiny_model, tmp_path)
    pd.testing.assert_frame_equal(again, steps)  # with the seconds of the first run
    assert told == record and equal(weights(tmp_path), trained)


def test_a_second_process_waits_for_the_first(tiny_model, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time; lock = open(sys.argv[1], 'w'); "
            "fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True); time.sleep(2)",
            str(folder / "lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    began = time.monotonic()
    run(tiny_model, tmp_path)
    assert time.monotonic() - began > 1.5
    holder.wait()


def test_draw_uses_every_sample_before_repeating():
    once = draw(PAIRS, 12, seed=3)
    assert sorted(once["id"], key=int) == list(PAIRS["id"])
    assert list(draw(PAIRS, 12, seed=3)["id"]) == list(once["id"])
    assert list(draw(PAIRS, 12, seed=4)["id"]) != list(once["id"])
    assert draw(PAIRS, 30, seed=3)["id"].value_counts().max() == 3


def test_a_checkpoint_whose_steps_a_crash_lost_is_made_again(tiny_model, tmp_path):
    run(tiny_model, tmp_path / "whole", **FULL)
    held = tmp_path / "crashed"
    run(tiny_model, held, **FULL, checkpoint_every=6)
    (held / "checkpoints/steps.jsonl").write_text("")  # never written to the disk
    steps, _ = run(tiny_model, held, **FULL, checkpoint_every=6)
    assert list(steps["step"]) == [1, 2, 3, 4, 5, 6]
    assert equal(weights(held), weights(tmp_path / "whole"))


def test_an_adapter_s_file_of_settings_has_one_order(tiny_model, tmp_path):
    targets = ["v_proj", "k_proj", "q_proj", "o_proj"]
    run(tiny_model, tmp_path, **{**LORA, "targets": targets})
    kept = json.loads((tmp_path / "model/adapter_config.json").read_text(encoding="utf-8"))
    assert kept["target_modules"] == sorted(targets)


@pytest.mark.parametrize(("context", "read"), [(0, ""), (1, "A: b\nB: c\n\n")])
def test_a_turn_is_read_behind_as_many_exchanges_of_its_own_dialogue(
    tiny_model, tmp_path, context, read
):
    turn = {"prompt": "d", "completion": " e", "before": [("a", " x"), ("b", " c")]}
    other = {"prompt": "f", "completion": " g", "before": []}
    settings = {"context": context}
    _, record = run(tiny_model, tmp_path, samples=pd.DataFrame([turn, other]), settings=settings)
    told = ["".join(token.text for token in shown) for shown in record.audit.shown]
    assert any(text.startswith(f"{read}A: d\nB: e") for text in told)
    assert any(text.startswith("A: f\nB: g") for text in told)
