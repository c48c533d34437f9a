import json

import numpy as np
import pandas as pd
import pytest
from kensho.bench import quick_mode
from kensho.bench.run import Run
from transformers import AutoModelForCausalLM, AutoTokenizer

TRAIN = pd.DataFrame({"en": ["Yes.", "No.", "Why?"], "ja": ["はい。", "いいえ。", "なぜ？"]})
TEST = pd.DataFrame(
    {
        "en": ["One.", "Two cats.", "Three.", "Four.", "Five dogs run."],
        "ja": ["一つ。", "猫が二匹。", "三つ。", "四つ。", "犬が五匹走る。"],
    }
)


def make(**changes):
    settings = {"items": 3, "shots": 2, "seed": 5, **changes}
    return quick_mode.make_items(TRAIN, TEST, **settings)


def test_items_hold_the_right_choice_once():
    work = make()
    right = {f" {ja}": f"English: {en}\nJapanese:" for en, ja in zip(TEST["en"], TEST["ja"])}
    for item in work["items"]:
        assert right[item["choices"][item["answer"]]] == item["prompt"]
        assert len(set(item["choices"])) == quick_mode.CHOICES
    assert make() == work and make(seed=6) != work


def test_quick_gives_the_answers_of_plain_and_reads_the_shared_text_once(tiny_model):
    model, passes = AutoModelForCausalLM.from_pretrained(tiny_model).eval(), []
    shared, items = quick_mode.encode(AutoTokenizer.from_pretrained(tiny_model), make())
    lengths = [len(context + choice) for choices in items for context, choice in choices]
    model.base_model.register_forward_pre_hook(
        lambda _, __, named: passes.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    plain = quick_mode.score_plain(model, shared, items)
    assert passes == [(1, len(shared) + length) for length in lengths]
    passes.clear()
    quick = quick_mode.score_quick(model, shared, items)
    assert passes == [(1, len(shared)), (len(lengths), max(lengths))]
    np.testing.assert_allclose(quick, plain, rtol=1e-4)


def test_observe_runs_every_arm_in_every_block(tiny_model, tmp_path):
    work = tmp_path / "work.json"
    work.write_text(json.dumps(make()))
    table = quick_mode.observe(tiny_model, work, 2, Run(tmp_path, threads=1, seed=1))
    seconds = table[table["metric"] == "wall_seconds"]
    assert len(seconds) == 4
    assert set(seconds.groupby("block")["arm"].nunique()) == {2}
    places = table[table["metric"] == "position"]
    assert set(places.groupby("block")["value"].sum()) == {1.0}


def test_different_answers_are_no_speed_up(tiny_model, tmp_path, monkeypatch):
    scores = {"plain": [[-1.0, -2.0]], "quick": [[-1.0, -2.1]]}

    def fake(runs, *_, **__):
        return [
            {
                "arm": arm,
                "block": 0,
                "position": i,
                "wall_seconds": 1.0,
                "warmup_seconds": 0.1,
                "scores": scores[arm],
            }
            for i, arm in enumerate(runs)
        ]

    monkeypatch.setattr(quick_mode, "interleaved", fake)
    with pytest.raises(ValueError, match="different results"):
        quick_mode.observe(tiny_model, tmp_path / "w.json", 1, Run(tmp_path))
