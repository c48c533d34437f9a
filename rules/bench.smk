# Experiments: one rule each, observations out.


rule kv_cache:
    """R-1: bytes of the key-value cache, allocated, by formula, and in transformers."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("kv_cache", experiment_arms("kv_cache") + ["transformers-mla"]),
    log:
        "logs/kv_cache.log",
    benchmark:
        "logs/benchmarks/kv_cache.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=8000,
        runtime=15,
    params:
        grid=CONFIG.bench.kv_cache.model_dump(),
        code=code("bench/kv_cache.py"),
    script:
        "../workflow/scripts/bench/kv_cache.py"


rule lora_parameters:
    """R-5: trainable parameters of the named architectures, on the meta device."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("lora_parameters", experiment_arms("lora_parameters")),
    log:
        "logs/lora_parameters.log",
    benchmark:
        "logs/benchmarks/lora_parameters.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        grid=CONFIG.bench.lora_parameters.model_dump(),
        code=code("bench/lora_parameters.py"),
    script:
        "../workflow/scripts/bench/lora_parameters.py"


rule quick_mode:
    """R-8: an evaluation stage in its plain and its quick form, in interleaved fresh processes."""
    input:
        model=f"results/models/{CONFIG.train.base}",
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        work="results/bench/quick_mode/work.json",
        observations=observation_files("quick_mode", ["plain", "quick"]),
    log:
        "logs/quick_mode.log",
    benchmark:
        "logs/benchmarks/quick_mode.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=CONFIG.bench.quick_mode.model_dump(),
        seed=CONFIG.seed,
        code=code("bench/quick_mode.py"),
    script:
        "../workflow/scripts/bench/quick_mode.py"
