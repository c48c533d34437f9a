# The validation report: one file that works offline.
SUMMARIES = {"validation": "statistical", "own": "own"}  # of each report


rule report:
    """Claim cards, forest plot, curves, tables, links to the raw observations."""
    input:
        unpack(lambda w: {} if w.report == "own" else INPUTS.shown()),
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
        pages=lambda w: [] if w.report == "own" else RUN.pages,
        code=code("report/report.py", "stats"),
    script:
        "../workflow/scripts/report/report.py"
