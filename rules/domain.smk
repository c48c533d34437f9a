# Models adapted by one recipe, in several formats: judged, timed, weighed (C-2 to C-4).
ADAPTED = domain.adapted(CONFIG.domain)
SERVED = observation_files("domain_answers", PLAN.arms["domain_answers"])
SCORED = observation_files("domain_scores", PLAN.arms["domain_scores"])


rule domain_answers:
    """One model adapted, merged and put into formats, each asked the same one by one."""
    input:
        unpack(lambda w: INPUTS.adapted(w.adapted)),
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        answers="results/domain/{adapted}/answers.jsonl",
        observations=observation_files("domain_answers", domain.forms("{adapted}")),
    log:
        "logs/domain_answers/{adapted}.log",
    benchmark:
        "logs/benchmarks/domain_answers/{adapted}.tsv"
    wildcard_constraints:
        adapted=any_of(ADAPTED),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=CONFIG.domain.model_dump(exclude={*domain.ROLES, "crossed"}),
        seed=CONFIG.seed,
        gguf=domain.installed(),
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("domain/answers.py", "models"),
    script:
        "../workflow/scripts/domain/answers.py"


rule domain_replies:
    """All that one judge is asked for a score, planted answers first, and its replies."""
    input:
        test="results/data/test.csv",
        planted="resources/judging/planted.jsonl",
        answers=expand("results/domain/{adapted}/answers.jsonl", adapted=ADAPTED),
    output:
        "results/domain/judges/{judge}.jsonl",
    log:
        "logs/domain_replies/{judge}.log",
    wildcard_constraints:
        judge=any_of(one.name for one in JUDGING.judges),
    conda:
        MODELS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        judge=lambda w: INPUTS.judge(w.judge).model_dump(exclude={"name", "url"}),
        url=lambda w: fingerprint(INPUTS.judge(w.judge).url),
        journal=lambda w: f"results/domain/journals/{w.judge}.jsonl",
        seed=CONFIG.seed,
        code=code("domain/replies.py", "models"),
    script:
        "../workflow/scripts/domain/replies.py"


rule domain_scores:
    """Scores by judges that may judge, and by attention what Q4_K_M changes."""
    input:
        judges=expand(
            "results/domain/judges/{judge}.jsonl", judge=[one.name for one in JUDGING.judges]
        ),
        served=SERVED,
    output:
        # without a judge nobody asks for them
        SCORED or observation_files("domain_scores", domain.ATTENTIONS),
    log:
        "logs/domain_scores.log",
    conda:
        MODELS
    params:
        adapted=domain.models(CONFIG.domain),
        judges=[one.name for one in JUDGING.judges],
        planted_right=JUDGING.planted_right,
        most_missing=JUDGING.most_missing,
        code=code("domain/scores.py", "models"),
    script:
        "../workflow/scripts/domain/scores.py"


rule domain_page:
    """Quality, latency and memory of every arm, and which of them no other one beats."""
    input:
        served=SERVED,
        scores=SCORED,
    output:
        table="results/domain/recommendation.csv",
        html="results/domain.html",
    log:
        "logs/domain_page.log",
    conda:
        "../envs/stats.yaml"
    params:
        alpha=CONFIG.stats.alpha,
        why="" if SCORED else judging.NO_JUDGE,
        layout=[
            digest_of(LIBRARY / "kensho/report" / name) for name in ("domain.html.j2", "style.css")
        ],
        code=code("report/domain.py", "stats"),
    script:
        "../workflow/scripts/report/domain.py"


rule domain_study:
    """Models under one recipe, their formats and attention (C-2 to C-4), judged and weighed."""
    input:
        in_languages("results/domain.html", *REPORT),
        SERVED,
        SCORED,
