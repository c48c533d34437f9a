"""Results as they come, in a file that survives a kill: JSON lines, appended."""

import hashlib
import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path


def digest(request) -> str:
    """Hex sha256 of a request as JSON: the key of its result."""
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()


class Journal(MutableMapping):
    """Lists by key. A line that a kill tore off, or that is none of ours, is passed over.

    What stands after it counts, and the file keeps every whole line.
    """

    def __init__(self, path: Path | str):
        self.path, self._results = Path(path), {}
        if not self.path.is_file():
            return
        text = self.path.read_bytes()
        for line in text.split(b"\n"):
            try:
                key, value = json.loads(line)
                self._results[str(key)] = list(value)
            except (ValueError, TypeError):
                continue
        if text and not text.endswith(b"\n"):  # what is torn off stays on a line of its own
            with open(self.path, "ab") as file:
                file.write(b"\n")

    def __getitem__(self, key: str) -> list:
        return self._results[key]

    def __setitem__(self, key: str, value: list) -> None:
        line = json.dumps([key, value])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        # as it will be read back: a resumed run must not differ from an undisturbed one
        self._results[key] = json.loads(line)[1]

    def __delitem__(self, key: str) -> None:
        raise TypeError("a journal only grows")

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)
