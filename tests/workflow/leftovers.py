"""What a run leaves, searched for words that should be nowhere in it."""

import base64
import gzip
import re

TOKEN = "pl4nted7oken9"


def forms(content):
    """Content as it stands, unpacked, and with what is base64 in it read."""
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    yield content
    for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}", content[: 1 << 24]):  # weights hold no text
        run = run.replace(b"-", b"+").replace(b"_", b"/")
        yield from (base64.b64decode(run[n:] + b"A" * (-len(run[n:]) % 4)) for n in range(4))


def holders(folder, words):
    """Files of a folder that hold one of the words in content or name, as far as can be read."""
    for path in sorted(folder.rglob("*")):
        texts = [path.name.encode(), *forms(path.name.lstrip("@").encode())]
        texts += forms(path.read_bytes()) if path.is_file() else []
        if any(word.encode() in text for word in words for text in texts):
            yield str(path)
