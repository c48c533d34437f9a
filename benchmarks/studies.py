"""Minutes of each target of `make studies`, one after another, and the verdicts that each changes.

Give names of targets for some of them. Run it in the folder of a finished `make report`, with
nothing beside it: what an earlier target made is not made again, and is not in a later one's time.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import machine
from kensho.run import events

ANALYSES = Path("results/analysis")


def verdicts() -> dict[str, str]:
    analyses = [json.loads(path.read_text("utf-8")) for path in sorted(ANALYSES.glob("*.json"))]
    return {one["claim"]: f"{one['verdict']}: {one['sentence']}" for one in analyses}


def main(targets: list[str]) -> None:
    print(machine.describe(), flush=True)
    before = verdicts()
    for target in targets:
        past = len(events.read(events.LOG, "finished"))
        began = time.perf_counter()
        command = [sys.executable, "-m", "snakemake", "--profile", "local", "--quiet", "rules"]
        subprocess.run([*command, "--", target], check=True, stdout=subprocess.DEVNULL)
        minutes = (time.perf_counter() - began) / 60
        jobs = len(events.read(events.LOG, "finished")) - past
        print(f"{target}: {minutes:.1f} minutes, {jobs} jobs", flush=True)
        after = verdicts()
        for claim, verdict in after.items():
            if before.get(claim) != verdict:
                print(f"  {claim} {verdict}", flush=True)
        before = after


if __name__ == "__main__":
    studies = re.search(r"^STUDIES := (.*)$", Path("Makefile").read_text("utf-8"), re.M)
    main(sys.argv[1:] or studies[1].split())
