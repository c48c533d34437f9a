import os
import sys
from pathlib import Path

from kensho.data import hub
from kensho.data.sources import Source
from kensho.models import lock, rocm
from kensho.models.catalogue import Model
from kensho.paths import Paths, models
from kensho.run import preflight, slurm
from kensho.run.job import job

with job(snakemake):
    hub.online()
    params = snakemake.params
    catalogue = {name: Model.model_validate(m) for name, m in params.models.items()}
    locked, kept = lock.load()[0], models(Paths.model_validate(snakemake.config["paths"]))
    entries = {name: Source.model_validate(entry) for name, entry in params.sources.items()}
    accepted = {n: s for n, s in entries.items() if s.licence_class in params.licences}
    cache, results = Path(params.cache), Path("results")
    absent = (s for s in accepted.values() if not (cache / s.sha256).is_file())
    needs = {
        results: preflight.still_to_come(results, preflight.RESULTS_BYTES[params.scale]),
        Path(params.compiled): preflight.COMPILED_BYTES,
        cache: sum(2 * source.bytes for source in absent),  # the file and the package it is in
    }
    if to_fetch := preflight.bytes_of_hub(catalogue, locked, params.used, kept):
        needs[kept] = to_fetch
    partitions, instead = os.environ.get("KENSHO_PARTITIONS"), params.accelerator_fallback
    if partitions is not None:  # jobs run on the nodes of a cluster
        machine = slurm.preflight(
            Path(partitions) if partitions else None,
            snakemake.resources.get("slurm_account"),
            accelerator=params.accelerator,
            gpu_model=params.gpu_model,
            megabytes=params.largest_mb,
        ) + preflight.torch(params.accelerator, rocm.torch_build(), instead)
    else:
        machine = [
            preflight.memory(params.largest_mb * 10**6),
            *preflight.accelerator(params.accelerator, rocm.torch_build(), fallback=instead),
        ]
    findings = [
        preflight.Finding("configuration", "ok", f"scale {params.scale}, claims and cards valid"),
        *preflight.disk(needs),
        *machine,
        *preflight.licences(entries, params.licences, params.needed),
        *preflight.sources(
            accepted,
            params.needed,
            folder=results / "sources",
            cache=cache,
            mirror=Path(params.mirror) if params.mirror else None,
        ),
        *preflight.models(catalogue, locked, params.licences, params.used),
        *preflight.memory_plan(params.unfit, params.unplanned),
        *preflight.packages(),
    ]
    if params.accelerator == "rocm":
        findings += preflight.variables(rocm.load(Path(snakemake.input.variables)), os.environ)
    print(preflight.as_table(findings), file=sys.stderr)
    if count := sum(finding.state == "problem" for finding in findings):
        raise ValueError(f"{count} problem(s), see the table; nothing was run")
