import json

import numpy as np
import pytest
from kensho.bench import analysis_mode
from kensho.bench.run import Run
from transformers import AutoModelForCausalLM, AutoTokenizer

SENTENCES = [
    {"en": "One.", "ja": "一つ。"},
    {"en": "Two cats sleep in the sun.", "ja": "猫が二匹、日なたで眠っている。"},
    {"en": "Three.", "ja": "三つ。"},
    {"en": "Five dogs run.", "ja": "犬が五匹走る。"},
]


def test_batches_hold_every_sentence_once_within_the_limit():
    lengths = [30, 5, 100, 7, 6, 31, 64]
    made = analysis_mode.batches(lengths, tokens=64)
    assert sorted(i for batch in made for i in batch) == list(range(7))
    for batch in made:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 64
    assert made[0] == [1, 4, 3]


def test_both_forms_give_the_same_answers(tiny_model, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    sequences = analysis_mode.encode(AutoTokenizer.from_pretrained(tiny_model), SENTENCES)
    passes = []
    model.base_model.register_forward_pre_hook(
        lambda _, given, named: passes.append((given or [named["input_ids"]])[0].shape[0]),
        with_kwargs=True,
    )
    plain = analysis_mode.score_plain(model, sequences)
    assert passes == [1] * len(SENTENCES) and all(score < 0 for score in plain)
    analysis_mode.score_analysis(model, sequences)
    assert passes[len(SENTENCES) :] == [len(SENTENCES)]  # all of them in one batch
    np.testing.assert_allclose(analysis_mode.score_analysis(model, sequences), plain, rtol=1e-4)


def test_observe_runs_both_forms_in_every_block(tiny_model, tmp_path):
    work = tmp_path / "work.json"
    work.write_text(json.dumps(SENTENCES))
    table = analysis_mode.observe(tiny_model, work, 2, Run(tmp_path, threads=1, seed=1))
    seconds = table[table["metric"] == "wall_seconds"]
    assert set(seconds.groupby("block")["arm"].nunique()) == {2}
    assert set(table["metric"]) == {"wall_seconds", "warmup_seconds", "position"}


def test_a_translation_of_one_token_is_scored(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    sequences = [([1, 2], [3]), ([1], [2, 3, 4])]
    assert analysis_mode.score_analysis(model, sequences) == pytest.approx(
        analysis_mode.score_plain(model, sequences), rel=1e-4
    )
