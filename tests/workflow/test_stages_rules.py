"""What the target `stages` trains, and which of it an edit trains again."""

import re
import shutil

import pytest
import yaml
from planning import CONFIG, SEEDS, by_rule, copied, nowhere, snakemake, stood_in

TARGETS = ["stages"]
RECIPES = [arm["name"] for arm in CONFIG["train"]["recipes"]]
LAST = RECIPES[-1]
OTHER = "japanese-gpt-1b"  # a model of the hub
LOCKED = {
    "rinna/japanese-gpt-1b": {
        **{"endpoint": "https://huggingface.co", "commit": "a" * 40, "resolved": "2026-01-01"},
        **{"answered": "rinna/japanese-gpt-1b", "gated": False},
        "files": {"model.safetensors": {"bytes": 1, "sha256": "0" * 64}},
    }
}


def edited(folder, change):
    file = folder / "config/config.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(config["train"])
    file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")


def stage(train, arm, number):
    arms = {one["name"]: one for one in (*train["arms"], *train["recipes"])}
    return arms[arm]["stages"][number - 1]


def with_another_base(train):
    arm = {"name": "other", "base": OTHER, "stages": [{"stage": "cpt", "method": {"name": "full"}}]}
    train["recipes"].append(arm)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the target is made, with an arm of another base, and its job counts."""
    folder = copied(tmp_path_factory.mktemp("stages"))
    edited(folder, with_another_base)
    config = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))
    config["evaluate"]["references"].append(OTHER)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "config/models.lock.yaml").write_text(yaml.safe_dump(LOCKED), encoding="utf-8")
    return folder, stood_in(folder, TARGETS)


@pytest.fixture
def made(finished, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(finished[0], folder, symlinks=True)
    return folder


def planned(folder, *arguments):
    """Job counts of a dry run, and the folders of stages that would be trained."""
    done = snakemake(folder, "-n", *arguments, *TARGETS, **nowhere(folder))
    assert done.returncode == 0, done.stdout
    trained = re.findall(r"output: results/train/([^/]+/[^/]+)/seed\d+/model,", done.stdout)
    return by_rule(done.stdout, TARGETS), {*trained}


def test_a_beginning_that_arms_share_is_trained_once(finished):
    _, counts = finished
    stages = len(CONFIG["train"]["recipes"][-1]["stages"])  # the others are beginnings of it
    assert counts["train_stage"] == (stages + 1) * SEEDS  # and the arm of another base
    assert counts["evaluate"] == len(RECIPES) + 3  # the base, another base, the arm of it


EDITS = {
    "a setting of the last stage": (
        lambda train: stage(train, LAST, 3).update(learning_rate=1e-4),
        {f"{LAST}/3-sft"},
        {LAST},
    ),
    "a setting of the second stage of one arm": (
        lambda train: stage(train, LAST, 2).update(beta=0.2),
        {f"{LAST}/2-dpo", f"{LAST}/3-sft"},
        {LAST},
    ),
    "a setting of the second stage of both arms that share it": (
        lambda train: [stage(train, arm, 2).update(beta=0.2) for arm in RECIPES[1:]],
        {f"{RECIPES[1]}/2-dpo", f"{LAST}/3-sft"},
        {*RECIPES[1:]},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_a_setting_of_a_stage_plans_it_and_what_follows(made, name):
    change, trained, evaluated = EDITS[name]
    edited(made, change)
    counts, folders = planned(made)
    assert folders == trained
    assert counts == {
        **{"train_stage": len(trained) * SEEDS, "evaluate": len(evaluated)},
        **{"observe_training": len(evaluated), "describe_stages": 1, "stages_page": 1},
    }


@pytest.mark.slow
def test_another_revision_of_a_model_plans_what_reads_it(made):
    lock = made / "config/models.lock.yaml"
    entries = yaml.safe_load(lock.read_text(encoding="utf-8"))
    entries["rinna/japanese-gpt-1b"]["commit"] = "b" * 40
    lock.write_text(yaml.safe_dump(entries), encoding="utf-8")
    counts, folders = planned(made)
    assert folders == {"other/1-cpt"}
    assert counts == {
        **{"fetch_model": 1, "train_stage": SEEDS, "evaluate": 2},  # the arm, and its base as it is
        **{"observe_training": 1, "describe_stages": 1, "stages_page": 1},
    }


@pytest.mark.slow
def test_what_a_model_samples_is_made_for_its_stage(made):
    edited(made, lambda train: stage(train, LAST, 2).update(rejected="own"))
    counts, folders = planned(made)
    assert counts["sampled_preferences"] == SEEDS
    assert folders == {f"{LAST}/2-dpo", f"{LAST}/3-sft"}
    edited(made, lambda train: stage(train, LAST, 2).update(rejected="eda"))
    counts, _ = planned(made)
    assert counts["preferences"] == counts["augment_technique"] == 1


def test_a_stage_of_a_shared_beginning_is_named_by_its_arm(finished):
    folder, _ = finished
    done = snakemake(folder, "-n", f"results/train/{LAST}/1-sft/seed1/steps.csv", **nowhere(folder))
    assert done.returncode
    assert f"arm '{LAST}' has no stage '1-sft' of its own" in done.stdout
    assert f"{RECIPES[0]}/1-sft" in done.stdout
