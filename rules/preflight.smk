# What a run would need and lack here. Included last: it asks the other rules what they take.


rule preflight:
    """Check data, disk, memory, accelerator, licences and packages; list every problem with its mend."""
    input:
        variables="resources/rocm_variables.yaml",
    log:
        "logs/preflight.log",
    conda:
        "../envs/models.yaml"  # the torch and the packages that the jobs would have
    params:
        scale=CONFIG.scale,
        accelerator=CONFIG.accelerator,
        gpu_model=CONFIG.cluster.gpu_model,
        accelerator_fallback=CONFIG.accelerator_fallback,
        licences=CONFIG.licences,
        sources={name: source.model_dump(exclude_none=True) for name, source in SOURCES.items()},
        needed=NEEDED,
        cache=str(CACHE),
        compiled=str(COMPILED),
        mirror=str(MIRROR) if MIRROR else None,
        largest_mb=max(MEMORY),
    script:
        "../workflow/scripts/preflight/preflight.py"
