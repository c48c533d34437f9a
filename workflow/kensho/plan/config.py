"""The configuration: the only source of config/config.yaml and its JSON schema.

``python -m kensho.plan.config`` writes both; a test fails when they drift. :func:`check` turns a
raw mapping into a :class:`Config` or into the list of all its problems.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, Field

from kensho.augment import catalogue as augment
from kensho.augment.catalogue import TECHNIQUES
from kensho.bench import catalogue as bench
from kensho.bench.catalogue import EXPERIMENTS
from kensho.data.corpora import Corpora
from kensho.data.licences import LicenceClass
from kensho.domain.settings import Domain
from kensho.jlce.catalogue import PUBLIC, tasks
from kensho.judging.settings import Address, Judging
from kensho.paths import Paths
from kensho.provenance.settings import Provenance
from kensho.report.markdown import in_japanese
from kensho.run.budget import Budget
from kensho.train.catalogue import METHODS, STAGES, choice
from kensho.validation import TAGS, Count, Name, Section, Seed, Share

if TYPE_CHECKING:  # the catalogues make these
    Augmentation: TypeAlias = Any
    Bench: TypeAlias = Any
    Stage: TypeAlias = Any
    Task: TypeAlias = str
    Public: TypeAlias = str
else:
    Augmentation, Bench, Stage = augment.Augmentation, bench.Bench, choice(STAGES, "stage")
    Task, Public = Literal[tuple(tasks())], Literal[tuple(PUBLIC)]


class Data(Section):
    source: Name = Field("tatoeba-japanese-english", description="entry of config/sources.yaml")
    pool: Count = Field(30_000, description="clean sentences drawn before near-duplicates go")
    train: Count = Field(15_000, description="training samples")
    test: Count = Field(500, description="held-out samples")
    min_characters: Count = 5
    max_characters: Count = Field(30, description="longer sentences are dropped (and counted)")
    near_duplicate: Share = Field(0.7, description="Jaccard similarity of character bigrams")


class Arm(Section):
    name: Name
    base: Name | None = Field(None, description="model of config/models.yaml; null for train.base")
    stages: list[Stage] = Field(min_length=1)


QKVO = ["q_proj", "k_proj", "v_proj", "o_proj"]
LORA = {"name": "lora", "rank": 8, "targets": QKVO}
LORA_STAGE = {"stage": "sft", "learning_rate": 2e-3, "method": LORA}


BILINGUAL = {**LORA_STAGE, "directions": "both"}
PREFERENCE = {"stage": "dpo", "learning_rate": 5e-4, "method": LORA}


def _arm(name: str, *stages: dict) -> Arm:
    return Arm.model_validate({"name": name, "stages": [*stages]})


class Train(Section):
    base: Name = Field("smollm2-135m-instruct", description="model that is adapted")
    arms: list[Arm] = Field(
        [
            _arm("lora-r8", LORA_STAGE),
            _arm("full", {"stage": "sft", "learning_rate": 2e-4, "method": {"name": "full"}}),
            _arm("lora-r8-augmented", {**LORA_STAGE, "corpus": "augmented"}),
        ],
        description="one training per arm and seed; the base model is an arm of its own",
        min_length=1,
    )
    recipes: list[Arm] = Field(
        [
            _arm("bilingual", BILINGUAL),
            _arm("bilingual-dpo", BILINGUAL, PREFERENCE),
            _arm("bilingual-dpo-translation", BILINGUAL, PREFERENCE, LORA_STAGE),
        ],
        description="arms of the target `stages`, which alone trains and evaluates them; arms that "
        "begin alike share what is trained",
    )
    seeds: list[Seed] = Field([1, 2, 3], description="replicates of each arm", min_length=1)
    steps: int = Field(
        10,
        ge=3,
        le=1_000_000,
        description="optimiser steps, equal for all arms; the speed leaves two out",
    )
    batch_size: Count = 8
    max_length: Count = Field(96, description="tokens per sample; longer samples are cut")
    checkpoint_every: Count = Field(5, description="steps between checkpoints for resuming")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor computes it, else float32"
    )
    validation: int = Field(
        16,
        ge=0,
        le=1_000_000,
        description="samples of the corpus that no arm learns; scored by sft, cpt and dpo, at the "
        "first step and at checkpoints",
    )
    trackers: list[Literal["wandb", "mlflow"]] = Field(
        [], description="that get the curves as well, beside TensorBoard files in logs/tensorboard"
    )

    @property
    def trained(self) -> list[Arm]:
        """Every arm that is trained."""
        return [*self.arms, *self.recipes]


class Evaluate(Section):
    references: list[Name] = Field(["gemma-3-270m"], description="models evaluated as they are")
    nll_items: Count = Field(48, description="held-out sentences scored for NLL per character")
    translation_items: Count = Field(10, description="held-out sentences translated (chrF)")
    max_new_tokens: Count = Field(32, description="limit of one translation")
    choice_tasks: list[Name] = Field(
        ["jcommonsenseqa", "jnli"], description="run when their source can be had"
    )
    choice_items: Count = 40
    batch_size: Count = 16


class Judge(Address):
    pairs: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] = Field(
        description="arms whose answers are compared, in both orders", min_length=1
    )


def _not_llama_cpp(engine: object) -> object:
    if engine in ("llama.cpp", "llama-cpp", "llama_cpp", "gguf"):
        raise ValueError(
            "llama.cpp runs no tasks here, as PyPI has no wheel of llama-cpp-python (the gguf arms "
            "of bench.inference run in a package of your own build); take transformers or vllm"
        )
    return engine


Engine = Annotated[Literal["auto", "transformers", "vllm"], BeforeValidator(_not_llama_cpp)]


class Jlce(Section):
    arms: Annotated[list[Name], Field(min_length=2)] | None = Field(
        None,
        description="models that are ranked; null for the base, the first of train.arms and the "
        "references",
    )
    seeds: Count = Field(1, description="trainings of an arm that are asked, of train.seeds")
    tasks: list[Task] = Field(list(get_args(Task)), min_length=1)
    ranked: list[Task] | None = Field(
        None, description="tasks that rank the models; null for those of the source's sixteen"
    )
    prompts: list[Annotated[int, Field(ge=1, le=3)]] = Field(
        [1], description="1 is ranked, others are shown beside it", min_length=1
    )
    items: Annotated[Count, Field(ge=2)] = Field(
        6, description="of each task, drawn from those at hand"
    )
    sources: list[Public] = Field(
        list(get_args(Public)),
        description="public items; where they are not at hand or not accepted (licences), our own",
    )
    batch_size: Count = Field(16, description="answers written at once")
    max_new_tokens: Count | None = Field(
        None, description="of an answer, thinking included; null for each task's own limit"
    )
    judge: Judge | None = Field(None, description="a model that compares the arms' open answers")


class Strategy(Section):
    model: Name | None = Field(None, description="of config/models.yaml; null for train.base")
    task: Literal["standard", "complex"] = Field(
        "standard", description="kind of task, which bounds the rank (F-7)"
    )


class Stats(Section):
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = Field(0.05, description="before correction")
    draws: Annotated[int, Field(ge=1500, le=100_000)] = Field(
        2500, description="per chain, 4 chains"
    )


class Pooled(Section):
    crates: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="of several sites, zips or folders, for the target `pooled`"
    )


class Audit(Section):
    tables: list[Annotated[str, Field(pattern=r"^[\w./-]+\.yaml$")]] = Field(
        ["config/audit/swallow.yaml"], description="what is held against what, a file per table"
    )


# Words that a job's shell reads as they stand.
Module = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.+/-]*$")]
Image = Annotated[str, Field(pattern=r"^[\w.:/@+-]+$")]
GpuModel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]

Factor = Annotated[float, Field(gt=0, le=100)]


class Cluster(Section):
    gpu_model: GpuModel | None = Field(None, description="as SLURM names it (mi300x); null for any")
    modules: list[Module] = Field(
        [], description="environment modules of every job, in this order (--sdm env-modules)"
    )
    container: Image | None = Field(
        None, description="image of every job, docker://...@sha256:... or a file (--sdm apptainer)"
    )
    memory: Factor = Field(1, description="memory of every job, times this")
    time: Factor = Field(1, description="time limit of every job, times this")
    longest: Count = Field(1440, description="minutes; no job asks for more than partitions give")
    network: Count = Field(100, description="megabytes per second of what is fetched")
    devices_per_node: Count = Field(8, description="accelerators of a node")
    nodes: Count = Field(
        1, description="nodes that one job may have where its weights fit on no fewer"
    )


class Config(Section):
    scale: Literal["embedded", "standard", "full"] = Field(
        "embedded", description="name of the scale, shown in the report"
    )
    seed: Seed = Field(20260311, description="one seed, split per job")
    accelerator: Literal["none", "cuda", "rocm"] = Field(
        "none", description="what the compute nodes have; experiments that need more are not tested"
    )
    accelerator_fallback: list[Literal["cuda", "none"]] = Field(
        [],
        description="what a job may use where its node lacks the accelerator, named and at a lower "
        "tier; empty: it fails",
    )
    engine: Engine = Field(
        "auto",
        description="what runs the models of evaluate, jlce and bench.vocabulary; auto: vLLM on an "
        "accelerator if `make vllm` was run, else transformers",
    )
    engine_fallback: list[Literal["transformers"]] = Field(
        [],
        description="what runs them where engine: vllm is not installed or cannot serve a model, "
        "named and at a lower tier; empty: it fails",
    )
    language: Literal["en", "ja"] = Field(
        "en", description="of pages; another one than English is written beside it (*.ja.html)"
    )
    licences: list[LicenceClass] = Field(
        ["permissive", "public-domain", "by", "by-sa", "gemma-terms"],
        description="licence classes that the run may use",
    )
    paths: Paths = Field(Paths(), description="places outside the repository")
    data: Data = Field(Data(), description="corpus, cleaning, splits")
    corpora: Corpora = Field(Corpora(), description="larger corpora, the target `corpora`")
    augmentation: Augmentation = Field(
        augment.Augmentation(), description="techniques and their strength"
    )
    train: Train = Field(Train(), description="adaptation")
    strategy: Strategy = Field(Strategy(), description="what suggests it, the target `strategy`")
    evaluate: Evaluate = Field(Evaluate(), description="lm-evaluation-harness")
    bench: Bench = Field(bench.Bench(), description="experiments")
    jlce: Jlce = Field(Jlce(), description="sixteen Japanese tasks, the target `jlce`")
    judging: Judging = Field(
        Judging(), description="translations and judges, the target `judging` (D)"
    )
    domain: Domain = Field(
        Domain(), description="models under one recipe, the target `domain_study` (C-2 to C-4)"
    )
    stats: Stats = Field(Stats(), description="verdicts")
    pooled: Pooled = Field(Pooled(), description="claims that several sites have judged")
    audit: Audit = Field(Audit(), description="published tables, for the target `audit`")
    budget: Budget = Field(Budget(), description="what a run may cost")
    cluster: Cluster = Field(Cluster(), description="what jobs ask of a cluster")
    provenance: Provenance = Field(
        Provenance(), description="who stands behind an export, and what it may hold"
    )


def as_yaml(section: BaseModel, depth: int = 0) -> str:
    """The section as YAML with each field's description as a comment above it."""
    lines, pad = [], "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if field.description:
            options = [o for o in get_args(field.annotation) if isinstance(o, str)]
            choice = f" ({' | '.join(options)})" if options else ""
            lines.append(f"{pad}# {field.description}{choice}")
        if isinstance(value, BaseModel):
            lines += [f"{pad}{name}:", as_yaml(value, depth + 1)]
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            lines.append(f"{pad}{name}:")
            lines += [f"{pad}  - {_flow(item.model_dump())}" for item in value]
        else:
            lines.append(f"{pad}{name}: {_flow(value)}")
    return "\n".join(lines) + ("\n" if depth == 0 else "")


