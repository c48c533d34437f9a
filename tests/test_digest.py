"""The digest sees what changes behaviour, wherever it is imported from, and nothing else."""

import ast
from dataclasses import replace

import pytest
from kensho.augment.catalogue import TECHNIQUES
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.part import resolve
from kensho.run import digest
from kensho.train.catalogue import METHODS, STAGES

WORKFLOW = digest.LIBRARY.parent
LIBRARY = {
    "__init__.py": "",
    "near.py": "from kensho.part.far import f\n\ndef g():\n    return f() + 1\n",
    "lazy.py": "def h():\n    from kensho.part import late\n    return late.x\n",
    "apart.py": "y = 1\n",
    "part/__init__.py": "",
    "part/far.py": 'def f():\n    """Two."""\n    return 2\n',
    "part/late.py": "x = 3\n",
    "other/__init__.py": "",
    "other/far.py": "z = 4\n",
    "run/__init__.py": "",
    "run/job.py": "v = 6\n",
}
FOR_TYPES = "if TYPE_CHECKING:\n    from kensho.apart import y\n\n"
SCRIPT = """import kensho.lazy
from kensho.near import g
from kensho.run import job

print(g(), kensho.lazy.h())
"""


@pytest.fixture
def digest_with(tmp_path, monkeypatch):
    """Digest of the script over a library with some files replaced."""
    count = iter(range(99))

    def compute(changes=None, script=SCRIPT):
        root = tmp_path / f"{next(count)}"
        for name, text in (LIBRARY | (changes or {})).items():
            path = root / "kensho" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (root / "script.py").write_text(script, encoding="utf-8")
        monkeypatch.setattr(digest, "LIBRARY", root / "kensho")
        return digest.code_digest(root / "script.py")

    return compute


SAME = {
    "comment": {"near.py": "# why\n" + LIBRARY["near.py"] + "# the end\n"},
    "module docstring": {"near.py": '"""What."""\n' + LIBRARY["near.py"]},
    "function docstring": {"part/far.py": LIBRARY["part/far.py"].replace("Two.", "Deux.")},
    "docstring taken away": {"part/far.py": "def f():\n    return 2\n"},
    "layout": {"near.py": LIBRARY["near.py"].replace("f() + 1", "(\n        f()  +  1\n    )")},
    "import for types": {"near.py": FOR_TYPES + LIBRARY["near.py"]},
    "module that is imported for types": {
        "near.py": FOR_TYPES + LIBRARY["near.py"],
        "apart.py": "y = 3\n",
    },
    "module that is not imported": {"apart.py": "y = 2\n"},
    "module of the same name elsewhere": {"other/far.py": "z = 5\n"},
    "new module": {"part/more.py": "w = 6\n"},
    "what runs jobs": {"run/job.py": "v = 7\n"},
}
OTHER = {
    "imported": {"near.py": LIBRARY["near.py"].replace("+ 1", "+ 2")},
    "imported by an imported one": {"part/far.py": LIBRARY["part/far.py"].replace("2\n", "5\n")},
    "imported inside a function": {"lazy.py": LIBRARY["lazy.py"].replace("late.x", "-late.x")},
    "lazily and transitively": {"part/late.py": "x = 4\n"},
    "package": {"part/__init__.py": "import os\n"},
    "top package": {"__init__.py": "import os\n"},
    "string that is no docstring": {"near.py": LIBRARY["near.py"] + "s = 'text'\n"},
    "default": {"part/far.py": "def f(a=1):\n    return 2\n"},
}


@pytest.mark.parametrize("case", SAME)
def test_what_changes_no_behaviour_keeps_the_digest(digest_with, case):
    assert digest_with(SAME[case]) == digest_with()


@pytest.mark.parametrize("case", OTHER)
def test_a_change_in_reachable_code_changes_the_digest(digest_with, case):
    assert digest_with(OTHER[case]) != digest_with()


def test_the_script_itself_counts(digest_with):
    assert digest_with(script=SCRIPT.replace("g()", "g() + 1")) != digest_with()
    assert digest_with(script="# why\n" + SCRIPT) == digest_with()


