"""Tables of every form against themselves; faults are one line with the cell; a mirror's board."""

import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kensho.audit import cards, reading, table
from kensho.audit.printed import printed
from kensho.report import audit as page
from kensho.stats import aggregates

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("KENSHO_MIRROR") or ROOT.parent / "shared/data")
FORMS = {
    "t.csv": "model,acc,n,rank\nA,0.571,448,1\nB,0.570,448,2\nC,,448,3\n",
    "t.tsv": "model\tacc\tn\trank\nA\t0.571\t448\t1\nB\t0.570\t448\t2\nC\t-\t448\t3\n",
    "t.md": "text\n\n| model | acc | n | rank |\n|---|---:|---|---|\n| A | **0.571** | 448 | 1 |\n"
            "| B | 0.570 | 448 | 2 |\n| C | | 448 | 3 |\n",
    "t.tex": r"""\begin{tabular}{l@{ }rrr} \toprule
model & acc & n & rank \\ \midrule
A & \textbf{0.571} & 448 & 1 \\ % the best
B & $0.570$ & 448 & 2 \\[2pt]
C & -- & 448 & 3 \\ \bottomrule
\end{tabular}""",
    "t.yaml": "- {model: A, acc: 0.571, n: 448, rank: 1}\n"
              "- {model: B, acc: 0.570, n: 448, rank: 2}\n- {model: C, n: 448, rank: 3}\n",
}  # fmt: skip
CHECKS = [
    {"check": "reachable", "score": "acc", "items": "n"},
    {"check": "ranks", "scores": "acc", "places": "rank"},
]


def audited(folder, name, text, checks=CHECKS, **more):
    (folder / name).write_text(text, encoding="utf-8")
    spec = {"title": "t", "table": name, "rows": "model", "checks": checks, **more}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    spec, rows = table.of_file(folder / "spec.yaml", None)
    found = table.audit(spec, rows, name)
    return found, table.counts(spec, found, rows)


@pytest.mark.parametrize("name", FORMS)
def test_a_table_of_every_form(tmp_path, name):
    found, counts = audited(tmp_path, name, FORMS[name])
    words = found.set_index(["check", "row"])["word"].to_dict()
    assert words == {
        ("reachable", "A"): "CONSISTENT",
        ("reachable", "B"): "IMPOSSIBLE",
        ("reachable", "C"): "NOT CHECKABLE",
        ("ranks", "A"): "CONSISTENT",
        ("ranks", "B"): "CONSISTENT",
        ("ranks", "C"): "NOT CHECKABLE",
    }
    if name == "t.tex":
        with pytest.raises(ValueError, match="line 5, 'acc': 'none at all' is no printed"):
            audited(tmp_path, name, FORMS[name].replace("C & --", "C & none at all"))
    assert "255 are 0.5692 and 256 are 0.5714" in found.sentence[1]
    assert counts["IMPOSSIBLE"].to_list() == [1, 0] and counts["absent"].to_list() == [0, 0]


@pytest.mark.parametrize("name", ["t.md", "t.tex"])
def test_emphasis_is_held_against_the_column(tmp_path, name):
    bold = [{"check": "bold_is_best", "scores": "acc"}]
    found, _ = audited(tmp_path, name, FORMS[name].replace("0.570", "0.690"), bold)
    assert found.word.to_list() == ["IMPOSSIBLE"] and "best is 0.690" in found.sentence[0]


