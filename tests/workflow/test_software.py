"""Where jobs get their programs: conda environments, environment modules, containers."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from planning import ROOT, snakemake

CHANNEL = Path(__file__).parent / "conda_channel"
ENVIRONMENTS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
DEBIAN_MODULES = Path("/usr/share/modules/init/bash")  # where the package puts `module`


def add_rule(folder, name, script, software):
    """Put a rule with a script into a copy of the workflow."""
    (folder / f"workflow/scripts/{name}.py").write_text(script)
    with open(folder / "Snakefile", "a") as file:
        file.write(
            f'\n\nrule {name}:\n    output:\n        "results/{{environment}}.json",\n'
            f'    log:\n        "logs/{{environment}}.log",\n    {software}\n'
            f'    script:\n        "workflow/scripts/{name}.py"\n'
        )


def run(*command, **environment):
    """Standard output and error together, and whether it succeeded."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    return done.stdout, done.returncode == 0


@pytest.fixture(scope="module")
def conda(tmp_path_factory):
    """Environment variables with which there is a `conda`, with a channel and wheels of its own."""
    folder = tmp_path_factory.mktemp("conda")
    tools, base = folder / "tools", folder / "base" / "bin"
    said, made = run(sys.executable, "-m", "venv", tools)
    assert made, said
    wanted = ["py-rattler>=0.28,<0.29", f"PyYAML=={importlib.metadata.version('PyYAML')}"]
    said, made = run(tools / "bin/pip", "install", "--quiet", *wanted)
    if not made:
        pytest.skip(f"py-rattler cannot be had: {said.splitlines()[-1]}")
    channel, wheels = folder / "channel", folder / "wheels"
    said, made = run(tools / "bin/python", CHANNEL / "channel.py", channel, wheels)
    assert made, said
    base.mkdir(parents=True)
    shutil.copy(CHANNEL / "activate", base)
    command = base / "conda"
    command.write_text(f'#!/bin/sh\nexec {tools}/bin/python {CHANNEL}/conda.py "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{base}:{os.environ['PATH']}",
        "KENSHO_TEST_CHANNEL": channel.as_uri(),
        "RATTLER_CACHE_DIR": str(folder / "cache"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


IN_CONDA = """
import subprocess
import sys

import consonants
import vowels
from kensho.files import write_json
from kensho.run.job import job

with job(snakemake):
    found = {
        "python": sys.executable,
        "said": subprocess.run(["speak"], check=True, stdout=subprocess.PIPE, text=True).stdout,
        "module": vowels.__file__,
        "versions": [vowels.VERSION, consonants.VERSION],
    }
    write_json(snakemake.output[0], found)
"""


@pytest.mark.slow
def test_jobs_run_in_their_conda_environments(copy, conda):
    """Proves Snakemake's path and the syntax of envs/*.yaml, each with other packages put in its
    lists; not that the packages of the real environments exist or fit together."""
    for name in ENVIRONMENTS:
        path = copy / f"envs/{name}.yaml"
        environment = yaml.safe_load(path.read_text())
        assert environment["dependencies"][-1].keys() == {"pip"}
        environment["channels"] = [conda["KENSHO_TEST_CHANNEL"]]
        assert re.fullmatch(r"python =3\.1[12]", environment["dependencies"][0])
        environment["dependencies"][0] = "python"  # the channel's is the one that runs this
        environment["dependencies"][-1]["pip"] = ["vowels==1.0"]
        environment["dependencies"].insert(0, "speaker >=1")
        path.write_text(yaml.safe_dump(environment))
    pins = [f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for name in ("consonants", "vowels")]
    (copy / "requirements.lock").write_text("# made by\n" + "".join(pins))
    add_rule(copy, "seen", IN_CONDA, 'conda:\n        "envs/{environment}.yaml"')
    wanted = [f"results/{name}.json" for name in ENVIRONMENTS]
    done = snakemake(copy, *wanted, "--sdm", "conda", **conda)
    assert done.returncode == 0, done.stdout
    for path in wanted:
        found = json.loads((copy / path).read_text())
        prefix = Path(found["python"]).parents[1]
        assert prefix.parent == copy / ".snakemake/conda"
        assert Path(found["module"]).is_relative_to(prefix)
        assert found["said"] == "kotoba\n"  # its dependency in the version that it asks for
        assert found["versions"] == ["1.0", "1.0"]  # of what no environment names, the lock's
    again = snakemake(copy, *wanted, "--sdm", "conda", **conda)
    assert "Nothing to be done" in again.stdout


@pytest.mark.slow
def test_a_package_that_does_not_exist_ends_the_run(copy, conda):
    absent = {"channels": [conda["KENSHO_TEST_CHANNEL"]], "dependencies": ["speaker >=2"]}
    (copy / "envs/absent.yaml").write_text(yaml.safe_dump(absent))
    add_rule(copy, "seen", IN_CONDA, 'conda:\n        "envs/{environment}.yaml"')
    done = snakemake(copy, "results/absent.json", "--sdm", "conda", **conda)
    assert done.returncode != 0 and "speaker" in done.stdout
    assert not (copy / "results/absent.json").exists()


@pytest.fixture(scope="module")
def module_command():
    """Environment variables with which the shells of jobs know Debian's `module`."""
    if not DEBIAN_MODULES.is_file():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            pytest.skip("no Environment Modules here: apt-get install environment-modules")
        install = ["apt-get", "install", "--yes", "--quiet", "environment-modules"]
        said, made = run(*install, DEBIAN_FRONTEND="noninteractive")
        if not made:
            pytest.skip(f"environment-modules cannot be installed: {said.splitlines()[-1]}")
    return {"BASH_ENV": str(DEBIAN_MODULES)}


@pytest.fixture
def stack(copy, module_command):
    """Environment variables with which there is a module `stack/6.4` with a program, and in which
    another `python` than the workflow's comes first."""
    programs, modules, first = copy / "stack/bin", copy / "stack/modules/stack", copy / "first"
    for folder in (programs, modules, first):
        folder.mkdir(parents=True)
    lines = ["#%Module1.0", "setenv STACK_ROOT /opt/stack", f"append-path PATH {programs}", ""]
    (modules / "6.4").write_text("\n".join(lines))
    (programs / "stack-version").write_text("#!/bin/sh\necho 6.4\n")
    (first / "python").write_text("#!/bin/sh\nexit 9\n")
    for program in (programs / "stack-version", first / "python"):
        program.chmod(0o755)
    path = f"{first}:{os.environ['PATH']}"
    return {**module_command, "MODULEPATH": str(modules.parent), "PATH": path}


IN_MODULES = """
import os
import subprocess
import sys

from kensho.files import write_json
from kensho.run.job import job

with job(snakemake):
    version = subprocess.run(["stack-version"], check=True, stdout=subprocess.PIPE, text=True)
    found = [version.stdout, os.environ["STACK_ROOT"], os.path.realpath(sys.executable), sys.prefix]
    write_json(snakemake.output[0], found)
"""


def set_cluster(folder, **settings):
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["cluster"].update(settings)
    path.write_text(yaml.safe_dump(config))


@pytest.mark.slow
def test_jobs_see_their_environment_modules(copy, stack):
    """And run with the Python of the workflow, whichever the shell would find first."""
    add_rule(copy, "seen", IN_MODULES, 'envmodules:\n        "stack/6.4"')
    done = snakemake(copy, "results/any.json", "--sdm", "env-modules", **stack)
    assert done.returncode == 0, done.stdout
    version, root, python, prefix = json.loads((copy / "results/any.json").read_text())
    assert (version, root) == ("6.4\n", "/opt/stack")
    assert (python, prefix) == (os.path.realpath(sys.executable), sys.prefix)


FETCHED = "results/sources/sudachidict-core/record.json"
NOT_LOADED = {"no such module": ("stack/7.0", {}), "no command": ("stack/6.4", {"BASH_ENV": ""})}


@pytest.mark.slow
@pytest.mark.parametrize("wanted, changed", NOT_LOADED.values(), ids=NOT_LOADED)
def test_a_module_that_is_not_loaded_fails_the_job(copy, stack, wanted, changed):
    """`module load` that fails does not end the shell that runs the job."""
    set_cluster(copy, modules=[wanted])
    variables = {**stack, **changed}
    done = snakemake(copy, FETCHED, "--sdm", "env-modules", **variables)
    assert done.returncode != 0
    assert f"module {wanted} is not loaded" in done.stdout


SHOW = """
for each in workflow.rules:
    if each.script:
        print("software of", each.name, each.env_modules, each.container_img, file=sys.stderr)
"""


def test_modules_and_image_of_the_configuration_are_those_of_every_job(copy):
    set_cluster(copy, modules=["rocm/6.4.1", "gcc/13"], container="docker://example/rocm@sha256:1")
    with open(copy / "Snakefile", "a") as file:
        file.write(SHOW)
    done = snakemake(copy, "-n")
    assert done.returncode == 0, done.stdout
    shown = re.findall(r"^software of (\w+) (.*) (\S+)$", done.stdout, re.M)
    assert len(shown) > 40
    assert {modules for _, modules, _ in shown} == {"rocm/6.4.1, gcc/13"}
    outside = [rule for rule, _, image in shown if image != "docker://example/rocm@sha256:1"]
    assert outside == [
        "fetch",
        "lock",
        "fetch_model",
        *("lock_corpora", "fetch_corpus_file", "audit"),
    ]  # which need the cache or the mirror, outside what an image sees


def test_a_module_name_that_a_shell_would_read_is_refused(copy):
    set_cluster(copy, modules=["rocm; rm -r results"], container="docker://two words")
    said = snakemake(copy, "-n").stdout
    assert "cluster.modules" in said and "cluster.container" in said and "Traceback" not in said
