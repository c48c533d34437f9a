"""The workflow as its users meet it: dry runs, refusals, precise reruns."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CODE = ["Snakefile", "rules", "workflow", "config", "envs", "profiles", "resources", "local"]


def snakemake(folder, *arguments, **environment):
    """Run Snakemake there; what it says, on either stream, is in ``stdout``."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "local", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.fixture
def copy(tmp_path):
    """The workflow's code in a folder of its own, with no results."""
    for name in CODE:
        source = ROOT / name
        if source.is_symlink():
            (tmp_path / name).symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy2(source, tmp_path / name)
    return tmp_path


def jobs(output):
    """Job counts of a dry run by rule."""
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+)$", table, re.M)}


def test_the_default_target_is_the_report(copy, tmp_path):
    done = snakemake(copy, "-n")
    assert done.returncode == 0, done.stdout
    planned = jobs(done.stdout)
    assert planned["train"] == 9 and planned["evaluate"] == 5 and planned["report"] == 1


def test_jlce_asks_three_models_and_trains_one(copy):
    done = snakemake(copy, "-n", "jlce")
    assert done.returncode == 0, done.stdout
    planned = jobs(done.stdout)
    assert planned["jlce_arm"] == 3 and planned["train"] == 1 and "evaluate" not in planned
    path = copy / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["jlce"]["judge"] = {"url": "http://judge/v1", "model": "x", "pairs": [["base", "full"]]}
    path.write_text(yaml.safe_dump(config))
    planned = jobs(snakemake(copy, "-n", "jlce").stdout)
    assert planned["jlce_preference"] == 1 and planned["jlce_arm"] == 4


def test_four_faults_are_four_lines_and_no_traceback(copy):
    path = copy / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["trian"] = {}  # a wrong key
    config["train"]["steps"] = "many"  # a wrong type
    config["train"]["base"] = "smollm2-136m-instruct"  # a missing model
    path.write_text(yaml.safe_dump(config))
    sources = copy / "config" / "sources.yaml"
    entries = yaml.safe_load(sources.read_text())
    entries["tatoeba-japanese-english"]["places"] = [{"https": "http://127.0.0.1:9/nowhere"}]
    sources.write_text(yaml.safe_dump(entries))
    done = snakemake(copy, "-n", KENSHO_CACHE=str(copy / "empty"), KENSHO_MIRROR="")
    said = done.stdout
    assert done.returncode != 0 and "Traceback" not in said
    assert "trian: unknown key, did you mean 'train'?" in said
    assert "train.steps: expected a whole number, found the text 'many'" in said
    assert "no model 'smollm2-136m-instruct'" in said and "'smollm2-135m-instruct'" in said
    assert re.search(r"source tatoeba-japanese-english: no place can be reached", said)
    assert "4 problem(s), nothing was run" in said


def test_a_faulty_claim_names_its_file_and_key(copy):
    path = copy / "config" / "claims" / "main.yaml"
    path.write_text(
        path.read_text().replace("    region: [0.05, 0.13]", "    regoin: [0.05, 0.13]")
    )
    said = snakemake(copy, "-n").stdout
    assert "main.yaml: R-1.test.regoin: unknown key, did you mean 'region'?" in said


def test_a_claim_without_its_arm_is_not_tested(copy):
    path = copy / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["train"]["arms"] = [a for a in config["train"]["arms"] if a["name"] != "full"]
    path.write_text(yaml.safe_dump(config))
    done = snakemake(copy, "-n")
    planned = jobs(done.stdout)
    assert planned["train"] == 6 and planned["judge_statistical"] == 1


@pytest.mark.slow
def test_medical_questions_are_asked_where_one_subject_is_at_hand(copy):
    mirror = copy / "mirror" / "jmmlu" / "JMMLU"
    for asked in (0, 1):
        places = {"KENSHO_MIRROR": str(copy / "mirror"), "KENSHO_CACHE": str(copy / "cache")}
        done = snakemake(copy, "-n", "benchmark", **places)
        assert done.returncode == 0, done.stdout
        assert jobs(done.stdout).get("medical", 0) == asked
        mirror.mkdir(parents=True, exist_ok=True)
        (mirror / "anatomy.csv").touch()


@pytest.fixture
def finished(copy):
    """The code with the finished results of this checkout, linked, not copied."""
    if not (ROOT / "results" / "validation_report.html").is_file():
        pytest.skip("no finished run here: `make report` first")
    shutil.copytree(ROOT / "results", copy / "results", copy_function=os.link)
    shutil.copytree(ROOT / ".snakemake" / "metadata", copy / ".snakemake" / "metadata")
    if "Nothing to be done" not in snakemake(copy, "-n").stdout:
        pytest.skip("the finished run is not up to date: `make report` first")
    return copy


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) >= 1, old
    path.unlink()  # never through a link
    path.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_a_tolerance_reruns_its_analysis_and_the_report(finished):
    path = finished / "config/claims/main.yaml"
    claims = yaml.safe_load(path.read_text())
    next(c for c in claims if c["id"] == "R-5.memory")["test"]["region"] = [1.8, 2.25]
    path.unlink()  # never through a link
    path.write_text(yaml.safe_dump(claims))
    planned = jobs(snakemake(finished, "-n").stdout)
    assert planned == {"judge_statistical": 1, "summarise": 1, "report": 1, "all": 1, "total": 4}


@pytest.mark.slow
def test_a_rank_retrains_its_arm_alone(finished):
    path = finished / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    next(a for a in config["train"]["arms"] if a["name"] == "lora-r8-augmented")["rank"] = 16
    path.unlink()  # never through a link
    path.write_text(yaml.safe_dump(config))
    done = snakemake(finished, "-n").stdout
    planned = jobs(done)
    assert planned["train"] == 3 and planned["evaluate"] == 1
    assert planned["judge_statistical"] == 1  # F-4.combined reads that arm
    assert set(re.findall(r"wildcards: arm=([\w.-]+)", done)) == {"lora-r8-augmented"}


@pytest.mark.slow
def test_a_comment_in_the_library_reruns_nothing(finished):
    edit(finished / "workflow/kensho/train/sft.py", "\nWARMUP_STEPS", "\n# a remark\nWARMUP_STEPS")
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


@pytest.mark.slow
def test_verify_holds_and_an_edited_observation_fails_by_name(finished):
    honest = snakemake(finished, "verify")
    assert honest.returncode == 0, honest.stdout
    assert "verdicts follow from their observations" in honest.stdout
    path = finished / "results/benchmark_data/kv_cache/mla.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    cells[5] = "0.001"
    path.unlink()
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    tampered = snakemake(finished, "verify")
    assert tampered.returncode != 0
    assert "benchmark_data/kv_cache/mla.csv: changed after" in tampered.stdout


@pytest.mark.parametrize("scale", sorted(p.name for p in (ROOT / "config/scales").glob("*.yaml")))
def test_every_scale_plans_its_run(copy, scale):
    done = snakemake(copy, "-n", "--configfile", f"config/scales/{scale}")
    assert done.returncode == 0, done.stdout
    assert jobs(done.stdout)["report"] == 1
