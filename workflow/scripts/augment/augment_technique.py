from kensho.augment import bunsetsu, politeness, synonyms
from kensho.data.corpus import read_table, write_table
from kensho.data.sources import fetched
from kensho.linguistics import sudachi
from scripts.job import job

with job(snakemake):
    fetched(snakemake.input.dictionary)  # the dictionary that the technique reads is the pinned one
    samples = read_table(snakemake.input.train)
    sudachi.check(samples["ja"], snakemake.input.train, first=2)
    settings = {"seed": snakemake.params.seed, **snakemake.params.technique}
    match snakemake.wildcards.technique:
        case "synonyms":
            attested = read_table(snakemake.input.attested)["ja"]
            sudachi.check(attested, snakemake.input.attested, first=2)
            words = synonyms.inventory(attested)
            found = synonyms.variants(samples, words=words, **settings)
        case "bunsetsu":
            found = bunsetsu.variants(samples, limit=snakemake.params.limit, **settings)
        case "politeness":
            found = politeness.variants(samples, **settings)
    write_table(snakemake.output.variants, found)
