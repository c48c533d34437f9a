"""What every technique of the catalogue that needs no model promises."""

import pandas as pd
import pytest
from kensho.augment import COLUMNS
from kensho.augment.catalogue import TECHNIQUES
from kensho.augment.driver import select
from kensho.data.corpus import write_table
from kensho.part import resolve
from threadpoolctl import threadpool_limits

JA = [
    "彼は重要な本を図書館で読んだ。",
    "彼女は短い手紙を母に送った。",
    "トムは月曜日の朝に逮捕された。",
    "警官が昨日大切な車を調べました。",
    "犬が走る。",
    "社長が手紙を書いた。",
    "私は毎朝公園で重要な話をする。",
]
SAMPLES = pd.DataFrame({"id": [f"{k}" for k in range(len(JA))], "ja": JA, "en": ["", *"abcdef"]})
RULED = [name for name, part in TECHNIQUES.items() if part.needs.environment == "data"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files that the techniques read; the name of the table says nothing."""
    folder = tmp_path_factory.mktemp("data")
    words = pd.DataFrame({"ja": [*JA, "大切な本。", "大切な話。", "重要な車。"] * 3})
    write_table(folder / "attested.csv", words)
    return {"train": folder / "originals.csv", "attested": folder / "attested.csv"}


def made(name, samples, files, seed=7):
    part = TECHNIQUES[name]
    settings = part.default.model_dump()
    table = resolve(part.code)(samples, files, settings, limit=1000, seed=seed)
    assert list(table.columns) == COLUMNS and table["id"].is_unique
    return table.sort_values("id", ignore_index=True)


@pytest.mark.parametrize("name", RULED)
def test_row_order_shards_and_threads_change_nothing(name, files):
    with threadpool_limits(1):
        whole = made(name, SAMPLES, files)
    assert len(whole) and set(whole["technique"]) == {name}
    with threadpool_limits(2):
        shuffled = made(name, SAMPLES.iloc[::-1], files)
    parts = [made(name, SAMPLES.iloc[rows], files) for rows in ([5, 0], [3, 6, 1, 2], [4])]
    united = pd.concat(parts).sort_values("id", ignore_index=True)
    assert whole.to_csv() == shuffled.to_csv() == united.to_csv()


@pytest.mark.parametrize("name", RULED)
def test_what_touches_the_test_split_is_dropped_and_all_are_counted(name, files):
    table = made(name, SAMPLES, files)
    planted = table.iloc[[0]]  # its sentence stands in the test split, and so does an English side
    test = pd.DataFrame({"ja": [planted["ja"].item()], "en": ["A."]})
    kept, counts = select(table, SAMPLES, test, target=1000, seed=1, threshold=0.7)
    new = kept[kept["technique"] != "original"]
    assert planted["ja"].item() not in set(new["ja"]) and not new["en"].isin(["a"]).any()
    assert counts["count"].sum() == len(table)
