import json

import pandas as pd
import pytest
from kensho.augment.synonyms import index as thesaurus_of
from kensho.augment.synonyms import inventory, occurrences, replacements, variants
from kensho.linguistics.tokens import ANALYSERS, tokens

TEXTS = [
    "彼は切符を買った。",
    "切符をなくした。",
    "切符を見せる。",
    "彼女はチケットを買った。",
    "チケットを見せた。",
    "チケットを買う。",
    "父親は医者だ。",
    "父は医者だ。",
    "先生は親切だ。",
    "教師は親切だ。",
    "彼を訪れた。",
    "友を訪れる。",
    "町を訪れない。",
    "彼を訪ねた。",
    "友を訪ねる。",
    "町を訪ねない。",
    "仕事を終える。",
    "仕事が終わる。",
]
SAMPLES = pd.DataFrame(
    {
        "id": ["1", "2", "3", "4"],
        "ja": ["切符を見せた。", "友を訪れた。", "彼は走る。", "先生はチケットを買う。"],
        "en": ["a", "b", "c", "d"],
    }
)


def make(
    samples=SAMPLES, *, minimum_count=1, probability=1.0, per_sample=1, seed=3, analyser="sudachi"
):
    return variants(
        samples,
        seed=seed,
        per_sample=per_sample,
        probability=probability,
        words=inventory(TEXTS, analyser),
        minimum_count=minimum_count,
        analyser=analyser,
    )


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_replaces_by_synonyms_in_the_same_inflected_form(analyser):
    made = make(analyser=analyser).set_index("parent")
    assert made.ja.to_dict() == {
        "1": "チケットを見せた。",
        "2": "友を訪ねた。",
        "4": "教師は切符を買う。",
    }
    assert json.loads(made.operation["4"]) == {"replaced": [["先生", "教師"], ["チケット", "切符"]]}


def grammar(text: str) -> list[tuple]:
    return [(*w.pos[:2], w.form) for w in tokens(text)]


def test_replacements_keep_part_of_speech_and_inflected_form():
    parents = dict(zip(SAMPLES.id, SAMPLES.ja, strict=True))
    for row in make().itertuples():
        assert grammar(row.ja) == grammar(parents[row.parent])


def test_transitive_and_intransitive_verbs_do_not_stand_for_each_other():
    thesaurus = thesaurus_of(inventory(TEXTS), 1)
    (word,) = [w for w in occurrences("仕事を終える。") if w["surface"] == "終える"]
    assert any(
        "終わる" in lemmas
        for (group, *_), lemmas in thesaurus.members.items()
        if group in word["groups"]
    )
    assert "終わる" not in replacements(word, thesaurus)


def test_potential_verbs_do_not_stand_for_other_verbs():
    potential, plain = occurrences("友が本を買える。")[-1], occurrences("友が町を訪れる。")[-1]
    assert potential["form"] == "可能:終止形-一般"
    assert plain["form"] == "一段:終止形-一般"


def test_names_numbers_plurals_and_short_kana_stay():
    surfaces = {
        w["surface"] for w in occurrences("メアリーは3人のひとに訳と子供たちのわけを話した。")
    }
    assert surfaces == {"訳", "話し"}


def test_rare_lemmas_are_not_used():
    assert make(minimum_count=3).ja.tolist() == [
        "チケットを見せた。",
        "友を訪ねた。",
        "先生は切符を買う。",
    ]


def test_at_least_one_word_is_replaced_and_variants_differ():
    made = make(probability=0.0, per_sample=2)
    replaced = made.operation.map(lambda o: len(json.loads(o)["replaced"]))
    assert (replaced == 1).all()
    assert made.ja.is_unique
    assert not set(made.ja) & set(SAMPLES.ja)


def test_other_rows_and_their_order_change_nothing():
    whole = make(per_sample=2, probability=0.5).set_index("id")
    part = make(SAMPLES.iloc[[3, 0]], per_sample=2, probability=0.5).set_index("id")
    pd.testing.assert_frame_equal(part.sort_index(), whole.loc[sorted(part.index)])


def test_an_inventory_survives_csv(tmp_path):
    words = inventory(TEXTS)
    words.to_csv(tmp_path / "words.csv", index=False)
    read = pd.read_csv(tmp_path / "words.csv", dtype=str, keep_default_na=False)
    read["count"] = read["count"].astype(int)
    pd.testing.assert_frame_equal(read, words, check_dtype=False)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_one_result(seed):
    pd.testing.assert_frame_equal(
        make(seed=seed, probability=0.5), make(seed=seed, probability=0.5)
    )
