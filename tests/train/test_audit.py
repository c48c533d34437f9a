"""Before its first step a training says what it will learn, and refuses what would be wrong."""

import json
import re

import pandas as pd
import pytest
from kensho.models.loading import tokenizer_of
from kensho.train.audit import audit
from kensho.train.methods import full
from kensho.train.record import Audit
from kensho.train.run import Training
from kensho.train.samples import IGNORED, encoded
from kensho.train.tables import marked
from test_sft import FULL, PAIRS, SCHEDULE, run

PAIR = pd.DataFrame(
    {"prompt": ["English: a\nJapanese:"] * 4, "completion": [" 猫", " 犬", " a", ""]}
)


def audited(
    tiny_model, pairs=PAIR, change=lambda sample: sample, context=None, before=(), **settings
):
    tokenizer = tokenizer_of(tiny_model)
    training = Training(
        **{**SCHEDULE, "name": "test", "method": full.METHOD, "seed": 1, **settings}
    )
    texts = pairs.itertuples(index=False)
    made = [change(encoded(tokenizer, *pair, chat=False, before=before)) for pair in texts]
    told = pairs.assign(before=[[*before]] * len(pairs))
    return audit(tokenizer, told, made, training, context), made


def test_samples_are_counted_and_shown_token_by_token(tiny_model, capsys):
    found, made = audited(tiny_model)
    assert found.samples == 4 and not found.warnings
    assert found.tokens == sum(len(sample["input_ids"]) for sample in made)
    assert found.learned == sum(x != IGNORED for sample in made for x in sample["labels"])
    assert Audit.model_validate(json.loads(found.model_dump_json()), strict=True) == found
    assert len(found.shown) == 3
    for sample, (ids, labels) in zip(found.shown, map(dict.values, made), strict=False):
        assert [token.learned for token in sample] == [label != IGNORED for label in labels]
        assert len(sample) == len(ids)
    said = capsys.readouterr().err
    assert f"test: {found.learned} of {found.tokens} tokens of 4 samples are learned\n" in said
    assert len(re.findall(r"^test: sample \d, (?:masked|learned): ", said, re.M)) == 6


def test_cut_answers_are_a_warning_that_is_kept(tiny_model):
    _, made = audited(tiny_model)
    asked = sum(label == IGNORED for label in made[0]["labels"])
    found, _ = audited(tiny_model, max_length=asked + 1)
    assert found.warnings[0].startswith("3 of 4 samples are cut at")
    found, _ = audited(tiny_model, PAIR.assign(prompt=["a", *PAIR["prompt"][1:]]), max_length=asked)
    assert "3 of 4 samples have nothing to learn" in found.warnings


WRONG = {
    "no token is learned in 4 samples; raise max_length": {
        "change": lambda s: {**s, "labels": [IGNORED] * len(s["labels"])}
    },
    "sample 1 learns its whole prompt; change its labels": {
        "change": lambda s: {**s, "labels": s["input_ids"]}
    },
    r"sample 1 ends in token \d+, not in \[\d+\]: no end would be learned; change": {
        "change": lambda s: {key: ids[:-1] for key, ids in s.items()}
    },
    "sample 1 has \\d+ tokens, the model 5 positions; lower max_length to 5": {"context": 5},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_would_be_learned_wrongly_is_refused(tiny_model, message):
    with pytest.raises(ValueError, match=f"^test: {message}"):
        audited(tiny_model, **WRONG[message])


@pytest.mark.parametrize("before", [(), [("English: b\nJapanese:", " 鳥")]])
def test_a_learned_prompt_is_seen_behind_its_start_and_behind_earlier_samples(tiny_model, before):
    """Of a row's first token nothing is learned, so a mask on it alone masks nothing."""
    own = len(PAIR["prompt"][0])

    def learned(sample, most):
        ids, asked = sample["input_ids"], sample["labels"].count(IGNORED)
        labels = [IGNORED] * (asked - most) + ids[asked - most :]
        return {"input_ids": ids, "labels": labels}

    with pytest.raises(ValueError, match="sample 1 learns its whole prompt; change its labels"):
        audited(tiny_model, change=lambda sample: learned(sample, own), before=before)
    found, _ = audited(tiny_model, change=lambda sample: learned(sample, 1), before=before)
    assert found.warnings == [
        "4 of 4 samples learn the end of their prompt, which shares a token with the answer"
    ]


def test_a_text_that_begins_twice_is_refused(tiny_model):
    bos = tokenizer_of(tiny_model).bos_token_id
    assert bos is not None

    def twice(sample):
        return {"input_ids": [bos, bos, *sample["input_ids"]], "labels": sample["labels"]}

    with pytest.raises(ValueError, match=rf"^test: sample 1 begins twice; leave token {bos} out"):
        audited(tiny_model, change=twice)


def test_all_of_a_sample_is_learned_where_that_is_asked(tiny_model, tmp_path):
    steps, measured = run(tiny_model, tmp_path, learned="all", **FULL)
    assert measured.audit.learned == measured.audit.tokens - measured.audit.samples
    assert (steps["learned"] == steps["tokens"] - SCHEDULE["batch_size"]).all()


def test_an_empty_corpus_is_named(tiny_model, tmp_path):
    with pytest.raises(ValueError, match=r"^no sample to train on; raise samples or data\.train$"):
        run(tiny_model, tmp_path, samples=PAIRS.head(0))


def test_samples_of_one_token_are_counted_and_the_others_learned(tiny_model, tmp_path):
    pairs = pd.DataFrame({"prompt": ["", "I have "], "completion": ["", "a cat."]})
    steps, measured = run(tiny_model, tmp_path, samples=pairs, **FULL)
    assert measured.audit.warnings == ["6 of 12 samples have nothing to learn"]
    assert len(steps) == 6


def test_no_variant_of_a_held_out_sample_is_learned():
    table = pd.DataFrame({"id": [*"abcd", "x", "y"], "parent": [*"abcd", "d", "a"]})
    found = marked(table, 2)
    assert list(found["id"][found["held_out"]]) == ["c", "d"]
    assert list(found["id"][~found["held_out"]]) == ["a", "b", "y"]
    assert list(marked(table, 2, 1)["id"]) == ["a", "c", "d"]  # equal for every size
    with pytest.raises(ValueError, match=r"4 samples, of which train.validation holds 4 out"):
        marked(table, 4)
    assert list(marked(table.drop(columns="parent"), 1)["held_out"]) == [False] * 5 + [True]
