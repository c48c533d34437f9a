# Writes slowly, line by line, so that it can be interrupted in the middle; the last line is `end`.
# What it has written it says in journal.txt, and who is writing in writers/.
import os
import time
from contextlib import nullcontext
from pathlib import Path

from kensho.files import replacing
from kensho.run.job import job

LINES = 20

with job(snakemake):
    params, output = snakemake.params, snakemake.output[0]
    name = Path(output).stem
    for path in snakemake.input:
        if not Path(path).read_text().endswith("end\n"):
            raise ValueError(f"{path}: torn")
    if Path("refused", name).exists():
        raise ValueError(f"{name} is refused")
    Path("writers").mkdir(exist_ok=True)
    with replacing(f"writers/{name}") as temporary:
        temporary.write_text(f"{os.environ.get('SLURM_JOB_ID')} {os.getpid()}\n")
    filling = "." * (params.kilobytes * 1000 // LINES)
    place = nullcontext(output) if params.in_place else replacing(output)
    with place as temporary, open(temporary, "w") as file:
        devices = os.environ.get("ROCR_VISIBLE_DEVICES")
        file.write(f"runtime {snakemake.resources.runtime}, devices {devices}\n")
        for _ in range(LINES):
            time.sleep(params.seconds / LINES)
            file.write(filling + "\n")
            file.flush()
        file.write("end\n")
    with open("journal.txt", "a") as journal:
        journal.write(f"{name}\n")
