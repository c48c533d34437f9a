"""A raw configuration held against itself and the files beside it: all its problems at once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

from pydantic import ValidationError

from kensho.augment.catalogue import TECHNIQUES, Asking, Trip, models_of
from kensho.bench.catalogue import EXPERIMENTS
from kensho.bench.tokeniser_arms import SOURCES
from kensho.data.sources import Source
from kensho.domain import arms as domain
from kensho.jlce.catalogue import ranked
from kensho.models.catalogue import Model
from kensho.part import resolve
from kensho.plan import judging
from kensho.plan.config import Config
from kensho.plan.memory import adapter_sizes
from kensho.plan.work import batches, schedule, techniques
from kensho.train import targets
from kensho.train.catalogue import METHODS, STAGES
from kensho.train.plan import ADAPTABLE, PLANNABLE, sizes
from kensho.validation import problems, suggestion

# How many of the held-out sentences an experiment takes.
HELD_OUT = (
    *("evaluate.nll_items", "evaluate.translation_items"),
    *("bench.quick_mode.items", "bench.analysis_mode.items", "bench.vocabulary.scored"),
    *("bench.vocabulary_training.items", "bench.inference.items", "domain.items"),
)
PLANNED = ("strategy.model", "bench.regret.model")  # whose models' steps are planned


def evaluation_tasks() -> list[str]:
    """Choices that lm-evaluation-harness is asked beside what the corpus gives."""
    files = (Path(__file__).parents[1] / "evaluate/tasks").glob("*.yaml")
    return sorted(path.stem for path in files if not path.stem.startswith(("tatoeba", "judged")))


def check(
    raw: Mapping,
    sources: Mapping[str, Source],
    models: Mapping[str, Model],
    architectures: Mapping,
    where: str = "config",
) -> tuple[Config, list[str]]:
    """Validate a raw configuration.

    Returns the configuration, in which every faulty value is replaced by its default so that
    the rest can still be checked, and all problems, one line each. Only use the configuration if
    there are no problems.
    """
    faults: list[str] = []
    while True:
        try:
            config = Config.model_validate(raw)
            break
        except ValidationError as error:
            faults = faults or problems(error, where, Config)
            for item in error.errors():  # where a key is missing, its whole section goes
                fault = item["loc"][: -1 if item["type"] == "missing" else None]
                less = _without(raw, fault)
                raw = less if less != raw else _without(raw, fault[:1])
    return config, faults + list(_unknown_names(config, sources, models, architectures, where))


def _without(raw: Mapping, fault: Sequence) -> dict:
    """The raw mapping without the value at a location; a fault in a list takes the whole list."""
    if not fault:  # it is no mapping at all
        return {}
    first, *rest = fault
    if rest and isinstance(raw.get(first), Mapping):
        return {**raw, first: _without(raw[first], rest)}
    # the location of a key that is no text is its repr
    return {key: value for key, value in raw.items() if first not in (key, repr(key))}


def named_models(config: Config) -> list[tuple[str, str]]:
    """Models of the configuration, each with the key that names it."""
    named = [("train.base", config.train.base)]
    named += [(f"train.arms: '{arm.name}'", arm.base) for arm in config.train.trained if arm.base]
    named += [("evaluate.references", name) for name in config.evaluate.references]
    if config.strategy.model:
        named.append(("strategy.model", config.strategy.model))
    for section in type(config.bench).model_fields:
        if name := getattr(getattr(config.bench, section), "model", None):
            named.append((f"bench.{section}.model", name))
    for technique in techniques(config):
        for name in models_of(getattr(config.augmentation, technique)):
            named.append((f"augmentation.{technique}.models", name))
    for key in domain.ROLES:
        if name := getattr(config.domain, key):
            named.append((f"domain.{key}", name))
    named += [("domain.crossed", name) for name in config.domain.crossed]
    if config.bench.serving.draft:
        named.append(("bench.serving.draft", config.bench.serving.draft))
    pair = config.bench.vocabulary.published
    sides = pair.model_dump(exclude_none=True) if pair else {}
    return named + [(f"bench.vocabulary.published.{side}", name) for side, name in sides.items()]


def _unfit_models(
    config: Config, models: Mapping[str, Model], sources: Mapping, cards: Mapping, where: str
) -> Iterator[str]:
    """Models that are not listed or not accepted, and arms that do not go with theirs."""
    for key, name in named_models(config):
        if name not in models:
            if key.startswith("augmentation."):  # see _unfit_techniques
                continue
            yield (
                f"{where}: {key}: no model '{name}' in config/models.yaml, "
                f"{suggestion(name, models)}"
            )
            continue
        model = models[name]
        packed = [sources[file].licence_class for file in model.files.values() if file in sources]
        for held in packed or [model.licence_class]:
            if held not in (None, *config.licences):
                yield (
                    f"{where}: {key}: '{name}' is under licence class {held}; add it to licences "
                    "if you accept it"
                )
        card = cards.get(model.card or "")
        if key in PLANNED and card and card.model_type not in ADAPTABLE:
            yield (
                f"{where}: {key}: '{name}' is of type {card.model_type}; take one of type "
                f"{', '.join(ADAPTABLE)}"
            )
    for arm in config.train.trained:
        base = arm.base or config.train.base
        if base not in (config.train.base, *config.evaluate.references):
            yield (
                f"{where}: train.arms: '{arm.name}': nothing says what its base was before; add "
                f"{base} to evaluate.references"
            )
        card = cards.get((models[base].card if base in models else None) or "")
        for stage in arm.stages:
            if (own := getattr(stage, "method", None)) is None:
                continue
            method, modules = resolve(METHODS[own.name].code), getattr(own, "targets", None)
            try:
                if card and modules:
                    targets.check(card.model_type, modules)
            except ValueError as error:
                yield f"{where}: train.arms: '{arm.name}': {error}; name some of these"
                continue
            try:
                if card:
                    targets.check_layers(card.model_type, method)
                if card and modules and card.model_type in ADAPTABLE:
                    adapter_sizes(method, own.model_dump(), sizes(card).matrices)
            except ValueError as error:
                yield f"{where}: train.arms: '{arm.name}': {error}"


def _unfit_stages(config: Config, where: str) -> Iterator[str]:
    """Stages without their data (samples, a mixture, adapters to merge) or room for answers."""
    for arm in config.train.trained:
        key, adapted = f"{where}: train.arms: '{arm.name}'", False
        for stage in arm.stages:
            mixture = getattr(stage, "mixture", None)
            samples = 0 if mixture else getattr(stage, "samples", None) or 0
            if samples > config.data.train:
                yield (
                    f"{key}: {samples} samples, but data.train is {config.data.train}; raise that "
                    "or lower samples"
                )
            if mixture and mixture not in config.corpora.make:
                yield f"{key}: mixture '{mixture}' is not made; add it to corpora.make"
            if (group := getattr(stage, "group", None)) is not None:
                batch, accumulation = batches(config, stage)
                if rest := batch * accumulation % group:
                    yield (
                        f"{key}: grpo: groups of {group} leave {rest} of a step of "
                        f"{batch * accumulation} answers; change group or batch_size"
                    )
                _, length = schedule(config, stage)
                if stage.new_tokens >= length:
                    yield (
                        f"{key}: grpo: {stage.new_tokens} new_tokens leave no prompt in a "
                        f"max_length of {length}; lower new_tokens"
                    )
            if arm in config.train.arms and getattr(stage, "steps", None):
                yield (
                    f"{key}: {stage.stage}: steps are those of all arms, which are compared; set "
                    "train.steps, or move the arm to train.recipes"
                )
            method, begins = getattr(stage, "method", None), STAGES[stage.stage].begins
            if begins == "adapters" and not adapted:
                yield f"{key}: {stage.stage}: nothing before it has adapters; leave it out"
            if begins == "whole" and adapted:
                yield f"{key}: {stage.stage}: what is before it has adapters; add merge between"
            adapted = method is not None and not resolve(METHODS[method.name].code).whole


def _unfit_techniques(config: Config, models: Mapping[str, Model], where: str) -> Iterator[str]:
    """Techniques whose models are not listed, too few or many, or lack a language of their leg."""
    for technique in TECHNIQUES:
        own, key = getattr(config.augmentation, technique), f"{where}: augmentation.{technique}"
        chosen = technique in techniques(config)
        for name in {*models_of(own)} - {*models}:
            yield (
                f"{key}.models: no model '{name}' in config/models.yaml, {suggestion(name, models)}"
            )
        if isinstance(own, Trip):
            languages = ["ja", *own.via, "ja"]
            if any(one == other for one, other in pairwise(languages)):
                yield f"{key}.via: a leg from a language to itself; name each once"
            elif chosen:
                yield from _unfit_legs(own.models, list(pairwise(languages)), models, key)
        elif chosen and isinstance(own, Asking) and len(own.models) != 1:
            yield f"{key}.models: {len(own.models)} models; name one"


def _unfit_legs(
    named: Sequence[str], legs: Sequence[tuple[str, str]], models: Mapping[str, Model], key: str
) -> Iterator[str]:
    if len(named) not in (1, len(legs)):
        through = "-".join([source for source, _ in legs])
        yield (
            f"{key}.models: {len(named)} models for {through}-ja; name one that knows these "
            f"languages, or {len(legs)}, one for each leg"
        )
        return
    for leg, name in zip(legs, [*named] * len(legs) if len(named) == 1 else named, strict=True):
        known = models[name].languages if name in models else leg
        if lacking := [language for language in leg if language not in known]:
            yield (
                f"{key}.models: '{name}' is not known to write {' and '.join(lacking)}; name "
                "another for that leg, or add it to its languages in config/models.yaml"
            )


def _unknown_names(
    config: Config, sources: Mapping, models: Mapping, architectures: Mapping, where: str
):
    """Problems that only show beside other files and between sections."""
    yield from _unfit_models(config, models, sources, architectures, where)
    yield from _unfit_techniques(config, models, where)
    named = [("data.source", config.data.source, "dataset")]
    named += [("evaluate.choice_tasks", name, "dataset") for name in config.evaluate.choice_tasks]
    named += [("jlce.sources", name, "dataset") for name in config.jlce.sources]
    if medical := getattr(config.bench, "medical", None):
        named += [("bench.medical.subjects", name, "dataset") for name in medical.subjects]
    for key, name, kind in named:
        of_kind = [known for known, source in sources.items() if source.kind == kind]
        if name not in of_kind:
            known = suggestion(name, of_kind)
            yield f"{where}: {key}: no {kind} '{name}' in config/sources.yaml, {known}"
        elif sources[name].licence_class not in config.licences and not sources[name].optional:
            yield (
                f"{where}: {key}: '{name}' is under licence class {sources[name].licence_class}; "
                "add it to licences if you accept it"
            )
    cards_named = [
        ("training_memory.adapted", config.bench.training_memory.adapted, ADAPTABLE),
        ("training_memory.full", config.bench.training_memory.full, PLANNABLE),
        ("memory_search.card", config.bench.memory_search.card, PLANNABLE),
        *(
            ("training_memory.ladder", name, ADAPTABLE)
            for name in config.bench.training_memory.ladder
        ),
        *(("gemm.models", name, ADAPTABLE) for name in config.bench.gemm.models),
    ]
    for key, name, types in cards_named:
        if name not in architectures:
            yield (
                f"{where}: bench.{key}: no architecture '{name}' in "
                f"resources/architectures.yaml, {suggestion(name, architectures)}"
            )
        elif architectures[name].model_type not in types:
            yield (
                f"{where}: bench.{key}: '{name}' is of type {architectures[name].model_type}; "
                f"take one of type {', '.join(types)}"
            )
    chain = ["rocm", "cuda", "none"]
    allowed = chain[chain.index(config.accelerator) + 1 :]
    if config.accelerator_fallback != [n for n in allowed if n in config.accelerator_fallback]:
        yield (
            f"{where}: accelerator_fallback: after {config.accelerator} may come, in this order: "
            f"{', '.join(allowed) or 'nothing'}"
        )
    for key in HELD_OUT:
        if key.startswith("bench.") and key.split(".")[1] not in EXPERIMENTS:
            continue
        if (items := attrgetter(key)(config)) > (held := config.data.test):
            yield f"{where}: {key}: {items} of only {held} (data.test); lower it, or raise that"
    of_kind = [name for name, known in sources.items() if known.kind in ("tokenizer", "model")]
    published = config.bench.published_tokenisers
    known_names = {
        "token_counts.tokenizers": (config.bench.token_counts.tokenizers, of_kind),
        # and models that are fetched in any case
        "published_tokenisers.tokenizers": (
            published.tokenizers,
            [*of_kind, *(name for _, name in named_models(config))],
        ),
        "published_tokenisers.texts": (published.texts, SOURCES),
    }
    for key, (names, choices) in known_names.items():
        what = "text" if choices is SOURCES else "tokenizer or model"
        for name in names:
            if name not in choices:
                yield (
                    f"{where}: bench.{key}: no {what} '{name}' in config/sources.yaml, "
                    f"{suggestion(name, choices)}"
                )
    counts = Counter(arm.name for arm in config.train.trained)
    for name, times in counts.items():
        if times > 1 or name in ("base", *config.evaluate.references):
            yield f"{where}: train.arms: the name '{name}' is used twice; rename one arm"
    evaluated = ["base", *counts, *config.evaluate.references]
    judged = config.jlce.judge.pairs if config.jlce.judge else []
    arm_names = [("arms", name) for name in config.jlce.arms or []]
    arm_names += [("judge.pairs", name) for pair in judged for name in pair]
    for key, name in arm_names:
        if name not in evaluated:
            yield f"{where}: jlce.{key}: no arm '{name}', {suggestion(name, evaluated)}"
    own = config.judging
    writers = [("before", own.before), *(("anchors", name) for name in own.anchors or [])]
    writers += [("after", own.after)] if own.after else []
    for key, name in writers:
        if name not in evaluated:
            yield f"{where}: judging.{key}: no arm '{name}', {suggestion(name, evaluated)}"
    if len({(one.url, one.model) for one in own.judges}) < len(own.judges):
        yield f"{where}: judging.judges: two are one model of one place; leave one"
    written = Counter(judging.writers(config) if own.after or config.train.arms else [])
    reported = {*counts} & {"base", *config.evaluate.references}
    for name in [n for n, count in written.items() if count > 1 and n not in reported][:1]:
        first = "" if own.after else " (after: null is the first of train.arms)"
        yield (
            f"{where}: judging: '{name}' stands twice in before, after and anchors{first}; "
            "leave one"
        )
    judges = [one.name for one in own.judges]
    if len(set(judges)) < len(judges):
        yield f"{where}: judging.judges: two have one name; rename one"
    if any(one == other for one, other in judged):
        yield f"{where}: jlce.judge.pairs: an arm against itself; name two arms"
    if len({"-".join(pair) for pair in judged}) < len(judged):
        yield f"{where}: jlce.judge.pairs: two pairs have one name; rename one of their arms"
    for name in config.evaluate.choice_tasks:
        if name in sources and name not in (choices := evaluation_tasks()):
            yield f"{where}: evaluate.choice_tasks: no task '{name}', {suggestion(name, choices)}"
    if 1 not in config.jlce.prompts:
        yield f"{where}: jlce.prompts: without 1, the prompt that is ranked; add it"
    for name in set(config.jlce.ranked or []) - set(config.jlce.tasks):
        yield f"{where}: jlce.ranked: '{name}' is not asked; add it to jlce.tasks, or leave it out"
    if not ranked(config.jlce.tasks, config.jlce.ranked):
        yield f"{where}: jlce.ranked: no task ranks the models; add one"
    if config.jlce.seeds > (there := len(config.train.seeds)):
        yield (
            f"{where}: jlce.seeds: {config.jlce.seeds} of only {there} (train.seeds); lower it, or "
            "add some there"
        )
    yield from _unfit_stages(config, where)
    if config.data.train + config.data.test > config.data.pool:
        yield f"{where}: data.pool: smaller than data.train + data.test; raise it"
    taught = config.bench.tokenisation.sentences + config.bench.tokenisation.dictionary
    if taught >= config.data.train:
        yield (
            f"{where}: bench.tokenisation: sentences + dictionary leave none of data.train to be "
            "timed; lower them"
        )
    if config.data.min_characters > config.data.max_characters:
        yield f"{where}: data.min_characters: above data.max_characters; lower it"
    if config.augmentation.target < config.data.train:
        yield f"{where}: augmentation.target: smaller than data.train, its originals; raise it"
