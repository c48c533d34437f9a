# Configuration, claims and sources are validated here, before the DAG; all problems at once.
import hashlib
import json
import os
import re
import sys
from pathlib import Path

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
# What conda environments do not name themselves comes in the lock's versions too; without its
# hashes, of which pip asks for all or none.
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    LOCKED = re.findall(
        r"^\S+==\S+", (LIBRARY.parent / "requirements.lock").read_text(encoding="utf-8"), re.M
    )
    VERSIONS = Path(".snakemake/versions.txt").absolute()
    VERSIONS.parent.mkdir(exist_ok=True)
    VERSIONS.write_text("\n".join(LOCKED), encoding="utf-8")
    os.environ.setdefault("PIP_CONSTRAINT", str(VERSIONS))

from kensho import budget, digest, external, paths, running, slurm
from kensho.augment.catalogue import TECHNIQUES
from kensho.claims import registry
from kensho.data import sources as source_registry
from kensho.files import sha256
from kensho.jlce import catalogue as tasks
from kensho.models import cards, rocm
from kensho.train.catalogue import METHODS, STAGES
from kensho.plan import config as settings, plan as plans
from kensho.validation import misread
from scripts import job as jobs

problems = []


def loaded(load, path, empty):
    """What a file holds; its problems join the others."""
    try:
        return load(Path(path))
    except ValueError as error:
        problems.extend(str(error).splitlines())
        return empty


CLAIMS = loaded(registry.load, "config/claims", [])
CARDS = loaded(cards.load, "resources/architectures.yaml", {})
VARIABLES = loaded(rocm.load, "resources/rocm_variables.yaml", {})
SOURCES, faults = source_registry.load("config/sources.yaml")
CONFIG, more = settings.check(config, SOURCES, CARDS)
problems += faults + more
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


def observation_files(experiment, arms):
    """Table and conditions of each arm."""
    folder = f"results/benchmark_data/{experiment}"
    return expand("{folder}/{arm}.{kind}", folder=folder, arm=arms, kind=["csv", "conditions.json"])


HEAD = None
if not workflow.is_main_process and budget.VARIABLE in os.environ:
    HEAD = budget.planned(os.environ)
LEDGER = [] if HEAD else loaded(budget.read, jobs.LEDGER, [])
PLAN, faults = plans.make(
    CONFIG,
    CLAIMS,
    SOURCES,
    at_hand=lambda name: source_registry.at_hand(SOURCES[name], CACHE, MIRROR),
    observed=lambda experiment, arms: all(map(os.path.exists, observation_files(experiment, arms))),
    spent_usd=budget.spent(LEDGER, CONFIG.budget.prices),
    head=HEAD,
)
problems += faults
os.environ[budget.VARIABLE] = json.dumps(PLAN.decided())

ACCEPTED_SOURCES = [
    name for name, source in SOURCES.items() if source.licence_class in CONFIG.licences
]
NEEDED = [
    CONFIG.data.source,
    CONFIG.train.base,
    *CONFIG.evaluate.references,
]  # nothing runs without
ARMS = {arm.name: arm for arm in CONFIG.train.arms}
GPU = {}  # what a job that uses the accelerator asks of a cluster
if CONFIG.accelerator != "none":
    GPU = {"gpu": 1} | {k: v for k, v in {"gpu_model": CONFIG.cluster.gpu_model}.items() if v}
BRINGING = [claim.id for claim in CLAIMS if claim.test and claim.test.external]

if workflow.is_main_process:
    problems += external.missing(PLAN.brought, Path("results/benchmark_data"))
    if "own" in sys.argv and not BRINGING:
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
    return lambda wildcards: digest.code_digest(LIBRARY / "scripts" / script, pins)


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


def fingerprint(setting):
    """Digest of a setting that may hold an address: a rerun trigger that records may show."""
    return hashlib.sha256(json.dumps(setting).encode()).hexdigest()[:16]


def seeds(arm):
    """Replicates of an evaluated arm; a model that is not trained has the one replicate 0."""
    return CONFIG.train.seeds if arm in ARMS else [0]


def trained(arm, replicates, part, last=True):
    """A file of each training of an arm: of its last stage, or of all its stages."""
    stages = PLAN.stages[arm][-1:] if last else PLAN.stages[arm]
    return expand(
        "results/train/{arm}/{stage}/seed{seed}/{part}",
        arm=arm,
        stage=stages,
        seed=replicates,
        part=part,
    )


def evaluated_models(arm, replicates):
    """What evaluating an arm reads: base or reference model, and what was trained."""
    name = arm if arm in CONFIG.evaluate.references else CONFIG.train.base
    found = {"model": f"results/models/{name}", "record": f"results/models/{name}.json"}
    if arm in ARMS:
        found["references"] = trained(arm, replicates, "model.json")
        found["trained"] = trained(arm, replicates, "model", last=False)
        found["records"] = trained(arm, replicates, "record.json", last=False)
    return found


def any_of(names):
    """Pattern of a wildcard that is one of these names."""
    return "|".join(map(re.escape, names)) or "none"


def source_records(names):
    """Records of fetched sources."""
    return expand("results/sources/{name}/record.json", name=names)


# What the rule of a part asks for.
def environment(part):
    return f"../envs/{part.needs.environment}.yaml"


def threads(part):
    return 64 if part.needs.cores == "all" else 1


def early(part):
    """Jobs of one thread run together, before those that take all cores."""
    return 10 if part.needs.cores == "one" else 0


def resources(part):
    return {
        **(GPU if part.needs.accelerator else {}),
        "retries_left": retries_left,
        "mem_mb": memory(part.needs.memory_mb),
        "runtime": minutes(part.needs.minutes),
    }


def of_part(catalogue, wildcard):
    """The same for a rule whose wildcard names the part."""
    asked = {name: resources(part) for name, part in catalogue.items()}

    def one(key):
        def asked_for(wildcards, attempt):
            value = asked[getattr(wildcards, wildcard)].get(key, 0)
            return value(wildcards, attempt) if callable(value) else value

        return asked_for

    return {key: one(key) for key in {*GPU, "mem_mb", "runtime"}}


def digest_of_part(script, part, *more):
    pins = LIBRARY.parent / f"envs/{part.needs.environment}.yaml"
    return digest.code_digest(LIBRARY / "scripts" / script, pins, part, *more)


def params(planned, script):
    """What reruns the job of an experiment, or of what is prepared for one."""
    part = planned.part
    own = {"seed": CONFIG.seed} if part.seeded else {}
    if part.needs.accelerator:
        own |= {"device": CONFIG.accelerator}
        own |= {"fallback": None if part.judged_on else CONFIG.accelerator_fallback}
    return own | {
        "code_of": part.code,
        "settings": planned.settings,
        "code": lambda wildcards: digest_of_part(script, part),
    }


def outputs(part):
    return {
        name: directory(path.rstrip("/")) if path.endswith("/") else path
        for name, path in part.outputs.items()
    }
