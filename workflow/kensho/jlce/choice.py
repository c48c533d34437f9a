"""Which of several choices a written answer names."""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from kensho.jlce.scoring import LONGEST, morphemes, normalised

OPENING, CLOSING = r"[「『“\"'‘*_(\[【<〈《\s]*", r"[」』”\"'’*_)\]】>〉》\s]*"
CLOSED = tuple("」』”\"'")
LABEL = re.compile(
    r"\s*(?:([①-⑳])|[(（]?([A-Za-zア-オ]|\d{1,2})[)）.．、:：]|([ア-オ])\s|[(（](\d{1,2})[)）])\s*"
)
MARK = r"([A-Za-zア-オ]|\d{1,2})"  # a label within an answer, normalised
SLOT = re.compile(rf"{OPENING}(?:(?:選択肢)?{MARK}番?[).:、の]*{OPENING})?")  # 答えは「(2) 海」
STATED = re.compile(
    r"(?:(?:答え?|解答|回答|正解|正答|結論|判断|判定)(?:となるのは|としては|は|が|\s*[:=→])"
    r"|(?i:answer)(?:\s+is|\s*:))[、\s]*"
)
SENTENCE_END = re.compile(r"[。!?\n]|\Z")
CONFIRMED = (
    rf"{CLOSING}(?:こそ)?が(?:最も|一番)?(?:答え|正解|正し|適切|ふさわし)"
    r"(?![^、。\n]{0,6}(?:な[いく]|ません))"
)
NOT = r"(?:な(?:い|く(?!ては|ちゃ)|かっ)|(?:あり|ござい)ません)"
ASKING = r"(?:か(?![らも])|で(?:は|しょうか)|だろうか)"  # 海ではないか says that it is
DENIED = re.compile(
    rf"{CLOSING}(?:"
    rf"(?:な[^、。\n]{{1,10}}?)?(?:では|じゃ|で){NOT}(?!{ASKING})"  # 海ではない, 自然な文ではない
    rf"|な[^、。\n]{{1,8}}?[はがも](?:特に|全く)?(?:{NOT}|見当たら|見られ)"  # 不自然な点はない
    r"|(?:だ|である)?とは[^、。\n]{1,6}?(?:な[いく]|ません|がた|難)"  # 自然とは言えない
    r"|に(?:は)?(?:聞こえ|思え|見え|感じられ)(?:な|ません)|さ(?:に欠|がな)|より|とは?違[いっ]"
    rf"|[はがも](?:答え|正解)(?:では|じゃ){NOT}"  # 山は答えではない
    r"|[はがも][^、。\nと]{0,10}?(?:不正解|誤[りっ]|間違(?!い[なあ])|(?<!間)違(?:う|っ|い(?![なあ]))"
    r"|不適|適さ|適しませ|当てはま(?:ら|りま)|(?:ふさわし|正し)く(?:な|あ)))"  # 山は誤り
)
NEGATING = {"不", "非", "未", "無", "反"}


class Mention(NamedTuple):
    """A place where a choice stands in an answer."""

    begin: int
    end: int
    index: int  # of the choice
    whole: bool  # made of whole words
    free: bool  # whole, and no function word but in quotes
    denied: bool


