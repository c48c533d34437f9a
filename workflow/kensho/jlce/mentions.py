"""Where choices stand in an answer, and what its sentences say of each."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from kensho.jlce.predicate import CHOSEN, DENIED, MENTIONED, Word, analysed, verdict

OPENING, CLOSING = r"[「『“\"'‘*_(\[【<〈《\s]*", r"[」』”\"'’*_)\]】>〉》\s]*"
CLOSED = tuple("」』”\"'")
MARK = r"([A-Za-zア-オ]|\d{1,2})"  # a label within an answer, normalised
SENTENCE_END = re.compile(r"[。!?\n]|(?<=[a-zぁ-ん]{2})\.(?=\s|\Z)|\Z")
LINK = re.compile(
    rf"({CLOSING})(?:や|か|と|も|でも|または|及び|および|もしくは|あるいは|・|/|\s(?:and|or|nor)\s"
    rf"|(?<=[」』]),?、?(?=[「『])){OPENING}"
)
WINDOW = 40  # characters before a choice that decide on it
LISTED = re.compile(rf"{CLOSING}[、,]{OPENING}")
COMPARED = re.compile(
    rf"{CLOSING}(?:より|と(?:は)?(?:違[いっ]|異な[りっ]|同じ)|[とに]比べ|のよう(?!で|だ)"
    r"|な[^、。\n]{1,6}に(?:するに|するため|直|なお|修正|訂正))"
)  # 海は山より広い, 自然な文に直すと
SUPPOSED = re.compile(
    r"(?:れば|たら|(?:(?<!考え)(?<!見)る|[くすつむぐぶ])と"
    rf"|(?<!選ぶ)(?<!答える)(?<!言う)ならば?|場合は?)[、\s]*{OPENING}\Z"
)  # 「に」なら自然です
NOT = re.compile(
    rf"(?i:\b(?:not|no|neither|nor|rather\s+than|instead\s+of)|n't)\s+(?:an?\s+|the\s+)?{OPENING}\Z"
)
UNFIT_TOPIC = re.compile(
    r"(?:(?:正しく|適切では?|適当では?|ふさわしく|当てはまら|入ら)ない|不(?:適切|適当|正解)な"
    r"|(?:誤|間違)[っい][^、。\n]{0,3})(?:の|もの|選択肢|答え|方)は[、\s]*" + OPENING + r"\Z"
)  # 正しくないのは山です
BULLET = re.compile(rf"[-・\s]*(?:{MARK}[.):、]\s*)?{OPENING}")
COPULA = re.compile(rf"{CLOSING}(?:です|だ|である|でしょう)?[よねな]*{CLOSING}\Z")
LEADING = re.compile(rf"{CLOSING}(?:[、,:(\n]|\Z)")
NEGATING = {"不", "非", "未", "無", "反"}
ALONE = CHOSEN + 1  # the verdict on a choice that is a sentence by itself


class Mention(NamedTuple):
    """A place where a choice stands in an answer."""

    begin: int
    end: int
    choice: int  # its index
    free: bool  # no function word but in quotes
    several: bool = False  # 海か山
    verdict: int = MENTIONED  # :mod:`kensho.jlce.predicate`, or ALONE


def mentions(text: str, words: Sequence[Word], names: dict[str, int]) -> list[Mention]:
    """Where choices stand in a text as whole words, in order; none that is part of a longer one."""
    at = {word.begin: number for number, word in enumerate(words)}
    ends = {word.end: number for number, word in enumerate(words)}
    folded = len({name.casefold() for name in names}) == len(names)
    spans = {
        (match.start(), match.end()): index
        for name, index in reversed(names.items())
        for match in re.finditer(_pattern(name, folded), text)
        if name
    }
    inflected = {lemma: index for name, index in names.items() if (lemma := _inflected(name))}
    for word in words:
        if word.kind == "一般" and (word.pos, word.lemma) in inflected:
            spans.setdefault((word.begin, word.end), inflected[word.pos, word.lemma])
    places, reach = [], 0
    for (begin, end), index in sorted(spans.items(), key=lambda span: (span[0][0], -span[0][1])):
        if end <= reach:  # 自然 of 不自然
            continue
        reach = end
        whole = begin in at and end in ends and text[begin - 1 : begin] not in NEGATING
        if not whole and (begin, end) != (0, len(text)):
            continue
        inside = words[at[begin] : ends[end] + 1] if whole else []
        quoted = text[begin - 1 : begin] in tuple("「『“\"'") and text[end : end + 1] in CLOSED
        content = any(word.pos not in {"助詞", "助動詞"} for word in inside)
        places.append(Mention(begin, end, index, quoted or content))
    return places


def _inflected(name: str) -> tuple[str, str] | None:
    """Part of speech and dictionary form of a verb or adjective that is a choice."""
    words = analysed(name)
    alone = len(words) == 1 and words[0].pos in {"動詞", "形容詞"} and words[0].kind == "一般"
    return (words[0].pos, words[0].lemma) if alone else None


def _pattern(name: str, folded: bool) -> str:
    """A name as a regular expression; Latin words and numbers are no part of longer ones."""
    before = r"(?<![A-Za-z\d])" if re.match(r"[A-Za-z\d]", name) else ""
    after = r"(?![A-Za-z\d])" if re.search(r"[A-Za-z\d]\Z", name) else ""
    case = "i" if folded and len(name) > 1 else ""
    return f"{before}(?{case}:{re.escape(name)}){after}"


def judged(text: str, words: Sequence[Word], unjudged: Sequence[Mention]) -> list[Mention]:
    """Mentions with what their sentences say of them, without those that are only compared."""
    chains: list[list[Mention]] = []  # 山や川は says of 山 what it says of 川
    for one in unjudged:
        left = chains[-1][-1] if chains else None
        if left and left.free and one.free and LINK.fullmatch(text, left.end, one.begin):
            chains[-1].append(one)
        else:
            chains.append([one])
    compared = {
        chain[0].begin: match.end()
        for chain in chains
        if (match := COMPARED.match(text, chain[-1].end))
    }
    chains = [chain for chain in chains if chain[0].begin not in compared]
    read, reach = [], 0  # the words, but for comparisons
    for word in words:
        reach = max(reach, compared.get(word.begin, 0))
        read += [word] if word.begin >= reach else []
    begins, ends = [word.begin for word in read], sentence_ends(text)
    kept = []
    for chain, before, after in zip(chains, [None, *chains], [*chains[1:], None], strict=False):
        first, last, several = chain[0], chain[-1], len({one.choice for one in chain}) > 1
        place = bisect_left(ends, last.end)
        begin, end = (ends[place - 1] + 1 if place else 0), ends[place]
        stop = min(end, after[0].begin) if after else end
        behind = read[bisect_left(begins, last.end) : bisect_left(begins, stop)]
        judgement = verdict(behind, stop == end, several)
        if judgement >= MENTIONED and BULLET.fullmatch(text, begin, first.begin):
            listed = after and LISTED.fullmatch(text, last.end, after[0].begin)
            leads = not begin and not listed and LEADING.match(text, last.end)
            judgement = ALONE if leads or COPULA.match(text[last.end : end]) else judgement
        if judgement > MENTIONED and before and LISTED.fullmatch(text, before[-1].end, first.begin):
            judgement = MENTIONED
        lead = text[max(begin, first.begin - WINDOW) : first.begin]
        if SUPPOSED.search(lead):
            judgement = min(judgement, MENTIONED)
        denies = judgement > MENTIONED and UNFIT_TOPIC.search(lead)
        if denies or NOT.search(lead):
            judgement = DENIED
        kept += [one._replace(several=several, verdict=judgement) for one in chain]
    return kept


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a text end, the last at its end."""
    return [end.start() for end in SENTENCE_END.finditer(text)]
