"""Seconds of each rule of a finished run against those foreseen for it in an empty folder.

Give the folder of the run. The forecast is made by `snakemake budget` in a copy of it without its
results and events, on this processor now: run both on the same machine with nothing beside. With
the folder of another finished run as second argument, its events are in that copy.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kensho.run import events

LONG = 10  # seconds; shorter rules are shown and not counted
KEPT = ("Snakefile", "rules", "workflow", "config", "resources", "envs", "profiles")


def measured(folder: Path) -> dict[str, list[float]]:
    """Seconds of each finished job, by rule."""
    seconds: dict[str, list[float]] = {}
    for event in events.read(folder / events.LOG, "finished"):
        seconds.setdefault(event.rule, []).append(event.took)
    return seconds


def foreseen(folder: Path, earlier: Path | None) -> dict[str, float]:
    """Seconds of one job of each rule of the main job, by the events of an earlier run if given."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for name in KEPT:
            kind = shutil.copytree if (folder / name).is_dir() else shutil.copy
            kind(folder / name, copy / name)
        if earlier:
            (copy / events.LOG).parent.mkdir()
            shutil.copy(earlier / events.LOG, copy / events.LOG)
        command = [sys.executable, "-m", "snakemake", "--profile", copy / "profiles/local"]
        printed = subprocess.run(
            [*command, "--quiet", "all", "--", "budget"],
            cwd=copy, check=True, capture_output=True, text=True,
        ).stderr  # fmt: skip
    table = printed[printed.index("\nall\n") :].split("\n\n")[0]
    rows = re.finditer(r"^(\w+) +\d+ +(\d+\.\d) ", table, re.M)
    return {row[1]: float(row[2]) for row in rows}


def main(folder: Path, earlier: Path | None = None) -> None:
    there, ahead = measured(folder), foreseen(folder, earlier)
    factor = 1.3 if earlier else 2
    print(f"{'rule':22}{'jobs':>5}{'foreseen':>10}{'measured':>10}{'ratio':>8}")
    ratios, totals = [], [0.0, 0.0]
    for rule, seconds in there.items():
        if rule not in ahead:
            continue
        mean = sum(seconds) / len(seconds)
        totals = [totals[0] + ahead[rule] * len(seconds), totals[1] + sum(seconds)]
        print(f"{rule:22}{len(seconds):5}{ahead[rule]:10.1f}{mean:10.1f}{ahead[rule] / mean:8.2f}")
        if mean > LONG:
            ratios.append(ahead[rule] / mean)
    within = sum(1 / factor <= ratio <= factor for ratio in ratios)
    print(f"of {len(ratios)} rules over {LONG} s, {within} within a factor of {factor}")
    ahead_s, took_s = totals
    print(f"total: foreseen {ahead_s:.0f} s, measured {took_s:.0f} s, {ahead_s / took_s:.2f}")


if __name__ == "__main__":
    main(*(Path(folder).absolute() for folder in sys.argv[1:]))
