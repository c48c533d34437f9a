"""Each method trains, counts what it trains, and is loaded and merged as it was trained."""

import json
import math

import pandas as pd
import pytest
import torch
from kensho.models import as_lora
from kensho.models.loading import load_reference, probe_logits, tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.models.twins import CONFIGS
from kensho.part import resolve
from kensho.plan import work
from kensho.plan.memory import size_of, trained
from kensho.train import catalogue, cpt, dpo, grpo, loop, sft, targets
from kensho.train.methods import adalora, lora, own
from kensho.train.precision import autocast, in_its_own_dtype
from kensho.train.run import Training
from kensho.train.samples import encoded
from peft import PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from pydantic import TypeAdapter, ValidationError
from test_grpo import LETTERS, OWN
from test_plan import LLAMA
from test_sft import PAIRS, SCHEDULE
from test_stages import PREFERENCES, merged
from transformers import AutoConfig, AutoModelForCausalLM

QKVO = ["q_proj", "k_proj", "v_proj", "o_proj"]
RANKED = {"rank": 4, "targets": QKVO}
BOFT = {"config": "BOFTConfig", "settings": {"boft_block_size": 4}}
ARMS = {  # as a configuration has them; a row of docs/training.md each
    "full": {},
    "lora": RANKED,
    "lora, lora_plus": {**RANKED, "lora_plus": 16.0},
    "rslora": RANKED,
    "dora": RANKED,
    "qlora": RANKED,
    "pissa": RANKED,
    "adalora": RANKED,
    "vera": {"rank": 16, "targets": QKVO},
    "oft": {"block_size": 8, "targets": QKVO},
    "miss": RANKED,
    "ia3": {"targets": [*QKVO, "down_proj"]},
    "peft, BOFTConfig": {**BOFT, "targets": QKVO},
}
MODULES = {  # (in, out) of block_model
    **{"q_proj": (64, 64), "k_proj": (64, 32), "v_proj": (64, 32), "o_proj": (64, 64)},
    "down_proj": (128, 64),
}


def configured(arm, **changes):
    settings = {"name": arm.partition(",")[0], **ARMS[arm], **changes}
    return TypeAdapter(catalogue.Method).validate_python(settings).model_dump()


def told(settings, seed=1, dtype=torch.float32, **changes):
    """What the script of a stage makes of a method's settings."""
    method = resolve(catalogue.METHODS[settings["name"]].code).of(settings)
    given = {"rank": settings.get("rank"), "targets": settings.get("targets")}
    stage = {**SCHEDULE, "dtype": dtype, "settings": {"method": settings, **OWN}}
    return Training(name="test", seed=seed, method=method, **{**stage, **given, **changes})


class Trained:
    """A training, the logits of the probe at its end, and what is loaded of it."""

    def __init__(self, base, folder, settings, stage=sft.stage, samples=PAIRS, **changes):
        self.base = base if isinstance(base, Reference) else Reference.of(base)
        self.training = told(settings, **changes)
        self.folder = folder / "model"
        call = (self.base, samples, self.folder, folder / "checkpoints", self.training)
        with pytest.MonkeyPatch.context() as patch:  # the last model that the loop was given
            patch.setattr("kensho.train.stage.train", self._watched)
            self.steps, self.record = stage(*call)
        self.logits = probe_logits(self.model.eval(), tokenizer_of(self.base.base))

    def _watched(self, model, *call):
        self.model = model
        return loop.train(model, *call)

    @property
    def reference(self):
        method = None if self.training.method.whole else self.training.method.name
        record = self.record
        return self.base.trained(self.folder, method, weights=record.weights, compute=record.dtype)

    def loaded(self):
        model, tokenizer = load_reference(self.reference, self.training.dtype)
        return probe_logits(model, tokenizer)

    def beside(self):
        """Logits with the adapter beside the weights, which are not changed."""
        base = weights(self.base.base, torch.float32)
        tokenizer = tokenizer_of(self.base.base)
        return probe_logits(PeftModel.from_pretrained(base, self.folder).eval(), tokenizer)


def far(one, other):
    return (one - other).abs().max().item()


