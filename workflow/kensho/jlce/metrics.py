"""What each kind of task makes of an answer: the functions that the task files name.

Each takes a document (:func:`kensho.jlce.items.document`) and the harness's results for it, and
gives values by metric. ``parsed`` says whether the answer had the form that was asked for, and
``thinking`` how many characters of reasoning were cut from it. Corpus metrics carry what their
aggregation needs.
"""

import math
import re
from collections.abc import Collection, Sequence

import numpy as np
from sacrebleu import BLEU
from sklearn.metrics import matthews_corrcoef

from kensho.evaluate.thinking import without_thinking
from kensho.jlce import scoring
from kensho.jlce.choice import named
from kensho.jlce.honorific import raised
from kensho.jlce.kana import match_by_reading
from kensho.jlce.number import last_number
from kensho.jlce.style import is_polite

NUMBERED = re.compile(r"\s*(\d{1,9})\s+(\S.*)")
ARC = re.compile(r"\s+(\d{1,9})(?:\s+(\S+))?\s*")
TRANSLATED = {"translation": "ja", "translation_ja_en": "en"}  # into which language
Results = Sequence


def choice(doc: dict, results: Results) -> dict:
    """The choice with the highest log-likelihood; the first of equal ones."""
    return _chosen(doc, int(np.argmax([likelihood for likelihood, _ in results])))


def labelled_answer(doc: dict, results: Results) -> dict:
    """The choice that a written answer names (:func:`kensho.jlce.choice.named`)."""
    answer, thinking = without_thinking(results[0])
    chosen, gold = named(answer, doc["choices"]), doc["gold"]
    if chosen is not None and doc["choices"][chosen] == doc["choices"][gold]:
        chosen = gold  # choices may repeat each other
    return {
        **_chosen(doc, chosen),
        "parsed": float(chosen is not None),
        "thinking": float(thinking),
    }


def _chosen(doc: dict, chosen: int | None) -> dict:
    pair = doc["gold"], -1 if chosen is None else chosen
    return {"acc": float(chosen == doc["gold"]), "balanced_acc": pair, "mcc": pair}


def reading(doc: dict, results: Results) -> dict:
    answer, outcome = _cleaned(results)
    return {
        "exact_match": scoring.exact_match(answer, doc["answers"]),
        "match_by_reading": match_by_reading(answer, doc["answers"], doc["passage"]),
        "character_f1": scoring.character_f1(answer, doc["answers"]),
        "levenshtein_ratio": scoring.levenshtein_ratio(answer, doc["answers"]),
        **outcome,
    }


def number(doc: dict, results: Results) -> dict:
    """The number that an answer gives (:func:`kensho.jlce.number.last_number`)."""
    answer, thinking = without_thinking(results[0])
    value = last_number(answer)
    right = value is not None and math.isclose(value, doc["answer"], rel_tol=1e-9)
    return {
        "exact_match": float(right),
        "parsed": float(value is not None),
        "thinking": float(thinking),
    }


def tags(doc: dict, results: Results) -> dict:
    """Words and UPOS written as 庭/NOUN で/ADP: F1 of both, and of the words alone."""
    answer, outcome = _cleaned(results)
    true = list(map(scoring.normalised, doc["words"]))
    tagged = _tagged(answer, set(true))
    words = [word for word, _ in tagged]
    return {
        "upos_f1": scoring.labelled_f1(tagged, list(zip(true, doc["upos"], strict=True))),
        "word_f1": scoring.f1(set(scoring.spans(words)), set(scoring.spans(true))),
        **outcome,
        "parsed": _copied(words, true),
    }


def _tagged(answer: str, true: Collection[str]) -> list[tuple[str, str]]:
    """Words and tags: a word may hold slashes, and spaces if it does in the text."""
    tagged: list[tuple[str, str]] = []
    before: list[str] = []  # parts of a word with spaces
    for token in answer.split():
        word, slash, tag = token.rpartition("/")
        if slash and tag:
            whole = " ".join([*before, word])
            tagged.append((whole if whole in true else word, tag))
            before = []
        else:
            before.append(token)
    return tagged


def chunks(doc: dict, results: Results) -> dict:
    """Bunsetsu divided by /: F1 of their spans."""
    answer, outcome = _cleaned(results)
    true = list(map(scoring.normalised, doc["bunsetsu"]))
    pieces = scoring.divided(answer, true, "/")
    return {
        "span_f1": scoring.f1(set(scoring.spans(pieces)), set(scoring.spans(true))),
        **outcome,
        "parsed": _copied(pieces, true),
    }


def _copied(pieces: Sequence[str], true: Sequence[str]) -> float:
    """Whether the pieces are those of the text, space aside."""
    return float("".join("".join(pieces).split()) == "".join("".join(true).split()))


