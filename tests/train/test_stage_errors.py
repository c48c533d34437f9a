"""What stops a stage: one line with the mend, at every stage, and nothing is lost."""

import os
import resource
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from kensho.models.loading import tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.train import checkpoints, expand, merge, quantise
from kensho.train.methods import NONE, Course
from kensho.train.run import Training
from test_sft import FULL, HELD, PAIRS, SCHEDULE
from test_stages import STAGES, run

WITHOUT_STEPS = {"merge": (merge.stage, {}), "expand": (expand.stage, {"pieces": 6})}


def refused(name, base, folder, **more):
    """The message of the refusal, of one line with a mend."""
    with pytest.raises(ValueError) as refusal:
        run(name, base, folder, **more)
    message = str(refusal.value)
    assert "\n" not in message and "; " in message
    return message


@pytest.mark.parametrize("name", [name for name in STAGES if name != "grpo"])
def test_a_rate_that_is_too_high_is_named(tiny_model, tmp_path, name):
    message = refused(name, tiny_model, tmp_path, learning_rate=1e30, **FULL)
    assert message.startswith(f"{name}: ") and message.endswith("; lower learning_rate")
    assert not (tmp_path / "model").exists()


def test_what_a_last_step_broke_is_not_kept(tiny_model, tmp_path):
    """Its loss is of the step before: the rate is nought in the first and whole in the second."""
    most = {"steps": 2, "warm_up": 0.5, "learning_rate": 1e30}
    message = refused("sft", tiny_model, tmp_path, **FULL, **most)
    assert message == "sft: what was trained gives no numbers; lower learning_rate"
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("files", ["*.distcp", ".metadata", "*.pt"])
@pytest.mark.parametrize("left", [0, 100])
def test_a_checkpoint_that_is_damaged_is_named(tiny_model, tmp_path, files, left):
    run("sft", tiny_model, tmp_path)
    (kept,) = (tmp_path / "checkpoints").glob("checkpoint-*")
    for path in kept.glob(files):
        path.write_bytes(path.read_bytes()[:left])
    message = refused("sft", tiny_model, tmp_path)
    assert message.startswith(f"sft: {kept} is damaged (")
    assert message.endswith(f"; delete {tmp_path / 'checkpoints'} to start anew")


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_byte_of_a_checkpoint_that_changed_is_named(tiny_model, tmp_path, share):
    run("sft", tiny_model, tmp_path)
    (kept,) = (tmp_path / "checkpoints").glob("checkpoint-*")
    (path,) = kept.glob("*.distcp")
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    assert refused("sft", tiny_model, tmp_path) == (
        f"sft: {kept} is damaged ({path.name} is not what was written); delete "
        f"{tmp_path / 'checkpoints'} to start anew"
    )


def test_what_keeps_a_checkpoint_from_being_written_is_named_if_it_is_no_full_disk(tmp_path):
    model = torch.nn.Linear(2, 2)
    course = Course(model, Training(name="test", seed=1, **SCHEDULE, **FULL))
    (tmp_path / ".checkpoint.partial").touch()
    with pytest.raises(ValueError) as refusal:
        checkpoints.save(model, torch.optim.AdamW(model.parameters()), course, tmp_path, 2)
    begin, end = str(refusal.value).split(" ([Errno 17] File exists: ")
    assert begin == f"test: the checkpoint of step 2 cannot be written to {tmp_path}"
    assert end.endswith("; mend that and run again: earlier ones are kept")


@pytest.mark.parametrize("damaged", [b'{"step": 2, }', b"{}", b"\xff", b'{"step": 2}', b"2"])
def test_steps_from_a_damaged_line_on_are_taken_again(tiny_model, tmp_path, damaged):
    first, _ = run("sft", tiny_model, tmp_path)
    path = tmp_path / "checkpoints/steps.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], damaged, *lines[2:]]))
    again, _ = run("sft", tiny_model, tmp_path)
    assert list(again["loss"]) == list(first["loss"])


@pytest.mark.parametrize("kept", ['{"log_ratios": [0.0]}', "{}", '{"log_ratios": [0.0'])
def test_a_reference_that_is_damaged_is_named(tiny_model, tmp_path, kept):
    run("dpo", tiny_model, tmp_path)
    path = tmp_path / "checkpoints/reference.json"
    path.write_text(kept)
    message = refused("dpo", tiny_model, tmp_path)
    assert message.startswith(f"{path}: ") and "; delete it" in message


@pytest.mark.parametrize("name", [*STAGES, "expand"])
def test_a_base_of_no_numbers_is_named(tiny_model, tmp_path, name):
    model = weights(tiny_model, torch.float32)
    model.lm_head.weight.data[5] = torch.nan
    model.save_pretrained(shutil.copytree(tiny_model, tmp_path / "spoilt"))
    with pytest.raises(
        ValueError, match=rf"^{name}: \S+ is not finite before any .*; change train"
    ):
        if name == "expand":
            without_steps(name, Reference.of(tmp_path / "spoilt"), tmp_path)
        else:
            run(name, tmp_path / "spoilt", tmp_path)
    assert not (tmp_path / "model").exists()


