"""What experiments read: files by name, of their own settings and of what they depend on beside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kensho.augment.catalogue import TECHNIQUES
from kensho.bench import tokeniser_arms
from kensho.models import engine
from kensho.models.catalogue import Model, files


class Context(NamedTuple):
    """What arms and inputs depend on beside an experiment's own settings."""

    base: str  # model that is adapted, and taken where an experiment names none
    expanded: str  # model whose vocabulary is expanded
    models: Mapping[str, Model]
    accelerator: str
    kinds: Mapping[str, str]  # of each source
    accepted: frozenset[str]  # sources whose licence class is accepted
    refused: Mapping[str, str]  # sources that are not used, with the reason
    asked: Mapping[str, Sequence[str]] = {}  # models of techniques
    engine: Mapping[str, str] = {}  # where jobs find vLLM, if they are to look for it


STUDIED = "results/augmentation_study"  # and the name of a task, one of them
PAIRS = "pairs"  # of sentences
Inputs = Mapping[str, str | list[str]]


def record(name: str) -> str:
    return f"results/sources/{name}/record.json"


def used(names: Sequence[str], context: Context) -> list[str]:
    return [name for name in names if name not in context.refused]


def refused(key: str) -> Callable[[Any, Context], dict[str, str]]:
    """Why sources of a setting are left out."""
    return lambda own, context: {
        name: context.refused[name] for name in getattr(own, key) if name in context.refused
    }


def cards(own, context) -> Inputs:
    return {"cards": "resources/architectures.yaml"}


def model(*tables: str) -> Callable[[Any, Context], Inputs]:
    """The model of an experiment, and tables of the corpus."""
    return lambda own, context: {
        **files(own.model or context.base, context.models),
        **{name: f"results/data/{name}.csv" for name in tables},
    }


def regret(own, context) -> Inputs:
    return {**model("train", "test")(own, context), "tables": "config/strategy.yaml"}


def medical(own, context) -> Inputs:
    subjects = [record(name) for name in used(own.subjects, context)]
    return {**model()(own, context), "subjects": subjects}


def inference(own, context) -> Inputs:
    name = own.model or context.base
    packed = context.models[name].files.get("gguf") if name in context.models else None
    served = any(arm.startswith("vllm") for arm in own.arms)
    return {
        **model("test")(own, context),
        **({"gguf": record(packed)} if packed else {}),
        **({"engine": engine.FILE} if served else {}),
    }


def serving(own, context) -> Inputs:
    """The model of the server, one that drafts for it, and where vLLM is, if it is anywhere."""
    drafting = several({"draft": own.draft}, context) if own.draft else {}
    return {**model("test")(own, context), **drafting, "engine": engine.FILE}


def tokenizers(own, context) -> dict[str, str | list[str]]:
    named = used(own.tokenizers, context)
    models = [files(name, context.models) for name in named if name in context.models]
    return {
        "models": [one["model"] for one in models],
        "weights": [one["weights"] for one in models if "weights" in one],
        "records": [record(n) for n in named if n not in context.models and context.kinds[n]],
        "pairs": "results/data/test.csv",
    }


def published_tokenisers(own, context) -> Inputs:
    files = tokenizers(own, context)
    del files["pairs"]
    return {**files, "texts": [record(name) for name in used(own.texts, context)]}


def vocabularies(*tables: str) -> Callable[[Any, Context], Inputs]:
    """A model, the same with an expanded vocabulary, and tables of the corpus."""
    return lambda own, context: {
        **several({"base": context.expanded}, context),
        "expanded": "results/bench/vocabulary/expanded.json",
        "expanded_weights": "results/bench/vocabulary/expanded",
        **{name: f"results/data/{name}.csv" for name in tables},
    }


def several(names: Mapping[str, str], context: Context) -> dict[str, str]:
    """Files of models by arm."""
    read = {arm: files(name, context.models) for arm, name in names.items()}
    made = {f"{arm}_weights": one["weights"] for arm, one in read.items() if "weights" in one}
    return {arm: one["model"] for arm, one in read.items()} | made


def timed_vocabularies(own, context) -> Inputs:
    if own.published is None:
        return {**vocabularies("test")(own, context), **context.engine}
    named = own.published.model_dump(exclude_none=True)
    return {**several(named, context), **context.engine, "test": "results/data/test.csv"}


def variants(own, context, tried: Mapping[str, Sequence[str]]) -> Inputs:
    """What the techniques ``tried`` on each task make, their models, and the guard's threshold."""
    models = dict.fromkeys(n for name in own.techniques for n in context.asked.get(name, ()))
    calibrated = any(TECHNIQUES[name].guarded for name in own.techniques)
    return {
        "variants": [
            f"{STUDIED}/{task}/{technique}.csv" for task in tried for technique in tried[task]
        ],
        "asked": [files(name, context.models)["model"] for name in models],
        **({"guard": "results/data/guard.json"} if calibrated else {}),
    }


def augmentation_features(own, context) -> Inputs:
    tasks = used(own.tasks, context)
    return {
        "splits": [f"{STUDIED}/{task}/splits.csv" for task in tasks],
        **variants(own, context, {task: own.of_task(task) for task in tasks}),
        "counts": [f"{STUDIED}/{task}/items.json" for task in tasks],
    }


def augmentation_training(own, context) -> Inputs:
    splits = {"splits": f"{STUDIED}/{PAIRS}/splits.csv"}
    tables = ("test", "attested_pairs") if "pivot" in own.arms else ("test",)
    return {
        **model(*tables)(own, context),
        **splits,
        **variants(own, context, {PAIRS: own.techniques}),
    }


def tokenisers(*tables: str) -> Callable[[Any, Context], Inputs]:
    """Tokenisers of the settings' sizes and coverages, and tables of the corpus."""
    return lambda own, context: {
        **tokeniser_arms.files(own.vocabularies, own.coverages),
        **{name: f"results/data/{name}.csv" for name in tables},
    }


DIALOGUES = "real-persona-chat"


def dialogues(own, context) -> Inputs:
    """The model of a study, and dialogues where they may be used."""
    return {**model()(own, context), "dialogues": record(DIALOGUES)}


def without_dialogues(own, context) -> dict[str, str]:
    """Why there are none."""
    return {name: why for name, why in context.refused.items() if name == DIALOGUES}


SHABERI = {  # published marks, by arm
    arm: [f"shaberi-{name}-{arm}" for name in ("elyza", "tengu", "mt-bench", "rakuda")]
    for arm in ("before", "after", "general")
}


def shaberi(own, context) -> Inputs:
    return {arm: [record(name) for name in names] for arm, names in SHABERI.items()}


def without_shaberi(own, context) -> dict[str, str]:
    """Why one of the files is not used; the average is that of all."""
    named = [name for names in SHABERI.values() for name in names]
    return {name: context.refused[name] for name in named if name in context.refused}