def test_per_cent_dropped_zeros_and_rows_without_cells(tmp_path):
    text = "model,acc,avg,x,y\nA,57.1,0.55,0.5,0.6\nB,57,,,\n"
    checks = [
        {"check": "reachable", "score": "acc", "items": 448, "scale": 100, "decimals": 1},
        {"check": "mean_of_parts", "total": "avg", "parts": ["x", "y"]},
    ]
    found, counts = audited(tmp_path, "t.csv", text, checks)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE", "CONSISTENT"]
    assert counts["absent"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("text", "checks", "line"),
    [
        ("model,acc\nA,high\n", [{"check": "within", "figure": "acc", "lowest": 0, "highest": 1}],
         "t.csv, line 2, 'acc': 'high' is no printed number; change the cell, or leave it empty"),
        ("model,acc\nA\n", [],
         "t.csv, line 2: 1 cells under a header of 2, no cell for 'acc'; add what is missing"),
        ("model,acc\n", [], "t.csv: holds no row under a header; add one"),
        ("model,acc,acc\nA,1,2\n", [], "t.csv, line 1: column 'acc' twice; rename one"),
        ("model,acc\n,1\n", [], "t.csv, line 2: no 'model'; add the name of the row"),
        ('model,acc\nA,"1\n', [], "t.csv, line 2: unexpected end of data; close the quote"),
        ("model,acc\nA,1\n", [{"check": "within", "figure": "ac", "lowest": 0, "highest": 1}],
         "t.csv: within.figure: no column 'ac', did you mean 'acc'?; change it"),
        ("model,acc\nA,1\n", [{"check": "withn"}],
         "spec.yaml: checks[0]: no check 'withn', did you mean 'within'?; change it"),
        ("model,acc\nA,1\n", [{"check": "within", "figure": "acc"}],
         "spec.yaml: checks[0]: within needs 'lowest'; add it"),
        ("model,acc\nA,57.1 %\n", [{"check": "reachable", "score": "acc", "items": 448}],
         "t.csv, line 2, 'acc': '57.1 %' is in per cent, and `scale` 1; put scale: 100; change"),
        ("model,acc\nA,0.5\n", [{"check": "reachable", "score": "acc", "items": 0}],
         "t.csv: reachable.items: 0, which is fewer than 1; change it"),
        ("model,acc,n\nA,0.5,0\n", [{"check": "reachable", "score": "acc", "items": "n"}],
         "t.csv, line 2, 'n': reachable.items: 0, which is fewer than 1; change it"),
        ("model,p,t\nA,0.04,2.1\nB,n.s.,2.1\n",
         [{"check": "p_value", "p": "p", "statistic": "t", "test": "t", "df": 38}],
         "t.csv, line 3, 'p': p_value.p: 'n.s.' is no printed number; change it"),
        ("model,p,t,df\nA,0.04,2.1,0\n",
         [{"check": "p_value", "p": "p", "statistic": "t", "test": "t", "df": "df"}],
         "t.csv, line 2, 'df': p_value.df: 0, which is fewer than 1; change it"),
        ("model,p,low,high\nA,0.04,1.1,2.1\n",
         [{"check": "p_of_interval", "p": "p", "low": "low", "high": "high", "level": 95}],
         "t.csv: p_of_interval.level: 95, which is no share between 0 and 1; change it"),
        ("model,acc,n\nA,0.5,4\n", [{"check": "items_recovered", "scores": "acc", "items": "n"}],
         "t.csv: items_recovered.items: 'n' is no whole number; change it"),
        ("model,a,b,r\n1,x,y,0.4\n2,z,z,0.5\n",
         [{"check": "cycles", "first": "a", "second": "b", "rates": "r"}],
         "t.csv, line 3, 'b': cycles.second: 'z' against itself; change it"),
        ("model,acc\nA,0.5\n", [{"check": "reachable", "score": 0.5, "items": 9}],
         "t.csv: reachable: none of its arguments is a column; put one there"),
        ("model,a,b,avg\nA,0.5,0.7,60 %\n",
         [{"check": "mean_of_parts", "total": "avg", "parts": ["a", "b"]}],
         "'avg': mean_of_parts.total: 0.7 beside 60 %, which may be a hundredth of it; change it"),
        ("model,a,b\nA,0.5,50%\n", [{"check": "same", "figure": "a", "elsewhere": "b"}],
         "t.csv, line 2, 'b': same.elsewhere: 0.5 beside 50 %, which may be a hundredth of it"),
        ("model,acc\nA,57.1 [52.4; 61.7]\nB,57.1 [x; 61.7]\n",
         [{"check": "symmetric", "estimate": "acc", "low": "acc low", "high": "acc high"}],
         "line 3, 'acc': '57.1 [x; 61.7]' is neither a figure nor several; change the cell"),
        ("model,acc,acc low\nA,57.1 [52.4; 61.7],3\n", [],
         "t.csv: column 'acc low', and 'acc' holds such figures too; rename one"),
        ("model,acc\nA,\"0,571\"\n", [{"check": "reachable", "score": "acc", "items": 9}],
         "t.csv, line 2, 'acc': '0,571' is no printed number (decimals follow a point); change the"
         " cell, or leave it empty"),
        ("model,b,a,g\nA,23.7,16.4,↓30.8\n",
         [{"check": "gain", "before": "b", "after": "a", "printed_gain": "g", "unit": "percent"}],
         "t.csv, line 2, 'g': '↓30.8' is no printed number; change the cell, or leave it empty"),
        ("model,acc\nA,1\n", [{"check": "mean_of_parts", "total": "acc", "parts": "acc"}],
         "t.csv: mean_of_parts.parts: 'acc' is no list; change it"),
        ("model,acc,n\nA,1,\"4,5\"\n", [{"check": "reachable", "score": "acc", "items": "n"}],
         "t.csv, line 2, 'n': '4,5' is no whole number; change the cell, or leave it empty"),
        ("model,acc,n\nA,1,1.5\n", [{"check": "reachable", "score": "acc", "items": "n"}],
         "t.csv, line 2, 'n': '1.5' is no whole number; change the cell, or leave it empty"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_one_line_with_the_cell(tmp_path, text, checks, line):
    with pytest.raises(ValueError) as caught:
        audited(tmp_path, "t.csv", text, checks)
    assert line in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    ["**57.1**", "57.1†", "57.1¹", "57.1<sup>a</sup>", "<b>57.1</b>", "57.1 %", "５７．１％",
     "`57.1`", "57.1\\*", "57.1[^1]", "57.1 %[^b]", "57.1 ± 0.4", "57.1 (0.4)",
     "**57.1 ± 0.4**", "57.1 (±0.4)"],
)  # fmt: skip
def test_what_stands_around_a_figure_does_not_change_it(tmp_path, cell):
    text = f"| model | acc |\n|---|---|\n| A | {cell} |\n| B | 57.0 |\n| C | - |\n"
    check = {"check": "reachable", "score": "acc", "items": 448}
    found, counts = audited(tmp_path, "t.md", text, [check], scale=100)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]
    assert counts["absent"].to_list() == [1]


def test_the_second_figure_of_a_cell_is_a_column(tmp_path):
    text = r"""\begin{tabular}{lr}
model & acc \\ % one more \\
A & \cellcolor{red!10}\textbf{57.1}$_{\pm 2.3}$ \\
B & 57.1 {\scriptsize$\pm$ 3.1} \\
%C & 1 \\
\end{tabular}"""
    check = {"check": "standard_error", "score": "acc", "error": "acc ±", "items": 448}
    found, _ = audited(tmp_path, "t.tex", text, [check], scale=100)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("|  | a |  |\n|---|---|---|\n| - | - | - |\n", ["column 1", "a", "column 3"], 1),
        ("a | b means a and b\nP(a|b)\n\n| x | y |\n|-|-|\n| 1 |  |\n|2||\n", ["x", "y"], 2),
    ],
)
def test_markdown_keeps_every_row_and_takes_prose_for_no_table(tmp_path, text, names, rows):
    (tmp_path / "t.md").write_text(text, encoding="utf-8")
    found = reading.read(tmp_path / "t.md")
    assert list(found) == names and len(found) == rows


