"""Documents of an encyclopaedia, of news and of technical writing, as others publish them."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kensho.data import published
from kensho.data.rows import Fault, Row

PUD = {"w": "pud-wiki", "n": "pud-news"}  # first letter of a sentence's id
MARKUP = re.compile(r"<[^>]*>|(?<=\])\([^)]*\)|^[#>*!\s-]+")
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


class Document(NamedTuple):
    """Lines of a document of ``TEXTS``, and their English side where that is published."""

    text: str
    name: str
    ja: list[str]
    en: list[str]


def read(source: str, path: Path) -> list[Document]:
    """Documents of a source, in its order.

    Raises ValueError for a file that is not as it was published.
    """
    return list(READERS[source](path))


def _pud(path: Path) -> Iterator[Document]:
    """Parallel Universal Dependencies: a document is what shares the first six signs of its ids."""
    documents: dict[str, Document] = {}
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        comments = dict(
            line[2:].partition(" = ")[::2] for line in block.split("\n") if line[0] == "#"
        )
        try:
            name, ja, en = comments["sent_id"][:6], comments["text"], comments["text_en"]
            text = PUD[name[:1]]
        except KeyError as error:
            raise ValueError(
                f"{path.name}: a sentence without {error}; put the file of release 2.2 there"
            ) from None
        document = documents.setdefault(name, Document(text, name, [], []))
        document.ja.append(ja)
        document.en.append(en)
    yield from documents.values()


def _markdown(path: Path) -> Iterator[Document]:
    """Pages, each from its title on: lines with Japanese, without code blocks and markup."""
    pages: list[Document] = []
    fenced = False
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            if line.startswith("# ") or not pages:
                pages.append(Document("fastapi", f"{len(pages) + 1:02}", [], []))
            if JAPANESE.search(line):
                pages[-1].ja.append(MARKUP.sub("", line).strip())
    yield from (page for page in pages if page.ja)


def _published(
    text: str, rows: Callable[[Path], Iterable[Row | Fault]]
) -> Callable[[Path], Iterator[Document]]:
    def documents(path: Path) -> Iterator[Document]:
        for row in rows(path):
            if isinstance(row, Fault):
                raise ValueError(f"{path.name}: {row.reason}; put the file as it was published")
            lines = [line.strip() for line in (row.text or "").split("\n") if line.strip()]
            if lines:
                yield Document(text, row.document, lines, [])

    return documents


READERS: dict[str, Callable[[Path], Iterator[Document]]] = {
    "ud-japanese-pud": _pud,
    "fastapi-ja": _markdown,
    "wikipedia-annotated-corpus": _published("wikipedia", published.wikipedia_annotated),
    "livedoor-news": _published("livedoor", published.livedoor),
}
