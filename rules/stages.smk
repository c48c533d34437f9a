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


rule stages:
    """Every recipe trained stage by stage, each stage evaluated against the one before it."""
    input:
        rules.describe_stages.output if RECIPES else [],
        observation_files("training", RECIPES),
