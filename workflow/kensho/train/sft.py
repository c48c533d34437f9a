"""Supervised fine-tuning by any method, resumable, observed step by step."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from kensho.data.prompt import completion, prompt, prompt_back
from kensho.models.reference import Reference
from kensho.train.audit import audit
from kensho.train.record import Audit, Measured
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.stage import draw, learned, parted, require_positions

Pair = tuple[str, str]  # prompt and completion
SIDES = ("prompt", "completion", "before")
Ids = dict[str, list[int]]


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Train on ``samples``: columns en and ja (translation) or prompt and completion.

    They may have held_out: rows that are scored while others are learned; and before: exchanges of
    a dialogue ahead of the prompt, of which the stage's ``context`` are read.

    The stage's own settings are those of :class:`kensho.train.catalogue.Sft`; the rest is as
    :func:`kensho.train.stage.learned` has it.
    """
    own, chat = training.settings, in_turns(training)
    directions = own.get("directions", "en-ja")
    to_learn, held_out = (asked(table, directions, chat) for table in parted(samples))
    drawn = draw(to_learn, training.samples, training.seed)
    shown = own.get("context", 0)
    audited: list[Audit] = []

    def encode(model, tokenizer):
        def row(pairs: list[Pair], place: int, ahead: list[Pair]) -> tuple[Ids, list[Pair]]:
            """With as much of what is ahead of it as leaves it whole, without its answer."""
            answer = pairs[place][1].strip()
            near = ahead[len(ahead) - min(shown, len(ahead)) :]
            before = [pair for pair in near if answer not in "".join(pair)]
            while True:
                what = training.learned
                made = encoded(tokenizer, *pairs[place], chat=chat, before=before, learned=what)
                if not before or len(made["input_ids"]) <= training.max_length:
                    return made, before
                before = before[1:]

        def rows(table: pd.DataFrame) -> list[tuple[Ids, list[Pair]]]:
            pairs = [*zip(table["prompt"], table["completion"], strict=True)]
            places = range(len(pairs))
            near = (pairs[max(0, place - shown) : place] for place in places)
            ahead = table.get("before", near)
            return [row(pairs, *one) for one in zip(places, ahead, strict=True)]

        made = rows(drawn)
        told = drawn.assign(before=[before for _, before in made])
        samples, scored = [ids for ids, _ in made], [ids for ids, _ in rows(held_out)]
        require_positions(model, (len(ids["input_ids"]) for ids in scored), training)
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        chosen = replace(training, chat=chat)
        audited.append(audit(tokenizer, told, samples, chosen, context, scored))
        return samples, scored

    texts, others = (
        {side: [*map(str, table[side])] for side in SIDES if side in table}
        for table in (drawn, held_out)
    )
    steps, measured = learned(base, texts, encode, output, checkpoints, training, held_out=others)
    return steps, measured.model_copy(update={"audit": audited[0]})


def asked(samples: pd.DataFrame, directions: str = "en-ja", chat: bool = True) -> pd.DataFrame:
    """Prompts and completions of sentence pairs (en, ja): ``en-ja``, ``ja-en`` or ``both``.

    Samples that are no pairs but have prompts stay; where they are turns of dialogues, and not read
    as such (``chat``), the speakers are called A and B.
    """
    if "before" in samples and not chat:
        ahead = [[(_called(one), other) for one, other in pairs] for pairs in samples["before"]]
        return samples.assign(prompt=samples["prompt"].map(_called), before=ahead)
    if "prompt" in samples:
        return samples
    en, ja = samples["en"], samples["ja"]
    into_ja = {"prompt": en.map(prompt), "completion": ja.map(completion)}
    into_en = {"prompt": ja.map(prompt_back), "completion": en.map(completion)}
    made = {"en-ja": [into_ja], "ja-en": [into_en], "both": [into_ja, into_en]}
    return pd.concat(map(pd.DataFrame, made[directions]))


def _called(said: str) -> str:
    return f"A: {said}\nB:"


def in_turns(training: Training) -> bool:
    """Whether prompts are a user's turns: as the model is evaluated, unless it is set."""
    turns = training.settings.get("turns", "as evaluated")
    return training.chat if turns == "as evaluated" else turns == "chat"
