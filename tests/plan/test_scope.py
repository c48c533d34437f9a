"""The shipped full scale runs the very models that the claims name."""

from pathlib import Path

import pytest
from kensho.claims import registry
from kensho.data import sources
from kensho.models import cards, catalogue
from kensho.observations.ran import Ran
from kensho.observations.tier import Arm, derive
from kensho.plan import work
from kensho.plan.config import Config
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

ROOT = Path(__file__).parents[2]
CLAIMS = {claim.id: claim for claim in registry.load(ROOT / "config/claims")}
MODELS, _ = catalogue.load(
    ROOT / "config/models.yaml",
    sources.load(ROOT / "config/sources.yaml")[0],
    cards.load(ROOT / "resources/architectures.yaml"),
)


@pytest.fixture(scope="module")
def config():
    raw = load_configfile(ROOT / "config/config.yaml")
    update_config(raw, load_configfile(ROOT / "config/scales/full.yaml"))
    return Config.model_validate(raw)


def model_of(config, experiment, arm):
    """Name of the model that an arm of an experiment runs, None where it runs none of its own."""
    if experiment in ("training", "adaptation", "evaluation"):
        return work.base(config, arm)
    if experiment == "vocabulary":
        return getattr(config.bench.vocabulary.published, arm.replace("-", "_"))
    return getattr(getattr(config.bench, experiment), "model", None)


def tier(config, claim, **changes):
    """That of a claim if each model ran with its own weights, but for ``changes``."""
    test = CLAIMS[claim].test
    arms = []
    for arm in test.arms:
        name = model_of(config, test.experiment, arm)
        own = {
            **{"name": name, "hub": MODELS[name].hub, "weights": "own", "as_card": True},
            **{"revision": "0" * 40, "files": {"model.safetensors": "0" * 64}, "parameters": 1},
        }
        arms.append(Arm(Ran.model_validate({"models": [own | changes]}), ["AMD Instinct MI300X"]))
    return derive(CLAIMS[claim].scope, arms)[0]


NAMED = ["R-2.speed", "R-2.speed-deepseek", "R-3.speed", "R-5.memory", "R-5.retention"]


@pytest.mark.parametrize("claim", NAMED)
def test_claims_whose_models_are_named_can_be_at_scope(config, claim):
    assert tier(config, claim) == "at-scope"


@pytest.mark.parametrize("claim", NAMED)
def test_but_never_on_twins_stand_ins_or_other_weights(config, claim):
    assert tier(config, claim, weights="twin") == "reduced"
    assert tier(config, claim, hub="nobody/nothing") == "reduced"
    assert tier(config, claim, as_card=False) == "reduced"
    assert tier(config, claim, weights="other") == "reference"
    assert tier(config, claim, revision=None) == "reference"


@pytest.mark.parametrize("claim", ["R-6", "R-8.quick", "R-8.analysis"])
def test_claims_that_name_no_model_or_condition_never_are(config, claim):
    assert tier(config, claim) == "reduced"
