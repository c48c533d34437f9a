"""Every stage on a tiny model: what it lowers, what it begins with, and how it survives a kill."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from kensho.models.loading import load_reference, probe_logits, tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.train import cpt, dpo, expand, grpo, merge, sft, stage
from kensho.train.loop import NEXT_TOKEN
from kensho.train.methods import NONE
from kensho.train.preferences import neighbours
from kensho.train.run import Training
from safetensors.torch import load_file, save_file
from test_grpo import LETTERS, OWN
from test_sft import LORA, PAIRS, SCHEDULE
from test_sft import weights as trained_weights

PREFERENCES = neighbours(PAIRS.assign(held_out=False)).table
STAGES = {
    "sft": (sft.stage, PAIRS, {"directions": "both", "context": 1}),
    "cpt": (cpt.stage, PAIRS, {}),
    "cpt-packed": (cpt.stage, PAIRS, {"blocks": True}),
    "dpo": (dpo.stage, PREFERENCES, {"beta": 0.1}),
    "grpo": (grpo.stage, LETTERS, OWN),
}


def run(name, base, folder, seed=1, samples=None, **more):
    code, own, settings = STAGES[name]
    base = base if isinstance(base, Reference) else Reference.of(base)
    arm = {**SCHEDULE, **LORA, "settings": settings, **more}
    training = Training(name=name, seed=seed, **arm)
    table = own if samples is None else samples
    return code(base, table, folder / "model", folder / "checkpoints", training)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import test_stages
from kensho.train import loop
note = loop.Seen.note
def die(self, **row):
    note(self, **row)
    if row["step"] == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
loop.Seen.note = die
test_stages.torch.set_num_threads(1)
test_stages.run({name!r}, Path({model!r}), Path({folder!r}))
"""


@pytest.mark.parametrize("name", STAGES)
def test_killed_at_a_step_of_any_stage_it_ends_with_equal_bytes(tiny_model, tmp_path, name):
    whole, measured = run(name, tiny_model, tmp_path / "whole")
    step = 1 + os.getpid() % (SCHEDULE["steps"] - 1)  # another one each time; it is shown below
    paths = [os.path.dirname(__file__), *sys.path]
    code = KILLED.format(
        **{"paths": paths, "step": step, "name": name, "model": str(tiny_model)},
        folder=str(tmp_path / "killed"),
    )
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (tmp_path / "killed/model").exists()
    resumed, told = run(name, tiny_model, tmp_path / "killed")
    assert list(resumed["loss"]) == list(whole["loss"]), f"killed at step {step}"
    assert told.samples_in_order_sha256 == measured.samples_in_order_sha256
    made = [tmp_path / one / "model/adapter_model.safetensors" for one in ("whole", "killed")]
    assert made[0].read_bytes() == made[1].read_bytes(), f"killed at step {step}"


@pytest.mark.parametrize("name", ["cpt", "cpt-packed", "dpo"])
def test_what_a_stage_learns_is_shown_and_kept(tiny_model, tmp_path, name, capsys):
    steps, measured = run(name, tiny_model, tmp_path)
    audited = measured.audit
    if name == "dpo":  # of a pair both answers
        assert audited.samples == 2 * SCHEDULE["steps"] * SCHEDULE["batch_size"]
        assert 0 < audited.learned < audited.tokens
    else:
        assert audited.learned == steps["learned"].sum()
    assert f"{name}: {audited.learned} of {audited.tokens} tokens of" in capsys.readouterr().err


@pytest.mark.parametrize("name", STAGES)
def test_another_code_or_order_begins_anew(tiny_model, tmp_path, name):
    first, one = run(name, tiny_model, tmp_path, steps=2)
    units = {"dpo": "nats per pair", "grpo": "per answer"}
    assert one.loss_unit == units.get(name, "nats per token")
    note = tmp_path / "checkpoints/settings.json"
    before = json.loads(note.read_text())
    _, other = run(name, tiny_model, tmp_path, steps=2, code="another")
    assert json.loads(note.read_text()) == before | {"code": "another"}
    assert other.samples_in_order_sha256 == one.samples_in_order_sha256
    if name != "cpt-packed":  # of which a row is several
        assert one.read == 2 * SCHEDULE["batch_size"] // (2 if name == "grpo" else 1)
    _, reordered = run(name, tiny_model, tmp_path, steps=2, seed=2)
    assert reordered.samples_in_order_sha256 != one.samples_in_order_sha256
    again, _ = run(name, tiny_model, tmp_path, steps=2)
    assert list(again["loss"]) == list(first["loss"])


