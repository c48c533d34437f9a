"""What rules read and write, seen by an audit hook in the processes of their jobs.

Opened, listed, renamed, made and removed paths below results/, config/ and resources/ are held
against what each job declares. Only Python's own calls are seen: not those that other programs
and libraries (safetensors, netCDF) make by themselves.
"""

import json
import os
import re
from pathlib import Path

SITE = """
import atexit, json, os, sys

TRACE, ROOT = {trace!r}, {root!r}
LOOKED_AT = tuple(os.path.join(ROOT, name) + os.sep for name in ("results", "config", "resources"))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PLACES = {{"os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,), "os.mkdir": (0,),
          "os.remove": (0,)}}
seen = set()


def note(mode, path):
    if not isinstance(path, (str, bytes, os.PathLike)):
        return
    path = os.path.abspath(os.fsdecode(path))
    if path.startswith(LOOKED_AT) and (mode, path) not in seen:
        seen.add((mode, path))
        os.write(FILE, (json.dumps([mode, os.path.relpath(path, ROOT)]) + chr(10)).encode())


def hook(event, given):
    if event == "open":
        note("writes" if given[2] & WRITING else "reads", given[0])
    elif event in ("os.listdir", "os.scandir"):
        note("reads", given[0])
    elif event in PLACES:
        for place in PLACES[event]:
            note("writes", given[place])


def plain(value):
    if isinstance(value, dict):
        return [plain(item) for item in value.values()]
    return value if isinstance(value, str) else [*map(plain, value)] if hasattr(
        value, "__iter__") else []


def declare():
    job = sys.modules["__main__"].snakemake
    said = {{key: plain(getattr(job, key)) for key in ("input", "output", "params")}}
    with open(os.path.join(TRACE, JOB + ".json"), "w") as file:
        json.dump({{"rule": job.rule, **said}}, file)


script = next((a for a in sys.orig_argv if "/.snakemake/scripts/" in a), None)
if script and "TRACED_JOB" not in os.environ:
    os.environ["TRACED_JOB"] = JOB = os.path.basename(script)  # ids of processes come again
    atexit.register(declare)
if JOB := os.environ.get("TRACED_JOB"):  # this process, or one that began it
    FILE = os.open(os.path.join(TRACE, JOB + ".lines"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sys.addaudithook(hook)
"""
# What rules read or write beside what they declare: rule, path, and why.
ALLOWED = [
    (".*", "config/claims(/.*)?", "claims as they stand, to be stored: they rerun nothing"),
    ("fetch", "config/sources.yaml", "what of it matters is in the params"),
    ("fetch_model", "config/models.yaml", "what of it matters is in the params"),
    ("verify", "(results|config/claims)(/.*)?", "whatever results there are"),
    ("train_stage", r"results/train/.*\.checkpoints(/.*)?", "kept for a rerun after a kill"),
    (r"\w+", r"results/bench(/\w+\.jsonl)?", "kept for a rerun after a kill"),
    ("jlce_arm|jlce_preference", "results/jlce/journals(/.*)?", "kept for a rerun after a kill"),
]
TEMPORARY = re.compile(r"^\.(.+)\.(\d+|partial)$")  # takes the name in the middle when complete


def tracing(folder: Path, root: Path) -> dict[str, str]:
    """Variables under which the jobs of a workflow in ``root`` leave their traces in ``folder``."""
    folder.mkdir(exist_ok=True)
    site = SITE.format(trace=str(folder), root=str(root.resolve()))
    (folder / "sitecustomize.py").write_text(site, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def undeclared(folder: Path) -> list[str]:
    """A line for each path that a traced job read or wrote without declaring it."""
    found = []
    for path in folder.glob("*.json"):
        job = json.loads(path.read_text(encoding="utf-8"))
        lines = path.with_suffix(".lines").read_text(encoding="utf-8").splitlines()
        for mode, touched in map(json.loads, lines):
            if not _declared(job, mode, touched) and not _allowed(job["rule"], touched):
                found.append(f"{job['rule']} {mode} {touched}")
    return sorted(set(found))


def traced(folder: Path) -> set[str]:
    """Rules of which a job was traced."""
    return {json.loads(path.read_text(encoding="utf-8"))["rule"] for path in folder.glob("*.json")}


def _declared(job: dict, mode: str, touched: str) -> bool:
    files = {*_flat(job["output"]), *_flat(job["params"])}
    if mode == "reads":
        files |= {*_flat(job["input"])}
    # a record stands for the one file that it pins, beside it
    folders = files | {str(Path(f).parent) for f in files if f.endswith("/record.json")}
    name = Path(*(TEMPORARY.sub(r"\1", part) for part in Path(touched).parts))
    name = name.with_suffix("") if name.suffix == ".sha256" else name  # made and checked with it
    inside = any(str(place) in folders for place in (name, *name.parents))
    return inside or any(name in Path(file).parents for file in files)  # a folder on the way


def _allowed(rule: str, touched: str) -> bool:
    return any(re.fullmatch(r, rule) and re.fullmatch(p, touched) for r, p, _ in ALLOWED)


def _flat(value) -> list[str]:
    return [value] if isinstance(value, str) else [one for item in value for one in _flat(item)]
