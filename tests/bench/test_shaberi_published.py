import json

import pytest
from kensho.bench.inputs import SHABERI
from kensho.bench.run import Run
from kensho.bench.shaberi_published import experiment, read
from kensho.files import sha256, write_json
from kensho.observations import read as read_table
from kensho.observations import write

MARKS = {  # of two questions or three, by set; ELYZA's are out of 5
    "before": {"elyza": [1, 2], "tengu": [0, 2, 4], "mt-bench": [1], "rakuda": [1, 1]},
    "after": {"elyza": [2, 2], "tengu": [2, 4, 6], "mt-bench": [5], "rakuda": [4, 6]},
    "general": {"elyza": [2, 2], "tengu": [3, 3, 3], "mt-bench": [4], "rakuda": [4, 4]},
}


@pytest.fixture
def inputs(tmp_path):
    records = {}
    for arm, names in SHABERI.items():
        records[arm] = []
        for name in names:
            kind = name.removeprefix("shaberi-").removesuffix(f"-{arm}")
            path = tmp_path / f"{name}.jsonl"
            lines = [json.dumps({"Question": "問", "score": m}) for m in MARKS[arm][kind]]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            record = {"name": name, "path": str(path), "sha256": sha256(path)}
            write_json(tmp_path / f"{name}.json", {**record, "bytes": path.stat().st_size})
            records[arm].append(tmp_path / f"{name}.json")
    return records


def test_the_mean_of_weighted_marks_is_that_of_the_sets_means(inputs, tmp_path):
    means = {}
    for made, conditions in experiment(inputs, None, Run(tmp_path)):
        write(tmp_path / "out", made, conditions)
    for arm in MARKS:
        table, conditions = read_table(tmp_path / f"out/{arm}.csv")
        assert conditions["tier"] == "published" and len(conditions["datasets"]) == 4
        means[arm] = table[table["metric"] == "weighted_mark"]["value"].mean()
    assert means == pytest.approx({"before": (3 + 2 + 1 + 1) / 4, "after": (4 + 4 + 5 + 5) / 4,
                                   "general": (4 + 3 + 4 + 4) / 4})  # fmt: skip


@pytest.mark.parametrize("line", ['{"score": 11}', '{"score": null}', "{}", "marks"])
def test_a_line_without_a_mark_is_named(tmp_path, line):
    (tmp_path / "x").write_text('{"score": 1}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"x:2: no mark of an answer of 'after'; delete"):
        read(tmp_path / "x", "rakuda", "after")


def test_a_set_that_could_not_be_had_stops_it(inputs, tmp_path):
    write_json(inputs["after"][1], {"name": "x", "path": None, "reason": "x: not to be had"})
    with pytest.raises(ValueError, match="x: not to be had; run `snakemake"):
        experiment(inputs, None, Run(tmp_path))
