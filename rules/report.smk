# The validation report: one file that works offline.
SUMMARIES = {"validation": "statistical", "benchmark": "benchmark", "own": "own"}  # of each report


def ran():
    """What the report shows of the run itself, beside its verdicts."""
    return {
        "evaluation": "results/evaluation/intervals.csv",
        "loss": [
            path
            for arm in ARMS
            if arm in PLAN.evaluated
            for path in trained(arm, seeds(arm), "steps.csv", last=False)
        ],
        "drops": "results/data/drops.csv",
        "augmentation": "results/data/augmentation.csv",
        "kv_grid": observation_files("kv_cache", PLAN.arms["kv_cache"]),
    }


rule report:
    """Claim cards, forest plot, curves, tables, links to the raw observations."""
    input:
        unpack(lambda w: {} if w.report == "own" else ran()),
        summary=lambda w: f"results/{SUMMARIES[w.report]}_summary.json",
    output:
        html=report(
            "results/{report}_report.html",
            caption="../workflow/report/validation_report.rst",
            category="Verdicts",
        ),
    log:
        "logs/report/{report}.log",
    conda:
        "../envs/stats.yaml"
    params:
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("template.html.j2", "card.html.j2", "macros.html.j2", "style.css")
        ],
        budget=CONFIG.budget.model_dump(),
        code=code("report/report.py", "stats"),
    script:
        "../workflow/scripts/report/report.py"
