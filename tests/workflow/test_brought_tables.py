"""Brought tables through the real command: what is said of them, and what becomes of them."""

import json

import pytest
import yaml
from planning import jobs, snakemake
from test_own_results import FILES

TABLES = [f"results/benchmark_data/own-scores/{arm}.csv" for arm in ("base", "tuned")]
OTHERS = [path.replace("own-scores", "own-formula") for path in TABLES]  # of the same file


@pytest.fixture
def example(copy):
    for name, text in FILES.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return copy


def claims(folder, old, new):
    path = folder / "config/claims/own.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_a_table_may_be_moved_away_once_it_was_read(example):
    scores = example / "own/scores.csv"
    assert snakemake(example, *TABLES, *OTHERS).returncode == 0
    scores.rename(example / "own/away.csv")
    done = snakemake(example, "-n", "results/analysis/OWN-2.json")
    assert done.returncode == 0 and "Traceback" not in done.stdout, done.stdout
    assert jobs(done.stdout) == {"judge_statistical": 1, "total": 1}
    said = [line for line in done.stdout.splitlines() if "own/scores.csv" in line]
    assert len(said) == 2 and all("gone since the import; results/" in line for line in said)
    done = snakemake(example, "-n", *TABLES)  # which asks for a fresh import
    assert "Missing input files" in done.stdout and "Traceback" not in done.stdout

    claims(example, "format: csv}", "format: csv, metric: score}")
    done = snakemake(example, "-n", "results/analysis/OWN-2.json")
    assert done.returncode != 0 and "own/scores.csv: missing; put it there" in done.stdout
    (example / "own/away.csv").rename(scores)
    done = snakemake(example, "-n", "results/analysis/OWN-2.json")
    assert done.returncode == 0 and "rule import_tables_own-scores:" in done.stdout


FAULTS = {
    "an escape sequence": ("tuned,\x1b[31mx,1\n", "own/scores.csv, line 22: item '%1B[31mx' of"),
    "an open quote": ('tuned,"x,1\n', "own/scores.csv, line 22: a quote is opened here"),
    "half a file of another kind": ("{}\n", "own/scores.csv, line 22: not 3 cells like the header"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_table_is_one_line_on_the_terminal(example, case):
    more, said = FAULTS[case]
    scores = example / "own/scores.csv"
    scores.write_text(scores.read_text() + more)
    done = snakemake(example, *TABLES)
    assert done.returncode != 0 and said in done.stdout
    assert "\x1b" not in done.stdout and "Traceback" not in done.stdout


@pytest.mark.slow
def test_odd_names_of_items_stop_nothing_and_are_not_shown_raw(example):
    scores = example / "own/scores.csv"
    text = scores.read_text()
    for item, odd in (("email-01", "a\tb"), ("email-02", "\x1b[2Jc\x07"), ("email-03", "\u202ed")):
        assert text.count(item) == 2
        text = text.replace(item, odd)
    scores.write_text(text)
    done = snakemake(example, *TABLES)
    assert done.returncode == 0 and not {*"\t\x1b\x07\u202e"} & {*done.stdout}, done.stdout
    blocks = (example / TABLES[0]).read_text(encoding="utf-8")
    assert all(name in blocks for name in ("a%09b", "%1B[2Jc%07", "\u202ed"))


ODD = {"a tab": "x\ty", "an escape sequence": "\x1b[2J\x1b]0;x\x07", "right to left": "\u202ex"}


@pytest.mark.parametrize("case", ODD)
def test_odd_names_in_settings_claims_and_sources_are_refused_in_plain_lines(example, case):
    odd, shown = ODD[case], ascii(ODD[case])[1:-1]
    settings = {"train": {"base": odd, odd: 1}, "paths": {"mirror": [odd]}, "accelerator": odd}
    (example / "odd.yaml").write_text(yaml.safe_dump(settings))
    (example / "config/claims/own.yaml").write_text(yaml.safe_dump([{"id": odd, odd: odd}]))
    sources = example / "config/sources.yaml"
    sources.write_text(sources.read_text() + yaml.safe_dump({odd: {"licence": 1}}))
    done = snakemake(example, "-n", "--configfile", "odd.yaml", "--", "own")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert not [c for c in odd if not c.isprintable() and c in done.stdout], done.stdout
    for place in ("train.base", f"train.{shown}", "accelerator", f"config/sources.yaml: {shown}"):
        assert place in done.stdout


@pytest.mark.slow
def test_what_could_not_be_checked_and_what_was_dropped_stand_in_the_analysis(example):
    for path in (example / "own").glob("*/samples_*"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.write_text("".join(json.dumps({**line, "doc": {}}) + "\n" for line in lines))
    scores = example / "own/scores.csv"
    scores.write_text(
        scores.read_text().replace("tuned", "org/モデル 7B") + "base,email-11,5.0\n",
        encoding="utf-8",
    )
    claims(
        example,
        "      - {path: own/scores.csv, format: csv}\n",
        "      - {path: own/scores.csv, format: csv}\n"
        "    aliases: {tuned: 'org/モデル 7B'}\n    incomplete: drop\n",
    )
    analyses = [f"results/analysis/OWN-{n}.json" for n in (1, 2)]
    done = snakemake(example, *analyses)
    assert done.returncode == 0, done.stdout
    said = [json.loads((example / path).read_text())["deviations"] for path in analyses]
    assert said == [
        [
            f"10 of 10 items: nothing in the tables of '{arm}' shows that they are those of the "
            "other arms; they are paired by their names alone"
            for arm in ("base", "tuned")
        ],
        [
            "1 of 11 items left out, which not every arm has (score; items that an arm lacks: "
            "base 0, tuned 1)"
        ],
    ]
