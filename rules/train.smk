# One job per arm, stage and seed, in a process of its own (the unit of replication).
TRAINED = "results/train/{arm}/{number}-{stage}/seed{seed}"
TRAINING = DIRECTIVES.resources_of(STAGES, "stage")


rule train_stage:
    """One stage of an arm by one method; resumes from its own checkpoints after a kill."""
    input:
        unpack(INPUTS.begun_with),
        samples=INPUTS.samples,
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
        method_code=lambda w: METHODS[INPUTS.stage(w).method.name].code,
        schedule=CONFIG.train.model_dump(exclude={"base", "arms", "seeds"}),
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=lambda w: digest_of_part(
            "train_stage.py", STAGES[w.stage], METHODS[INPUTS.stage(w).method.name]
        ),
    script:
        "../workflow/scripts/train_stage.py"


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
