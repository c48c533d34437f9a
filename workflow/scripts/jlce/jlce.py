from pathlib import Path

import torch
from kensho.evaluate import harness
from kensho.evaluate.arms import conditions, replicates
from kensho.evaluate.engines import opened
from kensho.fallback import lowered
from kensho.files import read_json, write_lines
from kensho.jlce import run
from kensho.jlce.lm import KenshoLM
from kensho.models import reference
from kensho.models.engine import read as read_engine
from kensho.models.loading import compute_dtype
from kensho.observations import environment, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake) as fallbacks:
    claims = registered(run.EXPERIMENT)
    torch.set_num_threads(snakemake.threads)
    settings, arm = snakemake.params.settings, snakemake.wildcards.arm
    dtype = compute_dtype(snakemake.params.dtype)
    files = snakemake.input
    base = reference.base(files.model)
    # An interrupted run goes on with the answers to this very code.
    journals = Path("results/jlce/journals", snakemake.params.code)
    asked = {**settings, "chat": base.chat}
    batch = asked.pop("batch_size")
    samples, engines, engine = {}, [], read_engine(files.get("engine"))
    for seed, model in replicates(files.model, files.get("references", []), snakemake.params.seeds):
        with opened(
            model,
            dtype,
            engine,
            KenshoLM,
            threads=snakemake.threads,
            batch_size=batch,
            journal=journals / f"{arm}-seed{seed}.jsonl",
        ) as (lm, by):
            engines.append(by)
            samples[seed] = run.evaluate(
                lm,
                run.Settings(**asked),
                seed=snakemake.params.seed,
                folder=Path(files.documents[0]).parent,
            )
    write_lines(snakemake.output.answers, run.answers(samples))
    kinds = read_json(files.origins)["kinds"]
    observed = conditions(
        files.model,
        files.get("records", []),
        dtype=dtype,
        threads=snakemake.threads,
        not_tested=[],
        asked=[
            {"name": f"{kind} ({one['source']})", "items": one["test"], "of": one["of"]}
            for kind, one in kinds.items()
        ],
        served=engines,
    )
    observed = {
        **lowered(observed, fallbacks, "reference"),
        **environment(),
        "registered": claims,
        "items": kinds,
        "own": {**observed["own"], **asked, "batch_size": batch},
        "thinking": harness.thinking(samples),
        "bleu": run.bleu_signatures(samples),
    }
    write(f"results/benchmark_data/{run.EXPERIMENT}", run.observations(arm, samples), observed)
    for journal in journals.glob(f"{arm}-seed*.jsonl"):
        journal.unlink()
