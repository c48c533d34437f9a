from kensho.files import read_json, replacing
from kensho.report import jlce
from kensho.run.job import job

with job(snakemake):
    inputs = snakemake.input
    names = ("scores", "ranking", "origins", "contamination", "observations")
    noise = read_json(inputs.noise) if inputs.get("noise") else None
    read = jlce.read(*(inputs[name] for name in names))
    page = jlce.build(**read, noise=noise, withheld=jlce.read_table(inputs.withheld, jlce.WITHHELD))
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
