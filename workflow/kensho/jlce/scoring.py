"""Scores of one answer against its gold, by the field's definitions; shares from 0 to 1.

Text is compared after Unicode's compatibility normalisation (NFKC) without surrounding space.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import cache
from importlib.metadata import version

import numpy as np
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

LONGEST = 20_000  # characters of an answer that are scored; alignment costs their square
# What NFKC would join to a digit beside it stays as it is: 10² is not 102, ①12 not 112.
NUMERALS = "¹²³¼-¾⁰⁴-⁹₀-₉⅐-⅟↉①-⑳⒈-⒛⓪㉑-㉟㊱-㊿\U0001f100-\U0001f10a"
DATES, UNITS = "㋀-㋋㍘-㍰㏠-㏾", "㍸㍹㎟-㎦㎨㎯"  # 1月 begins with a digit, m2 ends in one
BESIDE_DIGITS = re.compile(
    rf"(?<=[\d{NUMERALS}{UNITS}])[{NUMERALS}{DATES}]+|[{NUMERALS}{UNITS}](?=\d)"
)


def normalised(text: str) -> str:
    """Comparable form of a text: NFKC without surrounding space, and without making numbers."""
    folded, end = [], 0
    for kept in BESIDE_DIGITS.finditer(text):
        folded += [unicodedata.normalize("NFKC", text[end : kept.start()]), kept.group()]
        end = kept.end()
    return "".join([*folded, unicodedata.normalize("NFKC", text[end:])]).strip()


def exact_match(answer: str, golds: Iterable[str]) -> float:
    """1 if the answer is one of the golds (SQuAD, Rajpurkar et al. 2016, in NFKC)."""
    return float(normalised(answer) in {normalised(gold) for gold in golds})


def character_f1(answer: str, golds: Iterable[str]) -> float:
    """Best F1 over the golds of the bags of characters (SQuAD's F1, a character for a word)."""
    return max((_bag_f1(normalised(answer), normalised(gold)) for gold in golds), default=0.0)


def _bag_f1(answer: str, gold: str) -> float:
    if not answer or not gold:
        return float(answer == gold)
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold))


def levenshtein_ratio(answer: str, golds: Iterable[str]) -> float:
    """Best 1 - distance / longer length over the golds; what some harnesses call F1 is like it."""
    best, answer = 0.0, normalised(answer)[:LONGEST]
    for gold in map(normalised, golds):
        longer = max(len(answer), len(gold))
        best = max(best, 1 - _distance(answer, gold) / longer if longer else 1.0)
    return best


def _distance(first: str, second: str) -> int:
    """Edits (Levenshtein 1966); one row per character of the shorter text."""
    if len(first) < len(second):
        first, second = second, first
    codes = np.array([ord(c) for c in first], dtype=np.int64)
    row, places = np.arange(len(first) + 1), np.arange(len(first) + 1)
    for number, character in enumerate(second, start=1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        # an insertion carries the least of what stands before, one more for each step
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - places) + places
    return int(row[-1])


def divided(answer: str, pieces: Sequence[str], mark: str) -> list[str]:
    """An answer that divides a text by a mark, as its pieces.

    The mark may stand in the text too (1/2の/水を): as long as the answer copies the text, the
    text tells which marks divide; else those count that the text's own marks do not account for,
    by the closest match of both (difflib). ``pieces`` are those of the text, which decide where a
    mark of the text and one that divides it stand side by side.
    """
    answer = "".join(answer.split())
    pieces = ["".join(piece.split()) for piece in pieces]
    if answer == mark.join(pieces):
        return pieces
    own = _own_marks(answer, "".join(pieces), mark)
    cut = "".join(
        "\n" if character == mark and place not in own else character
        for place, character in enumerate(answer)
    )
    return [piece for piece in cut.split("\n") if piece]


def _own_marks(answer: str, text: str, mark: str) -> set[int]:
    """Places in an answer at which a mark of the text stands."""
    if mark not in text:
        return set()
    reached, own = 0, set()
    for place, character in enumerate(answer):
        if reached < len(text) and character == text[reached]:
            reached += 1
            own |= {place} if character == mark else set()
        elif character != mark:
            break
    else:
        if reached == len(text):
            return own
    blocks = SequenceMatcher(None, text, answer[:LONGEST], autojunk=False).get_matching_blocks()
    matched = (range(block.b, block.b + block.size) for block in blocks)
    return {place for block in matched for place in block if answer[place] == mark}


def spans(pieces: Sequence[str]) -> list[tuple[int, str]]:
    """Where each piece of a text begins, and the piece, in characters without space.

    Pieces are part of it because an answer may be another text of the same length.
    """
    pieces = ["".join(piece.split()) for piece in pieces]
    begins = np.cumsum([0, *map(len, pieces)]).tolist()
    return list(zip(begins, pieces, strict=False))


