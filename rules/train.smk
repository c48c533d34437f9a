# One job per arm, stage and seed, in a process of its own (the unit of replication).
TRAINED = "results/train/{arm}/{number}-{stage}/seed{seed}"
TRAINING = DIRECTIVES.resources_of(STAGES, "stage")


rule train_stage:
    """One stage of an arm by one method; resumes from its own checkpoints after a kill."""
    input:
        unpack(INPUTS.begun_with),
        samples=INPUTS.samples,
        sampled=INPUTS.sampled_by,
        corpus=INPUTS.corpus,
    output:
        model=directory(f"{TRAINED}/model"),
        reference=f"{TRAINED}/model.json",
        steps=f"{TRAINED}/steps.csv",
        record=f"{TRAINED}/record.json",
    log:
        "logs/train_stage/{arm}/{number}-{stage}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/train_stage/{arm}/{number}-{stage}/seed{seed}.tsv"
    wildcard_constraints:
        arm=any_of(INPUTS.arms),
        number=r"[1-9]\d*",
        stage=any_of(STAGES),
        seed=any_of(map(str, CONFIG.train.seeds)),
    conda:
        lambda w: environment(STAGES[w.stage].needs.environment)
    threads: lambda w: threads(STAGES[w.stage])
    resources:
        **(
            TRAINING
            | DIRECTIVES.placed(
                "train_stage", lambda w: f"{w.arm}/{w.number}-{w.stage}", TRAINING["mem_mb"]
            )
        ),
    params:
        stage=lambda w: INPUTS.stage(w).model_dump(),
        code_of=lambda w: STAGES[w.stage].code,
        method_code=lambda w: method.code if (method := INPUTS.method(w)) else None,
        held_out=INPUTS.held_out,
        schedule=INPUTS.schedule,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=lambda w: digest_of_part(
            "train_stage.py", STAGES[w.stage], *filter(None, [INPUTS.method(w)])
        ),
    script:
        "../workflow/scripts/train_stage.py"


rule preferences:
    """The corpus's translations, each with one to reject that follows from the corpus."""
    input:
        train="results/data/train.csv",
        variants=lambda w: (
            [f"results/data/augmented/{w.rejected}.csv"] if w.rejected in TECHNIQUES else []
        ),
    output:
        pairs="results/data/preferences/{rejected}.csv",
        drops="results/data/preferences/{rejected}.drops.csv",
    log:
        "logs/preferences/{rejected}.log",
    wildcard_constraints:
        rejected=r"[a-z_]+",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        held_out=CONFIG.train.validation,
        code=code("train/preferences.py", "data"),
    script:
        "../workflow/scripts/train/preferences.py"


rule sampled_preferences:
    """The same with what the model that a stage begins with samples itself."""
    input:
        unpack(INPUTS.begun_with),
        train="results/data/train.csv",
    output:
        pairs=f"{TRAINED}.preferences.csv",
        drops=f"{TRAINED}.preferences.drops.csv",
        record=f"{TRAINED}.preferences.json",
    log:
        "logs/sampled_preferences/{arm}/{number}-{stage}/seed{seed}.log",
    wildcard_constraints:
        arm=any_of(INPUTS.arms),
        number=r"[1-9]\d*",
        stage=any_of(STAGES),
        seed=any_of(map(str, CONFIG.train.seeds)),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        samples=INPUTS.sampled,
        held_out=CONFIG.train.validation,
        batch=INPUTS.batch,
        dtype=CONFIG.train.dtype,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("train/sampled_preferences.py", "models"),
    script:
        "../workflow/scripts/train/sampled_preferences.py"


rule observe_training:
    """Memory, speed and parameters of an arm's trainings, which need no evaluation."""
    input:
        lambda w: INPUTS.trained(w.arm, INPUTS.seeds(w.arm), "record.json", last=False),
    output:
        observation_files("training", ["{arm}"]),
    log:
        "logs/observe_training/{arm}.log",
    wildcard_constraints:
        arm=any_of(INPUTS.arms),
    conda:
        "../envs/stats.yaml"
    params:
        code=code("observe_training.py", "stats"),
    script:
        "../workflow/scripts/observe_training.py"
