from pathlib import Path

import pandas as pd
from kensho.audit import cards, registry, table
from kensho.claims.model import Claim
from kensho.files import replacing, write_table
from kensho.paths import Paths, folders
from kensho.report import audit
from kensho.run.job import job
from kensho.stats import aggregates

with job(snakemake):
    # The mirror is read here: params trigger reruns, and Snakemake records them.
    _, mirror = folders(Paths.model_validate(snakemake.config.get("paths") or {}))
    claims = [Claim.model_validate(claim) for claim in snakemake.params.claims]
    of_claims, silent = registry.audit(claims), [claim.id for claim in claims if not claim.audit]
    findings, counts, ties, left_out = [], [], [], []
    of_cards = cards.load(*map(Path, snakemake.input.cards))
    for path in snakemake.input.tables:
        of_file = table.of_file(Path(path), mirror)
        if isinstance(of_file, str):
            left_out.append(of_file)
            continue
        spec, rows = of_file
        findings.append(table.audit(spec, rows, spec.table, of_cards))
        counts.append(table.counts(spec, findings[-1], rows))
        ties.append(aggregates.places(spec, rows, snakemake.params.alpha))
    columns = table.COLUMNS, table.COUNTED, aggregates.PLACES
    held = [
        pd.concat(tables).reindex(columns=names) if tables else pd.DataFrame(columns=names)
        for tables, names in zip((findings, counts, ties), columns, strict=True)
    ]
    write_table(snakemake.output.claims, of_claims)
    write_table(snakemake.output.findings, held[0])
    write_table(snakemake.output.counts, held[1])
    write_table(snakemake.output.ties, held[2])
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(audit.build(of_claims, *held, left_out, silent), encoding="utf-8")
