"""Before a run, what each of its jobs will take: seconds, memory, devices, disk and dollars.

How much they compute: :mod:`kensho.plan.work`; how fast: :mod:`kensho.plan.rates`; and what they
hold: :mod:`kensho.plan.memory`. Of other jobs what their rule asks for is known, which is the most
that they may take.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from kensho.augment.catalogue import TECHNIQUES, models_of
from kensho.bench.catalogue import PREPARATIONS
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.models.lock import MEND, Lock
from kensho.part import Part
from kensho.plan import domain, judging, memory
from kensho.plan import work as works
from kensho.plan.config import Config
from kensho.plan.memory import Size, size_of
from kensho.plan.plan import Plan
from kensho.plan.rates import Machine, dtype_of
from kensho.plan.work import Work
from kensho.run.budget import Foreseen
from kensho.run.events import Held
from kensho.train.catalogue import STAGES
from kensho.train.plan import BYTES

PLACES = "KENSHO_PLACES"  # variable by which jobs inherit what the head planned for each
SPREAD = ("evaluate", "jlce_arm", "judging_answers")  # layers of a model, over several devices
FILLED = 0.9  # of a device's memory: the rest is the allocator's and the libraries'


class Asked(NamedTuple):
    """What a rule asks for one job; None where it asks nothing."""

    minutes: int | None
    memory_mb: int | None
    cores: int = 1


WITHOUT = 60  # minutes of a job that asks for no limit, as partitions often give


@dataclass(frozen=True)
class Known:
    """What a forecast rests on beside configuration and plan.

    ``machine`` runs the jobs that use the configured accelerator, ``processor`` the others;
    ``asked`` are limits by rule, ``jobs`` those planned by rule (None: every job of the rules that
    follow from the configuration).
    """

    models: Mapping[str, Model]
    lock: Lock
    cards: Mapping[str, Card]
    machine: Machine
    processor: Machine = field(default_factory=Machine)
    cores: int = 1  # of a torch job
    asked: Mapping[str, Asked] = field(default_factory=dict)
    jobs: Mapping[str, int] | None = None
    network: float | None = None  # bytes per second
    durations: Mapping[str, float] = field(default_factory=dict)  # seconds of jobs without a model


@dataclass(frozen=True)
class Job:
    """Jobs of one rule that are alike. What is None cannot be foreseen: ``why`` says the reasons.

    ``seconds`` are of one job on its ``devices`` (0: on a processor), ``memory_bytes`` of these
    together, ``host_bytes`` of the weights that the processes of a node load before, ``disk_bytes``
    of those that it fetches or leaves; ``usd`` of all ``jobs``. With ``limit``, seconds and memory
    are what the rule asks for: at most that.
    """

    rule: str
    part: str
    model: str
    jobs: int
    seconds: float | None = None
    memory_bytes: float | None = None
    devices: int | None = None
    host_bytes: float = 0
    disk_bytes: float | None = 0
    usd: float | None = None
    limit: bool = False
    unfit: bool = False  # no number of devices holds it
    why: str = ""

    @property
    def on_one_device(self) -> float:
        """Seconds of all jobs on one device, 0 where they are not known."""
        return (self.seconds or 0.0) * self.jobs * max(1, self.devices or 0)


def forecast(config: Config, plan: Plan, known: Known) -> list[Job]:
    """Rows of all jobs that the configuration leads to, or of those planned."""
    jobs = _Jobs(config, plan, known)
    rows, planned = list(jobs.rows()), known.jobs
    if planned is None:
        return rows
    others = sorted({*planned} - {row.rule for row in rows})
    return [
        *(row for row in rows if row.rule in planned),
        *(jobs.limited(Job(rule, "", "", planned[rule]), known.asked.get(rule)) for rule in others),
    ]


class _Jobs:
    """The rows of a configuration."""

    def __init__(self, config: Config, plan: Plan, known: Known):
        self.config, self.plan, self.known = config, plan, known
        self.dtype = dtype_of(config)
        self.sizes: dict[str, Size] = {}

    def rows(self) -> Iterator[Job]:
        config, plan, asked = self.config, self.plan, self.known.asked
        trained, seeds = {arm.name for arm in config.train.trained}, len(config.train.seeds)
        run = [name for name in works.EXPERIMENTS if name in plan.experiments]
        models = [works.base(config, arm) for arm in plan.arms["evaluation"]]
        models += [works.run_by(config, name) for name in run]
        models += domain.adapted(config.domain).values()
        for name in works.techniques(config):
            models += models_of(getattr(config.augmentation, name))
        yield from map(self.had, dict.fromkeys(models))
        for name in config.augmentation.techniques:
            yield self.limited(Job("augment_technique", name, "", 1), self.of(TECHNIQUES[name]))
        for own in config.train.trained:
            model = works.base(config, own.name)
            for folder, stage in zip(plan.stages[own.name], own.stages, strict=True):
                row, part = Job("train_stage", folder, model, seeds), STAGES[stage.stage]
                if not folder.startswith(f"{own.name}/"):
                    continue  # trained for another arm
                if not hasattr(stage, "method"):
                    yield self.limited(row, self.of(part), device=True)
                else:
                    yield self.run(row, works.stage(config, stage), self.of(part))
        beside = [arm.name for arm in config.train.recipes] if plan.stage == "whole" else []
        for arm in (*plan.evaluated, *beside):
            work = works.evaluation(config, seeds if arm in trained else 1)
            row = Job("evaluate", arm, works.base(config, arm), 1)
            yield self.run(row, work, asked.get("evaluate"))
        for arm in plan.arms["jlce"]:
            work = works.sixteen_tasks(config, config.jlce.seeds if arm in trained else 1)
            row = Job("jlce_arm", arm, works.base(config, arm), 1)
            yield self.run(row, work, asked.get("jlce_arm"))
        for arm in judging.writers(config):
            row = Job("judging_answers", arm, works.base(config, arm), 1)
            yield self.run(row, works.judged(config, arm), asked.get("judging_answers"))
        for name in plan.preparations:
            row = Job(name, "", "", 1)
            if PREPARATIONS[name].folders:
                row = replace(row, disk_bytes=None, why="the size of what it makes is not foreseen")
            yield self.limited(row, self.of(PREPARATIONS[name]))
        for name, job in plan.experiments.items():
            limit, device = self.of(job.part), job.part.needs.accelerator
            if name in run:
                work = works.EXPERIMENTS[name](getattr(config.bench, name), config.train.max_length)
                yield self.run(Job(name, "", works.run_by(config, name), 1), work, limit, device)
            else:
                yield self.limited(Job(name, "", "", 1), limit, device)

    def of(self, part: Part) -> Asked:
        """What the rule of a part asks at this scale."""
        needs, cluster = part.needs, self.config.cluster
        cores = self.known.cores if needs.cores == "all" else 1
        minutes, megabytes = needs.minutes * cluster.time, needs.memory_mb * cluster.memory
        return Asked(round(minutes), round(megabytes), cores)

    def had(self, name: str) -> Job:
        """Fetching a model of the hub, or unpacking one of a package."""
        model, network = self.known.models.get(name), self.known.network
        if model and model.files and model.card:
            size = BYTES["float32"] * self.size(name).parameters
            row = Job("convert_model", name, name, 1, disk_bytes=size)
            return self.limited(row, self.known.asked.get("convert_model"))
        row = Job("fetch_model", name, name, 1, devices=0, disk_bytes=None)
        locked = self.known.lock.get(model.hub or "") if model else None
        if locked:
            size = sum(file.bytes for file in locked.files.values())
        elif model and model.card:  # published in 16 bit
            size = BYTES["bfloat16"] * self.size(name).parameters
            row = replace(row, why=f"{name}: not locked, its bytes follow from its card; {MEND}")
        else:
            return self.limited(replace(row, why=f"{name}: not locked; {MEND}"), None)
        row = replace(row, disk_bytes=size, seconds=network and size / network)
        return self.paid(row, 1) if network else replace(row, why="no rate of the network is known")

    def run(self, row: Job, work: Work, asked: Asked | None, device: bool = True) -> Job:
        """A job that runs a model: on the accelerator, unless ``device`` is false."""
        on = self.known.machine if device else self.known.processor
        accelerated = device and self.config.accelerator != "none"
        try:
            size = self.size(row.model)
            need = memory.peak(size, work, self.dtype)
            most = self.most_devices(row.rule) if accelerated else 1
        except ValueError as error:
            row = replace(row, disk_bytes=None, why=str(error))
            return self.limited(row, asked, device)
        row = replace(row, memory_bytes=need)
        if work.training and row.rule == "train_stage":
            row = replace(row, disk_bytes=memory.trained(size, work.training, self.dtype)[1])
        counts = [2**power for power in range(most.bit_length())]
        node = self.config.cluster.devices_per_node
        counts = [count for count in counts if count <= node or count % node == 0]
        holds = FILLED * (on.memory_bytes or 0)
        if row.rule == "train_stage":
            counts = [count for count in counts if work.rows % count == 0]
        parts = {count: memory.peak(size, work, self.dtype, count) for count in counts}
        fitting = [count for count in counts if parts[count] <= holds]
        if on.memory_bytes and not fitting:
            batch = work.training or work
            return replace(
                row,
                unfit=True,
                why=f"{row.rule} {row.part}: a batch of {batch.batch} x {batch.length:.0f} tokens "
                f"of {row.model} needs {parts[counts[-1]] / 1e9:.0f} GB on each of "
                f"{counts[-1]} device(s), which hold {holds / 1e9:.0f} GB; lower batch or length",
            )
        row = replace(row, devices=next(iter(fitting), None) if accelerated else 0)
        processes = min(node, row.devices or 1) if row.rule == "train_stage" else 1
        whole = work.training and work.training.by.whole
        held = "float32" if whole else self.dtype
        loaded = processes * size.parameters * BYTES[held]
        row = replace(row, host_bytes=loaded if accelerated else need)
        # Trainings share their rows; of layers that are spread one device works at a time.
        sharing = row.devices or 1 if row.rule == "train_stage" else 1
        seconds = on.seconds(work, size, self.dtype, sharing)
        if seconds is None:
            return self.limited(replace(row, why=on.why), asked, device)
        return self.paid(replace(row, seconds=seconds), self.known.cores)

    def most_devices(self, rule: str) -> int:
        """Of one job: trainings share their weights, what evaluates spreads its layers."""
        cluster = self.config.cluster
        if rule == "train_stage":
            return cluster.devices_per_node * cluster.nodes
        return cluster.devices_per_node if rule in SPREAD else 1

    def limited(self, row: Job, asked: Asked | None, device: bool = False) -> Job:
        """A job that runs no model: what such jobs took, else what its rule asks for."""
        taken = self.known.durations.get(row.rule)
        if taken and self.config.scale == "embedded":  # more data take longer
            megabytes = asked.memory_mb if asked and asked.memory_mb else None
            row = replace(row, seconds=taken, memory_bytes=megabytes and megabytes * 10**6)
            return self.paid(replace(row, devices=0), asked.cores if asked else 1)
        asked = asked or Asked(None, None)
        memory_bytes, devices = row.memory_bytes, row.devices
        if memory_bytes is None and asked.memory_mb:
            memory_bytes = asked.memory_mb * 10**6
        if devices is None:
            devices = int(device and self.config.accelerator != "none")
        seconds = 60 * (asked.minutes or WITHOUT)
        row = replace(row, seconds=seconds, memory_bytes=memory_bytes, devices=devices)
        return self.paid(replace(row, limit=True), asked.cores)

    def paid(self, row: Job, cores: int) -> Job:
        held = Held(cores, row.devices or 0, self.config.accelerator)
        price = self.config.budget.prices.per_hour(held)
        hours = (row.seconds or 0.0) * row.jobs / 3600
        return replace(row, usd=price * hours if price else None)  # what has no price is not free

    def size(self, name: str) -> Size:
        """Raises ValueError where a model, or its card, is not known."""
        if name not in self.sizes:
            model = self.known.models.get(name)
            if model is None:
                raise ValueError(f"{name}: not in config/models.yaml")
            if model.card is None:
                raise ValueError(f"{name}: no card in resources/architectures.yaml")
            self.sizes[name] = size_of(self.known.cards[model.card])
        return self.sizes[name]


# --- what a forecast says


def by_rule(rows: Sequence[Job]) -> dict[str, Foreseen]:
    """Means of one job of each rule of which every row is known."""
    rules: dict[str, list[Job]] = {}
    for row in rows:
        rules.setdefault(row.rule, []).append(row)
    means = {}
    for rule, own in rules.items():
        if all(row.seconds for row in own):
            jobs = sum(row.jobs for row in own)
            means[rule] = Foreseen(
                sum(row.jobs * (row.seconds or 0) for row in own) / jobs,
                sum(row.jobs * (row.devices or 0) for row in own) / jobs,
                sum(row.usd or 0 for row in own) / jobs,
                any(row.limit for row in own),
            )
    return means


def unfit(rows: Sequence[Job]) -> list[str]:
    """Why jobs cannot run as they are configured."""
    return [row.why for row in rows if row.unfit]


def places(rows: Sequence[Job]) -> dict[str, tuple[int, int]]:
    """Accelerators, and megabytes of the weights on the host, by rule and part of each job."""
    return {
        f"{row.rule} {row.part}": (row.devices or 1, round(row.host_bytes / 1e6))
        for row in rows
        if row.host_bytes and not row.unfit
    }


def as_table(rows: Sequence[Job]) -> str:
    """The rows as text, with their sums, and below them what is not foreseen, and why."""
    wide = max((len(f"{row.rule} {row.part}") for row in rows), default=0)
    header = ("jobs", "s each", "memory GB", "devices", "disk GB", "USD")
    text = ["".join([" " * wide, *(f"{name:>11}" for name in header)])]
    for row in rows:
        seconds = ("<= " if row.limit else "") + _number(row.seconds, digits=0)
        cells = (
            *(str(row.jobs), seconds, _number(row.memory_bytes, 1e9)),
            *(_number(row.devices, digits=0), _number(row.disk_bytes, 1e9), _number(row.usd)),
        )
        name = f"{row.rule} {row.part}"
        text.append("".join([f"{name:{wide}}", *(f"{cell:>11}" for cell in cells)]))
    for title, limit in (("foreseen", False), ("limits, at most", True)):
        some = [row for row in rows if row.seconds is not None and row.limit is limit]
        hours = sum(row.on_one_device for row in some if row.devices) / 3600
        text.append(
            f"{title}: {sum(row.on_one_device for row in some):.0f} s on one device or processor, "
            f"{hours:.1f} device hours, {_number(_priced(some))} USD"
        )
    peak = max((row.memory_bytes or 0 for row in rows), default=0)
    disk = sum(row.jobs * (row.disk_bytes or 0) for row in rows)
    unknown = sum(row.jobs for row in rows if row.seconds is None)
    text.append(
        f"largest memory {peak / 1e9:.1f} GB, weights on disk {disk / 1e9:.1f} GB, "
        f"{unknown} job(s) of unknown time"
    )
    return "\n".join([*text, *dict.fromkeys(row.why for row in rows if row.why)])


def _priced(rows: Sequence[Job]) -> float | None:
    """Dollars of the rows that have a price; None where none has one."""
    prices = [row.usd for row in rows if row.usd is not None]
    return sum(prices) if prices else None


def _number(value: float | None, unit: float = 1.0, digits: int = 2) -> str:
    return "?" if value is None else f"{value / unit:.{digits}f}"
