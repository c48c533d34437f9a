# Experiments, what is prepared for them, and results that others published or the user brings.

for NAME, JOB in PLAN.preparations.items():

    rule:
        name:
            NAME
        input:
            **JOB.inputs,
        output:
            **{
                name: directory(path) if name in JOB.part.folders else path
                for name, path in JOB.part.outputs.items()
            },
        log:
            f"logs/{NAME}.log",
        benchmark:
            f"logs/benchmarks/{NAME}.tsv"
        priority: early(JOB.part)
        conda:
            environment(JOB.part.needs.environment)
        threads: threads(JOB.part)
        resources:
            **DIRECTIVES.resources(JOB.part),
        params:
            **DIRECTIVES.params(JOB, "prepare.py"),
        script:
            "../workflow/scripts/prepare.py"


for NAME, JOB in PLAN.experiments.items():

    rule:
        name:
            NAME
        input:
            **JOB.inputs,
        output:
            observation_files(NAME, JOB.arms),
        log:
            f"logs/{NAME}.log",
        benchmark:
            f"logs/benchmarks/{NAME}.tsv"
        priority: early(JOB.part)
        conda:
            environment(JOB.part.needs.environment)
        threads: threads(JOB.part)
        resources:
            **DIRECTIVES.resources(JOB.part),
        params:
            **DIRECTIVES.params(JOB, "experiment.py"),
            experiment=NAME,
            left_out=JOB.left_out,
        script:
            "../workflow/scripts/experiment.py"


if workflow.is_main_process:
    for line in external.moved(PLAN.brought, Path("results/benchmark_data")):
        print(messages.plain(line), file=sys.stderr)


for NAME, BROUGHT in PLAN.brought.items():

    rule:
        name:
            f"import_tables_{NAME}"
        input:
            sorted({table.path for table in BROUGHT.tables}),
        output:
            observation_files(NAME, BROUGHT.arms),
        log:
            f"logs/import_tables/{NAME}.log",
        conda:
            "../envs/stats.yaml"
        resources:
            mem_mb=memory(4000),
            runtime=minutes(15),
        params:
            experiment=NAME,
            asked=BROUGHT.record(),
            contents=lambda wildcards, experiment=BROUGHT: external.digests(experiment),
            code=code("external/import_tables.py", "stats"),
        script:
            "../workflow/scripts/external/import_tables.py"