def apart(**changes):
    """The pairs, and as many that are held out."""
    tables = [PAIRS.assign(held_out=False), PAIRS.assign(held_out=True, **changes)]
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize(("name", "changes"), [("sft", {"en": "a" * 200}), ("cpt", {"ja": ""})])
def test_what_is_held_out_and_has_nothing_to_score_has_no_loss(tiny_model, tmp_path, name, changes):
    samples = apart(**changes)
    steps, measured = run(name, tiny_model, tmp_path, samples=samples, settings={})
    assert steps["validation"].isna().all()
    assert "12 of 12 held-out samples have nothing to score" in measured.audit.warnings


@pytest.mark.parametrize("name", ["sft", "cpt"])
def test_what_is_held_out_and_has_no_positions_is_refused(tiny_model, tmp_path, name):
    folder = shutil.copytree(tiny_model, tmp_path / "short")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("1024", "128"))
    samples = apart(en="a" * 200, ja="猫" * 60)
    message = refused(name, folder, tmp_path, samples=samples, settings={}, max_length=160)
    assert message.endswith(
        "a row has 160 tokens, the model 128 positions; lower max_length to 128"
    )


@pytest.mark.parametrize("name", STAGES)
def test_no_sample_is_named(tiny_model, tmp_path, name):
    empty = STAGES[name][1].head(0)
    assert "no sample to train on" in refused(name, tiny_model, tmp_path, samples=empty)


@pytest.mark.parametrize("name", STAGES)
def test_a_row_that_the_model_has_no_positions_for_is_refused(tiny_model, tmp_path, name):
    folder = shutil.copytree(tiny_model, tmp_path / "short")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("1024", "16"))
    message = refused(name, folder, tmp_path)
    assert "the model 16 positions; lower max_length to 16" in message


@pytest.mark.parametrize("name", ["cpt", "cpt-packed", "sft"])
def test_samples_of_one_token_are_passed_over(tiny_model, tmp_path, name):
    texts = pd.DataFrame({"text": ["", *PAIRS["ja"][:3]]})
    short = PAIRS.assign(ja="") if name == "sft" else texts  # of an empty answer the end is learned
    steps, _ = run(name, tiny_model, tmp_path, samples=short)
    assert len(steps) == SCHEDULE["steps"] and (steps["learned"] > 0).all()


def adapted(model, before):
    """The model, with the adapter that lies in ``before`` if there is one."""
    base = Reference.of(model)
    return base.trained(before / "model", "lora", **HELD) if before.exists() else base


def without_steps(name, base, folder):
    code, settings = WITHOUT_STEPS[name]
    own = {"name": name, "seed": 1, "method": NONE, "learning_rate": 0.0, "settings": settings}
    training = Training(**{**SCHEDULE, **own})
    return code(base, PAIRS, folder / "model", folder / "checkpoints", training)


def stopped(limit, told, *call):
    """How a process ends that runs a stage and is killed before its result has its name, or finds
    no room for files of more than ``limit`` bytes; what it raises is written to ``told``."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    try:
        torch.set_num_threads(1)  # those of the parent are not here
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        else:
            Path.rename = lambda self, to: os.kill(os.getpid(), signal.SIGKILL)
        without_steps(*call)
    except ValueError as error:
        told.write_text(str(error))
    finally:
        os._exit(0)


@pytest.mark.parametrize("name", WITHOUT_STEPS)
def test_a_stage_without_steps_is_killed_or_finds_no_room(tiny_model, tmp_path, name):
    before, folder, told = (tmp_path / part for part in ("before", "stopped", "told"))
    if name == "merge":
        run("sft", tiny_model, before)
    base = adapted(tiny_model, before)
    without_steps(name, base, tmp_path / "whole")
    assert stopped(20_000, told, name, base, folder) == 0
    message = told.read_text()
    assert "\n" not in message and message.endswith("; free space there")
    assert stopped(None, told, name, base, folder) == signal.SIGKILL
    assert not (folder / "model").exists()
    without_steps(name, base, folder)
    for path in (tmp_path / "whole/model").iterdir():
        assert path.read_bytes() == (folder / "model" / path.name).read_bytes(), path.name
    loaded = weights(folder / "model", torch.float32)
    assert len(tokenizer_of(folder / "model")) == loaded.config.vocab_size


def test_a_conversion_that_finds_no_room_is_named(tiny_model, tmp_path, monkeypatch):
    """In the place of llama.cpp's converter, which may not be installed, stands one of zeros."""
    (tmp_path / "installed").touch()
    zeros = "import sys; open(sys.argv[sys.argv.index('--outfile') + 1], 'wb').write(bytes(10**6))"
    (tmp_path / "convert_hf_to_gguf.py").write_text(zeros)
    monkeypatch.setattr(quantise, "HERE", tmp_path)
    monkeypatch.setitem(WITHOUT_STEPS, "quantise", (quantise.stage, {"format": "q8_0"}))
    told = tmp_path / "told"
    assert stopped(20_000, told, "quantise", Reference.of(tiny_model), tmp_path) == 0
    file = tmp_path / "checkpoints/model.gguf"
    why = f"{file} cannot be written (OSError: [Errno 27] File too large); free space there"
    assert told.read_text() == f"quantise: ['LlamaForCausalLM']: {why}"
