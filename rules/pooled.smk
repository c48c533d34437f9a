# Claims that several sites have judged: from their crates, no job but one.
if TARGETS and {"pooled", "results/pooled.json", "results/pooled_report.html"} & TARGETS:
    if reason := crates.refusal(CONFIG.pooled.crates):
        raise WorkflowError(f"config: pooled.crates: {reason}")


rule pooled:
    """Judge each claim that two crates or more have judged once more, on what all observed."""
    input:
        crates=CONFIG.pooled.crates,
    output:
        analyses=directory("results/pooled"),
        summary="results/pooled.json",
        html="results/pooled_report.html",
    log:
        "logs/pooled.log",
    conda:
        "../envs/stats.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        draws=CONFIG.stats.draws,
        seed=CONFIG.seed,
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("pooled.html.j2", "macros.html.j2", "style.css")
        ],
        code=code("stats/pool.py", "stats"),
    script:
        "../workflow/scripts/stats/pool.py"
