"""Generated Markdown in Japanese."""

from html import escape
from pathlib import Path

from kensho.claims import registry
from kensho.report.markdown import in_japanese
from kensho.report.translation import english

ROOT = Path(__file__).parents[2]
PAGE = """# Parts

Generated from the catalogues by `make config`; see [extending.md](extending.md).

## Stages

| name | what it is |
|---|---|
| `name` | continual pre-training on plain text |
| `echo` | a stage that nobody has translated yet |
"""


def test_what_the_catalogue_has_is_translated_and_the_rest_stays():
    text = in_japanese(PAGE)
    assert "# 部品\n\n`make config` が一覧から" in text and "| 名前 | 内容 |\n|---|---|\n" in text
    assert "| `name` | 平文による継続事前学習 |\n" in text
    assert text.endswith("| `echo` | a stage that nobody has translated yet |\n")


def test_the_generated_pages_hold_no_english_but_statements_of_the_sources():
    parts, claims = (
        (ROOT / f"docs/ja/{name}.md").read_text(encoding="utf-8") for name in ("parts", "claims")
    )
    for claim in registry.load(ROOT / "config/claims"):
        if claim.source != "own":
            claims = claims.replace(f"| {claim.statement} |", "| |")
    assert english(escape(parts)) == [] and english(escape(claims.split("## レシピ")[0])) == []
