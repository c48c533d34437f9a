# The run of this configuration: read, checked and planned before the DAG; all problems at once.
import json
import os
import re
import sys
from pathlib import Path

from snakemake.deployment.env_modules import EnvModules
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

LIBRARY = Path(workflow.basedir) / "workflow"
DEPLOYED = workflow.deployment_settings.deployment_method
# Scripts find the library, stay off the network and keep their output to what matters.
os.environ.update(PYTHONPATH=os.pathsep.join([str(LIBRARY), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("KENSHO_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "0"))  # the user's
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
os.environ.update(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
# What conda environments do not name themselves comes in the lock's versions too; without its
# hashes, of which pip asks for all or none, and without what vLLM wants in versions of its own.
if DeploymentMethod.CONDA in DEPLOYED:
    LOCKED = (LIBRARY.parent / "requirements.lock").read_text(encoding="utf-8")
    VERSIONS = Path(".snakemake/versions.txt").absolute()
    VERSIONS.parent.mkdir(exist_ok=True)
    PINS = re.findall(r"^(?!numba=|numpy=|setuptools=|torch=|transformers=)\S+==\S+", LOCKED, re.M)
    VERSIONS.write_text("\n".join(PINS), encoding="utf-8")
    os.environ.setdefault("PIP_CONSTRAINT", str(VERSIONS))

from kensho import crates, external, paths
from kensho.augment.catalogue import GUARD, TECHNIQUES, guarded, settings_of, sources_of
from kensho.claims import registry
from kensho.jlce import catalogue as tasks
from kensho.models import rocm
from kensho.run import budget, events, head, record, running, slurm, why
from kensho.train.catalogue import METHODS, STAGES

HEAD, TARGETS = None, None
try:  # catalogues are read at import
    from kensho.plan import annotations, directives, domain, inputs, judging, load, rehearsal
    from kensho.plan.directives import any_of, code, digest_of, digest_of_part, early
    from kensho.plan.directives import fingerprint, observation_files, source_records, threads
    from kensho.plan.plan import REPORT

    if workflow.is_main_process:
        COMMAND = why.command_line()
        TARGETS = {*COMMAND.targets} or {"all"}
    elif budget.VARIABLE in os.environ:
        HEAD = budget.inherited(os.environ)
    if REHEARSED := rehearsal.asked(TARGETS):
        if workflow.is_main_process:  # what it is a rehearsal of
            REAL = load.load(config, workflow.configfiles, head=None, targets=None, outdated=None)
        workflow.workdir(rehearsal.begin(config, workflow.configfiles))
    RUN = load.load(
        config,
        workflow.configfiles,
        head=HEAD,
        targets=TARGETS,
        outdated=lambda files: why.outdated(files, COMMAND, workflow.main_snakefile, config),
    )
except ValueError as error:
    raise WorkflowError(str(error)) from None
CONFIG, PLAN, CLAIMS = RUN.config, RUN.plan, RUN.claims
SOURCES, ACCEPTED_SOURCES = RUN.sources, RUN.accepted
os.environ[budget.VARIABLE] = json.dumps(RUN.decided())

# What libraries compile and cache lies beside, for the home may be closed to jobs; an image sees
# for certain, and a run can write for certain, this folder alone.
COMPILED = RUN.cache / "libraries"
if DeploymentMethod.APPTAINER in DEPLOYED or not paths.writable(RUN.cache):
    COMPILED = Path(".snakemake/libraries")
if workflow.is_main_process:  # jobs inherit both; on a cluster they are not told of --retries
    os.environ.update(paths.of_libraries(COMPILED))
    os.environ.update(KENSHO_RETRIES=str(getattr(workflow.execution_settings, "retries", 0)))
if DeploymentMethod.ENV_MODULES in DEPLOYED:
    os.environ.update(KENSHO_MODULES=" ".join(CONFIG.cluster.modules))  # each job asks for them
if CONFIG.accelerator == "none":  # jobs inherit it: none uses what the configuration denies
    os.environ.update(CUDA_VISIBLE_DEVICES="")
if CONFIG.accelerator == "rocm":  # jobs inherit them; what the user has set stays
    for variable, value in rocm.recommended(RUN.variables).items():
        os.environ.setdefault(variable, value)

DIRECTIVES = directives.Directives(CONFIG)
GPU, memory, minutes = DIRECTIVES.gpu, DIRECTIVES.memory, DIRECTIVES.minutes
environment = DIRECTIVES.environment
MODELS, VLLM = environment("models"), environment("vllm")
INPUTS = inputs.Inputs(
    CONFIG, PLAN, RUN.models, {name: one.licence_class for name, one in SOURCES.items()}
)


def in_languages(*files):
    """Files, and beside each English page the one in the language of the configuration."""
    pages = [file.removesuffix(".html") for file in files if file.endswith(".html")]
    translated = [f"{page}.{CONFIG.language}.html" for page in pages if CONFIG.language != "en"]
    return [*files, *translated]
