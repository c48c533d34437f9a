"""Which arms read one training, and the model that each of their stages begins with."""

from types import SimpleNamespace

import pytest
from kensho.plan import beginnings
from kensho.plan import plan as plans
from kensho.plan.config import Config
from kensho.plan.inputs import Inputs
from test_forecast import FOLDER, MODELS, SOURCES

FULL = {"name": "full"}
SFT = {"stage": "sft", "method": FULL}
CPT = {"stage": "cpt", "method": FULL}
LAST = {**SFT, "learning_rate": 0.1}
DPO = {"stage": "dpo", "method": FULL}


def configured(*arms):
    arms = [{"name": name, "base": base, "stages": stages} for name, base, stages in arms]
    return Config.model_validate({"train": {"arms": arms, "recipes": []}})


def test_arms_of_one_base_and_equal_stages_share_them():
    config = configured(
        ("a", None, [SFT]),
        ("b", None, [SFT, DPO]),
        ("c", None, [SFT, DPO, LAST]),
        ("other-setting", None, [{**SFT, "learning_rate": 0.5}, DPO]),
        ("other-base", "gemma-3-270m", [SFT]),
        ("base-by-name", Config().train.base, [SFT, CPT]),
        ("not-a-beginning", None, [CPT, SFT]),
    )
    assert beginnings.folders(config) == {
        "a": ["a/1-sft"],
        "b": ["a/1-sft", "b/2-dpo"],
        "c": ["a/1-sft", "b/2-dpo", "c/3-sft"],
        "other-setting": ["other-setting/1-sft", "other-setting/2-dpo"],
        "other-base": ["other-base/1-sft"],
        "base-by-name": ["a/1-sft", "base-by-name/2-cpt"],
        "not-a-beginning": ["not-a-beginning/1-cpt", "not-a-beginning/2-sft"],
    }
    assert [beginnings.stage_before(config, arm) for arm in "abc"] == [None, "a", "b"]
    assert beginnings.stage_before(config, "not-a-beginning") is None


def test_a_stage_begins_with_what_the_stage_before_made_wherever_it_lies():
    config = configured(("a", None, [SFT]), ("b", None, [SFT, DPO]), ("c", None, [SFT, DPO, LAST]))
    plan, _ = plans.make(config, [], SOURCES, MODELS, FOLDER)
    inputs = Inputs(config, plan, MODELS)

    def begun(arm, number, stage):
        wildcards = SimpleNamespace(arm=arm, number=str(number), stage=stage, seed="1")
        return inputs.begun_with(wildcards).get("before")

    assert begun("a", 1, "sft") is None
    earlier = ["results/train/a/1-sft/seed1/model", "results/train/b/2-dpo/seed1/model"]
    assert begun("b", 2, "dpo") == earlier[:1]
    assert begun("c", 3, "sft") == earlier  # its adapters lie over those of all before it
    with pytest.raises(ValueError, match="arm 'c' has no stage '2-dpo' of its own, its stages: "):
        begun("c", 2, "dpo")
    assert inputs.trained("c", [1], "model", last=False) == [
        *("results/train/a/1-sft/seed1/model", "results/train/b/2-dpo/seed1/model"),
        "results/train/c/3-sft/seed1/model",
    ]
