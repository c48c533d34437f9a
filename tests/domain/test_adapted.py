"""A model adapted, merged, put into formats and asked; what cannot be is named."""

import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from kensho.bench.run import Run
from kensho.domain import answers, llama_cpp, serving
from kensho.domain.arms import SIZES, UNITS, forms
from kensho.files import read_json, write_json
from kensho.judging import items
from kensho.models import reference
from kensho.models.loading import load, tokenizer_of
from kensho.observations import table
from kensho.train import quantise
from special_twins import convertible

PAIRS = pd.DataFrame(
    [(str(n), f"It is {n}.", f"{n}です。") for n in range(12)], columns=["id", "en", "ja"]
)
ASKED = [item for item in items.sentences(PAIRS.tail(3)) if item.direction == "en-ja"]
SETTINGS = SimpleNamespace(
    rank=2, learning_rate=1e-2, steps=4, batch_size=2, max_length=64, items=3, max_new_tokens=4
)


def made(folder, where, most=4):
    base = reference.base(folder)
    merged = answers.adapted("qwen", base, PAIRS, SETTINGS, where, seed=1)
    run = Run(where, threads=1, seed=1)
    return (
        base,
        merged,
        run,
        answers.answered("qwen", merged, ASKED, chat=False, most=most, run=run),
    )


def test_a_model_is_adapted_and_answers_and_what_its_formats_lack_is_named(
    tiny_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(quantise, "HERE", tmp_path / "none")
    base, merged, run, of = made(tiny_model, tmp_path)
    before, after = (torch.cat([p.flatten() for p in load(one, torch.float32)[0].parameters()])
                     for one in (tiny_model, merged))  # fmt: skip
    assert not torch.equal(before, after)
    rows = table(of.rows)
    own = rows[rows["arm"] == "qwen"]
    assert set(own["block"]) == {*(item.block for item in ASKED), "all"}
    assert (own[own["metric"] == "seconds"]["value"] > 0).all()
    tokens = own[own["metric"] == "tokens"].set_index("block")["value"]
    assert len(tokens) == 3 and tokens.max() <= 4
    sizes = own.set_index("metric")["value"]
    assert sizes["file_bytes"] == sum(p.stat().st_size for p in merged.glob("*.safetensors"))
    assert list(of.written["arm"]) == ["qwen"] * 3
    counts = rows[rows["metric"] == "answers"].set_index("arm")["value"]
    assert counts.to_dict() == {arm: 3.0 * (arm == "qwen") for arm in forms("qwen")}
    assert "llama.cpp is not installed" in of.absent["qwen-f16"]
    assert "rows of 32, which blocks of 256 (q4_k_m) do not divide" in of.absent["qwen-q4_k_m"]
    files = {"train": (tmp_path / "pairs.csv", 8)}
    PAIRS.to_csv(files["train"][0], index=False)
    of.written.loc[0, "answer"] = "【回答Ａ】"
    told = dict(answers.conditions("qwen", base, of, files, SETTINGS, run))
    assert [arm for arm in told if "imitate" in str(told[arm]["deviations"])] == ["qwen"]
    assert [*told] == [*forms("qwen")] and told["qwen"]["absent"] == {}
    assert set(told["qwen-q8_0"]["absent"]) == {*UNITS, *SIZES}
    assert told["qwen"]["own"]["attention"] == "gqa"


def test_answers_are_the_likeliest_tokens_up_to_the_end(tiny_model):
    tokenizer = tokenizer_of(tiny_model)
    questions = serving.asked(tokenizer, ["It is 1."], chat=False, most=5)
    assert questions.ends == [tokenizer.eos_token_id]
    (answer,) = serving.by_transformers(tiny_model, questions, 1)["tokens"]
    model, _ = load(tiny_model, torch.float32)
    ids, expected = [*questions.prompts[0]], []
    with torch.inference_mode():
        while len(expected) < 5:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in questions.ends:
                break
            expected.append(ids[-1])
    assert answer == expected
    ended = serving.by_transformers(tiny_model, questions._replace(ends=[expected[0]]), 1)
    assert ended["tokens"] == [[]]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"num_attention_heads": 8}, "mha"),
        ({"num_attention_heads": 8, "num_key_value_heads": 8}, "mha"),
        ({"num_attention_heads": 8, "num_key_value_heads": 2}, "gqa"),
        ({"num_attention_heads": 8, "num_key_value_heads": 1}, "mqa"),
        ({"num_attention_heads": 8, "num_key_value_heads": 8, "kv_lora_rank": 16}, "mla"),
    ],
)
def test_attention_is_read_in_the_configuration(config, kind, tmp_path):
    write_json(tmp_path / "config.json", config)
    assert answers.attention(tmp_path) == kind


ASKED_OF_NONE = {"file": "x", "prompts": [[1]], "ends": [], "most": 1, "threads": 1}


def test_a_python_without_llama_cpp_says_so():
    with pytest.raises(ValueError, match=r"no answers \(ModuleNotFoundError: .*'llama_cpp'\)"):
        llama_cpp.run(sys.executable, ASKED_OF_NONE)


def test_a_process_that_is_killed_is_told_by_its_signal(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'a warning' >&2\nkill -SEGV $$\n")
    python.chmod(0o755)
    with pytest.raises(ValueError, match=r"no answers \(signal 11\)"):
        llama_cpp.run(str(python), ASKED_OF_NONE)


@pytest.mark.slow
def test_llama_cpp_answers_from_files_of_the_merged_model(tmp_path):
    if not (quantise.HERE / "installed").is_file():
        pytest.skip("llama.cpp is not installed: `make gguf`")
    folder = convertible(tmp_path / "twin")
    assert read_json(folder / "config.json")["hidden_size"] % 256 == 0
    *_, of = made(folder, tmp_path, most=6)
    assert of.absent == {}
    rows = table(of.rows)
    size = rows[rows["metric"] == "file_bytes"].set_index("arm")["value"]
    assert size["qwen-q4_k_m"] < size["qwen-q8_0"] < size["qwen-f16"] < size["qwen"]
    texts = of.written.pivot(index="block", columns="arm", values="answer")
    assert (texts["qwen"] == texts["qwen-f16"]).mean() > 0.5  # F16 rounds; near ties may turn
    assert {*of.llama_cpp} == {"qwen-f16", "qwen-q8_0", "qwen-q4_k_m"}
    assert "CPU" in of.llama_cpp["qwen-f16"]["system"]
