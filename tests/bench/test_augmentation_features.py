from types import SimpleNamespace

import pandas as pd
import pytest
from kensho.augment import study, variant_table
from kensho.bench import augmentation_features as features
from kensho.bench.run import Run
from kensho.bench.study_settings import AugmentationFeatures
from kensho.data.corpus import write_table
from kensho.files import write_json
from pydantic import ValidationError

WHO = "父母兄姉弟妹祖父友人先生学生医者店員駅員警官"
WHAT = ["東京へ行", "本を読", "水を飲", "歌を歌", "靴を買", "紙を切"]


@pytest.fixture(scope="module")
def items():
    """Whether a sentence is polite: what a linear classifier learns from few of them."""
    rows = [
        (f"{who}が{what}{end}", label)
        for who in WHO
        for what in WHAT
        for end, label in (("きました。", "polite"), ("った。", "plain"))
    ]
    table = pd.DataFrame(rows, columns=["first", "label"])
    table.insert(0, "item", [f"x-{i}" for i in range(len(table))])
    table = table.assign(second="", en="", group=range(len(table)))
    return study.split(table, seeds=3, tested=0.4, seed=1)


SETTINGS = SimpleNamespace(sizes=[40, 1000], seeds=3, added=2, techniques=["eda", "round_trip"])


def test_arms_are_observed_by_seed_and_a_size_that_is_not_there_is_not(items, tmp_path):
    variants = {"eda": variant_table([]), "combined": variant_table([])}
    rows = pd.DataFrame(features.observe("x", items, variants, SETTINGS, Run(tmp_path)))
    assert set(rows["metric"]) == {"accuracy.x.n40", "variants.x.n40"}
    assert set(rows["block"]) == {"seed-1", "seed-2", "seed-3"}
    accuracy = rows[rows["metric"] == "accuracy.x.n40"].pivot(
        index="block", columns="arm", values="value"
    )
    assert accuracy["none"].mean() > 0.6  # half of them are plain
    # No variant was made: as if the originals were repeated.
    assert accuracy["eda"].tolist() == accuracy["repeat"].tolist()
    again = features.observe("x", items, variants, SETTINGS, Run(tmp_path))
    assert pd.DataFrame(again).equals(rows)


def test_features_of_pairs_join_both_texts(items):
    known = features.features(["犬が走る。", "猫が眠る。"])
    pair = pd.DataFrame({"first": ["犬が走る。"], "second": ["猫が眠る。"]})
    assert known.of(pair).shape == (1, 2048)
    assert known.of(pair.assign(second="")).shape == (1, 512)


def test_conditions_say_what_became_of_the_candidates(items, tmp_path):
    folder = tmp_path / "keico"
    folder.mkdir()
    write_table(folder / "splits.csv", items[study.ITEMS])
    parent = study.pool(items).iloc[0]
    made = {
        "id": "1", "parent": f"{parent['item']}-first", "ja": parent["first"],
        "en": "", "technique": "eda", "operation": "{}",
    }  # fmt: skip
    write_table(folder / "eda.csv", variant_table([made]))
    counts = {"read": len(items) + 5, "empty or repeated": 2, "divided": 3}
    write_json(folder / "items.json", counts)
    files = {"splits": "splits.csv", "counts": "items.json", "variants": "eda.csv"}
    inputs = {"asked": [], **{name: [folder / file] for name, file in files.items()}}
    run = Run(tmp_path, left_out={"jnli": "not at hand"})
    ((table, conditions),) = features.experiment(inputs, SETTINGS, run)
    assert set(table["arm"]) == {"none", "repeat", "eda", "combined", "more-data"}
    assert conditions["own"]["outcomes"]["keico"]["eda"]["unchanged"] == 1
    data = {"name": "keico", "items": len(items), "of": len(items) + 5}
    assert conditions["ran"]["data"] == [data] and conditions["own"]["read"]["keico"] == counts
    assert conditions["fallbacks"] == ["jnli left out: not at hand"]
    assert "no 500 originals of jnli" in conditions["absent"]["accuracy.jnli.n500"]
    assert not {*table["metric"]} & {*conditions["absent"]}
    assert conditions["ran"]["stand_ins"]
    said = "keico: round_trip is not tried, for it changes what the labels state"
    assert said in conditions["deviations"]
    pool = len(study.pool(items))
    settings = SimpleNamespace(**{**vars(SETTINGS), "sizes": [40, 100], "techniques": ["eda"]})
    ((table, conditions),) = features.experiment(inputs, settings, run)
    assert set(table[table["metric"] == "accuracy.keico.n100"]["arm"]) == {
        "none",
        "repeat",
        "eda",
        "combined",
    }
    assert conditions["deviations"][-1] == (
        f"keico: no arm more-data at 100 originals: its pool of {pool} items has too few others"
    )
    settings = SimpleNamespace(**{**vars(SETTINGS), "sizes": [100]})
    with pytest.raises(ValueError, match=r"no task has 3 times as many items .* lower sizes"):
        features.experiment(inputs, settings, run)


@pytest.mark.parametrize("technique", ["politeness", "honorific", "round_trip", "paraphrase"])
def test_a_technique_that_changes_a_tasks_labels_is_not_tried_on_it(technique):
    own = AugmentationFeatures.model_validate({"techniques": ["eda", technique]})
    assert own.of_task("keico") == ["eda"]
    assert own.of_task("jnli") == ["eda", technique]
    assert own.tried(["keico"]) == ["eda"] and own.tried(["keico", "jnli"]) == ["eda", technique]
    with pytest.raises(ValidationError, match="changes what keico's labels state; add another"):
        AugmentationFeatures.model_validate({"techniques": [technique]})
    AugmentationFeatures.model_validate({"techniques": [technique], "tasks": ["jnli"]})
