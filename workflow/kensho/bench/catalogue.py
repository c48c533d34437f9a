"""The experiments, and what is prepared for them: one entry here and one module each.

Studies stand in ``bench/studies.py``. The code of an experiment is called with its inputs, its
settings as attributes and a :class:`kensho.bench.run.Run`; it returns observation tables with their
conditions.
"""

from dataclasses import replace
from types import GenericAlias
from typing import Any, Literal

from pydantic import Field, create_model

from kensho.bench import inputs, memory_arms, settings
from kensho.bench.experiment import LARGE, TIMED, Experiment, Preparation, always
from kensho.bench.kv_arms import CACHED
from kensho.bench.studies import STUDIES
from kensho.part import Catalogue, Needs, NoSettings
from kensho.train.plan import TARGETS
from kensho.validation import Section

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
            arms=always("mla", "mha", "mha-v2", "gqa-8", "mqa", *CACHED, "transformers-mla"),
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
            needs=TIMED,
            inputs=inputs.model("train", "test"),
            arms=always("plain", "quick"),
        ),
        Experiment(
            name="analysis_mode",
            title="R-8: scoring held-out sentences in plain form and in analysis mode, interleaved",
            code="kensho.bench.analysis_mode:experiment",
            settings=settings.AnalysisMode,
            needs=TIMED,
            inputs=inputs.model("test"),
            arms=always("plain", "analysis"),
        ),
        Experiment(
            name="attention",
            title="R-1: one decoding step of a layer of R1's dimensions, by form of attention",
            code="kensho.bench.attention:experiment",
            settings=settings.Attention,
            needs=replace(LARGE, minutes=30),
            inputs=inputs.cards,
            arms=always("mla-latent", "mla-expanded", "mha", "gqa-8", "mqa"),
        ),
        Experiment(
            name="training_memory",
            title="R-5, F-10: memory of training steps, planned, traced and measured",
            code="kensho.bench.training_memory:experiment",
            settings=settings.TrainingMemory,
            needs=LARGE,
            inputs=inputs.cards,
            arms=lambda own, context: [
                *own.arms,
                *memory_arms.PLANNED,
                "source-shares",
            ],
        ),
        Experiment(
            name="memory_search",
            title="B 3.1, F-10: largest batch, context and model under a limit, by way to save",
            code="kensho.bench.memory_search:experiment",
            settings=settings.MemorySearch,
            needs=LARGE,
            inputs=inputs.cards,
            arms=lambda own, context: own.arms,
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
            arms=always(
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
            arms=always("mixture", "dense-total", "dense-active"),
        ),
        Experiment(
            name="mixture_speed",
            title="R-3: tokens per second and memory of a mixture and of dense models, interleaved",
            code="kensho.bench.mixture_speed:experiment",
            settings=settings.MixtureSpeed,
            needs=LARGE,
            inputs=lambda own, context: {
                **inputs.cards(own, context),
                **(inputs.files(own.model, context.models) if own.model else {}),
            },
            arms=always("mixture", "dense-total", "dense-active"),
        ),
        Experiment(
            name="gemm",
            title="R-4: matrix products with each library and TunableOp setting, interleaved",
            code="kensho.bench.gemm:experiment",
            settings=settings.Gemm,
            needs=LARGE,
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
            arms=always("deepseek-r1", "mi300x"),
        ),
        Experiment(
            name="medical",
            title="R-6: medical questions asked of a base, of it in NF4, and of adapters over that",
            code="kensho.bench.medical:experiment",
            settings=settings.Medical,
            files=("evaluate/tasks/jmmlu.yaml",),
            needs=LARGE,
            inputs=inputs.medical,
            arms=lambda own, context: (
                ["base", "base-nf4", "qlora"] if inputs.used(own.subjects, context) else []
            ),
            absent="needs questions of JMMLU's medical subjects (bench.medical.subjects): fetch "
            "them with `snakemake --profile local sources`, or set paths.mirror to a folder that "
            "holds them",
            left_out=inputs.refused("subjects"),
        ),
        *STUDIES,
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
            arms=always("fp32", "bf16", "int8", "fp8", "nf4", "nf4-double", "q8_0", "q4_k_m"),
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
            name="shaberi_published",
            title="D-5: marks of D's models on Shaberi's four sets, as they were published",
            code="kensho.bench.shaberi_published:experiment",
            seeded=False,
            needs=Needs(memory_mb=2000),
            inputs=inputs.shaberi,
            arms=lambda own, context: (
                [] if inputs.without_shaberi(own, context) else list(inputs.SHABERI)
            ),
            absent="needs Shaberi's marks as they were published: fetch them with `snakemake "
            "--profile local sources`, or set paths.mirror to a folder that holds them",
            left_out=inputs.without_shaberi,
        ),
        Experiment(
            name="vocabulary",
            title="R-2: Japanese characters per second with base and expanded vocabulary",
            code="kensho.bench.vocabulary:experiment",
            settings=settings.Vocabulary,
            reads=("blocks", "new_tokens", "scored"),
            needs=TIMED,
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
            needs=LARGE,
            inputs=inputs.vocabularies("train", "test"),
            arms=always("base", "expanded"),
        ),
        Experiment(
            name="inference",
            title="I-1 to I-4: speed, memory and loss of ways to serve one model, interleaved",
            code="kensho.bench.inference:experiment",
            settings=settings.Inference,
            needs=TIMED,
            inputs=inputs.inference,
            arms=lambda own, context: own.arms,
        ),
    ),
    reserved=(
        "main",
        "adaptation",
        "augmentation",
        "domain_answers",
        "domain_scores",
        "evaluation",
        "jlce",
        "jlce_preference",
        "marks",
        "training",
        "translation",
        "translation_preference",
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
