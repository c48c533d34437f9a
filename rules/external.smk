# Results that others published or the user brings: one import for each experiment.


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
            tables=[table.model_dump() for table in WANTED.tables],
            contents=[digest_of(table.path) for table in WANTED.tables],  # whatever its time stamp
            levels=WANTED.levels,
            arms=WANTED.arms,
            code=code("external/import_tables.py", "stats"),
        script:
            "../workflow/scripts/external/import_tables.py"
