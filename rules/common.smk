# Configuration, claims and sources are validated here, before the DAG; all problems at once.
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

LIBRARY = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(LIBRARY))
# Scripts find the library, stay off the network and keep their output to what matters.
os.environ.update(PYTHONPATH=os.pathsep.join([str(LIBRARY), os.environ.get("PYTHONPATH", "")]))
for variable, value in {
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
    "THP_MEM_ALLOC_ENABLE": "1",  # torch: 2 MB pages, fewer page faults
}.items():
    os.environ.setdefault(variable, value)

from kensho import config as settings, external
from kensho.claims import registry
from kensho.data import sources as source_registry
from kensho.digest import code_digest
from kensho.files import sha256
from kensho.models import cards

SOURCES, CLAIMS, CARDS, problems = {}, [], {}, []
try:
    CLAIMS = registry.load(Path("config/claims"))
except ValueError as error:
    problems += str(error).splitlines()
try:
    CARDS = cards.load(Path("resources/architectures.yaml"))
except ValueError as error:
    problems += str(error).splitlines()
SOURCES, found = source_registry.load("config/sources.yaml")
CONFIG, faults = settings.check(config, SOURCES, CARDS)
problems += found + faults
CACHE, MIRROR = settings.paths(CONFIG)

ACCEPTED_SOURCES = [
    name for name, source in SOURCES.items() if source.licence_class in CONFIG.licences
]
CHOICE_TASKS = [name for name in CONFIG.evaluate.choice_tasks if name in ACCEPTED_SOURCES]
MODELS = [CONFIG.train.base, *CONFIG.evaluate.references]
ARMS = {arm.name: arm for arm in CONFIG.train.arms}
EVALUATED = ["base", *ARMS, *CONFIG.evaluate.references]
TECHNIQUES = ["synonyms", "bunsetsu", "politeness"]
LORA = CONFIG.bench.lora_parameters
PRODUCED = {
    "kv_cache": ["mla", "mha", "mha-v2", "gqa-8", "mqa", *CARDS],
    "lora_parameters": ["full"]
    + [f"lora-r{rank}-{part}" for rank in LORA.ranks for part in ("qv", "qkvo", "all-linear")],
    "quick_mode": ["plain", "quick"],
    "augmentation": ["original", "augmented"],
    "adaptation": EVALUATED,
    "evaluation": EVALUATED,
}
EXTERNAL = external.experiments(CLAIMS)
problems += external.problems(CLAIMS, PRODUCED)
PRODUCED |= {name: brought.arms for name, brought in EXTERNAL.items()}

if workflow.is_main_process:
    problems += external.missing(EXTERNAL, Path("results/benchmark_data"))
    needed = [CONFIG.data.source, *MODELS]
    missing = [n for n in needed if not Path(f"results/sources/{n}/record.json").exists()]
    problems += source_registry.all_unreachable(
        {name: SOURCES[name] for name in missing if name in SOURCES}, cache=CACHE, mirror=MIRROR
    )
if problems:
    raise WorkflowError("\n".join([f"{len(problems)} problem(s), nothing was run:", *problems]))


def code(script):
    """Digest of a script and the library code it reaches, as a rerun trigger."""
    return code_digest(LIBRARY / "scripts" / script)


def digest_of(path):
    """Digest of a file that is not Python, as a rerun trigger."""
    return sha256(path)[:16]


def seeds(arm):
    """Replicates of an evaluated arm; a model that is not trained has the one replicate 0."""
    return CONFIG.train.seeds if arm in ARMS else [0]


def untestable(claim):
    """Why a claim cannot be tested with this configuration, or None."""
    if claim.test is None:
        return claim.not_tested
    if claim.test.experiment not in PRODUCED:
        return f"no experiment '{claim.test.experiment}' in this version"
    produced = PRODUCED[claim.test.experiment]
    absent = [arm for arm in claim.test.arms if arm not in produced]
    return f"the configuration has no arm {', '.join(absent)}" if absent else None


TESTED = {claim.id: claim for claim in CLAIMS if untestable(claim) is None}
STATISTICAL = [i for i, claim in TESTED.items() if claim.test.stochastic]
DETERMINISTIC = [i for i in TESTED if i not in STATISTICAL]


def experiment_arms(experiment):
    """Arms of an experiment that tested claims read, sorted."""
    claims = [claim for claim in TESTED.values() if claim.test.experiment == experiment]
    return sorted({arm for claim in claims for arm in claim.test.arms})


def observation_files(experiment, arms):
    """Table and conditions of each arm."""
    folder = f"results/benchmark_data/{experiment}"
    return expand("{folder}/{arm}.{kind}", folder=folder, arm=arms, kind=["csv", "conditions.json"])


def observations_of(wildcards):
    """Files that the claim's verdict rests on."""
    claim = TESTED[wildcards.claim]
    return observation_files(claim.test.experiment, claim.test.arms)


def training_samples(wildcards):
    """Training table of an arm."""
    augmented = ARMS[wildcards.arm].corpus == "augmented"
    return "results/data/train_augmented.csv" if augmented else "results/data/train.csv"


def evaluated_models(wildcards):
    """Folders that evaluating an arm reads: base or reference model, and what was trained."""
    if wildcards.arm in CONFIG.evaluate.references:
        return {"base": f"results/models/{wildcards.arm}"}
    trained = expand(
        "results/train/{arm}/seed{seed}/{part}",
        arm=wildcards.arm,
        seed=seeds(wildcards.arm),
        part=["model", "record.json"],
    )
    base = {"base": f"results/models/{CONFIG.train.base}"}
    return base | ({"trained": trained} if wildcards.arm in ARMS else {})


FAILURES = Path("logs/failures.txt")


def forget_failures():
    FAILURES.unlink(missing_ok=True)


def last_failure():
    """What the failed rules said, as the last lines of a run."""
    said = FAILURES.read_text().splitlines() if FAILURES.exists() else []
    advice = "What is done is kept; mend the cause and give the same command again."
    return "\n".join([*dict.fromkeys(said), advice])  # retries repeat themselves
