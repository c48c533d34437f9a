import shutil
from pathlib import Path

import torch
from kensho.data.corpus import read_table
from kensho.files import sha256, write_table
from kensho.models import reference
from kensho.models.loading import compute_dtype
from kensho.observations import environment
from kensho.part import resolve
from kensho.run.job import job
from kensho.run.registration import registered
from kensho.train import launch, record
from kensho.train.run import Training

with job(snakemake) as fallbacks:
    claims = registered("training")
    torch.set_num_threads(snakemake.threads)
    params, wildcards, inputs = snakemake.params, snakemake.wildcards, snakemake.input
    settings, schedule, seed = dict(params.stage), dict(params.schedule), int(wildcards.seed)
    dtype = compute_dtype(schedule.pop("dtype"))
    schedule["batch_size"] = settings["batch_size"] or schedule["batch_size"]
    method = resolve(params.method_code).of(settings["method"])
    if method.name != (named := settings["method"]["name"]):
        raise ValueError(f"{params.method_code} is method {method.name}, not {named}; name it so")
    earlier = inputs.get("reference")
    model = reference.base(inputs.model)
    base = reference.read(earlier) if earlier else reference.Reference.of_base(model)
    output = Path(snakemake.output.model)
    checkpoints = output.parent.parent / f"seed{seed}.checkpoints"  # undeclared: a rerun resumes
    training = Training(
        name=f"{wildcards.arm} {wildcards.stage} seed {seed}",
        method=method,
        learning_rate=settings["learning_rate"],
        rank=settings["method"].get("rank"),
        targets=settings["method"].get("targets"),
        dtype=dtype,
        seed=seed,
        code=params.code,
        settings=settings,
        accumulation=settings["accumulation"],
        checkpointing=settings["checkpointing"],
        chat=model.chat,
        **schedule,
    )
    samples = read_table(inputs.samples).head(settings["samples"])  # in random order already
    call = (base, samples, output, checkpoints, training)
    processes = launch.given(snakemake.resources, snakemake.threads)
    steps, measured = launch.run(params.code_of, call, checkpoints, processes)
    write_table(snakemake.output.steps, steps.assign(arm=wildcards.arm, seed=seed))
    adapter = None if method.whole else method.name
    trained = base.trained(output, adapter, weights=measured.weights, compute=measured.dtype)
    reference.write(snakemake.output.reference, trained)
    record.write(
        snakemake.output.record,
        {
            "arm": wildcards.arm,
            "number": int(wildcards.number),
            "stage": wildcards.stage,
            "settings": settings,
            "seed": seed,
            "samples_sha256": sha256(inputs.samples),
            "data": {
                "name": settings["corpus"],
                "items": min(len(samples), training.samples),
                "of": len(samples),
                "sha256": sha256(inputs.samples),
            },
            "base": model.model_dump(),
            "threads": snakemake.threads,
            "fallbacks": fallbacks,
            "registered": claims,
            **measured.model_dump(),
            **environment(),
        },
    )
    shutil.rmtree(checkpoints)  # not before: nothing of a training is lost to a disk that is full
