"""The table of docs/training.md: what each method does, seen, and what it refuses, in its words."""

import math
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from kensho.models.reference import Reference
from kensho.train import launch
from kensho.train.launch import Processes
from pydantic import ValidationError
from safetensors.torch import load_file
from test_methods import ARMS, Trained, assert_equal, configured, far, interrupted, told
from test_processes import CODE, PAIRS

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
COLUMNS = ("trains", "resumes", "reloads", "merges", "NF4", "bfloat16", "two processes")
LONG = {"steps": 12, "checkpoint_every": 4}


def documented():
    lines = PAGE.read_text(encoding="utf-8").split("| method |")[1].splitlines()[2:]
    rows = (line.strip("| ").split(" | ") for line in lines if line.startswith("| `"))
    return {name.strip("`"): dict(zip(COLUMNS, cells, strict=True)) for name, *cells in rows}


def over_nf4(base, folder, arm):
    """That it learns over 4 bits and is loaded so, or the words of the refusal."""
    changes = {} if arm == "qlora" else {"nf4": True}
    try:
        settings = configured(arm, **changes)
    except ValidationError as error:
        if error.errors()[0]["type"] == "extra_forbidden":  # there is no such key
            return "every weight learns" if arm == "full" else "method qlora"
        return error.errors()[0]["ctx"]["error"].args[0].partition(";")[0]
    done = Trained(base, folder, settings, dtype=torch.bfloat16)
    assert done.record.weights == "nf4" and all(map(math.isfinite, done.steps["loss"]))
    assert far(done.loaded(), done.logits) < 0.02
    return "yes"


def in_two(base, folder, arm):
    """That two processes learn what one does, or why they do not."""
    settings, results = configured(arm), {}
    for number in (1, 2):
        place, training = folder / str(number), told(configured(arm), **LONG, learning_rate=3e-3)
        call = (Reference.of(base), PAIRS, place / "model", place / "checkpoints", training)
        try:
            steps, _ = launch.run(CODE, call, place / "checkpoints", Processes(number))
        except ValueError as error:
            method = told(settings).method
            assert str(error) == (
                f"test: method {method.name} takes one process: {method.one_process}; take another"
            )
            return method.one_process
        (path,) = (place / "model").glob("*.safetensors")
        results[number] = steps["loss"], load_file(path)
    (losses, tensors), (others, other_tensors) = results.values()
    pd.testing.assert_series_equal(losses, others, rtol=1e-5)
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert (tensor - other_tensors[name]).norm() <= 1e-3 * tensor.norm(), name
    return "yes"


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_the_page_says_what_is_seen(block_model, tmp_path, monkeypatch, arm):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    whole = Trained(block_model, tmp_path / "whole", configured(arm), **LONG)
    learned = whole.steps["loss"].iloc[-1] < whole.steps["loss"].iloc[0]
    seen = {"trains": "yes" if learned else "no"}
    assert_equal(whole, interrupted(block_model, tmp_path / "torn", configured(arm), 7, **LONG))
    seen["resumes"] = "yes"
    if whole.training.method.weights == "nf4":
        assert far(whole.loaded(), whole.logits) < 0.02
        seen |= {"reloads": "yes", "merges": "into the weights before NF4"}
    elif whole.training.method.whole:
        assert far(whole.loaded(), whole.logits) == 0
        seen |= {"reloads": "yes", "merges": "is whole"}
    else:
        assert far(whole.beside(), whole.logits) < 1e-6
        assert far(whole.loaded(), whole.logits) < 1e-5
        seen |= {"reloads": "yes", "merges": "yes"}
    seen["NF4"] = over_nf4(block_model, tmp_path / "nf4", arm)
    half = Trained(block_model, tmp_path / "half", configured(arm), dtype=torch.bfloat16)
    assert half.record.dtype == "bfloat16" and far(half.loaded(), half.logits) < 0.02
    seen["bfloat16"] = "yes"
    seen["two processes"] = in_two(block_model, tmp_path / "two", arm)
    line = " | ".join([f"`{arm}`", *(seen[column] for column in COLUMNS)])
    assert documented()[arm] == seen, f"docs/training.md: | {line} |"


def test_the_page_has_a_row_for_each_method():
    assert documented().keys() == ARMS.keys()
    assert all(cell for row in documented().values() for cell in row.values())


def test_refusals_of_the_page_are_those_of_the_code(block_model, tmp_path):
    """Those that need no training."""
    for arm, row in documented().items():
        alone = told(configured(arm)).method.one_process
        assert row["two processes"] == (alone or "yes"), arm
        if row["NF4"] != "yes":
            assert over_nf4(block_model, tmp_path, arm) == row["NF4"]
        elif arm != "qlora":
            configured(arm, nf4=True)
