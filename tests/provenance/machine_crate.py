"""Crates of two machines that ran one experiment."""

import shutil

import small_crate
from conditions_example import CONDITIONS
from kensho import observations
from kensho.files import write_json
from kensho.provenance import verify_crate

SECONDS = {"kyoto": (1.02, 1.0, 1.01, 0.99, 1.0), "tokyo": (2.03, 2.01, 1.99, 2.02, 2.0)}
SETTINGS = {"blocks": 5, "cells": [{"batch": 1, "length": 128}]}
DEVICES = {"kyoto": "AMD Instinct MI300X", "tokyo": "NVIDIA H100 80GB HBM3"}
TOY = {"experiment": "toy", "arm": "plain", "metric": "seconds"}
SCRIPT = "workflow/scripts/experiment.py"
NUMBERS = {"kyoto": 10, "tokyo": 20}  # of their attempts


def exported(root, name, *, seconds=None, settings=SETTINGS, code="c" * 64, number=0, **of):
    """A machine's crate, zipped, of one experiment with one arm and one metric."""
    experiment, arm, metric = ({**TOY, **of}[key] for key in TOY)
    folder = root / name
    (folder / "results").mkdir(parents=True)
    rows = [
        observations.Row(experiment, arm, f"block-{n:02d}", 0, metric, value, "s")
        for n, value in enumerate(seconds or SECONDS[name])
    ]
    hardware = {"cpu": "x", "cores": 8, "memory_bytes": 10**9, "accelerators": [DEVICES[name]]}
    known = {**CONDITIONS, "hardware": hardware, "fallbacks": [f"as {name} had it"]}
    place = folder / "results/benchmark_data" / experiment
    observations.write(place, observations.table(rows), known)
    run = small_crate.Run(folder)
    run.number = number or NUMBERS[name]
    params = {"settings": settings, "seed": 7, "device": name}
    run.ended(experiment, [], run.observations(experiment), params=params, code=code)
    write_json(folder / "results/statistical_summary.json", {"claims": []})
    run.ended("summarise", [], ["results/statistical_summary.json"])
    shutil.copy(verify_crate.__file__, folder)
    (folder / SCRIPT).parent.mkdir(parents=True)
    shutil.copy(small_crate.ROOT / SCRIPT, folder / SCRIPT)
    small_crate.seal(folder)
    return shutil.make_archive(str(folder), "zip", folder)
