"""What is translated and answered: sentences, turns of dialogues, and open questions.

A set has one direction and one reader; a block is "set/item". Prior context is shown as earlier
pairs of source and reference, as training on dialogues has it (`context` of a stage).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kensho.data.prompt import prompt, prompt_back
from kensho.files import read_lines, write_lines
from kensho.validation import problems

Direction = Literal["en-ja", "ja-en"]
DIRECTIONS: tuple[Direction, ...] = ("en-ja", "ja-en")
ASK = {"en-ja": prompt, "ja-en": prompt_back}
LAYOUT = "{instruction}\n\n{shots}### 入力:\n{input}\n\n### 応答:\n"
# Sets of llm-jp-eval's category MT, as its evaluation averages them; D-1's results hold two.
MT: dict[str, Direction] = {
    "alt-e-to-j": "en-ja",
    "alt-j-to-e": "ja-en",
    "wikicorpus-e-to-j": "en-ja",
    "wikicorpus-j-to-e": "ja-en",
}
OF_D1 = ("alt-e-to-j", "alt-j-to-e")


class Item(BaseModel):
    """A thing that every arm is asked; ``reference`` is "" where there is none.

    ``before`` are earlier turns with their translations, ``rubric`` is what a judge is told of a
    good answer to a question. Items of one ``cluster`` speak of the same: a pair in both
    directions, the turns of a scene.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    set: str
    direction: Direction | None
    source: str
    reference: str
    prompt: str
    before: list[list[str]] = []
    rubric: str = ""
    cluster: str = ""

    @property
    def block(self) -> str:
        return f"{self.set}/{self.id}"

    @property
    def unit(self) -> str:
        """Its name among observations, cluster first; alone it is its own cluster."""
        name = f"{self.set}:{self.id}"
        return f"{self.cluster or name}/{name}"


Words = Annotated[str, Field(pattern=r"\S")]


class Sample(BaseModel):
    """A sentence and its translation, as llm-jp-eval keeps them."""

    input: Words
    output: Words


class Prepared(BaseModel):
    """A file of llm-jp-eval, as far as it is read."""

    instruction: Words
    few_shots: list[Sample] | None = None
    samples: Annotated[list[Sample], Field(min_length=1)]


def translation(
    name: str,
    number: object,
    direction: Direction,
    en: str,
    ja: str,
    before: list[list[str]],
    cluster: str = "",
) -> Item:
    """An item of a set; ``before`` are (source, translation) in the same direction."""
    source, reference = (en, ja) if direction == "en-ja" else (ja, en)
    ask = ASK[direction]
    earlier = "".join(f"{ask(one)} {other}\n\n" for one, other in before)
    return Item(
        id=str(number), set=f"{name}-{direction}", direction=direction, source=source,
        reference=reference, prompt=earlier + ask(source), before=before,
        cluster=cluster or f"{name}:{number}",
    )  # fmt: skip


def sentences(pairs: pd.DataFrame) -> Iterator[Item]:
    """Pairs (columns id, en, ja) in both directions, without context."""
    for pair in pairs.itertuples():
        for direction in DIRECTIONS:
            yield translation("sentences", pair.id, direction, str(pair.en), str(pair.ja), [])


def dialogues(path: Path, context: int) -> Iterator[Item]:
    """Turns of Business Scene Dialogue (Rikters et al. 2019) behind up to ``context`` others."""
    for scene in json.loads(path.read_text(encoding="utf-8")):
        turns = [(turn["en_sentence"], turn["ja_sentence"]) for turn in scene["conversation"]]
        for place, (en, ja) in enumerate(turns):
            for direction in DIRECTIONS:
                order = 1 if direction == "en-ja" else -1
                before = [[*pair[::order]] for pair in turns[max(0, place - context) : place]]
                name, cluster = f"{scene['id']}-{place + 1}", f"scene:{scene['id']}"
                yield translation("dialogues", name, direction, en, ja, before, cluster)


def llm_jp_eval(path: Path) -> list[Item]:
    """Test samples of a set that llm-jp-eval has prepared: its instruction and worked examples.

    Raises ValueError naming the file where it holds something else, or nothing.
    """
    try:
        held = Prepared.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = problems(error, "", Prepared)[0] if isinstance(error, ValidationError) else str(error)
        raise ValueError(
            f"{path}: not a set as llm-jp-eval prepares it ({why}); prepare it again"
        ) from None
    shots = "".join(
        f"### 入力:\n{shot.input}\n\n### 応答:\n{shot.output}\n\n" for shot in held.few_shots or []
    )
    return [
        Item(
            id=str(number), set=path.stem, direction=MT[path.stem], source=one.input,
            reference=one.output,
            prompt=LAYOUT.format(instruction=held.instruction, shots=shots, input=one.input),
            cluster=_pair(one.input, one.output),
        )
        for number, one in enumerate(held.samples)
    ]  # fmt: skip


def _pair(*sides: str) -> str:
    """The same for a pair of either direction."""
    return f"pair:{sha256(chr(0).join(sorted(sides)).encode()).hexdigest()[:16]}"


def questions(name: str, path: Path) -> list[Item]:
    """Open questions of a file of Shaberi's, JSON lines with Question and perhaps a rubric.

    Raises ValueError naming the file where it holds something else.
    """
    try:
        rows = [json.loads(line) for line in read_lines(path) if line.strip()]
        return [
            Item(
                id=str(number), set=name, direction=None, source=row["Question"],
                reference=row.get("output") or row.get("Answer") or "", prompt=row["Question"],
                rubric=row.get("eval_aspect") or row.get("Criteria") or "",
            )
            for number, row in enumerate(rows)
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: not questions as Shaberi has them ({type(error).__name__}); delete it to "
            "fetch it again"
        ) from None


def drawn(items: Iterable[Item], most: Mapping[str, int], seed: int) -> list[Item]:
    """At most so many items of each set, drawn by the seed, in the order of their sets."""
    by_set: dict[str, list[Item]] = {}
    for item in items:
        by_set.setdefault(item.set, []).append(item)
    taken = []
    for name, own in sorted(by_set.items()):
        # pairs of directions draw alike, since they have the same length
        places = np.random.default_rng(seed).permutation(len(own))[: most[name]]
        taken += [own[place] for place in sorted(places)]
    return taken


def write(path: Path | str, items: Iterable[Item]) -> None:
    """A file that :func:`read` reads."""
    write_lines(path, (item.model_dump() for item in items))


def read(path: Path | str) -> list[Item]:
    """Items of a file. Raises ValueError naming file and line for what is none."""
    items = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            items.append(Item.model_validate_json(line))
        except ValidationError as error:
            raise ValueError(
                f"{problems(error, f'{path}:{number}', Item)[0]}; delete the file to make it again"
            ) from None
    return items
