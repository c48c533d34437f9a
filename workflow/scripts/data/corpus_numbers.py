from kensho.data import missing
from kensho.files import write_json, write_table
from kensho.run.job import job

with job(snakemake):
    shares, numbers = missing.read(snakemake.input.documents, snakemake.params.numbers)
    write_table(snakemake.output.missing, shares)
    write_json(snakemake.output.test, missing.little(numbers.to_numpy())._asdict())
    write_table(snakemake.output.imputed, missing.beside(numbers))
