# The recipes of train.recipes, evaluated after each stage. Nothing here belongs to the main job.
# A spent budget leaves out what no priority claim asks for.
RECIPES = [arm.name for arm in CONFIG.train.recipes if PLAN.stage == "whole"]
COMPARED = {arm: INPUTS.earlier(arm) for arm in RECIPES}
COMPARED |= {arm: arm for arm in COMPARED.values() if arm not in COMPARED}


rule describe_stages:
    """Intervals of every metric after each stage, and of its difference from the stage before."""
    input:
        observation_files("evaluation", COMPARED),
    output:
        "results/evaluation/stages.csv",
    log:
        "logs/describe_stages.log",
    conda:
        "../envs/stats.yaml"
    params:
        bases=COMPARED,
        code=code("stats/describe_evaluation.py", "stats"),
    script:
        "../workflow/scripts/stats/describe_evaluation.py"


rule stages_page:
    """What each stage of the recipes changed, their curves, and what they were about to learn."""
    input:
        evaluation=rules.describe_stages.output if RECIPES else [],
        observed=observation_files("training", RECIPES),
        steps=INPUTS.of_all_stages(RECIPES, "steps.csv"),
        records=INPUTS.of_all_stages(RECIPES, "record.json"),
    output:
        html="results/stages.html",
    log:
        "logs/stages_page.log",
    conda:
        "../envs/stats.yaml"
    params:
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("stages.html.j2", "macros.html.j2", "style.css")
        ],
        code=code("report/stages.py", "stats"),
    script:
        "../workflow/scripts/report/stages.py"


rule stages:
    """Every recipe trained stage by stage, each stage evaluated against the one before it."""
    input:
        in_languages("results/stages.html"),
