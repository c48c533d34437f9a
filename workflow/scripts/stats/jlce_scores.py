from pathlib import Path

from kensho.files import read_json, write_json, write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.leaderboard import ranking, scores

with job(snakemake):
    given, origins = snakemake.params, read_json(snakemake.input.origins)
    files = [path for path in snakemake.input.observations if path.endswith(".csv")]
    tables = {Path(path).stem: read(path)[0] for path in files}
    main = {task: found["main"] for task, found in origins["tasks"].items()}
    baselines = {task: origins["kinds"][found["kind"]] for task, found in origins["tasks"].items()}
    write_table(snakemake.output.scores, scores(tables, main, baselines, seed=given.seed))
    write_json(snakemake.output.ranking, ranking(tables, seed=given.seed, draws=given.draws))
