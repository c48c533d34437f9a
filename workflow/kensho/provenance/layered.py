"""Places of a layered graph: boxes in rows from top to bottom, links between them as SVG paths."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

GAP, DROP = 24, 46  # pixels between boxes of a layer, and between layers
LINK = 10  # width kept for a link that passes a layer
SWEEPS = 12

Key = Hashable


@dataclass(frozen=True)
class Drawing:
    """Sizes in pixels; ``corners`` are left and top of each box."""

    width: int
    height: int
    corners: Mapping[Key, tuple[int, int]]
    links: Sequence[str]  # of SVG paths
    heads: Sequence[str]  # of the arrows


def draw(
    sizes: Mapping[Key, tuple[int, int]],
    layer: Mapping[Key, int],
    edges: Collection[tuple[Key, Key]],
) -> Drawing:
    """Boxes of these widths and heights; each edge leads to a later layer (Sugiyama's method)."""
    rows: list[list[Key]] = [[] for _ in range(max(layer.values()) + 1)]
    for key in sizes:
        rows[layer[key]].append(key)
    segments = _segments(rows, layer, edges)
    widths = {key: sizes[key][0] if key in sizes else LINK for row in rows for key in row}
    centres = _centres(rows, widths, segments)
    left = min(centres[key] - widths[key] / 2 for key in widths)
    right = max(centres[key] + widths[key] / 2 for key in widths)
    x = {key: round(centre - left) + 1 for key, centre in centres.items()}
    tops, bottoms, top = {}, {}, 1
    for row in rows:
        bottom = top + max(sizes[key][1] for key in row if key in sizes)
        for key in row:
            tops[key], bottoms[key] = top, bottom
        top = bottom + DROP
    links, heads = [], []
    for before, after in segments:
        start = tops[before] + (sizes[before][1] if before in sizes else 0)
        end = tops[after] - (2 if after in sizes else 0)
        middle = (bottoms[before] + end) // 2
        links.append(
            f"M{x[before]} {start}V{bottoms[before]}"
            f"C{x[before]} {middle} {x[after]} {middle} {x[after]} {end}"
        )
        if after in sizes:
            heads.append(f"M{x[after] - 4} {end - 6}L{x[after]} {end}L{x[after] + 4} {end - 6}")
    corners = {key: (x[key] - width // 2, tops[key]) for key, (width, _) in sizes.items()}
    return Drawing(round(right - left) + 2, top - DROP + 2, corners, links, heads)


def _segments(
    rows: list[list[Key]], layer: Mapping[Key, int], edges: Collection[tuple[Key, Key]]
) -> list[tuple[Key, Key]]:
    """Edges cut at the layers that they pass, where all links of a box share one place."""
    segments: dict[tuple[Key, Key], None] = {}
    place = {key: number for number, key in enumerate(key for row in rows for key in row)}
    for before, after in sorted(edges, key=lambda edge: (place[edge[0]], place[edge[1]])):
        here = before
        for between in range(layer[before] + 1, layer[after]):
            passed = ("link", before, between)
            if passed not in rows[between]:
                rows[between].append(passed)
            segments[here, passed] = None
            here = passed
        segments[here, after] = None
    return list(segments)


def _centres(
    rows: list[list[Key]], widths: Mapping[Key, int], segments: Sequence[tuple[Key, Key]]
) -> dict[Key, float]:
    """Horizontal centres: rows are sorted and placed by their neighbours, down and up in turn."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for before, after in segments:
        above.setdefault(after, []).append(before)
        below.setdefault(before, []).append(after)
    centres: dict[Key, float] = {}
    for row in rows:
        _place(row, widths, dict.fromkeys(row, 0.0), centres)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        for row in rows if down else rows[::-1]:
            wanted = {
                key: fmean(centres[k] for k in near[key]) if key in near else centres[key]
                for key in row
            }
            if sweep < SWEEPS - 4:  # at last they are straightened only
                row.sort(key=wanted.__getitem__)
            _place(row, widths, wanted, centres)
    return centres


def _place(
    row: Sequence[Key],
    widths: Mapping[Key, int],
    wanted: Mapping[Key, float],
    centres: dict[Key, float],
) -> None:
    """Nearest to the wanted centres by least squares, without overlap: pool adjacent violators."""
    offsets, offset = [], 0.0
    for before, key in zip([None, *row[:-1]], row, strict=True):
        offset += 0 if before is None else (widths[before] + widths[key]) / 2 + GAP
        offsets.append(offset)
    pools: list[list[float]] = []
    for key, offset in zip(row, offsets, strict=True):
        pools.append([wanted[key] - offset])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    places = [fmean(pool) for pool in pools for _ in pool]
    for key, place, offset in zip(row, places, offsets, strict=True):
        centres[key] = place + offset
