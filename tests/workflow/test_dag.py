"""The workflow as its users meet it: dry runs, refusals, verification."""

import re

import pytest
import yaml
from kensho.models import cards
from kensho.plan import memory
from planning import ARMS, ASKED, EVALUATED, ROOT, SEEDS, TRAININGS, adapted, jobs, snakemake


def test_the_default_target_is_the_report(copy):
    done = snakemake(copy, "-n")
    assert done.returncode == 0, done.stdout
    planned = jobs(done.stdout)
    assert planned["train_stage"] == TRAININGS and planned["evaluate"] == len(EVALUATED)
    assert planned["judge_statistical"] == len(adapted()) and planned["report"] == 1


def test_jlce_asks_its_models_and_adds_to_the_report(copy):
    done = snakemake(copy, "-n", "jlce")
    assert done.returncode == 0, done.stdout
    planned = jobs(done.stdout)
    path = copy / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    assert planned["jlce_arm"] == len(ASKED) and planned["report"] == 1
    assert planned["train_stage"] == TRAININGS  # the report holds the main job's claims too
    other = next(arm for arm in ARMS if arm not in ASKED)
    config["jlce"]["judge"] = {"url": "http://judge/v1", "model": "x", "pairs": [["base", other]]}
    path.write_text(yaml.safe_dump(config))
    planned = jobs(snakemake(copy, "-n", "jlce").stdout)
    assert planned["jlce_preference"] == 1 and planned["jlce_arm"] == len(ASKED) + 1


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


def test_settings_that_yaml_takes_for_something_else_are_named_by_line(copy):
    lines = ["data:", "  source: 2026-05-01", "train:", "  base: on", "  steps: 010"]
    (copy / "mine.yaml").write_text("\n".join(lines))
    done = snakemake(copy, "-n", "--configfile", "mine.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    for line, said in ((2, "`2026-05-01` is read as a date"), (4, "`on` is read as true"),
                       (5, "`010` is read as 8")):  # fmt: skip
        assert f"mine.yaml:{line}: {said}; put it in quotes" in done.stdout
    assert "train.base: expected text, found true; put it in quotes" in done.stdout


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
    assert planned["train_stage"] == TRAININGS - SEEDS
    assert planned.get("judge_statistical", 0) == len(adapted() - adapted("full"))
    assert adapted("full")


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


def test_the_full_scale_asks_for_more_memory_and_time(copy):
    def most(*overlay):
        planned = snakemake(copy, "-n", *overlay, "--", "benchmark").stdout
        return {
            resource: max(int(asked) for asked in re.findall(rf"\b{resource}=(\d+)", planned))
            for resource in ("runtime", "mem_mb")
        }

    full = ["--configfile", "config/scales/full.yaml"]
    small, large = most(), most(*full)
    assert large["runtime"] == 8 * small["runtime"]
    largest = cards.load(ROOT / "resources/architectures.yaml")["rakutenai-2.0-8x7b"]
    weights = 2 * memory.size_of(largest).parameters  # in 16 bit, loaded on the host
    assert large["mem_mb"] == 8 * small["mem_mb"] + round(weights / 1e6)
    (copy / "short.yaml").write_text("cluster: {longest: 300}")
    assert most(*full, "short.yaml")["runtime"] == 300


def test_jobs_ask_for_the_devices_and_nodes_that_the_plan_foresees(copy):
    """Full fine-tuning of larger and larger models on MI300X of 192 GB."""
    method = {"stage": "sft", "learning_rate": 1e-5, "method": {"name": "full"}}
    bases = [f"r1-distill-qwen-{size}" for size in ("7b", "14b", "32b")] + ["rakutenai-2.0-8x7b"]
    arms = [{"name": f"full-{base}", "base": base, "stages": [method]} for base in bases]
    overlay = {
        **{"accelerator": "rocm", "licences": ["permissive", "by", "by-sa", "public-domain"]},
        "train": {"base": "r1-distill-qwen-1.5b", "seeds": [1], "arms": arms},
        "evaluate": {"references": bases},
        "domain": {"swallow": None},
        "cluster": {"gpu_model": "mi300x", "devices_per_node": 4, "nodes": 2},
    }
    (copy / "large.yaml").write_text(yaml.safe_dump(overlay))
    targets = [f"results/train/{arm['name']}/1-sft/seed1/model.json" for arm in arms]
    for rehearsed in ([], ["rehearsal"]):
        said = snakemake(copy, "-n", "--configfile", "large.yaml", "--", *(rehearsed or targets))
        jobs = re.findall(r"arm=(full-\S+), .*?gpu=(\d+).*?nodes=(\d+)", said.stdout, re.S)
        assert {name: (int(gpu), int(nodes)) for name, gpu, nodes in jobs} == {
            "full-r1-distill-qwen-7b": (1, 1),
            "full-r1-distill-qwen-14b": (2, 1),
            "full-r1-distill-qwen-32b": (4, 1),
            "full-rakutenai-2.0-8x7b": (8, 2),
        }, said.stdout
