import shutil
from pathlib import Path

import torch
from kensho.files import read_json, write_table
from kensho.models import reference
from kensho.models.loading import compute_dtype
from kensho.observations import environment
from kensho.part import resolve
from kensho.run.job import job
from kensho.run.registration import registered
from kensho.train import launch, record, tables
from kensho.train.catalogue import STAGES
from kensho.train.methods import NONE
from kensho.train.run import Training

OWN = ("scheduler", "warm_up", "weight_decay", "learned", "packing")
WITHOUT_STEPS = {
    **{"steps": 0, "batch_size": 0, "max_length": 0, "checkpoint_every": 0},
    "dtype": "float32",
}

with job(snakemake) as fallbacks:
    claims = registered("training")
    torch.set_num_threads(snakemake.threads)
    params, wildcards, inputs = snakemake.params, snakemake.wildcards, snakemake.input
    settings, schedule, seed = dict(params.stage), dict(params.schedule), int(wildcards.seed)
    schedule = schedule or WITHOUT_STEPS
    dtype = compute_dtype(schedule.pop("dtype"))
    own = settings.get("method", {"name": NONE.name})
    method = resolve(params.method_code).of(own) if params.method_code else NONE
    if method.name != (named := own["name"]):
        raise ValueError(f"{params.method_code} is method {method.name}, not {named}; name it so")
    earlier = inputs.get("reference")
    model = reference.base(inputs.model)
    base = reference.read(earlier) if earlier else reference.Reference.of_base(model)
    output = Path(snakemake.output.model)
    checkpoints = output.parent.parent / f"seed{seed}.checkpoints"  # undeclared: a rerun resumes
    training = Training(
        name=f"{wildcards.arm} {wildcards.stage} seed {seed}",
        method=method,
        learning_rate=settings.get("learning_rate", 0.0),
        rank=own.get("rank"),
        targets=own.get("targets"),
        dtype=dtype,
        seed=seed,
        code=params.code,
        settings=settings,
        accumulation=settings.get("accumulation", 1),
        checkpointing=settings.get("checkpointing", False),
        chat=model.chat,
        trackers=snakemake.config["train"].get("trackers", ()),
        curves=f"logs/tensorboard/{wildcards.arm}/{wildcards.number}-{wildcards.stage}-seed{seed}",
        **{key: settings[key] for key in OWN if key in settings},
        **schedule,
    )
    most, corpus = settings.get("samples"), inputs.corpus
    kind = STAGES[wildcards.stage].data
    samples, of, digest, tested = tables.read(inputs.samples, most, params.held_out, corpus, kind)
    call = (base, samples, output, checkpoints, training)
    sampled = [line for path in inputs.sampled for line in read_json(path)["fallbacks"]]
    processes = launch.allocated(snakemake.resources, snakemake.threads)
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
            "samples_sha256": digest,
            "tested": tested,
            "data": {
                "name": settings.get("mixture") or settings["corpus"],
                "items": min(measured.read, int((~samples["held_out"]).sum())),
                "of": of,
                "sha256": digest,
            }
            if of
            else None,
            "base": model.described(),
            "threads": snakemake.threads,
            "fallbacks": [*dict.fromkeys([*sampled, *fallbacks])],
            "registered": claims,
            **measured.model_dump(),
            **environment(),
        },
    )
    shutil.rmtree(checkpoints)  # not before: nothing of a training is lost to a disk that is full
