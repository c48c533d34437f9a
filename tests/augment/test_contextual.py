import json

import numpy as np
import pandas as pd
import pytest
from kensho.augment import contextual
from kensho.augment.asking import Asked
from kensho.augment.catalogue import TECHNIQUES, Augmentation, settings_of
from kensho.augment.contextual import UNLIKELY, by_gap, by_sentence, proposals, slots, variants
from kensho.augment.synonyms import inventory
from kensho.data.corpus import write_table
from kensho.files import write_json
from kensho.models import twins
from kensho.models.reference import Base

TEXTS = [
    "彼は切符を買った。",
    "母が野菜を買う。",
    "父は手紙を書いた。",
    "弟が手紙を読んだ。",
    "彼女は本を読んだ。",
    "野菜を食べた。",
]
SAMPLES = pd.DataFrame(
    {
        "id": ["1", "2", "3"],
        "ja": ["切符を買った。", "本を書いた。", "はい。"],
        "en": ["a", "b", "c"],
    }
)
WORDS = inventory(TEXTS, grouped=False)


def shorter(places):
    """A ranking without a model: a text is the likelier the shorter."""
    return [-float(len(text)) for text, _, _ in places]


def make(samples=SAMPLES, rank=shorter, **changes):
    own = {"seed": 3, "per_sample": 1, "candidates": 9, "margin": 0.0, "minimum_count": 1}
    return variants(samples, "contextual_causal", words=WORDS, rank=rank, **(own | changes))


def test_words_of_one_slot_stand_for_each_other_synonyms_or_not():
    rng = np.random.default_rng(0)
    made = {p.text for p in proposals("切符を買った。", slots(WORDS, 1), 9, rng)}
    assert {"野菜を買った。", "手紙を買った。", "本を買った。"} <= made
    assert not any("読む" in text or "読んだ" in text for text in made if "切符" not in text)
    assert "切符を買った。" not in made


def test_the_likeliest_within_the_margin_comes_back_with_what_it_was_chosen_from():
    made = make().set_index("parent")
    assert set(made.index) == {"1", "2"}  # はい holds no content word
    row = made.loc["1"]
    operation = json.loads(row["operation"])
    assert row["ja"] == "本を買った。" and row["unfit"] == ""
    assert operation["replaced"] == [["切符", "本"]] and operation["nats"] == 1.0
    assert operation["proposed"] >= operation["within"] >= 1


def test_where_no_text_is_within_the_margin_the_likeliest_is_returned_as_unfit():
    made = make(rank=lambda places: [0.0 if t in set(SAMPLES.ja) else -5.0 for t, _, _ in places])
    assert set(made["unfit"]) == {UNLIKELY} and set(made["parent"]) == {"1", "2"}
    assert {json.loads(o)["within"] for o in made["operation"]} == {0}


def test_neither_row_order_nor_other_samples_change_a_variant():
    whole = make().sort_values("id", ignore_index=True)
    turned = make(samples=SAMPLES[::-1]).sort_values("id", ignore_index=True)
    pd.testing.assert_frame_equal(whole, turned)
    pd.testing.assert_frame_equal(make(samples=SAMPLES[:1]), whole[whole["parent"] == "1"])


def reference(folder):
    path = folder.with_suffix(".json")
    known = {"name": folder.name, "weights": "twin", "files": {}, "parameters": 1}
    write_json(path, Base(path=str(folder), **known).model_dump())
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("causal") / "gemma"
    return reference(twins.make("gemma3_text", folder, seed=1))


@pytest.fixture(scope="module")
def causal(model):
    return Asked(model, max_new_tokens=1, batch=2)


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked") / "bert"
    twins.make("modernbert", folder, seed=0, changes={"initializer_range": 0.5})
    return Asked(reference(folder), max_new_tokens=1, batch=2)


PLACES = [("切符を買った。", 0, 2), ("本を買った。", 0, 1), ("切符を買った。", 3, 6)]


def test_a_causal_model_scores_the_whole_sentence(causal):
    import torch

    scores = by_sentence(causal)(PLACES)
    assert scores[0] == scores[2] != scores[1]
    begin, ids = causal.tokenizer.bos_token_id, causal.tokenizer.encode(PLACES[0][0])
    with torch.inference_mode():
        logits = causal.model(torch.tensor([[begin, *ids]])).logits[0].log_softmax(-1)
    expected = sum(float(logits[place, token]) for place, token in enumerate(ids))
    assert scores[0] == pytest.approx(expected, abs=1e-3)


def test_a_masked_model_scores_the_word_without_seeing_it(masked):
    rank = by_gap(masked)
    scores = rank(PLACES)
    assert len(set(scores)) == 3
    assert rank(PLACES[::-1]) == pytest.approx(scores[::-1], abs=1e-4)
    assert [rank([place])[0] for place in PLACES] == pytest.approx(scores, abs=1e-4)
    import torch

    ids = masked.tokenizer.encode(PLACES[1][0])
    gap = range(len(masked.tokenizer.encode("本")))
    seen = [masked.tokenizer.mask_token_id if i in gap else token for i, token in enumerate(ids)]
    with torch.inference_mode():
        logits = masked.model(torch.tensor([seen])).logits[0].log_softmax(-1)
    assert scores[1] == pytest.approx(sum(float(logits[i, ids[i]]) for i in gap), abs=1e-3)


def test_a_model_of_another_kind_is_refused_by_name(causal, masked):
    with pytest.raises(
        ValueError, match="contextual_masked cannot ask gemma, a causal model; name"
    ):
        by_gap(causal)
    with pytest.raises(ValueError, match="cannot ask bert: it is a masked model; name another"):
        by_sentence(masked)
    with pytest.raises(ValueError, match="bert fills gaps and writes no text; name"):
        masked.answers(["a"], None)


def test_both_names_are_those_of_the_catalogue():
    titles = {name: part.title for name, part in TECHNIQUES.items() if "contextual" in name}
    assert [title.partition(":")[0] for title in titles.values()] == [
        "contextual (causal)",
        "contextual (masked)",
    ]
    assert {part.code for name, part in TECHNIQUES.items() if name in titles} == {
        f"{contextual.__name__}:causal",
        f"{contextual.__name__}:masked",
    }


@pytest.mark.parametrize(("analyser", "varied"), [("sudachi", {"1", "2"}), ("fugashi", {"2"})])
def test_words_are_those_of_the_configured_analyser(analyser, varied, model, tmp_path):
    """図書館 is one word to Sudachi, to UniDic a noun in a compound."""
    texts = ["図書館へ行った。", "病院へ行った。"]
    samples = pd.DataFrame({"id": ["1", "2"], "ja": texts, "en": ""})
    attested = [*texts, "駅へ行った。"] * 3
    files = {"train": tmp_path / "train.csv", "attested": tmp_path / "attested.csv"}
    write_table(files["train"], samples)
    write_table(files["attested"], pd.DataFrame({"id": range(9), "ja": attested}))
    settings = settings_of(Augmentation(analyser=analyser), "contextual_causal")
    files["models"] = [model]
    made = contextual.causal(samples, files, settings, limit=1, seed=1)
    assert {*made["parent"]} == varied
