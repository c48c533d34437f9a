from pathlib import Path
from tempfile import TemporaryDirectory

from kensho.bench.run import Run, as_settings
from kensho.data.corpus import read_table
from kensho.domain import answers
from kensho.domain.arms import ANSWERS
from kensho.fallback import lowered
from kensho.files import write_lines
from kensho.judging import items
from kensho.models import reference
from kensho.observations import environment, table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake) as fallbacks, TemporaryDirectory(dir=snakemake.resources.tmpdir) as folder:
    claims, files, params = registered(ANSWERS), snakemake.input, snakemake.params
    name, settings = snakemake.wildcards.adapted, as_settings(params.settings)
    run = Run(Path(folder), threads=snakemake.threads, seed=params.seed)
    base, samples = reference.base(files.model), read_table(files.train)
    sentences = items.sentences(read_table(files.test).head(settings.items))
    asked = [item for item in sentences if item.direction == "en-ja"]
    merged = answers.adapted(name, base, samples, settings, run.folder, params.seed)
    most = settings.max_new_tokens
    made = answers.answered(name, merged, asked, chat=base.chat, most=most, run=run)
    write_lines(snakemake.output.answers, made.written.to_dict("records"))
    learnt = min(settings.steps * settings.batch_size, len(samples))
    tables = {"train": (Path(files.train), learnt), "test": (Path(files.test), len(asked))}
    for arm, of in answers.conditions(name, base, made, tables, settings, run):
        own = table(row for row in made.rows if row.arm == arm)
        held = {**environment(), **lowered(of, fallbacks, "reference"), "registered": claims}
        write(f"results/benchmark_data/{ANSWERS}", own, held)
