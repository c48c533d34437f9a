"""Directives of the rules: resources, files, and the digests that rerun them."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kensho.fallback import REHEARSAL
from kensho.files import sha256
from kensho.part import Catalogue, Part
from kensho.plan.config import Config
from kensho.plan.forecast import Asked
from kensho.plan.plan import ConfiguredJob
from kensho.run.digest import LIBRARY, code_digest

WORKFLOW = LIBRARY.parent
Resource = Callable[..., int]  # of a job's wildcards and attempt


class Directives:
    """Resources and parameters. ``largest_mb`` is the most that a rule asks for at first."""

    def __init__(self, config: Config):
        self.config, self.largest_mb = config, 0
        self.places: Callable[[], Mapping[str, Sequence[int]]] = dict  # see forecast
        self.gpu: dict[str, Any] = {}  # what a job that uses the accelerator asks of a cluster
        if config.accelerator != "none":
            model = config.cluster.gpu_model
            self.gpu = {"gpu": 1, **({"gpu_model": model} if model else {})}

    def environment(self, name: str) -> str:
        """The conda environment of a rule, as a file of rules/ names it."""
        return f"../envs/{_pins(name, self.config.accelerator).name}"

    def placed(self, rule: str, part: Callable[[Any], str], beside: Resource) -> dict[str, Any]:
        """What jobs that run a model ask: the accelerators of the plan, and memory of a node.

        The weights come on top of the memory ``beside`` them, since they are loaded on the host.
        """
        if not self.gpu:
            return {"mem_mb": beside}

        def place(wildcards) -> Sequence[int]:
            if wildcards is None:  # of no job: what places rest on, see `asked`
                raise AttributeError("a place depends on its job")
            return self.places().get(f"{rule} {part(wildcards)}", (1, 0))

        def memory(wildcards, attempt) -> int:
            return beside(wildcards, attempt) + place(wildcards)[1]

        def devices(wildcards) -> int:
            return place(wildcards)[0]

        def nodes(wildcards) -> int:
            return -(-devices(wildcards) // self.config.cluster.devices_per_node)

        def where_several(one: Callable[[int], Any]) -> Callable[[Any], Any]:
            return lambda wildcards: one(own) if (own := nodes(wildcards)) > 1 else None

        return {
            **self.gpu,
            **{"gpu": devices, "nodes": nodes},
            # One task for each node; the job itself calls srun, as `mpi` tells the plugin.
            **{"mpi": where_several(lambda _: "srun"), "tasks": where_several(int)},
            **{"tasks_per_gpu": where_several(lambda _: 0), "mem_mb": memory},
        }

    def memory(self, megabytes: int) -> Resource:
        """Memory of a job at this scale; a retry asks for as much again."""
        first = max(1, round(megabytes * self.config.cluster.memory))
        self.largest_mb = max(self.largest_mb, first)
        return lambda wildcards, attempt: first * attempt

    def minutes(self, amount: int) -> Resource:
        """Time of a job; a retry asks for as much again, up to what partitions give."""
        cluster = self.config.cluster
        first = max(1, round(amount * cluster.time))
        return lambda wildcards, attempt: min(first * attempt, cluster.longest)

    def resources(self, part: Part) -> dict[str, Any]:
        """Of the rule of one part."""
        return {
            **(self.gpu if part.needs.accelerator else {}),
            "retries_left": retries_left,
            "mem_mb": self.memory(part.needs.memory_mb),
            "runtime": self.minutes(part.needs.minutes),
        }

    def resources_of(self, catalogue: Catalogue, wildcard: str) -> dict[str, Resource]:
        """Of a rule whose wildcard names the part."""
        by_part = {name: self.resources(part) for name, part in catalogue.items()}

        def one(key: str) -> Resource:
            def of_job(wildcards, attempt):
                value = by_part[getattr(wildcards, wildcard)].get(key, 0)
                return value(wildcards, attempt) if callable(value) else value

            return of_job

        return {
            key: one(key) for key in dict.fromkeys(key for own in by_part.values() for key in own)
        }

    def params(self, job: ConfiguredJob, script: str) -> dict[str, Any]:
        """What reruns the job of an experiment, or of what is prepared for one."""
        part = job.part
        own: dict[str, Any] = {"seed": self.config.seed} if part.seeded else {}
        if part.needs.accelerator:
            own["device"] = self.config.accelerator
            own["fallback"] = self.config.accelerator_fallback
            if getattr(part, "judged_on", None):  # it is about the configured one
                own["fallback"] = None
        return own | {
            "code_of": part.code,
            "settings": job.settings,
            "code": lambda wildcards: digest_of_part(script, part),
        }


def retries_left(wildcards, attempt: int) -> int:
    """How often a job that runs out of memory is tried again, with more of it."""
    return max(0, int(os.environ.get("KENSHO_RETRIES", 0)) + 1 - attempt)


def code(script: str, environment: str) -> Callable[[Any], str]:
    """Digest of a script, the library code it reaches and its environment's pins: a rerun trigger.

    Computed for the jobs that there are, not for every rule of every process.
    """
    return lambda wildcards: code_digest(WORKFLOW / "scripts" / script, _pins(environment))


def digest_of_part(script: str, part: Part, *more: Part) -> str:
    """The same of a script that resolves a part, or several."""
    pins = _pins(part.needs.environment)
    return code_digest(WORKFLOW / "scripts" / script, pins, part, *more)


def _pins(environment: str, accelerator: str = "none") -> Path:
    """File of envs/. Those of models differ by torch's build alone, which is no rerun trigger."""
    build = {"none": "cpu"}.get(accelerator, accelerator)
    name = f"{environment}.{build}" if environment in ("models", "vllm") else environment
    return WORKFLOW.parent / f"envs/{name}.yaml"


