import torch
from kensho.data.corpus import read_table, write_table
from kensho.files import write_json
from kensho.models import reference
from kensho.models.loading import compute_dtype, load_reference
from kensho.run.job import job
from kensho.train.sampling import sampled
from kensho.train.tables import marked

with job(snakemake) as fallbacks:
    torch.set_num_threads(snakemake.threads)
    params, inputs = snakemake.params, snakemake.input
    base = reference.base(inputs.model)
    earlier = inputs.get("reference")
    before = reference.read(earlier) if earlier else reference.Reference.of_base(base)
    model, tokenizer = load_reference(before, compute_dtype(params.dtype))
    made = sampled(
        model,
        tokenizer,
        marked(read_table(inputs.train), params.held_out, params.samples),
        chat=base.chat,
        batch=params.batch,
        seed=int(snakemake.wildcards.seed),
    )
    write_table(snakemake.output.pairs, made.table)
    write_table(snakemake.output.drops, made.drops)
    write_json(snakemake.output.record, {"fallbacks": fallbacks})
