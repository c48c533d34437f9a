"""The JLCE page from a small, complete set of files."""

import copy
import re

import pandas as pd
import pytest
from conditions_example import CONDITIONS, ran
from kensho import observations
from kensho.files import write_json
from kensho.report import jlce
from report_example import Reader, text

ARMS = ("lora", "base", "smollm")  # best first
MAINS = {"nli": ("nli", "balanced_acc"), "translation": ("translation", "chrf")}


def scores() -> pd.DataFrame:
    """Two tasks, three models: a label task with two prompts and a written one that is parsed."""
    low, missing = 1 / 3, float("nan")
    rows = [
        (*row, 12, 20, *guesses)
        for row, guesses in (
            (("nli", 1, "lora", "balanced_acc", True, 0.667, 0.50, 0.80), (low, low, missing)),
            (("nli", 1, "base", "balanced_acc", True, 0.40, 0.21, 0.61), (low, low, missing)),
            (("nli", 1, "smollm", "balanced_acc", True, 0.10, 0.02, 0.31), (low, low, missing)),
            (("nli", 1, "lora", "acc", False, 0.70, 0.52, 0.83), (missing, missing, missing)),
            (("nli", 2, "lora", "balanced_acc", True, 0.35, 0.20, 0.55), (low, low, missing)),
            (("translation", 1, "lora", "chrf", True, 0.24, 0.20, 0.29), (missing, missing, 0.95)),
            (("translation", 1, "base", "chrf", True, 0.12, 0.09, 0.16), (missing, missing, 1.0)),
        )
    ]
    columns = [*jlce.SCORES[:8], "clusters", "items", "chance", "majority", "parsed"]
    return pd.DataFrame(rows, columns=columns)


def ranking() -> dict:
    means = {"lora": 0.081, "base": -0.012, "smollm": -0.069}
    shares = {"lora": [0.71, 0.2, 0.09], "base": [0.2, 0.5, 0.3], "smollm": [0.09, 0.3, 0.61]}
    gaps = {("lora", "base"): (-0.9, 0.31), ("lora", "smollm"): (-1.6, 0.04)}
    return {
        "models": list(ARMS),
        "score": {a: {"mean": m, "low": m - 0.07, "high": m + 0.07} for a, m in means.items()},
        "rank_probabilities": shares,
        "average_rank": {"lora": 1.25, "base": 2.15, "smollm": 2.85},
        "friedman": {"statistic": 5.2, "dof": 2, "p_value": 0.074, "kendall_w": 0.33},
        "nemenyi": {
            "critical_difference": 1.915,
            "alpha": 0.05,
            "pairs": [
                {"a": a, "b": b, "difference": gap, "p_value": p}
                for (a, b), (gap, p) in gaps.items()
            ],
        },
        "diagnostics": {"rhat": 1.002, "gates_ok": True},
        "tasks": 2,
        "items": {"nli": 20, "translation": 20},
        "shared": [{"tasks": ["dependency", "bunsetsu"], "correlation": 0.42}],
        "prior": {"ability": 0.2, "spread": 0.1},
        "sensitivity": [{"prior": "ability x 0.5", "first": 0.68}, {"prior": "x 2", "first": 0.73}],
    }  # fmt: skip


def origins() -> dict:
    ours = {"source": "our own", "licence": "Apache-2.0", "attribution": "the Kenshō authors"}
    tatoeba = {"source": "tatoeba", "licence": "CC BY 2.0 FR", "attribution": "Tatoeba & others"}
    counts = {"test": 20, "of": 60, "train": 8}
    return {
        "kinds": {"nli": {**ours, **counts}, "translation": {**tatoeba, **counts}},
        "tasks": {task: {"kind": kind, "main": main} for task, (kind, main) in MAINS.items()},
        "left_out": ["source jnli: no place has it"],
    }


def contamination() -> pd.DataFrame:
    rows = [
        ("nli", "交通", "nli-001", 0.04),
        ("translation", "77", "77", 0.625),
        ("translation", "78", "78", 0.5),
        ("translation", "79", "79", 1.0),
    ]
    return pd.DataFrame(rows, columns=jlce.CONTAMINATION)


def observed(folder, arms=ARMS) -> list[str]:
    rows = [
        {"experiment": "jlce", "arm": arm, "block": f"nli/交通/{item}", "replicate": 0,
         "metric": "score", "value": 1.0, "unit": "share"}
        for arm in arms
        for item in range(4)
    ]  # fmt: skip
    conditions = {
        **CONDITIONS,
        **{"ran": ran("reduced"), "dtype": "bfloat16", "models": {"smollm2-135m": {}}},
        "deviations": ["a small model stands in"],
        "thinking": {"answers": 0, "characters": 0, "without_answer": 0},
        "bleu": {"translation": "nrefs:1|case:mixed|eff:no|tok:x-1|smooth:exp|version:2.6.0"},
    }
    written = observations.write(folder, observations.table(rows), conditions)
    return [str(file) for path in written for file in (path, path.with_suffix(".conditions.json"))]


