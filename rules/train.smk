# One training per arm and seed, in a process of its own (the unit of replication).


def training_samples(wildcards):
    """Training table of an arm."""
    augmented = ARMS[wildcards.arm].corpus == "augmented"
    return "results/data/train_augmented.csv" if augmented else "results/data/train.csv"


rule train:
    """LoRA or full fine-tuning; resumes from its own checkpoints after a kill."""
    input:
        base=f"results/models/{CONFIG.train.base}",
        record=f"results/models/{CONFIG.train.base}.json",
        samples=training_samples,
    output:
        model=directory("results/train/{arm}/seed{seed}/model"),
        steps="results/train/{arm}/seed{seed}/steps.csv",
        record="results/train/{arm}/seed{seed}/record.json",
    log:
        "logs/train/{arm}/seed{seed}.log",
    benchmark:
        "logs/benchmarks/train/{arm}/seed{seed}.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        arm=lambda w: ARMS[w.arm].model_dump(),
        schedule=CONFIG.train.model_dump(exclude={"base", "arms", "seeds"}),
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("train/train.py", "models"),
    script:
        "../workflow/scripts/train/train.py"