def digest_of(path: Path | str) -> str:
    """Digest of a file that is not Python, as a rerun trigger."""
    return sha256(path)[:16]


def fingerprint(setting: object) -> str:
    """Digest of a setting that may hold an address: a rerun trigger that records may show."""
    return hashlib.sha256(json.dumps(setting).encode()).hexdigest()[:16]


def any_of(names: Iterable[str]) -> str:
    """Pattern of a wildcard that is one of these names."""
    return "|".join(map(re.escape, names)) or "none"


def asked(rules: Iterable[Any], most_cores: int) -> dict[str, Asked]:
    """What Snakemake's rules ask for a job's first attempt, where that depends on no wildcard."""

    asks = {"attempt": 1, "input": [], "threads": 1, "rulename": "", "async_run": None}

    def one(rule: Any, key: str) -> int | None:
        resource = rule.resources.get(key)
        with suppress(AttributeError):  # of a part its catalogue knows, of a model the forecast
            return resource and resource.evaluate(None, **asks).value
        return None

    return {
        rule.name: Asked(
            one(rule, "runtime"), one(rule, "mem_mb"), min(one(rule, "_cores") or 1, most_cores)
        )
        for rule in rules
    }


def steps(rules: Iterable[Any], folder: str) -> list[tuple[str, str, str, str | None]]:
    """Name, docstring, script and environment of Snakemake's rules, as paths below ``folder``.

    An environment that depends on wildcards is None.
    """

    def inside(rule: Any, file: str) -> str:
        path = rule.basedir.join(file).get_path_or_uri(secret_free=True)
        return os.path.relpath(path, folder)

    return [
        (
            rule.name,
            (rule.docstring or "").strip(),
            inside(rule, rule.script),
            inside(rule, rule.conda_env) if isinstance(rule.conda_env, str) else None,
        )
        for rule in rules
        if rule.script
    ]


def threads(part: Part) -> int:
    return all_cores() if part.needs.cores == "all" else 1


def all_cores() -> int:
    """Of a job that takes all of them; in a rehearsal twins run side by side, on one each."""
    return 1 if REHEARSAL in os.environ else 64


def early(part: Part) -> int:
    """Priority: jobs of one thread run together, before those that take all cores."""
    return 10 if part.needs.cores == "one" else 0


def observation_files(experiment: str, arms: Iterable[str]) -> list[str]:
    """Table and conditions of each arm."""
    folder = f"results/benchmark_data/{experiment}"
    return [f"{folder}/{arm}.{kind}" for arm in arms for kind in ("csv", "conditions.json")]


def source_records(names: Iterable[str]) -> list[str]:
    """Records of fetched sources."""
    return [f"results/sources/{name}/record.json" for name in names]
