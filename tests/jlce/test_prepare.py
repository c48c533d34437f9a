from types import SimpleNamespace

import pandas as pd
import pytest
from kensho.jlce import items, prepare

PAIRS = pd.DataFrame(
    [(i, f"It is {i} o'clock now.", f"今は{i}時ちょうどになりました。") for i in range(30)],
    columns=["id", "en", "ja"],
)
DESCRIBED = {"pairs": {"source": "corpus", "licence": "CC BY", "attribution": "many"}}


def prepared(public=(), count=20):
    described = DESCRIBED | {name: {"source": name} for name in public}
    halves = PAIRS.head(10), PAIRS.tail(20)
    return prepare.prepare(dict(public), described, halves, count=count, seed=1)


def test_every_kind_has_so_many_items_and_the_files_can_be_read(tmp_path):
    found, record = prepared(count=12)
    assert set(found) == set(record) == set(items.KINDS)
    for kind, written in found.items():
        items.write(tmp_path / f"{kind}.jsonl", written)
        assert items.read(tmp_path / f"{kind}.jsonl", kind) == written
        assert record[kind]["test"] == 12 and record[kind]["train"] >= 4
    assert record["commonsense"]["chance"] == pytest.approx(0.2)
    assert 0.2 <= record["commonsense"]["majority"] <= 1 and "chance" not in record["style"]
    assert record["translation"]["source"] == "corpus" and record["nli"]["source"] == "our own"


def test_public_items_take_the_place_of_ours_beside_our_examples(tmp_path):
    path = tmp_path / "mgsm.tsv"
    path.write_text("".join(f"りんごが{i}個あります。何個ですか。\t{i}\n" for i in range(9)))
    found, record = prepared({"mgsm-ja": path})
    assert record["mathematics"] | {"test": 9, "of": 9} == record["mathematics"]
    tests = [item for item in found["mathematics"] if item.split == "test"]
    assert [item.answer for item in tests] == list(range(9))


def test_a_file_that_is_not_as_published_is_named(tmp_path):
    path = tmp_path / "jnli.json"
    for text in ('{"sentence_pair_id": 1, "label": "perhaps"}\n', "\x00", ""):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"jnli.json: .*jnli.*delete it"):
            prepared({"jnli": path})


def drawn(found, count, seed=1):
    return [item.id for item in prepare.draw(found, count, seed)]


def clustered(*sizes):
    """Items with numbers for names, in clusters of these sizes."""
    clusters = [cluster for cluster, size in enumerate(sizes) for _ in range(size)]
    return [SimpleNamespace(id=n, cluster=cluster) for n, cluster in enumerate(clusters)]


def test_draws_are_seeded_and_in_order():
    found = clustered(50, 50)
    assert drawn(found, 5) == drawn(found, 5) != drawn(found, 5, seed=2)
    assert drawn(found, 50) == sorted(set(drawn(found, 50)))
    assert drawn(found, 200) == list(range(100))


def test_draws_are_of_two_clusters_where_there_are_two():
    for seed in range(20):
        one, other = prepare.draw(clustered(98, 2), 2, seed)
        assert one.cluster != other.cluster
        assert len(set(drawn(clustered(100), 2, seed))) == 2


def test_contamination_is_the_share_of_grams_seen():
    def acceptable(name, text):
        return items.Acceptability(id=name, split="test", cluster="c", text=text, label=1)

    training = ["昨日は雨が降ったので、家で本を読みました。", "猫が好きだ。"]
    asked = {
        "acceptability": [
            acceptable("a", "家で本を読みました。そのあと寝た。"),
            acceptable("b", "猫が好きだ。"),
            acceptable("c", "山に登る。"),
        ]
    }
    found = prepare.contamination(training, asked, n=6).set_index("item")["share"]
    assert found["b"] == 1 and found["c"] == 0
    assert found["a"] == pytest.approx(5 / 12)
