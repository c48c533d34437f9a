# Results that others published or the user brings: one import for each experiment.
if workflow.is_main_process:
    for line in external.moved(EXTERNAL, Path("results/benchmark_data")):
        print(messages.plain(line), file=sys.stderr)


for BROUGHT, WANTED in EXTERNAL.items():

    rule:
        name:
            f"import_tables_{BROUGHT}"
        input:
            sorted({table.path for table in WANTED.tables}),
        output:
            observation_files(BROUGHT, WANTED.arms),
        log:
            f"logs/import_tables/{BROUGHT}.log",
        conda:
            "../envs/stats.yaml"
        resources:
            mem_mb=memory(4000),
            runtime=minutes(15),
        params:
            experiment=BROUGHT,
            asked=WANTED.record(),
            contents=lambda wildcards, asked=WANTED: external.digests(asked),
            code=code("external/import_tables.py", "stats"),
        script:
            "../workflow/scripts/external/import_tables.py"
