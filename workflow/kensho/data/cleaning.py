"""Filters of hojichar and of our own, in one row; a document ends at the first that rejects it."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from html.entities import html5
from typing import Any, NamedTuple

from hojichar import Document, document_filters
from hojichar import Filter as HojiChar

from kensho.data import measures
from kensho.data.corpus import normalise

# With what turns text around, and private use; zero-width spaces, joiners, variation
# selectors and the byte order mark are left.
CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\u202a-\u202e\u2066-\u2069"
    "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
)
# Of the HTML standard with those that it calls obsolete.
ELEMENTS = (
    "a|abbr|acronym|address|applet|area|article|aside|audio|b|base|basefont|bdi|bdo|bgsound|big|"
    "blink|blockquote|body|br|button|canvas|caption|center|cite|code|col|colgroup|data|datalist|dd|"
    "del|details|dfn|dialog|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|"
    "frame|frameset|h[1-6]|head|header|hgroup|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|"
    "link|main|map|mark|marquee|math|menu|meta|meter|nav|nobr|noembed|noframes|noscript|object|ol|"
    "optgroup|option|output|p|param|picture|pre|progress|q|rb|rp|rt|rtc|ruby|s|samp|script|search|"
    "section|select|slot|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|"
    "template|textarea|tfoot|th|thead|time|title|tr|track|tt|u|ul|var|video|wbr|xmp"
)
ENTITIES = "|".join(name.rstrip(";") for name in sorted(html5) if name.endswith(";"))
TAG = re.compile(
    rf"</?(?:{ELEMENTS})(?:\s[^<>]{{0,500}})?/?>|<!--|<!doctype|<\?xml|<!\[CDATA\[|"
    rf"&(?:#\d+|#x[0-9a-f]+|(?=[a-z][a-z\d]{{1,31}};)(?:{ENTITIES}));",
    re.I,
)
SMALL = 1e-9  # what a ratio of counts may be off
MASK = "mask-personal-information"
Stated = Mapping[str, Any]  # settings of `corpora.Corpora`


class Pattern(HojiChar):
    """Rejects what a pattern finds anywhere in the text, or in a pair's other side."""

    def __init__(self, pattern: re.Pattern):
        super().__init__()
        self.pattern = pattern

    def apply(self, document: Document) -> Document:
        sides = document.text, document.extras.get("beside", "")
        document.is_rejected |= any(map(self.pattern.search, sides))
        return document


class Repetition(document_filters.CharRepetitionRatioFilter):
    """hojichar's, which keeps what it measured."""

    def apply(self, document: Document) -> Document:
        ratio = self.compute_character_repetition_ratio(document.text, self.ngram_size)
        document.extras["repetition"] = ratio
        document.is_rejected |= ratio >= self.threshold
        return document


class FineWeb2(HojiChar):
    """Thresholds of FineWeb-2 on what :mod:`kensho.data.measures` has measured."""

    def __init__(self, page: int, **thresholds: float):
        super().__init__()
        self.page, self.thresholds = page, thresholds

    def apply(self, document: Document) -> Document:
        if len(document.text) < self.page:
            return document
        for name, threshold in self.thresholds.items():
            value = document.extras.get(name)
            if value is None:
                continue
            least = name in ("punctuated_lines", "language_score")
            if (value < threshold - SMALL) if least else (value > threshold + SMALL):
                document.is_rejected = True
                document.extras["reason"] = (
                    f"{name.replace('_', ' ')} {'below' if least else 'above'} {threshold:g}"
                )
                break
        return document


# By name in the settings: the filter, and the reason of what it rejects.
FILTERS: dict[str, Callable[[Stated], tuple[HojiChar, str]]] = {
    "control": lambda s: (Pattern(CONTROL), "control characters"),
    "html": lambda s: (Pattern(TAG), "HTML markup"),
    "short": lambda s: (
        document_filters.DocumentLengthFilter(min_doc_len=s["min_characters"]),
        f"fewer than {s['min_characters']} characters",
    ),
    "long": lambda s: (
        document_filters.DocumentLengthFilter(max_doc_len=s["max_characters"]),
        f"more than {s['max_characters']} characters",
    ),
    "japanese": lambda s: (document_filters.AcceptJapanese(), "no kana in the first 50 characters"),
    "repetition": lambda s: (Repetition(), "repeated character 5-grams"),
    "fineweb2": lambda s: (FineWeb2(**s["fineweb2"]), ""),
    "adult": lambda s: (document_filters.DiscardAdultContentJa(), "a word of the list"),
    "adult-en": lambda s: (document_filters.DiscardAdultContentEn(), "a word of the list"),
    "violence": lambda s: (document_filters.DiscardViolenceContentJa(), "a word of the list"),
    "discrimination": lambda s: (
        document_filters.DiscardDiscriminationContentJa(),
        "a word of the list",
    ),
    "advertisements": lambda s: (document_filters.DiscardAds(), "words of advertisements"),
    "comments": lambda s: (document_filters.DiscardBBSComments(), "words of comment pages"),
    "rare-kuten": lambda s: (document_filters.DiscardRareKuten(), "few full stops"),
    MASK: lambda s: (document_filters.MaskPersonalInformation(), ""),
}
OF_PAGES = ("repetition", "fineweb2")  # tuned on pages: neither sentences nor turns are judged so


def normalised(text: str, language: str) -> str:
    """Japanese line by line as :func:`kensho.data.corpus.normalise` has it; others only trimmed."""
    if language != "ja":
        return text.strip()
    lines = (normalise(line) for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines).strip("\n")


class Cleaned(NamedTuple):
    """A text as it is kept, its other side, its measures, and filter and reason of a rejection."""

    text: str
    beside: str
    measures: dict[str, float]
    rejected: tuple[str, str] | None


class Cleaner:
    """The filters of one corpus.

    Args: ``settings`` are those of `corpora`; ``kind`` and ``language`` those of the corpus (of
    pairs the Japanese side is judged). Pages alone are held to what was tuned on pages.
    """

    def __init__(self, settings: Stated, kind: str, language: str):
        names: Sequence[str] = settings["filters"]
        if kind != "text":
            names = [name for name in names if name not in OF_PAGES]
        if language == "en":
            names = [name for name in names if name not in ("japanese", "fineweb2")]
        self.filters = {name: FILTERS[name](settings) for name in names}
        self.page = settings["fineweb2"]["page"] if "fineweb2" in self.filters else math.inf

    def __call__(self, text: str, numbers: Mapping[str, float | None], beside: str = "") -> Cleaned:
        measures_of = measures.measured(text, with_words=len(text) >= self.page)
        score = {"language_score": numbers.get("language_score")}
        document = Document(text, extras={**measures_of, **score, "beside": beside})
        rejected = None
        for name, (one, reason) in self.filters.items():
            document = one.apply(document)
            if document.is_rejected:
                rejected = name, document.extras.get("reason", reason)
                break
            if name == MASK:
                beside = one.apply(Document(beside)).text
        measures_of["repetition"] = document.extras.get("repetition", math.nan)
        return Cleaned(document.text, beside, measures_of, rejected)
