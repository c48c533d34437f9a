# The validation report: one file that works offline. And what `snakemake --report` makes of it all.
from kensho.plan import annotations

SUMMARIES = {"validation": "statistical", "own": "own"}  # of each report


rule report:
    """Claim cards, forest plot, curves, tables, links to the raw observations."""
    input:
        unpack(lambda w: {} if w.report == "own" else INPUTS.shown(RUN.verdicts.pages)),
        summary=lambda w: f"results/{SUMMARIES[w.report]}_summary.json",
    output:
        html="results/{report}_report.html",
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
        reasons=lambda w, output: RUN.reasons,  # with `output` Snakemake takes it for no trigger
        code=code("report/report.py", "stats"),
    script:
        "../workflow/scripts/report/report.py"


rule translate:
    """A page in another language, by its catalogue; what that lacks stays English."""
    input:
        page="results/{page}.html",
        catalogue=lambda w: sorted(Path("resources/languages", w.language).glob("*.yaml")),
    output:
        html="results/{page}.{language}.html",
    log:
        "logs/translate/{page}-{language}.log",
    wildcard_constraints:
        page=".+",
        language="ja",
    conda:
        "../envs/stats.yaml"
    params:
        code=code("report/translate.py", "stats"),
    script:
        "../workflow/scripts/report/translate.py"


rule archive:
    """results/report.zip: all that was made, as `snakemake --report` shows it. Runs no job."""
    input:
        annotations.made(),


if workflow.is_main_process and "archive" in TARGETS and not (COMMAND.report or COMMAND.dryrun):
    if len(TARGETS) > 1:
        raise WorkflowError("archive runs no job: give it alone, after the other targets")
    Path("results").mkdir(exist_ok=True)
    ZIPPED = ["-m", "snakemake", "--report", "results/report.zip"]
    os.execv(sys.executable, [sys.executable, *ZIPPED, *sys.argv[1:]])
