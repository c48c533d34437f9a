"""What a head records of its command, configuration, code and environment, and how it ends."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kensho.data import sources
from kensho.files import sha256
from kensho.models import cards, catalogue
from kensho.plan.check import check
from kensho.run import events, head, record
from kensho.run.events import Event
from kensho.run.job import job
from scripted import snakemake

ROOT = Path(__file__).parents[1]
TOKEN = "pl4nted7oken9"
ADDRESS = f"http://user:{TOKEN}@host/{TOKEN}?key={TOKEN}"


def git(*words):
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of the workflow under git, in which nothing was changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in ("config/claims", "workflow", "local"):
        Path(name).mkdir(parents=True)
    Path("Snakefile").write_text("rule all:\n")
    Path("workflow/run.py").write_text("x = 1\n")
    for name in ("config/config.yaml", "config/sources.yaml", "config/claims/a.yaml"):
        Path(name).write_text("seed: 1\n")
    Path("local/config.yaml").write_text("cores: 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    return tmp_path


def began(command=(), settings=()):
    return head.began(["snakemake", *command], ["all"], dict(settings), ["config/config.yaml"], {})


def test_a_head_says_what_it_runs_and_with_what(folder):
    begun = began(["--cores", "2", f"--configfile={folder}/config/config.yaml"], {"seed": 1})
    events.append(begun)
    assert events.read() == [begun] and begun.event == "run" and len(begun.run) == 12
    recorded = begun.head
    assert recorded.command == ["snakemake", "--cores", "2", "--configfile=config/config.yaml"]
    assert (recorded.targets, recorded.config) == (["all"], {"seed": 1})
    assert [(file.path, file.sha256) for file in recorded.files] == [
        (path, sha256(path))
        for path in ("config/config.yaml", "config/claims/a.yaml", "config/sources.yaml")
    ]
    assert begun.machine.cores == os.cpu_count() and begun.environment["packages"] > 10
    assert began().run != begun.run


def test_the_configuration_that_is_recorded_is_one_but_for_a_folder():
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    known = sources.load(ROOT / "config/sources.yaml")[0]
    architectures = cards.load(ROOT / "resources/architectures.yaml")
    models = catalogue.load(ROOT / "config/models.yaml", known, architectures)[0]
    merged = check(raw, known, models, architectures)[0].model_dump(mode="json")
    recorded = json.loads(json.dumps(record.whole(merged)))
    assert recorded["bench"]["rocm_variables"]["root"] == "…/rocm"
    again, problems = check(head.restored(recorded), known, models, architectures)
    assert not problems and again.model_dump(mode="json") == merged


def test_what_was_changed_is_told_with_the_commit_that_it_was_changed_from():
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    clean = began().head
    assert (clean.commit, clean.changed, clean.diff, clean.diff_sha256) == (commit, [], "", None)
    Path("workflow/run.py").write_text("x = 2\n")
    Path("workflow/new.py").touch()
    Path("letter.txt").touch()  # nobody's business
    changed = began().head
    assert changed.commit == commit and changed.changed == ["workflow/run.py", "workflow/new.py"]
    assert "-x = 1\n+x = 2\n" in changed.diff and changed.diff_bytes == len(changed.diff)
    assert len(changed.diff_sha256) == 64
    Path("workflow/run.py").write_text("x = 2\n" * head.LONGEST)
    long = began().head
    assert long.diff == "" and long.diff_bytes > head.LONGEST and len(long.diff_sha256) == 64


@pytest.mark.parametrize("hidden", [".git", "git"])
def test_without_git_the_commit_is_not_known(monkeypatch, tmp_path, hidden):
    if hidden == "git":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:  # the folder of another repository
        monkeypatch.chdir(tmp_path / "local")
    assert began().head.commit is None and began().head.changed == []


def test_no_secret_place_or_person_is_recorded_of_a_head(monkeypatch, tmp_path):
    home = tmp_path.parent / "ann-of-the-house"
    monkeypatch.setenv("HOME", str(home))
    for name in ("HF_TOKEN", "PIP_INDEX_URL", "KENSHO_API_KEY", "NCCL_COMM_ID", "AWS_SECRET"):
        monkeypatch.setenv(name, TOKEN)
    monkeypatch.setenv("KENSHO_CACHE", f"{home}/cache")
    monkeypatch.setenv("KENSHO_MIRROR", ADDRESS)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    Path("config/config.yaml").write_text(
        f'seed: 2\napi_key: "{TOKEN}"\nhfToken: {TOKEN}\nurl: {ADDRESS}\ncache: {home}/x\n'
        f"mail: {TOKEN}@example.org\nother: hf_{TOKEN}\n"
    )
    command = [
        "--config", f"api_key={TOKEN}", f'jlce={{"url": "{ADDRESS}", "rank": 8}}', "tokens=512",
        "--default-resources", f"slurm_account={TOKEN}", "--storage-s3-secret-key", TOKEN,
        "--directory", str(home), f"--configfile={home}/mine.yaml",
    ]  # fmt: skip
    settings = {"key": {"hf_token": TOKEN}, "url": ADDRESS, "paths": [f"{home}/x", str(home)]}
    events.append(began(command, settings))
    line = events.LOG.read_text(encoding="utf-8")
    for word in (TOKEN, home.name, str(tmp_path), os.uname().nodename):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line), word
    [begun] = events.read()
    judge = 'jlce={"url": "http://host", "rank": 8}'
    assert begun.head.command[1:5] == ["--config", "api_key=…", judge, "tokens=512"]
    assert begun.head.command[-2:] == ["…", "--configfile=…/mine.yaml"]
    assert begun.head.config == {
        "key": {"hf_token": "…"}, "url": "http://host", "paths": ["…/x", "…"]
    }  # fmt: skip
    known = begun.head.variables
    assert (known["OMP_NUM_THREADS"], known["KENSHO_CACHE"]) == ("3", "…/cache")
    assert not {"HF_TOKEN", "PIP_INDEX_URL", "KENSHO_API_KEY", "NCCL_COMM_ID"} & {*known}
    assert "+seed: 2\n+api_key:…\n" in begun.head.diff


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("max_new_tokens", 48, 48),
        ("tokens", [512, 1024], [512, 1024]),
        ("token_counts", {"tokenizers": ["gpt2"]}, {"tokenizers": ["gpt2"]}),
        ("tokenizer", "gpt2", "gpt2"),
        ("pad_token", 2, 2),
        ("hf_token", "abc", "…"),
        ("HF_TOKEN", "abc", "…"),
        ("accessToken", "abc", "…"),
        ("api_keys", ["abc"], "…"),
        ("password", {"of": "abc"}, "…"),
    ],
)
def test_counts_of_tokens_are_no_secrets(name, value, shown):
    assert record.shown({name: value}) == {name: shown}
    assert record.text(f"{name} = 12") == f"{name} = 12"


def test_profiles_are_files_of_the_configuration(folder):
    Path("local/partitions.yaml").touch()
    options = argparse.Namespace(profile=["local"], workflow_profile="none")
    assert [*map(record.place, head.profiles(options))] == [
        "local/config.yaml", "local/partitions.yaml"
    ]  # fmt: skip
    options = argparse.Namespace(profile=None, workflow_profile=None)
    assert head.profiles(options) == []


# --- jobs and the end


def run(rule, error=None):
    """A job of the head that began last."""
    try:
        with job(snakemake(rule)):
            if error:
                raise error
    except SystemExit:
        pass


def start(monkeypatch):
    begun = began()
    monkeypatch.setenv(events.RUN, begun.run)
    events.append(begun)
    return begun.run


def test_jobs_and_ends_belong_to_their_head(monkeypatch):
    first = start(monkeypatch)
    run("train", ValueError("it broke"))
    run("fetch", ValueError("no place has it"))
    events.append(head.ended(1, events.read()))
    second = start(monkeypatch)
    run("provenance")
    events.append(head.ended(0, events.read()))
    third = start(monkeypatch)  # and is killed
    past = events.read()
    ends = [(each.run, each.exit, each.cause) for each in past if each.event == "ended"]
    assert ends == [(first, 1, "rule train failed: it broke (and 1 more)"), (second, 0, "")]
    assert [each.run for each in past if each.event == "run"] == [first, second, third]
    assert {each.run for each in past if each.rule in ("train", "fetch")} == {first}
    # no later head, whatever its target, takes the failures of an earlier one away, or for its own
    assert events.failures([each for each in past if each.run == first])[0].endswith("it broke")
    assert events.of_last_run(past) == []
    printed = [line.split("\t")[1:] for line in events.execution_log(past)]
    assert ["ended", "", ends[0][2]] == [printed[5][0], printed[5][1], printed[5][3]]
    assert len(printed) == len(past) - 1  # `installed` is for programs


def test_the_cause_of_an_end_without_a_failed_job_is_said_to_be_another(monkeypatch):
    start(monkeypatch)
    ended = head.ended(1, events.read())
    assert ended.cause.startswith("interrupted, or stopped by Snakemake") and ended.seconds >= 0


def test_what_a_straggler_of_an_earlier_head_says_is_not_of_this_one(monkeypatch):
    first = start(monkeypatch)
    start(monkeypatch)
    monkeypatch.setenv(events.RUN, first)
    run("train", ValueError("too late"))
    assert events.of_last_run(events.read()) == []


def test_an_environment_is_listed_once(monkeypatch):
    run("train")
    run("train")
    [installed] = events.read(events.LOG, "installed")
    assert installed.packages["pydantic"] and len(installed.packages) > 10
    assert record.installed([installed]) is None
    other = Event("installed", installed.time, environment={"sha256": "0"})
    assert record.installed([other]).environment == installed.environment


LOOKS = """
import time
from snakemake.scheduling.job_scheduler import JobScheduler
from kensho.run import head

JobScheduler._schedule_reevalutation = head.spaced(JobScheduler._schedule_reevalutation)
select, began = JobScheduler.job_selector, time.monotonic()

def counted(self, jobs):
    with open("looks", "a") as file:
        print(time.monotonic() - began, file=file)
    return select(self, jobs)

JobScheduler.job_selector = counted

rule all:
    input: expand("out/{n}", n=range(12))

rule one:
    output: "out/{n}"
    shell: "sleep 0.5; touch {output}"
"""


def test_looks_at_what_is_ready_do_not_multiply(tmp_path):
    (tmp_path / "Snakefile").write_text(LOOKS, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=120)
    looks = (tmp_path / "looks").read_text().splitlines()
    # one at the beginning, one as each job begins and ends, one a second
    assert len(looks) <= 1 + 2 * 13 + float(looks[-1])
