"""What each kind of task makes of an answer: the functions that the task files name.

Each takes a document (:func:`kensho.jlce.items.document`) and the harness's results for it, and
gives values by metric. ``parsed`` says whether the answer had the form that was asked for, and
``thinking`` how many characters of reasoning were cut from it. Corpus metrics carry what their
aggregation needs.
"""

import re
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import matthews_corrcoef

from kensho.jlce import scoring

POLITE = re.compile(
    r"(?:です|でした|ます|ました|ません|ましょう|でしょう|ください|下さい|くださいませ)"
    r"(?:か|ね|よ|が|けど|から|ので|のに|わ|し)*[。.!?！？…」』）)]*$"
)
ARC = re.compile(r"^\s*(\d+)\s+\S+\s+(\d+)(?:\s+(\S+))?\s*$", re.MULTILINE)
Results = Sequence


def choice(doc: dict, results: Results) -> dict:
    """The choice with the highest log-likelihood; the first of equal ones."""
    return _chosen(doc, int(np.argmax([likelihood for likelihood, _ in results])))


def labelled_answer(doc: dict, results: Results) -> dict:
    """The choice that a written answer names last, which is where reasoning ends."""
    answer, thinking = _cleaned(results)
    places = {index: answer.rfind(choice) for index, choice in enumerate(doc["choices"])}
    # of choices that end at one place the longer holds the shorter: 不自然 and 自然
    ends = {
        i: (place + len(doc["choices"][i]), -place) for i, place in places.items() if place >= 0
    }
    chosen = max(ends, key=ends.get) if ends else None
    return {**_chosen(doc, chosen), "parsed": float(chosen is not None), "thinking": thinking}


def _chosen(doc: dict, chosen: int | None) -> dict:
    pair = doc["gold"], -1 if chosen is None else chosen
    return {"acc": float(chosen == doc["gold"]), "balanced_acc": pair, "mcc": pair}


def reading(doc: dict, results: Results) -> dict:
    answer, thinking = _cleaned(results)
    return {
        "exact_match": scoring.exact_match(answer, doc["answers"]),
        "character_f1": scoring.character_f1(answer, doc["answers"]),
        "levenshtein_ratio": scoring.levenshtein_ratio(answer, doc["answers"]),
        "parsed": float(bool(answer)),
        "thinking": thinking,
    }


def number(doc: dict, results: Results) -> dict:
    answer, thinking = _cleaned(results)
    found = scoring.last_number(answer)
    return {
        "exact_match": float(found == doc["answer"]),
        "parsed": float(found is not None),
        "thinking": thinking,
    }


def tags(doc: dict, results: Results) -> dict:
    """Words and UPOS written as 庭/NOUN で/ADP: F1 of both, and of the words alone."""
    answer, thinking = _cleaned(results)
    cut = [token.rpartition("/") for token in answer.split()]
    found = [(word, tag) for word, slash, tag in cut if slash]
    gold = list(zip(doc["words"], doc["upos"], strict=True))
    words = set(scoring.spans([word for word, _ in found]))
    return {
        "upos_f1": scoring.labelled_f1(found, gold),
        "word_f1": scoring.f1(words, set(scoring.spans(doc["words"]))),
        "parsed": float("".join(word for word, _ in found) == doc["text"]),
        "thinking": thinking,
    }


def chunks(doc: dict, results: Results) -> dict:
    """Bunsetsu divided by /: F1 of their spans."""
    answer, thinking = _cleaned(results)
    found = [piece for piece in answer.split("/") if piece.strip()]
    return {
        "span_f1": scoring.f1(set(scoring.spans(found)), set(scoring.spans(doc["bunsetsu"]))),
        "parsed": float("".join(found) == doc["text"]),
        "thinking": thinking,
    }


def arcs(doc: dict, results: Results) -> dict:
    """A line for each word, number word head relation: UAS and LAS."""
    answer, thinking = _cleaned(results)
    found = {int(word): (int(head), relation) for word, head, relation in ARC.findall(answer)}
    numbers = range(1, len(doc["words"]) + 1)
    heads, relations = zip(*(found.get(n, (-1, "")) for n in numbers), strict=True)
    uas, las = scoring.attachment(heads, relations, (doc["heads"], doc["deprels"]))
    return {
        "uas": uas,
        "las": las,
        "parsed": float(set(found) == set(numbers)),
        "thinking": thinking,
    }


def summary(doc: dict, results: Results) -> dict:
    return _text(results, [doc["summary"]])


def question(doc: dict, results: Results) -> dict:
    return _text(results, [doc["question"]])


def style(doc: dict, results: Results) -> dict:
    """Whether the last predicate has the wanted style, and how much of the content is kept."""
    answer, thinking = _cleaned(results)
    wanted = doc["direction"] == "丁寧体"
    right = bool(answer) and is_polite(answer) == wanted
    kept = scoring.chrf(answer, doc["references"])
    return {
        "style_acc": float(right),
        "chrf": kept,
        "joint": right * kept,  # an answer that changes the meaning, or nothing, is no transfer
        "exact_match": scoring.exact_match(answer, doc["references"]),
        "parsed": float(bool(answer)),
        "thinking": thinking,
    }


def translation(doc: dict, results: Results) -> dict:
    answer, thinking = _cleaned(results)
    return {
        "chrf": scoring.chrf(answer, doc["references"]),
        "bleu": (answer, doc["references"]),
        "parsed": float(bool(answer)),
        "thinking": thinking,
    }


def is_polite(text: str) -> bool:
    """Whether a text ends in the polite style (丁寧体)."""
    return bool(POLITE.search(scoring.normalised(text)))


def _text(results: Results, golds: list[str]) -> dict:
    answer, thinking = _cleaned(results)
    return {
        **scoring.rouge(answer, golds),
        "chrf": scoring.chrf(answer, golds),
        "parsed": float(bool(answer)),
        "thinking": thinking,
    }


def _cleaned(results: Results) -> tuple[str, float]:
    answer, thinking = scoring.without_thinking(results[0])
    return scoring.normalised(answer), float(thinking)


def balanced_acc(pairs: list[tuple[int, int]]) -> float:
    """Mean over gold labels of the share answered right; an answer without a label is wrong."""
    gold, found = zip(*pairs, strict=True)
    recalls = [
        np.mean([one == label for one, true in zip(found, gold, strict=True) if true == label])
        for label in sorted(set(gold))
    ]
    return float(np.mean(recalls))


def mcc(pairs: list[tuple[int, int]]) -> float:
    """Matthews's correlation of gold and found labels (scikit-learn)."""
    return float(matthews_corrcoef(*zip(*pairs, strict=True)))


def bleu(pairs: list[tuple[str, list[str]]]) -> float:
    answers, references = zip(*pairs, strict=True)
    return scoring.corpus_bleu(answers, references)
