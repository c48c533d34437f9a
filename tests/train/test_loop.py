"""The loop takes the steps that TRL's SFTTrainer takes with the same settings."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from kensho.data.prompt import completion, prompt
from kensho.models.loading import tokenizer_of
from kensho.train import loop
from kensho.train.loop import collated, summed_loss
from kensho.train.methods import Course
from kensho.train.samples import encoded
from kensho.train.schedule import Diverged
from kensho.train.stage import draw
from test_sft import FULL, LORA, PAIRS, SCHEDULE, run
from transformers import AutoModelForCausalLM, set_seed
from trl import SFTConfig, SFTTrainer


def losses_of_trl(folder, output, arm, accumulation):
    drawn = draw(PAIRS, SCHEDULE["steps"] * SCHEDULE["batch_size"] * accumulation, 1)
    tokenizer = tokenizer_of(folder)
    texts = zip(drawn["en"].map(prompt), drawn["ja"].map(completion), strict=True)
    rows = [encoded(tokenizer, *pair, chat=False) for pair in texts]
    set_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapter = arm["method"].adapter
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        peft_config=adapter and adapter(arm["rank"], arm["targets"]),
        args=SFTConfig(
            output_dir=str(output),
            max_steps=SCHEDULE["steps"],
            per_device_train_batch_size=SCHEDULE["batch_size"],
            gradient_accumulation_steps=accumulation,
            learning_rate=SCHEDULE["learning_rate"],
            warmup_steps=1,
            max_length=SCHEDULE["max_length"],
            train_sampling_strategy="sequential",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=1,
        ),
    )
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize(("arm", "accumulation"), [(LORA, 1), (FULL, 1), (LORA, 2)])
def test_losses_are_those_of_trl(tiny_model, tmp_path, arm, accumulation):
    steps, _ = run(tiny_model, tmp_path / "ours", accumulation=accumulation, **arm)
    expected = losses_of_trl(tiny_model, tmp_path / "trl", arm, accumulation)
    np.testing.assert_allclose(steps["loss"], expected, rtol=1e-5)


def test_logits_where_nothing_is_learned_change_nothing(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    rows = [
        {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 7, 8, 9]},
        {"input_ids": [5, 6, 7], "labels": [-100, 6, 7]},
    ]
    batch = collated(rows, pad=1)
    assert batch["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    ours = summed_loss(model, **batch)
    ours.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    whole = torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), batch["labels"][:, 1:], reduction="sum"
    )
    whole.backward()
    torch.testing.assert_close(ours, whole)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, msg=name)


def test_a_loss_that_is_no_number_stops_with_the_mend(tiny_model, tmp_path):
    with pytest.raises(
        ValueError, match=r"^test: the loss of step \d is \w+; lower learning_rate$"
    ):
        run(tiny_model, tmp_path, learning_rate=1e20, steps=30, **FULL)


@pytest.mark.parametrize("arm", [LORA, FULL])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_computed_again_for_the_gradient_is_what_it_was(tiny_model, tmp_path, arm, dtype):
    plain, _ = run(tiny_model, tmp_path / "plain", dtype=dtype, **arm)
    again, _ = run(tiny_model, tmp_path / "again", dtype=dtype, checkpointing=True, **arm)
    np.testing.assert_allclose(again["loss"], plain["loss"], rtol=1e-5)


def test_padded_rows_train_alike(tiny_model, tmp_path):
    packed, one = run(tiny_model, tmp_path / "packed")
    padded, other = run(tiny_model, tmp_path / "padded", packing=False)
    np.testing.assert_allclose(packed["loss"], padded["loss"], rtol=1e-5)
    assert (one.rows, other.rows) == ("packed", "padded: as configured")


def test_a_step_without_anything_to_learn_is_named(tiny_model, tmp_path):
    tokenizer = tokenizer_of(tiny_model)
    of_prompt = len(encoded(tokenizer, prompt("I"), "", chat=False)["input_ids"]) - 1
    long = pd.DataFrame({"prompt": ["a" * 90] * 23, "completion": ["b"] * 23})
    short = pd.DataFrame({"prompt": [prompt("I")], "completion": ["b"]})
    with pytest.raises(ValueError, match=r"^test: step \d has no token to learn; raise max_length"):
        run(tiny_model, tmp_path, samples=pd.concat([long, short]), max_length=of_prompt + 2)


DIVERGING = {"learning_rate": 6.0, "steps": 40, "scheduler": "constant", **FULL}


def test_a_run_that_diverges_is_stopped_with_its_cause(tiny_model, tmp_path, monkeypatch):
    message = r"^test: diverged, the loss of step \d+ is \S+ and was \S+ at first; lower learning_"
    with pytest.raises(ValueError, match=message):
        run(tiny_model, tmp_path / "plain", **DIVERGING)
    hidden = torch.tensor(1e4, requires_grad=True)  # as AdaLoRA's may be
    monkeypatch.setattr(Course, "penalty", lambda self: hidden)
    with pytest.raises(ValueError, match=message):
        run(tiny_model, tmp_path / "penalty", **DIVERGING)
    lines = (tmp_path / "penalty/checkpoints/steps.jsonl").read_text().splitlines()
    assert all(json.loads(line)["loss"] > json.loads(line)["penalty"] == 1e4 for line in lines)


def test_gradients_that_are_no_numbers_leave_the_weights(tiny_model, tmp_path, monkeypatch):
    """A loss that is finite may have a gradient that is not, as that of a root at nought."""

    def spoilt(model, rows):
        losses.append(packed_loss(model, rows))
        nought = 0 * model.get_output_embeddings().weight.sum()
        return losses[-1] + (nought.sqrt() if len(losses) >= first else 0)

    packed_loss = loop.packed_loss
    monkeypatch.setattr(loop, "packed_loss", spoilt)
    fault = "^test: the norm of the gradient of step {} is nan"
    losses, first = [], 2
    with pytest.raises(Diverged, match=fault.format(2) + "; lower learning_rate$"):
        run(tiny_model, tmp_path / "later", **FULL)
    losses, first = [], 1
    with pytest.raises(ValueError, match=fault.format(1) + " before any weight") as at_once:
        run(tiny_model, tmp_path / "at once", **FULL)
    assert not isinstance(at_once.value, Diverged)  # it is the base, or its dtype
    assert not list((tmp_path / "at once/checkpoints").glob("checkpoint-*"))


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import test_sft
from kensho.train import loop
note = loop.Seen.note
def no_room_after_step_3(self, **row):
    note(self, **row)
    if row["step"] == 3:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
loop.Seen.note = no_room_after_step_3
test_sft.torch.set_num_threads(1)
test_sft.run(Path({model!r}), Path({folder!r}), **test_sft.FULL)
"""


