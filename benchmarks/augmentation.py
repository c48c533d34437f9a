"""Sentences a second by technique: ours, one by one, and daaja's own algorithm or GiNZA's parse.

One thread, but for bunsetsu and syntax, whose parses come from all cores; GiNZA's is that of its
pipeline as it is loaded, on the sentences that ours parses, so that the ratio is of the parse.

The same sentences of a finished `make report`, in one process. daaja (0.0.8) looks words up in a
table that it fetches; here it is given ours, which is smaller than its own and so in its favour.
Its packages are pinned to other versions: `pip install --no-deps --target FOLDER daaja==0.0.8`, and
FOLDER in PYTHONPATH. Its tables are loaded before its seconds begin; ours are indexed within them.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import machine
import pandas as pd
import spacy
from kensho.augment import (
    bunsetsu,
    eda,
    guard,
    honorific,
    parsing,
    politeness,
    synonyms,
    syntax,
)
from kensho.data.corpus import read_table

FEW = 200  # sentences that are run one by one
SEED, EACH, ALPHA = 1, 9, 0.1


def rate(work: Callable[[], object], sentences: int) -> float:
    """Sentences a second."""
    began = time.perf_counter()
    work()
    return sentences / (time.perf_counter() - began)


def daaja(words: pd.DataFrame, texts: list[str]) -> dict[str, float]:
    """Rates of daaja's synonym replacement, and of its insertion, swap and deletion."""
    from daaja import resouces

    folder = Path(tempfile.mkdtemp())
    resouces.Resouces.DIR = folder
    resouces.Resouces.WORDNET_PATH = folder / "words.db"
    resouces.Resouces.STOPWORDS_PATH = folder / "stopwords.txt"
    (folder / "stopwords.txt").write_text("", encoding="utf-8")
    pairs = [(g, w.lemma) for w in words.itertuples() for g in w.groups.split()]
    senses = pd.DataFrame(sorted(set(pairs)), columns=["synset", "lemma"])
    with sqlite3.connect(folder / "words.db") as table:
        senses.assign(wordid=senses.index, lang="jpn")[["synset", "wordid", "lang"]].to_sql(
            "sense", table, index=False
        )
        senses.assign(wordid=senses.index)[["wordid", "lemma"]].to_sql("word", table, index=False)

    from daaja.augmentors import sentence as own

    random.seed(SEED)
    replace = own.SynonymReplaceAugmentor(alpha=ALPHA)
    three = (
        own.RandamInsertAugmentor(alpha=ALPHA),
        own.RandamSwapAugmentor(alpha=ALPHA),
        own.RandamDeleteAugmentor(p=ALPHA),
    )
    # Its insertion fails on a sentence without a noun or verb.
    nouns = [t for t in texts if any(three[0].tokenizer.tokenize(t)[1])]
    return {
        "synonyms": rate(lambda: [replace.augment(text) for text in nouns], len(nouns)),
        "eda": rate(
            lambda: [three[k % 3].augment(text) for text in nouns for k in range(EACH)], len(nouns)
        ),
    }


def main() -> None:
    samples = read_table("results/data/train.csv")
    words = synonyms.inventory(read_table("results/data/attested.csv")["ja"])
    table = {"seed": SEED, "words": words}
    eda_by = partial(eda.variants, **table, per_sample=EACH, alpha=ALPHA)
    ordered = partial(bunsetsu.variants, seed=SEED, per_sample=5, probability=1.0)
    polite = partial(politeness.variants, seed=SEED, per_sample=1, probability=1.0)
    honoured = partial(honorific.variants, seed=SEED, per_sample=1, probability=1.0)
    works = {  # what is run, and whether also one by one: not where each call would index the words
        "synonyms": (partial(synonyms.variants, **table, per_sample=1, probability=0.5), False),
        "eda": (partial(eda_by, unit="word"), False),
        "eda (bunsetsu)": (partial(eda_by, unit="bunsetsu"), False),
        "bunsetsu": (ordered, True),
        "politeness": (polite, True),
        "honorific": (honoured, True),
        "syntax": (partial(syntax.variants, seed=SEED, per_sample=2, probability=1.0), True),
        "guard": (lambda table: guard.embed(table["ja"].tolist()), True),
    }
    few = [samples.iloc[[k]] for k in range(FEW)]
    parsing.parser()("猫が走る。")
    guard.embed(["猫が走る。"])
    print(f"{machine.describe()}; one thread")
    print(f"{len(samples)} sentences, {FEW} one by one and by daaja; {len(words)} words to look up")
    try:
        theirs = daaja(words, samples["ja"].head(FEW).tolist())
    except ImportError as error:
        theirs = {}
        print(f"no daaja ({error}): see the head of this script")
    print(f"{'sentences/s':<16}{'ours':>9}{'one by one':>12}{'daaja':>9}{'ours/daaja':>12}")
    for name, (work, alone) in works.items():
        ours = rate(partial(work, samples), len(samples))
        row = f"{name:<16}{ours:>9.0f}"
        row += f"{rate(partial(each, work, few), FEW):>12.0f}" if alone else " " * 12
        if name in theirs:
            row += f"{theirs[name]:>9.1f}{ours / theirs[name]:>12.1f}"
        print(row, flush=True)
    taken = [text for text in samples["ja"] if bunsetsu.worth_parsing(text)]
    ginza = spacy.load("ja_ginza")
    theirs_parsed = rate(lambda: list(ginza.pipe(taken)), len(taken))
    ours_parsed = rate(lambda: list(parsing.parsed(taken, bunsetsu.reorder)), len(taken))
    print(
        f"parses a second of {len(taken)} sentences: ours {ours_parsed:.0f}, GiNZA's pipeline "
        f"{theirs_parsed:.0f}: {ours_parsed / theirs_parsed:.1f} times"
    )


def each(work: Callable, tables: list[pd.DataFrame]) -> None:
    for one in tables:
        work(one)


if __name__ == "__main__":
    main()
