# One verdict per claim, from its observations and its registration alone.
REQUESTED = RUN.verdicts.requested  # what an earlier run judged beside is read as it is


rule judge_deterministic:
    """Without a posterior: exact ratios, and limits that published aggregates leave."""
    input:
        observations=INPUTS.observations,
    output:
        analysis="results/analysis/{claim}.json",
    log:
        "logs/judge/{claim}.log",
    wildcard_constraints:
        claim=any_of(name for name in REQUESTED if not PLAN.tested[name].test.sampled),
    conda:
        "../envs/stats.yaml"
    params:
        claim=lambda w: PLAN.tested[w.claim].model_dump(mode="json"),
        family_size=lambda w: registry.family_size(CLAIMS, PLAN.tested[w.claim].test.family),
        stats=CONFIG.stats.model_dump(),
        seed=CONFIG.seed,
        code=code("stats/judge.py", "stats"),
    script:
        "../workflow/scripts/stats/judge.py"


rule judge_statistical:
    """pingouin and PyMC, by the registered rule."""
    input:
        observations=INPUTS.observations,
    output:
        analysis="results/analysis/{claim}.json",
        posterior="results/analysis/{claim}.nc",
    log:
        "logs/judge/{claim}.log",
    benchmark:
        "logs/benchmarks/judge/{claim}.tsv"
    wildcard_constraints:
        claim=any_of(name for name in REQUESTED if PLAN.tested[name].test.sampled),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        claim=lambda w: PLAN.tested[w.claim].model_dump(mode="json"),
        family_size=lambda w: registry.family_size(CLAIMS, PLAN.tested[w.claim].test.family),
        stats=CONFIG.stats.model_dump(),
        seed=CONFIG.seed,
        code=code("stats/judge.py", "stats"),
    script:
        "../workflow/scripts/stats/judge.py"


rule describe_evaluation:
    """Intervals of every metric of every evaluated arm, and of its difference from the base."""
    input:
        observation_files("evaluation", PLAN.evaluated),
    output:
        "results/evaluation/intervals.csv",
    log:
        "logs/describe_evaluation.log",
    conda:
        "../envs/stats.yaml"
    params:
        bases={arm: INPUTS.control(arm) for arm in PLAN.evaluated},
        code=code("stats/describe_evaluation.py", "stats"),
    script:
        "../workflow/scripts/stats/describe_evaluation.py"


rule summarise:
    """All claims with verdict or reason, Holm beside Bonferroni."""
    input:
        analyses=lambda w: expand("results/analysis/{claim}.json", claim=RUN.judged(w.summary)),
        evaluation=lambda w: (
            [] if w.summary == "own" else observation_files("evaluation", ["base"])
        ),
    output:
        "results/{summary}_summary.json",
    log:
        "logs/summarise/{summary}.log",
    conda:
        "../envs/stats.yaml"
    params:
        claims=[claim.model_dump(mode="json") for claim in CLAIMS],
        beside=lambda w: RUN.beside(w.summary),
        reasons=lambda w, output: RUN.reasons,  # with `output` Snakemake takes it for no trigger
        scale=RUN.scale,
        alpha=CONFIG.stats.alpha,
        code=code("stats/summarise.py", "stats"),
    script:
        "../workflow/scripts/stats/summarise.py"


rule verify:
    """Derive every verdict again from the stored observations and compare. Changes nothing."""
    log:
        "logs/verify.log",
    conda:
        "../envs/stats.yaml"
    params:
        claims=[claim.id for claim in CLAIMS],
    script:
        "../workflow/scripts/stats/verify.py"
