# The augmentation techniques, the selection of what they offer, and the meaning guard.
MIXED = CONFIG.augmentation.techniques


rule augment_technique:
    """Variants of the training samples by one technique."""
    input:
        unpack(lambda w: INPUTS.technique(w.technique)),
        train="results/data/train.csv",
        records=lambda w: source_records(TECHNIQUES[w.technique].sources),
    output:
        variants="results/data/augmented/{technique}.csv",
    log:
        "logs/augment_technique/{technique}.log",
    benchmark:
        "logs/benchmarks/augment_technique/{technique}.tsv"
    wildcard_constraints:
        technique="|".join(TECHNIQUES),
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        lambda w: environment(TECHNIQUES[w.technique].needs.environment)
    threads: lambda w: threads(TECHNIQUES[w.technique])
    resources:
        **DIRECTIVES.resources_of(TECHNIQUES, "technique"),
    params:
        code_of=lambda w: TECHNIQUES[w.technique].code,
        settings=lambda w: getattr(CONFIG.augmentation, w.technique).model_dump(),
        guard=lambda w: GUARD.code if TECHNIQUES[w.technique].guarded else None,
        limit=PLAN.variants_wanted,
        seed=CONFIG.seed,
        code=lambda w: digest_of_part("technique.py", *guarded(TECHNIQUES[w.technique])),
    script:
        "../workflow/scripts/technique.py"


rule augment:
    """Drop unchanged, repeated and test-leaking variants, fill the target, count (F-6)."""
    input:
        train="results/data/train.csv",
        test="results/data/test.csv",
        variants=expand("results/data/augmented/{technique}.csv", technique=MIXED),
        models=[path for name in MIXED for path in INPUTS.technique(name).get("models", [])],
        guard=["results/data/guard.json"] if any(TECHNIQUES[one].guarded for one in MIXED) else [],
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
        techniques=[TECHNIQUES[name].title for name in MIXED],
        code=code("augment/augment.py", "data"),
    script:
        "../workflow/scripts/augment/augment.py"
