# Configuration, claims and sources are validated here, before the DAG; all problems at once.
import json
import os
import re
import sys
from pathlib import Path
from typing import get_args

from snakemake.deployment.env_modules import EnvModules
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

LIBRARY = Path(workflow.basedir) / "workflow"
# Scripts find the library, stay off the network and keep their output to what matters.
os.environ.update(PYTHONPATH=os.pathsep.join([str(LIBRARY), os.environ.get("PYTHONPATH", "")]))
for variable, value in {
    "PYTHONUTF8": "1",  # whatever the locale
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
    "THP_MEM_ALLOC_ENABLE": "1",  # torch: 2 MB pages, fewer page faults
}.items():
    os.environ.setdefault(variable, value)
# With environment modules Snakemake runs scripts with the `python` of PATH's first folder, if any.
BESIDE = str(Path(sys.executable).parent)
os.environ.update(PATH=os.pathsep.join([BESIDE, os.environ.get("PATH", "")]))
# What conda environments do not name themselves comes in the lock's versions too.
os.environ.setdefault("PIP_CONSTRAINT", str(LIBRARY.parent / "requirements.lock"))

from kensho import budget, config as settings, external, paths, running, slurm
from kensho.bench.settings import CACHED, Experiment
from kensho.bench import memory_arms
from kensho.claims import registry
from kensho.data import sources as source_registry
from kensho.digest import code_digest
from kensho.files import sha256
from kensho.models import cards, rocm
from kensho.validation import misread
from scripts import job as jobs

SOURCES, CLAIMS, CARDS, VARIABLES, problems = {}, [], {}, {}, []
try:
    CLAIMS = registry.load(Path("config/claims"))
except ValueError as error:
    problems += str(error).splitlines()
try:
    CARDS = cards.load(Path("resources/architectures.yaml"))
except ValueError as error:
    problems += str(error).splitlines()
try:
    VARIABLES = rocm.load(Path("resources/rocm_variables.yaml"))
except ValueError as error:
    problems += str(error).splitlines()
SOURCES, found = source_registry.load("config/sources.yaml")
CONFIG, faults = settings.check(config, SOURCES, CARDS)
problems += found + faults
problems += [line for path in workflow.configfiles for line in misread(Path(path))]
CACHE, MIRROR = paths.folders(CONFIG.paths)
# What libraries compile and cache lies beside, for the home may be closed to jobs; an image sees
# for certain, and a run can write for certain, this folder alone.
COMPILED = CACHE / "libraries"
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method or not (
    paths.writable(CACHE)
):
    COMPILED = Path(".snakemake/libraries")
if workflow.is_main_process:  # jobs inherit it
    os.environ.update(paths.of_libraries(COMPILED))
if workflow.is_main_process:  # jobs on a cluster are not told of --retries; they inherit this
    os.environ.update(KENSHO_RETRIES=str(getattr(workflow.execution_settings, "retries", 0)))
if DeploymentMethod.ENV_MODULES in workflow.deployment_settings.deployment_method:
    os.environ.update(KENSHO_MODULES=" ".join(CONFIG.cluster.modules))  # each job asks for them
if CONFIG.accelerator == "none":  # jobs inherit it: none uses what the configuration denies
    os.environ.update(CUDA_VISIBLE_DEVICES="")
if CONFIG.accelerator == "rocm":  # jobs inherit them; what the user has set stays
    for variable, value in rocm.recommended(VARIABLES).items():
        os.environ.setdefault(variable, value)

