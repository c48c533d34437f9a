import torch
from kensho.data.corpus import read_table
from kensho.files import replacing, write_json
from kensho.models import cards, reference
from kensho.models.loading import compute_dtype
from kensho.run.job import job, paths
from kensho.train import strategy
from kensho.train.analysis import analyse

with job(snakemake):
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, paths(snakemake.input)
    base, tables = reference.base(files["model"]), strategy.read(files["tables"])
    card = cards.of_model(base.folder, base.name)
    strategy.require_planned(card, "strategy.model")
    train, test = read_table(files["train"]), read_table(files["test"])
    dtype = compute_dtype(params.dtype)
    analysed = analyse(base, train, test, params.scored, dtype)
    decision = strategy.decide(analysed, card, params.task, tables)
    write_json(snakemake.output.analysis, vars(analysed) | {"reasons": decision.reasons})
    with replacing(snakemake.output.recipe) as path:
        path.write_text(strategy.recipe(analysed, decision), encoding="utf-8")
