import json

import pytest
import torch
from kensho.bench import vocabulary
from kensho.bench.blocks import observed
from kensho.bench.run import Run
from kensho.bench.settings import Vocabulary
from kensho.models.vocabulary import expand_model
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = ["犬が好きです。", "猫が好きですか？", "犬と猫がいます。"]


@pytest.fixture(scope="module")
def expanded(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expanded") / "model"
    expand_model(tiny_model, TEXTS * 5, 12, folder)
    return folder


def test_likelihood_is_that_of_transformers(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    ids = torch.tensor([[0, 70, 80, 90]])
    with torch.inference_mode():
        mean = float(model(ids, labels=ids).loss)
    assert vocabulary.nll(model, ids) == pytest.approx(3 * mean, rel=1e-5)


def test_decoding_takes_exactly_the_steps_asked(tiny_model, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    ids = torch.tensor([[0, 70, 80]])
    expected = model.generate(ids, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    passed = []
    forward = type(model).forward

    def watched(self, input_ids, **rest):
        passed.append(input_ids.shape[1])
        if len(passed) > 1:
            assert int(input_ids) == int(expected[0, len(passed) + 1])
        return forward(self, input_ids, **rest)

    monkeypatch.setattr(type(model), "forward", watched)
    assert vocabulary.decode(model, ids, 5) > 0
    assert passed == [3, 1, 1, 1, 1, 1]


def test_characters_per_token(tiny_model, expanded):
    plain, more = (AutoTokenizer.from_pretrained(path) for path in (tiny_model, expanded))
    assert vocabulary.characters_per_token(plain, TEXTS) == pytest.approx(1 / 3)
    tokens = sum(len(more(text)["input_ids"]) for text in TEXTS)
    assert vocabulary.characters_per_token(more, TEXTS) == pytest.approx(23 / tokens)
    assert tokens < 69

    class Lossy:
        def __call__(self, texts, **_):
            return {"input_ids": [[1]] * len(texts)}

        def decode(self, ids):
            return "?"

    with pytest.raises(ValueError, match="does not give '犬が好きです。' back"):
        vocabulary.characters_per_token(Lossy(), TEXTS)


def test_observe_gives_both_parts_of_the_product(tiny_model, expanded, tmp_path):
    sentences = tmp_path / "sentences.json"
    sentences.write_text(json.dumps(TEXTS))
    results = vocabulary.timed(
        {"base": tiny_model, "expanded": expanded},
        sentences,
        torch.float32,
        Vocabulary(new_tokens=3, scored=2, blocks=2),
        Run(tmp_path, threads=1, seed=1),
    )
    table = observed(vocabulary.EXPERIMENT, results, vocabulary.UNITS)
    cells = table.pivot(index=["block", "arm"], columns="metric", values="value")
    assert len(cells) == 4 and set(cells.columns) == {*vocabulary.UNITS, "position"}
    product = cells["tokens_per_second"] * cells["characters_per_token"]
    assert (product - cells["characters_per_second"]).abs().max() < 1e-6
    assert set(cells["vocabulary"]) == {258, 270}
    assert cells.groupby("arm")["nll_per_character"].nunique().tolist() == [1, 1]
