"""Ways to print one figure: none makes a consistent table impossible, or hides a planted error."""

import pytest
import yaml
from kensho.audit import catalogue, table
from kensho.audit.printed import printed
from kensho.stats import aggregates

HEAD = {
    ".md": "| model | acc |\n|---|---|\n",
    ".tex": "\\begin{tabular}{lr}\nmodel & acc \\\\ \\hline\n",
    ".tsv": "model\tacc\n",
}
ROW = {".md": "| {} | {} |\n", ".tex": "{} & {} \\\\\n", ".tsv": "{}\t{}\n"}


def told(folder, name, text, *checks, **more):
    (folder / name).write_text(text, encoding="utf-8")
    spec = {"title": "t", "table": name, "rows": "model", "checks": list(checks), **more}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    spec, rows = table.of_file(folder / "spec.yaml", None)
    return table.audit(spec, rows, name)


@pytest.mark.parametrize(
    ("ending", "style"),
    [(".md", style) for style in (
        "$@$", "$\\mathbf{@}$", "$@_{\\pm 0.4}$", "@$^\\dagger$", "@\\%", "\\*@\\*", "@\u200b",
        "@\u00ad%", "@ [52.4, 61.7]", "@ (52.4–61.7)", "@ (95% CI 52.4 to 61.7)")]
    + [(".tex", style) for style in (
        "@\\hphantom{0}", "\\vphantom{1}@", "@\\rlap{$^*$}", "@\\makebox[0pt][l]{$^*$}",
        "\\textbf{\\textcolor{red}{@}}", "\\textcolor[HTML]{FF0000}{@}", "$\\bf{@}$",
        "\\colorbox[rgb]{1,0,0}{@}", "\\num[round-precision=1]{@}", "@~\\cite{a}",
        "@ {\\small [52.4, 61.7]}", "\\multirow{2}{*}[2pt]{@}", "{\\textbf{@}}")]
    + [(".tsv", style) for style in ("＠", "@ [52.4,61.7]", "@% [52.4%, 61.7%]")],
)  # fmt: skip
def test_a_style_changes_no_figure(tmp_path, ending, style):
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    cells = [style.replace("@", x).replace("＠", x.translate(wide)) for x in ("57.1", "57.0")]
    text = HEAD[ending] + "".join(ROW[ending].format(*row) for row in zip("AB", cells, strict=True))
    text += "\\end{tabular}" * (ending == ".tex")
    check = {"check": "reachable", "score": "acc", "items": 448}
    found = told(tmp_path, f"t{ending}", text, check, scale=100)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]


@pytest.mark.parametrize(
    "cell",
    [
        "\\up{4}57",
        "\\underline{57}\\up{4}",
        "57$^a$\\up{4}",
        "{\\small 57}\\std{4}",
        "57<small>4</small>",
        "57[^1]4",
        "57\\std{4}",
        "57\\textsubscript{4}",
        "\\gain{57}{4}",
        "57{\\tiny 4}",
        "57_{4}",
    ],
)
def test_a_small_figure_behind_another_is_no_further_digit(tmp_path, cell):
    text = HEAD[".tex"] + ROW[".tex"].format("A", cell) + "\\end{tabular}"
    check = {"check": "within", "figure": "acc", "lowest": 0, "highest": 100}
    with pytest.raises(ValueError, match=r"line 3, 'acc': '.* is no printed number"):
        told(tmp_path, "t.tex", text, check)


def test_a_footnote_at_a_ten_is_no_power():
    for text in ("57.10¹", "57.10<sup>1</sup>", "57.10^{1}"):
        assert printed(text).value == printed("57.10").value
    assert printed("2 × 10⁻³").value == printed("10⁻³").value * 2 == printed("0.002").value
    with pytest.raises(ValueError, match="no printed number"):
        printed("110²")


@pytest.mark.parametrize("minus", "-−–－‐‑﹣")
def test_every_minus_is_one(minus):
    assert printed(f"{minus}7.3").value == printed("-7.3").value


