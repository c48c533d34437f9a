"""What a training is going to learn, looked at before its first step."""

import sys
from collections.abc import Mapping, Sequence

import pandas as pd
from transformers import PreTrainedTokenizerBase

from kensho.models.encoding import encode
from kensho.train.record import Audit, Token
from kensho.train.run import Training
from kensho.train.samples import IGNORED, texts

SHOWN = 3  # samples, token by token


def audit(
    tokenizer: PreTrainedTokenizerBase,
    pairs: pd.DataFrame,
    samples: Sequence[Mapping[str, Sequence[int]]],
    training: Training,
    context: int | None,
    held_out: Sequence[Mapping[str, Sequence[int]]] = (),
) -> Audit:
    """As :func:`counted`, of samples as encoded and not yet cut, and warnings of what they lack.

    ``pairs`` are their prompts and completions, and in column before those that they are read
    after; ``context`` are the positions of the model where they are limited. Raises ValueError
    where the training would be wrong: a sample is longer than the context, begins twice, or lacks
    its end, a whole prompt or no token at all is learned.
    """
    name, limit = training.name, training.max_length
    _, _, mark = texts(tokenizer, "", "", chat=training.chat)
    end = tokenizer.encode(mark, add_special_tokens=False)
    merged = 0
    for number, sample in enumerate(samples, 1):
        ids = list(sample["input_ids"])
        if context is not None and min(len(ids), limit) > context:
            raise ValueError(
                f"{name}: sample {number} has {len(ids)} tokens, the model {context} positions; "
                f"lower max_length to {context}"
            )
        if ids[-len(end) :] != end:
            raise ValueError(
                f"{name}: sample {number} ends in token {ids[-1]}, not in {end}: no end would be "
                "learned; change the tokenizer or its chat template"
            )
    if training.learned == "completions":
        for number, (pair, whole) in enumerate(zip(pairs.itertuples(), samples, strict=True), 1):
            sides, chat = (pair.prompt, pair.completion), training.chat
            prompt = texts(tokenizer, *sides, chat=chat, before=pair.before)[0]
            asked = len(encode(tokenizer, prompt))
            own = tokenizer.encode(pair.prompt, add_special_tokens=False)
            # of what comes first nothing is learned, whatever its label
            of_prompt = [label != IGNORED for label in whole["labels"][1:asked]]
            if of_prompt[1:] and all(of_prompt[-len(own) :]):
                raise ValueError(
                    f"{name}: sample {number} learns its whole prompt; change its labels"
                )
            merged += any(of_prompt)
    cut = sum(len(sample["input_ids"]) > limit for sample in samples)
    warnings = {
        f"samples are cut at {limit} tokens and do not learn their end": cut,
        "samples learn the end of their prompt, which shares a token with the answer": merged,
    }
    return counted(tokenizer, samples, training, warnings, held_out)


def counted(
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Mapping[str, Sequence[int]]],
    training: Training,
    warnings: Mapping[str, int] | None = None,
    held_out: Sequence[Mapping[str, Sequence[int]]] = (),
) -> Audit:
    """Tokens of samples, cut as they are trained on, and how many of them are learned.

    The first samples are shown token by token; all of it is written to stderr as well.
    ``warnings`` are numbers of samples by what is said of them; rows ``held_out`` of which nothing
    is scored are counted too. Raises ValueError where a sample begins twice, or no token is
    learned.
    """
    name, limit = training.name, training.max_length
    cut = [dict(labels=s["labels"][:limit], ids=list(s["input_ids"][:limit])) for s in samples]
    for number, row in enumerate(cut, 1):
        if row["ids"][:2] == [tokenizer.bos_token_id] * 2:
            raise ValueError(
                f"{name}: sample {number} begins twice; leave token {row['ids'][0]} out"
            )
    learned = [_learned(row["labels"]) for row in cut]
    if not any(learned):
        raise ValueError(f"{name}: no token is learned in {len(cut)} samples; raise max_length")
    numbers = {**(warnings or {}), "samples have nothing to learn": learned.count(0)}
    said = [(text, count, len(cut)) for text, count in numbers.items()]
    mute = sum(not _learned(row["labels"][:limit]) for row in held_out)
    said.append(("held-out samples have nothing to score", mute, len(held_out)))
    audited = Audit(
        samples=len(cut),
        tokens=sum(len(row["ids"]) for row in cut),
        learned=sum(learned),
        warnings=[f"{count} of {total} {text}" for text, count, total in said if count],
        shown=[_shown(tokenizer, **row) for row in cut[:SHOWN]],
    )
    _say(name, audited)
    return audited


def _learned(labels: Sequence[int]) -> int:
    return sum(label != IGNORED for label in labels[1:])


def _shown(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], labels: Sequence[int]
) -> list[Token]:
    """Each token as text, or its name where it is part of a character, and if it is learned."""
    text = [str(tokenizer.decode([one])) for one in ids]
    pieces = tokenizer.convert_ids_to_tokens(list(ids))
    read = [piece if "\ufffd" in one else one for one, piece in zip(text, pieces, strict=True)]
    # what comes first is foretold by nothing
    learned = [place > 0 and label != IGNORED for place, label in enumerate(labels)]
    return [
        Token(text=one, learned=is_learned) for one, is_learned in zip(read, learned, strict=True)
    ]


def _say(name: str, audited: Audit) -> None:
    lines = [
        f"{audited.learned} of {audited.tokens} tokens of {audited.samples} samples are learned"
    ]
    for number, sample in enumerate(audited.shown, 1):
        for what, wanted in (("masked", False), ("learned", True)):
            tokens = "|".join(repr(t.text)[1:-1] for t in sample if t.learned == wanted)
            lines.append(f"sample {number}, {what}: {tokens}")
    lines += [f"warning: {line}" for line in audited.warnings]
    print(*(f"{name}: {line}" for line in lines), sep="\n", file=sys.stderr, flush=True)
