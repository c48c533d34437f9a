"""The tables that a stage reads: samples of the pipeline, or documents of a mixture."""

import hashlib
from collections.abc import Collection, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from kensho.data.corpus import read_table
from kensho.data.duplicates import key
from kensho.data.prompt import DELIMITER
from kensho.files import sha256

MIXED = "its documents are neither all pairs nor all dialogues; take a mixture that is"
ASSISTANT = "assistant"  # speaker whose turns alone are learned


class Samples(NamedTuple):
    """``table`` of those to learn, ``of`` so many, with a sha256 of what they lie in.

    ``tested`` documents are not among them, since the test set or what is held out has them too.
    """

    table: pd.DataFrame
    of: int
    sha256: str
    tested: int


Kind = Literal["texts", "pairs"]


def read(
    paths: Sequence[str],
    most: int | None,
    held_out: int,
    corpus: Sequence[str] = (),
    kind: Kind = "texts",
) -> Samples:
    """The first ``most`` samples to learn of tables, which are in random order already.

    Column held_out marks so many that are scored alone (:func:`marked`). Documents of a mixture
    have none: of these ``corpus`` are the tables test and train (en, ja), and a document is left
    out of which a text, side or turn differs in signs alone from a sentence of the first, or of the
    last ``held_out`` of the second. As ``texts`` they are columns id and text; as ``pairs`` id, en
    and ja, or of dialogues those of :func:`exchanges`. The sha256 of several files is of their
    digests.
    """
    digests = [sha256(path) for path in paths]
    together = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    digest = digests[0] if len(digests) == 1 else together
    if corpus:
        return _of_mixture(paths, most, held_out, corpus, digest, kind)
    parts = [
        _texts(path) if Path(path).suffix == ".parquet" else read_table(path) for path in paths
    ]
    samples = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if samples.empty:
        return Samples(samples, 0, digest, 0)
    every, table = marked(samples, held_out), marked(samples, held_out, most)
    return Samples(table, int((~every["held_out"]).sum()), digest, 0)


def _of_mixture(
    paths: Sequence[str],
    most: int | None,
    held_out: int,
    corpus: Sequence[str],
    digest: str,
    kind: Kind,
) -> Samples:
    """The first samples that the corpus neither tests nor holds out.

    No file beyond them is read, but for dialogues, of whose samples only reading tells the number.
    ``tested`` counts the documents that were met and left out.
    """
    test, train = map(read_table, corpus)
    pairs = pd.concat([test, marked(train, held_out).query("held_out")])[["en", "ja"]]
    apart = {key(text) for text in pairs.stack()}
    parts, tested, kept, of = list[pd.DataFrame](), 0, 0, 0
    for path in paths:
        if most is not None and kept >= most and not of:
            break
        part = _texts(path) if kind == "texts" else _pairs(path)
        sides = [part[side].map(key).isin(apart) for side in ("text", "en", "ja") if side in part]
        known = reduce(or_, sides) if sides else _said(part["turns"], apart)
        fit = part[~known]
        parts.append(exchanges(fit["turns"]) if "turns" in fit else fit)
        tested, kept = tested + int(known.sum()), kept + len(parts[-1])
        of = kept if "turns" in fit else 0
    if not kept:
        raise ValueError(
            f"{paths[0]}: what is tested or held out has every document; take another mixture"
        )
    if len({frozenset(part) for part in parts}) > 1:
        raise ValueError(f"{paths[0]}: {MIXED}")
    of = of or sum(len(pd.read_parquet(path, columns=["id"])) for path in paths) - tested
    return Samples(marked(pd.concat(parts, ignore_index=True), 0, most), of, digest, tested)


def marked(samples: pd.DataFrame, held_out: int, most: int | None = None) -> pd.DataFrame:
    """The first ``most`` samples to learn, and a column ``held_out``: those that are scored alone.

    These are the last originals, of which no variant is learned either; a column ``parent`` names
    the sample that a row was made of. Where a table has the column (preferences) it says which.
    Raises ValueError where nothing would be left to learn.
    """
    if "held_out" in samples:
        apart = samples["held_out"] == str(True)
        return pd.concat([samples[~apart].head(most), samples[apart]]).assign(
            held_out=lambda kept: kept["held_out"] == str(True)
        )
    parents = samples["parent"] if "parent" in samples else pd.Series(samples.index, samples.index)
    originals = parents.drop_duplicates()
    apart = parents.isin(originals.tail(held_out) if held_out else [])
    if apart.all():
        raise ValueError(
            f"{len(originals)} samples, of which train.validation holds {held_out} out; lower it"
        )
    kept = [samples[~apart].head(most), samples[apart & ~parents.duplicated()]]
    return pd.concat(kept, keys=[False, True], names=["held_out"]).reset_index("held_out")


def exchanges(dialogues: pd.Series) -> pd.DataFrame:
    """A sample for each turn that answers another: columns prompt, completion and before.

    ``before`` are the exchanges ahead of it, (said, answered). Turns of one speaker in a row are
    one. Where a speaker is called assistant only that one's turns are answers.
    """
    rows = []
    for turns in dialogues:
        spoken = list[tuple[str, str]]()
        for turn in turns:
            speaker, text = turn["speaker"], turn["text"].strip()
            if spoken and spoken[-1][0] == speaker:
                spoken[-1] = speaker, f"{spoken[-1][1]}\n{text}"
            elif text:
                spoken.append((speaker, text))
        asked = any(speaker == ASSISTANT for speaker, _ in spoken)
        texts = [text for _, text in spoken]
        for place in range(1, len(spoken)):
            if asked and spoken[place][0] != ASSISTANT:
                continue
            ahead = texts[(place - 1) % 2 : place - 1]
            answers = [DELIMITER + text for text in ahead[1::2]]
            before = [*zip(ahead[::2], answers, strict=True)]
            rows.append((texts[place - 1], DELIMITER + texts[place], before))
    return pd.DataFrame(rows, columns=["prompt", "completion", "before"])


def _pairs(path: str) -> pd.DataFrame:
    """Columns id, en and ja of pairs, or id and turns of dialogues."""
    documents = pd.read_parquet(path, columns=["id", "ja", "en", "turns"])
    pairs, dialogues = documents[["ja", "en"]].notna().all(axis=1), documents["turns"].notna()
    if pairs.all():
        return documents[["id", "en", "ja"]]
    if dialogues.all():
        return documents[["id", "turns"]]
    raise ValueError(f"{path}: {MIXED}")


def _said(dialogues: pd.Series, apart: Collection[str]) -> pd.Series:
    return dialogues.map(lambda turns: any(key(turn["text"]) in apart for turn in turns))


def _texts(path: str) -> pd.DataFrame:
    """Columns id and text of documents; of pairs the Japanese side."""
    documents = pd.read_parquet(path, columns=["id", "text", "ja"])
    texts = documents["text"].fillna(documents["ja"])
    if none := int(texts.isna().sum()):
        raise ValueError(f"{path}: {none} documents are turns, not text; take another mixture")
    return documents[["id"]].assign(text=texts)
