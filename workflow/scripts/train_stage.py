import shutil
from pathlib import Path

import torch
from kensho.data.corpus import read_table
from kensho.files import read_json, sha256, write_json, write_table
from kensho.models import reference
from kensho.models.loading import compute_dtype
from kensho.observations import environment
from kensho.part import resolve
from kensho.run.job import job
from kensho.run.registration import registered
from kensho.train.run import Training

with job(snakemake) as fallbacks:
    claims = registered("training")
    torch.set_num_threads(snakemake.threads)
    given, wildcards = snakemake.params, snakemake.wildcards
    stage, schedule, seed = dict(given.stage), dict(given.schedule), int(wildcards.seed)
    dtype = compute_dtype(schedule.pop("dtype"))
    chosen = dict(stage["method"])
    method = resolve(given.method_code)
    earlier = snakemake.input.get("reference")
    base = reference.read(earlier) if earlier else reference.Reference.of(snakemake.input.model)
    output = Path(snakemake.output.model)
    checkpoints = output.parent.parent / f"seed{seed}.checkpoints"  # undeclared: a rerun resumes
    training = Training(
        name=f"{wildcards.arm} {wildcards.stage} seed {seed}",
        method=method,
        learning_rate=stage["learning_rate"],
        rank=chosen.get("rank"),
        targets=chosen.get("targets"),
        dtype=dtype,
        seed=seed,
        code=given.code,
        **schedule,
    )
    samples = read_table(snakemake.input.samples).head(stage["samples"])  # in random order already
    steps, record = resolve(given.code_of)(base, samples, output, checkpoints, training)
    write_table(snakemake.output.steps, steps.assign(arm=wildcards.arm, seed=seed))
    held = {"weights": record["weights"], "compute": record["dtype"]}
    trained = base.trained(output, None if method.whole else method.name, **held)
    reference.write(snakemake.output.reference, trained)
    made = {
        "arm": wildcards.arm,
        "number": int(wildcards.number),
        "stage": wildcards.stage,
        "settings": stage,
        "seed": seed,
        "samples_sha256": sha256(snakemake.input.samples),
        "base": read_json(snakemake.input.record),
        "threads": snakemake.threads,
        "fallbacks": fallbacks,
        "registered": claims,
    }
    write_json(snakemake.output.record, {**made, **record, **environment()})
    shutil.rmtree(checkpoints)  # not before: nothing of a training is lost to a disk that is full
