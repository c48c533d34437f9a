"""Settings of the experiments: the section `bench` of the configuration."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kensho.bench.memory_arms import ACCELERATED, DEFAULT, MEASURED, WAYS
from kensho.bench.tokeniser_arms import SOURCES
from kensho.validation import (
    Bytes,
    Count,
    LearningRate,
    Name,
    Rank,
    Seconds,
    Section,
    Seed,
    Steps,
)

Precision = Literal["float32", "float16", "bfloat16"]
Counts = Annotated[list[Count], Field(min_length=1)]
Coverages = Annotated[list[Annotated[float, Field(ge=0.98, le=1)]], Field(min_length=1)]
Blocks = Annotated[int, Field(ge=1, le=1000)]  # of fewer than 10 no time is judged


class KVCache(Section):
    lengths: Counts = [512, 1024, 2048, 4096, 8192]
    batches: Counts = [1, 2, 4, 8]
    dtypes: Annotated[list[Literal["float16", "bfloat16"]], Field(min_length=1)] = [
        "float16",
        "bfloat16",
    ]
    measured_lengths: Counts = Field([64, 128], description="run through transformers")
    time_limit_s: Seconds | None = Field(
        None, description="what is not measured by then comes from the closed form (tier analytic)"
    )


class LoraParameters(Section):
    ranks: Annotated[list[Rank], Field(min_length=1)] = [4, 8, 16, 32, 64]


class QuickMode(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    blocks: Blocks = Field(10, description="pairs of fresh processes (R-8)")
    items: Count = Field(2, description="multiple-choice items scored by each process")
    shots: Count = Field(4, description="worked examples in the shared prompt")


class AnalysisMode(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    blocks: Blocks = Field(10, description="pairs of fresh processes (R-8)")
    items: Count = Field(8, description="held-out sentences scored by each process")


class Cell(Section):
    batch: Count
    length: Count


if TYPE_CHECKING:
    MemoryArm = str
    Way = str
else:
    MemoryArm = Literal[*MEASURED]
    Way = Literal[WAYS]


class TrainingMemory(Section):
    adapted: str = Field("smollm2-135m", description="architecture card that gets adapters")
    full: str = Field("smollm2-135m", description="architecture card that is fully tuned")
    ladder: list[str] = Field(
        [], description="smaller cards, for all arms in turn where one runs out of memory"
    )
    arms: list[MemoryArm] = Field(
        DEFAULT,
        description="add the bf16 arms where bfloat16 is fast",
        min_length=1,
    )
    cells: list[Cell] = Field(
        [Cell(batch=1, length=128)], description="samples and tokens of each", min_length=1
    )
    blocks: Blocks = Field(2, description="fresh processes per arm and cell")


class MemorySearch(Section):
    card: str = Field("smollm2-135m", description="architecture card, fully tuned in float32")
    layers: Count = Field(
        12, description="of it, where batch and context are searched; where layers are, the start"
    )
    length: Count = Field(32, description="tokens of a sample; contexts are multiples of it")
    arms: list[Way] = Field(
        [way for way in WAYS if way not in ACCELERATED],
        description="ways to save memory; with an accelerator add offload, and fp8 where it "
        "computes that",
        min_length=1,
    )
    limit_bytes: Bytes = Field(
        1_600_000_000, description="that a trial gets; it is refused more, and ends"
    )


class Attention(Section):
    dtype: Precision = Field("float32", description="precision of the judged cell (R-1.speed)")
    lengths: Counts = Field([512], description="cells shown beside it")
    batches: Counts = [1, 4]
    dtypes: Annotated[list[Precision], Field(min_length=1)] = ["float32"]
    blocks: Blocks = Field(10, description="of the judged cell")
    blocks_beside: Count = Field(1, description="of the other cells")
    repetitions: Count = Field(3, description="steps timed in each process and cell, at most")


class MixtureSpeed(Section):
    model: Name | None = Field(
        None,
        description="a published mixture beside dense models of its dimensions; null for random "
        "weights of the size that follows",
    )
    hidden_size: Annotated[int, Field(ge=512, le=16_384, multiple_of=512)] = Field(
        512, description="of the mixture, a multiple of 512; 4096 in the original (R-3.speed)"
    )
    layers: Count = Field(4, description="32 in the original")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor computes it, else float32"
    )
    prompt: Count = Field(128, description="tokens read at once")
    new_tokens: Count = Field(12, description="tokens decoded one by one, batch 1")
    blocks: Blocks = Field(10, description="fresh processes of each arm")


class Gemm(Section):
    squares: Counts = [1024, 2048, 4096]
    models: list[str] = Field(
        ["llama-3-8b", "llama-2-70b"],
        description="cards whose projections are timed (R-4)",
        min_length=1,
    )
    rows: Count = Field(2048, description="tokens in a projection")
    dtypes: list[Literal["float16", "bfloat16", "float8"]] = Field(
        ["float16", "bfloat16", "float8"], min_length=1
    )
    blocks: Blocks = Field(10, description="fresh processes of each arm")
    min_seconds: Seconds = Field(
        0.1, description="timed for each shape and precision in each process"
    )


class Device(Section):
    copied_bytes: Bytes = Field(4 * 2**30, description="of each tensor that is copied (F-9)")
    blocks: Blocks = Field(10, description="fresh processes")


class Medical(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    subjects: list[Name] = Field(
        [
            "jmmlu-anatomy",
            "jmmlu-clinical-knowledge",
            "jmmlu-college-medicine",
            "jmmlu-human-aging",
            "jmmlu-medical-genetics",
            "jmmlu-nutrition",
            "jmmlu-professional-medicine",
            "jmmlu-virology",
        ],
        description="sources of questions (R-6); those that are not at hand are left out",
        min_length=1,
    )
    items: Count = Field(40, description="questions asked; the training has others")
    max_characters: Count = Field(50, description="longer questions (with choices) are left out")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        [1, 2, 3], description="replicates: adapter, samples and their order"
    )
    rank: Rank = 8
    learning_rate: LearningRate = 2e-3
    steps: Steps = Field(3, description="optimiser steps")
    batch_size: Count = 4
    max_length: Count = Field(256, description="tokens per sample; longer samples are cut")
    evaluated_at_once: Count = 8


class Tokenisation(Section):
    sentences: Count = Field(6000, description="training samples that teach the model (R-7)")
    dictionary: Count = Field(6000, description="further ones whose words are its dictionary")
    cost: Annotated[float, Field(gt=0, le=1_000_000)] = Field(1.0, description="liblinear's C")
    line_characters: Count = Field(160, description="the rest and the held-out samples, in lines")
    blocks: Blocks = Field(10, description="fresh processes of each program")
    seconds: Seconds = Field(0.1, description="least time of a measurement")


class Tokenisers(Section):
    vocabularies: Counts = Field(
        [8000, 16000, 32000, 64000], description="pieces; what the corpus does not carry is named"
    )
    coverages: Coverages = Field([0.9995, 1.0], description="share of characters that are pieces")
    sentences: Count = Field(60_000, description="clean sentences that tokenisers learn of (F-5)")
    items: Count = Field(200, description="held-out sentences that are encoded")
    passes: Count = Field(5, description="timed passes over them")


class TokeniserModels(Section):
    vocabularies: Counts = Field([8000], description="pieces of the tokenisers (F-5)")
    coverages: Coverages = Field([0.9995], description="share of characters that are pieces")
    layers: Count = 2
    width: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = 128
    characters: Count = Field(150_000, description="that every model reads once")
    learning_rate: LearningRate = 3e-3
    batch_size: Count = 32
    items: Count = Field(100, description="held-out sentences scored for bits per character")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        [1, 2, 3, 4, 5], description="replicates: weights and sentences"
    )


class RocmVariables(Section):
    root: str = Field(
        "/opt/rocm", description="where ROCm is installed (F-11), from /", pattern="^/"
    )


TOKENIZERS = [
    "tokenizer-deepseek-v3",
    "tokenizer-qwen2.5",
    "tokenizer-cl100k",
    "smollm2-135m-instruct",
    "gemma-3-270m",
    "tokenizer-llm-jp-v2.1",
    "tokenizer-llm-jp-v2.2",
    "tokenizer-llm-jp-v3.0",
    "tokenizer-llm-jp-v3.1",
    "tokenizer-rinna",
    "tokenizer-llama-2",
    "tokenizer-llama-3",
]


class TokenCounts(Section):
    tokenizers: list[Name] = Field(
        TOKENIZERS,
        description="tokenizers and models of config/sources.yaml (F-3); those whose licence class "
        "is not accepted are left out",
        min_length=1,
    )


class PublishedTokenisers(Section):
    tokenizers: list[Name] = Field(
        TOKENIZERS,
        description="tokenizers of config/sources.yaml, and models (B 1.2); sources whose licence "
        "class is not accepted are left out",
        min_length=1,
    )
    texts: list[Name] = Field(
        SOURCES, description="of config/sources.yaml; left out likewise", min_length=1
    )
    documents: Annotated[int, Field(ge=2, le=100_000)] = Field(250, description="of each text")
    passes: Annotated[int, Field(ge=2, le=1000)] = Field(5, description="timed passes over a text")


class Published(Section):
    expanded: Name
    base: Name
    second_base: Name | None = None


class Vocabulary(Section):
    model: Name | None = Field(None, description="that is expanded; null for train.base")
    pieces: Count = Field(4_000, description="Japanese tokens added (R-2; Swallow adds 11,176)")
    published: Published | None = Field(
        None,
        description="a pair that others made, timed instead: expanded, base and second_base",
    )
    blocks: Blocks = Field(10, description="pairs of fresh processes")
    new_tokens: Count = Field(24, description="greedy decoding steps timed in each process")
    scored: Count = Field(16, description="held-out sentences scored as one text")


class VocabularyTraining(Section):
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(
        [1, 2, 3], description="replicates: samples and their order (F-8)"
    )
    items: Count = Field(48, description="held-out sentences scored before and after")
    translated: Count = Field(24, description="held-out sentences translated after training (F-8)")
    max_new_tokens: Count = Field(64, description="at most, of a translation")
    steps: Steps = Field(16, description="optimiser steps, equal for base and expanded model")
    batch_size: Count = 8
    max_length: Count = Field(256, description="tokens per row; a longer sentence is several")
    learning_rate: LearningRate = 2e-4


InferenceArm = Literal[
    "fp32",
    "bf16",
    "int8",
    "nf4",
    "fp32-lookup",
    "fp32-prefix",
    "gguf-f16",
    "gguf-q8_0",
    "gguf-q4_k_m",
    "vllm-fp32",
    "vllm-bf16",
]


class Inference(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    arms: list[InferenceArm] = Field(
        ["fp32", "fp32-lookup", "fp32-prefix", "int8", "nf4"],
        description="add bf16 where the processor computes it, the gguf arms with "
        "llama-cpp-python, the vllm arms with vLLM (`make vllm`)",
        min_length=1,
    )
    beside: list[Cell] = Field(
        [], description="concurrent requests and long prompts, shown beside one of 128 tokens"
    )
    new_tokens: Annotated[Count, Field(ge=8)] = Field(8, description="of each answer, greedy")
    items: Count = Field(20, description="held-out sentences scored in each format (I-4)")
    blocks: Blocks = Field(10, description="fresh processes of each arm")
    blocks_beside: Count = Field(
        1, description="of the cells beside, and of nf4, whose speed no claim reads"
    )
