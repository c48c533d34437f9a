import os
import sys
from pathlib import Path

from kensho import preflight, slurm
from kensho.data.sources import Source
from kensho.models import rocm
from scripts.job import job

with job(snakemake):
    given = snakemake.params
    entries = {name: Source.model_validate(entry) for name, entry in given.sources.items()}
    accepted = {n: s for n, s in entries.items() if s.licence_class in given.licences}
    cache, results = Path(given.cache), Path("results")
    absent = (s for s in accepted.values() if not (cache / s.sha256).is_file())
    needs = {
        results: preflight.still_to_come(results, preflight.RESULTS_BYTES[given.scale]),
        Path(given.compiled): preflight.COMPILED_BYTES,
        cache: sum(2 * source.bytes for source in absent),  # the file and the package it is in
    }
    partitions, instead = os.environ.get("KENSHO_PARTITIONS"), given.accelerator_fallback
    if partitions is not None:  # jobs run on the nodes of a cluster
        machine = slurm.preflight(
            Path(partitions) if partitions else None,
            snakemake.resources.get("slurm_account"),
            accelerator=given.accelerator,
            gpu_model=given.gpu_model,
            megabytes=given.largest_mb,
        ) + preflight.torch(given.accelerator, rocm.torch_build(), instead)
    else:
        machine = [
            preflight.memory(given.largest_mb * 10**6),
            *preflight.accelerator(given.accelerator, rocm.torch_build(), fallback=instead),
        ]
    found = [
        preflight.Finding("configuration", "ok", f"scale {given.scale}, claims and cards valid"),
        *preflight.disk(needs),
        *machine,
        *preflight.licences(entries, given.licences, given.needed),
        *preflight.sources(
            accepted,
            given.needed,
            folder=results / "sources",
            cache=cache,
            mirror=Path(given.mirror) if given.mirror else None,
        ),
        *preflight.packages(),
    ]
    if given.accelerator == "rocm":
        found += preflight.variables(rocm.load(Path(snakemake.input.variables)), os.environ)
    print(preflight.as_table(found), file=sys.stderr)
    if count := sum(finding.state == "problem" for finding in found):
        raise ValueError(f"{count} problem(s), see the table; nothing was run")
