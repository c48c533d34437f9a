from pathlib import Path

from kensho.files import replacing
from kensho.report.translation import Catalogue, translated
from kensho.run.job import job

with job(snakemake):
    catalogue = Catalogue.read(snakemake.input.catalogue)
    page = Path(snakemake.input.page).read_text(encoding="utf-8")
    with replacing(snakemake.output.html) as temporary:
        text = translated(page, catalogue, snakemake.wildcards.language)
        temporary.write_text(text, encoding="utf-8")
