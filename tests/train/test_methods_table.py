"""The table of docs/training.md: what each method does, seen, and what it refuses, in its words.

``PYTHONPATH=workflow:tests:tests/train python tests/train/test_methods_table.py`` writes it anew.
"""

import math
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
import torch
from kensho.models.reference import Reference
from kensho.train import launch
from kensho.train.launch import Processes
from pydantic import ValidationError
from safetensors.torch import load_file
from test_methods import (
    ARMS,
    Trained,
    assert_equal,
    assert_merged,
    configured,
    far,
    in_stages,
    interrupted,
    told,
)
from test_processes import CODE, PAIRS
from tiny import written

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
COLUMNS = (
    *("trains", "resumes", "reloads", "merges", "sft, cpt, dpo, grpo"),
    *("NF4", "bfloat16", "two processes"),
)
LONG = {"steps": 12, "checkpoint_every": 4}


def documented():
    table = PAGE.read_text(encoding="utf-8").split("| method |")[1].partition("\n\n")[0]
    rows = (line.strip("| ").split(" | ") for line in table.splitlines()[2:])
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


def in_sequence(base, folder, arm):
    """That every stage takes it over the one before, and what merging says of the last."""
    *_, last = in_stages(base, folder, arm)
    assert far(last.loaded(), last.logits) < (1e-2 if arm == "qlora" else 1e-5)
    if last.training.method.whole:
        with pytest.raises(ValueError, match="its model has no adapter to merge; leave the stage"):
            assert_merged(last, folder / "merged")
        return "is whole"
    assert len(last.reference.adapters) == 4
    assert_merged(last, folder / "merged")
    return "into the weights before NF4" if last.training.method.weights == "nf4" else "yes"


def observed(base, folder, arm):
    """The row of a method; fails where it does neither what a cell says nor refuse."""
    whole = Trained(base, folder / "whole", configured(arm), **LONG)
    assert whole.steps["loss"].iloc[-1] < whole.steps["loss"].iloc[0]
    assert_equal(whole, interrupted(base, folder / "torn", configured(arm), 7, **LONG))
    if whole.training.method.weights == "nf4":  # whose product has several kernels
        assert far(whole.loaded(), whole.logits) < 0.02
    elif whole.training.method.whole:
        assert far(whole.loaded(), whole.logits) == 0
    else:
        assert far(whole.beside(), whole.logits) < 1e-6
    half = Trained(base, folder / "half", configured(arm), dtype=torch.bfloat16)
    assert half.record.dtype == "bfloat16" and far(half.loaded(), half.logits) < 0.02
    return {
        **dict.fromkeys(COLUMNS, "yes"),
        "merges": in_sequence(base, folder / "stages", arm),
        "NF4": over_nf4(base, folder / "nf4", arm),
        "two processes": in_two(base, folder / "two", arm),
    }


def line(arm, row):
    return "| " + " | ".join([f"`{arm}`", *row.values()]) + " |"


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_the_page_says_what_is_seen(block_model, tmp_path, monkeypatch, arm):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    seen = observed(block_model, tmp_path, arm)
    assert documented()[arm] == seen, f"docs/training.md: {line(arm, seen)}"


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


def write(rows):
    """Put the table in the place of the page's own."""
    before, _, after = PAGE.read_text(encoding="utf-8").partition("| method |")
    head = [f"| method | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    table = "\n".join([*head, *(line(arm, row) for arm, row in rows.items())])
    rest = after.partition("\n\n")[2]
    PAGE.write_text(f"{before}{table}\n\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        base = written(Path(place) / "block", width=64)
        write({arm: observed(base, Path(place) / arm, arm) for arm in ARMS})
