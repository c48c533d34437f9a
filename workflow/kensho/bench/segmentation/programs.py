"""The segmenters that are timed: how each is loaded and what one call of it does to a line."""

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from kensho.linguistics.sudachi import LIMIT, size

Split = Callable[[str], Any]  # words, or a text of them


class Program(NamedTuple):
    """``load(model)`` gives the function that is timed; ``count`` its tokens from its result.

    ``share`` is the part of the text that one pass takes: slow programs get the first lines only.
    """

    package: str
    load: Callable[[Path], Split]
    count: Callable[[Any], int] = len
    share: float = 1.0


def installed() -> dict[str, Program]:
    """Programs whose package is there."""
    return {name: one for name, one in PROGRAMS.items() if find_spec(one.package)}


def unknown(lines: list[str]) -> dict[str, float]:
    """Share of tokens that are in no dictionary, of the programs that say so."""
    import fugashi
    import sudachipy

    tagger = fugashi.Tagger(_unidic())
    words = [word.is_unk for line in lines for word in tagger(line)]
    tokenizer = sudachipy.Dictionary(dict="core").create()
    others = [word.is_oov() for line in lines for word in tokenizer.tokenize(line)]
    return {"fugashi": sum(words) / len(words), "sudachipy-c": sum(others) / len(others)}


def _vaporetto(model: Path, words: bool = False) -> Split:
    import vaporetto

    program = vaporetto.Vaporetto.create_from_kytea_model(model.read_bytes())
    if not words:
        return program.tokenize_to_string
    return lambda line: [token.surface() for token in program.tokenize(line)]


def _kytea(model: Path, words: bool = False) -> Split:
    import Mykytea

    if " " in str(model):
        raise ValueError(f"{model}: KyTea's Python wrapper takes no path with a space in it")
    program = Mykytea.Mykytea(f"-model {model} -notags")
    return (lambda line: list(program.getWS(line))) if words else program.getTagsToString


def _mecab(_: Path, form: str = "-Owakati") -> Split:
    """MeCab's own work with one call per line: the whole result comes back as one string."""
    import fugashi

    return fugashi.GenericTagger(f"{_unidic()} {form}").parse


def _fugashi(_: Path, features: bool = False) -> Split:
    import fugashi

    tagger = fugashi.Tagger(_unidic())
    if features:
        return lambda line: [(word.surface, word.feature) for word in tagger(line)]
    return lambda line: [word.surface for word in tagger(line)]


def _unidic() -> str:
    import unidic_lite

    return f'-d "{unidic_lite.DICDIR}" -r "{unidic_lite.DICDIR}/mecabrc"'


def _sudachipy(_: Path, mode: str) -> Split:
    import sudachipy

    tokenizer = sudachipy.Dictionary(dict="core").create(mode=getattr(sudachipy.SplitMode, mode))
    return lambda line: [word.surface() for word in tokenizer.tokenize(line)]


def _ginza(_: Path) -> Split:
    import spacy

    program = spacy.load("ja_ginza")
    return lambda line: [token.text for token in program(line)]


def _janome(_: Path) -> Split:
    from janome.tokenizer import Tokenizer

    program = Tokenizer()
    return lambda line: list(program.tokenize(line, wakati=True))


def _nagisa(_: Path) -> Split:
    import nagisa

    return nagisa.wakati


def _budoux(_: Path) -> Split:
    import budoux

    return budoux.load_default_japanese_parser().parse


def _pieces(line: str) -> int:
    return len(line.split())


PROGRAMS = {
    "vaporetto": Program("vaporetto", _vaporetto, _pieces),
    "vaporetto-words": Program("vaporetto", partial(_vaporetto, words=True)),
    "kytea": Program("Mykytea", _kytea, _pieces),
    "kytea-words": Program("Mykytea", partial(_kytea, words=True)),
    "mecab": Program("fugashi", _mecab, _pieces),
    "mecab-features": Program("fugashi", partial(_mecab, form=""), lambda text: text.count("\n")),
    "fugashi": Program("fugashi", _fugashi),
    "fugashi-features": Program("fugashi", partial(_fugashi, features=True)),
    "sudachipy-a": Program("sudachipy", partial(_sudachipy, mode="A")),
    "sudachipy-b": Program("sudachipy", partial(_sudachipy, mode="B")),
    "sudachipy-c": Program("sudachipy", partial(_sudachipy, mode="C")),
    "budoux": Program("budoux", _budoux, share=0.2),
    "ginza": Program("ginza", _ginza, share=0.004),
    "janome": Program("janome", _janome, share=0.05),
    "nagisa": Program("nagisa", _nagisa, share=0.05),
}


def read_lines(folder: Path, share: float = 1.0) -> list[str]:
    """The text that is timed, or the first lines of it.

    Raises ValueError naming file and line for a line that Sudachi and GiNZA could not read whole:
    programs are compared on the same calls.
    """
    path = folder / "text.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if (long := size(line)) > LIMIT:
            raise ValueError(
                f"{path}:{number}: {long:,} bytes, where Sudachi reads at most {LIMIT:,} at once; "
                "lower bench.tokenisation.line_characters, or leave the sentence out"
            )
    return lines[: max(1, round(share * len(lines)))]


def run(arm: str, folder: Path, seconds: float) -> dict:
    """One process: load, a first pass that counts tokens, then passes for ``seconds``."""
    program = PROGRAMS[arm]
    lines = read_lines(folder, program.share)
    began = time.perf_counter()
    split = program.load(folder / "model.bin")
    loaded = time.perf_counter()
    tokens = sum(program.count(split(line)) for line in lines)
    warm, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() - warm < seconds:
        for line in lines:
            split(line)
        passes += 1
    wall = time.perf_counter() - warm
    return {
        "characters_per_second": passes * sum(map(len, lines)) / wall,
        "wall_seconds": wall,
        "load_seconds": loaded - began,
        "warmup_seconds": warm - loaded,
        "tokens": tokens,
    }