NO_ROOM = {  # bytes of a file, and what is said where they are too few
    20_000: ("test: the checkpoint of step 4 cannot be written to ", ": earlier ones are kept"),
    100: ("{checkpoints} cannot be written (", ""),
}


@pytest.mark.parametrize("limit", NO_ROOM)
def test_what_finds_no_room_leaves_the_checkpoint_before(tiny_model, tmp_path, limit):
    whole, _ = run(tiny_model, tmp_path / "whole", **FULL)
    paths = [os.path.dirname(__file__), *sys.path]
    folder = tmp_path / "full"
    told = {"paths": paths, "model": str(tiny_model), "folder": str(folder), "limit": limit}
    code = FULL_DISK.format(**told)
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = died.stderr.strip().splitlines()[-1]
    begin, end = NO_ROOM[limit]
    assert last.startswith("ValueError: " + begin.format(checkpoints=folder / "checkpoints")), last
    assert last.endswith("; free space there" + end)
    left = [path.name for path in (folder / "checkpoints").glob("*checkpoint*")]
    assert left == ["checkpoint-2"]
    resumed, _ = run(tiny_model, folder, **FULL)
    assert list(resumed["loss"]) == list(whole["loss"])


@pytest.mark.parametrize("known", [1, 5])
def test_a_checkpoint_whose_steps_were_lost_is_made_again(tiny_model, tmp_path, known):
    """A node that went down may have kept the one and not the other."""
    arm = {**FULL, "steps": known + 1, "checkpoint_every": 2}
    first, _ = run(tiny_model, tmp_path, **arm)
    lines = tmp_path / "checkpoints/steps.jsonl"
    lines.write_text("".join(lines.read_text().splitlines(keepends=True)[:known]))
    again, _ = run(tiny_model, tmp_path, **arm)
    assert list(again["loss"]) == list(first["loss"])
