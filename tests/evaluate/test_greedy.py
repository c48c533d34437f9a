"""Answers of a padded batch are those of each context alone, and end where they are told to."""

import pytest
import torch
from kensho.evaluate.greedy import Decoding, generate
from kensho.models import twins
from kensho.models.loading import load

CONTEXTS = [[20, 21, 22, 23, 24, 25, 26, 27], [30], [20, 21, 22], [40, 41, 42, 43, 44], [30, 31]]
MOST = 9


@pytest.mark.parametrize("model_type", ["deepseek_v3", "gemma3_text", "gpt2", "lfm2"])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_each_answer_is_its_contexts_own(tmp_path, model_type, batch):
    folder = twins.make(model_type, tmp_path / "twin", seed=3)
    model, tokenizer = load(folder, torch.float32)

    def ended(tokens):
        return tokens[-1] % 4 == 0

    decoding = Decoding(MOST, ended, batch=batch, nodes=0)
    answers = generate(model, CONTEXTS, decoding, padding=tokenizer.pad_token_id)
    assert len({len(answer) for answer in answers}) > 1
    for context, answer in zip(CONTEXTS, answers, strict=True):
        assert len(answer) == MOST or ended(answer) or answer[-1] == tokenizer.eos_token_id
        for place, token in enumerate(answer):
            assert not place or not ended(answer[:place])
            with torch.inference_mode():
                logits = model(torch.tensor([context + answer[:place]])).logits
            assert token == int(logits[0, -1].argmax())
