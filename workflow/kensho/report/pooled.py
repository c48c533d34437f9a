"""The page of pooled claims: what all sites say together, above what each says by itself."""

from kensho.report.templates import render


def build(summary: dict) -> str:
    """The page as HTML, self-contained, of the content of ``pooled.json``."""
    return render("pooled.html.j2", **summary)
