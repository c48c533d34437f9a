"""Which of several choices a written answer names."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter

from kensho.jlce.mentions import (
    ALONE,
    CLOSING,
    MARK,
    OPENING,
    Mention,
    judged,
    mentions,
    sentence_ends,
)
from kensho.jlce.predicate import ASIDE, CHOSEN, DENIED, MENTIONED, NEGATED, analysed
from kensho.jlce.scoring import LONGEST, normalised

LABEL = re.compile(
    r"\s*(?:([①-⑳])|[(（]?([A-Za-zア-オ]|\d{1,2})[)）.．、:：]|([ア-オ])\s|[(（](\d{1,2})[)）])\s*"
)
SLOT = re.compile(rf"{OPENING}(?:(?:選択肢)?{MARK}番?[).:、の]*{OPENING})?")  # 答えは「(2) 海」
FITTING = (
    r"(?:(?:適当|適切|最適|妥当)な|正しい|(?:ふさわ|相応)しい|[当あ]てはまる|選ぶ"
    r"|(?<!に)入る|(?:空欄|空所|ここ|\))に入る)(?:の|もの|語|言葉|選択肢|答え)は"
)
STATED = re.compile(
    r"(?:(?:答え?|解答|回答|正解|正答|結論|判断|判定)(?:となるのは|としては|は|が|\s*[:=→])"
    rf"|(?i:answer)(?:\s+is|\s*:)|{FITTING})[、\s]*"
)
CONCLUDES = re.compile(
    r"(?<![ぁ-んァ-ヶ一-龥])(?:よって|従って|したがって|ゆえに|故に|以上(?:より|から|のことから)"
    r"|結局|結論として|∴)"
)
CONFIRMS = (
    rf"{CLOSING}(?:こそ)?が(?:最も|一番)?(?:答え|正解|正し|適切|ふさわし)"
    r"(?![^、。\n]{0,6}(?:な[いく]|ません))"
)
CONFIRMED = re.compile(CONFIRMS)
LABELLED = re.compile(rf"(?<![A-Za-z\d])(?:選択肢)?{MARK}[.)]?番?{CONFIRMS}")


def named(answer: str, choices: Sequence[str]) -> int | None:
    """Index of the choice that an answer names, or None; the first of equal ones.

    It is what the last statement names (答えは…, 最も適当なのは…, Answer: ..., …が正解, よって…).
    Without one it is what the sentences say of the choices (:mod:`kensho.jlce.predicate`): the
    one that is a sentence by itself, else the one that a sentence asserts (海です, 海が入ります),
    else the only one that is mentioned and not denied, else the only one that denials leave. Where
    two remain, none is named.

    A choice within a longer one, within another word or compared (山より) is not named. です, は
    and other function words are choices only where they are quoted, stated or alone. Labels (A.,
    ①, (1)) name a choice in a statement or alone; choices without labels count from A, ア or 1.
    Latin words are read in any case, verbs and adjectives in any form (違います names 違う).
    """
    text = normalised(answer)[-LONGEST:]
    names, labels = _names(choices)
    words, ends = analysed(text), sentence_ends(text)
    every = judged(text, words, mentions(text, words, names))
    free = [mention for mention in every if mention.free]
    begins = [mention.begin for mention in free]
    at = {one.begin: one for one in every if one.verdict not in (DENIED, ASIDE)}
    different = {names[normalised(choice)] for choice in choices}

    def within(begin: int, end: int) -> Sequence[Mention]:
        return free[bisect_left(begins, begin) : bisect_left(begins, end)]

    def stated(place: int) -> int | None:
        """What a statement names whose marker ends at a place."""
        slot = SLOT.match(text, place)
        for begin in range(place, (slot.end() if slot else place) + 1):
            if begin in at and not at[begin].several:
                return at[begin].choice
        if (label := _label(text, place, labels)) is not None:
            return label
        return _resolved(within(place, ends[bisect_left(ends, place)]), different)

    def concluded(place: int) -> int | None:
        """What a sentence that concludes asserts."""
        sentence = within(place, ends[bisect_left(ends, place)])
        return _resolved([one for one in sentence if one.verdict > MENTIONED], ())

    statements: list[tuple[int, Callable[[int], int | None]]]  # a place, and what reads there
    statements = [(match.end(), stated) for match in STATED.finditer(text)]
    statements += [(match.end(), concluded) for match in CONCLUDES.finditer(text)]
    confirmed = {label.start(): labels.get(label[1]) for label in LABELLED.finditer(text)}
    for one in every:
        if one.verdict == CHOSEN and not one.several and CONFIRMED.match(text, one.end):
            confirmed[one.begin] = one.choice
    statements += [(place, confirmed.__getitem__) for place in confirmed]
    for place, read in sorted(statements, key=itemgetter(0), reverse=True):
        if (index := read(place)) is not None:
            return index
    if free or (free := [mention for mention in every if mention.verdict == ALONE]):
        return _resolved(free, different)
    return _label(text, 0, labels, alone=True)


def _resolved(mentions: Sequence[Mention], choices: Collection[int]) -> int | None:
    """The one choice that mentions leave of some choices, None for none or several."""
    fate: dict[int, int] = {}
    for one in mentions:
        if one.verdict == DENIED or fate.get(one.choice) == DENIED < MENTIONED < one.verdict:
            fate[one.choice] = one.verdict
        elif fate.get(one.choice) != DENIED:
            fate[one.choice] = max(fate.get(one.choice, ASIDE), one.verdict)
    best = max(fate.values(), default=ASIDE)
    level = {MENTIONED, NEGATED} if best == MENTIONED else {best}
    left = {index for index, verdict in fate.items() if verdict in level}
    if best < MENTIONED:
        denied = {index for index, verdict in fate.items() if verdict == DENIED}
        left = set(choices) - denied if denied else set()
        left = set() if len(fate) > len(denied) else left
    return left.pop() if len(left) == 1 else None


def _names(choices: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Words and labels of the choices, each with the index of its choice."""
    matches = [match for match in map(LABEL.match, choices) if match]
    marks = [normalised(next(filter(None, match.groups()))) for match in matches]
    words: dict[str, int] = {}
    for index, choice in enumerate(choices):
        words.setdefault(normalised(choice), index)
    if len(set(marks)) == len(choices):  # each has a label of its own
        for index, (choice, match) in enumerate(zip(choices, matches, strict=True)):
            words.setdefault(normalised(choice[match.end() :]) or normalised(choice), index)
        return words, {mark: index for index, mark in enumerate(marks)}
    rows = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "アイウエオ", map(str, range(1, len(choices) + 1)))
    counted = {mark: i for row in rows for i, mark in zip(range(len(choices)), row, strict=False)}
    return words, counted


def _label(text: str, place: int, labels: Mapping[str, int], alone: bool = False) -> int | None:
    """The choice whose label stands at a place of the text, or is all of it."""
    rest = r"(?:です|だ|である)?[。.]?\Z" if alone else r"(?:です|だ|で|と|の|[。.、,:)]|\s|\Z)"
    pattern = rf"{OPENING}(?:選択肢)?{MARK}[.)]?番?目?{CLOSING}{rest}"
    match = re.compile(pattern).match(text, place)
    return labels.get(match[1], labels.get(match[1].upper())) if match else None
