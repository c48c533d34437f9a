from pathlib import Path

from kensho.data import mixtures
from kensho.files import write_table
from kensho.run.job import job

with job(snakemake):
    params, name = snakemake.params, snakemake.wildcards.mixture
    shards = {
        corpus: [Path(path) for path in snakemake.input if Path(path).parts[2] == corpus]
        for corpus in params.weights
    }
    drawn = mixtures.draw(
        shards, params.weights, size=params.size, unit=params.unit, seed=params.seed, mixture=name
    )
    mixtures.write(
        shards,
        drawn,
        [*map(Path, snakemake.output.documents)],
        seed=params.seed,
        mixture=name,
        scratch=snakemake.resources.tmpdir,
    )
    write_table(snakemake.output.counts, mixtures.counted(drawn))
