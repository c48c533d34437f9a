"""What other evaluation suites write: logs of Inspect, HELM's statistics, alpaca_eval."""

from __future__ import annotations

import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from kensho.claims.base import ExternalTable
from kensho.external.harness import digest
from kensho.external.kinds import DAMAGED, expect
from kensho.external.records import document, objects
from kensho.external.rows import (
    At,
    Evidence,
    Row,
    block,
    choice,
    is_blank,
    need,
    number,
    owner,
    shown,
    text,
    whole,
)
from kensho.external.wanted import Experiment

SAMPLE = re.compile(r"samples/.+_epoch_[0-9]+(\.json|/sample\.json)")
ZSTD = 93  # method of a zip entry, which zipfile knows from Python 3.14 on
# Inspect's own values of the letters that its scorers give.
LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
BRIEF = 40  # characters of an instruction that name it


def inspect(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Rows of one log of Inspect (.eval or .json): samples are items, epochs are replicates.

    `metric` names a scorer, "scorer.key" one that gives several values.
    """
    expect(table.path, table.format)
    entries = _log(table)
    header = next(entries)
    status = "invalidated" if header.get("invalidated") else header.get("status")
    if status != "success":
        raise ValueError(
            f"{table.path}: the run's status is '{shown(status)}', not success; finish it first "
            "(inspect eval-retry)"
        )
    about, where = header.get("eval"), None
    task = table.task or (about.get("task") if isinstance(about, dict) else None)
    for place, sample in enumerate(entries, start=1):
        where = At(table, place)
        metric, value = _score(table, sample.get("scores"), where)
        metadata = sample.get("metadata") or {}
        item = need(metadata, table.item, where) if table.item else need(sample, "id", where)
        cluster = need(metadata, table.cluster, where) if table.cluster else None
        prompt = _prompt_digest(sample)
        yield Row(
            owner(table),
            metric,
            block(experiment.levels, item, cluster, task, where),
            number(LETTERS.get(value, value) if isinstance(value, str) else value, metric, where),
            place,
            replicate=whole(need(sample, "epoch", where), "epoch", where) - 1,
            evidence=Evidence(prompt, prompt, task=None if task is None else str(task)),
        )
    if where is None:
        raise ValueError(f"{table.path}: holds no samples; run with samples in the log")


def _log(table: ExternalTable) -> Iterator[dict]:
    """Header of a log, then its samples."""
    if not zipfile.is_zipfile(table.path):
        log = document(table)
        samples = (log.get("samples") or []) if isinstance(log, dict) else None
        if not isinstance(samples, list) or not all(isinstance(s, dict) for s in samples):
            raise ValueError(f"{table.path}: no log of Inspect")
        yield log
        yield from samples
        return
    with zipfile.ZipFile(table.path) as archive:
        names = archive.namelist()
        if "header.json" not in names:
            raise ValueError(
                f"{table.path}: the run was not finished; finish it (inspect eval-retry)"
            )
        yield _entry(table, archive, "header.json")
        for name in sorted(filter(SAMPLE.fullmatch, names)):
            sample = _entry(table, archive, name)
            beside = name.removesuffix("sample.json") + "metadata.json"  # of a sample in parts
            if beside in names:
                sample["metadata"] = _entry(table, archive, beside)
            yield sample


def _entry(table: ExternalTable, archive: zipfile.ZipFile, name: str) -> dict:
    """One JSON object of a zip archive, also where it is packed with zstd."""
    info = archive.getinfo(name)
    try:
        packed = info.compress_type == ZSTD
        entry = json.loads(_unpacked(archive, info) if packed else archive.read(info))
        if not isinstance(entry, dict):
            raise ValueError("no JSON object")
        return entry
    except DAMAGED as error:
        raise ValueError(
            f"{table.path}: {shown(name)} is damaged ({shown(error)}); bring the log again"
        ) from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Content of an entry that is packed with zstd."""
    import pyarrow

    file = archive.fp
    if file is None:
        raise ValueError("the archive is closed")
    file.seek(info.header_offset + 26)
    lengths = struct.unpack("<2H", file.read(4))  # of the entry's name and extra field
    file.seek(sum(lengths), 1)
    packed = file.read(info.compress_size)
    content = pyarrow.decompress(packed, info.file_size, codec="zstd").to_pybytes()
    if zlib.crc32(content) != info.CRC:
        raise ValueError("another checksum")
    return content


def _score(table: ExternalTable, scores: object, where: At) -> tuple[str, object]:
    """Metric and value of a sample; none for a sample that ended in an error."""
    if not scores and table.metric:
        return table.metric, None
    values: dict[str, object] = {}
    for name, score in (scores if isinstance(scores, Mapping) else {}).items():
        value = need(score, "value", where)
        inner = value if isinstance(value, Mapping) else {}
        values |= {f"{name}.{key}": part for key, part in inner.items()} or {name: value}
    metric = choice("metric", table.metric, values, where)
    return text(metric, "metric", where), values[metric]


def _prompt_digest(sample: Mapping) -> str | None:
    """Digest of a sample's input, choices and target; messages without what differs by run."""
    prompt = sample.get("input")
    if isinstance(prompt, list):
        prompt = [[m.get("role"), m.get("content")] for m in prompt if isinstance(m, Mapping)]
    return digest([prompt, sample.get("choices"), sample.get("target")]) if prompt else None


def helm(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Rows of per_instance_stats.json: instances are items, trials replicates.

    Instances that were perturbed are left out. `filter` chooses the split where there are several.
    """
    expect(table.path, table.format)
    metrics, splits, rows = set(), set(), 0
    for where, entry in objects(table):
        stats = need(entry, "stats", where)
        if entry.get("perturbation") or not isinstance(stats, list):
            continue
        names = {text(need(stat, "name.name", where), "metric", where) for stat in stats}
        metrics |= names
        chosen = table.metric or choice("metric", None, names, where)
        for stat in (stat for stat in stats if stat["name"]["name"] == chosen):
            splits.add(split := str(stat["name"].get("split")))
            if table.filter is None:
                choice("filter", None, splits, where)
            elif split != table.filter:
                continue
            rows += 1
            yield Row(
                owner(table),
                chosen,
                block(
                    experiment.levels, need(entry, "instance_id", where), None, table.task, where
                ),
                number(stat.get("mean"), chosen, where),
                where.place,
                replicate=whole(entry.get("train_trial_index", 0), "trial", where),
                evidence=Evidence(),
            )
    if not metrics:
        raise ValueError(f"{table.path}: holds no result")
    choice("metric", table.metric, metrics, table.path)
    if not rows:
        choice("filter", table.filter, splits, table.path)


def alpaca(table: ExternalTable, experiment: Experiment) -> Iterator[Row]:
    """Rows of annotations.json: `preference` for the table's arm, 1 for a win and 0.5 for a tie.

    The file's preference is 1 where output_1 is better, 2 where output_2 is, 1.5 (in old files 0)
    for a tie, and what lies between where the judge's sureness was kept. An instruction names its
    item; alpaca_eval shows the outputs in random order and does not write down in which.
    """
    expect(table.path, table.format)
    where = None
    for where, entry in objects(table):
        pair = [text(need(entry, f"generator_{n}", where), "generator", where) for n in (1, 2)]
        pair = [experiment.named(name, where) for name in pair]
        if table.arm not in pair or pair[0] == pair[1]:
            raise ValueError(
                f"{where}: compares {' with '.join(map(shown, pair))}, not '{table.arm}' with "
                "another; aliases in the claim give names"
            )
        value = number(need(entry, "preference", where), "preference", where)
        value = 1.5 if value == 0 else value
        if not (math.isnan(value) or 1 <= value <= 2):
            raise ValueError(f"{where}: preference {value:g} is not between 1 and 2")
        item = need(entry, table.item, where) if table.item else _instruction(entry, where)
        cluster = need(entry, table.cluster, where) if table.cluster else None
        judge = entry.get("annotator")
        yield Row(
            owner(table),
            "preference",
            block(experiment.levels, item, cluster, table.task, where),
            value - 1 if pair[1] == table.arm else 2 - value,
            where.place,
            "share",
            judge=None if is_blank(judge) else text(judge, "annotator", where),
        )
    if where is None:
        raise ValueError(f"{table.path}: holds no result")


def _instruction(entry: Mapping, where: At) -> str:
    """Name of an item: its instruction, cut where it is long and told apart by a digest."""
    instruction = text(need(entry, "instruction", where), "instruction", where)
    brief = " ".join(instruction.split())[:BRIEF].strip()
    return instruction if instruction == brief else f"{brief}… {digest(instruction)[:8]}"
