# What a run would need and lack here. Included last: it asks the other rules what they take.


rule preflight:
    """Check data, disk, memory, accelerator, licences and packages; list every problem with its mend."""
    input:
        variables="resources/rocm_variables.yaml",
    log:
        "logs/preflight.log",
    conda:
        MODELS  # the torch and the packages that the jobs would have
    params:
        scale=CONFIG.scale,
        accelerator=CONFIG.accelerator,
        gpu_model=CONFIG.cluster.gpu_model,
        accelerator_fallback=CONFIG.accelerator_fallback,
        licences=CONFIG.licences,
        sources={name: source.model_dump(exclude_none=True) for name, source in SOURCES.items()},
        models={name: model.model_dump(exclude={"folder"}) for name, model in RUN.models.items()},
        needed=RUN.needed,
        used=RUN.used,
        unfit=lambda w: forecast.unfit(forecast_of(RUN)),
        unplanned=rates.unplanned(CONFIG, hardware.load(Path("resources/hardware.yaml"))),
        cache=str(RUN.cache),
        compiled=str(COMPILED),
        mirror=str(RUN.mirror) if RUN.mirror else None,
        largest_mb=lambda w: DIRECTIVES.largest_mb
        + max(mb for _, mb in [*places().values(), (1, 0)]),
    script:
        "../workflow/scripts/preflight/preflight.py"


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
        MODELS
    threads: 64
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        blocks=80,
        seed=CONFIG.seed,
        code=code("bench/selftest.py", "models"),
    script:
        "../workflow/scripts/bench/selftest.py"
