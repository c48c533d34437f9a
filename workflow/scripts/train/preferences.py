from kensho.data.corpus import read_table, write_table
from kensho.run.job import job
from kensho.train.preferences import damaged, neighbours
from kensho.train.tables import marked

with job(snakemake):
    samples = marked(read_table(snakemake.input.train), snakemake.params.held_out)
    if variants := snakemake.input.variants:
        made = damaged(samples, read_table(variants[0]))
    else:
        made = neighbours(samples)
    write_table(snakemake.output.pairs, made.table)
    write_table(snakemake.output.drops, made.drops)