ACCEPTED_SOURCES = [
    name for name, source in SOURCES.items() if source.licence_class in CONFIG.licences
]
CHOICE_TASKS = [name for name in CONFIG.evaluate.choice_tasks if name in ACCEPTED_SOURCES]
MODELS = [CONFIG.train.base, *CONFIG.evaluate.references]
NEEDED = [CONFIG.data.source, *MODELS]  # sources without which nothing runs
ARMS = {arm.name: arm for arm in CONFIG.train.arms}
EVALUATED = ["base", *ARMS, *CONFIG.evaluate.references]
RANKED = CONFIG.jlce.arms or ["base", *list(ARMS)[:1], *CONFIG.evaluate.references]
JUDGE = CONFIG.jlce.judge
PREFERENCES = {"-".join(pair): pair for pair in JUDGE.pairs} if JUDGE else {}
EVALUATION_TASKS = [
    LIBRARY / f"kensho/jlce/tasks/{name}.yaml"
    for name in ["tatoeba_nll", "tatoeba_en_ja", *CHOICE_TASKS]
]
JLCE_TASKS = [  # the other prompts of a task include the first
    LIBRARY / f"kensho/jlce/tasks/jlce/{task}{end}.yaml"
    for task in CONFIG.jlce.tasks
    for end in ["", *(f"_{prompt}" for prompt in CONFIG.jlce.prompts if prompt > 1)]
]
TECHNIQUES = ["synonyms", "bunsetsu", "politeness"]
GPU = {}  # what a job that uses the accelerator asks of a cluster
if CONFIG.accelerator != "none":
    GPU = {"gpu": 1} | {k: v for k, v in {"gpu_model": CONFIG.cluster.gpu_model}.items() if v}
TOKENIZERS = [n for n in CONFIG.bench.token_counts.tokenizers if n in ACCEPTED_SOURCES]


def at_hand(name):
    """Whether an optional source can be had without the network: fetched before, or mirrored."""
    mirrored = [place.mirror for place in SOURCES[name].places if place.mirror and MIRROR]
    held = [CACHE / SOURCES[name].sha256, *(MIRROR / path for path in mirrored)]
    return any(path.is_file() for path in held)


SUBJECTS = [n for n in CONFIG.bench.medical.subjects if n in ACCEPTED_SOURCES and at_hand(n)]
LORA = CONFIG.bench.lora_parameters
PRODUCED = {
    "kv_cache": ["mla", "mha", "mha-v2", "gqa-8", "mqa", *CACHED, "transformers-mla"],
    "lora_parameters": ["full"]
    + [f"lora-r{rank}-{part}" for rank in LORA.ranks for part in ("qv", "qkvo", "all-linear")],
    "quick_mode": ["plain", "quick"],
    "analysis_mode": ["plain", "analysis"],
    "attention": ["mla-latent", "mla-expanded", "mha", "gqa-8", "mqa"],
    "training_memory": CONFIG.bench.training_memory.arms
    + [f"largest-{arm}" for arm in CONFIG.bench.training_memory.largest]
    + [*memory_arms.PLANNED, "source-shares"],
    "tokenisation": [
        *["vaporetto", "vaporetto-words", "kytea", "kytea-words", "mecab", "mecab-features"],
        *["fugashi", "fugashi-features", "sudachipy-a", "sudachipy-b", "sudachipy-c"],
        *["budoux", "ginza", "janome", "nagisa", "text"],
    ],
    "rocm_variables": ["stack"],
    "mixture_flops": ["mixture", "dense-total", "dense-active"],
    "mixture_speed": ["mixture", "dense-total", "dense-active"],
    "gemm": {  # on CUDA a reference for the harness, which no claim reads
        "rocm": ["rocblas", "hipblaslt", "rocblas-tuned", "hipblaslt-tuned"],
        "cuda": ["cublas", "cublaslt"],
        "none": [],
    }[CONFIG.accelerator],
    "medical": ["base", "base-nf4", "qlora"] if SUBJECTS else [],
    "quantised_bytes": ["fp32", "bf16", "int8", "fp8", "nf4", "nf4-double", "q8_0", "q4_k_m"],
    "token_counts": TOKENIZERS,
    "vocabulary": ["base", "expanded"],
    "vocabulary_training": ["base", "expanded"],
    "inference": CONFIG.bench.inference.arms,
    "augmentation": ["original", "augmented"],
    "adaptation": EVALUATED,
    "evaluation": EVALUATED,
    "jlce": RANKED,
    "jlce_preference": list(PREFERENCES),
}
# Accelerator without which no claim is tested on an experiment.
NEEDS = {"rocm_variables": "rocm", "gemm": "rocm"}
# Experiments whose sources are not at hand, and what to do about it.
UNSOURCED = {
    "medical": "needs questions of JMMLU's medical subjects (bench.medical.subjects): fetch them "
    "with `snakemake --profile local sources`, or set paths.mirror to a folder that holds them"
}
EXTERNAL = external.experiments(CLAIMS)
BRINGING = [claim.id for claim in CLAIMS if claim.test and claim.test.external]
problems += external.problems(CLAIMS, PRODUCED)
PRODUCED |= {name: brought.arms for name, brought in EXTERNAL.items()}

