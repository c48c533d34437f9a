"""Reasoning that a model writes before its answer: where it begins and ends.

Declared marks: ``<think>``, ``<thinking>``, ``<thought>``, ``<reason>``, ``<reasoning>``,
``<reflection>``, ``<analysis>``, ``<scratchpad>``, ``<seed:think>``, ``<思考>``, ``<思考過程>`` and
``<推論>`` with their closing forms (any case, attributes, bars), ``<|begin_of_thought|>``,
``<|START_THINKING|>``, ``<unused94>``, ``[THINK]`` and ``◁think▷`` with theirs, and the analysis
channel of the harmony format, whose end stays as ``assistantfinal`` where special tokens are taken
out.

A mark between quotes (「<think>」) is text, and so is an opening one within a sentence that no
closing mark follows: a block begins where the answer, a line or a sentence does.
"""

import re
from collections.abc import Iterable

NAMES = (
    "(?:seed:)?think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad"
    "|思考(?:過程)?|推論"
)
MARK = re.compile(
    rf"(?P<open><\|channel\|>analysis<\|message\|>|<\|(?:begin_of_thought|START_THINKING)\|>"
    rf"|<unused94>(?:thought\n)?)"
    rf"|(?P<close>(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>|assistantfinal"
    rf"|<\|end_(?:of_thought|thinking)\|>|<unused95>)"
    rf"|(?:[<＜◁]\|?\s*(?P<slash>[/／])?\s*(?:{NAMES})(?:\s[^<>＜＞]{{0,80}})?\s*\|?[>＞▷])"
    rf"|\[(?P<stroke>/)?THINK\]",
    re.IGNORECASE,
)
QUOTES = {"「」", "『』", "“”", "``"}
SENTENCE_END = "\n。.!?！？…"
WRAPPER = re.compile(
    r"\s*(?:<(?P<name>answer|solution|response|回答|解答|答え)>"
    r"(?P<inside>(?:(?!</(?P=name)>).)*)(?:</(?P=name)>\s*)?"
    r"|<\|(?:begin_of_solution|START_RESPONSE|START_TEXT)\|>(?P<within>.*?)"
    r"(?:<\|end_(?:of_solution|response|text)\|>\s*)?)",
    re.DOTALL | re.IGNORECASE,
)


def without_thinking(text: str) -> tuple[str, int]:
    """The answer without its thinking, and how many characters that held, marks included.

    What stands before a closing mark that nothing opened is thinking too: its opening was the
    prompt's. A block that is never closed runs to the end: what was not concluded is no answer.
    What wraps all that is left (``<answer>``, ``<|begin_of_solution|>``, ``<|START_RESPONSE|>``) is
    taken off.
    """
    kept = "".join(text[begin:end] for begin, end in spoken(text))
    wrapped = WRAPPER.fullmatch(kept)
    answer = (wrapped["inside"] or wrapped["within"] or "") if wrapped else kept
    return answer.strip(), len(text) - len(kept)


def counted(answers: Iterable[str]) -> dict[str, int]:
    """How many answers held thinking, how many of them nothing else, and its characters."""
    cut = [(kept, held) for kept, held in map(without_thinking, answers) if held]
    return {
        "answers": len(cut),
        "without_answer": sum(not kept for kept, _ in cut),
        "characters": sum(held for _, held in cut),
    }


def spoken(text: str) -> list[tuple[int, int]]:
    """The spans of a text that are no thinking; empty or without its end while it still thinks."""
    spans: list[tuple[int, int]] = []
    begin: int | None = 0  # None within a block
    marks = _marks(text)
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        if _closes(mark):
            if begin is not None:
                spans.clear()
            begin = mark.end()
        elif begin is not None:
            before = text[max(begin, mark.start() - 80) : mark.start()].rstrip(" \u3000")
            if not before or before[-1] in SENTENCE_END or (following and _closes(following)):
                spans.append((begin, mark.start()))
                begin = None
    return spans if begin is None else [*spans, (begin, len(text))]


def _marks(text: str) -> list[re.Match]:
    """The marks of a text but for those in quotes."""
    return [
        mark
        for mark in MARK.finditer(text)
        if text[mark.start() - 1 : mark.start()] + text[mark.end() : mark.end() + 1] not in QUOTES
    ]


def _closes(mark: re.Match) -> bool:
    return bool(mark["close"] or mark["slash"] or mark["stroke"])


def end(text: str) -> int:
    """Where a text's last thinking ends: 0 without any, its length while it goes on."""
    begin, stop = (spoken(text) or [(0, 0)])[-1]
    return begin if stop == len(text) else len(text)


def opened(prompt: str) -> str:
    """The mark with which a prompt has opened thinking at its end, or ""."""
    marks = _marks(prompt)
    if not marks or _closes(marks[-1]) or prompt[marks[-1].end() :].strip():
        return ""
    return marks[-1].group()


def closing(mark: str) -> str:
    """What ends the thinking that a prompt has opened with this mark.

    Raises ValueError for one whose closing form is not its own with a stroke.
    """
    end = f"{mark[:1]}/{mark[1:]}"
    if without_thinking(f"{mark}a{end}b") != ("b", len(mark) + len(end) + 1):
        raise ValueError(f"a prompt opens thinking with {mark}, which cannot be closed here")
    return end
