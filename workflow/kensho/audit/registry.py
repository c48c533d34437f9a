"""The claims' own figures: what each source's figures say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from kensho.audit import catalogue
from kensho.claims.model import Claim

COLUMNS = ["claim", "text", "check", "word", "sentence", "needs"]


def audit(claims: Iterable[Claim]) -> pd.DataFrame:
    """Every check that the claims name: one row each, columns COLUMNS.

    Raises ValueError as `kensho.audit.catalogue.run`.
    """
    rows = []
    for claim in claims:
        for entry in claim.audit:
            finding = catalogue.run(entry.check, entry.of)
            rows.append((claim.id, entry.text, entry.check, finding.word.value, *finding[1:]))
    return pd.DataFrame(rows, columns=COLUMNS)


def problems(claims: Iterable[Claim]) -> Sequence[str]:
    """One line for each check that cannot be run as it is written."""
    lines = []
    for claim in claims:
        for number, entry in enumerate(claim.audit):
            try:
                catalogue.run(entry.check, entry.of)
            except ValueError as error:
                lines.append(f"claim {claim.id}: audit[{number}]: {error}")
    return lines
