"""What judges say of answers, row by row, and whether a judge can judge at all.

A judge is first asked about planted pairs (resources/judging/planted.jsonl), of which one side is
plainly worse. One that prefers the first place, answers nonsense or cannot be reached gets too few
of them right in both orders, and no verdict rests on its preferences.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import cohen_kappa_score

from kensho.files import read_lines
from kensho.jlce.chat import Endpoint, Reply
from kensho.judging import asking, prompts
from kensho.judging.items import MT, Direction, Item

Kind = Literal["pair", "mark", "score"]
PLANTED = "planted-"  # before the kind of a question about a planted pair
READ = {"pair": prompts.preferred, "mark": prompts.marked, "score": prompts.scored}
COLUMNS = ("kind", "block", "first", "second", "outcome", "value", "text", "served", "seed")
Answers = Mapping[str, Mapping[str, str]]  # by arm and block


class Planted(BaseModel):
    """A translation, and one that is plainly worse."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    direction: Direction
    source: str
    better: str
    worse: str
    fault: str


class Question(NamedTuple):
    """A prompt, and what it asks: of a mark or a score ``second`` is ""."""

    kind: str
    block: str
    first: str
    second: str
    prompt: str


def planted(path: Path | str) -> list[Planted]:
    """Planted pairs of a file."""
    return [Planted.model_validate_json(line) for line in read_lines(path)]


def of_planted(pairs: Iterable[Planted]) -> list[Question]:
    """Each planted pair in both orders, and each side for a mark."""
    asked = []
    for one in pairs:
        sides = {"better": one.better, "worse": one.worse}
        asked += _pair(_item(one), PLANTED + "pair", sides)
        asked += _sides(one, "mark")
    return asked


def of_planted_scores(pairs: Iterable[Planted]) -> list[Question]:
    """Each side of each planted pair for a score."""
    return [question for one in pairs for question in _sides(one, "score")]


def _sides(one: Planted, kind: Literal["mark", "score"]) -> list[Question]:
    return [
        Question(PLANTED + kind, one.id, side, "", prompts.single(_item(one), text, kind))
        for side, text in (("better", one.better), ("worse", one.worse))
    ]


def _item(one: Planted) -> Item:
    return Item(
        id=one.id, set="planted", direction=one.direction, source=one.source, reference="",
        prompt="",
    )  # fmt: skip


def _pair(item: Item, kind: str, answers: Mapping[str, str]) -> list[Question]:
    (one, first), (other, second) = answers.items()
    block = item.id if kind.startswith(PLANTED) else item.block
    shown = prompts.pair(item, first, second)
    orders = ((one, other), (other, one))
    return [
        Question(kind, block, *order, prompt) for order, prompt in zip(orders, shown, strict=True)
    ]


def of_answers(
    items: Iterable[Item], answers: Answers, after: str, before: str, anchors: Sequence[str]
) -> list[Question]:
    """Translations compared (of the two arms, and of each with every anchor), answers marked.

    llm-jp-eval's sets have references and are only scored.
    Marked are what both arms write to open questions and for turns of dialogues.
    """
    against = [(after, before), *((arm, one) for arm in (after, before) for one in anchors)]
    asked = []
    for item in items:
        if item.direction and item.set not in MT:
            for one, other in against:
                written = {arm: answers[arm][item.block] for arm in (one, other)}
                asked += _pair(item, "pair", written)
        if item.before or not item.direction:
            for arm in (after, before):
                prompt = prompts.single(item, answers[arm][item.block])
                asked.append(Question("mark", item.block, arm, "", prompt))
    return asked


def ask(
    endpoint: Endpoint, questions: Sequence[Question], journal: MutableMapping[str, list]
) -> pd.DataFrame:
    """A row for each question (`COLUMNS`): what was replied, word for word, and what it says.

    ``value`` is 1, 0.5 or 0 for what was shown first, a mark or a score; None without a verdict,
    whose ``outcome`` says why: unread, cut, refused, late, gone or not asked.
    """
    replies = asking.replies(endpoint, [question.prompt for question in questions], journal)
    rows = []
    for question in questions:
        reply = replies[question.prompt]
        read = READ[question.kind.removeprefix(PLANTED)]
        held = (
            (reply.text, reply.model, reply.seed)
            if isinstance(reply, Reply)
            else (reply.why, None, None)
        )
        rows.append((*question[:4], *read(reply), *held))
    return pd.DataFrame(rows, columns=COLUMNS)


def unjudged(rows: pd.DataFrame) -> str:
    """How many replies of :func:`ask` gave no verdict, by outcome, in words; "" where none."""
    counts = rows["outcome"].value_counts()
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if outcome != "judged")


class Standing(NamedTuple):
    """A judge's share of planted pairs right and of items that lack a verdict, and why it fails.

    ``why`` is None for one that may judge; ``outcomes`` counts all that it was asked, and of
    ``items`` those are ``incomplete`` of which one verdict or more is missing.
    """

    right: float
    items: int
    incomplete: int
    outcomes: dict[str, int]
    why: str | None


def standing(rows: pd.DataFrame, kind: Kind, least_right: float, most_missing: float) -> Standing:
    """Whether a judge may compare (``pair``), mark or score, from all its rows of that kind.

    At most ``most_missing`` of the items may lack a verdict: what it does not judge it may choose.
    A planted pair is right where both orders prefer the better side, or where it gets more.
    """
    tried, asked = rows[rows["kind"] == PLANTED + kind], rows[rows["kind"] == kind]
    value = tried["value"].astype(float)
    if kind == "pair":
        better = value.where(tried["first"] == "better", 1 - value)
        right = better.groupby(tried["block"]).agg(lambda both: bool((both == 1).all()))
    else:
        sides = tried.assign(value=value).pivot(index="block", columns="first", values="value")
        right = sides["better"] > sides["worse"]
    share, lacking = float(right.mean()), asked["value"].isna().groupby(asked["block"]).any()
    items, incomplete = len(lacking), int(lacking.sum())
    outcomes = rows[rows["kind"].isin((kind, PLANTED + kind))]["outcome"].value_counts().to_dict()
    told = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    why = None
    if share < least_right:
        why = f"it got {right.sum()} of {len(right)} planted pairs right ({told})"
    elif incomplete > most_missing * items:
        why = f"{incomplete} of {items} items lack a verdict ({told})"
    return Standing(share, items, incomplete, outcomes, why)


def agreement(by_judge: Mapping[str, pd.DataFrame], kind: Kind) -> dict[str, tuple[float, int]]:
    """Quadratic weighted kappa (Cohen 1968) of each two judges, and the answers that both judged.

    Two judges that never differ and never vary have none, and are left out.
    """
    values = {
        name: rows[(rows["kind"] == kind) & rows["value"].notna()].set_index(
            ["block", "first", "second"]
        )["value"]
        for name, rows in by_judge.items()
    }
    kappas = {}
    for one, other in combinations(values, 2):
        both = pd.concat([values[one], values[other]], axis=1, join="inner").astype(float)
        grades = (both * 2).round().astype(int).to_numpy()  # ties are halves
        if len(np.unique(grades)) > 1:
            kappa = cohen_kappa_score(*grades.T, weights="quadratic")
            kappas[f"{one}/{other}"] = float(kappa), len(both)
    return kappas