def test_a_training_goes_on_whatever_holds_its_targets(tiny_model, tmp_path, monkeypatch):
    run("sft", tiny_model, tmp_path, targets=tuple(LORA["targets"]))
    monkeypatch.setattr(stage, "_empty", None)  # would be called to begin anew
    run("sft", tiny_model, tmp_path, targets=tuple(LORA["targets"]))


# --- sft


def rows_of(name, tiny_model, tmp_path, monkeypatch, module, max_length=96, **settings):
    """The rows that a stage hands to the loop, and the tokenizer."""
    tokenizer, learned, kept = tokenizer_of(tiny_model), module.learned, []

    def seen(base, texts, encode, *rest, **more):
        kept.append((texts, encode(weights(tiny_model, torch.float32), tokenizer)[0]))
        return learned(base, texts, encode, *rest, **more)

    monkeypatch.setattr(module, "learned", seen)
    run(name, tiny_model, tmp_path, settings=settings, max_length=max_length)
    [(texts, rows)] = kept
    return texts, rows, tokenizer


def test_both_directions_are_learned(tiny_model, tmp_path, monkeypatch):
    texts, rows, tokenizer = rows_of(
        "sft", tiny_model, tmp_path, monkeypatch, sft, directions="both"
    )
    into = {prompt.rsplit("\n", 1)[1] for prompt in texts["prompt"]}
    assert into == {"Japanese:", "English:"}
    for prompt, answer, row in zip(texts["prompt"], texts["completion"], rows, strict=True):
        learned = [label for label in row["labels"] if label != -100]
        assert tokenizer.decode(learned) == answer + tokenizer.eos_token
        assert tokenizer.decode(row["input_ids"]).startswith(prompt)
        assert ("猫" in answer) == prompt.startswith("English:")


@pytest.mark.parametrize("directions", ["en-ja", "both"])
def test_what_is_shown_before_a_prompt_is_read_and_not_learned(
    tiny_model, tmp_path, monkeypatch, directions
):
    own = {"max_length": 200, "context": 2, "directions": directions}
    texts, rows, tokenizer = rows_of("sft", tiny_model, tmp_path, monkeypatch, sft, **own)
    pairs = [a + b for a, b in zip(texts["prompt"], texts["completion"], strict=True)]
    for place, row in enumerate(rows):
        near, answer = pairs[max(0, place - 2) : place], texts["completion"][place].strip()
        shown = [*(pair for pair in near if answer not in pair), pairs[place]]
        fitting = ["\n\n".join(shown[k:]) + tokenizer.eos_token for k in range(len(shown))]
        whole = next(text for text in fitting if len(tokenizer.encode(text)) <= 200)
        assert tokenizer.decode(row["input_ids"]) == whole
        learned = [label for label in row["labels"] if label != -100]
        assert tokenizer.decode(learned) == texts["completion"][place] + tokenizer.eos_token


# --- cpt


def test_packing_changes_no_loss(tiny_model):
    model, tokenizer = weights(tiny_model, torch.float32).eval(), tokenizer_of(tiny_model)
    documents = [
        tokenizer.encode(text)[:n] for text, n in zip(PAIRS["ja"], (9, 30, 14), strict=False)
    ]
    [block, *rest] = cpt.packed(documents, size=60)
    assert not rest and len(block["input_ids"]) == 53
    packed = cpt.IN_BLOCKS.total(model, [block], tokenizer.pad_token_id)
    rows = [cpt.row(ids) for ids in documents]
    alone = NEXT_TOKEN.total(model, rows, tokenizer.pad_token_id)
    assert cpt.IN_BLOCKS.units([block]) == NEXT_TOKEN.units(rows) == 50
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=0)
    glued = NEXT_TOKEN.total(model, [block], tokenizer.pad_token_id)
    assert abs(glued - alone) > 10 * abs(packed - alone)  # as they are not kept apart


def test_blocks_hold_every_document_once_in_order():
    documents = [[n] * n for n in (3, 4, 5, 1, 7)]
    blocks = [*cpt.packed(documents, size=8)]
    assert [one["input_ids"] for one in blocks] == [[3] * 3 + [4] * 4, [5] * 5 + [1], [7] * 7]
    assert blocks[1]["documents"] == [1] * 5 + [2]


def test_a_model_that_mixes_packed_documents_is_refused(tiny_model, tmp_path, monkeypatch):
    def blind(rows, pad):
        return {**apart(rows, pad), "attention_mask": cpt.collated(rows, pad)["attention_mask"]}

    apart = cpt.block_inputs
    monkeypatch.setattr(cpt, "block_inputs", blind)  # as a model that passes over the mask
    with pytest.raises(ValueError, match=r"llama does not keep packed .*; set blocks: false"):
        run("cpt-packed", tiny_model, tmp_path)


