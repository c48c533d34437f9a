"""Win rates of prompts that were judged once, each in an order that was drawn for it."""

import numpy as np
import pandas as pd
import pytest
from kensho import external
from kensho.claims.model import Claim
from kensho.stats import intervals
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge
from kensho.validation import problems
from pydantic import ValidationError
from scipy import stats

FIRST, SECOND = "preference.first", "preference.second"


def claim(**test):
    common = {"design": "win_rate", "orders": "random", "experiment": "e", "comparison": "ab"}
    return {
        "id": "X-1",
        "source": "own",
        "statement": "a wins",
        "quantity": "win rate",
        "unit": "share",
        "claimed": {"low": 0.4, "high": 0.6}
        if test.get("region") == [0.4, 0.6]
        else {"at_least": 0.6},
        "scope": {"models": ["any"]},
        "test": common
        | {"region": [0.6, None], "direction": "greater", "sesoi": 0.05, "levels": ["prompt"]}
        | test,
        "not_tested": None,
    }


def table(first, second):
    rows = [
        (prompt, replicate, metric, float(value))
        for metric, cells in ((FIRST, first), (SECOND, second))
        for prompt, cell in cells.items()
        for replicate, value in enumerate(np.atleast_1d(cell))
    ]
    frame = pd.DataFrame(rows, columns=["block", "replicate", "metric", "value"])
    return frame.assign(experiment="e", arm="ab", unit="share")


def judged(first, second, **test):
    found, _ = judge(
        Claim.model_validate(claim(**test)), {"ab": table(first, second)},
        {"ab": {"tier": "at-scope"}}, Settings(family_size=1, alpha=0.05, seed=1),
    )  # fmt: skip
    return found.model_dump(mode="json")


def drawn(n, share, start=0, seed=0):
    """Wins, ties (one in ten) and losses of prompts with a win rate of so much."""
    rng = np.random.default_rng([seed, start])
    outcomes, p = [1, 0.5, 0], [share - 0.05, 0.1, 0.95 - share]
    return {f"p{start + i}": rng.choice(outcomes, p=p) for i in range(n)}


@pytest.mark.slow
def test_both_orders_count_alike_however_many_prompts_fell_to_each():
    """Shown first, a wins 90 %, shown second 60 %; three in four prompts showed it first."""
    first, second = drawn(300, 0.9), drawn(100, 0.6, start=500)
    found = judged(first, second)
    x, y = (np.array(list(cells.values())) for cells in (first, second))
    assert found["estimate"] == pytest.approx((x.mean() + y.mean()) / 2)
    se = np.sqrt(x.var(ddof=1) / x.size + y.var(ddof=1) / y.size) / 2
    wald = found["estimate"] + se * stats.norm.ppf([0.025, 0.975])
    assert found["interval"] == pytest.approx(wald, abs=0.006)
    assert found["posterior"]["eti"] == pytest.approx(wald, abs=0.01)
    assert (found["verdict"], found["reason"]) == ("VERIFIED", "HOLDS"), found["sentence"]
    assert found["diagnostics"]["gates_ok"], found["diagnostics"]
    assert found["n_units"] == 400
    assert found["details"]["order_effect"] == pytest.approx(x.mean() - y.mean())
    assert found["details"]["prompts_shown_first"] == 300
    others = {row["label"]: row["estimate"] for row in found["multiverse"]["specifications"]}
    assert others["orders as they fell"] == pytest.approx(np.append(x, y).mean())
    assert others["shown second only"] == pytest.approx(y.mean())
    decided = [cells[cells != 0.5].mean() for cells in (x, y)]
    assert others["ties left out"] == pytest.approx(np.mean(decided))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shares", "verdict"), [((0.85, 0.4), "INCONCLUSIVE"), ((0.5, 0.35), "FAILED")]
)
def test_an_order_that_wins_does_not_make_a_system_better(shares, verdict):
    found = judged(drawn(240, shares[0]), drawn(60, shares[1], start=500))
    assert found["verdict"] == verdict, found["sentence"]


def test_the_interval_combines_those_of_both_orders():
    fits = [intervals.share(np.array(x), 0.05) for x in ([1, 1, 0.5, 1], [0, 1, 0.5, 0, 0])]
    fit = intervals.combined(fits, (0.5, 0.5))
    down = np.hypot(*(f.estimate - f.low for f in fits)) / 2
    assert (fit.estimate, fit.low) == pytest.approx((0.5875, 0.5875 - down))
    assert 0 < fit.low < fit.high < 1


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (drawn(20, 0.8), {}, "no prompt was judged with 'ab' shown second"),
        ({}, drawn(20, 0.8), "no prompt was judged with 'ab' shown first"),
        (drawn(20, 0.8), {"x": 1}, "only 1 prompt was judged with 'ab' shown second"),
    ],
)
def test_one_order_alone_is_not_tested(first, second, said):
    found = judged(first, second)
    assert (found["verdict"], found["reason"]) == ("NOT TESTED", "UNDEFINED")
    assert said in found["sentence"]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"p1": 1, "p2": 0}, {"p2": 0, "p3": 1}, "prompt 'p2' was judged in both orders"),
        ({"p1": 1, "p2": 3}, {"p3": 0, "p4": 1}, "prompt 'p2' holds 3, a preference is"),
    ],
)  # fmt: skip
def test_tables_that_are_something_else_are_refused(first, second, said):
    with pytest.raises(ValueError, match=said):
        judged(first, second)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": ["topic", "prompt"]}, "orders: random takes one level"),
        ({"orders": "first"}, "orders: expected 'both' or 'random'"),
    ],
)
def test_the_order_is_registered(change, said):
    with pytest.raises(ValidationError) as caught:
        Claim.model_validate(claim(**change))
    (line,) = problems(caught.value, "x.yaml", Claim)
    assert said in line


def brought(tmp_path, *orders):
    rows = "".join(f"p{i},{'tuned' if i % 2 else 'base'},tuned\n" for i in range(8))
    (tmp_path / "wins.csv").write_text("prompt,order,winner\n" + rows)
    tables = [{"path": str(tmp_path / "wins.csv"), "format": "pairwise", "arm": "tuned"}]
    claims = []
    for number, order in enumerate(orders):
        record = claim(comparison="tuned", orders=order, external=tables)
        claims.append(Claim.model_validate(record | {"id": f"X-{number}"}))
    return external.experiments(claims)["e"]


def test_a_table_of_one_order_is_brought_where_no_claim_needs_both(tmp_path):
    rows, _ = external.observe("e", brought(tmp_path, "random"))["tuned"]
    assert rows.groupby("metric").size().to_dict() == {FIRST: 4, SECOND: 4}


def test_a_claim_that_needs_both_orders_refuses_it_and_names_the_mend(tmp_path):
    experiment = brought(tmp_path, "random", "both")
    with pytest.raises(ValueError, match=r"one order only; .* 'orders: random' if"):
        external.observe("e", experiment)


@pytest.mark.parametrize(
    ("value", "region", "verdict"),
    [(1, [0.6, None], "VERIFIED"), (0, [0.6, None], "FAILED")],
)
def test_prompts_that_all_end_alike_decide(value, region, verdict):
    prompts = [{f"p{i}": value for i in range(start, 400, 2)} for start in (0, 1)]
    found = judged(*prompts, orders="random", region=region, direction=None)
    assert found["verdict"] == verdict, found["sentence"]
    low, high = found["interval"]
    assert high - low > 0.01
