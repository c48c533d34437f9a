"""What would run, and because of what: a dry run in plain words. Nothing is changed.

    python -m kensho.run.why [TARGET ...] [any option of Snakemake]

What was edited, touched or removed is set apart from what follows; of a job that follows, Snakemake
seeks no reason of its own. It records parameters without names: values are paired by likeness.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:    .+\n)+)", re.M)
FIELD = re.compile(r"^    (output|reason|wildcards): (.*)$", re.M)
FOLLOWS = "Input files updated by another job"
PARAMS = "Params have changed since last execution"
WORDS = {  # Snakemake's and ours
    "Missing output files": "missing",
    "Incomplete output files": "incomplete",
    "Updated input files": "changed",
    "Set of input files has changed since last execution": "it reads other files than before",
    "Code has changed since last execution": "its script is newer than what it made",
    "Software environment definition has changed since last execution": "its environment",
    "Forced execution": "it was cut short, or is forced",
}
PARTS = re.compile("; (?=" + "|".join([FOLLOWS, PARAMS, *WORDS]) + ")")
UNRECORDED = re.compile(r"^(\d+) jobs have .* provenance.*\nRules with .* metadata: (.*)$", re.M)
LONGEST = 120  # characters of a change that is shown in full
MOST = 4  # names or changes listed of one rule


def causes(reason: str) -> tuple[list[str], dict[str, set[str]]]:
    """What reruns a job: lines, and files by what became of them."""
    lines: list[str] = []
    files: dict[str, set[str]] = defaultdict(set)
    for part in PARTS.split(reason):
        cause, _, listed = part.partition(": ")
        if cause == PARAMS:
            lines += changes(listed)
        elif listed:
            files[WORDS.get(cause, cause)] |= {*listed.split(", ")}
        else:
            lines.append(WORDS.get(cause, cause))
    return lines, files


def changes(text: str) -> list[str]:
    """Lines on the parameters of a job that changed."""
    match = re.search(r"before: (.*) now: (.*)", text)
    if not match:
        return [text]
    old, new = map(_values, match.groups())
    lines: list[str] = []
    for value in old:
        words = {*str(value).split()}
        if alike := [other for other in new if _kind(other) == _kind(value)]:
            other = max(alike, key=lambda other: len(words & {*str(other).split()}))
            new.remove(other)
            lines += _differences(value, other)
        else:
            lines.append(f"no longer {value!s:.{LONGEST}}")
    lines += [f"now also {value!s:.{LONGEST}}" for value in new]
    return lines if len(lines) <= MOST else [*lines[:MOST], f"and {len(lines) - MOST} more"]


def _values(text: str) -> list:
    """Parameters, which Snakemake joins by commas as Python writes them."""
    try:
        return ast.literal_eval(f"[{text.replace('<nothing exclusive>', '')}]")
    except (ValueError, SyntaxError):
        return [text]


def _kind(value) -> str:
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value):
        return "digest"
    if isinstance(value, list) and {_kind(entry) for entry in value} == {"digest"}:
        return "digests"
    return type(value).__name__


def _differences(old, new, where: str = "") -> Iterator[str]:
    """Lines on two values of one kind, down to the keys that differ."""
    kinds, change = {_kind(old), _kind(new)}, f"{old} -> {new}"
    if kinds == {"digest"}:
        yield "its code, or the versions in its environment"
    elif kinds == {"digests"}:
        yield "a template or prompt that it uses"
    elif kinds == {"dict"}:
        for key in {**old, **new}:
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), f"{where}.{key}".strip("."))
    elif kinds == {"list"} and len(old) == len(new) and {*map(_kind, [*old, *new])} == {"dict"}:
        for one, other in zip(old, new, strict=True):
            name = one.get("id") or one.get("name") or "entry"
            yield from _differences(one, other, f"{where}.{name}".strip("."))
    else:
        yield f"{where or 'a setting'}: {change if len(change) <= LONGEST else 'changed'}"


def _few(names: Iterable[str], between: str = ", ") -> str:
    names = sorted(names)
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return between.join(names[:MOST]) + more


def explained(dry_run: str) -> str:
    """The whole answer."""
    jobs = [(rule, dict(FIELD.findall(block))) for rule, block in JOB.findall(dry_run)]
    jobs = [(r, j) for r, j in jobs if "output" in j or FOLLOWS not in j["reason"]]  # no targets
    makers = {path: rule for rule, job in jobs for path in job.get("output", "").split(", ")}
    rules = defaultdict(list)
    for rule, job in jobs:
        rules[rule].append(job)
    changed: list[str] = []
    following: list[str] = []
    for rule, members in rules.items():
        causes_of: Counter[str] = Counter()
        files: dict[str, set[str]] = defaultdict(set)
        for job in members:
            own, named = causes(job["reason"])
            causes_of.update(dict.fromkeys(own, 1))
            for change, paths in named.items():
                files[change] |= paths
        after = {makers[path] for path in files.pop(FOLLOWS, ()) if path in makers}
        names = ["/".join(re.findall(r"=([^,]+)", job.get("wildcards", ""))) for job in members]
        listed = _few(filter(None, names))
        block = [f"  {rule} ({len(members)}{': ' if listed else ''}{listed})"]
        for line, times in causes_of.items():
            block.append(f"    {line}" + (f" ({times} of them)" if times < len(members) else ""))
        block += [f"    {change}: {_few(paths)}" for change, paths in files.items()]
        block += [f"    after {', '.join(sorted(after))}"] if after else []
        (changed if causes_of or files else following).extend(block)
    text = [f"{len(jobs)} to run" if jobs else "nothing: every result is up to date"]
    text += ["changed or missing:", *changed] if changed else []
    text += ["following from that:", *following] if following else []
    for count, unrecorded in dict.fromkeys(UNRECORDED.findall(dry_run)):
        text.append(f"{count} jobs left no record: no edit of code or settings reruns {unrecorded}")
    return "\n".join(text)


def command_line() -> argparse.Namespace:
    """The arguments of this Snakemake, with its profile's; rules are read before it sets them."""
    from snakemake.cli import parse_args

    words = sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]
    if sum(word.startswith("--configfile") for word in words) > 1:
        raise ValueError(
            "--configfile stands twice, and the last alone is read; name all after one"
        )
    with contextlib.redirect_stderr(io.StringIO()):  # it names the profile once more
        return parse_args(sys.argv[1:])[1]


