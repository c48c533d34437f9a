import pandas as pd
import pytest
from kensho.augment import study, variant_table
from kensho.bench import augmentation_training
from kensho.bench.run import Run
from kensho.bench.settings import AugmentationTraining
from kensho.data.corpus import write_table


def pairs(names):
    ja = [f"{name}が走る。" for name in names]
    return pd.DataFrame(
        {"id": [*map(str, map(ord, names))], "ja": ja, "en": [f"{ord(n)} runs." for n in names]}
    )


@pytest.fixture
def inputs(tiny_model, tmp_path):
    train, test = pairs("犬猫鳥魚馬牛羊猿蛇虎兎鹿"), pairs("空海")
    items = study.pairs(train, test)
    made = [
        {
            "id": f"{id}-v", "parent": f"{id}-first", "ja": ja.replace("走る", "歩く"),
            "en": en, "technique": "synonyms", "operation": "{}",
        }
        for id, ja, en in train.itertuples(index=False)
    ]  # fmt: skip
    write_table(tmp_path / "splits.csv", items)
    write_table(tmp_path / "test.csv", test)
    write_table(tmp_path / "synonyms.csv", variant_table(made))
    others = train.assign(id="o" + train["id"], ja=train["ja"].str.replace("走る", "駆ける"))
    write_table(tmp_path / "attested.csv", pd.concat([train, others.head(3)]))
    return {
        "asked": [],
        "attested": tmp_path / "attested.csv",
        "model": tiny_model,
        "test": tmp_path / "test.csv",
        "splits": tmp_path / "splits.csv",
        "variants": [tmp_path / "synonyms.csv"],
    }


def settings(**changed):
    own = {
        "techniques": ["synonyms"], "arms": ["none", "repeat", "synonyms", "pivot", "more-data"],
        "sizes": [4], "seeds": [1, 2], "steps": 2, "batch_size": 4, "max_length": 64, "items": 2,
    }  # fmt: skip
    return AugmentationTraining(**(own | changed))


def test_arms_learn_the_same_originals_and_differ_by_what_is_added(inputs, tmp_path):
    run = Run(tmp_path, threads=1, seed=3)
    ((table, conditions),) = augmentation_training.experiment(inputs, settings(), run)
    cells = table.pivot(index=["block", "arm"], columns="metric", values="value")
    assert len(cells) == 2 * 5 and cells.notna().all(axis=None)
    added = cells["variants.n4"].unstack()
    assert added["synonyms"].tolist() == [4, 4] and added["more-data"].tolist() == [8, 8]
    likelihood = cells["nll_per_character.n4"].unstack()
    assert (likelihood["synonyms"] != likelihood["repeat"]).all()
    assert (likelihood.loc["seed-1"] != likelihood.loc["seed-2"]).all()
    outcomes = conditions["own"]["outcomes"]
    assert outcomes["synonyms"]["kept"] == 12 and outcomes["pivot"]["kept"] == 3
    assert "pivot has variants of 3 of 12 sentences" in " ".join(conditions["deviations"])
    assert (added["pivot"] <= 3).all()
    assert [*conditions["absent"]] == ["nll_per_character.n100"]
    ((again, _),) = augmentation_training.experiment(inputs, settings(), run)
    assert again.equals(table)


def test_more_originals_than_the_pool_has_are_refused(inputs, tmp_path):
    with pytest.raises(ValueError, match=r"sizes: 13 originals, but the pool has 12; raise"):
        augmentation_training.experiment(inputs, settings(sizes=[13]), Run(tmp_path))
