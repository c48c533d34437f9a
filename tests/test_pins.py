"""One set of versions: the lock, the conda environments and what is asked for agree."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from kensho.augment.catalogue import TECHNIQUES
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.run.digest import for_types, reachable
from kensho.train.catalogue import STAGES
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EVERY = sorted((ROOT / "envs").glob("*.yaml"))
ENVIRONMENTS = [path for path in EVERY if not path.name.startswith("vllm.")]  # it has its own
RULES = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]
# Environment and script of each rule with a script, and what stands between them.
SCRIPTED = re.compile(
    r'conda:\s+(?:"\.\./envs/(\w+)\.yaml"|MODELS\b|(VLLM)\b)(.*?)'
    r'script:\s+"\.\./workflow/scripts/([\w/]+\.py)"',
    re.S,
)
SCRIPTS = [
    (environment or served.lower() or "models", between, script)
    for text in RULES
    for environment, served, between, script in SCRIPTED.findall(text)
]
# Scripts that run parts, in the environment that a part names.
OF_PARTS = {
    "technique.py": TECHNIQUES,
    "train_stage.py": STAGES,
    "experiment.py": EXPERIMENTS,
    "prepare.py": PREPARATIONS,
}
PARTS = [
    (part.needs.environment, script, ROOT / "workflow" / part.code.split(":")[0].replace(".", "/"))
    for script, catalogue in OF_PARTS.items()
    for part in catalogue.values()
]
# Imported only inside functions that the rules of the other environments do not call (building a
# model from its card, looking at the device), what GGUF arms do without, and trackers of a user.
TORCH = {"torch", "transformers"}
BUILDS = ["cpu", "cuda", "rocm"]
NOT_NEEDED = {"data": TORCH, "models": {"llama_cpp", "vllm", "wandb", "mlflow"}}
NOT_NEEDED |= dict.fromkeys(("stats", "tokenisation", "vllm"), TORCH)


def named(path):
    """Name of the environment that a file describes, whatever the build of torch."""
    return path.name.split(".")[0]


def requirements(lines):
    kept = [line.split("#")[0].strip() for line in lines if not line.startswith("--")]
    return [Requirement(line) for line in kept if line]


def locked():
    """Requirement of each entry of the lock, and its hashes."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
    entries = [entry.split() for entry in text.replace("\\\n", "").splitlines()]
    return [(Requirement(name), hashes) for name, *hashes in entries]


def test_every_entry_of_the_lock_has_hashes():
    hashed = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    for pin, hashes in locked():
        assert hashes and all(map(hashed.fullmatch, hashes)), f"{pin}: make lock"


def test_the_lock_holds_all_that_its_packages_need(lock):
    """Without it nothing is missing where they are installed without their dependencies."""
    waiting, seen = [(name, "") for name in lock if name != "torch"], set()
    while waiting:  # what the build of torch needs, its index says
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        assert name in lock, f"{name} is not in requirements.lock"
        for text in requires(name) or []:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(need.name), more) for more in ("", *need.extras)]


@pytest.fixture(scope="module")
def lock():
    """Version by name."""
    pins = [pin for pin, _ in locked()]
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    versions = {canonicalize_name(p.name): str(p.specifier).removeprefix("==") for p in pins}
    assert len(versions) == len(pins), "a name stands in the lock twice"
    return versions


def test_there_is_an_environment_for_every_conda_line_of_the_rules():
    named = {
        line.split('"')[1].removeprefix("../")
        for rules in (ROOT / "rules").glob("*.smk")
        for line in rules.read_text().splitlines()
        if '"../envs/' in line and "{" not in line
    }
    named |= {f"envs/{environment}.yaml" for environment, _, _ in PARTS} - {"envs/models.yaml"}
    named |= {f"envs/{kind}.{build}.yaml" for build in BUILDS for kind in ("models", "vllm")}
    assert named == {f"envs/{path.name}" for path in EVERY}


