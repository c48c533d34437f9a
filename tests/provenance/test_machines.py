"""Two machines' crates as the arms of a claim (format: crate)."""

import json
import shutil

import pytest
from kensho import external, observations
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive
from machine_crate import DEVICES, SECONDS, SETTINGS, exported


def tables(*paths, **changed):
    return [
        {"path": path, "format": "crate", "arm": name, "experiment": "toy", "of": "plain"}
        | {"metric": "seconds"}
        | changed
        for name, path in zip(SECONDS, paths, strict=True)
    ]


def observe(*brought):
    found = [ExternalTable.model_validate(one) for one in brought]
    return external.observe("machines", external.Experiment(found, ["block"], [*SECONDS]))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    root = tmp_path_factory.mktemp("machines")
    return [exported(root, name) for name in SECONDS]


def test_the_machines_observations_are_judged_against_each_other(both, tmp_path):
    claim = Claim.model_validate(
        {
            **{"id": "OWN-1", "source": "own", "statement": "tokyo takes twice as long"},
            **{"quantity": "seconds, tokyo / kyoto", "unit": "ratio", "claimed": {"value": 2}},
            **{"scope": {"models": ["any"]}, "required_tier": "published", "not_tested": None},
            "test": {
                **{"design": "paired_log_ratio", "experiment": "machines", "levels": ["sentence"]},
                **{"region": [1.8, 2.2], "direction": "greater", "sesoi": 1.05, "min_units": 5},
                "readings": [
                    {
                        "label": "all",
                        "numerator": {"arm": "tokyo", "metric": "seconds"},
                        "denominator": {"arm": "kyoto", "metric": "seconds"},
                    }
                ],
                "external": tables(*both),
            },
        }
    )
    assert not external.problems([claim], {})
    brought = external.observe("machines", external.experiments([claim])["machines"])
    for rows, conditions in brought.values():
        observations.write(tmp_path / "benchmark_data/machines", rows, conditions)
    settings = Settings(family_size=1, alpha=0.05, seed=7, draws=1500)
    judged, _ = derive(claim, tmp_path, settings)
    assert judged.estimate == pytest.approx(2.002, abs=0.01) and judged.n_units == 5
    assert judged.verdict == "VERIFIED" and judged.tier == "published"
    assert "the arms were observed with different hardware (see their conditions)" in (
        judged.deviations
    )
    assert {"kyoto: as kyoto had it", "tokyo: as tokyo had it"} <= {*judged.deviations}


def test_each_machine_keeps_its_rows_and_its_conditions(both):
    brought = observe(*tables(*both))
    for name, (rows, conditions) in brought.items():
        assert rows["value"].tolist() == [*SECONDS[name]] and set(rows["unit"]) == {"s"}
        assert conditions["hardware"]["accelerators"] == [DEVICES[name]]
        assert conditions["own"]["asked"]["settings"] == SETTINGS


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"code": "d" * 64}, r"tokyo\.zip: code of 'toy' is d+…?, in .*kyoto\.zip c+…?: not the"),
        ({"settings": {**SETTINGS, "blocks": 6}}, r"settings\.blocks of 'toy' is 6, in .* 5: not"),
        (
            {"seconds": SECONDS["tokyo"][:4]},
            "item 'block-04' of 'kyoto' has no seconds in 'to",
        ),
        ({"seconds": SECONDS["kyoto"], "number": 10}, "one machine counted twice"),
        ({"arm": "other"}, r"no arm 'plain' of the experiment 'toy', .*other"),
        ({"code": None}, r"no finished job of 'toy' with the digest of its code; bring"),
    ],
)
def test_what_is_not_the_same_experiment_is_refused_by_name(both, tmp_path, changed, said):
    other = exported(tmp_path, "tokyo", **changed)
    with pytest.raises(ValueError, match=said) as error:
        observe(*tables(both[0], other))
    assert "tokyo.zip" in str(error.value) or "kyoto.zip" in str(error.value)


def test_a_crate_that_does_not_verify_is_refused(both, tmp_path):
    folder = tmp_path / "tokyo"
    shutil.unpack_archive(both[1], folder)
    path = folder / "results/benchmark_data/toy/plain.csv"
    path.write_text(path.read_text().replace("2.03", "1.03"))
    forged = shutil.make_archive(str(tmp_path / "forged"), "zip", folder)
    with pytest.raises(ValueError, match=r"forged\.zip: does not verify: results/benchmark_data/"):
        observe(*tables(both[0], forged))
    plain = tmp_path / "plain.zip"
    plain.write_text(json.dumps({}))
    with pytest.raises(ValueError, match=r"plain\.zip: neither a folder nor a zip .*; bring"):
        observe(*tables(both[0], str(plain)))


def test_a_claim_names_one_experiment_and_what_of_it(both):
    def problems(*brought):
        test = {
            **{"design": "unpaired_difference", "experiment": "machines", "outcome": "score"},
            **{"region": [0.5, None], "direction": "greater", "sesoi": 0.1, "min_units": 5},
            "prior": {"location": 1.0, "spread": 1.0},
            "readings": [
                {
                    "label": "all",
                    "treatment": {"arm": "tokyo", "metric": "seconds"},
                    "control": {"arm": "kyoto", "metric": "seconds"},
                }
            ],
            "external": list(brought),
        }
        claim = Claim.model_validate(
            {
                **{"id": "OWN-2", "source": "own", "statement": "slower", "quantity": "seconds"},
                **{"unit": "s", "claimed": {"at_least": 0.5}, "scope": {"models": ["any"]}},
                **{"required_tier": "published", "not_tested": None, "test": test},
            }
        )
        return external.problems([claim], {})

    one, other = tables(*both)
    assert not problems(one, other)
    [line] = problems(one, {**other, "experiment": "gemm"})
    assert "external[1].experiment: 'gemm', and the first table's is 'toy'" in line
    del other["of"]
    [line] = problems(one, other)
    assert "external[1].of: required key is missing" in line
    [line] = problems(one, {**tables(*both)[1], "item": "x"})
    assert "external[1].item: format crate does not read it; leave it out" in line
