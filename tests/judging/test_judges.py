"""Judges that cannot judge are seen and counted, and no verdict rests on what they prefer."""

import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kensho.claims import registry
from kensho.files import write_lines
from kensho.jlce import chat
from kensho.jlce.chat import Endpoint
from kensho.judging import conditions, prompts, tables, verdicts
from kensho.judging.items import translation
from kensho.judging.observed import PREFERENCE, absent, by_judges, preferences
from kensho.judging.verdicts import Standing
from kensho.observations import Row, read, table, write
from kensho.stats import intervals
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge
from scipy import stats
from scripted_judge import PLANTED, able, serving, shown

ROOT = Path(__file__).parents[2]
LEAST, MOST = 0.8, 0.05  # as judging.planted_right and judging.most_missing


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(chat, "FIRST_WAIT", 0.001)
    with serving() as one:
        yield one


ITEMS = [translation("sentences", n, "en-ja", f"Sentence {n}.", f"文{n}。", []) for n in range(12)]
ANSWERS = {
    "new": {item.block: f"良い訳{item.id}" for item in ITEMS},
    "old": {item.block: f"訳{item.id}" for item in ITEMS},
    "fixed": {item.block: f"{'良い' * (int(item.id) % 2)}別訳{item.id}" for item in ITEMS},
}  # fmt: skip


def asked(server, says, answers=ANSWERS, items=ITEMS, **settings):
    server.says = says
    given = {"max_tokens": 64, "timeout": 60, "parallel": 1, "key_variable": None, "seed": 1}
    endpoint = Endpoint(url=server.url, model="m", **given | settings, key="judging.judges")
    questions = [
        *verdicts.of_planted(PLANTED),
        *verdicts.of_answers(items, answers, "new", "old", ["fixed"]),
    ]
    return verdicts.ask(endpoint, questions, {})


