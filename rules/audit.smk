# Published figures against themselves: the claims' own, and the tables of `audit.tables`.
from kensho.audit import table as audited


rule audit:
    """What is consistent, impossible or not checkable, and why; places that nothing separates."""
    input:
        tables=CONFIG.audit.tables,
        cards=["resources/architectures.yaml", "resources/hardware.yaml"],
    output:
        claims="results/audit/claims.csv",
        findings="results/audit/findings.csv",
        counts="results/audit/counts.csv",
        ties="results/audit/ties.csv",
        html="results/audit.html",
    log:
        "logs/audit.log",
    conda:
        "../envs/stats.yaml"
    container:
        None  # a mirror lies outside what an image sees
    params:
        claims=[claim.model_dump(mode="json") for claim in CLAIMS],
        contents=lambda w: audited.contents(CONFIG.audit.tables, RUN.mirror),
        alpha=CONFIG.stats.alpha,
        layout=[
            digest_of(LIBRARY / "kensho/report" / name) for name in ("audit.html.j2", "style.css")
        ],
        code=code("stats/audit.py", "stats"),
    script:
        "../workflow/scripts/stats/audit.py"