def test_two_lines_of_header_are_joined(tmp_path):
    text = r"""\begin{tabular}{lrr}
& \multicolumn{2}{c}{Japanese} \\ \cmidrule{2-3}
model & GPQA & Avg \\
\multirow{2}{*}{A} & 0.571 & 1\,234 \\
\end{tabular}"""
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    found = reading.read(tmp_path / "t.tex", headers=2)
    assert list(found) == ["model", "Japanese GPQA", "Japanese Avg"]
    assert found.iloc[0, 0] == "A" and printed(found.iloc[0, 2]).value == 1234


def test_a_name_twice_in_an_entry_is_refused(tmp_path):
    for text in ("- {a: 1, a: 2}\n", "- {a.b: 1, a: {b: 2}}\n"):
        (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="twice"):
            reading.read(tmp_path / "t.yaml")


def test_a_column_without_a_cell_is_counted(tmp_path):
    check = {"check": "items_recovered", "scores": "acc", "items": 9}
    found, counts = audited(tmp_path, "t.csv", "model,acc\nA,\nB,—\n", [check])
    assert found.empty and counts["absent"].to_list() == [2]


@pytest.mark.parametrize(
    ("text", "check", "words"),
    [
        ("model,w,t,l\nA,0.5,,0.4\nB,0.5,0.1,0.4\n",
         {"check": "complement", "wins": "w", "losses": "l", "ties": "t"}, "NC"),
        ("model,t,d,n,m\nA,2.0,0.40,50,\nB,2.0,0.40,50,50\n",
         {"check": "d_of_t", "effect": "d", "statistic": "t", "items": "n", "items2": "m"}, "NC"),
        ("model,x,y,n,m,avg\nA,0.5,0.9,100,,0.8\nB,0.5,0.9,100,300,0.8\n",
         {"check": "mean_of_parts", "total": "avg", "parts": ["x", "y"], "weights": ["n", "m"]},
         "NC"),
        ("model,a,f,b\nA,0.90,0.80,\nB,0.90,0.80,0.10\n",
         {"check": "confusion", "items": 100, "accuracy": "a", "f1": "f",
          "balanced_accuracy": "b"}, "CI"),
        ("model,r\nA,0.7\nB,\nC,0.4\n", {"check": "round_robin", "rates": "r"}, "N"),
    ],
)  # fmt: skip
def test_an_empty_cell_is_no_figure_that_was_left_out(tmp_path, text, check, words):
    found, _ = audited(tmp_path, "t.csv", text, [check])
    assert "".join(word[0] for word in found.word) == words, found.sentence.to_list()


