"""A claim's chain as a drawing: cards of jobs with the files they made, and the links of them."""

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from kensho.provenance import chain, layered
from kensho.provenance.crate import link
from kensho.provenance.history import Attempt, History, Item
from kensho.report.text import duration, size

WIDTH, TITLE, LINE, PAD = 212, 20, 16, 9  # pixels: of a card, its title, a line, its edge
COLUMNS, TITLE_COLUMNS = 31, 24  # of text that a width holds; wide characters take two
MOST = 5  # rows of files of a card


def drawing(history: History, entry: Mapping[str, Any], claim: chain.Chain) -> dict[str, Any]:
    """What the template draws: width, height, links, heads, and cards at their places."""
    nodes, edges = chain.folded(claim)
    cards = {key: _card(history, entry, node) for key, node in nodes.items()}
    places = layered.draw(
        {key: (WIDTH, card["height"]) for key, card in cards.items()},
        {key: node.layer for key, node in nodes.items()},
        edges,
    )
    corners: Mapping[Hashable, tuple[int, int]] = places.corners
    return {
        "places": places,
        "cards": [{**card, "corner": corners[key]} for key, card in cards.items()],
    }


def href(item: Item) -> str | None:
    """Address of a file in the crate, relative to its root."""
    return None if item.outside else link(item)["@id"]


def told(item: Item) -> str:
    """All of a file in one line."""
    digest = f"sha256 {item.sha256}" if item.sha256 else "no sha256 is known"
    return " · ".join(filter(None, [item.path, size(item.bytes), digest, item.outside]))


def fitted(text: str, columns: int = COLUMNS) -> str:
    """The text, with an ellipsis where it is wider than so many columns."""
    used = 0
    for place, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > columns:
            return text[: max(place - 1, 0)] + "…"
    return text


def _card(history: History, entry: Mapping[str, Any], node: chain.Node) -> dict[str, Any]:
    kind, target = node.kind, None
    rows = _rows(node.files)
    if node.kind == "verdict":
        title, lines = entry["verdict"], [f"on {entry['id']}"]
        kind += " " + entry["verdict"].lower()
    elif node.kind == "source":
        record = history.sources[node.source]
        title, target = node.source, f"#source-{quote(node.source)}"
        lines = [f"source, {record['licence']}", f"sha256 {str(record['sha256'])[:12]}…"]
        if record["path"] is None:
            lines.append("not fetched: no place had it")
    elif node.kind == "given":
        outside = node.files[0].outside
        title, lines = ("not inside", [outside]) if outside else ("of the workflow", [])
    else:
        count = len(node.attempts)
        target = f"#attempt-{node.attempts[0].id}" if count == 1 else None
        title = (f"{count} × " if count > 1 else "") + node.attempts[0].start.rule
        lines = [
            *filter(None, [_wildcards(node.attempts)]),
            _ran(node.attempts),
            *_others(history, node.attempts),
        ]
    rows_height = LINE * len(rows) + (6 if rows else 0)
    return {
        "width": WIDTH,
        "kind": kind,
        "target": target,
        "title": fitted(title, TITLE_COLUMNS),
        "lines": [(fitted(line), line) for line in lines],
        "rows": rows,
        "height": TITLE + LINE * len(lines) + rows_height + 2 * PAD,
    }


def _wildcards(attempts: Sequence[Attempt]) -> str:
    """Values of the wildcards; those that differ between the jobs all in their place."""
    names = attempts[0].start.wildcards
    values = [list(dict.fromkeys(a.start.wildcards[name] for a in attempts)) for name in names]
    return " ".join(", ".join(each) for each in values)


def _ran(attempts: Sequence[Attempt]) -> str:
    seconds = [a.last.seconds for a in attempts if a.last.seconds is not None]
    ends = dict.fromkeys(duration(s) for s in (min(seconds), max(seconds))) if seconds else ["?"]
    hosts = dict.fromkeys(attempt.host for attempt in attempts)
    return f"✓ {' to '.join(ends)} · {', '.join(hosts)}"


def _others(history: History, attempts: Sequence[Attempt]) -> list[str]:
    """How many attempts of the same jobs did not make these files, and why."""
    jobs, ids = ({a.start.job for a in attempts}, {a.id for a in attempts})
    others = [a for a in history.attempts.values() if a.start.job in jobs and a.id not in ids]
    words = ["superseded" if other.status == "completed" else other.status for other in others]
    return [f"and {count} {word}" for word, count in Counter(words).items()]


def _rows(files: Iterable[Item]) -> list[dict[str, Any]]:
    """A row for each name, its files as numbered links where there are several."""
    names: dict[str, list[Item]] = {}
    for item in files:
        names.setdefault(PurePosixPath(item.path).name, []).append(item)
    rows = [{"name": fitted(name), "items": items} for name, items in names.items()]
    if len(rows) <= MOST:
        return rows
    rest = sum(len(row["items"]) for row in rows[MOST - 1 :])
    return [*rows[: MOST - 1], {"name": f"and {rest} more, listed below", "items": []}]
