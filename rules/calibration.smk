# How often is the engine wrong? Data of known truth through the shipped rule; no claim is judged.

# Replications for each study; `short` takes under 10 minutes on two cores, `full` under 60.
REPLICATIONS = {
    "short": {
        "characteristics": 2000,
        "adversarial": 2000,
        "sbc": 60,
        "coverage": 40,
        "mutants": 100,
        "formula": 5000,
        "formula_sbc": 40,
        "audit": 10000,
    },
    "full": {
        "characteristics": 60000,
        "adversarial": 5000,
        "sbc": 500,
        "coverage": 500,
        "mutants": 200,
        "formula": 20000,
        "formula_sbc": 300,
        "audit": 50000,
    },
}
STUDIED = "results/calibration/{size}"
BAYESIAN_MODELS = [  # those of kensho.stats.models, which takes seconds to import
    *("location", "normal", "proportion", "pairs", "bradley_terry", "dose", "ranking"),
    *("beta_binomial", "dirichlet_pairs", "dirichlet_wins", "repeats"),
    *("two_samples", "two_proportions", "strengths", "sites", "crossed"),
]


wildcard_constraints:
    size="short|full",
    bayesian_model="[a-z_]+",


rule characteristics:
    """Coverage, errors and power of the closed forms, by claim type and truth, and of pools."""
    output:
        characteristics=f"{STUDIED}/characteristics.csv",
        acceptance=f"{STUDIED}/acceptance.csv",
    log:
        "logs/calibration/{size}-characteristics.log",
    conda:
        "../envs/stats.yaml"
    params:
        replications=lambda w: REPLICATIONS[w.size]["characteristics"],
        seed=CONFIG.seed,
        code=code("calibration/characteristics.py", "stats"),
    script:
        "../workflow/scripts/calibration/characteristics.py"


rule adversarial:
    """Data that break the assumptions, and relations that must hold whatever the data."""
    output:
        adversarial=f"{STUDIED}/adversarial.csv",
        metamorphic=f"{STUDIED}/metamorphic.csv",
    log:
        "logs/calibration/{size}-adversarial.log",
    conda:
        "../envs/stats.yaml"
    params:
        replications=lambda w: REPLICATIONS[w.size]["adversarial"],
        seed=CONFIG.seed,
        code=code("calibration/adversarial.py", "stats"),
    script:
        "../workflow/scripts/calibration/adversarial.py"


rule posterior_calibration:
    """One model: ranks of true parameters among posterior draws, coverage at fixed parameters."""
    output:
        ranks=f"{STUDIED}/sbc/{{bayesian_model}}.csv",
        fits=f"{STUDIED}/coverage/{{bayesian_model}}.csv",
    log:
        "logs/calibration/{size}-{bayesian_model}.log",
    benchmark:
        "logs/benchmarks/calibration/{size}-{bayesian_model}.tsv"
    conda:
        "../envs/stats.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        replications=lambda w: {key: REPLICATIONS[w.size][key] for key in ("sbc", "coverage")},
        seed=CONFIG.seed,
        code=code("calibration/posterior_calibration.py", "stats"),
    script:
        "../workflow/scripts/calibration/posterior_calibration.py"


rule formula_calibration:
    """Contrasts of formulas: errors of the closed form, ranks of the models of a small table."""
    output:
        lines=f"{STUDIED}/formula.csv",
        ranks=f"{STUDIED}/formula_ranks.csv",
    log:
        "logs/calibration/{size}-formula.log",
    benchmark:
        "logs/benchmarks/calibration/{size}-formula.tsv"
    conda:
        "../envs/stats.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        replications=lambda w: [REPLICATIONS[w.size][key] for key in ("formula", "formula_sbc")],
        seed=CONFIG.seed,
        code=code("calibration/formula.py", "stats"),
    script:
        "../workflow/scripts/calibration/formula.py"


rule audit_calibration:
    """Checks of published figures: false alarms on consistent ones, planted errors found."""
    output:
        audit=f"{STUDIED}/audit.csv",
    log:
        "logs/calibration/{size}-audit.log",
    conda:
        "../envs/stats.yaml"
    params:
        replications=lambda w: REPLICATIONS[w.size]["audit"],
        seed=CONFIG.seed,
        code=code("calibration/audit.py", "stats"),
    script:
        "../workflow/scripts/calibration/audit.py"


rule mutants:
    """Planted faults, each with the check that must see it."""
    output:
        mutants=f"{STUDIED}/mutants.csv",
    log:
        "logs/calibration/{size}-mutants.log",
    benchmark:
        "logs/benchmarks/calibration/{size}-mutants.tsv"
    conda:
        "../envs/stats.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        replications=lambda w: REPLICATIONS[w.size]["mutants"],
        seed=CONFIG.seed,
        code=code("calibration/mutants.py", "stats"),
    script:
        "../workflow/scripts/calibration/mutants.py"


rule calibration_tables:
    """The tests on all ranks together, and coverage by model and truth."""
    input:
        ranks=expand(f"{STUDIED}/sbc/{{m}}.csv", m=BAYESIAN_MODELS, allow_missing=True),
        fits=expand(f"{STUDIED}/coverage/{{m}}.csv", m=BAYESIAN_MODELS, allow_missing=True),
    output:
        sbc=f"{STUDIED}/sbc.csv",
        ranks=f"{STUDIED}/ranks.csv",
        binary=f"{STUDIED}/binary.csv",
        coverage=f"{STUDIED}/coverage.csv",
    log:
        "logs/calibration/{size}-tables.log",
    conda:
        "../envs/stats.yaml"
    params:
        seed=CONFIG.seed,
        code=code("calibration/tables.py", "stats"),
    script:
        "../workflow/scripts/calibration/tables.py"


rule calibration_page:
    """Every line with its limits, and how many of them hold."""
    input:
        tables=[
            f"{STUDIED}/{name}.csv"
            for name in (
                *("acceptance", "characteristics", "adversarial", "metamorphic"),
                *("sbc", "ranks", "binary", "coverage", "mutants", "formula", "audit"),
            )
        ],
    output:
        html=f"{STUDIED}/report.html",
    log:
        "logs/calibration/{size}-page.log",
    conda:
        "../envs/stats.yaml"
    params:
        engine=code("stats/judge.py", "stats"),
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("calibration.html.j2", "macros.html.j2", "style.css")
        ],
        code=code("calibration/page.py", "stats"),
    script:
        "../workflow/scripts/calibration/page.py"


rule calibration:
    """How often the engine is wrong, in under 10 minutes."""
    input:
        in_languages("results/calibration/short/report.html"),


rule calibration_full:
    """The same at full size, in under 60 minutes."""
    input:
        in_languages("results/calibration/full/report.html"),
