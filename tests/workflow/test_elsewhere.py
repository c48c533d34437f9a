"""The command where it is given: odd folders, other owners, other places, other encodings."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from kensho.run import events
from planning import ROOT, copied, nowhere

SMALL = "results/benchmark_data/lora_parameters/full.csv"
CHARMAPS = Path("/usr/share/i18n/charmaps")


def run(command, folder, encoding="utf-8", **environment):
    """What a command says, on either stream, and its exit status."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding=encoding,
        timeout=300,
        env={**os.environ, **environment},
    )
    return done.stdout, done.returncode


def unprivileged(command):
    """The command as one to whom files may be closed; to root nothing is."""
    if os.geteuid() != 0:
        return command
    if not shutil.which("setpriv"):
        pytest.skip("root without setpriv can write everywhere")
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    return [*drop, *command]


def housed(folder):
    """The workflow in a folder with a virtual environment of its own."""
    folder.mkdir()
    copied(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    [packages] = (folder / ".venv/lib").glob("python3*/site-packages")
    (packages / "these.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    return folder, [folder / ".venv/bin/python", "-m", "snakemake", "--profile", "local"]


@pytest.mark.parametrize("name", ["with space", "it's", "{x}"])
def test_a_folder_that_shells_misread_is_refused_before_anything_else(tmp_path, name):
    folder, command = housed(tmp_path / name)
    said, status = run([*command, SMALL], folder)
    assert status != 0 and f"{folder}: " in said and "put the repository into a folder" in said
    assert "Traceback" not in said and not (folder / "logs").exists()


@pytest.mark.parametrize("name", ["with space", 'a"b', "a;b"])
def test_make_refuses_it_before_set_up(tmp_path, name):
    folder = tmp_path / name
    (folder / "workflow/kensho").mkdir(parents=True)
    for path in ("Makefile", "requirements.lock", "pyproject.toml", "workflow/kensho/place.py"):
        shutil.copy(ROOT / path, folder / path)
    said, status = run(["make", "report", f"PYTHON={sys.executable}"], folder)
    assert status != 0 and f"{folder}: " in said and "put the repository into a folder" in said
    assert not (folder / ".venv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["検証の仕事", "a#1,2=3", "100%"])
def test_rules_run_in_a_folder_with_another_odd_name(tmp_path, name):
    folder, command = housed(tmp_path / name)
    said, status = run([*command, SMALL], folder)
    assert status == 0 and (folder / SMALL).is_file(), said


@pytest.mark.parametrize("closed", [".", "logs", "results/analysis"])
def test_what_another_user_owns_is_told_with_what_to_do(copy, closed):
    (copy / "results/analysis").mkdir(parents=True)
    (copy / "logs").mkdir()
    (copy / closed).chmod(0o555)
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "verify"]
    said, status = run(unprivileged(command), copy)
    (copy / closed).chmod(0o755)
    assert status != 0 and "Traceback" not in said
    assert f"{(copy / closed).resolve()}: not writable by " in said
    assert f"cp -a {copy} COPY" in said


@pytest.mark.parametrize("overlay", [[], ["--configfile", "mine.yaml"], ["--config", "seed=2"]])
def test_a_command_given_elsewhere_says_what_to_add(copy, tmp_path_factory, overlay):
    other = tmp_path_factory.mktemp("elsewhere")
    (other / "mine.yaml").write_text("seed: 1")
    command = [sys.executable, "-m", "snakemake", "-s", copy / "Snakefile", "--cores", "1", "-n"]
    said, status = run([*command, *overlay, "--", SMALL], other)
    assert status != 0 and "Traceback" not in said
    assert f"the command would work in {other}" in said and f"add -d {copy}" in said
    said, status = run([*command, "-d", copy, *overlay, "--", SMALL], other)
    assert status == 0 and "lora_parameters" in said, said


@pytest.mark.slow
def test_a_run_from_elsewhere_leaves_its_results_in_the_repository(copy, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "snakemake", "-s", copy / "Snakefile", "--cores", "1"]
    said, status = run([*command, "-d", copy, SMALL], other)
    assert status == 0 and (copy / SMALL).is_file() and not list(other.iterdir()), said


def locale(tmp_path, name):
    """Variables of a locale; one with a charmap is made for the occasion."""
    if "." in name and "nowhere" not in name:
        language, charmap = name.split(".")
        if not (shutil.which("localedef") and CHARMAPS.is_dir()):
            pytest.skip("no localedef or no charmaps here (Debian: the package `locales`)")
        subprocess.run(
            ["localedef", "-i", language, "-f", charmap, tmp_path / name], capture_output=True
        )
        assert (tmp_path / name / "LC_CTYPE").is_file()
        return {"LC_ALL": name, "LOCPATH": str(tmp_path)}
    return {"LC_ALL": name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "encoding"),
    [("ja_JP.EUC-JP", "euc-jp"), ("ja_JP.SHIFT_JIS", "shift-jis"), ("de_DE.ISO-8859-1", "latin-1"),
     ("C", "utf-8"), ("POSIX", "utf-8"), ("xx_XX.nowhere", "utf-8")],
)  # fmt: skip
def test_a_failure_is_told_whatever_the_locale(copy, tmp_path_factory, name, encoding):
    variables = locale(tmp_path_factory.mktemp("locales"), name) | nowhere(copy)
    rows = [f"{arm},問{n},{n}" for arm in "ab" for n in range(3)]
    (copy / "表.csv").write_text("\n".join(["arm,item,score", *rows, "a,問九,八点二"]), "utf-8")
    (copy / "config/claims/own.yaml").write_text(CLAIM, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--profile", "local"]
    said, status = run([*command, "own"], copy, encoding, **variables)
    cause = "表.csv, line 8: score is '八点二', not a finite number"
    shown = cause if encoding != "latin-1" else cause.encode("ascii", "backslashreplace").decode()
    assert status != 0 and shown in said.split("What is done is kept")[0], said
    for trouble in ("UnicodeDecodeError", "UnicodeEncodeError", "Logging error"):
        assert trouble not in said
    assert any(cause in line for line in events.failures(events.read(copy / events.LOG)))
    said, status = run([sys.executable, "-m", "kensho.run.why", "own"], copy, encoding, **variables)
    assert status == 0 and "import_tables_quiz (1)" in said, said


WATCH = """
import os
import sys

SEEN = os.open({seen!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(event, given):
    if event == "open" and isinstance(given[0], str) and given[2] & WRITING:
        os.write(SEEN, (os.path.abspath(given[0]) + chr(10)).encode())
    if event in ("os.mkdir", "os.rename", "os.link", "os.symlink"):
        os.write(SEEN, (os.path.abspath(given[event != "os.mkdir"]) + chr(10)).encode())


sys.addaudithook(watch)
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", ["home closed", "no home", "home and cache closed"])
def test_judging_and_plotting_write_into_the_folder_and_the_caches_alone(
    copy, tmp_path_factory, case
):
    beside = tmp_path_factory.mktemp("beside")
    for name in ("home", "cache", "caches", "tmp", "watch"):
        (beside / name).mkdir()
    watch = WATCH.format(seen=str(beside / "seen"))
    (beside / "watch/sitecustomize.py").write_text(watch, encoding="utf-8")
    closed = {"home": [beside / "home"], "home and cache": [beside / "home", beside / "cache"]}
    for path in closed.get(case.removesuffix(" closed"), []):
        path.chmod(0o555)
    rows = [
        f"{arm},{n},{n % 5 + (arm == 'a') * (2 + n % 3 / 10)}" for arm in "ab" for n in range(12)
    ]
    (copy / "表.csv").write_text("\n".join(["arm,item,score", *rows]), encoding="utf-8")
    (copy / "config/claims/own.yaml").write_text(CLAIM, encoding="utf-8")
    variables = {
        "HOME": str(beside / ("nowhere" if case == "no home" else "home")),
        "KENSHO_CACHE": str(beside / "cache"),
        "XDG_CACHE_HOME": str(beside / "caches"),
        "TMPDIR": str(beside / "tmp"),
        "PYTHONPATH": str(beside / "watch"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for target in ("own", "verify"):
        command = [sys.executable, "-m", "snakemake", "--profile", "local", target]
        said, status = run(unprivileged(command), copy, **variables)
        assert status == 0, said
    seen = {*(beside / "seen").read_text(encoding="utf-8").splitlines()}
    assert any("own_report.html" in path for path in seen)  # it does watch
    places = [copy, *(beside / name for name in ("cache", "caches", "tmp")), "/dev", "/proc"]
    assert [p for p in seen if not any(Path(p).is_relative_to(place) for place in places)] == []
    compiled = copy / ".snakemake" if "cache closed" in case else beside / "cache"
    assert list((compiled / "libraries").iterdir())


CLAIM = """
- id: OWN-1
  source: own
  statement: "甲は乙に勝る"
  quantity: "評点の差"
  unit: points
  claimed: {at_least: 1}
  scope: {models: [a, b], hardware: any}
  required_tier: published
  test:
    design: paired_difference
    outcome: score
    prior: {location: 1, spread: 1}
    experiment: quiz
    external: [{path: 表.csv, format: csv}]
    readings:
      - {label: 平均, treatment: {arm: a, metric: score}, control: {arm: b, metric: score}}
    region: [1, null]
    direction: greater
    sesoi: 0.1
    min_units: 3
    levels: [item]
    family: own
  not_tested: null
"""
