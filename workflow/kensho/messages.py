"""What a message may show: no control character, and of an address its scheme and host alone."""

import logging
import re
import sys

_ADDRESS = re.compile(r"(?<![a-z])(?!docker:|file:)[a-z][a-z0-9+.-]{0,20}://\S+", re.I)
_CLOSING = ")]}>.,;:'\""
_SITE = re.compile(
    r"([a-z][a-z0-9+.-]*://)(?:[^/?#]*@)?((?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?)(?![\w:@.-])", re.I
)


def site(url: str | None) -> str:
    """Scheme, host and port of a URL: its path, query and user may hold what is nobody's business.

    What cannot be read as one is "the network".
    """
    read = _SITE.match(url or "")
    return read[1] + read[2] if read else "the network"


def escaped(text: str) -> str:
    """The text with all that is not printable, ends of lines included, as Python writes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\u3000" else ascii(c)[1:-1] for c in text)


def plain(text: str) -> str:
    """Lines as a log or a terminal may show them: escaped, addresses cut to their sites."""
    lines = "\n".join(map(escaped, text.split("\n")))
    return _ADDRESS.sub(_cut, lines)


def _cut(address: re.Match) -> str:
    """The site, and what closes the sentence or the brackets around the address."""
    return site(address[0]) + address[0][len(address[0].rstrip(_CLOSING)) :]


class Plain(logging.Filter):
    """Makes plain what Snakemake says; of its own command line the values of settings go."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "cmd", None) == " ".join(sys.argv):
            record.cmd = " ".join(re.sub("(?s)=.*", "=…", word) for word in sys.argv)
        record.msg = str(record.msg or "")
        for name, value in list(vars(record).items()):
            if isinstance(value, str):
                setattr(record, name, plain(value))
        return True
