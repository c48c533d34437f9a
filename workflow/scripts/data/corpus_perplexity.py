import pandas as pd
import torch
from kensho.evaluate import perplexity
from kensho.files import write_table
from kensho.models import reference
from kensho.models.loading import compute_dtype, load
from kensho.run.job import job

with job(snakemake):
    torch.set_num_threads(snakemake.threads)
    base = reference.base(snakemake.input.model)
    model, tokenizer = load(base.folder, compute_dtype(snakemake.params.dtype))
    sample = pd.read_csv(snakemake.input.sample, dtype=str, keep_default_na=False)
    write_table(snakemake.output.perplexity, perplexity.measured(model, tokenizer, sample))
