# Experiments on dimensions, formats and the machine: no model and no text is read.


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
        mem_mb=memory(8000),
        runtime=minutes(15),
    params:
        grid=CONFIG.bench.kv_cache.model_dump(),
        code=code("bench/kv_cache.py", "models"),
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
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        grid=CONFIG.bench.lora_parameters.model_dump(),
        code=code("bench/lora_parameters.py", "models"),
    script:
        "../workflow/scripts/bench/lora_parameters.py"


rule training_memory:
    """R-5, F-10: memory of training steps, planned, traced and measured in fresh processes."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("training_memory", PRODUCED["training_memory"]),
    log:
        "logs/training_memory.log",
    benchmark:
        "logs/benchmarks/training_memory.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        retries_left=retries_left,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.training_memory.model_dump(),
        seed=CONFIG.seed,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("bench/training_memory.py", "models"),
    script:
        "../workflow/scripts/bench/training_memory.py"


rule attention:
    """R-1: one decoding step of an attention layer of R1's dimensions, by form of attention."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("attention", PRODUCED["attention"]),
    log:
        "logs/attention.log",
    benchmark:
        "logs/benchmarks/attention.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(30),
    params:
        grid=CONFIG.bench.attention.model_dump(),
        seed=CONFIG.seed,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("bench/attention.py", "models"),
    script:
        "../workflow/scripts/bench/attention.py"


rule rocm_variables:
    """F-11: which of the named ROCm variables the libraries of the installed stack know."""
    input:
        variables="resources/rocm_variables.yaml",
    output:
        observation_files("rocm_variables", PRODUCED["rocm_variables"]),
    log:
        "logs/rocm_variables.log",
    benchmark:
        "logs/benchmarks/rocm_variables.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        root=CONFIG.bench.rocm_variables.root,
        code=code("bench/rocm_variables.py", "models"),
    script:
        "../workflow/scripts/bench/rocm_variables.py"


rule mixture_flops:
    """R-3: operations per token of the mixture and of dense models, counted on the meta device."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("mixture_flops", PRODUCED["mixture_flops"]),
    log:
        "logs/mixture_flops.log",
    benchmark:
        "logs/benchmarks/mixture_flops.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        code=code("bench/mixture_flops.py", "models"),
    script:
        "../workflow/scripts/bench/mixture_flops.py"


rule mixture_speed:
    """R-3: tokens per second and memory of a mixture and of dense models, interleaved."""
    input:
        cards="resources/architectures.yaml",
    output:
        observation_files("mixture_speed", PRODUCED["mixture_speed"]),
    log:
        "logs/mixture_speed.log",
    benchmark:
        "logs/benchmarks/mixture_speed.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.mixture_speed.model_dump(),
        seed=CONFIG.seed,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("bench/mixture_speed.py", "models"),
    script:
        "../workflow/scripts/bench/mixture_speed.py"


rule gemm:
    """R-4: matrix products with each library and TunableOp setting, in interleaved processes."""
    input:
        cards="resources/architectures.yaml",
        hardware="resources/hardware.yaml",
    output:
        observation_files("gemm", PRODUCED["gemm"]),
    log:
        "logs/gemm.log",
    benchmark:
        "logs/benchmarks/gemm.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.gemm.model_dump(),
        device=CONFIG.accelerator,
        seed=CONFIG.seed,
        code=code("bench/gemm.py", "models"),
    script:
        "../workflow/scripts/bench/gemm.py"


rule quantised_bytes:
    """F-1, F-2, C-4.size: bytes of the weights in storage formats, stored and by formula."""
    input:
        cards="resources/architectures.yaml",
        files=[
            f"results/sources/{name}/record.json"
            for name in ["gemma-3-270m"]
            if name in ACCEPTED_SOURCES
        ],
    output:
        observation_files("quantised_bytes", PRODUCED["quantised_bytes"]),
    log:
        "logs/quantised_bytes.log",
    benchmark:
        "logs/benchmarks/quantised_bytes.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        mem_mb=memory(8000),
        runtime=minutes(15),
    params:
        code=code("bench/quantised_bytes.py", "models"),
    script:
        "../workflow/scripts/bench/quantised_bytes.py"


rule selftest:
    """Does the timing find a planted slowdown of 10 %, and none where there is none?"""
    output:
        verdicts="results/selftest.json",
        observations=observation_files("selftest", ["work", "work-again", "slowed"]),
    log:
        "logs/selftest.log",
    benchmark:
        "logs/benchmarks/selftest.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        settings={"blocks": 80, "seed": CONFIG.seed},
        code=code("bench/selftest.py", "models"),
    script:
        "../workflow/scripts/bench/selftest.py"
