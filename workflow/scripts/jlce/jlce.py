from pathlib import Path

import torch
from kensho.evaluate import harness
from kensho.evaluate.arms import conditions, replicates
from kensho.fallback import lowered
from kensho.files import read_json, write_lines
from kensho.jlce import run
from kensho.models.loading import compute_dtype
from kensho.observations import environment, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake) as fallbacks:
    claims = registered(run.EXPERIMENT)
    torch.set_num_threads(snakemake.threads)
    given, arm = snakemake.params.settings, snakemake.wildcards.arm
    dtype = compute_dtype(snakemake.params.dtype)
    files = snakemake.input
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
        for seed, *loaded in replicates(
            files.model, files.get("references", []), snakemake.params.seeds, dtype
        )
    }
    write_lines(snakemake.output.answers, run.answers(samples))
    kinds = read_json(snakemake.input.origins)["kinds"]
    described = conditions(
        files.record,
        files.get("records", []),
        dtype=dtype,
        threads=snakemake.threads,
        not_tested=[],
    )
    described = lowered(described, fallbacks, "reference")
    described |= {**environment(), "registered": claims, "items": kinds, "own": given}
    described |= {"thinking": harness.thinking(samples)}
    write(f"results/benchmark_data/{run.EXPERIMENT}", run.observations(arm, samples), described)
    for journal in journals.glob(f"{arm}-seed*.jsonl"):
        journal.unlink()
