from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import torch
from conditions_example import tier
from kensho.bench import inference, inference_gguf
from kensho.bench.run import Run
from kensho.bench.settings import Cell, Inference, InferenceArm
from kensho.models.reference import base
from transformers import AutoModelForCausalLM

PROMPT = [2 + (7 * i) % 90 for i in range(24)]
TEST = pd.DataFrame(
    {
        "id": [11, 12],
        "en": ["The dog sleeps all day long. " * 5, "A cat sits on the mat. " * 5],
        "ja": ["犬は一日中寝ている。", "猫がマットにいる。"],
    }
)
SIZES = {"new_tokens": 10, "items": 2, "blocks": 2, "blocks_beside": 1}


def observe(model, folder, arms, batch):
    settings = Inference(arms=arms, beside=[Cell(batch=batch, length=64)], **SIZES)
    return inference.observe(model, None, TEST, settings, Run(folder, threads=1, seed=1))


@pytest.fixture(scope="module")
def model(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


@pytest.mark.parametrize("arm", inference.SAME)
def test_every_way_gives_the_tokens_of_plain_steps(model, arm):
    ids = list(PROMPT)
    with torch.inference_mode():
        for _ in range(12):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    found = inference.answer(arm, model, [PROMPT], 12)
    assert found.tokens == [ids[24:]]


def test_a_cached_prefix_is_not_read_again(model, monkeypatch):
    passed, forward = [], type(model).forward

    def watched(self, input_ids, **rest):
        passed.append(input_ids.shape[1])
        return forward(self, input_ids, **rest)

    monkeypatch.setattr(type(model), "forward", watched)
    inference.answer("fp32-prefix", model, [PROMPT], 3)
    assert passed == [24 - inference.OWN_TOKENS, inference.OWN_TOKENS, 1, 1]
    passed.clear()
    inference.answer("fp32-lookup", model, [PROMPT], 12)
    assert passed[0] >= 24 and max(passed[1:]) > 1  # drafted tokens are checked together


def test_a_batch_counts_the_tokens_of_all_its_answers(model):
    found = inference.answer("fp32", model, [PROMPT, PROMPT[::-1]], 5)
    assert [len(tokens) for tokens in found.tokens] == [5, 5]
    assert found.tokens[0] == inference.answer("fp32", model, [PROMPT], 5).tokens[0]


def test_likelihood_is_that_of_transformers(model):
    with torch.inference_mode():
        mean = float(model(torch.tensor([PROMPT]), labels=torch.tensor([PROMPT])).loss)
    assert inference.nll(model, PROMPT) == pytest.approx(23 * mean, rel=1e-5)


@pytest.mark.parametrize("arm", ["int8", "nf4"])
def test_formats_round_the_layers_and_nothing_else(block_model, arm, tmp_path):
    folder = inference.prepare(block_model, tmp_path, [arm], None, 1)[arm]
    model, rounded = inference.load("fp32", block_model), inference.load(arm, folder)
    before, after = inference.nll(model, PROMPT), inference.nll(rounded, PROMPT)
    assert after != before and after == pytest.approx(before, rel=0.05)
    assert torch.equal(rounded.lm_head.weight, model.lm_head.weight)
    assert torch.equal(rounded.model.embed_tokens.weight, model.model.embed_tokens.weight)
    layer = type(rounded.model.layers[0].mlp.up_proj)
    assert layer.__name__ == {"int8": "Linear", "nf4": "Linear4bit"}[arm]
    assert layer is not torch.nn.Linear


@pytest.mark.slow
def test_observe_gives_speeds_by_block_and_losses_by_sentence(tiny_model, tmp_path):
    table = observe(tiny_model, tmp_path, ["fp32", "fp32-prefix"], 2)
    speeds = table[table["metric"].isin(inference.UNITS)]
    assert set(speeds["block"]) == {"block-00", "block-01", "block-02"}
    beside = table[table["metric"] == "tokens_per_second.B2-L64"]
    assert set(beside["block"]) == {"block-02"} and len(beside) == 2
    losses = table[table["metric"].str.startswith("nll")]
    assert set(losses["arm"]) == {"fp32"}  # the other arm has the same weights
    assert set(losses["block"]) == {"item-11", "item-12"} and len(losses) == 4


def test_text_that_does_not_fill_the_prompts_is_refused(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="261 tokens; the cells need 640"):
        observe(tiny_model, tmp_path, ["fp32"], 10)


def test_another_answer_of_the_same_weights_is_refused():
    def result(arm, tokens):
        return {"arm": arm, "block": 0, "answers": {"": [tokens]}}

    inference._agree([result("fp32", [1, 2]), result("fp32-lookup", [1, 2]), result("int8", [9])])
    with pytest.raises(ValueError, match="arm fp32-lookup, block 0: answers otherwise"):
        inference._agree([result("fp32", [1, 2]), result("fp32-lookup", [1, 3])])


def test_an_arm_that_cannot_run_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(inference_gguf, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="install the package llama-cpp-python, or leave the arm"):
        inference.prepare(tmp_path, tmp_path / "work", ["gguf-f16"], None, 1)
    monkeypatch.setattr(inference_gguf, "find_spec", lambda name: object())
    with pytest.raises(ValueError, match="no GGUF file to convert"):
        inference.prepare(tmp_path, tmp_path / "work", ["gguf-f16"], None, 1)


def test_settings_name_the_arms_and_conditions_those_left_out(tiny_model):
    assert set(get_args(InferenceArm)) == set(inference.ARMS)
    settings = Inference(beside=[Cell(batch=4, length=128)])
    found = inference.conditions(base(tiny_model), settings, Run(Path(), threads=2, seed=1))
    assert tier(found) == "reduced" and "gguf-q4_k_m" in found["fallbacks"][0]
    assert found["own"]["cells_beside"] == ["B4-L128"] and found["seeds"] == [1]