@pytest.mark.parametrize("arm", ARMS)
def test_what_is_loaded_and_merged_is_what_was_trained(block_model, tmp_path, arm):
    settings = configured(arm)
    done = Trained(block_model, tmp_path, settings, steps=4)
    assert all(map(math.isfinite, done.steps["loss"]))
    nf4 = done.training.method.weights == "nf4"  # whose product has several kernels
    assert far(done.loaded(), done.logits) < (1e-2 if nf4 else 1e-5)
    if (tensors := done.training.method.tensors) is not None:
        sizes = [
            tensors(MODULES[name], settings.get("rank"), module=name, **own(settings))
            for name in settings["targets"]
        ]
        assert done.record.trainable_parameters == 2 * sum(map(sum, sizes))


def interrupted(base, folder, settings, at, **changes):
    """A training that ends in the middle of a step, and what goes on from its checkpoint."""

    class Stop(Exception):
        pass

    note = loop.Seen.note

    def stop(self, *, step, **row):
        if step == at:
            raise Stop
        note(self, step=step, **row)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(loop.Seen, "note", stop)
        Trained(base, folder, settings, **changes)
    assert list((folder / "checkpoints").glob("checkpoint-*"))
    return Trained(base, folder, settings, **changes)


def assert_equal(one, other):
    pd.testing.assert_series_equal(one.steps["loss"], other.steps["loss"], rtol=0, atol=0)
    for path in one.folder.glob("*.safetensors"):
        assert path.read_bytes() == (other.folder / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arm", "at"),
    [
        ("adalora", 8),
        *(pytest.param(arm, 5, marks=pytest.mark.slow) for arm in ("adalora", "pissa")),
    ],
)
def test_a_method_with_a_state_of_its_own_goes_on_exactly(block_model, tmp_path, arm, at):
    """AdaLoRA's last cut is after the sixth step, of which a checkpoint is kept."""
    settings = configured(arm)
    whole = Trained(block_model, tmp_path / "whole", settings, steps=8)
    assert_equal(whole, interrupted(block_model, tmp_path / "torn", settings, at, steps=8))


def test_another_machines_singular_vectors_are_not_gone_on_with(block_model, tmp_path, monkeypatch):
    from kensho.train.methods.pissa import Principal

    begun = Principal.__init__

    def other(self, *call):
        begun(self, *call)
        if (tmp_path / "checkpoints/checkpoint-2").exists():
            self.begun = {name: value + 1e-7 for name, value in self.begun.items()}

    monkeypatch.setattr(Principal, "__init__", other)
    with pytest.raises(ValueError, match=r"^test: the singular vectors computed here are not"):
        interrupted(block_model, tmp_path, configured("pissa"), 3)


def test_final_ranks_of_adalora_sum_to_the_budget_and_stay(block_model, tmp_path):
    done = Trained(block_model, tmp_path, configured("adalora"), steps=8)
    pattern = json.loads((done.folder / "adapter_config.json").read_text())["rank_pattern"]
    ranks = [sum(kept) for kept in pattern.values()]
    assert (
        len(ranks) == 8 and sum(ranks) == 8 * 4 and {len(kept) for kept in pattern.values()} == {6}
    )
    learned = done.model.base_model.model.model.layers[0].self_attn.q_proj.lora_E["default"]
    (kept,) = (kept for name, kept in pattern.items() if "layers.0.self_attn.q_proj" in name)
    assert [value != 0 for value in learned.flatten().tolist()] == kept


def test_the_loss_of_adalora_reacts_to_its_orthogonality_as_pefts_own(block_model, tmp_path):
    losses = {}
    for weight in (0.0, 10.0):
        settings = configured("adalora", orthogonality=weight)
        done = Trained(block_model, tmp_path / str(weight), settings, steps=3)
        losses[weight] = done.steps["loss"]
    ids = torch.arange(8)[None]
    done.model.train()
    peft = done.model(input_ids=ids, labels=ids).loss
    done.model.peft_config["default"].orth_reg_weight = 0.0
    term = (peft - done.model(input_ids=ids, labels=ids).loss).item()
    course = adalora.Allocating(done.model, done.training)
    done.model.peft_config["default"].orth_reg_weight = 10.0
    assert course.penalty().item() == pytest.approx(term, rel=1e-5) and term > 1
    # at first the increments are nought, so the losses differ by the term alone
    assert losses[10.0][0] - losses[0.0][0] == pytest.approx(term, rel=0.05)
    assert not losses[10.0][2:].equals(losses[0.0][2:])


