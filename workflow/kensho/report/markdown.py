"""Generated pages of Markdown in another language, by the catalogue that HTML pages have."""

import re
from pathlib import Path

from kensho.report.translation import Catalogue

LANGUAGES = Path("resources/languages")
HEADING = re.compile(r"(#+ )(.+)")


def in_japanese(page: str) -> str:
    """Headings, paragraphs and cells of tables; what the catalogue lacks stays English."""
    catalogue = Catalogue.read(sorted((LANGUAGES / "ja").glob("*.yaml")))
    return "\n\n".join(_block(block, catalogue) for block in page.strip().split("\n\n")) + "\n"


def _block(block: str, catalogue: Catalogue) -> str:
    if heading := HEADING.fullmatch(block):
        return heading[1] + _one(heading[2], catalogue)
    if not block.startswith("|"):
        return _one(" ".join(block.splitlines()), catalogue)
    rows = (row.strip("|").split("|") for row in block.splitlines())
    return "\n".join(f"|{'|'.join(_cell(cell, catalogue) for cell in row)}|" for row in rows)


def _cell(cell: str, catalogue: Catalogue) -> str:
    text = cell.strip()
    return f" {_one(text, catalogue)} " if cell != text else cell


def _one(text: str, catalogue: Catalogue) -> str:
    return catalogue.of(text) or text
