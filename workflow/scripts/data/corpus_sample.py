from kensho.data import mixtures
from kensho.files import write_table
from kensho.run.job import job

with job(snakemake):
    params, name = snakemake.params, snakemake.wildcards.corpus
    sample = mixtures.lowest(snakemake.input.documents, params.documents, params.seed, name)
    write_table(snakemake.output.sample, sample)
