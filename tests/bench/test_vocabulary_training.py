import math

import pandas as pd
import pytest
import torch
from kensho.bench import vocabulary_training
from kensho.bench.run import Run
from kensho.bench.settings import VocabularyTraining
from kensho.models.loading import load
from transformers import AutoModelForCausalLM, AutoTokenizer

PAIRS = pd.DataFrame(
    {"id": list("abcd"), "en": ["A dog.", "A cat.", "Dogs.", "Cats."],
     "ja": ["犬だ。", "猫です。", "犬。", "猫たち。"]}
)  # fmt: skip


def test_every_character_is_scored(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    total = 0.0
    for text in PAIRS["ja"]:
        ids = torch.tensor([[0, *tokenizer(text)["input_ids"]]])
        with torch.inference_mode():
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
    nll = vocabulary_training.nll_per_character(*load(tiny_model, torch.float32), PAIRS["ja"])
    assert nll == pytest.approx(total / 13, rel=1e-5)


def test_arms_that_learn_different_sentences_are_refused(tiny_model, tmp_path, monkeypatch):
    """As where the base makes two rows of a sentence that is one of the expanded model."""
    path = tmp_path / "pairs.csv"
    PAIRS.to_csv(path, index=False)
    inputs = {arm: tiny_model for arm in vocabulary_training.ARMS} | {"train": path, "test": path}
    most = {"base": 8, "expanded": 64}

    def in_this_process(runs, blocks, run, **_):
        own = {arm: settings.model_copy(update={"max_length": most[arm]}) for arm in runs}
        return [runs[arm].func(arm, inputs, torch.float32, own[arm], run) for arm in runs]

    monkeypatch.setattr(vocabulary_training, "interleaved", in_this_process)
    settings = VocabularyTraining(seeds=[1], items=4, steps=2, batch_size=2, learning_rate=1e-2)
    with pytest.raises(ValueError, match=r"max_length: a sentence is longer .*; raise max_length"):
        vocabulary_training.observe(inputs, torch.float32, settings, Run(tmp_path, threads=1))


@pytest.mark.slow
def test_both_arms_are_trained_with_every_seed(tiny_model, tmp_path):
    path = tmp_path / "pairs.csv"
    PAIRS.to_csv(path, index=False)
    inputs = {"base": tiny_model, "expanded": tiny_model, "train": path, "test": path}
    settings = VocabularyTraining(
        **{"seeds": [1, 2], "items": 4, "steps": 3, "batch_size": 2},
        **{"max_length": 64, "learning_rate": 1e-2},
    )
    run = Run(tmp_path, threads=1)
    table = vocabulary_training.observe(inputs, torch.float32, settings, run)
    cells = table.pivot(index=["block", "arm"], columns="metric", values="value")
    assert cells.index.tolist() == [
        (block, arm) for block in ("block-00", "block-01") for arm in ("base", "expanded")
    ]
    assert cells["nll_per_character_before"].nunique() == 1
    assert (cells["nll_per_character"] < cells["nll_per_character_before"]).all()
    # the arms are the same model here: a seed gives both the same, another seed something else
    assert (cells.groupby("block")["nll_per_character"].nunique() == 1).all()
    assert cells["nll_per_character"].nunique() == 2
    perplexity = cells["nll_per_character"].map(math.exp)
    assert (perplexity - cells["perplexity_per_character"]).abs().max() < 1e-6
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["pairs.csv"]
