from kensho.data import corpus
from kensho.data.sources import fetched
from kensho.run.job import job

with job(snakemake):
    path, _ = fetched(snakemake.input.record)
    sentences = corpus.read_table(snakemake.input.attested)
    pairs = corpus.with_english(sentences, corpus.read_tatoeba(path))
    corpus.write_table(snakemake.output[0], pairs)
