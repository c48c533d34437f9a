from pathlib import Path

import pytest
from conditions_example import tier
from kensho.bench import training_memory
from kensho.bench.run import Run
from kensho.bench.settings import Cell, TrainingMemory
from kensho.models.cards import Card, load

TINY = Card(
    name="tiny",
    model_type="llama",
    config={
        **{"vocab_size": 512, "hidden_size": 64, "intermediate_size": 128},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"max_position_embeddings": 512, "tie_word_embeddings": True},
    },
    parameters=None,
    source="test",
    remark="",
)
RUN = Run(Path(), threads=1, seed=1)
CARDS = load(Path(__file__).parents[2] / "resources/architectures.yaml")


def observe(**changes):
    tiny = {"adapted": "tiny", "full": "tiny"}
    settings = TrainingMemory(**{**tiny, "cells": [Cell(batch=2, length=16)], **changes})
    models = training_memory.Models("tiny", "tiny")
    return training_memory.observe({"tiny": TINY}, models, settings, RUN)


def test_measured_stands_beside_planned():
    rows = observe(arms=["lora-r8-qv", "qlora-r8-qkvo", "full"])
    wide = rows.pivot_table(index=["arm", "replicate"], columns="metric", values="value")
    for name in ("weights", "gradients", "optimizer", "saved"):
        measured = wide[f"{name}_bytes"].groupby("arm").agg(["min", "max"])
        planned = wide[f"planned_{name}_bytes"].dropna().groupby("arm").first()
        assert (measured["min"] == planned).all() and (measured["max"] == planned).all()
    assert (wide["peak_bytes"] > 0).all()
    assert set(rows.loc[rows["metric"] == "peak_bytes", "replicate"]) == {0, 1}
    assert set(rows["block"]) == {"B2-L16"}
    assert set(rows.loc[rows["metric"] == "step_seconds", "unit"]) == {"s"}


def test_a_tensor_that_was_not_planned_is_an_error(monkeypatch):
    true = training_memory.plan
    monkeypatch.setattr(
        training_memory, "plan", lambda *a: {**(p := true(*a)), "weights": p["weights"] - 1}
    )
    with pytest.raises(ValueError, match=r"full, B2-L16: weights hold \d+ bytes, planned"):
        observe(arms=["full"], blocks=1)


def test_evidence_of_a_small_model_is_reduced():
    scope = "cyberagent/open-calm-1b", "meta-llama/Llama-2-7b-hf"

    def of(adapted, full):
        models = training_memory.Models(adapted, full)
        return tier(training_memory.conditions(CARDS, models, TrainingMemory(), RUN), *scope)

    assert of("smollm2-135m", "smollm2-135m") == "reduced"
    assert of("llama-2-7b", "llama-2-7b") == "reduced"
    assert of("llama-2-7b", "open-calm-1b") == "reference"
    assert tier(training_memory.conditions_planned(), *scope) == "analytic"
