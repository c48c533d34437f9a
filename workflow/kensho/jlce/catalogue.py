"""The JLCE tasks: each is a file of tasks/jlce, whose ``metadata`` says what it is.

Read without lm-evaluation-harness, so that the head of a run knows the tasks in a moment. The files
`<task>_2.yaml` and `<task>_3.yaml` hold further prompts of a task.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml

from kensho.files import sha256
from kensho.validation import Count, Section, validated

PACK = Path(__file__).parent / "tasks" / "jlce"
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
}


class Judged(Section):
    """What a judge of open answers is told of a task; ``document`` takes the item's fields."""

    instruction: str
    document: str
    criterion: str


class Task(Section):
    """A task: its place on the page, the kind of its items, and the metric that stands for it."""

    version: float
    kind: str
    main: str
    group: Group
    place: Count
    title: str
    judged: Judged | None = None


class _Loader(yaml.SafeLoader):
    """YAML in which a function of the harness is its name."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


@cache
def tasks() -> Mapping[str, Task]:
    """Tasks by name in the order of the page. Raises ValueError naming a file and its key."""
    by_name = {}
    for path in sorted(PACK.glob("*.yaml")):
        if path.stem[-2:] not in ("_2", "_3"):  # further prompts
            definition = _definition(path)
            metadata = {**definition["metadata"], **definition["dataset_kwargs"]}
            by_name[path.stem] = validated(Task, metadata, f"{path}: metadata")
    return dict(
        sorted(by_name.items(), key=lambda task: (GROUPS.index(task[1].group), task[1].place))
    )


def _definition(path: Path) -> dict:
    """A task's file, laid over the one that it includes."""
    own = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    included = own.get("include")
    return {**_definition(path.with_name(included)), **own} if included else own


@cache
def scorer(name: str) -> str:
    """The function, `module:name`, that scores an item of a task."""
    return ":".join(_definition(PACK / f"{name}.yaml")["process_results"].rsplit(".", 1))


def kinds() -> list[str]:
    """Kinds of items that the tasks ask, each once."""
    return list(dict.fromkeys(task.kind for task in tasks().values()))


def digests(prompts: Mapping[str, list[int]]) -> list[str]:
    """Digests of the files of tasks with these prompts; the first belongs to the others too."""
    return [
        sha256(PACK / f"{name}{'' if prompt == 1 else f'_{prompt}'}.yaml")[:16]
        for name, numbers in prompts.items()
        for prompt in sorted({1, *numbers})
    ]
