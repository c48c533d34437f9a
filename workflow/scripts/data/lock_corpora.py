import sys
from datetime import UTC, datetime

from kensho.data import hub, hub_datasets
from kensho.data.corpora import Corpus, load_lock
from kensho.run.job import job

with job(snakemake):
    hub.online()
    entries = {name: Corpus.model_validate(one) for name, one in snakemake.params.corpora.items()}
    date = f"{datetime.now(UTC):%F}"
    locked, lines = hub_datasets.renew(
        entries,
        load_lock()[0],
        snakemake.params.licences,
        lambda corpus: hub_datasets.resolve(corpus, date),
    )
    hub_datasets.write_lock(locked)
    print(*lines, sep="\n", file=sys.stderr)
