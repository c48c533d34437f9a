"""What the workflow itself costs: seconds of a job beside its own work, and of planning everything.

A job that writes five bytes, one at a time: through our `job()` and the local profile, through
Snakemake's own `run:`, and the same script by plain python. The time of one job is the slope
between FEW and MANY jobs, so that starting Snakemake, which is paid once, is told apart. Then
`snakemake -n` of all targets at each scale, with nothing made yet. Nothing of the checkout is
changed.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import machine
import yaml

ROOT = Path(__file__).parents[1]
FEW, MANY, ROUNDS = 2, 12, 3
LIMIT = 10  # seconds of a plan
TARGETS = ["all", "benchmark", "jlce"]
PLAIN = "plain python"
SCRIPT = """
import sys
from pathlib import Path


def work(path):
    Path(path).write_text("done\\n")


if "snakemake" in globals():
    from kensho.run.job import job

    with job(snakemake):
        work(snakemake.output[0])
else:
    work(sys.argv[1])
"""
HEAD = """
from pathlib import Path

rule all:
    input:
        expand("out/{i}.txt", i=range(config["jobs"])),

rule work:
    output:
        "out/{i}.txt",
"""
SNAKEFILES = {
    "Kensho": HEAD + '    log:\n        "logs/{i}.log",\n    script:\n        "work.py"\n',
    "snakemake run": HEAD + '    run:\n        Path(output[0]).write_text("done\\n")\n',
}
PEERS = [*SNAKEFILES, PLAIN]


def called(command: list[str], folder: Path, **environment: str) -> tuple[float, str]:
    """Seconds of a command, and what it said. Raises SystemExit with that where it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout)
    return seconds, done.stdout


def seconds_of(peer: str, jobs: int) -> float:
    """Wall time of so many jobs in a fresh folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work.py").write_text(SCRIPT)
        files = [f"out/{i}.txt" for i in range(jobs)]
        if peer == PLAIN:
            (folder / "out").mkdir()
            taken = sum(called([sys.executable, "work.py", file], folder)[0] for file in files)
        else:
            (folder / "Snakefile").write_text(SNAKEFILES[peer])
            profile = ["--profile", str(ROOT / "profiles" / "local"), "--cores", "1"]
            settings = [
                "--configfile",
                str(ROOT / "config/config.yaml"),
                "--config",
                f"jobs={jobs}",
            ]
            command = [sys.executable, "-m", "snakemake", *profile, *settings]
            taken, _ = called(command, folder, PYTHONPATH=str(ROOT / "workflow"))
        assert all((folder / file).read_text() == "done\n" for file in files)
    return taken


def plan(folder: Path, scale: Path | None) -> tuple[float, int]:
    """Seconds of a dry run of all targets, and the jobs that it plans."""
    overlay = ["--configfile", str(scale.relative_to(ROOT))] if scale else []
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "-n", *overlay]
    places = {"KENSHO_CACHE": str(folder / "cache"), "KENSHO_MIRROR": ""}
    seconds, printed = called([*command, "--", *TARGETS], folder, **places)
    return seconds, int(re.search(r"^total +(\d+)$", printed, re.M)[1])


def workflow(folder: Path) -> None:
    """The workflow's code, and a record of each source, so that none is looked for."""
    for name in ("rules", "workflow", "config", "envs", "profiles", "resources"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy2(ROOT / "Snakefile", folder)
    (folder / "local").symlink_to("profiles/local")
    for source in yaml.safe_load((ROOT / "config/sources.yaml").read_text(encoding="utf-8")):
        record = folder / "results" / "sources" / source / "record.json"
        record.parent.mkdir(parents=True)
        record.touch()


def main() -> None:
    print(machine.describe())
    print(f"snakemake {version('snakemake')}, {FEW} and {MANY} jobs, median of {ROUNDS} rounds\n")
    taken = {(peer, jobs): [] for peer in PEERS for jobs in (FEW, MANY)}
    for _ in range(ROUNDS):  # in turns, so that drift cancels
        for peer, jobs in taken:
            taken[peer, jobs].append(seconds_of(peer, jobs))
    wall = {key: statistics.median(times) for key, times in taken.items()}
    each = {p: (wall[p, MANY] - wall[p, FEW]) / (MANY - FEW) for p in PEERS}
    for peer in PEERS:
        print(
            f"{peer:14} {1000 * each[peer]:6.0f} ms a job ({each[peer] / each[PLAIN]:.1f} x "
            f"{PLAIN}), {wall[peer, FEW] - FEW * each[peer]:.2f} s once"
        )
    print(f"\n`snakemake -n {' '.join(TARGETS)}`, median and slowest of {ROUNDS}")
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        workflow(Path(name))
        for scale in [None, *sorted((ROOT / "config" / "scales").glob("*.yaml"))]:
            runs = [plan(Path(name), scale) for _ in range(ROUNDS)]
            times = [seconds for seconds, _ in runs]
            print(
                f"{scale.stem if scale else 'embedded':10} {runs[0][1]:4} jobs "
                f"{statistics.median(times):5.1f} s {max(times):5.1f} s"
            )
            slowest = max(slowest, *times)
    if slowest >= LIMIT:
        raise SystemExit(f"a plan took {slowest:.1f} s, more than {LIMIT} s")


if __name__ == "__main__":
    main()