def test_groups_of_lora_plus_are_those_of_peft(block_model):
    training = told(configured("lora, lora_plus"), learning_rate=0.01)
    for variant in (lora.METHOD, lora.DORA):
        model = get_peft_model(weights(block_model, torch.float32), variant.adapter(4, QKVO))
        theirs = create_loraplus_optimizer(model, torch.optim.AdamW, lr=0.01, loraplus_lr_ratio=16)
        expected = {id(p): g["lr"] for g in theirs.param_groups for p in g["params"]}
        factors = lora.Paired(model, training).factors()
        assert {id(p): training.learning_rate * factor for p, factor in factors} == expected


def test_the_weight_of_rslora_falls_with_the_root_of_the_rank_from_that_of_lora_at_16():
    plain = told(configured("lora", rank=16)).adapter()
    for rank in (4, 16, 64):
        made = told(configured("rslora", rank=rank)).adapter()
        weight = made.lora_alpha / math.sqrt(rank)
        assert made.use_rslora
        assert weight == pytest.approx(plain.lora_alpha / 16 * math.sqrt(16 / rank))


@pytest.mark.parametrize("changes", [{}, {"alpha": 4}, {"begun_with": 9}])
def test_the_weight_of_adalora_is_that_of_lora(block_model, changes):
    made = told(configured("adalora", **changes)).adapter()
    model = get_peft_model(weights(block_model, torch.float32), made)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    weight = layer.scaling["default"] / layer.ranknum["default"].item()
    assert weight == pytest.approx(changes.get("alpha", 8) / 4)


