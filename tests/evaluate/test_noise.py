"""What changes between batches is counted, and nothing where nothing changes."""

import pandas as pd
import pytest
import torch
from kensho.evaluate import noise
from kensho.evaluate.lm import Backend
from kensho.models.loading import load
from kensho.report import text

PAIRS = pd.DataFrame({"en": ["I am a cat.", "Tom runs."] * 3, "ja": ["猫です。", "走る。"] * 3})


def logs(answers, likelihoods):
    return {
        "tatoeba_en_ja": [{"filtered_resps": [answer]} for answer in answers],
        "tatoeba_nll": [{"filtered_resps": [(value, False)]} for value in likelihoods],
    }


def test_changed_answers_and_the_largest_change_are_found():
    found = noise.compared(logs("abc", [-4.0, -10.0]), logs("abd", [-4.5, -10.25]))
    assert (found["answers"], found["answers_changed"]) == (3, 1)
    assert (found["likelihoods"], found["largest_change"]) == (2, 0.5)
    assert found["largest_relative_change"] == pytest.approx(0.125)


def test_a_model_in_float32_only_rounds(tiny_model):
    model, tokenizer = load(tiny_model, torch.float32)
    lm = Backend(pretrained=model, tokenizer=tokenizer, batch_size=1)
    found = noise.measured(lm, PAIRS, chat=False, seed=1)
    assert lm.batch_size == noise.BATCHES[-1]
    assert (found["answers"], found["answers_changed"]) == (len(PAIRS), 0)
    assert 0 <= found["largest_relative_change"] < 1e-5
    said = text.of_batches({"model": "tiny", "dtype": "float32", **found})
    assert said.startswith("Asked 32 at a time instead of one by one, tiny (transformers, float32)")
    assert "wrote 0 of 6 answers otherwise" in said
