# JLCE: sixteen Japanese tasks and some of ours on several models, and their Bayesian ranking.
from functools import cache

JLCE = CONFIG.jlce
JLCE_KINDS = tasks.kinds()
# Read for the jobs that there are, and once for all of them.
PACK_CODE = cache(lambda: tasks.functions(JLCE.tasks, JLCE.prompts))
PACK_FILES = cache(lambda: tasks.digests(JLCE.tasks, JLCE.prompts))
JLCE_ITEMS = expand("results/jlce/items/{kind}.jsonl", kind=JLCE_KINDS)


rule jlce_items:
    """Items of every kind: public ones where they can be had, else our own."""
    input:
        records=expand(
            "results/sources/{source}/record.json",
            source=[name for name in JLCE.sources if name in ACCEPTED_SOURCES],
        ),
        corpus=f"results/sources/{CONFIG.data.source}/record.json",
        ours=sorted(map(str, Path("resources/jlce").glob("*.jsonl"))),
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        documents=JLCE_ITEMS,
        origins="results/jlce/items.json",
    log:
        "logs/jlce_items.log",
    conda:
        MODELS
    params:
        tasks=tasks.scored(JLCE.tasks),
        wanted=JLCE.items,
        refused=[
            f"{name}: licence class {SOURCES[name].licence_class} is not accepted (licences)"
            for name in JLCE.sources
            if name not in ACCEPTED_SOURCES
        ],
        seed=CONFIG.seed,
        code=code("jlce/jlce_items.py", "models"),
    script:
        "../workflow/scripts/jlce/jlce_items.py"


rule jlce_contamination:
    """Share of each item's character 13-grams that stand in the training text."""
    input:
        training=["results/data/train.csv", "results/data/train_augmented.csv"],
        documents=JLCE_ITEMS,
    output:
        "results/jlce/contamination.csv",
    log:
        "logs/jlce_contamination.log",
    conda:
        MODELS
    params:
        code=code("jlce/jlce_contamination.py", "models"),
    script:
        "../workflow/scripts/jlce/jlce_contamination.py"


rule jlce_arm:
    """All tasks on one model; what was answered before a kill is not asked again."""
    input:
        unpack(lambda w: INPUTS.evaluated(w.arm, INPUTS.jlce_seeds(w.arm))),
        documents=JLCE_ITEMS,
        origins="results/jlce/items.json",
        predicates="resources/linguistics/predicates.csv",
        honorifics="resources/linguistics/honorific_words.csv",
    output:
        answers="results/jlce/{arm}/answers.jsonl",
        observations=observation_files("jlce", ["{arm}"]),
    log:
        "logs/jlce/{arm}.log",
    benchmark:
        "logs/benchmarks/jlce/{arm}.tsv"
    wildcard_constraints:
        arm=any_of(PLAN.arms["evaluation"]),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **DIRECTIVES.placed("jlce_arm", lambda w: w.arm, memory(8000)),
        runtime=minutes(120),
    params:
        seeds=lambda w: INPUTS.jlce_seeds(w.arm),
        settings=JLCE.model_dump(include={"tasks", "prompts", "batch_size", "max_new_tokens"}),
        dtype=CONFIG.train.dtype,
        seed=CONFIG.seed,
        pack=lambda w: PACK_FILES(),
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=lambda w: digest_of_part("jlce/jlce.py", *PACK_CODE()),
    script:
        "../workflow/scripts/jlce/jlce.py"


rule jlce_scores:
    """Scores with intervals by cluster, and the ranking by Bayes and by ranks."""
    input:
        observations=observation_files("jlce", PLAN.arms["jlce"]),
        origins="results/jlce/items.json",
    output:
        scores="results/jlce/scores.csv",
        ranking="results/jlce/ranking.json",
        withheld="results/jlce/withheld.csv",
    log:
        "logs/jlce_scores.log",
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        ranked=tasks.ranked(JLCE.tasks, JLCE.ranked),
        draws=CONFIG.stats.draws,
        seed=CONFIG.seed,
        code=code("stats/jlce_scores.py", "stats"),
    script:
        "../workflow/scripts/stats/jlce_scores.py"


rule jlce_page:
    """Ranking, heat map, intervals, sources and contamination on one page."""
    input:
        **INPUTS.noise(),
        scores="results/jlce/scores.csv",
        ranking="results/jlce/ranking.json",
        origins="results/jlce/items.json",
        contamination="results/jlce/contamination.csv",
        withheld="results/jlce/withheld.csv",
        observations=observation_files("jlce", PLAN.arms["jlce"]),
    output:
        html="results/jlce.html",
    log:
        "logs/jlce_page.log",
    conda:
        "../envs/stats.yaml"
    params:
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("jlce.html.j2", "macros.html.j2", "style.css")
        ],
        code=code("report/jlce.py", "stats"),
    script:
        "../workflow/scripts/report/jlce.py"


rule jlce_preference:
    """A model as judge of two arms' open answers, each item in both orders (jlce.judge)."""
    input:
        answers=lambda w: expand("results/jlce/{a}/answers.jsonl", a=INPUTS.preferred(w.arm)),
        planted="resources/judging/planted.jsonl",
    output:
        observation_files("jlce_preference", ["{arm}"]),
    log:
        "logs/jlce_preference/{arm}.log",
    wildcard_constraints:
        arm=any_of(PLAN.arms["jlce_preference"]),
    conda:
        MODELS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        arms=lambda w: INPUTS.preferred(w.arm),
        judge=JLCE.judge.model_dump(exclude={"pairs", "url"}) if JLCE.judge else None,
        url=fingerprint(JLCE.judge.url) if JLCE.judge else None,
        journal=lambda w: f"results/jlce/journals/{w.arm}.jsonl",
        planted_right=CONFIG.judging.planted_right,
        most_missing=CONFIG.judging.most_missing,
        seed=CONFIG.seed,
        code=code("jlce/jlce_preference.py", "models"),
    script:
        "../workflow/scripts/jlce/jlce_preference.py"


rule jlce:
    """Sixteen Japanese tasks on the models of jlce.arms, what a judge prefers, and their verdicts."""
    input:
        in_languages("results/jlce.html", *REPORT),
        observation_files("jlce_preference", PLAN.arms["jlce_preference"]),