def test_counts_of_a_table_are_exact_where_it_says_so(tmp_path):
    text = "model,won,of,rate\nA,10,14,71.4\nB,10,14,71.5\n"
    check = {"check": "derived", "figure": "rate", "operation": "share", "parts": ["won", "of"],
             "unit": "percent"}  # fmt: skip
    for counts, words in ([], ["CONSISTENT"] * 2), (["won", "of"], ["CONSISTENT", "IMPOSSIBLE"]):
        found, _ = audited(tmp_path, "t.csv", text, [{**check, "counts": counts}])
        assert found.word.to_list() == words
    for counts, line in (
        (["wins"], "derived.counts: 'wins' is no column of this check; change it"),
        (["rate"], "line 2, 'rate': '71.4' is no whole number; change the cell"),
    ):
        with pytest.raises(ValueError, match=line):
            audited(tmp_path, "t.csv", text, [{**check, "counts": counts}])


def test_emphasis_makes_no_other_player(tmp_path):
    text = ("| model | a | b | r |\n|---|---|---|---|\n| 1 | **x** | y | 0.9 |\n"
            "| 2 | y | z | 0.9 |\n| 3 | z | x | 0.9 |\n")  # fmt: skip
    check = {"check": "cycles", "first": "a", "second": "b", "rates": "r"}
    assert audited(tmp_path, "t.md", text, [check])[0].word.to_list() == ["IMPOSSIBLE"]


