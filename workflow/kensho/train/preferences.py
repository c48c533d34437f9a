"""Preference pairs of the corpus: a translation, and one that is worse, of the same sentence.

Preferred is always the human translation of the corpus. What is rejected beside it is a setting
(:class:`kensho.train.catalogue.Dpo`): another sample's translation, a damaged one, or one that the
model samples itself, as in the paper (Rafailov et al. 2023, arXiv 2305.18290, section 4).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

BY_MODEL = "own"  # the kind of rejected side that a model writes; others follow from the corpus
COLUMNS = ["id", "en", "ja", "rejected", "origin"]
NEW_TOKENS = 64  # at most, of a sampled translation


class Pairs(NamedTuple):
    """``table`` has the columns id, en, ja, rejected and origin; ``drops`` stage, reason, count."""

    table: pd.DataFrame
    drops: pd.DataFrame


def neighbours(samples: pd.DataFrame) -> Pairs:
    """The translation of the sample behind it is rejected, of the last one that of the first."""
    rejected = samples["ja"].iloc[[*range(1, len(samples)), 0]].tolist()
    return paired(samples, rejected, "neighbour")


def damaged(samples: pd.DataFrame, variants: pd.DataFrame) -> Pairs:
    """The first of a technique's ``variants`` (columns parent, ja) that changes it is rejected."""
    originals = samples.set_index("id")["ja"]
    changed = variants[variants["ja"] != variants["parent"].map(originals)]
    first = changed.drop_duplicates("parent").set_index("parent")["ja"]
    return paired(samples, samples["id"].map(first).tolist(), "damaged")


def paired(samples: pd.DataFrame, rejected: Sequence[Any], origin: str) -> Pairs:
    """Pairs of samples and what is rejected beside them, without those that are no choice."""
    table = samples[["id", "en", "ja"]].assign(rejected=rejected, origin=origin)
    none = table["rejected"].isna() | (table["rejected"] == "")
    same = table["rejected"] == table["ja"]
    counts = [("nothing to reject", int(none.sum())), ("both sides equal", int(same.sum()))]
    drops = [("preferences", reason, count) for reason, count in counts]
    kept = table[~(none | same)].reset_index(drop=True)[COLUMNS]
    if kept.empty:
        raise ValueError("no sample has a side to reject; take another for `rejected`")
    return Pairs(kept, pd.DataFrame(drops, columns=["stage", "reason", "count"]))


def sampled(
    model: Any, tokenizer: Any, samples: pd.DataFrame, *, chat: bool, batch: int, seed: int
) -> Pairs:
    """The first line of what the model samples at temperature 1 is rejected."""
    import torch
    from transformers import set_seed

    from kensho.data.prompt import prompt
    from kensho.models.encoding import encode, render

    set_seed(seed)
    texts = samples["en"].map(prompt)
    if chat:
        texts = texts.map(lambda text: render(tokenizer, [{"role": "user", "content": text}]))
    asked = [encode(tokenizer, text) for text in texts]
    pad, answers = tokenizer.pad_token_id, []
    for first in range(0, len(asked), batch):
        rows = asked[first : first + batch]
        width = max(map(len, rows))
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
        real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        written = model.generate(
            input_ids=ids,
            attention_mask=real.to(model.device),
            max_new_tokens=NEW_TOKENS,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            pad_token_id=pad,
        )
        texts_of = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        answers += [text.strip().partition("\n")[0].strip() for text in texts_of]
    return paired(samples, answers, "sampled")