def named(answer: str, choices: Sequence[str]) -> int | None:
    """Index of the choice that an answer names, or None; the first of equal ones.

    It is what the last statement names (答えは…, 答え：…, Answer: ..., …が正解), else the choice
    that is named last. A choice within a longer one, within another word or denied (山ではなく) is
    not named; of two choices, to deny one is to name the other. です, は and other function words
    are choices only where they are quoted, stated or alone. Labels (A., ①, (1)) name a choice in a
    statement or alone; choices without labels count from A, ア or 1.
    """
    text = normalised(answer)[-LONGEST:]
    names, labels = _names(choices)
    mentions = _mentions(text, names)
    at = {one.begin: one.index for one in mentions if one.whole and not one.denied}
    free = [mention for mention in mentions if mention.free]
    ends = [end.start() for end in SENTENCE_END.finditer(text)]

    def last(among: Sequence[Mention]) -> int | None:
        """The choice named last, or of two the one that is left where one is denied."""
        kept = [mention.index for mention in among if not mention.denied]
        others = {names[normalised(choice)] for choice in choices} - {m.index for m in among[-1:]}
        return kept[-1] if kept else others.pop() if among and len(others) == 1 else None

    def stated(place: int) -> int | None:
        """What a statement names whose marker ends at a place."""
        for begin in range(place, SLOT.match(text, place).end() + 1):
            if begin in at:
                return at[begin]
        if (label := _label(text, place, labels)) is not None:
            return label
        span = place, ends[bisect_left(ends, place)]
        first, end = (bisect_left(free, edge, key=attrgetter("begin")) for edge in span)
        return last(free[first:end])

    found = [(match.end(), stated(match.end())) for match in STATED.finditer(text)]
    confirmed = re.compile(CONFIRMED)
    found += [(m.begin, m.index) for m in mentions if not m.denied and confirmed.match(text, m.end)]
    for label in re.finditer(rf"(?<![A-Za-z\d])(?:選択肢)?{MARK}[.)]?番?{CONFIRMED}", text):
        found.append((label.start(), labels.get(label[1])))
    statements = [one for one in found if one[1] is not None]
    if statements:
        return max(statements)[1]
    for among in (free, mentions):
        if (index := last(among)) is not None:
            return index
    return _label(text, 0, labels, alone=True)


def _names(choices: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Words and labels of the choices, each with the index of its choice."""
    found = [LABEL.match(choice) for choice in choices]
    marks = [normalised(next(filter(None, mark.groups()))) if mark else "" for mark in found]
    words: dict[str, int] = {}
    for index, choice in enumerate(choices):
        words.setdefault(normalised(choice), index)
    if all(marks) and len(set(marks)) == len(marks):
        for index, (choice, mark) in enumerate(zip(choices, found, strict=True)):
            words.setdefault(normalised(choice[mark.end() :]) or normalised(choice), index)
        return words, {mark: index for index, mark in enumerate(marks)}
    rows = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "アイウエオ", map(str, range(1, len(choices) + 1)))
    counted = {mark: i for row in rows for i, mark in zip(range(len(choices)), row, strict=False)}
    return words, counted


def _label(text: str, place: int, labels: Mapping[str, int], alone: bool = False) -> int | None:
    """The choice whose label stands at a place of the text, or is all of it."""
    rest = r"(?:です|だ|である)?[。.]?\Z" if alone else r"(?:です|だ|で|と|の|[。.、,:)]|\s|\Z)"
    pattern = rf"{OPENING}(?:選択肢)?{MARK}[.)]?番?目?{CLOSING}{rest}"
    found = re.compile(pattern).match(text, place)
    return labels.get(found[1], labels.get(found[1].upper())) if found else None


def _mentions(text: str, names: Mapping[str, int]) -> list[Mention]:
    """Where choices stand in a text, in order; none that is part of a longer one."""
    spans = sorted(
        (match.start(), -match.end(), index)
        for name, index in names.items()
        for match in re.finditer(_pattern(name), text)
        if name
    )
    words, at, end = morphemes(text), {}, 0  # place in the text: number of the word there
    for number, word in enumerate(words):
        at[begin := text.index(word.surface, end)] = number
        end = begin + len(word.surface)
    ends = {begin + len(words[number].surface): number for begin, number in at.items()}
    found, reach = [], 0
    for begin, end, index in ((begin, -end, index) for begin, end, index in spans):
        if end <= reach:  # 自然 of 不自然
            continue
        reach = end
        whole = begin in at and end in ends and text[begin - 1 : begin] not in NEGATING
        inside = words[at[begin] : ends[end] + 1] if whole else []
        quoted = text[begin - 1 : begin] in tuple("「『“\"'") and text[end : end + 1] in CLOSED
        content = any(word.feature.pos1 not in {"助詞", "助動詞"} for word in inside)
        denied = bool(DENIED.match(text, end))
        found.append(Mention(begin, end, index, whole, whole and (quoted or content), denied))
    return found


def _pattern(name: str) -> str:
    """A name as a regular expression; Latin words and numbers are no part of longer ones."""
    before = r"(?<![A-Za-z\d])" if re.match(r"[A-Za-z\d]", name) else ""
    after = r"(?![A-Za-z\d])" if re.search(r"[A-Za-z\d]\Z", name) else ""
    return before + re.escape(name) + after