def files(folder) -> dict:
    """Arguments of `read`, all of them on the disk."""
    found = {
        "observed": observed(folder / "benchmark_data" / "jlce"),
        **{key: folder / f"{key}.csv" for key in ("scores", "contamination")},
        **{key: folder / f"{key}.json" for key in ("ranking", "origins")},
    }
    scores().to_csv(found["scores"], index=False)
    contamination().to_csv(found["contamination"], index=False)
    write_json(found["ranking"], ranking())
    write_json(found["origins"], origins())
    return found


@pytest.fixture
def given(tmp_path) -> dict:
    return jlce.read(**files(tmp_path))


def part(html: str, key: str) -> str:
    return re.search(rf'<section id="{key}">.*?</section>', html, re.DOTALL).group()


def row(html: str, start: str) -> str:
    """Text of the table row that begins with these words."""
    rows = [text(found) for found in re.findall(r"<tr>.*?</tr>", html, re.DOTALL)]
    return next(found for found in rows if found.startswith(start))


def test_the_page_is_whole_and_loads_nothing(given, tmp_path):
    html = jlce.build(**given)
    page = Reader(html)
    assert page.open == [] and len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.ids)
    assert page.loads == ["data:,"] and "<script" not in html
    assert not re.search(r"https?://|@import|url\((?!#)", html)
    assert "None" not in text(html) and "nan" not in text(html)
    assert html == jlce.build(**jlce.read(**files(tmp_path)))
    seen = text(html)
    assert "3 models on 2 tasks of Japanese, 40 items in all, asked with 2 prompts." in seen
    for name, value in (("Evidence tier", "reduced"), ("Processor", "AMD EPYC"), ("Cores", "2")):
        assert f"{name} {value}" in seen
    assert "Accelerators – Data type bfloat16" in seen


def test_the_ranking_shows_ability_ranks_and_tests(given):
    found = part(jlce.build(**given), "ranking")
    assert row(found, "lora") == "lora +0.08 [0.01, 0.15] 0.710 0.200 0.090 1.25"
    assert row(found, "smollm") == "smollm −0.07 [−0.14, 0.00] 0.090 0.300 0.610 2.85"
    seen = text(found)
    assert seen.index("lora +0.08") < seen.index("base −0.01") < seen.index("smollm −0.07")
    assert "χ² = 5.2 with 2 degrees of freedom, p = 0.074, Kendall’s W = 0.33; by Nemenyi’s" in seen
    assert "a distance of 1.915 (α = 0.05): no pair does." in seen
    assert "These models cannot be told apart. No pair of average ranks differs." in seen
    assert "lora is first with probability 0.710 under the primary prior" in seen
    assert "with 0.680 to 0.730 under 2 others" in seen and "R-hat 1.002" in seen
    # the drawn interval holds its mean, and zero lies to the left of the best model's
    zero, low, high, mean = map(
        float,
        re.search(
            r'zero" x1="([\d.]+)".*?<line x1="([\d.]+)" x2="([\d.]+)".*?cx="([\d.]+)"', found
        ).groups(),
    )
    assert 0 < zero < low < mean < high < jlce.PLOT
    assert 'style="--share:34.1%">0.710' in found


def test_thinking_that_was_cut_is_counted_for_the_arms_that_thought(given):
    assert "Thinking" not in text(part(jlce.build(**given), "details"))
    for arm, answers in zip(given["arms"], (1200, 0)):
        counts = {"answers": answers, "characters": 45_000, "without_answer": 7}
        arm["thinking"] = counts if answers else dict.fromkeys(counts, 0)
    seen, first = text(part(jlce.build(**given), "details")), given["arms"][0]["arm"]
    assert seen.count("Thinking was cut") == 1
    assert f"from 1,200 written answers of {first} (45,000 characters)" in seen
    assert "7 of them held nothing else and failed" in seen


def test_models_that_differ_are_named(given):
    given["ranking"]["nemenyi"]["critical_difference"] = 1.2
    seen = text(part(jlce.build(**given), "ranking"))
    assert "(α = 0.05): lora and smollm (p = 0.040)." in seen
    assert "The first place is open. The probability that lora is first is only 0.710." in seen
    given["ranking"]["rank_probabilities"]["lora"] = [0.98, 0.02, 0.0]
    seen = text(part(jlce.build(**given), "ranking"))
    assert "open" not in seen and "told apart" not in seen