def test_the_environments_of_models_differ_in_the_build_of_torch_alone():
    """Pip takes the build of the index that is named, and no other in its place."""
    found = {}
    for build in BUILDS:
        path = ROOT / f"envs/models.{build}.yaml"
        *_, last = yaml.safe_load(path.read_text())["dependencies"]
        (index,) = (line.split()[1] for line in last["pip"] if line.startswith("--"))
        (torch,) = (line for line in last["pip"] if line.startswith("torch=="))
        assert torch.endswith(f"+{index.removeprefix('https://download.pytorch.org/whl/')}")
        found[build] = (
            index,
            [line for line in last["pip"] if line not in (torch, f"--extra-index-url {index}")],
        )
    assert len({index for index, _ in found.values()}) == len(BUILDS)
    assert found["cpu"][1] == found["cuda"][1] == found["rocm"][1]


@pytest.mark.parametrize("build", [*BUILDS, "tpu"])
def test_make_installs_the_build_that_it_is_asked_for(build):
    """Planned by make; the index is that of the environment's file."""
    command = ["make", "-nB", ".venv/installed", f"TORCH={build}", f"PYTHON={sys.executable}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    path = ROOT / f"envs/models.{build}.yaml"
    indexes = set(re.findall(r"--extra-index-url (\S+)", path.read_text() if path.exists() else ""))
    assert set(re.findall(r"--extra-index-url (https\S+)", said)) == indexes
    assert f'echo "TORCH={build}: give cpu, cuda or rocm"' in said


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_pins_are_those_of_the_lock(path, lock):
    *_, last = yaml.safe_load(path.read_text())["dependencies"]
    pins = requirements(last["pip"])
    assert pins
    for pin in pins:
        locked = lock.get(canonicalize_name(pin.name))
        public = str(pin.specifier).split("+")[0]  # but for the build
        assert public == f"=={locked}", f"{path.name}: {pin}, lock has {locked}"


@cache
def imported(path):
    """Dotted names that a file imports, anywhere in it but for the type checker."""
    tree, names = ast.parse(path.read_text(encoding="utf-8")), []
    tree.body = [node for node in tree.body if not for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def third_party(script):
    """Top-level names that a script's code imports and that some package must provide."""
    files, waiting = set(), [script]
    while waiting:  # digests do not follow imports into these folders
        new = {*reachable(waiting.pop())} - files
        beside = {f"{n.replace('.', '/')}.py" for file in new for n in imported(file)}
        shared = (
            ROOT / "workflow" / n for n in beside if n.startswith(("scripts/", "kensho/run/"))
        )
        waiting += [path for path in shared if path.is_file()]
        files |= new
    names = {name.split(".")[0] for file in files for name in imported(file)}
    return names - sys.stdlib_module_names - {"kensho", "scripts"}


def test_every_rule_digests_its_own_script_and_the_pins_of_its_environment():
    run = sum(len(re.findall(r"\bscript:", text)) for text in RULES)
    assert len(SCRIPTS) + len(OF_PARTS) == run
    for environment, between, script in SCRIPTS:
        digested = re.findall(r'\bcode=code\("(.+?)", "(.+?)"\)', between)
        assert digested in ([(script, environment)], []), script  # none where there is no output


@pytest.mark.parametrize(
    "path", [p for p in EVERY if not p.stem.endswith((".cuda", ".rocm"))], ids=named
)
def test_environment_provides_what_its_scripts_import(path):
    *_, last = yaml.safe_load(path.read_text())["dependencies"]
    pins = {canonicalize_name(pin.name) for pin in requirements(last["pip"])}
    scripts = {script for environment, _, script in SCRIPTS if environment == named(path)}
    files = [ROOT / "workflow/scripts" / script for script in scripts]
    for environment, script, module in PARTS:
        if environment == named(path):
            files += [ROOT / "workflow/scripts" / script, module.with_suffix(".py")]
    names = set.union(*map(third_party, files))
    providers = packages_distributions()
    missing = {
        name for name in names if pins.isdisjoint(map(canonicalize_name, providers.get(name, [])))
    }
    assert missing <= NOT_NEEDED[named(path)], f"{path.name}: pin what its scripts import"


def test_everything_asked_for_is_locked_in_a_version_that_fits(lock):
    for asked in requirements((ROOT / "requirements.in").read_text().splitlines()):
        locked = lock.get(canonicalize_name(asked.name))
        assert locked is not None, f"{asked.name} is not in requirements.lock"
        assert asked.specifier.contains(locked), f"requirements.lock has {asked.name}=={locked}"