def test_two_imports_that_need_each_other_end(digest_with):
    circle = {"near.py": "import kensho.lazy\n", "lazy.py": "import kensho.near\n"}
    assert digest_with(circle) != digest_with()


def reached(path):
    return {file.relative_to(WORKFLOW).as_posix() for file in digest.reachable(path)}


def test_judging_reaches_the_sampler_but_no_experiment():
    names = reached(WORKFLOW / "scripts/stats/judge.py")
    assert {"scripts/stats/judge.py", "kensho/stats/bayesian.py", "kensho/files.py"} <= names
    assert not any(name.startswith(("kensho/bench", "kensho/train")) for name in names)


@pytest.mark.parametrize(
    ("part", "never"),
    [
        ("stats", ("bench/", "jlce/", "train/")),
        ("claims", ("stats/", "bench/", "jlce/", "train/")),
        ("bench", ("stats/",)),
        ("jlce", ("stats/",)),
        ("evaluate", ("jlce/", "bench/", "stats/")),
        ("train", ("stats/",)),
        ("train", ("plan/", "claims/")),
        ("augment", ("plan/", "claims/", "train/", "bench/")),
    ],
)
def test_dependencies_point_one_way(part, never):
    modules = sorted((WORKFLOW / "kensho" / part).rglob("*.py"))
    assert modules
    for path in modules:
        names = {name.removeprefix("kensho/") for name in reached(path)}
        names -= {path.relative_to(WORKFLOW / "kensho").as_posix()}
        assert not [name for name in names if name.startswith(never)], path


CATALOGUES = (TECHNIQUES, METHODS, STAGES, EXPERIMENTS, PREPARATIONS)
PARTS = [part for catalogue in CATALOGUES for part in catalogue.values()]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_no_part_reaches_a_catalogue_settings_or_the_plan(part):
    """Else an addition, or another part's setting, would measure everything anew."""
    names = reached(WORKFLOW / f"{part.code.partition(':')[0].replace('.', '/')}.py")
    others = {f"kensho/bench/{name}.py" for name in ("settings", "study_settings", "catalogue")}
    others |= {"kensho/bench/studies.py", "kensho/bench/experiment.py"}
    others |= {"kensho/augment/catalogue.py"}
    if part.name != "regret":  # it judges a choice among methods
        others |= {"kensho/train/catalogue.py", "kensho/train/methods/settings.py"}
    assert not names & others and not any(
        name.startswith(("kensho/plan", "kensho/claims")) for name in names
    )
    assert callable(resolve(part.code)) or part.name in METHODS


def test_the_library_does_not_know_what_runs_its_jobs():
    """What shows runs apart: the plan, the page, the crate; digests do not look there."""
    for path in sorted((WORKFLOW / "kensho").rglob("*.py")):
        name = path.relative_to(WORKFLOW / "kensho").as_posix()
        if name.startswith(("run/", "plan/", "provenance/")) or name == "report/inputs.py":
            continue
        imported = set(digest._imported(ast.parse(path.read_text(encoding="utf-8"))))
        assert not [module for module in imported if f"{module}.".startswith("kensho.run.")], path


def test_a_part_counts_with_its_files_and_apart_from_others():
    script, pins = WORKFLOW / "scripts/technique.py", None
    digests = [digest.code_digest(script, pins, part) for part in TECHNIQUES.values()]
    modules = {part.code.split(":")[0] for part in TECHNIQUES.values()}
    assert len({*digests, digest.code_digest(script, pins)}) == len(modules) + 1
    medical = EXPERIMENTS["medical"]
    without = replace(medical, files=())
    assert digest.code_digest(script, pins, medical) != digest.code_digest(script, pins, without)


def test_imports_are_written_so_that_the_digest_sees_them():
    for path in sorted(WORKFLOW.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        assert not [n for n in nodes if n.level or n.names[0].name == "*"], path
        resolving = path.name == "part.py"  # whose parts the digest is told of
        assert resolving or ("import_module" not in text and "__import__" not in text), path
