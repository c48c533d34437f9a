"""A twin has its architecture's code, a layout as on the hub, and a mark that stays."""

import json

import pytest
import torch
from kensho.models import bases, twins
from kensho.models.catalogue import Model
from kensho.models.loading import family, load, weights
from kensho.train.targets import MODULES
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.pytorch_utils import Conv1D


@pytest.mark.parametrize("model_type", twins.CONFIGS)
def test_a_twin_loads_with_the_modules_that_its_architecture_adapts(model_type, tmp_path):
    folder = twins.make(model_type, tmp_path / "twin", seed=1, shard_bytes=100_000)
    assert (folder / "model.safetensors.index.json").is_file()
    assert len(list(folder.glob("*.safetensors"))) > 1 and twins.is_twin(folder)
    model, tokenizer = load(folder, torch.float32)
    assert max(tokenizer.get_vocab().values()) < model.get_input_embeddings().num_embeddings
    layers = [
        name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D)
    ]
    output = model.get_output_embeddings()
    names = {name.rsplit(".", 1)[-1] for name in layers if model.get_submodule(name) is not output}
    experts = {"gate_proj", "up_proj", "down_proj"} if model_type == "deepseek_v3" else set()
    assert names - experts == set(MODULES[model_type])


@pytest.mark.parametrize("tied", [True, False])
def test_tied_and_untied_embeddings_come_back(tmp_path, tied):
    changes = {"tie_word_embeddings": tied}
    folder = twins.make("llama", tmp_path / "twin", seed=1, changes=changes)
    model = weights(folder, torch.float32)
    into, out = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (into is out) == tied


def test_the_seed_decides_the_weights_and_leaves_the_process_alone(tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    states = [
        weights(twins.make("llama", tmp_path / str(i), seed=seed), torch.float32).state_dict()
        for i, seed in enumerate([1, 1, 2])
    ]
    assert torch.equal(torch.rand(1), expected)
    name = "model.embed_tokens.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_what_is_saved_of_a_twin_stays_one_and_other_models_are_none(tmp_path, tiny_model):
    folder = twins.make("llama", tmp_path / "twin", seed=1)
    weights(folder, torch.float32).save_pretrained(tmp_path / "trained")
    assert twins.is_twin(tmp_path / "trained") and not twins.is_twin(tiny_model)


@pytest.mark.parametrize(("role", "kind"), [("masked", "masked"), ("translation", "seq2seq")])
def test_a_model_without_a_card_gets_the_twin_of_its_role(role, kind, tmp_path):
    base = bases.twin("model", Model(role=role), None, 1, tmp_path / "twin")
    assert base.weights == "twin" and family(base.folder) == kind
    weights(base.folder, torch.float32, family=kind)


def test_a_model_that_neither_card_nor_role_describe_has_no_twin(tmp_path):
    with pytest.raises(ValueError, match="model: no architecture to make a twin of; add its"):
        bases.twin("model", Model(role="base"), None, 1, tmp_path / "twin")


def test_an_architecture_without_twin_is_named():
    with pytest.raises(ValueError, match=r"no twin of model type 'bert' \(known: llama, "):
        twins.make("bert", None, seed=1)


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    folder = twins.make("llama", tmp_path / "twin", seed=1, shard_bytes=100_000)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    del index["weight_map"]["model.norm.weight"]
    for name in {*index["weight_map"].values()}:
        path = folder / name
        kept = {k: v for k, v in load_file(path).items() if k != "model.norm.weight"}
        save_file(kept, path, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"1 tensors are missing .model\.norm\.weight.*fetch"):
        load(folder, torch.float32)