def test_two_models_have_no_friedman_test_and_a_failed_check_is_said(given):
    given["ranking"]["friedman"] = None
    given["ranking"]["diagnostics"]["gates_ok"] = False
    seen = text(part(jlce.build(**given), "ranking"))
    assert "Friedman" not in seen and "By Nemenyi’s test" in seen
    assert "The posterior did not pass its checks" in seen


def test_cells_are_tinted_by_their_distance_from_chance(given):
    found = part(jlce.build(**given), "tasks")
    line = row(found, "Natural language inference")
    assert line == (
        "Natural language inference balanced accuracy 0.33 0.33 "
        "0.67 [0.50, 0.80] 0.40 [0.21, 0.61] 0.10 [0.02, 0.31]"
    )
    assert row(found, "Translation").endswith("chrF – – 0.24 [0.20, 0.29] 0.12 [0.09, 0.16] –")
    cells = re.findall(r'class="cell tinted([^"]*)" style="--share:([\d.]+)%"', found)
    kinds, shares = [kind.split() for kind, _ in cells], [float(share) for _, share in cells]
    assert kinds == [["above"], [], ["below"], ["above"], ["above"]]
    gains = [(0.667 - 1 / 3) * 1.5, (0.4 - 1 / 3) * 1.5, (1 / 3 - 0.1) * 1.5, 0.24, 0.12]
    assert shares == pytest.approx([jlce.TINT * gain for gain in gains], abs=0.06)
    assert text(found).index("Semantic") < text(found).index("Generation")
    assert "Reasoning" not in text(found) and "Not run: Reading comprehension, Commons" in text(
        found
    )


def test_details_hold_every_metric_prompt_and_unread_answer(given):
    found = part(jlce.build(**given), "details")
    assert "Prompt 1 20 items in 12 clusters" in text(found) and "Prompt 2" in text(found)
    assert row(found, "accuracy") == "accuracy 0.70 [0.52, 0.83] – –"
    assert "<strong>balanced accuracy</strong>" in found and "<strong>accuracy" not in found
    assert row(found, "answers that could not be read") == (
        "answers that could not be read, % 5.0 0.0 –"
    )
    assert found.count("could not be read") == 1  # labels are chosen by likelihood
    assert found.count("<details>") == 2 and "<details open" not in found


def test_items_say_where_they_come_from_and_what_they_stand_for(given):
    seen = text(part(jlce.build(**given), "items"))
    assert "our own for JNLI (Natural language inference)" in seen
    assert "cannot be set beside published ones" in seen
    assert "Translation tatoeba 20 60 8 CC BY 2.0 FR Tatoeba & others" in seen
    assert "Sources left out 1 source jnli: no place has it" in seen
    given["origins"]["kinds"]["nli"]["source"] = "jnli"
    given["origins"]["left_out"] = []
    seen = text(part(jlce.build(**given), "items"))
    assert "stand in" not in seen and "left out" not in seen


def test_items_that_no_task_asks_are_not_shown(given):
    tasks = given["origins"]["tasks"]
    given["origins"]["tasks"] = {name: one for name, one in tasks.items() if one["kind"] != "nli"}
    seen = text(part(jlce.build(**given), "items"))
    assert "Translation tatoeba" in seen and "JNLI" not in seen


def test_contaminated_items_are_listed_worst_first_or_none(given):
    found = part(jlce.build(**given), "contamination")
    assert row(found, "Natural") == "Natural language inference 1 0.04 none"
    assert row(found, "Translation") == "Translation 3 1.00 79 (1.00), 77 (0.62)"
    given["contamination"] = contamination().iloc[:0]
    assert "No item was compared." in part(jlce.build(**given), "contamination")


def test_raw_observations_are_linked_beside_the_page(given, tmp_path):
    found = part(jlce.build(**given), "files")
    links = [link for link in Reader(found).links if link.startswith("benchmark_data")]
    assert len(links) == 6 and all((tmp_path / link).is_file() for link in links)
    assert "smollm2-135m · 4 rows · sha256" in text(found)
    assert "Deviations: a small model stands in." in text(found)


