"""Preference pairs: what is rejected, and that nothing falls without being counted."""

import pandas as pd
import pytest
import torch
from kensho.data.corpus import write_table
from kensho.models.loading import load_reference
from kensho.models.reference import Reference
from kensho.train.preferences import COLUMNS, damaged, neighbours, paired
from kensho.train.sampling import sampled
from kensho.train.tables import marked, read

SAMPLES = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "en": ["I ran.", "You ran.", "We ran."],
        "ja": ["私は走った。", "君は走った。", "皆で走った。"],
        "held_out": [False] * 3,
    }
)


def counts(pairs):
    return dict(zip(pairs.drops["reason"], pairs.drops["count"], strict=True))


def test_a_neighbour_s_translation_is_rejected():
    made = neighbours(SAMPLES)
    assert list(made.table.columns) == COLUMNS
    assert list(made.table["ja"]) == list(SAMPLES["ja"])
    assert list(made.table["rejected"]) == ["君は走った。", "皆で走った。", "私は走った。"]
    assert counts(made) == {"nothing to reject": 0, "both sides equal": 0}


def test_no_pair_to_learn_holds_a_held_out_sentence(tmp_path):
    names = [str(number) for number in range(7)]
    samples = marked(pd.DataFrame({"id": names, "en": names, "ja": names}), 3)
    made = neighbours(samples).table
    assert list(made["rejected"]) == ["1", "2", "3", "0", "5", "6", "4"]
    write_table(tmp_path / "pairs.csv", made)
    kept = read([str(tmp_path / "pairs.csv")], 2, held_out=0)
    assert (list(kept.table["id"]), kept.of) == (["0", "1", "4", "5", "6"], 4)
    assert list(kept.table["held_out"]) == [False] * 2 + [True] * 3


def test_the_first_damage_that_changes_a_translation_is_rejected():
    variants = pd.DataFrame(
        {
            "parent": ["a", "a", "a", "b", "z"],
            "ja": ["私は走った。", "走った私は。", "は走った。", "君は走った。", "他"],
        }
    )
    made = damaged(SAMPLES, variants)
    assert made.table[["id", "rejected", "origin"]].to_numpy().tolist() == [
        ["a", "走った私は。", "damaged"]
    ]
    assert counts(made) == {"nothing to reject": 2, "both sides equal": 0}


def test_what_is_no_choice_is_dropped_and_counted():
    made = paired(SAMPLES, ["私は走った。", "", "行った。"], "sampled")
    assert list(made.table["id"]) == ["c"]
    assert counts(made) == {"nothing to reject": 1, "both sides equal": 1}
    with pytest.raises(ValueError, match="no sample has a side to reject; take another"):
        paired(SAMPLES, [""] * 3, "sampled")
    with pytest.raises(ValueError, match="no sample has a side to reject"):
        paired(SAMPLES.assign(held_out=[False, False, True]), ["", "", "行った。"], "sampled")


def test_a_model_s_own_samples_are_of_the_seed(tiny_model):
    model, tokenizer = load_reference(Reference.of(tiny_model), torch.float32)
    one, again, other = (
        sampled(model, tokenizer, SAMPLES, chat=False, batch=2, seed=seed) for seed in (1, 1, 2)
    )
    assert one.table.equals(again.table) and not one.table.equals(other.table)
    assert set(one.table["origin"]) == {"sampled"}
    assert len(one.table) + sum(counts(one).values()) == len(SAMPLES)
    assert not one.table["rejected"].str.contains("\n").any()
