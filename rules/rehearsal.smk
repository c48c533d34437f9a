# A rehearsal of the configuration, before it costs anything. Included last: it runs every other rule.
from kensho.bench.catalogue import EXPERIMENTS

# In a rehearsal: what each rule lacks, and what would stop a real run.
LACKING = {
    name: part.judged_on
    for name, part in EXPERIMENTS.items()
    if REHEARSED and part.judged_on == CONFIG.accelerator
}
FORESEEN, FAULTS = [], []
if REHEARSED and workflow.is_main_process:
    FORESEEN = forecast_of(REAL, timed=True)
    FAULTS = [*rehearsal.faults(REAL), *forecast.unfit(FORESEEN)]
    print(*map(messages.plain, FAULTS), sep="\n", end="\n" * bool(FAULTS), file=sys.stderr)


rule rehearsal:
    """All targets on twins, a few rows and single steps, in the folder rehearsal/."""
    input:
        in_languages(*REPORT, "results/jlce.html"),
        INPUTS.experiments_of(
            "benchmark", "augmentation_study", "training_studies", "tokenisers_study"
        ),
        rules.tokenisers_page.output,
        rules.stages.input,
        observation_files("jlce_preference", PLAN.arms["jlce_preference"]),
        rules.judging.input,
        rules.domain_study.input,
        rules.serving_study.input,
    log:
        "logs/rehearsal.log",
    conda:
        "../envs/stats.yaml"
    params:
        faults=FAULTS,
    script:
        "../workflow/scripts/rehearsal.py"
