"""Items of the JLCE tasks: one form for each kind, whoever wrote them, checked line by line.

A kind is a file ``<kind>.jsonl`` with the splits train (worked examples) and test. Ours are in
resources/jlce; those of public datasets are brought into the same form by :mod:`readers`.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kensho.files import write_lines
from kensho.validation import problems

OURS = Path(__file__).parents[3] / "resources" / "jlce"
FOLDER = "KENSHO_JLCE"  # environment variable: a folder of files that stand for ours
SHOWN = 20  # faults of a file that are listed
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Entailment = Literal["含意", "矛盾", "中立"]
Polarity = Literal["肯定", "否定"]
Truth = Literal["真", "偽", "不明"]


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    split: Literal["train", "test"]
    cluster: Text = Field(description="what items share: a passage, a pair, a topic")


class Reading(Item):
    title: str
    passage: Text
    question: Text
    answers: Annotated[list[Text], Field(min_length=1)]

    @model_validator(mode="after")
    def _extracted(self):
        absent = [answer for answer in self.answers if answer not in self.passage]
        if absent:
            raise ValueError(f"answers: '{absent[0]}' does not stand in the passage")
        return self


class Summary(Item):
    text: Text
    summary: Text


def _one_of(item):
    if item.answer >= len(item.choices):
        raise ValueError(f"answer: {item.answer} of only {len(item.choices)} choices from 0 on")
    return item


class Commonsense(Item):
    question: Text
    choices: Annotated[list[Text], Field(min_length=2)]
    answer: Annotated[int, Field(ge=0)]
    reason: str = ""

    @model_validator(mode="after")
    def _chosen(self):
        return _one_of(self)

    @property
    def options(self) -> tuple[list[str], int]:
        return self.choices, self.answer


class _Labelled(Item):
    """An item whose label is one of a fixed list, in Japanese."""

    @property
    def options(self) -> tuple[list[str], int]:
        labels = list(get_args(type(self).model_fields["label"].annotation))
        return labels, labels.index(dict(self)["label"])


class Inference(_Labelled):
    premise: Text
    hypothesis: Text
    label: Entailment


class Sentiment(_Labelled):
    text: Text
    label: Polarity


class Logic(_Labelled):
    premises: Text
    statement: Text
    label: Truth
    kind: Text
    reason: str = ""


class Acceptability(Item):
    text: Text
    label: Literal[0, 1]
    phenomenon: str = ""
    reason: str = ""

    @property
    def options(self) -> tuple[list[str], int]:
        return ["不自然", "自然"], self.label


class Mathematics(Item):
    question: Text
    answer: int | float
    reason: str = ""


class Style(Item):
    text: Text
    direction: Literal["丁寧体", "普通体"]
    references: Annotated[list[Text], Field(min_length=1)]


class Translation(Item):
    text: Text
    references: Annotated[list[Text], Field(min_length=1)]


class Honorific(Item):
    text: Text
    wanted: Literal["尊敬語", "謙譲語"]
    references: Annotated[list[Text], Field(min_length=1)]


class ZeroSubject(Item):
    """A text, and a predicate in it whose subject is not said."""

    text: Text
    predicate: Text
    choices: Annotated[list[Text], Field(min_length=2)]
    answer: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _chosen(self):
        return _one_of(self)

    @property
    def options(self) -> tuple[list[str], int]:
        return self.choices, self.answer


class LongUnits(Item):
    text: Text
    words: Annotated[list[Text], Field(min_length=1)]
    upos: list[Text]

    @model_validator(mode="after")
    def _aligned(self):
        if "".join(self.words) != self.text:
            raise ValueError("words: joined they are not the text")
        if len(self.upos) != len(self.words):
            raise ValueError(f"upos: {len(self.upos)} for {len(self.words)} words")
        return self


class Syntax(Item):
    text: Text
    words: Annotated[list[Text], Field(min_length=1)]
    upos: list[Text]
    heads: list[Annotated[int, Field(ge=0)]]
    deprels: list[Text]
    bunsetsu: Annotated[list[Text], Field(min_length=1)]

    @model_validator(mode="after")
    def _aligned(self):
        for key in ("words", "bunsetsu"):
            if "".join(getattr(self, key)) != self.text:
                raise ValueError(f"{key}: joined they are not the text")
        for key in ("upos", "heads", "deprels"):
            if len(getattr(self, key)) != len(self.words):
                raise ValueError(f"{key}: {len(getattr(self, key))} for {len(self.words)} words")
        if max(self.heads) > len(self.words) or self.heads.count(0) != 1:
            raise ValueError("heads: one must be 0, the others numbers of words")
        return self


KINDS: Mapping[str, type[Item]] = {
    "reading": Reading,
    "summary": Summary,
    "commonsense": Commonsense,
    "nli": Inference,
    "sentiment": Sentiment,
    "logic": Logic,
    "acceptability": Acceptability,
    "mathematics": Mathematics,
    "style": Style,
    "translation": Translation,
    "syntax": Syntax,
    "translation_ja_en": Translation,
    "long_units": LongUnits,
    "honorific": Honorific,
    "zero_subject": ZeroSubject,
}


def read(path: Path | str, kind: str) -> list[Item]:
    """Items of a file. Raises ValueError with a line for each fault: file, line, key."""
    path, model = Path(path), KINDS[kind]
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable ({error}); restore the file") from None
    items: list[Item] = []
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            items.append(model.model_validate(json.loads(line)))
        except json.JSONDecodeError as error:
            faults.append(f"{where}: no JSON ({error.msg}); restore the file")
        except ValidationError as error:
            faults += problems(error, where, model)
    twice = [name for name, times in Counter(item.id for item in items).items() if times > 1]
    faults += [f"{path}: the id '{name}' is given twice" for name in twice]
    for split in ("train", "test"):
        if not faults and not any(item.split == split for item in items):
            faults.append(f"{path}: no item of the split '{split}'")
    if faults:
        more = [f"... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise ValueError("\n".join(faults[:SHOWN] + more))
    return items


def write(path: Path | str, items: Sequence[Item]) -> None:
    """A file that :func:`read` reads."""
    write_lines(path, (item.model_dump() for item in items))


def document(item: Item) -> dict:
    """The item as a task's document; choices come as ``choices`` and the index ``gold``."""
    fields = item.model_dump()
    if hasattr(item, "options"):
        fields["choices"], fields["gold"] = item.options
    return fields


def dataset(kind: str, **_) -> dict[str, Dataset]:
    """Both splits for lm-evaluation-harness, from the folder in KENSHO_JLCE or from ours."""
    path = Path(os.environ.get(FOLDER, OURS)) / f"{kind}.jsonl"
    items = read(path if path.is_file() else OURS / path.name, kind)
    return {
        split: Dataset.from_list([document(item) for item in items if item.split == split])
        for split in ("train", "test")
    }
