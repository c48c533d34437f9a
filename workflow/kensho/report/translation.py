"""Finished pages in another language: English is the one source, a catalogue has the rest.

The catalogue (resources/languages/LANGUAGE/*.yaml) maps English to its translation: a sentence or
less, without its full stop where it is not always there. ``{1}``, ``{2}``, ... stand for numbers,
``{name}`` for a name or any text that has a translation. What is listed or set beside each other
(``a, b; c: d · e``) is looked up part by part. Inline elements appear without their attributes
(``see <a>all attempts</a>``), and characters as HTML has them (``&lt;``). Code and elements with
``translate="no"`` (quotations) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

from kensho.validation import read_yaml

KEPT = {"script", "style", "code", "pre"}
INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}
LABELS = re.compile(r"""\b(title|aria-label|data-text)="([^"]+)\"""")
TAG = re.compile(r"<(/?)(\w+)>")
NUMBER = r"[-−+±]?\d[\d,.]*\d(?:e[-+]?\d+)?|[-−+±]?\d"
WITHIN = r"(?:(?![.!?] [A-Z])[^<>])+?"  # a sentence and an element
PLACEHOLDER = re.compile(r"\{(\w+)\}")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
# What sets parts beside each other, in their order; a character of HTML ends in no such mark.
LISTS = {" · ": " · ", "(?<!&[lg]t); ": "；", ": ": "：", r"(?<=\d), ": "、", ", ": "、"}
PHRASE = re.compile(r"[a-z]{2,} [a-z]{2,}")
LOOSE = 10  # characters of a pattern that may hold a phrase without a translation
LETTERS = re.compile(r"[A-Za-z]{2}")
# Three words in small letters, one of them a word that only sentences and phrases have.
WORDS = re.compile(r"(?:\b[a-z]{2,}\b[ ,;:]*){3,}")
FUNCTION = re.compile(
    r"\b(a|an|and|are|as|at|be|but|by|for|from|has|have|in|is|it|its|no|not|of|on|or|that|the|their"
    r"|they|this|to|was|were|what|which|with)\b"
)


class Catalogue:
    """Translations of one language by their English.

    Raises:
        ValueError: a translation lacks a placeholder of its English, or has another.
    """

    def __init__(self, entries: Mapping[str, str]):
        self.exact = {_spaced(english): text for english, text in entries.items()}
        patterns = []
        for english, text in self.exact.items():
            names = PLACEHOLDER.findall(english)
            if sorted({*names}) != sorted({*PLACEHOLDER.findall(text)}):
                raise ValueError(f"translation of '{english}': other placeholders; change them")
            if names:
                patterns.append((len(PLACEHOLDER.sub("", english)), _pattern(english), text))
        # the one with the most text of its own is the closest
        self.patterns = sorted(patterns, key=lambda entry: -entry[0])
        self.of = lru_cache(maxsize=None)(self._of)

    @classmethod
    def read(cls, paths: Iterable[str | Path]) -> Catalogue:
        """The catalogue in several files. Raises ValueError where two translate the same text."""
        entries: dict[str, str] = {}
        for path in paths:
            more = read_yaml(Path(path))
            if twice := entries.keys() & more.keys():
                raise ValueError(f"{path}: '{min(twice)}' is translated elsewhere; delete one")
            entries |= more
        return cls(entries)

    def loosely(self, english: str) -> str | None:
        """A translation in which names may stand that the catalogue has not; None without any."""
        if (text := self.of(english)) is not None:
            return text
        if len(parts := _sentences(english)) > 1:
            texts = [self.loosely(part) for part in parts]
            return None if None in texts else "".join(map(str, texts))
        text = next(self._matches(english, loosely=True), None)
        if text is None and english.endswith("."):
            stem = self.loosely(english[:-1])
            return None if stem is None else f"{stem}。"
        return text

    def _of(self, english: str) -> str | None:
        """A translation of every word but names; None where the catalogue has none."""
        if english in self.exact and not PLACEHOLDER.search(english):
            return self.exact[english]
        if len(parts := _sentences(english)) > 1:
            texts = [self.of(part) for part in parts]
            return None if None in texts else "".join(map(str, texts))
        return (
            next(self._matches(english), None)
            or self._of_parts(english)
            or self._of_another_form(english)
        )

    def _matches(self, english: str, loosely: bool = False) -> Iterator[str]:
        """What the patterns make of a text, the closest first."""
        for length, pattern, text in self.patterns:
            if loosely and length < LOOSE:
                return
            if match := pattern.fullmatch(english):
                held = {name.removeprefix("n"): part for name, part in match.groupdict().items()}
                values = {name: self.of(part) or self._name(part) for name, part in held.items()}
                if loosely or None not in values.values():
                    full = {name: value or held[name] for name, value in values.items()}
                    made = _filled(text, full)
                    if made != english:
                        yield made

    def _of_parts(self, english: str) -> str | None:
        """Of what is listed or set beside each other; names among it stay as they are."""
        for mark, other in LISTS.items():
            if len(parts := re.split(mark, english)) > 1:
                texts = [self.of(part) or self._name(part) for part in parts]
                if None not in texts and texts != parts:
                    return other.join(map(str, texts))
        return None

    def _of_another_form(self, english: str) -> str | None:
        """Of the same without its full stop, or with a small letter in front."""
        if english.endswith("."):
            text = self.of(english[:-1])
            return None if text is None else f"{text}。"
        small = english[:1].lower() + english[1:]
        return None if small == english else self.of(small)

    @staticmethod
    def _name(text: str) -> str | None:
        """A name or a number as it is, None of a phrase."""
        return None if PHRASE.search(text) else text


def _pattern(english: str) -> re.Pattern[str]:
    """What matches the English; a placeholder that comes twice matches the same text."""
    seen: set[str] = set()
    pattern = ""
    for place, part in enumerate(PLACEHOLDER.split(english)):
        if place % 2 == 0:
            pattern += re.escape(part)
            continue
        name = f"n{part}"
        held = f"(?P<{name}>{NUMBER if part.isdigit() else WITHIN})"
        pattern += f"(?P={name})" if name in seen else held
        seen.add(name)
    return re.compile(pattern)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], text)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _sentences(text: str) -> list[str]:
    """Split behind full stops, not within an element."""
    parts, held = [], ""
    for part in SENTENCE.split(text):
        held = f"{held} {part}" if held else part
        if held.count("<") == 2 * held.count("</"):  # no element is open
            parts.append(held)
            held = ""
    return [*parts, held] if held else parts


# --- pages


class _Tokens(HTMLParser):
    """A page as (kind, tag, source) with nothing lost: kinds are start, end, text and other."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=False)
        lines = [0]
        for line in page.splitlines(keepends=True):
            lines.append(lines[-1] + len(line))
        self.lines, self.begun = lines, list[tuple[int, str, str]]()
        self.feed(page)
        self.close()
        ends = [at for at, _, _ in self.begun[1:]] + [len(page)]
        self.tokens: list[tuple[str, str, str]] = []
        for (at, kind, tag), end in zip(self.begun, ends, strict=True):
            source = page[at:end]
            if kind == "text" and self.tokens and self.tokens[-1][0] == "text":
                source = self.tokens.pop()[2] + source
            self.tokens.append((kind, tag, source))

    def _begin(self, kind: str, tag: str = "") -> None:
        line, column = self.getpos()
        self.begun.append((self.lines[line - 1] + column, kind, tag))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._begin("start", tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self._begin("other")

    def handle_endtag(self, tag: str) -> None:
        self._begin("end", tag)

    def handle_data(self, data: str) -> None:
        self._begin("text")

    def handle_entityref(self, name: str) -> None:
        self._begin("text")

    def handle_charref(self, name: str) -> None:
        self._begin("text")

    def handle_decl(self, decl: str) -> None:
        self._begin("other")

    def handle_comment(self, data: str) -> None:
        self._begin("other")


def _kept(tag: str, source: str) -> bool:
    other = re.search(r'\s(translate="no"|lang="(?!en\b))', source)
    return tag in KEPT or (other is not None and tag != "html")


Token = tuple[str, str, str, bool]  # kind, tag, source, whether it is kept as it is


def _runs(page: str) -> Iterator[list[Token]]:
    """The tokens of a page: in runs of text with its inline elements, others one by one."""
    run: list[Token] = []
    open_kept: list[str] = []  # elements, from the outermost that is kept as it is
    for kind, tag, source in _Tokens(page).tokens:
        inside = bool(open_kept)
        if kind == "start" and tag not in VOID and (inside or _kept(tag, source)):
            open_kept.append(tag)
        elif kind == "end" and inside:
            open_kept.pop()
        token = kind, tag, source, inside or bool(open_kept)
        if kind == "text" or (tag in INLINE and kind != "other"):
            run.append(token)
        else:
            yield run
            yield [token]
            run = []
    yield run


def _plain(tokens: Sequence[Token]) -> str:
    """A run as the catalogue has it."""
    return _spaced("".join(
        _text(source) if kind == "text" else f"<{'/' * (kind == 'end')}{tag}>"
        for kind, tag, source, _ in tokens
    ))  # fmt: skip


def _text(source: str) -> str:
    return escape(unescape(source), quote=False)


def _translated(run: Sequence[Token], catalogue: Catalogue) -> str:
    """The source of a run in the other language, as much of it as the catalogue has."""
    whole = "".join(source for _, _, source, _ in run)
    if all(kept or kind != "text" or not LETTERS.search(source) for kind, _, source, kept in run):
        return whole
    before, after = (run[place][2] if run[place][0] == "text" else "" for place in (0, -1))
    if (text := catalogue.loosely(_plain(run))) is None:  # texts one by one
        return "".join(
            source if kind != "text" or kept else _one(source, catalogue)
            for kind, _, source, kept in run
        )
    tags: dict[str, list[str]] = {}
    for kind, tag, source, _ in run:
        if kind == "start":
            tags.setdefault(tag, []).append(source)
    full = TAG.sub(lambda t: t[0] if t[1] or not tags.get(t[2]) else tags[t[2]].pop(0), text)
    return _margin(before)[0] + full + _margin(after)[1]


def _margin(source: str) -> tuple[str, str]:
    """The blanks before and behind a text."""
    return source[: len(source) - len(source.lstrip())], source[len(source.rstrip()) :]


def _one(source: str, catalogue: Catalogue) -> str:
    text = catalogue.loosely(_spaced(_text(source)))
    return source if text is None else text.join(_margin(source))


def translated(page: str, catalogue: Catalogue, language: str) -> str:
    """A page with all that the catalogue has; what it lacks stays English."""

    def label(attribute: re.Match[str]) -> str:
        text = catalogue.loosely(_spaced(unescape(attribute[2])))
        return attribute[0] if text is None else f'{attribute[1]}="{escape(text)}"'

    def labelled(token: Token) -> Token:
        kind, tag, source, kept = token
        return kind, tag, source if kept or kind != "start" else LABELS.sub(label, source), kept

    runs = ([*map(labelled, run)] for run in _runs(page))
    return "".join(_translated(run, catalogue) for run in runs).replace(
        '<html lang="en">', f'<html lang="{language}">', 1
    )


def english(page: str) -> list[str]:
    """English sentences and phrases of a page outside code, quotations and names, each once."""
    texts: list[str] = []
    for run in _runs(page):
        read = [token for token in run if not (token[3] and token[0] == "text")]
        texts += TAG.sub("\n", _plain(read)).split("\n")
        for kind, _, source, kept in run:
            if kind == "start" and not kept:
                texts += (unescape(label) for _, label in LABELS.findall(source))
    return [*dict.fromkeys(text.strip() for text in texts if _is_english(text))]


def _is_english(text: str) -> bool:
    return any(FUNCTION.search(words[0]) for words in WORDS.finditer(text))
