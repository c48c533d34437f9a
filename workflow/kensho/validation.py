"""Strict settings, reading YAML, and Pydantic's errors as lines a user can act on."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

M = TypeVar("M", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Steps = Annotated[int, Field(ge=2, le=1_000_000)]  # of a training: the first has a rate of 0
Bytes = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
Share = Annotated[float, Field(gt=0, le=1)]
ShareOrNone = Annotated[float, Field(ge=0, le=1)]
Rank = Annotated[int, Field(ge=1, le=4096)]  # of adapters; no matrix of a card is that narrow
LearningRate = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """Part of the configuration; unknown keys and wrong types are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _distinct(cls, value):
        twice = [v for v in value if value.count(v) > 1] if isinstance(value, list) else []
        if twice:
            raise ValueError(f"{twice[0]} stands there twice; leave one out")
        return value


TAGS = ("design", "stage", "name")  # keys that say which of several models a mapping is
_EXPECTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "none": "null",
}


def suggestion(name: object, known: Iterable[str]) -> str:
    """Say which known name is nearest to a mistyped one, or list the known names."""
    names = list(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(sorted(names))


def problems(
    error: ValidationError, where: str, model: type[BaseModel], under: str = ""
) -> list[str]:
    """Format every error of a validation as one line `where: dotted.key: what is wrong`.

    `where` is the file as the user knows it, `model` the model that was validated, and `under`
    the dotted place of the validated object inside the file (a claim's id, for instance).
    """
    lines = []
    for item in error.errors(include_url=False):
        parts = (under, *_without_tags(item["loc"], model))
        place = ".".join(str(part) for part in parts if part != "")
        lines.append(": ".join(part for part in (where, place, _message(item, model)) if part))
    return lines


def validated(model: type[M], value: object, where: str) -> M:
    """The value as a model. Raises ValueError with a line for each problem, as `problems` does."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ValueError("\n".join(problems(error, where, model))) from None


def _message(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(model, item["loc"][:-1])
        return f"unknown key, {suggestion(item['loc'][-1], known)}"
    if kind == "missing":
        return "required key is missing"
    if kind == "union_tag_not_found":
        return f"{context['discriminator'].strip(chr(39))}: required key is missing"
    if kind == "union_tag_invalid":
        key = context["discriminator"].strip("'")
        return f"{key}: expected {context['expected_tags']}, found {_shown(value.get(key))}"
    if kind in ("literal_error", "enum"):
        return f"expected {context['expected']}, found {_shown(value)}"
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"expected {'at least' if 'short' in kind else 'at most'} {bound} items"
    if kind == "value_error":
        return str(context["error"])
    stem, _, suffix = kind.partition("_")
    if stem in _EXPECTED and suffix in (
        "type",
        "parsing",
        "from_float",
        "attributes_type",
        "number",
    ):
        quote = "; put it in quotes" if stem == "string" and isinstance(value, int | float) else ""
        return f"expected {_EXPECTED[stem]}, found {_shown(value)}{quote}"
    return f"{item['msg'].replace('Input should', 'should')}, found {_shown(value)}"


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"{value}".lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    line = shorten(str(value), 80, placeholder=" …")
    return f"the text '{line}'" if isinstance(value, str) else line


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that sits at a location."""
    reached = list(_walk(location, model))[-1][1] if location else [model]
    return sorted({field.alias or name for m in reached for name, field in m.model_fields.items()})


def _without_tags(location: tuple[int | str, ...], model: type[BaseModel]) -> list[int | str]:
    """A location as the user wrote it: Pydantic adds the tag of a choice as a part of its own."""
    return [part for part, _ in _walk(location, model) if part is not None]


def _walk(location: tuple[int | str, ...], model: type[BaseModel]) -> Iterator[tuple]:
    """Each part of a location (None for a tag) with the models that it leads to."""
    reached = [model]
    for part in location:
        tagged = [m for m in reached if part in _tags(m)]
        fields = [m.model_fields[part].annotation for m in reached if part in m.model_fields]
        # a part that is neither tag nor field is an index or a key
        reached = tagged or [m for annotation in fields for m in _models_in(annotation)] or reached
        yield None if tagged else part, reached


def _tags(model: type[BaseModel]) -> tuple:
    fields = (model.model_fields.get(key) for key in TAGS)
    return tuple(tag for field in fields if field for tag in get_args(field.annotation))


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in get_args(annotation) for m in _models_in(argument)]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2 as people write it: `on`, `no`, 1:30, 2026-05-01 and 010 are text.

    PyYAML speaks YAML 1.1, where they are true, false, 90, a date and 8. It also lets the last of
    two equal keys win in silence; a registry must not.
    """

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class Texts(_Loader):
    """The same, with every scalar as the text that stands there: 0.570 is not 0.57."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


_WHOLE = "(?:0|[1-9][0-9]*)"
for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", f"[-+]?{_WHOLE}", "-+0123456789"),
    (
        "float",  # 12e4567 is no number: revisions look like that
        rf"[-+]?(?:{_WHOLE}\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?{_WHOLE}[eE][-+][0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def read_yaml(path: Path) -> Any:
    """Read a YAML file; a syntax error or a doubled key raises ValueError `file:line: cause`."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None


def misread(path: Path) -> list[str]:
    """One line for each plain scalar of a YAML file that a reader of YAML 1.1 takes for another.

    Snakemake is one; it reads the configuration before we do. A file that is no YAML has none.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    try:
        read_yaml(path)
    except ValueError as error:  # a key that stands there twice
        return [str(error)]
    older, lines = yaml.SafeLoader(""), {}
    for node in _scalars(root):
        tag = older.resolve(yaml.ScalarNode, node.value, (True, False))
        if not node.style and tag != node.tag:  # plain
            taken, meant = _taken(node.value, yaml.SafeLoader), _taken(node.value, _Loader)
            where, other = f"{path}:{node.start_mark.line + 1}", meant if taken == "text" else taken
            mend = "" if other == "a date" else f", or write {other} if that is meant"
            lines[node.start_mark.index] = (
                f"{where}: `{node.value}` is read as {taken}; put it in quotes{mend}"
            )
    return [lines[place] for place in sorted(lines)]


def _taken(text: str, loader: type) -> str:
    """What a plain scalar is to a loader, as one would write it; a date or text by that word."""
    value = yaml.load(text, Loader=loader)
    if isinstance(value, bool):
        return f"{value}".lower()
    if isinstance(value, int | float):
        return f"{value}"
    return "text" if isinstance(value, str) else "a date"


def _scalars(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:  # an alias is the node itself
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        else:
            waiting += node.value
