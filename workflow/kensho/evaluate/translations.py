"""Translations of held-out pairs, as experiments that train models by themselves score them."""

from typing import Any

import pandas as pd
import sacrebleu

from kensho.evaluate.greedy import Decoding, generate
from kensho.models.encoding import encode

AT_ONCE = 32  # keys and values of no more are held, however many are asked


def chrf(model: Any, tokenizer: Any, samples: pd.DataFrame, most: int) -> float:
    """Corpus chrF2 (0-100; Popović 2015) of the first lines that the model answers greedily.

    ``samples`` has columns prompt and completion; answers have ``most`` tokens at most.
    """
    ends = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    decoding = Decoding(
        most=most,
        ended=lambda answer: answer[-1] in ends or "\n" in tokenizer.decode(answer[-1:]),
        batch=AT_ONCE,
        nodes=0,
    )
    contexts = [encode(tokenizer, prompt) for prompt in samples["prompt"]]
    written = generate(model, contexts, decoding, padding=tokenizer.pad_token_id)
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    answers = [text.strip().partition("\n")[0].strip() for text in texts]
    return float(sacrebleu.corpus_chrf(answers, [samples["completion"].str.strip().tolist()]).score)
