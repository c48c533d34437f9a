from kensho.files import replacing
from kensho.report import jlce
from kensho.run.job import job

with job(snakemake):
    inputs = snakemake.input
    names = ("scores", "ranking", "origins", "contamination", "observations")
    page = jlce.build(**jlce.read(*(inputs[name] for name in names)))
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