def gradients(model, training, tokenizer):
    """Of some rows, as a step computes them, all in one vector."""
    pairs = zip(PAIRS["en"], PAIRS["ja"], strict=True)
    rows = [encoded(tokenizer, *pair, chat=False) for pair in pairs]
    with in_its_own_dtype(model, training), autocast(training):
        loop.summed_loss(model, **loop.collated(rows, tokenizer.pad_token_id)).backward()
    return torch.cat([p.grad.flatten().float() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("arm", ["lora", "dora", "vera", "ia3", "oft", "miss", "adalora"])
def test_gradients_in_16_bit_are_those_of_32_to_its_rounding(block_model, tmp_path, arm):
    """At weights that have learned: at first half of LoRA's gradients are nought."""
    tokenizer, both = tokenizer_of(block_model), []
    for dtype in (torch.float32, torch.bfloat16):
        training = told(configured(arm), dtype=dtype)
        torch.manual_seed(1)
        held = weights(block_model, torch.bfloat16).to(dtype)
        model = get_peft_model(held, training.adapter())
        training.method.course(model, training)
        generator = torch.Generator().manual_seed(2)
        for p in model.parameters():
            if p.requires_grad:
                p.data += 0.02 * torch.randn(p.shape, generator=generator)
        both.append(gradients(model, training, tokenizer))
    assert (both[1] - both[0]).norm() < 0.03 * both[0].norm()


def test_what_vera_draws_is_of_the_seed(block_model):
    keys = {told(configured("vera"), seed=seed).adapter().projection_prng_key for seed in (1, 2)}
    assert keys == {1, 2}


@pytest.mark.parametrize(("arm", "rank", "scale"), [("pissa", 8, 2), ("rslora", 4, 4)])
def test_it_is_saved_as_plain_lora(block_model, tmp_path, arm, rank, scale):
    done = Trained(block_model, tmp_path, configured(arm), steps=4)
    saved = json.loads((done.folder / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"] / saved["r"]) == (rank, scale)
    assert saved["init_lora_weights"] is True and not saved["use_rslora"]


@pytest.mark.parametrize("arm", ["adalora", "miss", "vera"])
def test_what_vllm_is_served_computes_the_same(block_model, tmp_path, arm):
    changes = {"rank": 5} if arm == "miss" else {}  # shards that do not fill the input
    done = Trained(block_model, tmp_path, configured(arm, **changes), steps=4)
    as_lora.written(done.folder, block_model, tmp_path / "plain")
    own_logits = done.beside()
    done.folder = tmp_path / "plain"
    assert far(done.beside(), own_logits) < 1e-5
    assert json.loads((tmp_path / "plain/adapter_config.json").read_text())["peft_type"] == "LORA"


def in_stages(base, folder, arm):
    """A training by each stage in turn, every one over those before, by one method."""
    settings, reference, trainings = configured(arm), base, []
    stages = [(sft.stage, PAIRS), (cpt.stage, PAIRS), (dpo.stage, PREFERENCES)]
    stages.append((grpo.stage, LETTERS))
    for number, (stage, samples) in enumerate(stages):
        call = (reference, folder / str(number), settings, stage, samples)
        trainings.append(Trained(*call, steps=4, learning_rate=1e-3))
        reference = trainings[-1].reference
    return trainings


def assert_merged(done, folder):
    """The stage that merges takes it, and the model that it makes says what was trained."""
    merged(done.reference, folder)
    model, tokenizer = load_reference(Reference.of(folder / "model"), torch.float32)
    if done.training.method.weights != "nf4":  # which are not what it is merged into
        assert far(probe_logits(model, tokenizer), done.logits) < 1e-5


def test_a_method_trains_in_every_stage_over_those_before(block_model, tmp_path):
    last = in_stages(block_model, tmp_path, "vera")[-1]
    assert len(last.reference.adapters) == 4
    assert far(last.loaded(), last.logits) < 1e-5
    assert_merged(last, tmp_path / "merged")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("second", ["lora", "qlora"])
def test_an_adapter_over_an_adapter_is_loaded_as_it_was_trained(
    block_model, tmp_path, second, dtype
):
    first = Trained(block_model, tmp_path / "1", configured("lora"), dtype=dtype)
    done = Trained(first.reference, tmp_path / "2", configured(second), dtype=dtype, steps=3)
    assert far(done.logits, first.logits) > 0.05
    assert far(done.loaded(), done.logits) < (1e-5 if second == "lora" else 0.02)


OTHER_LAYERS = ["llama", *(t for t in targets.MODULES if t not in targets.LLAMA_LIKE)]
ADDED = [arm for arm in ARMS if arm not in ("full", "lora, lora_plus", "qlora", "pissa")]


@pytest.mark.parametrize("model_type", OTHER_LAYERS)
@pytest.mark.parametrize("arm", ADDED)
def test_every_architecture_takes_it_and_learns_what_is_counted(model_type, arm):
    modules = list(targets.MODULES[model_type])
    settings = configured(arm, targets=modules)
    with torch.device("meta"):
        config = AutoConfig.for_model(model_type, **CONFIGS[model_type])
        plain = AutoModelForCausalLM.from_config(config)
    matrices = {
        name: layer.weight.shape
        for name, layer in plain.named_modules()
        if name.rsplit(".", 1)[-1] in modules and hasattr(layer, "weight")
    }
    turned = 1 if model_type == "gpt2" else -1  # whose weights are (in, out)
    method = told(settings).method
    if method.linear and model_type == "gpt2":
        with pytest.raises(ValueError, match="takes linear layers, of which gpt2 has none; take"):
            targets.check_layers(model_type, method)
        return
    targets.check_layers(model_type, method)
    model = get_peft_model(plain, told(settings).adapter())
    method.course(model, told(settings))
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if method.tensors is None:
        assert learning > 0
        return
    assert learning == sum(
        sum(
            method.tensors(
                tuple(shape)[::turned],
                settings.get("rank"),
                module=name.rsplit(".", 1)[-1],
                **own(settings),
            )
        )
        for name, shape in matrices.items()
    )


NOT_OVER_NF4 = ["pissa", "ia3", "peft, BOFTConfig"]


@pytest.mark.parametrize("arm", ["rslora", "dora", "adalora", "vera", "oft", "miss", *NOT_OVER_NF4])
def test_a_base_in_nf4_is_refused_by_name_while_the_configuration_is_read(arm):
    if arm in NOT_OVER_NF4:
        with pytest.raises(ValidationError, match=r"nf4\n.*; leave nf4 out"):
            configured(arm, nf4=True)
    else:
        assert told(configured(arm, nf4=True)).method.weights == "nf4"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"config": "BOFTConfg"}, r"PEFT has no class 'BOFTConfg' .*, did you mean 'BOFTConfig'\?"),
        ({"config": "PromptTuningConfig"}, "PEFT has no class 'PromptTuningConfig' that adapts"),
        ({"config": "LoraConfig"}, "LoraConfig has a part of its own; take method lora, rslora"),
        ({"settings": {"boft_block": 4}}, r"no 'boft_block', did you mean 'boft_block_"),
        ({"settings": {"target_modules": "x"}}, "BOFTConfig has no 'target_modules'"),
        ({"settings": {"revision": "x"}}, "BOFTConfig has no 'revision'"),
        ({"settings": {"modules_to_save": "x"}}, "modules_to_save is no list; put its names into"),
        (
            {"config": "AdamssConfig", "settings": {"use_asa": True}},
            "AdamssConfig: 'use_asa' works in PEFT's own trainer alone; leave it out",
        ),
        ({"settings": {"layers_pattern": "h"}}, "BOFTConfig: When .*; change its settings"),
    ],
)
def test_what_peft_does_not_have_is_refused_by_name(changes, line):
    with pytest.raises(ValidationError, match=line):
        configured("peft, BOFTConfig", **changes)