def test_a_long_document_is_several_rows_and_none_of_it_is_lost(tiny_model, tmp_path, monkeypatch):
    long = pd.DataFrame({"text": ["猫" * 40, "犬" * 10]})
    kept = []

    def learned(base, texts, encode, *rest, **settings):
        kept.append((texts, encode))
        return stage.learned(base, texts, encode, *rest, **settings)

    monkeypatch.setattr(cpt, "learned", learned)
    run("cpt", tiny_model, tmp_path, samples=long, steps=3, max_length=64)
    [(texts, encode)] = kept
    tokenizer = tokenizer_of(tiny_model)
    read = "".join(text + tokenizer.eos_token for text in texts["text"])
    rows, _ = encode(weights(tiny_model, torch.float32), tokenizer)
    assert max(len(row["input_ids"]) for row in rows) == 64
    assert read.startswith(tokenizer.decode([i for row in rows for i in row["input_ids"]]))


def test_texts_without_two_tokens_are_named(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="no text has two tokens; take another corpus"):
        run("cpt", tiny_model, tmp_path, samples=pd.DataFrame({"text": ["", ""]}))
    with pytest.raises(ValueError, match="no sample to train on"):
        run("cpt", tiny_model, tmp_path, samples=pd.DataFrame({"text": []}))


# --- dpo


def test_the_loss_of_preferences_begins_at_ln_2_and_falls(tiny_model, tmp_path):
    worse = PREFERENCES.assign(rejected="違う。")
    steps, _ = run("dpo", tiny_model, tmp_path, samples=worse, steps=12)
    assert steps["loss"].iloc[0] == pytest.approx(math.log(2), abs=1e-5)
    assert steps["loss"].iloc[-3:].mean() < math.log(2) - 0.01
    shortest = min(len(f"{one.en}{one.ja}{one.en}違う。".encode()) for one in worse.itertuples())
    assert steps["tokens"].min() >= SCHEDULE["batch_size"] * shortest  # of both sides


def test_held_out_preferences_are_scored_and_not_learned(tiny_model, tmp_path):
    worse = PREFERENCES.assign(rejected="違う。", held_out=[False] * 9 + [True] * 3)
    worse.loc[10, "en"] = "a" * 200
    steps, measured = run("dpo", tiny_model, tmp_path / "scored", samples=worse, steps=12)
    assert list(steps["step"][steps["validation"].notna()]) == [1, 2, 4, 6, 8, 10, 12]
    assert steps["validation"].iloc[-1] < math.log(2) - 0.01
    assert measured.own == {"pairs_too_long": 0, "held_out_too_long": 1}
    without, _ = run("dpo", tiny_model, tmp_path / "none", samples=worse.head(9), steps=12)
    assert without["validation"].isna().all()
    assert list(steps["loss"]) == list(without["loss"])


def test_the_reference_is_the_stage_before(tiny_model, tmp_path):
    held = {"weights": "float32", "compute": "float32"}
    base = Reference.of(tiny_model)
    run("sft", base, tmp_path / "before")
    before = base.trained(tmp_path / "before/model", "lora", **held)
    kept = {}
    for name, begun in (("after", before), ("afresh", base)):
        steps, _ = run("dpo", begun, tmp_path / name)
        assert steps["loss"].iloc[0] == pytest.approx(math.log(2), abs=1e-5)
        ratios = json.loads((tmp_path / name / "checkpoints" / dpo.REFERENCE).read_text())
        ratios = kept[name] = ratios["log_ratios"]
        model, tokenizer = load_reference(begun, torch.float32)
        drawn = sft.draw(PREFERENCES, SCHEDULE["steps"] * SCHEDULE["batch_size"], 1)
        first = drawn.iloc[0]
        assert ratios[0] == pytest.approx(log_ratio(model, tokenizer, first), abs=1e-3)
    assert kept["after"] != kept["afresh"]


def log_ratio(model, tokenizer, pair):
    """log p(ja) - log p(rejected), token by token."""

    def log_likelihood(answer):
        asked = tokenizer.encode(f"English: {pair.en}\nJapanese:")
        ids = asked + tokenizer.encode(f" {answer}{tokenizer.eos_token}")
        said = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(said[k - 1, ids[k]].item() for k in range(len(asked), len(ids)))

    return log_likelihood(pair.ja) - log_likelihood(pair.rejected)


def test_a_resumed_stage_keeps_its_reference(tiny_model, tmp_path, monkeypatch):
    run("dpo", tiny_model, tmp_path)
    monkeypatch.setattr(dpo, "_reference", None)  # would be called again
    run("dpo", tiny_model, tmp_path)


