import torch
from kensho.data.corpus import read_table
from kensho.evaluate import noise
from kensho.evaluate.arms import replicates
from kensho.evaluate.engines import opened
from kensho.evaluate.lm import Backend
from kensho.files import write_json
from kensho.models import reference
from kensho.models.engine import read as read_engine
from kensho.models.loading import compute_dtype
from kensho.run.job import job

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    torch.set_num_threads(snakemake.threads)
    dtype, base = compute_dtype(params.dtype), reference.base(files.model)
    ((_, model),) = replicates(files.model, [], [0])
    settings = {"threads": snakemake.threads, "batch_size": noise.BATCHES[0]}
    engine = read_engine(files.get("engine"))
    with opened(model, dtype, engine, Backend, **settings) as (lm, _):
        measures = noise.measured(lm, read_table(files.test), chat=base.chat, seed=params.seed)
    named = {"model": base.name, "dtype": str(dtype).removeprefix("torch.")}
    write_json(snakemake.output[0], {**named, **measures})
