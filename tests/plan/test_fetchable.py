"""Claims of which the plan says that fetching sources would make them testable."""

from kensho.claims import registry
from kensho.plan import plan as plans
from test_forecast import FOLDER, MODELS, ROOT, SOURCES, configured

NOTHING = plans.Folder(at_hand=lambda name: False, observed=lambda name, arms: False)
CLAIMS = registry.load(ROOT / "config/claims")


def planned(config, folder=NOTHING):
    return plans.make(config, CLAIMS, SOURCES, MODELS, folder)[0]


def test_fetching_tests_no_claim_on_a_technique_that_is_not_configured():
    config = configured()
    plan = planned(config)
    assert {"F-4.eda", "F-4.combined"} < {*plan.fetchable}
    assert plan.command("F-4.eda") == f"{plans.FETCH} && {plans.COMMAND} augmentation_study"
    for claim in ("F-4.backtranslation", "F-4.bert"):
        assert claim not in plan.fetchable and plan.command(claim) is None
    config.bench.augmentation_features.techniques.append("round_trip")
    assert "F-4.backtranslation" in planned(config).fetchable


def test_what_fetching_promises_is_what_a_folder_with_all_sources_tests():
    config = configured()
    had = planned(config, FOLDER)
    assert not had.fetchable
    promised = planned(config)
    assert {*promised.fetchable} == {*had.tested} - {*promised.tested}
