"""The project, and a toy workflow with its profile, helpers of rules and job(), on a real SLURM."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CODE = ["rules", "workflow", "config", "envs", "profiles", "resources"]
PROFILE = "slurm-mi300x"
# The profile's own first look at the jobs is meant for jobs of minutes.
SOON = ["--slurm-init-seconds-before-status-checks", "1"]


def said_by(*command, timeout=30):
    """What a command writes; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    return done.stdout


def bring_up(*arguments):
    """Start the cluster, or what is missing of it."""
    done = subprocess.run(
        ["timeout", "-k", "10", "900", HERE / "up.sh", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout


class Head:
    """A running Snakemake and what it says."""

    def __init__(self, folder, arguments):
        self.log = folder / f"head-{time.time_ns()}.log"
        # SIGINT does what it does at a terminal, however the tests were started.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "snakemake"]
        with open(self.log, "w") as file:
            self.process = subprocess.Popen(
                [*command, "--profile", PROFILE, *SOON, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self):
        return self.log.read_text()

    def wait(self, timeout=600):
        """Its exit status; nothing may hang."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"hung for {timeout} s:\n{self.said[-6000:]}")

    def succeeds(self, timeout=600):
        assert self.wait(timeout) == 0, self.said
        return self


class Workflow:
    """A folder with the project's code that runs on the cluster."""

    def __init__(self, folder):
        self.folder = folder
        self.heads = []
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in CODE:
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
        for link in ROOT.iterdir():
            if link.is_symlink():
                (folder / link.name).symlink_to(os.readlink(link))
        shutil.copy2(ROOT / "Snakefile", folder)

    def start(self, *arguments):
        self.heads.append(Head(self.folder, arguments))
        return self.heads[-1]

    def planned(self, *arguments):
        """Job counts of a dry run by rule; empty where there is nothing to be done."""
        said = self.start("-n", *arguments).succeeds(120).said
        if "Nothing to be done" in said:
            return {}
        table = said.split("Job stats:")[1].split("\n\n")[0]
        return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+)$", table, re.M)}

    def queue(self):
        """States of its jobs in SLURM's queue by id."""
        rows = said_by("squeue", "--noheader", "--format=%i|%T|%Z").splitlines()
        found = (row.split("|", 2) for row in rows)
        return {job: state for job, state, place in found if place == str(self.folder)}

    def until(self, condition, what, timeout=180):
        """Wait for a condition; what it gives."""
        end = time.monotonic() + timeout
        while not (found := condition()):
            heads = "\n".join(head.said[-3000:] for head in self.heads[-1:])
            assert time.monotonic() < end, f"{timeout} s without {what}:\n{heads}"
            time.sleep(0.5)
        return found

    def until_idle(self, timeout=180):
        self.until(lambda: not self.queue(), "an empty queue", timeout)

    def clear(self):
        """End what still runs."""
        for head in self.heads:
            if head.process.poll() is None:
                head.process.kill()
        if jobs := self.queue():
            said_by("scancel", *jobs)
            self.until_idle(60)


class Toy(Workflow):
    """Slow writers: parts, a middle for each, all of them joined (toy/toy.smk)."""

    def __init__(self, folder):
        super().__init__(folder)
        (folder / "Snakefile").write_text(toy_snakefile())
        (folder / "workflow/scripts/toy").mkdir()
        shutil.copy2(HERE / "toy" / "write.py", folder / "workflow/scripts/toy")
        self.parts = 2
        self.set(parts=self.parts, seconds=3, kilobytes=1, in_place=False, rules={})
        self.claim_sources()

    def claim_sources(self):
        """Say that what the real workflow would fetch is here; the toy reads none of it."""
        config = yaml.safe_load((self.folder / "config/config.yaml").read_text())
        named = [config["data"]["source"], config["train"]["base"]]
        for name in [*named, *config["evaluate"]["references"]]:
            record = self.folder / "results/sources" / name / "record.json"
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text("{}")

    def set(self, **changes):
        """Change toy.yaml."""
        path = self.folder / "toy.yaml"
        held = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**held, **changes}))
        self.parts = changes.get("parts", self.parts)

    def output(self, name):
        return self.folder / "results/toy" / f"{name}.txt"

    def writer(self, name):
        """SLURM job and process that write an output, once they do."""
        path = self.folder / "writers" / name
        self.until(path.exists, f"a writer of {name}")
        job, process = path.read_text().split()
        return job, int(process)

    def written(self):
        """How often each output was written completely."""
        path = self.folder / "journal.txt"
        return Counter(path.read_text().split() if path.exists() else [])

    def torn(self):
        """Outputs that are there but not whole."""
        found = (self.folder / "results/toy").glob("*.txt")
        return [path.name for path in found if not path.read_text().endswith("end\n")]

    def expect_each_output_once(self):
        """All there and whole, none written twice, nothing to be done."""
        numbered = [f"{layer}-{n}" for layer in ("part", "middle") for n in range(self.parts)]
        assert self.written() == Counter([*numbered, "joined"])
        there = {path.name for path in (self.folder / "results/toy").glob("[!.]*")}
        assert there == {f"{name}.txt" for name in [*numbered, "joined"]}
        assert self.torn() == []
        assert self.planned() == {}

    def expect_precise_reruns(self):
        """The records of how outputs were made are complete: a changed setting reruns its rule."""
        said = self.start("-n").succeeds(120).said
        assert "missing provenance" not in said, said
        self.set(rules={"middle": {"seconds": 1}})
        planned = self.planned()
        assert planned == {"middle": self.parts, "joined": 1, "all": 1, "total": self.parts + 2}


def toy_snakefile():
    """The project's Snakefile with its configuration, helpers and handlers, and the toy's rules."""
    text = (ROOT / "Snakefile").read_text()
    head, _, rest = text.partition("\nwildcard_constraints:")
    for name in re.findall(r'include: "rules/(\w+\.smk)"', head):
        content = (ROOT / "rules" / name).read_text()
        if re.search(r"^rule ", content, re.M) and not re.search(r"^on\w+:", content, re.M):
            head = head.replace(f'include: "rules/{name}"\n', "")
    handlers = re.search(r"^on(start|error|success):.*", rest, re.M | re.S)
    return "\n".join([head, (HERE / "toy/toy.smk").read_text(), handlers[0] if handlers else ""])
