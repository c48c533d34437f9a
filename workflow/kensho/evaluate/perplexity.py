"""How improbable a model finds texts: nat per character, one text at a time."""

import math

import pandas as pd
import torch

from kensho.models.token_nll import token_nll

LONGEST = 500  # characters of a text that are read


@torch.inference_mode()
def measured(model, tokenizer, texts: pd.DataFrame) -> pd.DataFrame:
    """Columns id, characters, tokens, nat and nat_per_character of a table of id and text.

    A text's first ``LONGEST`` characters are read; its first token has nothing before it and is not
    counted. A text of a single token has no value and is left empty (NaN).
    """
    rows = []
    for name, text in zip(texts["id"], texts["text"], strict=True):
        part = text[:LONGEST]
        ids = tokenizer(part, return_tensors="pt")["input_ids"].to(model.device)
        nat = math.nan
        if ids.shape[1] > 1:
            nat = float(token_nll(model(ids).logits[0, :-1], ids[0, 1:]).sum())
        rows.append((name, len(part), ids.shape[1], nat, nat / max(1, len(part))))
    return pd.DataFrame(rows, columns=["id", "characters", "tokens", "nat", "nat_per_character"])
