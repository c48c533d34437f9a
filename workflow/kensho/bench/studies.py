"""Studies: experiments that train or augment by themselves, run by targets of their own."""

from collections.abc import Iterable
from typing import Any

from kensho.bench import inputs, settings, study_arms, study_settings
from kensho.bench.experiment import LARGE, Experiment, always
from kensho.bench.tokeniser_arms import ARMS
from kensho.part import Needs
from kensho.validation import Section


def _study(
    name: str, title: str, code: str, own: type[Section], named: Iterable[str], **other: Any
) -> Experiment:
    """A study of training: it trains by itself, each arm and seed for equal samples."""
    return Experiment(
        name=name,
        title=title,
        code=f"kensho.bench.{code}",
        settings=own,
        needs=LARGE,
        target="training_studies",
        **{"inputs": inputs.model("train", "test"), "arms": always(*named), **other},
    )


def _dialogues(arms: Iterable[str]) -> dict[str, Any]:
    """What a study on dialogues adds: it has no arms without them."""
    return {
        "inputs": inputs.dialogues,
        "arms": lambda own, context: arms if inputs.used([inputs.DIALOGUES], context) else [],
        "absent": "needs the dialogues of real-persona-chat: set paths.mirror to a folder that "
        "holds them",
        "left_out": inputs.without_dialogues,
    }


STUDIES = (
    Experiment(
        name="augmentation_features",
        title="F-4: gains of augmentation for a classifier on frozen sentence features",
        code="kensho.bench.augmentation_features:experiment",
        settings=study_settings.AugmentationFeatures,
        reads=("sizes", "seeds", "added", "techniques"),
        needs=Needs(environment="data", minutes=30),
        inputs=inputs.augmentation_features,
        arms=lambda own, context: (
            ["none", "repeat", *own.tried(tasks), "combined", "more-data"]
            if (tasks := inputs.used(own.tasks, context))
            else []
        ),
        target="augmentation_study",
        absent="needs labelled items (bench.augmentation_features.tasks): fetch them with "
        "`snakemake --profile local sources`, or set paths.mirror to a folder that holds them",
        left_out=inputs.refused("tasks"),
    ),
    Experiment(
        name="augmentation_training",
        title="F-4: gains of augmentation for a language model that learns from few pairs",
        code="kensho.bench.augmentation_training:experiment",
        settings=study_settings.AugmentationTraining,
        needs=LARGE,
        inputs=inputs.augmentation_training,
        arms=lambda own, context: own.arms,
        target="augmentation_study",
    ),
    _study(
        "training_scale",
        "C-1: held-out likelihood by the number of samples",
        "training_scale:experiment",
        study_settings.TrainingScale,
        study_arms.DOSES,
    ),
    _study(
        "ranks",
        "F-7: held-out likelihood of translations by the rank of LoRA",
        "ranks:standard",
        study_settings.Ranks,
        study_arms.RANKS,
    ),
    _study(
        "ranks_dialogue",
        "F-7: held-out likelihood of turns of dialogues by the rank",
        "ranks:dialogue",
        study_settings.RanksDialogue,
        study_arms.RANKS,
        **_dialogues(study_arms.RANKS),
    ),
    _study(
        "adapters",
        "R-5: four configurations of LoRA, full fine-tuning, and their files",
        "adapters:configurations",
        study_settings.Adapters,
        study_arms.CONFIGURATIONS,
    ),
    _study(
        "rates",
        "R-5: held-out likelihood by learning rate and alpha of LoRA",
        "adapters:rates",
        study_settings.Rates,
        study_arms.RATES,
    ),
    _study(
        "replay",
        "forgetting of English while Japanese is learnt, by the share replayed",
        "replay:experiment",
        study_settings.Replay,
        study_arms.REPLAY,
    ),
    _study(
        "continual",
        "two tasks in turn: one adapter, a merged base, fresh adapters, or OSF",
        "continual:experiment",
        study_settings.Continual,
        study_arms.CONTINUAL,
    ),
    _study(
        "regret",
        "the strategy's choice against the best of a grid, and its memory against its plan",
        "regret:experiment",
        study_settings.Regret,
        study_arms.REGRET,
        inputs=inputs.regret,
    ),
    _study(
        "persona",
        "turns of a person under an adapter of one's own or another's",
        "persona:experiment",
        study_settings.Persona,
        study_arms.PERSONA,
        **_dialogues(study_arms.PERSONA),
    ),
    Experiment(
        name="tokenisers",
        title="F-5: tokens, their scripts and time, by algorithm, MeCab, size and coverage",
        code="kensho.bench.tokenisers:experiment",
        settings=settings.Tokenisers,
        reads=("items", "passes"),
        needs=Needs(cores="all"),
        inputs=inputs.tokenisers("test"),
        arms=always(*ARMS),
        target="tokenisers_study",
    ),
    Experiment(
        name="published_tokenisers",
        title="B 1.2, F-3: published tokenisers on encyclopaedic, news and technical text",
        code="kensho.bench.published_tokenisers:experiment",
        settings=settings.PublishedTokenisers,
        reads=("documents", "passes"),
        needs=Needs(cores="all", minutes=30),  # it uses one core, and wants the others idle
        inputs=inputs.published_tokenisers,
        arms=lambda own, context: (
            inputs.used(own.tokenizers, context) if inputs.used(own.texts, context) else []
        ),
        target="tokenisers_study",
        absent="needs a text of bench.published_tokenisers.texts: fetch them with `snakemake "
        "--profile local sources`, or set paths.mirror to a folder that holds them",
        left_out=lambda own, context: (
            inputs.refused("tokenizers")(own, context) | inputs.refused("texts")(own, context)
        ),
    ),
    Experiment(
        name="tokeniser_models",
        title="F-5: bits per character of small models, by algorithm and MeCab",
        code="kensho.bench.tokeniser_models:experiment",
        settings=settings.TokeniserModels,
        needs=LARGE,
        inputs=inputs.tokenisers("train", "test"),
        arms=always(*ARMS),
        target="tokenisers_study",
    ),
    Experiment(
        name="serving",
        title="B 3.2: latency, throughput and answers behind vLLM's server, by way to serve",
        code="kensho.bench.serving:experiment",
        settings=study_settings.Serving,
        needs=LARGE,
        inputs=inputs.serving,
        arms=lambda own, context: own.arms,
        target="serving_study",
    ),
)