LEDGER = []
if workflow.is_main_process:
    try:
        LEDGER = budget.read(jobs.LEDGER)
    except ValueError as error:
        problems.append(str(error))
    problems += external.missing(EXTERNAL, Path("results/benchmark_data"))
    if "own" in sys.argv and CLAIMS and not BRINGING:
        problems.append("own: no claim brings tables (test.external), see docs/own-results.md")
    missing = [n for n in NEEDED if not Path(f"results/sources/{n}/record.json").exists()]
    # preflight lists them beside everything else that it finds; the others go without
    light = ["preflight", "own", "verify", *(f"results/analysis/{name}.json" for name in BRINGING)]
    if not {*light} & {*sys.argv}:
        problems += source_registry.all_unreachable(
            {name: SOURCES[name] for name in missing if name in SOURCES}, cache=CACHE, mirror=MIRROR
        )
if problems:
    raise WorkflowError("\n".join([f"{len(problems)} problem(s), nothing was run:", *problems]))


def code(script, environment):
    """Digest of a script, the library code it reaches and its environment's pins: a rerun trigger.

    Computed for the jobs that there are, not for every rule of every process.
    """
    pins = LIBRARY.parent / f"envs/{environment}.yaml"
    return lambda wildcards: code_digest(LIBRARY / "scripts" / script, pins)


MEMORY = []  # MB that rules ask for at their first attempt


def memory(megabytes):
    """Memory of a job at this scale; a retry asks for as much again."""
    first = max(1, round(megabytes * CONFIG.cluster.memory))
    MEMORY.append(first)
    return lambda wildcards, attempt: first * attempt


def minutes(amount):
    """Time of a job at this scale; a retry asks for as much again, up to what partitions give."""
    first = max(1, round(amount * CONFIG.cluster.time))
    return lambda wildcards, attempt: min(first * attempt, CONFIG.cluster.longest)


def retries_left(wildcards, attempt):
    """How often a job that runs out of memory is tried again, with more of it."""
    return max(0, int(os.environ.get("KENSHO_RETRIES", 0)) + 1 - attempt)


def digest_of(path):
    """Digest of a file that is not Python, as a rerun trigger."""
    return sha256(path)[:16]


def seeds(arm):
    """Replicates of an evaluated arm; a model that is not trained has the one replicate 0."""
    return CONFIG.train.seeds if arm in ARMS else [0]


def jlce_seeds(arm):
    """Replicates of an arm that are asked."""
    return CONFIG.train.seeds[: CONFIG.jlce.seeds] if arm in ARMS else [0]


def untestable(claim):
    """Why a claim cannot be tested with this configuration, or None."""
    if claim.test is None:
        return claim.not_tested
    accelerator = NEEDS.get(claim.test.experiment, CONFIG.accelerator)
    if accelerator != CONFIG.accelerator:
        return f"needs accelerator: {accelerator}; the configuration says {CONFIG.accelerator}"
    if claim.test.experiment not in PRODUCED:
        return f"no experiment '{claim.test.experiment}' in this version"
    produced = PRODUCED[claim.test.experiment]
    if not produced and claim.test.experiment in UNSOURCED:
        return UNSOURCED[claim.test.experiment]
    absent = [arm for arm in claim.test.arms if arm not in produced]
    return f"the configuration has no arm {', '.join(absent)}" if absent else None


TESTED = {claim.id: claim for claim in CLAIMS if untestable(claim) is None}
LEFT_OUT = {*get_args(Experiment), "jlce", "jlce_preference"} - set(
    CONFIG.bench.main
)  # of the main job
JUDGED = {  # claims of each summary
    "statistical": [i for i, c in TESTED.items() if c.test.experiment not in LEFT_OUT],
    "benchmark": list(TESTED),
    "own": [i for i in TESTED if i in BRINGING],
}
SHOWN = {"own": BRINGING}  # claims of a summary that does not show all
SUMMARIES = {  # of each report
    "validation": "results/statistical_summary.json",
    "benchmark": "results/benchmark_summary.json",
    "own": "results/own_summary.json",
}
STATISTICAL = [i for i, claim in TESTED.items() if claim.test.stochastic]
DETERMINISTIC = [i for i in TESTED if i not in STATISTICAL]


