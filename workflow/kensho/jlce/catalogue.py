"""The JLCE tasks: each is a file of tasks/jlce, whose ``metadata`` says what it is.

Read without lm-evaluation-harness, so that the head of a run knows the tasks in a moment. The files
`<task>_2.yaml` and `<task>_3.yaml` hold further prompts of a task.
"""

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from kensho.files import sha256
from kensho.part import Part
from kensho.validation import Count, Section, suggestion, validated

PACK = Path(__file__).parent / "tasks" / "jlce"
LIBRARY = Path(__file__).parents[1]
NAME = re.compile(r"(?P<task>[a-z][a-z0-9_]*?)(?:_(?P<prompt>[0-9]+))?")
CORPUS = ("balanced_acc", "mcc")  # metrics of all items together; an item has its label
# Kinds of item, as :mod:`kensho.jlce.items` has them.
KINDS = (
    *("reading", "summary", "commonsense", "nli", "sentiment", "logic", "acceptability"),
    *("mathematics", "style", "translation", "syntax"),
    *("translation_ja_en", "long_units", "honorific", "zero_subject"),
)
# Kinds that are other questions about the documents of a kind.
SAME_DOCUMENTS = {"translation_ja_en": "translation", "long_units": "syntax"}
Group = Literal["Semantic", "Syntactic", "Reasoning", "Generation"]
GROUPS = get_args(Group)
# Public items by the name of their source, and the kind of item that they are.
PUBLIC = {
    "jsquad": "reading",
    "jnli": "nli",
    "jcommonsenseqa": "commonsense",
    "jrte-sentiment": "sentiment",
    "jcola": "acceptability",
    "mgsm-ja": "mathematics",
    "neubaroco": "logic",
    "bsd": "translation",
    "livedoor-news": "summary",
    "ud-japanese-gsd": "syntax",
    "ud-japanese-gsdluw": "long_units",
}


class Judged(Section):
    """What a judge of open answers is told of a task; ``document`` takes the item's fields."""

    instruction: str
    document: str
    criterion: str


class Task(Section):
    """A task: its place on the page, the kind of its items, and the metric that stands for it.

    ``own`` marks a task that is none of the sixteen but an addition of this project.
    """

    version: float
    kind: str
    main: str
    group: Group
    place: Count
    title: str
    own: bool = False
    judged: Judged | None = None


class _Function(str):
    """Dotted name of a function that a file of a task tells the harness to call."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a function of the harness is its name."""


_Loader.add_constructor("!function", lambda loader, node: _Function(loader.construct_scalar(node)))


@cache
def tasks() -> Mapping[str, Task]:
    """Tasks by name in the order of the page. Raises ValueError naming a file and its key."""
    by_name: dict[str, Task] = {}
    for path in sorted(PACK.glob("*.yaml")):  # a task comes before its further prompts
        name, definition = NAME.fullmatch(path.stem), _definition(path)
        if not name:
            raise ValueError(f"{path}: rename it, to small letters, digits and _ alone")
        if name["prompt"] is None:
            by_name[path.stem] = _task(path, definition)
        elif name["prompt"] not in ("2", "3") or name["task"] not in by_name:
            raise ValueError(
                f"{path}: _2 and _3 are further prompts of a task that there is, no other name "
                "ends in a number; rename it"
            )
        if definition.get("task") != (right := f"jlce_{path.stem}"):
            raise ValueError(f"{path}: task: '{definition.get('task')}'; write `task: {right}`")
        if elsewhere := [name for name in _functions(definition) if not _in_library(name)]:
            raise ValueError(
                f"{path}: no module of the library has '{elsewhere[0]}'; put it into one of "
                "workflow/kensho/jlce and write `!function kensho.jlce.<module>.<name>`"
            )
    return dict(
        sorted(by_name.items(), key=lambda task: (GROUPS.index(task[1].group), task[1].place))
    )


def _task(path: Path, definition: Mapping[str, Any]) -> Task:
    metadata = {**definition.get("metadata", {}), **definition.get("dataset_kwargs", {})}
    task = validated(Task, metadata, f"{path}: metadata")
    if task.kind not in KINDS:
        known = suggestion(task.kind, KINDS)
        raise ValueError(f"{path}: dataset_kwargs: no kind of item '{task.kind}', {known}")
    metrics = [
        str(one.get("metric"))
        for one in definition.get("metric_list", [])
        if one.get("aggregation") == "mean" or one.get("metric") in CORPUS
    ]
    if task.main not in metrics:
        known = suggestion(task.main, metrics)
        raise ValueError(
            f"{path}: metadata: main: no metric '{task.main}' of single items in metric_list, "
            f"{known}"
        )
    if not isinstance(definition.get("process_results"), _Function):
        raise ValueError(f"{path}: process_results: name the `!function` that scores an item")
    return task


