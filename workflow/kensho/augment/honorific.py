"""Honorific transformation: plain or polite predicates of a person of rank as sonkeigo, and back.

先生が手紙を書いた ⇄ 先生が手紙をお書きになった, 社長は来ます → 社長はいらっしゃいます. Only the
sentence-final verb turns, only where a title (先生, 社長, ...様) is its subject by は or が, and
only in the simple nonpast and past; the style, plain or polite, stays. What is left alone is said
with its reason (:func:`transform`), so that it can be counted. Verbs whose お…になる is a noun to
the analyser (お読み) do not turn back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from kensho.augment import Files, converted
from kensho.augment.politeness import TAILS, conjugate, plain_ending, polite_ending
from kensho.linguistics.honorifics import TITLES, tagged
from kensho.linguistics.sudachi import check, pieces
from kensho.linguistics.tokens import Analyser, Token, tokens

TECHNIQUE = "honorific"
# Honorific verbs for plain ones, by normalised dictionary form: what stands before いる or なる.
SPECIAL = {
    "行く": "いらっしゃる", "来る": "いらっしゃる", "居る": "いらっしゃる", "言う": "おっしゃる",
    "為る": "なさる", "食べる": "召し上がる", "飲む": "召し上がる", "見る": "ご覧になる",
    "着る": "お召しになる", "呉れる": "くださる",
}  # fmt: skip
BACK = {"おっしゃる": "言う", "なさる": "する", "くださる": "くれる"}  # of the others several verbs
POLITE_STEMS = {"いらっしゃる": "いらっしゃい", "おっしゃる": "おっしゃい", "なさる": "なさい"}
POLITE_STEMS |= {"くださる": "ください"}
NO_STEM = {
    "有る",
    "分かる",
    "出来る",
    "要る",
    "死ぬ",
    "知る",
    "成る",
    "呉れる",
    "遣る",
    "貰う",
    "上げる",
}


def transform(text: str, analyser: Analyser = "sudachi") -> tuple[str, dict] | str:
    """The sentence with its predicate in the other form and what was done, or why it is left."""
    if len(pieces(text)) > 1:
        return "too long"
    words = tokens(text, analyser)
    while words and words[-1].pos[1] == "句点":
        words.pop()
    while words and words[-1].pos[1] == "終助詞":
        if words.pop().surface not in TAILS:
            return "final particle"
    ending = polite_ending(words) or plain_ending(words) if len(words) > 1 else None
    if ending is None or ending.kind != "verb" or ending.form not in {"nonpast", "past"}:
        return "no verb in the simple nonpast or past at its end"
    if any(w.pos[1] == "句点" or w.pos[1] == "接続助詞" or w.pos[0] == "接続詞" for w in words):
        return "more than one clause"
    if not ranked(words, ending.head):
        return "no person of rank as its subject"
    raised = any(
        one.kind == "sonkeigo" and not one.possible and one.end > words[ending.head].begin
        for one in tagged(text, words)
    )
    made = lowered(words, ending.head) if raised else honoured(words, ending.head)
    if made is None:
        return "no sure counterpart of its verb"
    start, verb, kind = made
    new = inflected(verb, kind, ending.form, ending.polite)
    if new is None:
        return "no sure counterpart of its verb"
    begin, end = words[start].begin, words[-1].end
    rule = "honorific to plain or polite" if raised else "plain or polite to honorific"
    return text[:begin] + new + text[end:], {"rule": rule, "from": text[begin:end], "to": new}


def ranked(words: Sequence[Token], head: int) -> bool:
    """Whether a title with は or が is the one subject before a predicate."""
    subjects = [i for i in range(1, head) if words[i].surface in {"は", "が"}]
    return len(subjects) == 1 and words[subjects[0] - 1].surface in TITLES


def honoured(words: Sequence[Token], head: int) -> tuple[int, str, str] | None:
    """Where the honorific predicate begins, its dictionary form and conjugation type."""
    verb = words[head]
    before = words[head - 1] if head else None
    if head + 1 < len(words) and words[head + 1].conjugation == "助動詞-レル":
        return None
    if verb.pos[0] != "動詞" or (before is not None and before.pos[0] in {"動詞", "接頭辞"}):
        return None
    lemma = verb.normalised
    if lemma == "為る" and (before is None or "サ変可能" not in before.pos[2]):
        return None  # どきどきする
    if special := SPECIAL.get(lemma):
        return head, special, "五段-ラ行"
    stem = conjugate(verb.lemma, verb.conjugation, "stem")
    native = verb.conjugation.startswith(("五段-", "上一段-", "下一段-"))
    if not native or lemma in NO_STEM or stem is None or len(stem) < 2:
        return None
    return head, f"お{stem}になる", "五段-ラ行"


def lowered(words: Sequence[Token], head: int) -> tuple[int, str, str] | None:
    """Where お…になる or a honorific verb begins, its plain verb and conjugation type."""
    verb = words[head]
    if plain := BACK.get(verb.lemma):
        kinds = {"言う": "五段-ワア行", "する": "サ行変格", "くれる": "下一段-ラ行"}
        return head, plain, kinds[plain]
    naru = verb.normalised == "成る" and head >= 3 and words[head - 1].surface == "に"
    if naru and words[head - 3].normalised == "御" and words[head - 2].pos[0] == "動詞":
        return head - 3, words[head - 2].lemma, words[head - 2].conjugation
    return None


def inflected(verb: str, kind: str, form: str, polite: bool) -> str | None:
    """A verb in the nonpast or past, plain or polite."""
    if polite:
        stem = POLITE_STEMS.get(verb) or conjugate(verb, kind, "stem")
        return stem and stem + ("ました" if form == "past" else "ます")
    if form == "nonpast":
        return verb
    honorific = kind == "五段-ラ行" and verb.endswith("る")
    return verb[:-1] + "った" if honorific else conjugate(verb, kind, form)


def left_out(texts: Iterable[str], analyser: Analyser = "sudachi") -> pd.Series:
    """Number of texts by what became of them: the rule that turned them, or why they are left."""
    outcomes = (transform(text, analyser) for text in texts)
    counts = Counter(one if isinstance(one, str) else one[1]["rule"] for one in outcomes)
    return pd.Series(counts, name="count", dtype=int).sort_values(ascending=False)


def variants(
    samples: pd.DataFrame,
    *,
    seed: int,
    per_sample: int,
    probability: float,
    analyser: Analyser = "sudachi",
) -> pd.DataFrame:
    """Each convertible sample in the other form; a sample has one such variant at most.

    ``probability`` is the chance that a sample is taken.
    """

    def turned(text: str) -> tuple[str, dict] | None:
        return None if isinstance(made := transform(text, analyser), str) else made

    check(samples["ja"], "samples")
    return converted(
        samples,
        TECHNIQUE,
        turned,
        seed=seed,
        per_sample=per_sample,
        probability=probability,
    )


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Each convertible sample in the other form; ``limit`` is not reached."""
    check(samples["ja"], inputs["train"], first=2)
    return variants(samples, seed=seed, **settings)
