"""The calibration page from the studies themselves, with few replications."""

import pytest
from kensho.report import calibration
from kensho.report.calibration import SECTIONS
from kensho.stats.calibration import (
    adversarial,
    audit,
    characteristics,
    coverage,
    formula,
    metamorphic,
    mutants,
    sbc,
)
from kensho.stats.models import MODELS
from report_example import Reader, text

META = {"size": "short", "engine": "a1b2c3d4e5f60718", "versions": {"pymc": "5.28.5"}}


# Columns of a table that stand in its file alone.
UNREAD = {
    "characteristics": {"excluded", "wrong"},
    "adversarial": {"truth", "n", "gated"},
    "sbc": {"replications", "limit"},
    "coverage": {"coverage_closed", "verified", "failed", "low", "high"},
    "mutants": {"seen_in"},
}


def written(folder) -> list:
    """Every table of the page as a file, as the rules write them, of a model with exact draws."""
    model = MODELS["beta_binomial"]
    found = characteristics.run(100, seed=1)
    ranks = sbc.run(model, sbc.Simulation(20, seed=1, processes=1))
    fits = coverage.run(model, "centre", sbc.Simulation(10, seed=1, processes=1))
    tables = {
        "characteristics": found,
        "acceptance": characteristics.acceptance(found),
        "adversarial": adversarial.run(20, seed=1),
        "metamorphic": metamorphic.run(1, draws=None),
        "sbc": sbc.uniformity(ranks, seed=1),
        "ranks": ranks[["model", "quantity", "rank"]],
        "binary": sbc.reliability(ranks),
        "coverage": coverage.summarise(fits),
        "mutants": mutants.run(10, seed=1, processes=1, checks=["power", "family-wise error"]),
        "audit": audit.run(5, seed=1),
        "formula": formula.closed_form(200, seed=1),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return sorted(folder.glob("*.csv"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return calibration.read(written(tmp_path_factory.mktemp("calibration")))


def test_every_section_is_filled_by_its_study(tables):
    html = calibration.build(tables, META)
    assert Reader(html).open == [] and "Not run." not in html
    assert "None" not in text(html) and "nan" not in text(html)
    judged = [table[s.holds] for s in SECTIONS if s.holds for table in [tables[s.key]]]
    assert f"of {sum(map(len, judged))} lines hold" in text(html).replace(",", "")
    assert html.count("<figcaption>") == len(tables["sbc"]) + tables["binary"]["model"].nunique()


def test_a_column_of_another_name_is_refused_where_the_page_shows_it(tables):
    whole, unread = calibration.build(tables, META), {}
    for name, table in tables.items():
        for column in table:
            changed = {**tables, name: table.rename(columns={column: "of_another_name"})}
            try:
                assert calibration.build(changed, META) == whole, (name, column)
                unread.setdefault(name, set()).add(column)
            except (KeyError, ValueError) as error:
                assert column in str(error), (name, column, error)
    assert unread == UNREAD
