from importlib import metadata

from kensho.files import replacing
from kensho.report import calibration
from kensho.run.job import job

VERSIONS = ("numpy", "scipy", "pingouin", "pymc", "nutpie", "arviz", "bambi")

with job(snakemake):
    meta = {
        "size": snakemake.wildcards.size,
        "engine": snakemake.params.engine,
        "versions": {name: metadata.version(name) for name in VERSIONS},
    }
    page = calibration.build(calibration.read(snakemake.input.tables), meta)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
