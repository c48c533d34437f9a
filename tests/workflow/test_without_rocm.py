"""The workflow configured for ROCm on a machine that has none."""

import json

import pytest
import yaml
from kensho.models import hardware, rocm
from planning import snakemake

SEEN = hardware.detected()
pytestmark = pytest.mark.skipif(SEEN == "rocm", reason="this machine has ROCm")


def test_preflight_lists_all_problems_at_once_and_fails(copy):
    """ROCm configured and absent, a variable set against advice, and no source within reach."""
    config = yaml.safe_load((copy / "config/config.yaml").read_text())
    config["accelerator"] = "rocm"
    (copy / "config/config.yaml").write_text(yaml.safe_dump(config))
    nowhere = "http://127.0.0.1:9"
    given = {"PIP_INDEX_URL": nowhere, "HF_ENDPOINT": nowhere, "HTTPS_PROXY": nowhere}
    given |= {"KENSHO_MIRROR": "", "KENSHO_CACHE": str(copy / "cache")}
    done = snakemake(copy, "preflight", **given, HIP_FORCE_DEV_KERNARG="0")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    for words in (
        "/dev/kfd is missing",
        f"torch {rocm.torch_build()['version']} is not built for rocm",
        "source tatoeba-japanese-english: no place can be reached",
        "source smollm2-135m-instruct: no place can be reached",
        "HIP_FORCE_DEV_KERNARG=0; recommended: 1",
        "TORCH_BLAS_PREFER_HIPBLASLT=1",  # exported to the job
        "rule preflight failed: ",
    ):
        assert words in done.stdout, words
    assert not (copy / "results").exists() and not (copy / "cache").exists()


@pytest.mark.slow
def test_only_a_declared_fallback_is_taken_and_it_is_named(copy):
    def run(experiment, arm, chain):
        memory = {"arms": ["full"], "cells": [{"batch": 1, "length": 8}]}
        settings = {"accelerator": "rocm", "accelerator_fallback": chain}
        settings["bench"] = {"training_memory": memory}
        (copy / "own.yaml").write_text(yaml.safe_dump(settings))
        target = f"results/benchmark_data/{experiment}/{arm}.csv"
        return snakemake(copy, "--configfile", "own.yaml", "--", target)

    refused = run("training_memory", "full", [])
    assert refused.returncode != 0
    assert f"torch sees {SEEN}; mend" in refused.stdout and f"add {SEEN} to" in refused.stdout
    done = run("training_memory", "full", ["cuda", "none"])
    assert done.returncode == 0, done.stdout
    path = copy / "results/benchmark_data/training_memory/full.conditions.json"
    found = json.loads(path.read_text())
    assert f"accelerator: rocm -> {SEEN} (torch sees no ROCm device)" in found["fallbacks"]
    assert found["tier"] == "reference"
    compared = run("gemm", "rocblas", ["cuda", "none"])  # ROCm's own libraries
    assert compared.returncode != 0 and f"torch sees {SEEN}; mend" in compared.stdout
    assert "accelerator_fallback" not in compared.stdout
