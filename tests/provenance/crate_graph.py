"""What a crate's metadata says rests on what."""

import json


def entities(folder):
    """Entities by id."""
    metadata = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def ids(value):
    return [one["@id"] for one in (value if isinstance(value, list) else [value] if value else [])]


def reached(graph, claim):
    """Ids of a verdict's evidence, of the attempts that made it, of their inputs, and so on."""
    makers = {
        made: name
        for name, entity in graph.items()
        if name.startswith("#attempt-")
        for made in ids(entity.get("result"))
    }
    waiting, seen = ids(graph[f"#review-{claim}"].get("isBasedOn")), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [makers[name]] if name in makers else []
            waiting += ids(graph[name].get("object")) if name.startswith("#attempt-") else []
    return seen


def made(graph, names):
    """Ids of all that the attempts among these made, whether it was used or not."""
    return {one for name in names for one in ids(graph[name].get("result"))}


def judged(graph):
    """Claims with a verdict that rests on something."""
    reviews = {name: entity for name, entity in graph.items() if name.startswith("#review-")}
    return {name.removeprefix("#review-") for name, e in reviews.items() if e.get("isBasedOn")}
