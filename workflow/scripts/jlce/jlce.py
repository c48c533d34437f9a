from pathlib import Path

import torch
from kensho.fallback import lowered
from kensho.files import read_json, write_lines
from kensho.jlce import harness, run
from kensho.jlce.arms import conditions, models
from kensho.models.loading import compute_dtype
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered(run.EXPERIMENT)
    torch.set_num_threads(snakemake.threads)
    given, arm = snakemake.params.settings, snakemake.wildcards.arm
    dtype = compute_dtype(snakemake.params.dtype)
    trained = [Path(path) for path in snakemake.input.get("trained", [])]
    records = [path for path in trained if path.suffix == ".json"]
    folders = [path for path in trained if path.suffix != ".json"] or [None]
    base = Path(snakemake.input.base)
    # An interrupted run goes on with what this very code was answered.
    journals = Path("results/jlce/journals", snakemake.params.code)
    limit = given["max_new_tokens"]
    samples = {
        seed: run.evaluate(
            *loaded,
            given["tasks"],
            folder=Path(snakemake.input.documents[0]).parent,
            templates=given["prompts"],
            batch_size=given["batch_size"],
            seed=snakemake.params.seed,
            journal=journals / f"{arm}-seed{seed}.jsonl",
            generation={"max_gen_toks": limit} if limit else None,
        )
        for seed, *loaded in models(
            base,
            dict(zip(snakemake.params.seeds, folders, strict=True)),
            method=snakemake.params.arm["method"],
            dtype=dtype,
        )
    }
    write_lines(snakemake.output.answers, run.answers(samples))
    kinds = read_json(snakemake.input.origins)["kinds"]
    described = conditions(base, records, dtype=dtype, threads=snakemake.threads, not_tested=[])
    described = lowered(described, fallbacks, "reference")
    described |= {"registered": claims, "items": kinds, **given}
    described |= {"thinking": harness.thinking(samples)}
    write(f"results/benchmark_data/{run.EXPERIMENT}", run.observations(arm, samples), described)
    for journal in journals.glob(f"{arm}-seed*.jsonl"):
        journal.unlink()
