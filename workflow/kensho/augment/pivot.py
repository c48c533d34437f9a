"""Japanese sentences by people that share their English side: back-translations people made.

As variants of training samples they are an upper bound for back-translation and paraphrase, under
a name of their own, for they bring what people wrote into the training data. As pairs outside the
samples they show a model what a paraphrase is. An ambiguous English side has partners that differ
in meaning ("in decent shape").
"""

import pandas as pd

from kensho.augment import hash_order, variant_rows, variant_table
from kensho.data.duplicates import key, near

TECHNIQUE = "pivot"
PAIR_COLUMNS = ["source", "target", "en"]


def pivot(
    samples: pd.DataFrame,
    sentences: pd.DataFrame,
    test: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    threshold: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """For each sample up to ``per_sample`` other sentences with its English side, and the counts.

    ``samples`` and ``sentences`` (the cleaned corpus, before a pool is drawn) are tables id, ja,
    en; of ``test`` ja and en are read. English sides are one where their letters and digits are. A
    candidate is a sample with another sentence of its English side; it is dropped where it is
    itself a sample, where that side stands in the test split, or where the sentence has a bigram
    Jaccard similarity of at least ``threshold`` to a test sentence. A side without letters and
    digits is no side.

    Returns the variants (``COLUMNS``) and what became of the candidates as (stage, reason, count).
    """
    sides, theirs = samples["en"].map(key), sentences.assign(side=sentences["en"].map(key))
    theirs = theirs[theirs["side"].isin(sides) & (theirs["side"] != "")]
    theirs = theirs.iloc[hash_order(seed, TECHNIQUE, theirs["id"])]
    theirs["key"] = theirs["ja"].map(key)
    theirs["near"] = near(theirs["ja"].tolist(), test["ja"].tolist(), threshold)
    own = pd.DataFrame({"sample": range(len(samples)), "side": sides.to_numpy()})
    own["own"] = samples["ja"].map(key).to_numpy()
    candidates = own.merge(theirs, on="side").sort_values("sample", kind="stable")
    candidates = candidates[candidates["own"] != candidates["key"]]
    english = candidates["side"].isin(set(test["en"].map(key)))
    japanese = candidates["near"].astype(bool) & ~english
    again = candidates["key"].isin(set(own["own"])) & ~(english | japanese)
    fit = candidates[~(english | japanese | again)]
    kept = fit[fit.groupby("sample").cumcount() < per_sample]
    taken = dict(iter(kept.groupby("sample")))
    rows = [
        row
        for place, sample in enumerate(samples.itertuples())
        if place in taken
        for row in variant_rows(
            sample, TECHNIQUE, [(one.ja, {"written": one.id}) for one in taken[place].itertuples()]
        )
    ]
    counts = {
        "English side in the test split": english.sum(),
        f"bigram Jaccard >= {threshold:g} to a test sentence": japanese.sum(),
        "another sample": again.sum(),
        "more than per_sample": len(fit) - len(kept),
        "kept": len(kept),
    }
    table = [(TECHNIQUE, reason, int(count)) for reason, count in counts.items()]
    return variant_table(rows), pd.DataFrame(table, columns=["stage", "reason", "count"])


def pairs(sentences: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Ordered pairs of distinct sentences with one English side: ``source, target, en``.

    ``sentences`` is the cleaned corpus (id, ja, en). Neither a sentence nor an English side of
    ``used`` (ja, en: the splits) is among the pairs, nor a side without letters and digits.
    """
    table = sentences[["id", "ja", "en"]]
    table = table.assign(key=table["ja"].map(key), side=table["en"].map(key))
    table = table[~table["key"].isin(set(used["ja"].map(key)))]
    table = table[~table["side"].isin(set(used["en"].map(key)) | {""})]
    both = table.merge(table[["id", "ja", "key", "side"]], on="side", suffixes=("", "_other"))
    both = both[both["key"] != both["key_other"]]
    both = both.sort_values(["id", "id_other"], kind="stable", ignore_index=True)
    return both.rename(columns={"ja": "source", "ja_other": "target"})[PAIR_COLUMNS]