def test_cards_give_parameters_and_limits(tmp_path):
    text = "model,card,tps,tflops\nA,llama-3-8b,300,9000\nB,llama-3-8b,350,90000\n"
    checks = [
        {"check": "bandwidth", "passes": "tps", "parameters": "card", "bits": 16,
         "limit": "mi300x"},
        {"check": "peak", "tokens": "tflops", "parameters": "card", "limit": "mi300x bfloat16"},
    ]  # fmt: skip
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    spec = table.Spec.model_validate(
        {"title": "t", "table": "t.csv", "rows": "model", "checks": checks}
    )
    of_cards = cards.load(ROOT / "resources/architectures.yaml", ROOT / "resources/hardware.yaml")
    rows = reading.read(tmp_path / "t.csv")
    found = table.audit(spec, rows, "t.csv", of_cards)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"] * 2
    with pytest.raises(ValueError, match="no card of active parameters"):
        table.audit(spec, rows.replace("llama-3-8b", "rakutenai-2.0-8x7b"), "t.csv", of_cards)


def test_ten_thousand_rows_are_audited_each_twice(tmp_path):
    rows = [f"m{i},0.{i % 1000:03d},0.{(i + 1) % 1000:03d},{i % 1000 / 1000:.4f}" for i in
            range(10_000)]  # fmt: skip
    checks = [
        {"check": "reachable", "score": "x", "items": 448},
        {"check": "mean_of_parts", "total": "avg", "parts": ["x", "y"]},
    ]
    found, _ = audited(tmp_path, "t.csv", "\n".join(["model,x,y,avg", *rows]), checks)
    assert len(found) == 20_000


def test_the_page_shows_what_cannot_be_and_escapes_it(tmp_path):
    text = FORMS["t.csv"].replace("B,0.570", "<b>B</b>,0.570")
    found, counts = audited(tmp_path, "t.csv", text)
    claims = pd.DataFrame(
        [("D-2", "a gain", "derived", "IMPOSSIBLE", "It is 44.", "")],
        columns=["claim", "text", "check", "word", "sentence", "needs"],
    )
    html = page.build(claims, found, counts, pd.DataFrame(columns=aggregates.PLACES), ["no board"])
    assert "&lt;b&gt;B&lt;/b&gt;" in html and "256 are 0.5714" in html
    assert "It is 44." in html and "no board" in html and ">line 3</span>" in html
    assert "<td>the figure of acc</td>" in html  # of C, which has none


@pytest.fixture(scope="module")
def board():
    spec = ROOT / "config/audit/swallow.yaml"
    of_file = table.of_file(spec, MIRROR)
    if isinstance(of_file, str):
        pytest.skip("needs swallow-leaderboard/_data/model.yml of a mirror (KENSHO_MIRROR)")
    return *of_file, table.audit(*of_file, "model.yml")


def test_the_board_of_a_mirror_is_possible_and_gives_its_item_counts(board):
    _, _, found = board
    assert not (found["word"] == "IMPOSSIBLE").any()
    averages = found[found["check"] == "mean_of_parts"]
    assert averages.groupby("number").ngroups == 6 and (averages["word"] == "CONSISTENT").all()
    told = found[found["check"] == "items_recovered"].set_index("columns").sentence
    for column, smallest in (
        ("en_post.MATH500", 500),
        ("en_post.AIME", 240),
        ("en_post.GPQA", 792),
        ("ja_pre.MGSM", 250),
        ("en_pre.OpenBookQA", 500),
    ):
        assert f"{smallest} is the smallest number" in told[f"results.{column}"]
    once, four_times = told["results.ja_post.GPQA"]
    assert once.startswith("All 68 scores fit 448 items; 448 is the smallest")
    assert four_times.startswith("1792 answers (448 items, 4 trials each)")


def test_the_ties_of_the_board_hold_its_order(board):
    spec, rows, _ = board
    places = aggregates.places(spec, rows, 0.05)
    assert (places["best_place"] <= places["worst_place"]).all()
    of_math = places[places["column"] == "results.en_post.MATH500"]
    order = of_math["score"].astype(float).rank(ascending=False)
    assert ((of_math["best_place"] <= order) & (order <= of_math["worst_place"])).all()
