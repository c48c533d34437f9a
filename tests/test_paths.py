"""Where libraries keep what they compile and cache: beside the fetched files, never in the home."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kensho.paths import Paths, existing, models, of_libraries, without_home, writable

IMPORT = re.compile(r"^ *(from kensho[\w.]* import (?:\([^)]*\)|.*))", re.M)
SEEN = """
import matplotlib, numba, pytensor
from platformdirs import user_cache_dir
print(pytensor.config.base_compiledir, matplotlib.get_configdir(), numba.config.CACHE_DIR,
      matplotlib.get_cachedir(), user_cache_dir("arviz"), sep="\\n")
"""


def test_what_every_command_imports_is_light():
    """Before the workflow's first line says where libraries keep theirs, and while a user waits."""
    root = Path(__file__).parents[1]
    lines = [
        line
        for path in [root / "Snakefile", *sorted((root / "rules").glob("*.smk"))]
        for line in IMPORT.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(lines) > 10
    seen = "\n".join([*lines, "import sys; print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "pandera", "pymc", "scipy", "spacy", "torch"}.intersection(
        done.stdout.split()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cache", "a b,c#d", "貯蔵庫"])
def test_the_libraries_follow(tmp_path, name):
    folder = tmp_path / name / "libraries"
    bare = {k: v for k, v in os.environ.items() if k not in of_libraries(folder, {})}
    done = subprocess.run(
        [sys.executable, "-c", SEEN],
        env={**bare, **of_libraries(folder, {}), "HOME": str(tmp_path / "nobody")},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    places = done.stdout.splitlines()
    assert len(places) == 5 and all(Path(place).is_relative_to(folder) for place in places)
    assert not (tmp_path / "nobody").exists()


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"])
def test_what_the_user_has_set_stays(tmp_path, name):
    assert name in of_libraries(tmp_path, {})
    assert name not in of_libraries(tmp_path, {name: "/elsewhere"})


@pytest.mark.parametrize("flags", ["mode=FAST_RUN", "cxx=,base_compiledir=/elsewhere", ""])
def test_flags_of_the_user_come_last_and_win(tmp_path, flags):
    shown = of_libraries(tmp_path, {"PYTENSOR_FLAGS": flags})["PYTENSOR_FLAGS"]
    assert shown.startswith(f'base_compiledir="{tmp_path}/pytensor"') and shown.endswith(flags)


def test_relative_folders_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert of_libraries(Path("x"), {})["XDG_CACHE_HOME"] == f"{tmp_path}/x"


@pytest.mark.parametrize("deep", ["", "a", "a/b/c"])
def test_a_folder_takes_files_where_the_nearest_one_does(tmp_path, deep):
    assert existing(tmp_path / deep) == tmp_path and writable(tmp_path / deep)
    tmp_path.chmod(0o555)
    code = f"from kensho.paths import *; print(writable(Path({str(tmp_path / deep)!r})))"
    command = [sys.executable, "-c", code]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv can write everywhere")
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all", *command]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "workflow")},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    tmp_path.chmod(0o755)
    assert done.stdout == "False\n"


def test_the_hubs_models_lie_where_the_user_says_or_huggingface_hub_keeps_them(monkeypatch):
    monkeypatch.setenv("HOME", "/home/x")
    own, shared = Paths(), Paths(models="~/shared")
    assert models(own, {}) == Path("/home/x/.cache/huggingface/hub")
    assert models(own, {"HF_HOME": "/a"}) == Path("/a/hub")
    assert models(own, {"HF_HOME": "/a", "HF_HUB_CACHE": "/b"}) == Path("/b")
    assert models(shared, {"HF_HUB_CACHE": "/b"}) == Path("/home/x/shared")
    assert models(shared, {"KENSHO_MODELS": "/c"}) == Path("/c")


def test_a_record_names_no_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/x")
    assert without_home(Path("/home/x/a/b")) == "~/a/b"
    assert without_home(Path("/a/b")) == "/a/b"