def test_rows_under_one_name(tmp_path):
    text = r"""\begin{tabular}{llrr} \toprule
\multirow{2}{*}{model} & \multirow{2}{*}{size} & \multicolumn{2}{c}{GPQA} \\ \cmidrule(lr){3-4}
 & & acc & n \\ \midrule
\multirow{2}{*}{A} & 7B & 57.1 & \multirow{2}{*}{448} \\
 & 13B & 57.0 & \\
\rowcolor{gray!10} \multicolumn{4}{l}{\textit{Tuned}} \\
 & 7B & 57.0 & 448 \\
\multirow{-2}{*}{B} & 13B & 57.1 & 448 \\ \bottomrule
\end{tabular}"""
    check = {"check": "reachable", "score": "GPQA acc", "items": "GPQA n"}
    found = told(tmp_path, "t.tex", text, check, scale=100, headers=2)
    assert "".join(word[0] for word in found.word) == "CIIC"
    assert found.row.to_list() == ["A", "A", "B", "B"]
    assert found.place.to_list() == ["line 4", "line 5", "line 7", "line 8"]


@pytest.mark.parametrize(
    "cell", ["57.1 [52.5, 61.6]", "**57.1** (52.5–61.6)", "57.1 (95% CI: 52.5 to 61.6)"]
)
def test_the_ends_of_an_interval_are_columns(tmp_path, cell):
    check = {"check": "symmetric", "estimate": "acc", "low": "acc low", "high": "acc high"}
    text = HEAD[".tsv"] + f"A\t{cell}\nB\t{cell.replace('52', '50')}\nC\t-\n"
    found = told(tmp_path, "t.tsv", text, check)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]


def test_an_interval_in_a_column_of_its_own_and_what_is_none(tmp_path):
    check = {"check": "symmetric", "estimate": "acc", "low": "ci low", "high": "ci high"}
    for cell in ("[-0.2, 0.4]", "(−0.2–0.4)", "-0.2–0.4"):
        text = f"model\tacc\tci\nA\t0.1\t{cell}\nB\t0.3\t{cell}\n"
        found = told(tmp_path, "t.tsv", text, check)
        assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]
    for cell in ("(12,345)", "57.1 (-4.6, +4.5)", "0.1"):  # a count, distances, one figure
        with pytest.raises(ValueError, match=r"'ci high'|neither a figure nor several"):
            told(tmp_path, "t.tsv", f"model\tacc\tci\nA\t0.1\t{cell}\n", check)


@pytest.mark.parametrize("sign", [";", "\t", ","])
def test_a_csv_says_in_its_header_what_separates_it(tmp_path, sign):
    text = "model,acc\nA (7B),57.1\nB,57.0\n".replace(",", sign)
    check = {"check": "reachable", "score": "acc", "items": 448}
    found = told(tmp_path, "t.csv", text, check, scale=100)
    assert found.word.to_list() == ["CONSISTENT", "IMPOSSIBLE"]
    with pytest.raises(ValueError, match=r"line 2, 'acc': '57,1' .*\(decimals follow a point\)"):
        told(tmp_path, "t.csv", "model;acc\nA;57,1\n", check, scale=100)


def test_a_row_of_markdown_outside_every_table_is_not_dropped(tmp_path):
    text = HEAD[".md"] + "| A | 57.1 |\n\n| B | 57.0 |\n"
    with pytest.raises(ValueError, match="line 5: a row without a header and its line of dashes"):
        told(tmp_path, "t.md", text, {"check": "reachable", "score": "acc", "items": 448})


def test_cut_off_figures_are_said_to_be_that_and_no_others():
    cut = " Cut off instead of rounded they would fit."
    ends = {"operation": "relative_gain", "unit": "percent", "parts": ["0.4635", "0.4804"]}
    for figure, tail in (("3", True), ("-3", False), ("2", False), ("5", False)):
        answer = catalogue.run("derived", {"figure": figure, **ends})
        assert answer.word == "IMPOSSIBLE" and answer.sentence.endswith(cut) == tail
    assert not catalogue.run("derived", {"figure": "4", **ends}).sentence.endswith(cut)


def test_scores_above_one_ask_for_a_scale(tmp_path):
    text = HEAD[".tsv"] + "A\t57.1\nB\t60.0\n"
    check = {"check": "items_recovered", "scores": "acc", "items": 448}
    assert told(tmp_path, "t.tsv", text, check).sentence[0].endswith("Per cent take scale: 100.")
    spec, rows = table.of_file(tmp_path / "spec.yaml", None)
    ties = spec.model_copy(update={"ties": [table.Tie(score="acc", items=448)]})
    with pytest.raises(ValueError, match=r"line 2, 'acc': 57.1 is no share where `scale` is 1"):
        aggregates.places(ties, rows, 0.05)
