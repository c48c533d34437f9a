from pathlib import Path

from kensho.files import read_json, write_json, write_table
from kensho.observations import read
from kensho.run.job import job
from kensho.stats import withheld
from kensho.stats.leaderboard import scores
from kensho.stats.ranking import ranking

with job(snakemake):
    params, origins = snakemake.params, read_json(snakemake.input.origins)
    files = [path for path in snakemake.input.observations if path.endswith(".csv")]
    tables = {Path(path).stem: read(path)[0] for path in files}
    main = {task: entry["main"] for task, entry in origins["tasks"].items()}
    baselines = {task: origins["kinds"][entry["kind"]] for task, entry in origins["tasks"].items()}
    write_table(snakemake.output.scores, scores(tables, main, baselines, seed=params.seed))
    documents = {task: origins["tasks"][task]["documents"] for task in params.ranked}
    ranked = ranking(tables, documents, seed=params.seed, draws=params.draws)
    write_json(snakemake.output.ranking, ranked)
    write_table(snakemake.output.withheld, withheld.compare(tables))
