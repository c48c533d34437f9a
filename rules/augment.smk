# Three augmentation techniques and the selection of what they offer.


rule augment_technique:
    """Variants of the training samples by one technique."""
    input:
        train="results/data/train.csv",
        attested="results/data/attested.csv",
        dictionary="results/sources/sudachidict-core/record.json",
        verbs="resources/linguistics/lexical_verbs.csv",
    output:
        variants="results/data/augmented/{technique}.csv",
    log:
        "logs/augment_technique/{technique}.log",
    benchmark:
        "logs/benchmarks/augment_technique/{technique}.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        technique=lambda w: getattr(CONFIG.augmentation, w.technique).model_dump(),
        limit=(CONFIG.augmentation.target - CONFIG.data.train) // 2,
        seed=CONFIG.seed,
        code=code("augment/augment_technique.py", "data"),
    script:
        "../workflow/scripts/augment/augment_technique.py"


rule augment:
    """Drop unchanged, repeated and test-leaking variants, fill the target, count (F-6)."""
    input:
        train="results/data/train.csv",
        test="results/data/test.csv",
        variants=expand("results/data/augmented/{technique}.csv", technique=TECHNIQUES),
    output:
        samples="results/data/train_augmented.csv",
        counts="results/data/augmentation.csv",
        observations=observation_files("augmentation", ["original", "augmented"]),
    log:
        "logs/augment.log",
    benchmark:
        "logs/benchmarks/augment.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        target=CONFIG.augmentation.target,
        threshold=CONFIG.data.near_duplicate,
        seed=CONFIG.seed,
        code=code("augment/augment.py", "data"),
    script:
        "../workflow/scripts/augment/augment.py"
