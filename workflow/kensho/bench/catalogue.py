"""The experiments, and what is prepared for them: one entry here and one module each.

The code of an experiment is called with its inputs, its settings as attributes and a
:class:`kensho.bench.run.Run`; it returns observation tables with their conditions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import GenericAlias
from typing import Any, Literal

from pydantic import Field, create_model

from kensho.bench import inputs, memory_arms, settings, study_arms
from kensho.bench.inputs import Context, Inputs
from kensho.bench.kv_arms import CACHED
from kensho.part import Catalogue, Needs, NoSettings, Part
from kensho.train.plan import TARGETS
from kensho.validation import Section

Names = Callable[[Any, Context], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Job(Part):
    """A part that runs by itself. ``reads`` are the keys of its settings (None: all of them)."""

    inputs: Callable[[Any, Context], Inputs] = lambda own, context: {}
    reads: tuple[str, ...] | None = None
    seeded: bool = True


@dataclass(frozen=True, kw_only=True)
class Experiment(Job):
    """An experiment: its ``arms``, of which one file each is written; none where it cannot run.

    ``judged_on``: accelerator without which no claim is tested on it; ``target``: what runs it
    where it is no part of the main job; ``absent``: what to do where it has no arms; ``left_out``:
    sources of its settings that are not used, with the reason.
    """

    arms: Names
    judged_on: str | None = None
    target: str = "benchmark"
    absent: str = ""
    left_out: Callable[[Any, Context], Mapping[str, str]] = lambda own, context: {}


@dataclass(frozen=True, kw_only=True)
class Preparation(Job):
    """What an experiment needs made first, with the settings ``of`` that experiment.

    ``outputs`` by name; ``folders`` are those that are no file.
    """

    of: str
    outputs: Mapping[str, str]
    folders: tuple[str, ...] = ()


def _always(*arms: str) -> Names:
    return lambda own, context: arms


PREPARATIONS = Catalogue(
    "preparation",
    (
        Preparation(
            name="segmentation_model",
            title="R-7: a pointwise segmenter learnt from UniDic's words, in KyTea's format",
            code="kensho.bench.tokenisation:prepared",
            of="tokenisation",
            reads=("sentences", "dictionary", "cost", "line_characters"),
            needs=Needs(environment="tokenisation", memory_mb=2000),
            inputs=lambda own, context: {
                "train": "results/data/train.csv",
                "test": "results/data/test.csv",
                "dictionary": inputs.record("unidic-lite"),
                "gold": [
                    inputs.record(name) for name in ["ud-japanese-gsd"] if name in context.accepted
                ],
            },
            outputs={
                name: f"results/bench/tokenisation/{file}"
                for name, file in (
                    *(("model", "model.bin"), ("text", "text.txt"), ("record", "record.json")),
                )
            },
        ),
        Preparation(
            name="expand_vocabulary",
            title="R-2: the base model with Japanese tokens learnt on the training text",
            code="kensho.bench.vocabulary:prepared",
            of="vocabulary",
            reads=("pieces",),
            seeded=False,
            inputs=inputs.model("train"),
            outputs={
                "weights": "results/bench/vocabulary/expanded",
                "model": "results/bench/vocabulary/expanded.json",
            },
            folders=("weights",),
        ),
    ),
)

_TIMED = Needs(cores="all", accelerator=True, minutes=60)
_LARGE = replace(_TIMED, memory_mb=8000)


def _study(
    name: str, title: str, code: str, own: type[Section], named: Iterable[str], **other: Any
) -> Experiment:
    """A study of training: it trains by itself, each arm and seed for equal samples."""
    return Experiment(
        name=name,
        title=title,
        code=f"kensho.bench.{code}",
        settings=own,
        needs=_LARGE,
        target="training_studies",
        **{"inputs": inputs.model("train", "test"), "arms": _always(*named), **other},
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


EXPERIMENTS = Catalogue(
    "experiment",
    (
        Experiment(
            name="kv_cache",
            title="R-1: bytes of the key-value cache, allocated, by formula, and in transformers",
            code="kensho.bench.kv_cache:experiment",
            settings=settings.KVCache,
            seeded=False,
            needs=Needs(memory_mb=8000),
            inputs=inputs.cards,
            arms=_always("mla", "mha", "mha-v2", "gqa-8", "mqa", *CACHED, "transformers-mla"),
        ),
        Experiment(
            name="lora_parameters",
            title="R-5: trainable parameters of the named architectures, on the meta device",
            code="kensho.bench.lora_parameters:experiment",
            settings=settings.LoraParameters,
            seeded=False,
            inputs=inputs.cards,
            arms=lambda own, context: [
                "full",
                *(f"lora-r{r}-{part}" for r in own.ranks for part in TARGETS),
            ],
        ),
        Experiment(
            name="quick_mode",
            title="R-8: an evaluation stage in its plain and its quick form, interleaved",
            code="kensho.bench.quick_mode:experiment",
            settings=settings.QuickMode,
            needs=_TIMED,
            inputs=inputs.model("train", "test"),
            arms=_always("plain", "quick"),
        ),
        Experiment(
            name="analysis_mode",
            title="R-8: scoring held-out sentences in plain form and in analysis mode, interleaved",
            code="kensho.bench.analysis_mode:experiment",
            settings=settings.AnalysisMode,
            needs=_TIMED,
            inputs=inputs.model("test"),
            arms=_always("plain", "analysis"),
        ),
        Experiment(
            name="attention",
            title="R-1: one decoding step of a layer of R1's dimensions, by form of attention",
            code="kensho.bench.attention:experiment",
            settings=settings.Attention,
            needs=replace(_LARGE, minutes=30),
            inputs=inputs.cards,
            arms=_always("mla-latent", "mla-expanded", "mha", "gqa-8", "mqa"),
        ),
        Experiment(
            name="training_memory",
            title="R-5, F-10: memory of training steps, planned, traced and measured",
            code="kensho.bench.training_memory:experiment",
            settings=settings.TrainingMemory,
            needs=_LARGE,
            inputs=inputs.cards,
            arms=lambda own, context: [
                *own.arms,
                *(f"largest-{arm}" for arm in own.largest),
                *memory_arms.PLANNED,
                "source-shares",
            ],
        ),
        Experiment(
            name="tokenisation",
            title="R-7: characters per second of segmenters, one thread, interleaved",
            code="kensho.bench.tokenisation:experiment",
            settings=settings.Tokenisation,
            reads=("blocks", "seconds"),
            # it uses one core, and wants the others idle
            needs=Needs(cores="all", environment="tokenisation", minutes=30),
            inputs=lambda own, context: {
                **PREPARATIONS["segmentation_model"].outputs,
                "dictionary": inputs.record("sudachidict-core"),
            },
            arms=_always(
                *("vaporetto", "vaporetto-words", "kytea", "kytea-words", "mecab"),
                *("mecab-features", "fugashi", "fugashi-features", "sudachipy-a", "sudachipy-b"),
                *("sudachipy-c", "budoux", "ginza", "janome", "nagisa", "text"),
            ),
        ),
        Experiment(
            name="rocm_variables",
            title="F-11: which of the named ROCm variables the installed libraries know",
            code="kensho.bench.rocm_variables:experiment",
            settings=settings.RocmVariables,
            seeded=False,
            needs=Needs(memory_mb=2000),
            inputs=lambda own, context: {"variables": "resources/rocm_variables.yaml"},
            arms=lambda own, context: ["stack"] if context.accelerator == "rocm" else [],
            judged_on="rocm",
        ),
        Experiment(
            name="mixture_flops",
            title="R-3: operations per token of the mixture and of dense models, counted",
            code="kensho.bench.mixture_flops:experiment",
            seeded=False,
            inputs=inputs.cards,
            arms=_always("mixture", "dense-total", "dense-active"),
        ),
        Experiment(
            name="mixture_speed",
            title="R-3: tokens per second and memory of a mixture and of dense models, interleaved",
            code="kensho.bench.mixture_speed:experiment",
            settings=settings.MixtureSpeed,
            needs=_LARGE,
            inputs=lambda own, context: {
                **inputs.cards(own, context),
                **(inputs.files(own.model, context.models) if own.model else {}),
            },
            arms=_always("mixture", "dense-total", "dense-active"),
        ),
        Experiment(
            name="gemm",
            title="R-4: matrix products with each library and TunableOp setting, interleaved",
            code="kensho.bench.gemm:experiment",
            settings=settings.Gemm,
            needs=_LARGE,
            inputs=lambda own, context: {
                "cards": "resources/architectures.yaml",
                "hardware": "resources/hardware.yaml",
            },
            # on CUDA a reference for the harness, which no claim reads
            arms=lambda own, context: {
                "rocm": ["rocblas", "hipblaslt", "rocblas-tuned", "hipblaslt-tuned"],
                "cuda": ["cublas", "cublaslt"],
            }.get(context.accelerator, []),
            judged_on="rocm",
        ),
        Experiment(
            name="device",
            title="F-9: the accelerator's memory, matrix cores, and copies within and between",
            code="kensho.bench.device:experiment",
            settings=settings.Device,
            seeded=False,
            needs=Needs(accelerator=True),
            inputs=lambda own, context: {"hardware": "resources/hardware.yaml"},
            # on CUDA a reference for the harness, which no claim reads
            arms=lambda own, context: [] if context.accelerator == "none" else ["device", "copies"],
            judged_on="rocm",
        ),
        Experiment(
            name="specifications",
            title="F-9, F-13: parameters, context and caches, as configuration and data sheet say",
            code="kensho.bench.specifications:experiment",
            seeded=False,
            inputs=lambda own, context: {
                **inputs.cards(own, context),
                "hardware": "resources/hardware.yaml",
            },
            arms=_always("deepseek-r1", "mi300x"),
        ),
        Experiment(
            name="medical",
            title="R-6: medical questions asked of a base, of it in NF4, and of adapters over that",
            code="kensho.bench.medical:experiment",
            settings=settings.Medical,
            files=("evaluate/tasks/jmmlu.yaml",),
            needs=_LARGE,
            inputs=inputs.medical,
            arms=lambda own, context: (
                ["base", "base-nf4", "qlora"] if inputs.used(own.subjects, context) else []
            ),
            absent="needs questions of JMMLU's medical subjects (bench.medical.subjects): fetch "
            "them with `snakemake --profile local sources`, or set paths.mirror to a folder that "
            "holds them",
            left_out=inputs.refused("subjects"),
        ),
        Experiment(
            name="augmentation_features",
            title="F-4: gains of augmentation for a classifier on frozen sentence features",
            code="kensho.bench.augmentation_features:experiment",
            settings=settings.AugmentationFeatures,
            reads=("sizes", "seeds", "added"),
            needs=Needs(environment="data", minutes=30),
            inputs=inputs.augmentation_features,
            arms=lambda own, context: (
                ["none", "repeat", *own.techniques, "combined", "more-data"]
                if inputs.used(own.tasks, context)
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
            settings=settings.AugmentationTraining,
            needs=_LARGE,
            inputs=inputs.augmentation_training,
            arms=lambda own, context: own.arms,
            target="augmentation_study",
        ),
        _study(
            "training_scale",
            "C-1: held-out likelihood by the number of samples",
            "training_scale:experiment",
            settings.TrainingScale,
            study_arms.DOSES,
        ),
        _study(
            "ranks",
            "F-7: held-out likelihood of translations by the rank of LoRA",
            "ranks:standard",
            settings.Ranks,
            study_arms.RANKS,
        ),
        _study(
            "ranks_dialogue",
            "F-7: held-out likelihood of turns of dialogues by the rank",
            "ranks:dialogue",
            settings.RanksDialogue,
            study_arms.RANKS,
            **_dialogues(study_arms.RANKS),
        ),
        _study(
            "adapters",
            "R-5: four configurations of LoRA, full fine-tuning, and their files",
            "adapters:configurations",
            settings.Adapters,
            study_arms.CONFIGURATIONS,
        ),
        _study(
            "rates",
            "R-5: held-out likelihood by learning rate and alpha of LoRA",
            "adapters:rates",
            settings.Rates,
            study_arms.RATES,
        ),
        _study(
            "replay",
            "forgetting of English while Japanese is learnt, by the share replayed",
            "replay:experiment",
            settings.Replay,
            study_arms.REPLAY,
        ),
        _study(
            "continual",
            "two tasks in turn: one adapter, a merged base, or fresh adapters",
            "continual:experiment",
            settings.Continual,
            study_arms.CONTINUAL,
        ),
        _study(
            "persona",
            "turns of a person under an adapter of one's own or another's",
            "persona:experiment",
            settings.Persona,
            study_arms.PERSONA,
            **_dialogues(study_arms.PERSONA),
        ),
        Experiment(
            name="quantised_bytes",
            title="F-1, F-2, C-4.size: bytes of the weights in storage formats",
            code="kensho.bench.quantised_bytes:experiment",
            seeded=False,
            needs=Needs(cores="all", memory_mb=8000),
            inputs=lambda own, context: {
                **inputs.cards(own, context),
                "files": [inputs.record(name) for name in inputs.used(["gemma-3-270m"], context)],
            },
            arms=_always("fp32", "bf16", "int8", "fp8", "nf4", "nf4-double", "q8_0", "q4_k_m"),
        ),
        Experiment(
            name="token_counts",
            title="F-3: tokens of parallel Japanese and English sentences, by tokenizer",
            code="kensho.bench.token_counts:experiment",
            settings=settings.TokenCounts,
            reads=(),
            seeded=False,
            inputs=inputs.tokenizers,
            arms=lambda own, context: inputs.used(own.tokenizers, context),
            left_out=inputs.refused("tokenizers"),
        ),
        Experiment(
            name="vocabulary",
            title="R-2: Japanese characters per second with base and expanded vocabulary",
            code="kensho.bench.vocabulary:experiment",
            settings=settings.Vocabulary,
            reads=("blocks", "new_tokens", "scored"),
            needs=_TIMED,
            inputs=inputs.timed_vocabularies,
            arms=lambda own, context: [
                *("base", "expanded"),
                *(["second-base"] if own.published and own.published.second_base else []),
            ],
        ),
        Experiment(
            name="vocabulary_training",
            title="F-8, R-2: likelihood with either vocabulary before and after equal training",
            code="kensho.bench.vocabulary_training:experiment",
            settings=settings.VocabularyTraining,
            seeded=False,  # its seeds are settings
            needs=_LARGE,
            inputs=inputs.vocabularies("train", "test"),
            arms=_always("base", "expanded"),
        ),
        Experiment(
            name="inference",
            title="I-1 to I-4: speed, memory and loss of ways to serve one model, interleaved",
            code="kensho.bench.inference:experiment",
            settings=settings.Inference,
            needs=_TIMED,
            inputs=inputs.inference,
            arms=lambda own, context: own.arms,
        ),
    ),
    reserved=(
        "main",
        "adaptation",
        "augmentation",
        "evaluation",
        "jlce",
        "jlce_preference",
        "training",
    ),
)

_MAIN = Field(
    ["kv_cache", "lora_parameters"],
    description="part of the main job; the target `benchmark` runs every experiment",
)
_FIELDS: dict[str, Any] = {
    "main": (GenericAlias(list, Literal[tuple(EXPERIMENTS)]), _MAIN),
    **{
        name: (part.settings, Field(part.settings(), description=part.title))
        for name, part in EXPERIMENTS.items()
        if part.settings is not NoSettings
    },
}
Bench = create_model("Bench", __base__=Section, **_FIELDS)