def test_a_module_to_be_learned_whole_that_is_not_there_is_named(block_model, tmp_path):
    settings = {"boft_block_size": 4, "modules_to_save": ["lm_hed"]}
    with pytest.raises(
        ValueError, match=r"^test: modules_to_save: the model has no module 'lm_hed'"
    ):
        Trained(block_model, tmp_path, configured("peft, BOFTConfig", settings=settings))


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ("PolyConfig", {}),
        ("TrainableTokensConfig", {}),
        ("ShadowConfig", {}),
        ("LilyConfig", {}),
        ("BeftConfig", {}),
        ("LoHaConfig", {"r": "x"}),
        ("LoHaConfig", {"r": 0}),
        ("LoHaConfig", {"alpha": None}),
        ("BOFTConfig", {"boft_block_size": 4, "layers_to_transform": [99]}),
        ("BOFTConfig", {"boft_block_size": 4, "exclude_modules": QKVO}),
    ],
)
def test_what_a_class_of_peft_ends_in_is_one_line(block_model, tmp_path, config, settings):
    arm = configured("peft, BOFTConfig", config=config, settings=settings)
    with pytest.raises(ValueError) as refusal:
        Trained(block_model, tmp_path, arm)
    message = str(refusal.value)
    assert message.startswith("test: ") and "\n" not in message, message
    assert message.endswith("take another class of PEFT") or message.endswith(
        "; change its settings or take another class"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"initial": 0.8, "final": 0.2}, "no step is left in which ranks fall; lower initial"),
        ({"begun_with": 4}, "no rank falls to 4; raise begun_with above it"),
    ],
)
def test_a_schedule_that_cuts_nothing_is_refused(changes, line):
    with pytest.raises(ValidationError, match=line):
        configured("adalora", **changes)


def test_blocks_that_do_not_fill_an_input_are_not_made_to(block_model, tmp_path):
    with pytest.raises(ValueError, match="blocks of 24 do not fill an input of 64; take a block_"):
        Trained(block_model, tmp_path, configured("oft", block_size=24))


def test_the_planner_counts_what_learns_and_refuses_what_it_does_not_know():
    size = size_of(LLAMA)

    def left(arm):
        settings = configured(arm)
        if arm == "oft":
            settings["block_size"] = 16
        adapters = settings.get("rank"), settings.get("targets", ())
        training = work.Training(settings["name"], 1, 8, *adapters, settings=settings)
        return trained(size, training, "float32")[1]

    h, kv, f, layers, width = 48, 16, 80, 3, 4
    pairs = 4 * (2 * (h + h) + 2 * (h + kv))
    outs = h + kv + kv + h
    assert left("lora") == left("rslora") == layers * width * pairs
    assert left("pissa") == 2 * left("lora")  # saved at twice the rank
    assert left("dora") == layers * width * (pairs + outs)
    assert left("adalora") == layers * width * (pairs // 4 + 4) * 6
    assert left("vera") == width * (layers * (outs + 4 * 16) + 16 * (h + h))
    assert left("oft") == layers * width * 4 * 3 * (16 * 15 // 2)
    assert left("miss") == layers * width * 4 * outs
    assert left("ia3") == layers * width * (outs + f)
    with pytest.raises(ValueError, match="memory of method peft is not planned"):
        left("peft, BOFTConfig")
