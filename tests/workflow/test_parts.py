"""docs/extending.md followed literally: one part of each kind is added, planned, and run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kensho.observations import read
from kensho.train.catalogue import METHODS
from planning import ROOT, copied, jobs, nowhere, snakemake

BLOCK = re.compile(r"```(?:python|yaml)\n# ([^\n]+)\n(.*?)```", re.S)
CATALOGUE = re.compile(r"(\w+) in (\S+)")
NAMES = ("echo", "gaussian", "backwards", "letters", "polarity")
LONGEST = 10  # lines of an addition
SMALL = {
    "data": {"pool": 600, "train": 200, "test": 60},
    "augmentation": {"target": 260, "techniques": ["politeness", "echo"]},
    "bench": {"tokenisation": {"sentences": 50, "dictionary": 50}},
    "evaluate": {"references": []},
    "train": {
        **{"steps": 3, "batch_size": 2, "max_length": 96, "checkpoint_every": 3, "seeds": [1]},
        "arms": [
            {
                "name": "added",
                "stages": [
                    {
                        "stage": "backwards",
                        "learning_rate": 0.01,
                        "method": {"name": "gaussian", "rank": 2, "targets": ["q_proj"]},
                    }
                ],
            }
        ],
    },
    "jlce": {"arms": ["base", "added"], "items": 2, "tasks": ["polarity"]},
}


def documented():
    """Heading and text of each addition of the page."""
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    return BLOCK.findall(page.split("## A part")[1].split("## A source")[0])


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """The code with one part of each kind, and generated files made anew."""
    folder = copied(tmp_path_factory.mktemp("extended"))
    for heading, text in documented():
        if entry := CATALOGUE.fullmatch(heading):
            catalogue, path = entry.groups()
            source = (folder / path).read_text(encoding="utf-8")
            head = re.search(rf"^{catalogue} = Catalogue\(\n.*\n    \(\n", source, re.M)
            added = source[: head.end()] + text.rstrip() + ",\n" + source[head.end() :]
            (folder / path).write_text(added, encoding="utf-8")
        else:
            (folder / heading).write_text(text, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "-m", "kensho.plan.config"],
        cwd=folder, env={"PYTHONPATH": str(folder / "workflow"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return folder


def planned(folder, *arguments):
    done = snakemake(folder, "-n", *arguments, **nowhere(folder))
    assert done.returncode == 0, done.stdout
    return jobs(done.stdout)


def test_each_addition_is_short():
    headings = [heading for heading, _ in documented()]
    assert len(headings) == 9, headings
    for heading, text in documented():
        assert len([line for line in text.splitlines() if line]) <= LONGEST, heading


def test_added_parts_are_in_the_configuration_the_schema_and_the_docs(extended):
    files = ["config/config.yaml", "config/schemas/config.schema.json", "docs/parts.md"]
    config, schema, docs = ((extended / name).read_text(encoding="utf-8") for name in files)
    for name in NAMES:
        assert name in schema and f"`{name}`" in docs, name
    assert "echo:" in config and "polarity" in config


def test_added_parts_are_planned(extended):
    assert planned(extended, "benchmark")["letters"] == 1
    mixed = planned(extended, "--configfile", "small.yaml", "--", "results/data/augmentation.csv")
    assert mixed["augment_technique"] == len(SMALL["augmentation"]["techniques"])
    added = planned(extended, "--configfile", "small.yaml", "--", "jlce")
    assert added["train_stage"] == 1 and added["jlce_arm"] == 2


def test_an_unknown_part_is_one_line_with_the_known_ones(extended):
    damaged = yaml.safe_load((extended / "small.yaml").read_text(encoding="utf-8"))
    damaged["train"]["arms"][0]["stages"][0]["method"]["name"] = "dara"
    (extended / "damaged.yaml").write_text(yaml.safe_dump(damaged), encoding="utf-8")
    done = snakemake(extended, "-n", "--configfile", "damaged.yaml", "--", "jlce")
    assert done.returncode and "Traceback" not in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "stages.0.method" in line]
    assert all(f"'{name}'" in line for name in (*METHODS, "gaussian", "dara")), line


@pytest.mark.slow
def test_added_parts_run(extended):
    made = [
        "results/data/augmented/echo.csv",
        "results/benchmark_data/letters/corpus.csv",
        "results/benchmark_data/training/added.csv",
        "results/benchmark_data/jlce/added.csv",
    ]
    done = snakemake(extended, "--configfile", "small.yaml", "--", *made, timeout=1500)
    assert done.returncode == 0, done.stdout[-4000:]
    echoed = (extended / made[0]).read_text(encoding="utf-8")
    assert "と言った。" in echoed and ",echo," in echoed
    letters, _ = read(extended / made[1])
    assert letters["value"].iloc[0] > 100
    _, conditions = read(extended / made[2])
    assert [r["stage"] for r in conditions["trainings"]] == ["backwards"]
    adapter = Path(extended, "results/train/added/1-backwards/seed1/model/adapter_config.json")
    assert '"init_lora_weights": "gaussian"' in adapter.read_text(encoding="utf-8")
    asked, _ = read(extended / made[3])
    assert asked["block"].str.startswith("polarity/").all()
