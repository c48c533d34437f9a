"""Arms and texts of the study of tokenisers, and the files that are trained for it."""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from kensho.bench.segmentation.characters import SCRIPTS

FOLDER = "results/bench/tokenisers"
SCRIPT = {letter: script for script, letters in SCRIPTS.items() for letter in letters}
KINDS = (*SCRIPTS, "mixed", "byte")  # of tokens


class Arm(NamedTuple):
    """SentencePiece's algorithm, and whether MeCab's words bound the pieces."""

    algorithm: str
    mecab: bool


ARMS = {
    "unigram": Arm("unigram", False),
    "unigram-mecab": Arm("unigram", True),
    "bpe": Arm("bpe", False),
    "bpe-mecab": Arm("bpe", True),
}


class Cell(NamedTuple):
    """One tokeniser: an arm, pieces of its vocabulary, and share of characters that it covers."""

    arm: str
    vocabulary: int
    coverage: float

    @property
    def name(self) -> str:
        """That of its files."""
        return f"{self.arm}-{self.vocabulary}-{self.coverage:g}"

    @property
    def suffix(self) -> str:
        """What its metrics end with: v8000.c9995."""
        return f"v{self.vocabulary}.c{f'{self.coverage:g}'.removeprefix('0.')}"


def named(name: str) -> Cell:
    """The tokeniser of a file's name."""
    arm, vocabulary, coverage = name.rsplit("-", 2)
    return Cell(arm, int(vocabulary), float(coverage))


def cells(vocabularies: Iterable[int], coverages: Iterable[float]) -> Iterator[Cell]:
    """Every arm with every size and coverage."""
    return (Cell(*one) for one in product(ARMS, vocabularies, coverages))


def files(vocabularies: Iterable[int], coverages: Iterable[float]) -> dict[str, list[str]]:
    """Records of the tokenisers, and their models."""
    names = [cell.name for cell in cells(vocabularies, coverages)]
    return {
        "tokenisers": [f"{FOLDER}/{name}.json" for name in names],
        "pieces": [f"{FOLDER}/{name}.model" for name in names],
    }


def cell_of(path: Path) -> Cell:
    """The tokeniser of a record."""
    return named(path.name.removesuffix(".json"))


class Text(NamedTuple):
    """A text that published tokenisers encode: kind of writing, entry of config/sources.yaml."""

    kind: str
    source: str


TEXTS = {
    "pud-wiki": Text("encyclopaedia", "ud-japanese-pud"),
    "pud-news": Text("news", "ud-japanese-pud"),
    "fastapi": Text("technical", "fastapi-ja"),
    "wikipedia": Text("encyclopaedia", "wikipedia-annotated-corpus"),
    "livedoor": Text("news", "livedoor-news"),
}
SOURCES = list(dict.fromkeys(text.source for text in TEXTS.values()))