def test_pairs_that_do_not_fit_are_passed_over_and_counted(tiny_model, tmp_path):
    longer = PREFERENCES.copy()
    longer.loc[[2, 5], "rejected"] = "長" * 60
    _, measured = run("dpo", tiny_model, tmp_path / "some", samples=longer)
    assert measured.own == {"pairs_too_long": 2, "held_out_too_long": 0}
    with pytest.raises(ValueError, match="dpo: no pair fits in max_length; raise it"):
        run("dpo", tiny_model, tmp_path / "none", max_length=16)


# --- merge


def merged(base, folder):
    training = Training(
        **{**SCHEDULE, "name": "merge", "seed": 1, "method": NONE, "learning_rate": 0.0}
    )
    return merge.stage(base, pd.DataFrame(), folder / "model", folder / "checkpoints", training)


def test_a_merged_model_says_what_its_adapters_said(block_model, tmp_path):
    held = {"weights": "nf4", "compute": "float32"}  # as if they were trained over 4 bits
    reference = Reference.of(block_model)
    for name in ("sft", "dpo"):
        run(name, reference, tmp_path / name)
        reference = reference.trained(tmp_path / name / "model", "lora", **held)
    steps, measured = merged(reference, tmp_path / "whole")
    assert steps.empty and measured.trainable_parameters == 0 and measured.weights == "float32"
    assert measured.own["merged_logits_apart"] <= merge.CLOSEST
    whole = Reference.of(tmp_path / "whole/model")
    assert {one.dtype for one in trained_weights(tmp_path / "whole").values()} == {torch.float32}
    model, tokenizer = load_reference(whole, torch.float32)
    beside, _ = load_reference(reference.model_copy(update={"weights": "float32"}), torch.float32)
    torch.testing.assert_close(
        probe_logits(model, tokenizer), probe_logits(beside, tokenizer), rtol=1e-5, atol=1e-5
    )


def test_the_sentencepiece_model_goes_with_its_tokenizer_alone(tiny_model, tmp_path):
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (base / "tokenizer.model").write_bytes(b"pieces")
    run("sft", base, tmp_path)
    held = {"weights": "float32", "compute": "float32"}
    adapted = Reference.of(base).trained(tmp_path / "model", "lora", **held)
    merged(adapted, tmp_path / "whole")
    assert (tmp_path / "whole/model/tokenizer.model").read_bytes() == b"pieces"
    expanded(Reference.of(base), tmp_path / "wider")
    assert not (tmp_path / "wider/model/tokenizer.model").exists()


def test_an_adapter_that_computes_no_numbers_is_not_merged(tiny_model, tmp_path):
    run("sft", tiny_model, tmp_path)
    path = tmp_path / "model/adapter_model.safetensors"
    save_file({name: tensor * math.nan for name, tensor in load_file(path).items()}, path)
    base = Reference.of(tiny_model)
    broken = base.trained(tmp_path / "model", "lora", weights="float32", compute="float32")
    with pytest.raises(ValueError, match="moves a logit by nan of the largest"):
        merged(broken, tmp_path / "merged")


def test_nothing_to_merge_is_named(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="no adapter to merge; leave the stage out"):
        merged(Reference.of(tiny_model), tmp_path)


# --- expand


def expanded(base, folder, pieces=6):
    training = Training(
        **{**SCHEDULE, "name": "expand", "seed": 1, "method": NONE, "learning_rate": 0.0},
        settings={"pieces": pieces},
    )
    return expand.stage(base, PAIRS, folder / "model", folder / "checkpoints", training)


def test_training_goes_on_from_an_expanded_vocabulary(tiny_model, tmp_path):
    steps, measured = expanded(Reference.of(tiny_model), tmp_path)
    assert steps.empty
    assert measured.own == {"vocabulary_before": 258, "vocabulary_after": 264}
    whole = Reference.of(tmp_path / "model")
    plain, _ = run("cpt", tiny_model, tmp_path / "plain")
    after, _ = run("cpt", whole, tmp_path / "after")
    assert after["tokens"].sum() < plain["tokens"].sum()  # of the same sentences
    ids = tokenizer_of(whole.base).encode(PAIRS["ja"][0])
    assert max(ids) >= 258
    with pytest.raises(
        ValueError, match=r"expand: the texts give only \d+ of 900 .*; lower pieces"
    ):
        expanded(Reference.of(tiny_model), tmp_path / "many", pieces=900)
    held = {"weights": "float32", "compute": "float32"}
    adapted = whole.trained(tmp_path / "after/model", "lora", **held)
    with pytest.raises(ValueError, match="its model has adapters; add the stage merge before it"):
        expanded(adapted, tmp_path / "again")
