from pathlib import Path

from kensho.files import read_json, write_json, write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats import withheld
from kensho.stats.leaderboard import ranking, scores

with job(snakemake):
    params, origins = snakemake.params, read_json(snakemake.input.origins)
    files = [path for path in snakemake.input.observations if path.endswith(".csv")]
    tables = {Path(path).stem: read(path)[0] for path in files}
    main = {task: entry["main"] for task, entry in origins["tasks"].items()}
    baselines = {task: origins["kinds"][entry["kind"]] for task, entry in origins["tasks"].items()}
    write_table(snakemake.output.scores, scores(tables, main, baselines, seed=params.seed))
    write_json(snakemake.output.ranking, ranking(tables, seed=params.seed, draws=params.draws))
    write_table(snakemake.output.withheld, withheld.compare(tables))
