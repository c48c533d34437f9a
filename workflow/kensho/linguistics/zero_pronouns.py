"""Zero pronouns: predicates of Japanese whose argument is not said, by case.

The simplest baseline: a verbal or adjectival predicate of GiNZA's dependency parse lacks the case
``ga`` if it has neither subject nor topic, and ``wo`` or ``ni`` if it has none and is on a short
list of verbs that take it. For these two the list scores below the assumption that every predicate
lacks them (benchmarks/recorded/linguistics.txt): use ``ga``. Predicates that modify a noun
(relative clauses, whose gap is the noun) and noun predicates are left out. What is missing is
marked, never resolved; where an English side is known, its subject pronouns give the person.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from spacy.tokens import Doc, Token

Case = Literal["ga", "wo", "ni"]
CASES: tuple[Case, ...] = get_args(Case)
SUBJECTS = {"nsubj", "csubj", "nsubj:outer", "dislocated"}
PARTICLES = {"ga": {"が"}, "wo": {"を"}, "ni": {"に", "へ"}}
TOPICS = {"は", "も"}
PREDICATES = {"VERB", "ADJ"}
# Verbs that surely take an object.
TAKE_WO = re.compile(
    "読む|書く|食べる|飲む|見る|聞く|買う|売る|作る|使う|持つ|取る|置く|送る|渡す|与える|知る|教える|"
    "伝える|示す|行う|受ける|得る|認める|求める|含む|用いる|述べる|呼ぶ"
)
# Verbs whose ni is an argument: giving, reaching, meeting.
TAKE_NI = re.compile(
    "与える|渡す|送る|贈る|教える|伝える|会う|届く|届ける|似る|勝つ|負ける|従う|答える|頼む|見せる|"
    "加える|加わる|属する|達する|基づく|入る"
)
WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[^\sA-Za-z]")
PERSONS = {"i": 1, "we": 1, "you": 2, "he": 3, "she": 3, "it": 3, "they": 3}
EITHER = {"you", "it"}  # subjects and objects
# Before a subject: a clause begins, or its auxiliary stands first.
BEFORE = re.compile(
    "and|but|or|if|when|that|because|so|while|as|than|whether|since|until|though|what|who|how|why|"
    "where|which|do|does|did|can|could|will|would|shall|should|may|might|must|am|are|is|was|were|"
    "have|has|had"
)
OF_BOTH = {"do", "does", "did", "and", "or", "than", "as"}  # of which an object may follow too
BEHIND = re.compile(  # an object
    "to|from|for|with|about|of|on|in|at|by|into|up|down|out|off|over|and|or|but|again|now|here|"
    "there|today|yesterday|tomorrow|back|away|when|if|because"
)


class Gap(NamedTuple):
    """A predicate without one of its arguments; places count characters."""

    case: Case
    begin: int
    end: int
    predicate: str  # lemma
    person: int | None  # 1, 2 or 3 of a subject, None where nothing says it


def gaps(doc: Doc, english: str | None = None) -> list[Gap]:
    """Missing arguments of the predicates of a text that GiNZA has parsed.

    ``english`` is its translation: if all its subject pronouns are of one person, that is the
    person of each missing subject.
    """
    who = person(english) if english else None
    return [
        Gap(case, token.idx, token.idx + len(token), token.lemma_, who if case == "ga" else None)
        for token in doc
        if is_predicate(token)
        for case in missing(token)
    ]


def is_predicate(token: Token) -> bool:
    """Whether a word is a verb or adjective that heads a clause and modifies no noun."""
    relative = token.dep_ in {"acl", "amod"}
    auxiliary = token.dep_ in {"aux", "fixed", "compound", "cop", "mark"}
    return token.pos_ in PREDICATES and not relative and not auxiliary


def missing(token: Token) -> Iterator[Case]:
    """Cases that a predicate takes and has not."""
    filled = {case for case in CASES for child in token.children if fills(child, case)}
    if "ga" not in filled:
        yield "ga"
    topic = any(mark(child) in TOPICS for child in token.children)
    if (
        token.pos_ == "VERB"
        and "wo" not in filled
        and not topic
        and TAKE_WO.fullmatch(token.lemma_)
    ):
        yield "wo"
    if TAKE_NI.fullmatch(token.lemma_) and "ni" not in filled:
        yield "ni"


def fills(child: Token, case: Case) -> bool:
    """Whether a dependent is the argument of a case; a topic counts as the subject."""
    if case == "ga" and child.dep_ in SUBJECTS:
        return True
    if case == "wo" and child.dep_ == "obj":
        return True
    return mark(child) in PARTICLES[case]


def mark(token: Token) -> str:
    """The case or topic particle of a noun, "" for none."""
    marks = [t.text for t in token.children if t.dep_ == "case" and t.i > token.i]
    return marks[-1] if marks else ""


def person(english: str) -> int | None:
    """Person that all subject pronouns of an English text share.

    None for none or several, and where it is not plain whether one is a subject.
    """
    words = ["", *WORD.findall(english), "", ""]
    persons = set()
    for before, whole, behind in zip(words, words[1:], words[2:], strict=False):
        word = re.split("['’]", whole)[0].lower()
        begins = not before.isalpha() or bool(BEFORE.fullmatch(before.lower()))
        if word not in PERSONS or (word == "i" and before.istitle() and not begins):
            continue  # World War I
        ends = not behind.isalpha() or bool(BEHIND.fullmatch(behind.lower()))
        if word in EITHER and whole.isalpha():
            plain = begins and behind == "?"
            if ends and not plain and (not begins or before.lower() in OF_BOTH):
                continue  # an object
            if begins == ends and not plain:
                return None
        persons.add(PERSONS[word])
    return persons.pop() if len(persons) == 1 else None
