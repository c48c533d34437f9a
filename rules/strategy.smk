# Analysis of model, data and device, and the recipe that follows from it.
from kensho.models.catalogue import files as model_files

ADAPTED = CONFIG.strategy.model or CONFIG.train.base


rule strategy:
    """What the base, the corpus and this machine suggest to train with; trains nothing."""
    input:
        **model_files(ADAPTED, RUN.models),
        tables="config/strategy.yaml",
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        analysis="results/strategy/analysis.json",
        recipe="results/strategy/recipe.yaml",
    log:
        "logs/strategy.log",
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **DIRECTIVES.placed("evaluate", lambda w: "base", memory(8000)),
        runtime=minutes(30),
    params:
        task=CONFIG.strategy.task,
        scored=CONFIG.evaluate.nll_items,
        dtype=CONFIG.train.dtype,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("strategy.py", "models"),
    script:
        "../workflow/scripts/strategy.py"
