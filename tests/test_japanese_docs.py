"""Japanese documentation: its commands are those of the English page, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    ROOT / "README.ja.md": ROOT / "README.md",
    **{page: ROOT / "docs" / page.name for page in sorted((ROOT / "docs/ja").glob("*.md"))},
}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
COMMAND = re.compile(r"(?<!`)`((?:make|snakemake|python3?|tensorboard|\.venv/bin/\w+) [^`]*)`")


def commands(page: Path) -> list[str]:
    """Lines of code blocks that are ASCII but for their comments, in their order."""
    text = re.sub(r"^```\w*\n(.*?)^```$",
                  lambda block: re.sub("^", "    ", block[1], flags=re.M),
                  page.read_text(encoding="utf-8"), flags=re.M | re.S)  # fmt: skip
    lines = re.findall(r"(?:^\n|(?<=\n)) {4}(?! *\d\. )(.+)$", text, flags=re.M)
    bare = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [re.sub(r"\s{2,}.*", "", line) for line in bare if line]


@pages
def test_the_commands_of_a_page_are_those_of_its_english(page):
    english = PAGES[page]
    named, other = (
        {*COMMAND.findall(p.read_text(encoding="utf-8").replace("\n", " "))}
        for p in (page, english)
    )
    assert commands(page) == commands(english) and named == other


def test_commands_of_both_forms_are_found():
    page = ROOT / "docs/ja/running.md"
    assert "make report" in commands(page) and COMMAND.search(page.read_text(encoding="utf-8"))


@pages
def test_the_links_of_a_page_lead_somewhere_and_to_its_english(page):
    linked = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    targets = {(page.parent / link).resolve() for link in linked if "://" not in link}
    assert [target for target in targets if not target.exists()] == []
    assert PAGES[page].resolve() in targets
    assert page.resolve() in {
        (PAGES[page].parent / link).resolve()
        for link in re.findall(r"\]\(([^)#]+)", PAGES[page].read_text(encoding="utf-8"))
    }


def test_the_japanese_readme_lists_every_japanese_page():
    text = (ROOT / "README.ja.md").read_text(encoding="utf-8")
    pages = [page for page in PAGES if page.parent != ROOT]
    assert [page for page in pages if f"(docs/ja/{page.name})" not in text] == []
