"""Whether a sentence was put into an honorific form: 尊敬語 or 謙譲語 of its predicates."""

import re

from kensho.linguistics.honorifics import Honorific, tag, words_of

LONGEST = 16_000  # characters that are read, what Sudachi takes at once
# 謙譲語 is both that towards whom an act is directed at and that towards the listener (参る).
KINDS = {"尊敬語": {"sonkeigo"}, "謙譲語": {"kenjougo", "teichougo"}}
NOMINAL = {"お + noun", "お + state", "ご + act", "様"}
VERBAL = re.compile("[ご御](?:覧|存[じ知])")  # ご覧になる, ご存じだ


def raised(answer: str, text: str, wanted: str) -> bool:
    """Whether an answer has a predicate of the wanted kind which the text has not.

    A sure form of the other kind that is new too (先生がお読みする) makes it wrong. れる counts as
    尊敬語: what makes a passive of a sentence changes its content, which is scored beside.
    Honorific nouns (お荷物) are no predicates.
    """
    before = {(one.kind, one.form) for one in _predicates(text)}
    forms = [one for one in _predicates(answer) if (one.kind, one.form) not in before]
    other = KINDS["謙譲語" if wanted == "尊敬語" else "尊敬語"]
    clash = any(one.kind in other and not one.possible for one in forms)
    return not clash and any(one.kind in KINDS[wanted] for one in forms)


def _predicates(text: str) -> list[Honorific]:
    nouns = NOMINAL | words_of("sonkeigo", "noun") | words_of("teichougo", "noun")
    return [
        one for one in tag(text[:LONGEST]) if one.form not in nouns or VERBAL.match(text, one.begin)
    ]
