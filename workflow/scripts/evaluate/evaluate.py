from pathlib import Path

import torch
from kensho.data.corpus import ran, read_table
from kensho.data.sources import fetched
from kensho.evaluate import harness
from kensho.evaluate.arms import conditions, replicates
from kensho.evaluate.catalogue import LIKELIHOOD, TRANSLATION
from kensho.evaluate.engines import opened
from kensho.evaluate.lm import Backend
from kensho.evaluate.scores import rows
from kensho.fallback import lowered
from kensho.models import reference
from kensho.models.engine import read as read_engine
from kensho.models.loading import compute_dtype
from kensho.observations import environment, table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake) as fallbacks:
    claims = {name: registered(name) for name in ("evaluation", "adaptation")}
    files = snakemake.input
    torch.set_num_threads(snakemake.threads)
    settings, arm = snakemake.params.evaluate, snakemake.wildcards.arm
    test, dtype = read_table(snakemake.input.test), compute_dtype(snakemake.params.dtype)
    tasks = [
        harness.task(LIKELIHOOD, test.head(settings["nll_items"])),
        harness.task(
            TRANSLATION,
            test.head(settings["translation_items"]),
            max_gen_toks=settings["max_new_tokens"],
        ),
    ]
    most = max(settings["nll_items"], settings["translation_items"])
    asked, unavailable = [ran(Path(files.test), most)], [*snakemake.params.refused]
    for record in snakemake.input.tasks:
        path, source = fetched(record)
        if path is None:
            unavailable.append(source["reason"])
        else:
            items = harness.read_items(path)
            used = items.head(settings["choice_items"])
            tasks.append(harness.task(source["name"], used))
            asked.append({"name": source["name"], "items": len(used), "of": len(items)})
    samples, engines, engine = {}, [], read_engine(files.get("engine"))
    for seed, model in replicates(files.model, files.get("references", []), snakemake.params.seeds):
        size, threads = settings["batch_size"], snakemake.threads
        with opened(model, dtype, engine, Backend, threads=threads, batch_size=size) as (lm, by):
            engines.append(by)
            samples[seed] = harness.run(
                lm, tasks, seed=snakemake.params.seed, chat=reference.base(files.model).chat
            )
    harness.write_logs(snakemake.output.samples, samples)
    per_item, per_seed = rows(arm, samples)
    shared = conditions(
        files.model,
        files.get("records", []),
        dtype=dtype,
        threads=snakemake.threads,
        not_tested=unavailable,
        asked=asked,
        served=engines,
    )
    shared = lowered(shared, fallbacks, "reference")
    shared |= {"thinking": harness.thinking(samples)}
    for name, observed in {"evaluation": per_item, "adaptation": per_seed}.items():
        made = {**shared, **environment(), "registered": claims[name]}
        write(f"results/benchmark_data/{name}", table(observed), made)
