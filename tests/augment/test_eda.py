import json
from collections import Counter

import pandas as pd
import pytest
from kensho.augment import eda
from kensho.augment.synonyms import index, inventory
from kensho.linguistics.tokens import ANALYSERS

TEXTS = [
    "彼は図書館で本を読んだ。",
    "彼は図書館で書物を読んだ。",
    "私は毎朝公園で犬と散歩をする。",
    "彼は切符を買った。",
    "彼女はチケットを買った。",
    "町を訪れた。",
    "町を訪ねた。",
] * 3
SAMPLES = pd.DataFrame(
    {"id": [*"abcd"], "ja": [*TEXTS[2:4], TEXTS[5], "はい。"], "en": ["A.", "B.", "", "D."]}
)


def made(samples=SAMPLES, analyser="sudachi", **changed):
    own = {"seed": 1, "per_sample": 9, "alpha": 0.1, "unit": "word", "analyser": analyser}
    return eda.variants(samples, words=inventory(TEXTS, analyser), **(own | changed))


@pytest.mark.parametrize("analyser", ANALYSERS)
@pytest.mark.parametrize("unit", ["word", "bunsetsu"])
def test_operations_do_what_they_say(analyser, unit):
    table = made(analyser=analyser, unit=unit, alpha=0.3)
    texts = SAMPLES.set_index("id")["ja"]
    thesaurus = index(inventory(TEXTS, analyser), 3)
    seen = Counter()
    for row in table.itertuples():
        parent = texts[row.parent]
        ((operation, done),) = json.loads(row.operation).items()
        seen[operation] += 1
        assert row.ja.endswith("。") and row.ja.count("。") == 1
        if operation == "swap":
            assert sorted(row.ja) == sorted(parent) and done
        elif operation == "delete":
            assert len(row.ja) == len(parent) - sum(len(unit) for _, unit in done) > 1
        else:
            units = eda.read(parent, thesaurus, unit, analyser).units
            assert len(row.ja) == len(parent) + sum(len(other) for _, other, _ in done)
            assert {other for _, other, _ in done}.isdisjoint(units)  # a synonym, not the word
    assert set(seen) == {*eda.OPERATIONS}


def test_a_bunsetsu_is_a_word_with_what_hangs_on_it():
    text = eda.read("彼は図書館で本を読んでいた。", index(inventory(TEXTS), 3), "bunsetsu")
    assert text.units == ["彼は", "図書館で", "本を", "読んでいた"] and text.end == "。"


def test_one_word_cannot_change_places_and_is_never_deleted():
    alone = made()[lambda table: table["parent"] == "d"]
    assert set(alone["ja"]) == {"はい。"}  # deletions that draw nothing: counted as unchanged
    assert {*map(str, alone["operation"])} == {'{"delete":[]}'}


def test_neither_order_nor_neighbours_change_what_becomes_of_a_sample():
    whole = made().set_index("id")["ja"]
    turned = made(SAMPLES.iloc[::-1]).set_index("id")["ja"]
    alone = made(SAMPLES.iloc[[1]]).set_index("id")["ja"]
    assert turned.sort_index().equals(whole.sort_index())
    assert whole[alone.index].equals(alone) and len(alone) > 3
    assert not made(seed=2).set_index("id")["ja"].reindex(whole.index).equals(whole)


def test_every_operation_leads_for_as_many_samples():
    many = pd.DataFrame({"id": [f"s{k}" for k in range(90)], "ja": TEXTS[3], "en": ""})
    led = made(many, per_sample=2, alpha=0.3).groupby("parent")["operation"].first()
    counts = Counter(operation for row in led.map(json.loads) for operation in row)
    assert set(counts) == {*eda.OPERATIONS} and min(counts.values()) > 15


def test_alpha_of_the_units_change_one_at_least():
    long = SAMPLES.iloc[[0]]
    few, many = (made(long, alpha=alpha) for alpha in (0.01, 0.5))

    def changes(table, operation):
        rows = map(json.loads, table["operation"])
        return {len(row[operation]) for row in rows if operation in row}

    assert changes(few, "swap") == {1}
    assert changes(many, "swap") == {5}  # of ten or eleven words