def not_judged(wildcards):
    """Why each of the other claims has no verdict in a summary."""
    left = "left to the target `benchmark`, which runs this experiment (bench.main)"
    spent = budget.reason(PLAN["stage"], CONFIG.budget.limit_usd)
    shown = SHOWN.get(wildcards.summary, [claim.id for claim in CLAIMS])
    others = [c for c in CLAIMS if c.id in shown and c.id not in JUDGED[wildcards.summary]]
    return {
        claim.id: untestable(claim) or (spent if claim.id in PLAN["left_out"] else left)
        for claim in others
    }


def experiment_arms(experiment):
    """Arms of an experiment that tested claims read, sorted."""
    claims = [claim for claim in TESTED.values() if claim.test.experiment == experiment]
    return sorted({arm for claim in claims for arm in claim.test.arms})


def observation_files(experiment, arms):
    """Table and conditions of each arm."""
    folder = f"results/benchmark_data/{experiment}"
    return expand("{folder}/{arm}.{kind}", folder=folder, arm=arms, kind=["csv", "conditions.json"])


def observed(experiment, arms):
    """Whether the tables of these arms are there."""
    return all(map(os.path.exists, observation_files(experiment, arms)))


def within_budget():
    """What a spent budget leaves of the run: its head decides, its jobs inherit it."""
    if not workflow.is_main_process and budget.VARIABLE in os.environ:
        return budget.planned(os.environ)
    spent = budget.spent(LEDGER, CONFIG.budget.prices)
    stage = budget.stage(spent, CONFIG.budget.limit_usd)
    left_out = budget.left_out(
        TESTED.values(), stage, lambda c: observed(c.test.experiment, c.test.arms)
    )
    tests = [claim.test for name, claim in TESTED.items() if name not in left_out]
    read = [test.arms for test in tests if test.experiment in ("adaptation", "evaluation")]
    arms = [
        arm
        for arm in EVALUATED
        if stage == "whole" or arm in {"base"}.union(*read) or observed("evaluation", [arm])
    ]
    plan = {"stage": stage, "left_out": left_out, "arms": arms}
    os.environ[budget.VARIABLE] = json.dumps(plan)
    return plan


PLAN = within_budget()
JUDGED = {
    summary: [name for name in names if name not in PLAN["left_out"]]
    for summary, names in JUDGED.items()
}


def observations_of(wildcards):
    """Files that the claim's verdict rests on."""
    claim = TESTED[wildcards.claim]
    return observation_files(claim.test.experiment, claim.test.arms)


def training_samples(wildcards):
    """Training table of an arm."""
    augmented = ARMS[wildcards.arm].corpus == "augmented"
    return "results/data/train_augmented.csv" if augmented else "results/data/train.csv"


def evaluated_models(arm, replicates):
    """Folders that evaluating an arm reads: base or reference model, and what was trained."""
    if arm in CONFIG.evaluate.references:
        return {"base": f"results/models/{arm}"}
    trained = expand(
        "results/train/{arm}/seed{seed}/{part}",
        arm=arm,
        seed=replicates,
        part=["model", "record.json"],
    )
    base = {"base": f"results/models/{CONFIG.train.base}"}
    return base | ({"trained": trained} if arm in ARMS else {})


def ran():
    """What the report shows of the run itself, beside its verdicts."""
    return {
        "evaluation": "results/evaluation/intervals.csv",
        "loss": [
            f"results/train/{arm}/seed{seed}/steps.csv"
            for arm in ARMS
            if arm in PLAN["arms"]
            for seed in seeds(arm)
        ],
        "drops": "results/data/drops.csv",
        "augmentation": "results/data/augmentation.csv",
        "kv_grid": observation_files(
            "kv_cache", experiment_arms("kv_cache") + ["transformers-mla"]
        ),
    }
