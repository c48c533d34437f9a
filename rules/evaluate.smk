# lm-evaluation-harness on every arm, all seeds of an arm in one process.
from kensho.evaluate import catalogue as evaluation
from kensho.models import engine

CHOICE_TASKS = [name for name in CONFIG.evaluate.choice_tasks if name in ACCEPTED_SOURCES]


rule noise:
    """What changes where a model is asked one by one or many at once."""
    input:
        unpack(lambda w: INPUTS.evaluated("base", [0])),
        test="results/data/test.csv",
    output:
        "results/evaluation/noise.json",
    log:
        "logs/noise.log",
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **DIRECTIVES.placed("evaluate", lambda w: "base", memory(8000)),
        runtime=minutes(30),
    params:
        dtype=CONFIG.train.dtype,
        seed=CONFIG.seed,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("evaluate/noise.py", "models"),
    script:
        "../workflow/scripts/evaluate/noise.py"


rule engine:
    """Where vLLM is, or what takes its place."""
    output:
        engine.FILE,
    log:
        "logs/engine.log",
    conda:
        VLLM
    params:
        engine=CONFIG.engine,
        instead=CONFIG.engine_fallback,
        installed=engine.installed(),
        code=code("evaluate/engine.py", "vllm"),
    script:
        "../workflow/scripts/evaluate/engine.py"


rule evaluate:
    """Translation, NLL per character and, where their data can be had, JGLUE choices."""
    input:
        unpack(lambda w: INPUTS.evaluated(w.arm, INPUTS.seeds(w.arm))),
        test="results/data/test.csv",
        tasks=expand("results/sources/{source}/record.json", source=CHOICE_TASKS),
    output:
        samples="results/evaluation/{arm}/samples.jsonl",
        observations=observation_files("evaluation", ["{arm}"]),
        adaptation=observation_files("adaptation", ["{arm}"]),
    log:
        "logs/evaluate/{arm}.log",
    benchmark:
        "logs/benchmarks/evaluate/{arm}.tsv"
    wildcard_constraints:
        arm=any_of(PLAN.arms["evaluation"]),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **DIRECTIVES.placed("evaluate", lambda w: w.arm, memory(8000)),
        runtime=minutes(60),
    params:
        seeds=lambda w: INPUTS.seeds(w.arm),
        refused=[
            f"{name}: {INPUTS.unaccepted[name]}"
            for name in CONFIG.evaluate.choice_tasks
            if name in INPUTS.unaccepted
        ],
        evaluate=CONFIG.evaluate.model_dump(exclude={"references", "choice_tasks"}),
        dtype=CONFIG.train.dtype,
        seed=CONFIG.seed,
        tasks=[digest_of(path) for path in evaluation.files(CHOICE_TASKS)],
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("evaluate/evaluate.py", "models"),
    script:
        "../workflow/scripts/evaluate/evaluate.py"
