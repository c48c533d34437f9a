"""Every architecture trains by the stage itself, with adapters where they were asked for."""

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from kensho.data.prompt import completion, prompt
from kensho.jlce.fast import FIT
from kensho.models import twins
from kensho.models.loading import load, load_reference
from kensho.models.reference import Reference
from kensho.train.methods import full, lora, others, qlora
from kensho.train.run import Training
from kensho.train.samples import IGNORED, encoded
from kensho.train.sft import stage
from kensho.train.targets import MODULES, check
from safetensors.torch import load_file
from special_twins import KINDS, special
from torch.nn.functional import cross_entropy

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
PAIRS = pd.DataFrame({"en": ["I am a cat.", "Tom runs."], "ja": ["私は猫です。", "トムは走る。"]})
HELD = {"weights": "float32", "compute": "float32"}


def run(folder, output, method, targets=None, chat=False, dtype=torch.float32):
    training = Training(
        name="test",
        method=method,
        learning_rate=1e-2,
        steps=2,  # the first is all warm-up
        batch_size=2,
        max_length=160,
        checkpoint_every=2,
        dtype=dtype,
        seed=1,
        rank=2 if targets else None,
        targets=targets,
        chat=chat,
    )
    base = Reference.of(folder)
    steps, _ = stage(base, PAIRS, output / "model", output / "checkpoints", training)
    assert all(map(math.isfinite, steps["loss"]))
    return base, steps


def twin(model_type, tmp_path):
    return twins.make(model_type, tmp_path / "twin", seed=1, shard_bytes=10**9)


def test_ia3_weighs_what_enters_the_second_matrix_of_gpt2(tmp_path):
    run(twin("gpt2", tmp_path), tmp_path, others.IA3, MODULES["gpt2"])
    learned = load_file(tmp_path / "model/adapter_model.safetensors")
    factors = {
        re.sub(r".*\.h\.0\.|\.ia3.*", "", name): x for name, x in learned.items() if ".h.0." in name
    }
    config = json.loads((tmp_path / "twin/config.json").read_text())
    width, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    assert {name: x.numel() for name, x in factors.items()} == {
        **{"attn.c_attn": 3 * width, "attn.c_proj": width},
        **{"mlp.c_fc": inner, "mlp.c_proj": inner},
    }


@pytest.mark.parametrize("model_type", MODULES)
def test_adapters_are_where_they_belong(model_type, tmp_path):
    targets = MODULES[model_type]
    base, _ = run(twin(model_type, tmp_path), tmp_path, lora.METHOD, targets)
    adapter = load_file(tmp_path / "model/adapter_model.safetensors")
    adapted = {re.sub(r"\.lora_[AB]\.weight", "", name).rsplit(".", 1)[-1] for name in adapter}
    assert adapted == set(targets)
    trained = base.trained(tmp_path / "model", "lora", **HELD)
    load_reference(trained, torch.float32)  # which refuses an adapter that changes nothing


@pytest.mark.parametrize("model_type", MODULES)
def test_every_weight_is_trained_and_the_model_stays_a_twin(model_type, tmp_path):
    base, _ = run(twin(model_type, tmp_path), tmp_path, full.METHOD)
    folders = [tmp_path / "twin", tmp_path / "model"]
    before, after = (load_file(folder / "model.safetensors") for folder in folders)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert twins.is_twin(tmp_path / "model")
    load_reference(base.trained(tmp_path / "model", None, **HELD), torch.float32)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "lfm2", "mixtral"])
def test_adapters_over_nf4(model_type, tmp_path):
    folder = twin(model_type, tmp_path)
    run(folder, tmp_path, qlora.METHOD, MODULES[model_type], dtype=torch.bfloat16)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_on_completions_and_their_end_and_not_on_padding(kind, tmp_path):
    folder, chat = special(kind, tmp_path / "twin"), KINDS[kind][1] is not None
    config = json.loads((folder / "config.json").read_text())
    without = {name: 0.0 for name in config if name.endswith("_pdrop")}
    (folder / "config.json").write_text(json.dumps(config | without))
    _, steps = run(folder, tmp_path, lora.METHOD, MODULES[KINDS[kind][0]], chat=chat)
    model, tokenizer = load(folder, torch.float32)
    losses = []
    for en, ja in zip(PAIRS["en"], PAIRS["ja"], strict=True):
        sample = encoded(tokenizer, prompt(en), completion(ja), chat=chat)
        ids, labels = (torch.tensor(sample[key]) for key in ("input_ids", "labels"))
        with torch.inference_mode():
            logits = model(ids[None]).logits[0, :-1]
        learnt = labels[1:] != IGNORED
        losses += cross_entropy(logits[learnt], labels[1:][learnt], reduction="none").tolist()
    assert steps["loss"].iloc[0] == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_modules_that_an_architecture_lacks_are_named_before_anything_is_made(tmp_path):
    folder = twin("gpt2", tmp_path)
    with pytest.raises(ValueError, match="gpt2 has no module q_proj, v_proj; it has c_attn, c_pr"):
        run(folder, tmp_path, lora.METHOD, ["q_proj", "c_fc", "v_proj"])
    assert not (tmp_path / "checkpoints").exists()


def test_an_architecture_without_known_modules_is_named():
    with pytest.raises(ValueError, match=r"no adapters for model type 'bert' \(known: llama, "):
        check("bert", ["query"])


def test_the_page_lists_what_there_is():
    rows = re.findall(r"^\| (`.*) \| (`.*) \| (yes|no).*\|$", PAGE.read_text(), re.MULTILINE)
    listed = {
        model_type: (tuple(re.findall("`(.*?)`", modules)), once == "yes")
        for types, modules, once in rows
        for model_type in re.findall("`(.*?)`", types)
    }
    assert listed == {name: (MODULES[name], name in FIT) for name in twins.CONFIGS}
    assert {*FIT} < {*MODULES} == {*twins.CONFIGS}
