# The augmentation techniques, the selection of what they offer, and the meaning guard.
MIXED = CONFIG.augmentation.techniques


rule augment_technique:
    """Variants of the training samples by one technique."""
    input:
        unpack(lambda w: INPUTS.technique(w.technique)),
        train="results/data/train.csv",
        records=lambda w: source_records(sources_of(CONFIG.augmentation, w.technique)),
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
        settings=lambda w: settings_of(CONFIG.augmentation, w.technique),
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


rule study_items:
    """Labelled items, or sentence pairs, on which augmentation is tried: a pool and tests (F-4)."""
    input:
        unpack(INPUTS.studied),
    output:
        splits="results/augmentation_study/{task}/splits.csv",
        sentences="results/augmentation_study/{task}/sentences.csv",
        counts="results/augmentation_study/{task}/items.json",
    log:
        "logs/study_items/{task}.log",
    wildcard_constraints:
        task=any_of(INPUTS.study_tasks),
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        settings=lambda w: INPUTS.study_sizes(w),
        seed=CONFIG.seed,
        code=code("augment/study_items.py", "data"),
    script:
        "../workflow/scripts/augment/study_items.py"


use rule augment_technique as study_variants with:
    input:
        unpack(lambda w: INPUTS.technique(w.technique)),
        train="results/augmentation_study/{task}/sentences.csv",
        records=lambda w: source_records(sources_of(CONFIG.augmentation, w.technique)),
    output:
        variants="results/augmentation_study/{task}/{technique}.csv",
    log:
        "logs/study_variants/{task}/{technique}.log",
    benchmark:
        "logs/benchmarks/study_variants/{task}/{technique}.tsv"
    wildcard_constraints:
        task=any_of(INPUTS.study_tasks),
        technique=any_of(TECHNIQUES),
    params:
        code_of=lambda w: TECHNIQUES[w.technique].code,
        settings=lambda w: settings_of(CONFIG.augmentation, w.technique),
        guard=lambda w: GUARD.code if TECHNIQUES[w.technique].guarded else None,
        limit=None,
        seed=CONFIG.seed,
        code=lambda w: digest_of_part("technique.py", *guarded(TECHNIQUES[w.technique])),


rule augmentation_gains:
    """What each arm of the study gains over the originals and over them repeated; no verdict."""
    input:
        [
            path
            for name, one in PLAN.experiments.items()
            if one.part.target == "augmentation_study"
            for path in observation_files(name, one.arms)
        ],
    output:
        "results/augmentation_study/{table}.csv",
    log:
        "logs/augmentation_gains/{table}.log",
    wildcard_constraints:
        # what an earlier run made is read as it is
        table="none" if "augmentation_study" in RUN.verdicts.earlier else "gains",
    conda:
        "../envs/stats.yaml"
    params:
        code=code("stats/augmentation_gains.py", "stats"),
    script:
        "../workflow/scripts/stats/augmentation_gains.py"


rule calibrate_guard:
    """The least similarity that passes the guard, and the connections of words that people write."""
    input:
        record=f"results/sources/{CONFIG.data.source}/record.json",
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        guard="results/data/guard.json",
        connections="results/data/connections.csv",
    log:
        "logs/calibrate_guard.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        data={key: getattr(CONFIG.data, f"{key}_characters") for key in ("min", "max")},
        guard=CONFIG.augmentation.guard.model_dump(exclude={"sample"}),
        seed=CONFIG.seed,
        code=code("augment/calibrate_guard.py", "data"),
    script:
        "../workflow/scripts/augment/calibrate_guard.py"


rule augmentation_meaning:
    """What the guard says of candidates: of all of guarded techniques, of a sample of the others."""
    input:
        train="results/data/train.csv",
        variants=expand("results/data/augmented/{technique}.csv", technique=MIXED),
        guard="results/data/guard.json",
        connections="results/data/connections.csv",
    output:
        "results/data/augmentation_meaning.csv",
    log:
        "logs/augmentation_meaning.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        sample=CONFIG.augmentation.guard.sample,
        seed=CONFIG.seed,
        code=code("augment/meaning.py", "data"),
    script:
        "../workflow/scripts/augment/meaning.py"
