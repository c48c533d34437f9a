import torch
from kensho.evaluate.arms import conditions, replicates
from kensho.evaluate.engines import opened
from kensho.evaluate.lm import Backend
from kensho.fallback import lowered
from kensho.files import read_json, write_json, write_lines
from kensho.jlce.preference import imitations
from kensho.judging import items
from kensho.judging.answers import written
from kensho.models import reference
from kensho.models.engine import read as read_engine
from kensho.models.loading import compute_dtype
from kensho.observations import environment
from kensho.run.job import job

with job(snakemake) as fallbacks:
    files, params = snakemake.input, snakemake.params
    torch.set_num_threads(snakemake.threads)
    dtype, base = compute_dtype(params.dtype), reference.base(files.model)
    asked = [
        item for item in items.read(files.asked) if item.direction or not params.translations_alone
    ]
    ((_, model),) = replicates(files.model, files.get("references", []), params.seeds)
    settings = {"threads": snakemake.threads, "batch_size": params.batch_size}
    with opened(model, dtype, read_engine(files.get("engine")), Backend, **settings) as (lm, by):
        answers = written(
            lm,
            asked,
            chat=base.chat,
            seed=params.seed,
            limits=(params.max_new_tokens, params.max_answer_tokens),
            instructions=params.instructions,
        )
    write_lines(snakemake.output.answers, answers.to_dict("records"))
    origins = read_json(files.origins)
    made = conditions(
        files.model,
        files.get("records", []),
        dtype=dtype,
        threads=snakemake.threads,
        not_tested=[f"{name}: {why}" for name, why in origins["left_out"].items()],
        asked=origins["asked"],
        served=[by],
    )
    instructions = dict(params.instructions) if base.chat else {}
    made["deviations"] += imitations(snakemake.wildcards.arm, answers["answer"])
    made["own"] = {**made["own"], "instructions": instructions, "origins": origins["origins"]}
    made = {**lowered(made, fallbacks, "reference"), **environment()}
    write_json(snakemake.output.conditions, made)
