import pandas as pd
import pytest
import torch
from kensho.augment import study, variant_table
from kensho.bench import augmentation_training
from kensho.bench.run import Run
from kensho.bench.study_settings import AugmentationTraining
from kensho.data.corpus import write_table
from kensho.evaluate import translations
from kensho.evaluate.translations import chrf
from kensho.models import reference
from kensho.models.loading import load


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
    write_table(tmp_path / "attested_pairs.csv", pd.concat([train, others.head(3)]))
    return {
        "asked": [],
        "attested_pairs": tmp_path / "attested_pairs.csv",
        "model": tiny_model,
        "test": tmp_path / "test.csv",
        "splits": tmp_path / "splits.csv",
        "variants": [tmp_path / "synonyms.csv"],
    }


def settings(**changed):
    own = {
        "techniques": ["synonyms"], "arms": ["none", "repeat", "synonyms", "pivot", "more-data"],
        "sizes": [4], "seeds": [1, 2], "steps": 2, "batch_size": 4, "max_length": 64, "items": 2,
        "translated": 2, "max_new_tokens": 4,
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
    assert cells["chrf.n4"].between(0, 100).all()
    assert (likelihood.loc["seed-1"] != likelihood.loc["seed-2"]).all()
    outcomes = conditions["own"]["outcomes"]
    assert outcomes["synonyms"]["kept"] == 12 and outcomes["pivot"]["kept"] == 3
    assert "pivot has variants of 3 of 12 sentences" in " ".join(conditions["deviations"])
    assert (added["pivot"] <= 3).all()
    assert {*conditions["absent"]} == {"nll_per_character.n100", "chrf.n100"}
    ((again, _),) = augmentation_training.experiment(inputs, settings(), run)
    assert again.equals(table)


@pytest.mark.parametrize("at_once", [1, 32])
def test_a_model_that_answers_as_the_references_are_has_a_full_score(at_once, inputs, monkeypatch):
    monkeypatch.setattr(translations, "AT_ONCE", at_once)
    base = reference.base(inputs["model"])
    model, tokenizer = load(base.folder, torch.float32)
    prompts, answers = [f"English: {name}.\nJapanese:" for name in ("sky", "the sea")], []
    for prompt in prompts:  # one at a time: without padding
        asked = tokenizer(prompt, return_tensors="pt")
        written = model.generate(**asked, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
        text = tokenizer.decode(written[asked["input_ids"].shape[1] :], skip_special_tokens=True)
        answers.append(text.strip().partition("\n")[0].strip())
    samples = pd.DataFrame({"prompt": prompts, "completion": [f" {text}" for text in answers]})
    assert all(answers)
    assert chrf(model, tokenizer, samples, 12) == pytest.approx(100)
    assert chrf(model, tokenizer, samples.assign(completion=" 空"), 12) < 50


def test_more_translations_than_items_are_refused():
    with pytest.raises(ValueError, match="translated: 3 of 2 items; lower it"):
        settings(translated=3)


def test_more_originals_than_the_pool_has_are_refused(inputs, tmp_path):
    with pytest.raises(ValueError, match=r"sizes: 13 originals take 13 .* the pool has 12; raise"):
        few = settings(sizes=[4, 13], arms=["none", "repeat"])
        augmentation_training.experiment(inputs, few, Run(tmp_path))


def test_an_arm_that_the_pool_is_too_small_for_is_not_left_out_in_silence(inputs, tmp_path):
    with pytest.raises(ValueError, match=r"sizes: 5 originals take 15 .* the pool has 12; raise"):
        augmentation_training.experiment(inputs, settings(sizes=[4, 5]), Run(tmp_path))
