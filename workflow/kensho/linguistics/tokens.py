"""Words of a text with their grammar: Sudachi and fugashi behind one face.

Both dictionaries descend from UniDic and name parts of speech, conjugation types and inflected
forms alike. What differs: Sudachi (split mode C) keeps compounds and named entities whole where
UniDic has short units, and it returns spaces as words (空白), which fugashi leaves out.
"""

from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple, get_args

from kensho.linguistics.sudachi import pieces, tokenizer

Analyser = Literal["sudachi", "fugashi"]  # SudachiDict-core, UniDic-lite
ANALYSERS: tuple[Analyser, ...] = get_args(Analyser)
GROUPED = {"名詞", "代名詞", "動詞", "形容詞", "形状詞", "副詞", "感動詞", "連体詞", "接続詞"}


class Token(NamedTuple):
    """A word of a text; places count characters."""

    surface: str
    lemma: str  # dictionary form as the text spells it: いただく for いただき
    normalised: str  # dictionary form in the dictionary's own spelling: 頂く
    pos: tuple[str, str, str, str]  # part of speech, "*" where a level is empty
    conjugation: str  # type, such as 五段-カ行; "*" for a word that does not inflect
    form: str  # inflected form, such as 終止形-一般
    reading: str  # katakana of the surface, "" where the dictionary has none
    begin: int
    end: int
    groups: frozenset[int]  # synonym groups of Sudachi's dictionary


def tokens(text: str, analyser: Analyser = "sudachi") -> list[Token]:
    """The words of a text, in order; ``text[t.begin : t.end] == t.surface`` for each.

    Synonym groups exist in Sudachi's dictionary alone: for fugashi, those of the lemma there.
    Raises ValueError for an analyser other than ``ANALYSERS``, and for a text that the analyser
    cannot read (see :func:`kensho.linguistics.sudachi.pieces`; a null character for fugashi).
    """
    if analyser not in READERS:
        raise ValueError(f"no analyser '{analyser}'; take {' or '.join(ANALYSERS)}")
    read = READERS[analyser]
    return [token for place, part in pieces(text) for token in read(part, place)]


def _sudachi(text: str, place: int) -> Iterator[Token]:
    for word in tokenizer().tokenize(text):
        *pos, conjugation, form = word.part_of_speech()
        yield Token(
            word.surface(),
            word.dictionary_form(),
            word.normalized_form(),
            (pos[0], pos[1], pos[2], pos[3]),
            conjugation,
            form,
            word.reading_form(),
            place + word.begin(),
            place + word.end(),
            frozenset(word.synonym_group_ids()),
        )


@cache
def _tagger():
    from fugashi import Tagger
    from unidic_lite import DICDIR

    return Tagger(f'-d "{DICDIR}" -r /dev/null')


def _fugashi(text: str, place: int) -> Iterator[Token]:
    if "\0" in text:
        raise ValueError("a null character, at which fugashi stops; delete it")
    begin = place
    for word in _tagger()(text):
        begin += len(word.white_space)
        end = begin + len(word.surface)
        feature = word.feature
        lemma = feature.orthBase or word.surface
        pos = (feature.pos1, feature.pos2, feature.pos3, feature.pos4)
        yield Token(
            word.surface,
            lemma,
            (feature.lemma or "").partition("-")[0] or lemma,  # 私-代名詞
            pos,
            feature.cType,
            feature.cForm,
            feature.kana or "",
            begin,
            end,
            synonym_groups(lemma, pos[0]) if pos[0] in GROUPED else frozenset(),
        )
        begin = end


def words(text: str) -> list[str]:
    """UniDic's short units by MeCab, each with the blanks ahead of it: joined they are the text.

    Raises ValueError as :func:`tokens` does.
    """
    units, end = list[str](), 0
    for token in (token for place, part in pieces(text) for token in _spans(part, place)):
        units.append(text[end:token])
        end = token
    return [*units[:-1], units[-1] + text[end:]] if units else [text] * bool(text)


def _spans(text: str, place: int) -> Iterator[int]:
    """Where the words of a text end."""
    if "\0" in text:
        raise ValueError("a null character, at which fugashi stops; delete it")
    end = place
    for word in _tagger()(text):
        end += len(word.white_space) + len(word.surface)
        yield end


@cache
def synonym_groups(lemma: str, pos: str) -> frozenset[int]:
    """Groups of a dictionary form in Sudachi's dictionary.

    None where it is not one word of that part of speech (名詞, 動詞, ...) there.
    """
    words = list(tokenizer().tokenize(lemma))
    whole = len(words) == 1 and words[0].part_of_speech()[0] == pos
    return frozenset(words[0].synonym_group_ids()) if whole else frozenset()


READERS = {"sudachi": _sudachi, "fugashi": _fugashi}