ARM = {
    "ran": {"models": []},
    "models": {}, "trainings": [], "seeds": [], "fallbacks": [], "deviations": [],
    "not_tested": [], "own": {}, "dtype": "float32", "warmup": "none",
    "hardware": {"cpu": "x", "cores": 1, "memory_bytes": 1, "accelerators": []},
    "software": {},
}  # fmt: skip
CLAIMS = {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


def judged(folder, rows, claim="D-2.pair", family=1, items=ITEMS, anchors=("fixed",)):
    """Judgement of a claim on what judges (rows by name) said, through the written files."""
    good, found, made = by_judges(PREFERENCE, "pair", rows, LEAST, MOST)
    made += preferences(items, good, {"new": "after", "old": "before"}, anchors)
    for arm, metrics in (
        ("after-before", ["preference.first", "preference.second"]),
        ("after", ["win_rate"]),
        ("before", ["win_rate"]),
        ("ladder", ["after over before", "before over after"]),
    ):
        own = [row for row in made if row.arm == arm]
        own.append(Row(PREFERENCE, arm, "all", 0, "judges", float(len(good)), "judges"))
        lacking = conditions.lacking(own, metrics, arm)
        of_arm = conditions.of_judgement(
            {"old": ARM, "new": ARM}, rows, found, experiment=PREFERENCE,
            absent=absent(found, lacking, "nothing was asked"),
        )  # fmt: skip
        write(folder, table(own), of_arm)
    test = CLAIMS[claim].test
    held = {arm: read(folder / f"{arm}.csv") for arm in test.arms}
    settings = Settings(seed=1, draws=1500, alpha=0.05, family_size=family)
    tables, sides = ({arm: one[k] for arm, one in held.items()} for k in (0, 1))
    return judge(CLAIMS[claim], tables, sides, settings)[0]


def gone_after(count, says=able):
    left = iter(range(count))
    return lambda prompt: says(prompt) if next(left, None) is not None else None


def slow(prompt):
    time.sleep(0.3)
    return able(prompt)


FAULTY = {
    "nonsense": (lambda prompt: "こんにちは。ご用件は何でしょうか。", {"unread": 120}, {}),
    "refusing": (lambda prompt: (400, "content policy"), {"refused": 120}, {}),
    "declining": (lambda prompt: "申し訳ありませんが、お答えできません。", {"unread": 120}, {}),
    "first place": (lambda prompt: "比べました。\nA", {"judged": 120}, {}),
    "always ties": (lambda prompt: "同じです。\n引き分け", {"judged": 120}, {}),
    "late": (slow, {"late": 3, "not asked": 117}, {"timeout": 0.05}),
    "gone half way": (gone_after(60), {"judged": 40, "gone": 1, "not asked": 79}, {}),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_judge_that_cannot_judge_is_counted_and_no_verdict_rests_on_it(server, tmp_path, name):
    says, counted, settings = FAULTY[name]
    rows = asked(server, says, **settings)
    pairs = rows[rows["kind"].str.endswith("pair")]
    found = verdicts.standing(rows, "pair", LEAST, MOST)
    assert found.why and sum(found.outcomes.values()) == len(pairs) == 120
    if name not in ("late", "gone half way"):
        assert found.outcomes == counted
    assert set(found.outcomes) <= set(counted)
    analysis = judged(tmp_path, {"j": rows})
    assert analysis.verdict == "NOT TESTED"
    assert "no judge can be relied on: j: " in analysis.sentence
    count = next(f"{n} {outcome}" for outcome, n in found.outcomes.items())
    assert count in analysis.sentence
    _, stored = read(tmp_path / "after-before.csv")
    assert stored["own"]["judges"]["j"]["outcomes"] == found.outcomes


def test_a_judge_that_leaves_one_question_of_many_items_may_not_choose_the_items(server):
    """6 questions on each of 12 items, and one of 3 of the items cannot be read: 4 % of them."""
    broken = {ANSWERS["new"][item.block] for item in ITEMS[:3]}
    fixed = {*ANSWERS["fixed"].values()}

    def says(prompt):
        texts = shown(prompt)
        return "何とも。" if texts[0] in broken and texts[1] in fixed else able(prompt)

    rows = asked(server, says)
    pairs = rows[rows["kind"] == "pair"]
    assert 0 < pairs["value"].isna().mean() < MOST
    found = verdicts.standing(rows, "pair", LEAST, MOST)
    assert (found.items, found.incomplete) == (12, 3)
    assert found.why == "3 of 12 items lack a verdict (117 judged, 3 unread)"
    lenient = verdicts.standing(rows, "pair", LEAST, 0.25)
    made = conditions.of_judgement(
        {"old": ARM}, {"j": rows}, {"j": lenient}, experiment=PREFERENCE, absent={}
    )
    told = "3 of 12 items are left out, since judge j gave no verdict on all of what they ask"
    assert told in made["deviations"]


def test_what_a_judge_wrote_is_kept_word_for_word(server, tmp_path):
    said = "独り言です。\n\u2028二行目\u2029\u0085\v\f\x1c\r\n"
    rows = asked(server, lambda prompt: said, items=ITEMS[:1])
    assert set(rows["text"]) == {said} and set(rows["served"]) == {"scripted"}
    write_lines(tmp_path / "j.jsonl", rows.to_dict("records"))
    assert list(tables.judged_by(["j"], [tmp_path / "j.jsonl"])["j"]["text"]) == list(rows["text"])


def test_a_judge_that_can_judge_finds_who_is_better(server, tmp_path):
    rows = asked(server, able)
    whole = Standing(1.0, items=12, incomplete=0, outcomes={"judged": 120}, why=None)
    assert verdicts.standing(rows, "pair", LEAST, MOST) == whole
    assert verdicts.standing(rows, "mark", LEAST, MOST).right == 1
    analysis = judged(tmp_path, {"j": rows})
    assert analysis.estimate == 1 and analysis.verdict != "NOT TESTED"
    after, before = (read(tmp_path / f"{arm}.csv")[0] for arm in ("after", "before"))
    win = [t[t["metric"] == "win_rate"]["value"].mean() for t in (after, before)]
    assert win == [0.75, 0.25]


def test_a_failing_judge_beside_an_able_one_is_left_out_and_named(server, tmp_path):
    rows = {"able": asked(server, able), "first": asked(server, lambda prompt: "A")}
    analysis = judged(tmp_path, rows)
    assert analysis.estimate == 1
    assert any("judge first is left out: it got 0 of 24" in line for line in analysis.deviations)
    kappa, count = verdicts.agreement(rows, "pair")["able/first"]
    assert kappa == pytest.approx(0, abs=0.2) and count == 72


@pytest.mark.parametrize(("share", "verdict"), [(0.6, "PARTIAL"), (0.5, "INCONCLUSIVE")])
def test_a_planted_preference_of_60_percent_is_found_at_the_planned_n(tmp_path, share, verdict):
    """320 pairs, as config/scales/full.yaml has them of each direction, in the whole family.

    PARTIAL, for what ran here are not the claim's models.
    """
    more = [translation("sentences", n, "en-ja", f"S {n}.", f"文{n}。", []) for n in range(320)]
    answers = {arm: {item.block: f"{text}{item.id}" for item in more}
               for arm, text in (("new", "新しい訳"), ("old", "古い訳"))}  # fmt: skip
    favoured = set(random.Random(7).sample(range(320), k=round(share * 320)))

    def says(prompt):
        texts = shown(prompt)
        if not texts[0].startswith(("新", "古")):
            return able(prompt)
        new = next(place for place, text in enumerate(texts) if text.startswith("新"))
        return "AB"[new if int(texts[new].removeprefix("新しい訳")) in favoured else 1 - new]

    endpoint = Endpoint("http://127.0.0.1:1/v1", "m", None, 1, 64, 5, 4, key="judging.judges")
    questions = [
        *verdicts.of_planted(PLANTED), *verdicts.of_answers(more, answers, "new", "old", [])
    ]  # fmt: skip
    # as if each had been asked before: replies are kept under these keys
    kept = {chat.key_of(endpoint, one.prompt): [says(one.prompt), "m", "stop", 1]
            for one in questions}  # fmt: skip
    rows = verdicts.ask(endpoint, questions, kept)
    family = registry.family_size(CLAIMS.values(), "translation")
    analysis = judged(tmp_path, {"j": rows}, family=family, items=more, anchors=())
    assert analysis.n_units == 320 and analysis.estimate == pytest.approx(share)
    assert analysis.verdict == verdict
    assert (analysis.interval_family[0] > 0.5) == (share > 0.5)


def test_the_planned_n_finds_60_percent_four_times_in_five():
    """By the exact power of the interval over how many of 320 prefer the new model."""
    size = sum(one.test is not None and one.test.family == "translation" for one in CLAIMS.values())
    least = next(
        wins
        for wins in range(160, 321)
        if intervals.share(np.repeat([1.0, 0.0], [wins, 320 - wins]), 0.05 / size).low > 0.5
    )
    assert stats.binom.sf(least - 1, 320, 0.6) > 0.78
    assert stats.binom.sf(least - 1, 320, 0.5) < 0.05 / size


@pytest.mark.parametrize(
    ("last", "mark", "score"),
    [
        ("8", 8, None), ("点数：３点", 3, 3), ("**2/10**", 2, None),
        ("→「1」", 1, 1), ("0", None, 0),
        ("-3", None, None), ("−2", None, None), ("≥2", None, None), ("²", None, None),
        ("③", None, None), ("2.5", None, None), ("11", None, None),
    ],
)  # fmt: skip
def test_a_number_with_a_sign_is_no_mark(last, mark, score):
    reply = chat.Reply(f"1から3までと8の理由です。\n{last}", "m", "stop", 1)
    assert (prompts.marked(reply).value, prompts.scored(reply).value) == (mark, score)


def test_what_has_no_verdict_is_told_by_its_outcome():
    replies = pd.DataFrame({"outcome": ["judged", "late", "cut", "late"]})
    assert verdicts.unjudged(replies) == "2 late, 1 cut"
    assert verdicts.unjudged(replies[:1]) == ""