def _flow(value) -> str:
    """A value on one line of YAML, the keys that say what it is first."""
    value = _tags_first(value)
    line = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=10**6)
    return line.strip()[1:-1]


def _tags_first(value):
    if isinstance(value, list):
        return [*map(_tags_first, value)]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: key not in TAGS)
    return {key: _tags_first(value[key]) for key in keys}


def as_tables() -> str:
    """The parts of every catalogue as a page of tables."""
    kinds = {
        "Techniques": {name: part.title for name, part in TECHNIQUES.items()},
        "Methods": {name: part.title for name, part in METHODS.items()},
        "Stages": {name: part.title for name, part in STAGES.items()},
        "Experiments": {name: part.title for name, part in EXPERIMENTS.items()},
        "JLCE tasks": {name: f"{t.title} ({t.group.lower()})" for name, t in tasks().items()},
    }
    lines = [
        *("# Parts", "", "[日本語](ja/parts.md)", ""),
        "Generated from the catalogues by `make config`; see [extending.md](extending.md).",
    ]
    for kind, parts in kinds.items():
        lines += ["", f"## {kind}", "", "| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {title} |" for name, title in parts.items()]
    return "\n".join(lines) + "\n"


def generated() -> dict[str, str]:
    """Texts of the generated files by path."""
    header = (
        "# yaml-language-server: $schema=schemas/config.schema.json\n"
        "# Generated from workflow/kensho/plan/config.py by `make config`; values may be edited.\n"
        "# A scale or your own settings are laid over it: snakemake --configfile FILE\n\n"
    )
    parts = as_tables()
    schema = json.dumps(Config.model_json_schema(), indent=1, ensure_ascii=False)
    return {
        "config/config.yaml": header + as_yaml(Config()),
        "config/schemas/config.schema.json": schema + "\n",
        "docs/parts.md": parts,
        "docs/ja/parts.md": in_japanese(parts),
    }


if __name__ == "__main__":
    for name, text in generated().items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        print("wrote", name)
