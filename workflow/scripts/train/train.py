import json
import shutil
from pathlib import Path

import torch
from kensho.data.corpus import read_table
from kensho.files import sha256, write_json
from kensho.models.loading import compute_dtype
from kensho.observations import environment, write_table
from kensho.train.sft import train
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("adaptation")  # whose memory and speed are observed here
    torch.set_num_threads(snakemake.threads)
    arm, schedule = dict(snakemake.params.arm), dict(snakemake.params.schedule)
    name, corpus, kept = arm.pop("name"), arm.pop("corpus"), arm.pop("samples")
    seed = int(snakemake.wildcards.seed)
    dtype = compute_dtype(schedule.pop("dtype"))
    output = Path(snakemake.output.model)
    checkpoints = output.parent.parent / f"seed{seed}.checkpoints"  # undeclared: a rerun resumes
    steps, record = train(
        Path(snakemake.input.base),
        read_table(snakemake.input.samples).head(kept),  # in random order already
        output,
        checkpoints,
        name=f"{name} seed {seed}",
        dtype=dtype,
        seed=seed,
        code=snakemake.params.code,
        **arm,
        **schedule,
    )
    write_table(snakemake.output.steps, steps.assign(arm=name, seed=seed))
    made = {
        "arm": name,
        "seed": seed,
        "corpus": corpus,
        "samples": kept,
        "samples_sha256": sha256(snakemake.input.samples),
        "base": json.loads(Path(snakemake.input.record).read_text(encoding="utf-8")),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": snakemake.threads,
        "fallbacks": fallbacks,
        "registered": claims,
    }
    write_json(snakemake.output.record, {**made, **record, **environment()})
    shutil.rmtree(checkpoints)  # not before: nothing of a training is lost to a disk that is full
