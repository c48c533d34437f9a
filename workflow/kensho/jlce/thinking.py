"""Reasoning that a model writes before its answer: where it begins and ends.

Declared marks: ``<think>``, ``<thinking>``, ``<thought>``, ``<reason>``, ``<reasoning>``,
``<reflection>``, ``<analysis>``, ``<scratchpad>`` and ``<seed:think>`` with their closing forms
(any case, attributes, bars as in ``<|begin_of_thought|>``), ``[THINK]``, ``◁think▷``, and the
analysis channel of the harmony format, whose end stays as ``assistantfinal`` where special tokens
are taken out.
"""

import re
from collections.abc import Iterable

NAMES = "(?:seed:)?think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad"
MARK = re.compile(
    rf"(?P<open><\|channel\|>analysis<\|message\|>|<\|begin_of_thought\|>)"
    rf"|(?P<close>(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>|assistantfinal"
    rf"|<\|end_of_thought\|>)"
    rf"|(?:[<＜◁]\|?\s*(?P<slash>[/／])?\s*(?:{NAMES})(?:\s[^<>＜＞]{{0,80}})?\s*\|?[>＞▷])"
    rf"|\[(?P<stroke>/)?THINK\]",
    re.IGNORECASE,
)
ANSWER = re.compile(r"\s*<answer>(.*?)(?:</answer>\s*)?", re.DOTALL | re.IGNORECASE)


def without_thinking(text: str) -> tuple[str, int]:
    """The answer without its thinking, and how many characters that held, marks included.

    What stands before a closing mark that nothing opened is thinking too: its opening was the
    prompt's. A block that is never closed runs to the end: what was not concluded is no answer.
    ``<answer>`` around all that is left is taken off.
    """
    kept = "".join(text[begin:end] for begin, end in spoken(text))
    found = ANSWER.fullmatch(kept)
    return (found[1] if found else kept).strip(), len(text) - len(kept)


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
    spans, begin = [], 0  # begin is None within a block
    for mark in MARK.finditer(text):
        closing = mark["close"] or mark["slash"] or mark["stroke"]
        if closing:
            if begin is not None:
                spans.clear()
            begin = mark.end()
        elif begin is not None:
            spans.append((begin, mark.start()))
            begin = None
    return spans if begin is None else [*spans, (begin, len(text))]


def end(text: str) -> int:
    """Where a text's last thinking ends: 0 without any, its length while it goes on."""
    begin, stop = (spoken(text) or [(0, 0)])[-1]
    return begin if stop == len(text) else len(text)


def opened(prompt: str) -> str:
    """The mark with which a prompt has opened thinking at its end, or ""."""
    marks = list(MARK.finditer(prompt))
    last = marks[-1] if marks else None
    closing = last and (last["close"] or last["slash"] or last["stroke"])
    return last.group() if last and not closing and not prompt[last.end() :].strip() else ""