def _files(path: Path) -> dict[Path, dict[str, Any]]:
    """A task's file and those that it includes, the nearest first, with what each says."""
    chain: dict[Path, dict[str, Any]] = {}
    while path not in chain:
        try:
            chain[path] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
            included = chain[path].get("include")
        except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{path}: not readable as a task ({reason}); mend it") from None
        if included is None:
            return chain
        if not (isinstance(included, str) and path.with_name(included).is_file()):
            raise ValueError(f"{path}: include: {included}: name one file that lies beside it")
        path = path.with_name(included)
    raise ValueError(f"{path}: include: it includes itself; leave one of them out")


def _definition(path: Path) -> dict[str, Any]:
    """A task's file, laid over those that it includes."""
    return dict(ChainMap(*_files(path).values()))


def _functions(part: object) -> Iterator[str]:
    """Dotted names of the functions in a definition."""
    if isinstance(part, _Function):
        yield part
    elif isinstance(part, dict | list):
        for one in part.values() if isinstance(part, dict) else part:
            yield from _functions(one)


def _in_library(function: str) -> bool:
    """Whether a module has it, one of those that digests of code see."""
    *module, name = function.split(".")
    if module[:1] != [LIBRARY.name] or module[1:2] == ["run"]:
        return False
    base = LIBRARY.joinpath(*module[1:])
    there = [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
    return any(re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for file in there)


def _code(function: str) -> str:
    return ":".join(function.rsplit(".", 1))


@cache
def scorer(name: str) -> str:
    """The function, `module:name`, that scores an item of a task."""
    return _code(_definition(_file(name))["process_results"])


@cache
def longest(name: str) -> int:
    """Tokens that an answer of a task may have, 0 where its choices are scored."""
    return _definition(_file(name)).get("generation_kwargs", {}).get("max_gen_toks", 0)


def kinds() -> list[str]:
    """Kinds of items that the tasks ask, each once."""
    return list(dict.fromkeys(task.kind for task in tasks().values()))


def ranked(names: Iterable[str], wanted: Iterable[str] | None) -> list[str]:
    """Those of the tasks that rank models: the wanted ones, None for those of the sixteen."""
    kept = {name for name, task in tasks().items() if not task.own} if wanted is None else {*wanted}
    return [name for name in names if name in kept]


def scored(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Of these tasks, in the order of the page: kind of items, main metric, and documents.

    Tasks with the same ``documents`` ask about the same texts.
    """
    wanted = {*names}
    return {
        name: {
            "kind": task.kind,
            "main": task.main,
            "documents": SAME_DOCUMENTS.get(task.kind, task.kind),
        }
        for name, task in tasks().items()
        if name in wanted
    }


def without_prompt(names: Iterable[str], prompts: Iterable[int]) -> list[str]:
    """A line for each prompt that one of these tasks does not have."""
    return [
        f"jlce.prompts: task '{name}' has no prompt {prompt}; write {path}, or leave out the "
        "prompt, or the task in jlce.tasks"
        for name in names
        for prompt in prompts
        if not (path := _file(name, prompt)).is_file()
    ]


def digests(names: Iterable[str], prompts: Iterable[int]) -> list[str]:
    """Digests of all files of tasks with these prompts; the first belongs to the others too."""
    files = dict.fromkeys(file for path in _asked(names, prompts) for file in _files(path))
    return [sha256(file)[:16] for file in files]


def functions(names: Iterable[str], prompts: Iterable[int]) -> list[Part]:
    """The functions that these tasks call, as parts: their code counts where they are asked."""
    named = (f for path in _asked(names, prompts) for f in _functions(_definition(path)))
    return [Part(name=name, title=name, code=_code(name)) for name in dict.fromkeys(named)]


def _asked(names: Iterable[str], prompts: Iterable[int]) -> list[Path]:
    return [_file(name, prompt) for name in names for prompt in sorted({1, *prompts})]


def _file(name: str, prompt: int = 1) -> Path:
    return PACK / f"{name}{'' if prompt == 1 else f'_{prompt}'}.yaml"