def f1(answer: set, gold: set) -> float:
    """Harmonic mean of precision and recall of two sets; 1 if both are empty."""
    return 2 * len(answer & gold) / (len(answer) + len(gold)) if answer or gold else 1.0


def labelled_f1(answer: Sequence[tuple[str, str]], gold: Sequence[tuple[str, str]]) -> float:
    """F1 of (piece, label) whose span and label are both right: UPOS of CoNLL 2018's scorer."""
    sets = []
    for pairs in (answer, gold):
        where = spans([piece for piece, _ in pairs])
        sets.append({(span, label) for span, (_, label) in zip(where, pairs, strict=True)})
    return f1(*sets)


def attachment(
    heads: Sequence[int], relations: Sequence[str], gold: tuple[Sequence[int], Sequence[str]]
) -> tuple[float, float]:
    """UAS and LAS on gold words: shares whose head, and head with relation, are right.

    Relations count without subtypes, as in CoNLL 2018's LAS. What is missing at the end is wrong.
    """
    right = [head == true for head, true in zip(heads, gold[0], strict=False)]
    both = [
        ok and relation.split(":")[0] == true.split(":")[0]
        for ok, relation, true in zip(right, relations, gold[1], strict=False)
    ]
    return sum(right) / len(gold[0]), sum(both) / len(gold[0])


def chrf(answer: str, golds: Sequence[str]) -> float:
    """chrF2 (Popović 2015), sacrebleu's default, as a share."""
    return sacrebleu.sentence_chrf(normalised(answer), list(map(normalised, golds))).score / 100


TOKENIZED = {"ja": "none", "en": "13a"}  # by sacrebleu; Japanese has been divided before


def bleu_counts(answer: str, golds: Sequence[str], language: str) -> list[int]:
    """What corpus BLEU (Papineni et al. 2002) adds up, of one answer, by sacrebleu.

    Length of the answer, that of the closest gold, then for n-grams of 1 to 4 words the number
    found in a gold and the number there are. Words of Japanese ("ja") are MeCab's with UniDic-lite,
    of English ("en") those of mteval-v13a.
    """
    bleu = _bleu(language).sentence_score(*_tokenized(answer, golds, language))
    return [bleu.sys_len, bleu.ref_len, *bleu.counts, *bleu.totals]


def sentence_bleu(answer: str, golds: Sequence[str], language: str) -> float:
    """BLEU of one sentence as a share: orders that it is too short for left out, others smoothed.

    Exponential smoothing and effective order, sacrebleu's for sentences (Chen and Cherry 2014,
    method 3).
    """
    bleu = _bleu(language).sentence_score(*_tokenized(answer, golds, language))
    return min(bleu.score / 100, 1.0)


def bleu_signature(golds: Sequence[Sequence[str]], language: str) -> str:
    """How corpus BLEU was computed, in sacrebleu's form (Post 2018)."""
    counts = {len(of_item) for of_item in golds}
    tokenizer = TOKENIZED[language]
    if language == "ja":
        tokenizer = f"fugashi-{version('fugashi')}-unidic-lite-{version('unidic-lite')}"
    return (
        f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}|case:mixed|eff:no|tok:{tokenizer}|"
        f"smooth:exp|version:{sacrebleu.__version__}"
    )


def _bleu(language: str) -> sacrebleu.BLEU:
    return sacrebleu.BLEU(tokenize=TOKENIZED[language], effective_order=True, force=True)


def _tokenized(answer: str, golds: Sequence[str], language: str) -> tuple[str, list[str]]:
    cut = words if language == "ja" else normalised
    return cut(answer), [cut(gold) for gold in golds]


def rouge(answer: str, golds: Sequence[str]) -> dict[str, float]:
    """Best F1 over the golds of ROUGE-1, -2 and -L (Lin 2004) on words of MeCab (UniDic)."""
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_Words())
    scores = [scorer.score(gold, answer[:LONGEST]) for gold in golds]
    return {name: max(score[name].fmeasure for score in scores) for name in scores[0]}


def words(text: str) -> str:
    """The text in words of MeCab with UniDic, space between them."""
    return _tagger("-Owakati").parse(normalised(text)[:LONGEST]).strip()


class _Words:
    """The tokenizer that ROUGE takes."""

    def tokenize(self, text: str) -> list[str]:
        return words(text).split()


def morphemes(text: str) -> list:
    """Words of a text with their features (UniDic): pos1, pos2, lemma, cType, cForm."""
    return _tagger("")(text)


@cache
def _tagger(form: str):
    import fugashi
    import unidic_lite

    kind = fugashi.GenericTagger if form else fugashi.Tagger
    return kind(f'-d "{unidic_lite.DICDIR}" -r "{unidic_lite.DICDIR}/mecabrc" {form}')
