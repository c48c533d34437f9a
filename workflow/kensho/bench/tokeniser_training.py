"""Tokenisers trained by SentencePiece on one corpus, with and without MeCab before them.

Text is neither normalised nor stripped, and characters that are not covered become bytes
(byte_fallback), so that every tokeniser gives every text back. With MeCab the words of UniDic are
what is learnt and what is encoded: no piece crosses a word.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from kensho.bench.tokeniser_arms import ARMS, Cell, cell_of
from kensho.files import read_json
from kensho.linguistics.tokens import words

TOO_LARGE = "Vocabulary size"  # in what SentencePiece says where a corpus carries fewer pieces
BLANK = "\u2581"
LONGEST, SEEDS = 16, 1_000_000  # SentencePiece's defaults
BEGIN, END = 1, 2  # SentencePiece's ids of a text's begin and end


class Tokeniser(NamedTuple):
    """A trained tokeniser; ``pieces`` is a SentencePieceProcessor."""

    cell: Cell
    pieces: Any

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without its begin and end."""
        parts = words(text) if ARMS[self.cell.arm].mecab else [text]
        return [index for ids in self.pieces.encode(parts, num_threads=1) for index in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; SentencePiece's mark of a blank is one where it has no piece, too."""
        return self.pieces.decode(list(ids)).replace(BLANK, " ")


def train(texts: Sequence[str], cell: Cell, threads: int) -> tuple[bytes, str | None]:
    """SentencePiece's model, or b"" and why the texts do not carry it.

    Every text is read, none is sampled.
    """
    from sentencepiece import SentencePieceTrainer

    algorithm, mecab = ARMS[cell.arm]
    learnt = [word for text in texts for word in words(text)] if mecab else texts
    written = io.BytesIO()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "seeds.tsv"
        if mecab and algorithm == "unigram":
            path.write_text("".join(f"{p}\t{n}\n" for p, n in seeds(learnt)), encoding="utf-8")
        try:
            SentencePieceTrainer.train(
                sentence_iterator=iter(learnt),
                model_writer=written,
                model_type=algorithm,
                vocab_size=cell.vocabulary,
                character_coverage=cell.coverage,
                seed_sentencepieces_file=str(path) if path.exists() else "",
                byte_fallback=True,
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                normalization_rule_name="identity",
                num_threads=threads,
                minloglevel=2,
            )
        except RuntimeError as error:
            if TOO_LARGE not in str(error):
                raise
            return b"", str(error)[str(error).index("Vocabulary") :]
    return written.getvalue(), None


def seeds(words: Iterable[str]) -> list[tuple[str, int]]:
    """Pieces that Unigram begins with where words bound them: parts of words, and how often each.

    SentencePiece's own are substrings that differ in what follows them, and so never a word that
    is part of no other. As many and as long as its own.
    """
    parts: Counter[str] = Counter()
    for word, times in Counter(words).items():
        for first in range(len(word) - 1):
            for last in range(first + 2, min(len(word), first + LONGEST) + 1):
                parts[word[first:last].replace(" ", BLANK)] += times
    return [(part, times) for part, times in parts.most_common(SEEDS) if times > 1]


def load(records: Iterable[Path]) -> tuple[list[Tokeniser], dict[Cell, str]]:
    """The tokenisers of records that could be trained, and why others could not."""
    from sentencepiece import SentencePieceProcessor

    loaded, untrained = [], {}
    for path in records:
        cell, why = cell_of(path), read_json(path)["untrained"]
        if why:
            untrained[cell] = why
            continue
        model = path.with_name(f"{cell.name}.model").read_bytes()
        loaded.append(Tokeniser(cell, SentencePieceProcessor(model_proto=model)))
    return loaded, untrained
