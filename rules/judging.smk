# Translations both ways, what judges say of them and of open answers (D-1 to D-5).

JUDGING = CONFIG.judging
WRITERS = INPUTS.writers()
WRITTEN = expand("results/judging/{arm}/answers.jsonl", arm=WRITERS)
WRITTEN_UNDER = expand("results/judging/{arm}/conditions.json", arm=WRITERS)


rule judging_items:
    """Sentences, turns of dialogues with prior context, llm-jp-eval's sets, open questions."""
    input:
        **INPUTS.judged_sources(),
        test="results/data/test.csv",
    output:
        asked="results/judging/items.jsonl",
        origins="results/judging/items.json",
    log:
        "logs/judging_items.log",
    conda:
        MODELS
    params:
        sets=judging.SETS,
        left_out=INPUTS.unjudged(),
        most=JUDGING.items,
        questions=JUDGING.questions,
        context=JUDGING.context,
        seed=CONFIG.seed,
        code=code("judging/items.py", "models"),
    script:
        "../workflow/scripts/judging/items.py"


rule judging_answers:
    """What one arm writes; anchors translate only."""
    input:
        unpack(lambda w: INPUTS.evaluated(w.arm, INPUTS.seeds(w.arm)[:1])),
        asked="results/judging/items.jsonl",
        origins="results/judging/items.json",
    output:
        answers="results/judging/{arm}/answers.jsonl",
        conditions="results/judging/{arm}/conditions.json",
    log:
        "logs/judging_answers/{arm}.log",
    benchmark:
        "logs/benchmarks/judging_answers/{arm}.tsv"
    wildcard_constraints:
        arm=any_of(WRITERS),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **DIRECTIVES.placed("judging_answers", lambda w: w.arm, memory(8000)),
        runtime=minutes(60),
    params:
        seeds=lambda w: INPUTS.seeds(w.arm)[:1],
        translations_alone=lambda w: w.arm in WRITERS[2:],
        batch_size=JUDGING.batch_size,
        max_new_tokens=JUDGING.max_new_tokens,
        max_answer_tokens=JUDGING.max_answer_tokens,
        instructions=JUDGING.instructions,
        dtype=CONFIG.train.dtype,
        seed=CONFIG.seed,
        tasks=[digest_of(path) for path in judging.TASKS],
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("judging/answers.py", "models"),
    script:
        "../workflow/scripts/judging/answers.py"


rule judging_replies:
    """All that one judge is asked, planted pairs first, and its replies word for word."""
    input:
        asked="results/judging/items.jsonl",
        planted="resources/judging/planted.jsonl",
        answers=WRITTEN,
    output:
        "results/judging/judges/{judge}.jsonl",
    log:
        "logs/judging_replies/{judge}.log",
    wildcard_constraints:
        judge=any_of(one.name for one in JUDGING.judges),
    conda:
        MODELS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        arms=WRITERS,
        judge=lambda w: INPUTS.judge(w.judge).model_dump(exclude={"name", "url"}),
        url=lambda w: fingerprint(INPUTS.judge(w.judge).url),
        journal=lambda w: f"results/judging/journals/{w.judge}.jsonl",
        seed=CONFIG.seed,
        code=code("judging/judge.py", "models"),
    script:
        "../workflow/scripts/judging/judge.py"


rule translation:
    """chrF and BLEU of both directions, and COMET where its scores are brought."""
    input:
        **INPUTS.comet(),
        asked="results/judging/items.jsonl",
        answers=WRITTEN,
        conditions=WRITTEN_UNDER,
    output:
        observation_files("translation", PLAN.arms["translation"]),
    log:
        "logs/translation.log",
    conda:
        MODELS
    params:
        arms=WRITERS,
        why=judging.absent(JUDGING),
        code=code("judging/translation.py", "models"),
    script:
        "../workflow/scripts/judging/translation.py"


for NAME, KIND in (("translation_preference", "pair"), ("marks", "mark")):

    rule:
        name:
            NAME
        input:
            asked="results/judging/items.jsonl",
            judges=expand(
                "results/judging/judges/{judge}.jsonl", judge=[one.name for one in JUDGING.judges]
            ),
            conditions=WRITTEN_UNDER,
        output:
            # without a judge nobody asks for them
            observation_files(NAME, PLAN.arms[NAME] or judging.ARMS[NAME]),
        log:
            f"logs/{NAME}.log",
        conda:
            MODELS
        params:
            arms=WRITERS,
            experiment=NAME,
            kind=KIND,
            judges=[one.name for one in JUDGING.judges],
            planted_right=JUDGING.planted_right,
            most_missing=JUDGING.most_missing,
            code=code("judging/judgement.py", "models"),
        script:
            "../workflow/scripts/judging/judgement.py"


rule judging:
    """Translations scored and, where judges are named, compared and marked; verdicts on D."""
    input:
        in_languages(*REPORT),
        observation_files("translation", PLAN.arms["translation"]),
        observation_files("translation_preference", PLAN.arms["translation_preference"]),
        observation_files("marks", PLAN.arms["marks"]),