def test_names_are_escaped():
    bad, arms = "<script>alert(1)</script>", []
    changed = scores()
    changed["arm"] = bad + changed["arm"]
    rank = ranking()
    rank["models"] = [bad + arm for arm in ARMS]
    for key in ("score", "rank_probabilities", "average_rank"):
        rank[key] = {bad + arm: value for arm, value in rank[key].items()}
    for pair in rank["nemenyi"]["pairs"]:
        pair |= {"a": bad + pair["a"], "b": bad + pair["b"], "difference": 3}
    rank["prior"] = {bad: bad}
    rank["diagnostics"] |= {bad: bad}
    source = origins()
    source["left_out"] = [bad]
    for kind in source["kinds"].values():
        kind |= dict.fromkeys(("source", "licence", "attribution"), bad)
    leaked = contamination().assign(item=bad, share=1.0)
    for arm in rank["models"]:
        told = dict.fromkeys(("tier", "dtype", "observations_sha256"), bad)
        arms.append({**told, "arm": arm, "rows": 4, "models": {bad: {}}, "deviations": [bad]})
        arms[-1]["hardware"] = {"cpu": bad, "cores": 2, "accelerators": [bad]}
        arms[-1]["thinking"] = {"answers": 0}
    html = jlce.build(changed, rank, source, leaked, arms)
    assert "<script" not in html and "&lt;script&gt;" in html
    assert Reader(html).open == []
    assert all(re.match(r"#|jlce/|benchmark_data/|valid", link) for link in Reader(html).links)


def test_what_does_not_fit_together_is_refused(given):
    def refused(match, **changed):
        with pytest.raises(ValueError, match=match):
            jlce.build(**{**copy.deepcopy(given), **changed})

    refused("nli, prompt 1, lora, acc is given twice", scores=pd.concat([scores(), scores()[3:4]]))
    refused("unknown task chess", scores=scores().replace({"task": {"nli": "chess"}}))
    refused("scores.csv: the arm smollm is in only one", scores=scores().query("arm != 'smollm'"))
    refused("the observations: the arm base is in only one", arms=given["arms"][1:])
    without = {key: value for key, value in ranking().items() if key != "nemenyi"}
    refused("ranking.json: nemenyi is missing", ranking=without)


def test_files_that_cannot_be_used_are_named(tmp_path):
    given = files(tmp_path)
    scores().drop(columns="low").to_csv(given["scores"], index=False)
    with pytest.raises(ValueError, match=r"scores.csv: column low is missing; delete it"):
        jlce.read(**given)
    scores().to_csv(given["scores"], index=False)
    given["contamination"].unlink()
    with pytest.raises(ValueError, match=r"contamination.csv: not readable"):
        jlce.read(**given)
    contamination().to_csv(given["contamination"], index=False)
    with open(given["observed"][0], "a", encoding="utf-8") as table:
        table.write("jlce,base,nli/x/9,0,score,1.0,share\n")
    with pytest.raises(ValueError, match=r"base.csv: changed after"):
        jlce.read(**given)


def test_names_that_look_like_nothing_or_numbers_stay_names(tmp_path):
    given = files(tmp_path)
    contamination().assign(item=["null", "007", "NA", "1.0"]).to_csv(
        given["contamination"], index=False
    )
    assert jlce.read(**given)["contamination"]["item"].tolist() == ["null", "007", "NA", "1.0"]


def test_corpus_bleu_stands_with_its_signature_and_tasks_of_our_own_apart(tmp_path):
    given = jlce.read(**files(tmp_path))
    bleu = ("translation", 1, "lora", "bleu", False, 0.031, 0.01, 0.07, 12, 20, *3 * [float("nan")])
    own = ("honorific", 1, "lora", "joint", True, 0.5, 0.4, 0.6, 12, 20, *3 * [float("nan")])
    rows = pd.DataFrame([bleu, own], columns=given["scores"].columns)
    given["scores"] = pd.concat([given["scores"], rows], ignore_index=True)
    given["origins"]["tasks"]["honorific"] = {"kind": "nli", "main": "joint"}
    seen = text(jlce.build(**given))
    assert "BLEU of the corpus 0.031 [0.010, 0.070]" in seen
    assert "no mean of sentences: nrefs:1|case:mixed|eff:no|tok:x-1|smooth:exp" in seen
    assert "Our own, none of the sixteen Honorific style transfer" in seen
    assert "Not part of the ranking: Honorific style transfer." in seen
    assert "Dependency parsing · Bunsetsu chunking 0.42" in seen


@pytest.mark.parametrize(("holds", "words"), [(True, "in all"), (False, "In 1 the limits do not")])
def test_what_means_alone_would_decide_is_said(tmp_path, holds, words):
    withheld = pd.DataFrame(
        {"holds": [True, True, True, holds], "decided": [True, False, False, False],
         "decided_by_items": [True, True, True, False]}
    )  # fmt: skip
    html = text(jlce.build(**jlce.read(**files(tmp_path)), withheld=withheld))
    assert "25.0 % of 4 comparisons" in html and "paired items decide 75.0 %" in html
    assert words in html