def outdated(
    files: Sequence[str], command: argparse.Namespace, snakefile: str, config: Mapping
) -> dict[str, str]:
    """Why this command, with the configuration that it led to, would make some files anew.

    Nothing is raised: where Snakemake cannot tell, that is the reason.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(config, file, default=str)
        file.flush()
        options = {
            "--profile": ["none"],
            "--snakefile": [snakefile],
            "--configfile": [file.name],
            "--rerun-triggers": command.rerun_triggers,
            "--max-checksum-file-size": [command.max_checksum_file_size],
            "--software-deployment-method": command.software_deployment_method,
            "--conda-prefix": [command.conda_prefix] if command.conda_prefix else [],
            "--cores": [1],
        }
        words = [
            str(word) for name, values in options.items() if values for word in (name, *values)
        ]
        flags = ["--replace-workflow-config", "--rerun-incomplete", "--nolock"]
        status, output = dry_run([*words, *flags, "--", *files], PYTHONHASHSEED="0")
    if status:
        lines = [line for line in output.splitlines() if line and not line.startswith("  File")]
        cause = lines[-1].strip() if lines else f"Snakemake ended with status {status}"
        return dict.fromkeys(files, f"could not be checked: {cause}")
    makers = {
        path: (rule, fields["reason"])
        for rule, fields in (
            (rule, dict(FIELD.findall(block))) for rule, block in JOB.findall(output)
        )
        for path in fields.get("output", "").split(", ")
    }
    return {path: _few(_changed(path, makers, set()), "; ") for path in files if path in makers}


def _changed(path: str, makers: Mapping, seen: set[str]) -> set[str]:
    """What has changed of a file's job and of those before it, each with the name of its rule."""
    rule, reason = makers[path]
    lines, files = causes(reason)
    before = files.pop(FOLLOWS, set()).intersection(makers) - seen
    seen |= before
    own = [*lines, *(f"{change}: {_few(paths)}" for change, paths in files.items())]
    return {f"{rule}: {line}" for line in own}.union(
        *(_changed(path, makers, seen) for path in sorted(before))
    )


def dry_run(arguments: Sequence[str], **environment: str) -> tuple[int, str]:
    """Status and words of a dry run of Snakemake."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", **environment},
    )
    return done.returncode, done.stdout


def main(arguments: list[str]) -> None:
    profile = [] if "--profile" in arguments else ["--profile", "local"]
    status, text = dry_run([*profile, *arguments])
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    print(text if status else explained(text))
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
