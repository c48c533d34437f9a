"""The leaderboard on small tables whose numbers can be had another way."""

import json

import numpy as np
import pandas as pd
import pytest
import sacrebleu
from kensho.stats import intervals, leaderboard
from kensho.stats import ranking as ranks
from kensho.stats.leaderboard import scores
from kensho.stats.ranking import nemenyi
from scipy import stats
from sklearn.metrics import accuracy_score, matthews_corrcoef, recall_score

COLUMNS = ["experiment", "arm", "block", "replicate", "metric", "value", "unit"]


def table(arm, task, replicate=0, names=None, **metrics):
    """One row for each item of each metric; an item is its own cluster unless it is named."""
    rows = []
    for metric, values in metrics.items():
        blocks = names or [f"c{i}/q{i}" for i in range(len(values))]
        rows += [
            ("jlce", arm, f"{task}/{block}", replicate, metric, float(value), "share")
            for block, value in zip(blocks, values, strict=True)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def of(*tables, main, baselines=None, seed=0):
    return scores({"a": pd.concat(tables, ignore_index=True)}, main, baselines or {}, seed=seed)


def row(found, **where):
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found) == 1
    return found.iloc[0]


def labels(seed, classes=3, items=90, unread=0.1):
    """Gold labels, and a model that finds half of them and sometimes says nothing."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(classes, items, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    chosen = np.where(rng.random(items) < 0.5, gold, rng.integers(0, classes, items))
    return gold, np.where(rng.random(items) < unread, -1, chosen)


@pytest.mark.parametrize("classes", [2, 3])
def test_label_metrics_are_those_of_scikit_learn_averaged_over_seeds(classes):
    gold, first = labels(1, classes)
    second = np.roll(first, 1)
    found = of(
        table("a", "nli", 1, gold=gold, chosen=first),
        table("a", "nli", 2, gold=gold, chosen=second),
        main={"nli": "mcc"},
    )

    def both(metric):
        return np.mean([metric(gold, chosen) for chosen in (first, second)])

    def recall(gold, chosen):
        return recall_score(gold, chosen, labels=range(classes), average="macro", zero_division=0)

    expected = {"mcc": matthews_corrcoef, "acc": accuracy_score, "balanced_acc": recall}
    assert list(found["metric"]) == list(expected)  # the main metric first
    for metric, reference in expected.items():
        assert row(found, metric=metric)["value"] == pytest.approx(both(reference), abs=1e-12)
    assert (found["items"] == 90).all() and (found["low"] < found["value"]).all()


def test_a_mean_takes_seeds_within_items_and_items_alike():
    names = ["p/q1", "p/q2", "p/q3", "r/q4"]
    found = of(
        table("a", "reading", 1, names, exact_match=[1, 0, 1, 0]),
        table("a", "reading", 2, names, exact_match=[1, 1, 0, 0]),
        table("a", "reading", 3, names[:1], exact_match=[0]),
        main={"reading": "exact_match"},
    )
    one = row(found, task="reading")
    assert one["value"] == pytest.approx((2 / 3 + 0.5 + 0.5 + 0) / 4)
    assert (one["clusters"], one["items"]) == (2, 4)


def test_intervals_are_those_of_scipy_where_items_are_alone():
    values = np.random.default_rng(2).beta(4, 1, 60)
    found = row(
        of(table("a", "summary", rougeL=values), main={"summary": "rougeL"}), task="summary"
    )
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=0.005)
    gold, chosen = labels(3, classes=2, items=120, unread=0)
    found = of(table("a", "acceptability", gold=gold, chosen=chosen), main={"acceptability": "mcc"})
    expected = stats.bootstrap(
        (gold, chosen),
        lambda x, y: np.corrcoef(x, y)[0, 1],  # what the correlation is for two labels
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = row(found, metric="mcc")
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=0.03)


def test_items_of_a_cluster_count_as_one():
    values = np.random.default_rng(4).random(30)
    alone = of(table("a", "question", chrf=values), main={"question": "chrf"})
    names = [f"c{i}/q{i}-{k}" for i in range(30) for k in range(4)]
    thrice = table("a", "question", 0, names, chrf=np.repeat(values, 4))
    clustered = of(thrice, main={"question": "chrf"})
    ends = ["value", "low", "high", "clusters"]
    assert clustered[ends].iloc[0].tolist() == pytest.approx(alone[ends].iloc[0].tolist())
    scattered = thrice.assign(block=[f"question/c{i}/q{i}" for i in range(120)])
    independent = of(scattered, main={"question": "chrf"})
    widths = [(found["high"] - found["low"]).iloc[0] for found in (independent, clustered)]
    assert widths[0] < 0.6 * widths[1]


def test_intervals_are_seeded_and_do_not_see_the_order_of_rows():
    gold, chosen = labels(5)
    rows = table("a", "nli", gold=gold, chosen=chosen)
    main = {"nli": "balanced_acc"}
    one, same, other = of(rows, main=main), of(rows, main=main), of(rows, main=main, seed=1)
    pd.testing.assert_frame_equal(one, same)
    assert not one[["low", "high"]].equals(other[["low", "high"]])
    assert other["low"].to_numpy() == pytest.approx(one["low"].to_numpy(), abs=0.03)
    shuffled = of(rows.sample(frac=1, random_state=1), main=main)
    assert shuffled["value"].tolist() == pytest.approx(one["value"].tolist())


def test_what_never_varies_is_not_certain():
    all_right = table("a", "mathematics", exact_match=np.ones(20))
    found = row(of(all_right, main={"mathematics": "exact_match"}), task="mathematics")
    wilson = stats.binomtest(20, 20).proportion_ci(0.95, "wilson")
    assert (found["value"], found["low"]) == pytest.approx((1, wilson.low))
    assert found["high"] == 1
    gold, _ = labels(6)
    always = of(table("a", "nli", gold=gold, chosen=np.ones(90)), main={"nli": "mcc"})
    found = row(always, metric="mcc")
    assert found["value"] == 0 and found["high"] == pytest.approx(-found["low"])
    assert found["high"] == pytest.approx(1.96 / np.sqrt(90), rel=0.03)  # as of no correlation
    assert row(always, metric="balanced_acc")["value"] == pytest.approx(1 / 3)


def test_even_guesses_find_a_label_as_often_as_there_are_choices():
    rows = table("a", "nli", gold=np.zeros(4), chosen=np.array([0, 1, 1, 2]))
    main, baselines = {"nli": "balanced_acc"}, {"nli": {"chance": 1 / 3, "majority": 1.0}}
    found = row(scores({"a": rows}, main, baselines, seed=0), metric="balanced_acc")
    assert (found["value"], found["chance"], found["majority"]) == (0.25, 1 / 3, 1)


def test_rows_tell_main_metric_prompt_baselines_and_unread_answers():
    gold, chosen = labels(7, unread=0)
    nli = {"gold": gold, "chosen": chosen, "acc": gold == chosen, "score": gold == chosen}
    parsed = np.r_[np.zeros(9), np.ones(81)]
    question = {"acc": gold == chosen, "parsed": parsed, "thinking": np.full(90, 400.0)}
    arm = pd.concat(
        [
            table("a", "commonsense_reasoning", **question),
            table("a", "nli", **nli),
            table("a", "nli", **{f"{name}@2": values for name, values in nli.items()}),
        ],
        ignore_index=True,
    )
    main = {"nli": "balanced_acc", "commonsense_reasoning": "acc"}
    baselines = {
        "nli": {"chance": 1 / 3},
        "commonsense_reasoning": {"chance": 0.2, "majority": 0.3},
    }
    found = scores({"b": arm.assign(arm="b"), "a": arm}, main, baselines, seed=0)
    assert list(found.columns) == leaderboard.COLUMNS
    keys = found[["task", "template", "arm"]].drop_duplicates().apply(tuple, axis=1).tolist()
    assert keys == [
        *[("nli", template, arm) for template in (1, 2) for arm in ("b", "a")],
        *[("commonsense_reasoning", 1, arm) for arm in ("b", "a")],
    ]
    assert set(found["metric"]) == {"acc", "balanced_acc", "mcc"}
    assert found.groupby(["task", "template", "arm"])["main"].sum().eq(1).all()
    chosen_main = found[found["main"] & (found["arm"] == "a") & (found["template"] == 1)]
    assert chosen_main["chance"].tolist() == pytest.approx([1 / 3, 0.2])
    assert chosen_main["majority"].tolist() == pytest.approx([1 / 3, 0.3])
    assert found.loc[~found["main"], ["chance", "majority"]].isna().all(axis=None)
    assert chosen_main["parsed"].iloc[1] == pytest.approx(0.9)
    assert found.loc[found["task"] == "nli", "parsed"].isna().all()
    first, second = (found[(found["arm"] == "a") & (found["template"] == t)] for t in (1, 2))
    nli_values = first.loc[first["task"] == "nli", "value"].tolist()
    assert second["value"].tolist() == nli_values  # the same answers


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table("a", "nli", 0, ["c/q1", "c/q2"], acc=[1, 0]), "task 'nli' has 1 cluster"),
        (table("a", "nli", 0, ["q1", "q2"], acc=[1, 0]), "line 2: block 'nli/q1' is no <task>/"),
        (table("a", "nli", **{"acc@x": [1, 0]}), r"acc@x: 1\); mend"),
        (table("a", "nli", acc=[1, 0], bleu=[1, 37]), r"block 'nli/c1/q1' .* \(bleu: 37\)"),
        (table("a", "nli", acc=[1, 0], gold=[1, 0.5]), "no index of a label"),
        (table("a", "nli", acc=[1, 0], gold=[1, 0]), "block 'nli/c0/q0' lacks 'gold' or 'chosen'"),
        (table("a", "nli", acc=[1, 0]), "lacks its main metric 'mcc'; .* name one of acc"),
        (table("a", "pos", acc=[1, 0]), "task 'pos' has no main metric"),
    ],
)
def test_tables_that_cannot_be_used_are_named(rows, message):
    with pytest.raises(ValueError, match=message) as error:
        of(rows, main={"nli": "mcc"})
    assert str(error.value).startswith("jlce/a.csv") and "\n" not in str(error.value)


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (10, 3.164)])
def test_nemenyi_has_the_published_critical_values(models, q):
    ranks = {f"m{i}": 1.0 + i for i in range(models)}
    found = nemenyi(ranks, 14, 0.05)
    critical = q * np.sqrt(models * (models + 1) / (6 * 14))
    assert found["critical_difference"] == pytest.approx(critical, rel=5e-4)
    assert len(found["pairs"]) == models * (models - 1) // 2
    first = found["pairs"][0]
    assert (first["a"], first["b"], first["difference"]) == ("m0", "m1", -1)
    assert (first["p_value"] < 0.05) == (found["critical_difference"] < 1)
    apart = nemenyi({"a": 1.0, "b": 1.0 + found["critical_difference"]}, 14, 0.05)
    if models == 2:  # the critical difference itself has the p value alpha
        assert apart["pairs"][0]["p_value"] == pytest.approx(0.05)


def test_bleu_of_the_corpus_is_of_all_counts_and_its_interval_of_clusters():
    answers = ["a b c d e", "a b c x y z", "q", "b c d e f g"]
    golds = ["a b c d e f", "a b c d e f", "r s", "b c d e f h"]
    scorer = sacrebleu.BLEU(tokenize="none", force=True)
    of_items = [
        sacrebleu.BLEU(tokenize="none", effective_order=True).sentence_score(answer, [gold])
        for answer, gold in zip(answers, golds, strict=True)
    ]
    counts = [[s.sys_len, s.ref_len, *s.counts, *s.totals] for s in of_items]
    metrics = dict(zip(leaderboard.BLEU, np.transpose(counts), strict=True))
    chrf = [0.5] * len(answers)
    found = of(table("a", "translation", chrf=chrf, **metrics), main={"translation": "chrf"})
    bleu = row(found, metric="bleu")
    expected = scorer.corpus_score(answers, [golds]).score / 100
    assert bleu["value"] == pytest.approx(expected)
    assert bleu["low"] < expected < bleu["high"]
    twice = of(
        table("a", "translation", 1, chrf=chrf, **metrics),
        table("a", "translation", 2, chrf=chrf, **{name: 0 * v for name, v in metrics.items()}),
        main={"translation": "chrf"},
    )
    assert row(twice, metric="bleu")["value"] == pytest.approx(expected / 2)  # mean over seeds


@pytest.mark.parametrize("right", [[3, 1, 0, 0], [0, 0, 0, 0], [4, 3, 2, 1], [2, 0, 1, 0]])
@pytest.mark.parametrize("length", [3, 4, 9])
def test_bleu_is_smoothed_as_sacrebleu_does(right, length):
    ngrams = [max(length - n, 0) for n in range(4)]
    right = np.minimum(right, ngrams).tolist()
    expected = sacrebleu.BLEU.compute_bleu(right, ngrams, length, 6, "exp").score / 100
    counts = np.array([[length, 6, *right, *ngrams]])
    assert leaderboard.corpus_bleu(counts) == pytest.approx(expected, abs=1e-12)


def arms(shares, tasks=5, clusters=12, seed=0):
    """Models that answer items of some difficulty, two to a cluster."""
    rng = np.random.default_rng(seed)
    names = [f"c{i // 2}/q{i}" for i in range(2 * clusters)]
    hard = rng.normal(0, 0.1, (tasks, 2 * clusters))
    return {
        arm: pd.concat(
            [
                table(arm, f"t{k}", 0, names, score=(share + hard[k] > rng.random(len(names))))
                for k in range(tasks)
            ],
            ignore_index=True,
        )
        for arm, share in shares.items()
    }


def ranking(tables, documents=None, **settings):
    """Every task about texts of its own, where nothing else is said."""
    tasks = {block.split("/")[0] for block in next(iter(tables.values()))["block"]}
    return ranks.ranking(tables, documents or {task: task for task in tasks}, **settings)


def test_models_that_were_not_asked_alike_cannot_be_ranked():
    tables = arms({"a": 0.8, "b": 0.6})
    short = tables["b"][tables["b"]["block"] != "t3/c4/q9"]
    with pytest.raises(ValueError, match=r"jlce/b.csv: block 't3/c4/q9' is missing \(1 such"):
        ranking({**tables, "b": short}, seed=0, draws=10)
    without = tables["b"][~tables["b"]["block"].str.startswith("t3/")]
    with pytest.raises(ValueError, match=r"jlce/b.csv: block 't3/.* \(24 such"):
        ranking({**tables, "b": without}, seed=0, draws=10)
    with pytest.raises(ValueError, match="1 model gives no ranking"):
        ranking({"a": tables["a"]}, seed=0, draws=10)
    single = {arm: rows[rows["block"].str.contains("/c0/")] for arm, rows in tables.items()}
    with pytest.raises(ValueError, match="task 't0' has 1 cluster; at least 2"):
        ranking(single, seed=0, draws=10)


@pytest.mark.slow
def test_only_the_tasks_that_are_wanted_rank_and_ours_by_their_own_score():
    tables = arms({"a": 0.8, "b": 0.4}, tasks=4)
    for arm, rows in tables.items():
        own = rows["block"].str.startswith("t3/")
        tables[arm] = rows.assign(metric=rows["metric"].mask(own, "own_score"))
    three = ranking(
        tables, {f"t{k}": "one" if k < 2 else f"t{k}" for k in range(3)}, seed=1, draws=200
    )
    assert three["tasks"] == 3 and set(three["items"]) == {"t0", "t1", "t2"}
    assert [group["tasks"] for group in three["shared"]] == [["t0", "t1"]]
    assert 0 <= three["shared"][0]["correlation"] <= 1
    with_ours = ranking(tables, {f"t{k}": f"t{k}" for k in range(4)}, seed=1, draws=200)
    assert with_ours["tasks"] == 4 and with_ours["shared"] == []


@pytest.fixture(scope="module")
def ranked():
    tables = arms({"low": 0.3, "high": 0.9, "middle": 0.5})
    second = {arm: rows.assign(metric="score@2", value=0.0) for arm, rows in tables.items()}
    both = {arm: pd.concat([tables[arm], second[arm]], ignore_index=True) for arm in tables}
    return tables, ranking(both, seed=1, draws=2500)


@pytest.mark.slow
def test_models_that_are_alike_have_a_posterior_too():
    tables = arms({"a": 0.6}, tasks=3)
    failed = {arm: rows.assign(value=0.0) for arm, rows in arms({"a": 0.6}, tasks=2).items()}
    failed = failed["a"].assign(block="f" + failed["a"]["block"])
    one = pd.concat([tables["a"], failed], ignore_index=True)
    found = ranking({"a": one, "b": one.assign(arm="b")}, seed=1, draws=500)
    assert found["rank_probabilities"]["a"] == pytest.approx([0.5, 0.5], abs=0.06)
    assert found["score"]["a"]["low"] < 0 < found["score"]["a"]["high"]
    assert found["average_rank"] == {"a": 1.5, "b": 1.5} and found["friedman"] is None
    assert found["diagnostics"]["rhat"] < 1.02 and found["diagnostics"]["divergences"] == 0


def test_the_variance_added_is_that_of_a_discordant_unit_each_way():
    right = np.zeros((20, 2))
    right[:5, 0] = 1  # only the first model has them right
    found = ranks.paired_moments([right, np.zeros((20, 2))])
    contrast = np.array([1, -1])
    difference = contrast @ found["cov"] @ contrast
    assert difference[1] == pytest.approx(intervals.paired_proportions(0, 0, 20, 0.05).se ** 2)
    assert difference[0] == pytest.approx(
        intervals.paired_proportions(5, 0, 20, 0.05).se ** 2, rel=0.2
    )
    assert found["mean"][:, 0].tolist() == [0.25, 0]


def by_task(tables):
    blocks = pd.DataFrame({arm: rows.set_index("block")["value"] for arm, rows in tables.items()})
    return blocks.groupby(blocks.index.str.split("/").str[0]).mean()


@pytest.mark.slow
def test_the_ranking_is_that_of_the_abilities(ranked):
    tables, found = ranked
    assert found["models"] == ["high", "middle", "low"] == list(found["score"])
    observed = by_task(tables).mean()
    for arm, ability in found["score"].items():
        assert ability["low"] < ability["mean"] < ability["high"]
        assert ability["mean"] == pytest.approx(observed[arm] - observed.mean(), abs=0.05)
    assert sum(ability["mean"] for ability in found["score"].values()) == pytest.approx(0, abs=1e-9)
    chances = np.array([found["rank_probabilities"][arm] for arm in found["models"]])
    assert chances.sum(axis=0) == pytest.approx(1) and chances.sum(axis=1) == pytest.approx(1)
    assert chances[0, 0] > 0.9
    assert found["tasks"] == 5 and found["items"] == {f"t{k}": 24 for k in range(5)}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.slow
def test_the_ranking_says_how_far_it_can_be_trusted(ranked):
    _, found = ranked
    assert found["diagnostics"]["gates_ok"] and found["diagnostics"]["rhat"] < 1.01
    assert found["prior"] == {"ability": 0.2, "spread": 0.1}
    names = [row["prior"] for row in found["sensitivity"]]
    assert len(names) == len(set(names)) == 4
    for row in found["sensitivity"]:
        assert row["first"] == pytest.approx(found["rank_probabilities"]["high"][0], abs=0.1)


@pytest.mark.slow
def test_ranks_are_tested_as_friedman_and_demsar_do(ranked):
    tables, found = ranked
    means = by_task(tables)
    average = means.rank(axis=1, ascending=False).mean()
    assert found["average_rank"] == pytest.approx(average.to_dict())
    expected = stats.friedmanchisquare(*means.to_numpy().T)
    assert found["friedman"]["statistic"] == pytest.approx(expected.statistic)
    assert found["friedman"]["p_value"] == pytest.approx(expected.pvalue)
    assert 0 < found["friedman"]["kendall_w"] <= 1
    pairs = {(pair["a"], pair["b"]): pair["difference"] for pair in found["nemenyi"]["pairs"]}
    assert pairs["high", "low"] == pytest.approx(average["high"] - average["low"])
