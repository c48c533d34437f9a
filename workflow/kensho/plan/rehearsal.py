"""A rehearsal: the whole DAG of a configuration on twins, a few rows and single steps.

It works in a folder of its own, whose observations no verdict can rest on; see docs/rehearsal.md.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kensho.data import hub
from kensho.fallback import REHEARSAL
from kensho.models import catalogue
from kensho.run import budget
from kensho.run.events import Event
from kensho.validation import read_yaml

if TYPE_CHECKING:
    from kensho.plan.load import Run

FOLDER = Path("rehearsal")
SIZES = "config/rehearsal.yaml"
LINKED = ("config", "profiles", "resources")  # read from the folder that a run works in
AFTER = {"rocm": ["cuda", "none"], "cuda": ["none"], "none": []}  # it computes on what there is
Raw = dict[str, Any]


def asked(targets: Collection[str] | None) -> bool:
    """Whether this is a rehearsal: its head is told by the target, its jobs by the environment."""
    if targets is None:
        return REHEARSAL in os.environ
    os.environ.pop(REHEARSAL, None)  # whatever the user's says
    return "rehearsal" in targets


def begin(config: Raw, files: list[Path | str]) -> str:
    """Reduce the configuration in place to what a rehearsal takes, and make its folder.

    ``files``, those of the configuration, are then named from everywhere. Jobs of this process
    inherit that it is a rehearsal.
    """
    files[:] = map(os.path.abspath, files)
    os.environ[REHEARSAL] = "1"
    config.update(smallest(config, read_yaml(Path(SIZES))))
    FOLDER.mkdir(exist_ok=True)
    for name in LINKED:
        link = FOLDER / name
        if not link.is_symlink():
            link.symlink_to(Path("..") / name, target_is_directory=True)
    kept = FOLDER / ".snakemake"
    for name in ("conda", "singularity"):  # environments and images are those of the real run
        if Path(".snakemake", name).is_dir() and not (kept / name).exists():
            kept.mkdir(exist_ok=True)
            (kept / name).symlink_to(Path("../../.snakemake") / name, target_is_directory=True)
    return str(FOLDER)


def smallest(raw: Mapping[str, Any], sizes: Mapping[str, Any]) -> Raw:
    """The configuration with the sizes of a rehearsal: its arms on no more than there are."""
    small = _laid_over(raw, sizes)
    small["accelerator_fallback"] = AFTER.get(str(raw.get("accelerator", "none")), [])
    rows = small["data"]["train"]
    arms = [arm for key in ("arms", "recipes") for arm in small["train"].get(key) or []]
    for stage in (stage for arm in arms for stage in arm["stages"]):
        if "method" in stage:  # it trains
            if stage.get("corpus") != "augmented":
                stage["samples"] = min(stage.get("samples") or rows, rows)
            stage |= dict.fromkeys(("batch_size", "steps", "max_length"))  # the common ones
            stage["accumulation"] = min(stage.get("accumulation", 1), 2)
        if stage["stage"] == "grpo":
            stage |= {"group": 2, "new_tokens": 48}  # any step holds whole ones, of any prompts
        if stage["stage"] == "expand":
            stage["pieces"] = min(stage.get("pieces", rows), rows // 3)  # all that few rows teach
        if stage.get("mixture"):  # of corpora that are not rehearsed
            stage["mixture"] = None
    for key, place in (small.get("paths") or {}).items():
        if place and not str(place).startswith(("~", "/")):
            small["paths"][key] = str(Path(place).absolute())
    return small


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Raw:
    both = {k: v for k, v in above.items() if isinstance(v, Mapping)}
    merged = {k: _laid_over(below.get(k) or {}, v) for k, v in both.items()}
    return {**_copy(below), **above, **merged}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def faults(run: "Run") -> Iterator[str]:
    """What would keep a real run from having its models, which twins hide."""
    for name in run.used:
        model = run.models[name]
        if model.files:
            continue
        if reasons := catalogue.obstacle(model, run.config.licences):
            yield f"{name}: {'; '.join(reasons)}"
        locked = run.lock.get(model.hub or "")
        if (model.gated or (locked and locked.gated)) and not hub.has_token():
            yield f"{name} is gated, and there is no token: accept its terms and set HF_TOKEN"


def as_table(past: Sequence[Event], needs: Mapping[str, str], faults: Sequence[str]) -> str:
    """What ran and what failed, with every cause, by rule; what could not; and what else is wrong.

    ``needs`` says by rule what it lacks here.
    """
    attempts = budget.attempts(past)
    by_rule: dict[str, list[Event]] = {}
    for attempt in attempts:
        by_rule.setdefault(attempt.rule, []).append(attempt)
    width = max(map(len, [*by_rule, *needs, "rule"]))
    lines = [f"{'rule':{width}} {'ran':>5} {'failed':>6} {'s':>7}"]
    for rule, own in by_rule.items():
        last = {attempt.job: attempt for attempt in own}.values()
        failed = [attempt for attempt in last if attempt.event != "finished"]
        took = sum(attempt.took for attempt in own)
        lines.append(f"{rule:{width}} {len(last) - len(failed):5} {len(failed):6} {took:7.0f}")
        lines += [f"  {attempt.job}: {attempt.cause or 'did not end'}" for attempt in failed]
    lines += [f"{rule:{width}}   needs {lacking}" for rule, lacking in needs.items()]
    if faults:
        lines += ["", "what a real run would stop at:", *(f"  {line}" for line in faults)]
    return "\n".join(lines)