def arcs(doc: dict, results: Results) -> dict:
    """A line for each word, number word head relation: UAS and LAS."""
    answer, outcome = _cleaned(results)
    by_number = dict(filter(None, (_arc(line, doc["words"]) for line in answer.splitlines())))
    numbers = range(1, len(doc["words"]) + 1)
    heads, relations = zip(*(by_number.get(n, (-1, "")) for n in numbers), strict=True)
    uas, las = scoring.attachment(heads, relations, (doc["heads"], doc["deprels"]))
    complete = float(set(by_number) == set(numbers))
    return {"uas": uas, "las": las, **outcome, "parsed": complete}


def _arc(line: str, words: Sequence[str]) -> tuple[int, tuple[int, str]] | None:
    """Number, head and relation of a line; its word may hold spaces, as it does in the text."""
    numbered = NUMBERED.fullmatch(line)
    if not numbered:
        return None
    number, rest = int(numbered[1]), numbered[2]
    word = scoring.normalised(words[number - 1]) if 0 < number <= len(words) else ""
    known = len(word) if rest.startswith(f"{word} ") else 0
    arc = ARC.fullmatch(rest, known or len(rest.split(maxsplit=1)[0]))
    return arc and (number, (int(arc[1]), arc[2] or ""))


def summary(doc: dict, results: Results) -> dict:
    return _text(results, [doc["summary"]])


def question(doc: dict, results: Results) -> dict:
    return _text(results, [doc["question"]])


def style(doc: dict, results: Results) -> dict:
    """Whether the last predicate has the wanted style, and how much of the content is kept."""
    answer, outcome = _cleaned(results)
    wanted = doc["direction"] == "丁寧体"
    right = bool(answer) and is_polite(answer) == wanted
    kept = scoring.chrf(answer, doc["references"])
    return {
        "style_acc": float(right),
        "chrf": kept,
        "joint": right * kept,  # an answer that changes the meaning, or nothing, is no transfer
        "exact_match": scoring.exact_match(answer, doc["references"]),
        **outcome,
    }


def translation(doc: dict, results: Results) -> dict:
    return _translated(doc, results, TRANSLATED["translation"])


def translation_ja_en(doc: dict, results: Results) -> dict:
    return _translated(doc, results, TRANSLATED["translation_ja_en"])


def _translated(doc: dict, results: Results, language: str) -> dict:
    answer, outcome = _cleaned(results)
    golds = doc["references"]
    return {
        "chrf": scoring.chrf(answer, golds),
        "sentence_bleu": scoring.sentence_bleu(answer, golds, language),
        "bleu": scoring.bleu_counts(answer, golds, language),
        **outcome,
    }


def honorific(doc: dict, results: Results) -> dict:
    """Whether the wanted honorific form is there, and how much of the content is kept."""
    answer, outcome = _cleaned(results)
    exact = scoring.exact_match(answer, doc["references"])
    right = bool(exact) or raised(answer, doc["text"], doc["wanted"])
    kept = scoring.chrf(answer, doc["references"])
    return {
        "form_acc": float(right),
        "chrf": kept,
        "joint": right * kept,
        "exact_match": exact,
        **outcome,
    }


def _text(results: Results, golds: list[str]) -> dict:
    answer, outcome = _cleaned(results)
    return {**scoring.rouge(answer, golds), "chrf": scoring.chrf(answer, golds), **outcome}


def _cleaned(results: Results) -> tuple[str, dict[str, float]]:
    """The answer, and the metrics that every task has; that is parsed which is not empty."""
    answer, thinking = without_thinking(results[0])
    answer = scoring.normalised(answer)
    return answer, {"parsed": float(bool(answer)), "thinking": float(thinking)}


def balanced_acc(pairs: list[tuple[int, int]]) -> float:
    """Mean over gold labels of the share answered right; an answer without a label is wrong."""
    recalls = [
        np.mean([chosen == label for gold, chosen in pairs if gold == label])
        for label in sorted({gold for gold, _ in pairs})
    ]
    return float(np.mean(recalls))


def mcc(pairs: list[tuple[int, int]]) -> float:
    """Matthews's correlation of gold and chosen labels (scikit-learn)."""
    return float(matthews_corrcoef(*zip(*pairs, strict=True)))


def bleu(counts: list[list[int]]) -> float:
    """Corpus BLEU as a share, of the counts of :func:`kensho.jlce.scoring.bleu_counts`."""
    length, gold_length, *ngrams = np.sum(counts, axis=0).tolist()
    return BLEU.compute_bleu(ngrams[:4], ngrams[4:], length, gold_length, "exp").score / 100
