"""What jobs are foreseen to take, with the shipped configurations, models and cards."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.claims import registry
from kensho.data import sources as source_registry
from kensho.data.hub import Locked
from kensho.models import cards, catalogue, hardware
from kensho.plan import forecast, judging, memory, rates, work
from kensho.plan import plan as plans
from kensho.plan.config import Config
from kensho.plan.forecast import Asked, Known
from kensho.plan.rates import Machine
from snakemake.utils import update_config

ROOT = Path(__file__).parents[2]
SOURCES = source_registry.load(ROOT / "config/sources.yaml")[0]
CARDS = cards.load(ROOT / "resources/architectures.yaml")
HARDWARE = hardware.load(ROOT / "resources/hardware.yaml")
MODELS = catalogue.load(ROOT / "config/models.yaml", SOURCES, CARDS)[0]
FOLDER = plans.Folder(at_hand=lambda name: True, observed=lambda name, arms: False)
PROCESSOR = Machine(flops_per_second=150e9, bytes_per_second=10e9)


def configured(scale=None, **train):
    """A shipped configuration with other settings of training."""
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    if scale == "mi300x":  # the standard scale there
        scale = "standard"
        raw |= {"accelerator": "rocm", "cluster": {**raw["cluster"], "gpu_model": "mi300x"}}
    if scale:
        overlay = (ROOT / f"config/scales/{scale}.yaml").read_text(encoding="utf-8")
        update_config(raw, yaml.safe_load(overlay))
    raw["train"] |= train
    return Config.model_validate(raw)


def rows(config, machine=None, **known):
    plan, _ = plans.make(config, registry.load(ROOT / "config/claims"), SOURCES, MODELS, FOLDER)
    machine = machine or rates.machine(config, HARDWARE)
    return forecast.forecast(config, plan, Known(MODELS, {}, CARDS, machine, **known))


def one(all_rows, rule, part=""):
    [row] = [row for row in all_rows if row.rule == rule and row.part.startswith(part)]
    return row


def trained(config, arm, **known):
    return one(rows(config, **known), "train_stage", f"{arm}/")


@pytest.mark.parametrize("scale", [None, "standard", "one-gpu", "full"])
def test_every_planned_rule_has_a_row_with_a_figure_or_a_reason(scale):
    config = configured(scale)
    planned = {"prepare_corpus": 1, "report": 1, "judge_deterministic": 7, "evaluate": 1}
    planned |= dict.fromkeys(["train_stage", *EXPERIMENTS], 1)
    asked = {"prepare_corpus": Asked(15, 4000), "evaluate": Asked(60, 8000)}
    shown = rows(config, asked=asked, jobs=planned)
    assert {row.rule for row in shown} == {*planned}
    assert all(row.seconds or row.why for row in shown)
    arms = {arm.name for arm in config.train.arms}
    assert {row.part for row in shown if row.rule == "evaluate"} > arms
    corpus, report = one(shown, "prepare_corpus"), one(shown, "report")
    assert (corpus.seconds, corpus.memory_bytes, corpus.limit) == (900, 4e9, True)
    assert (report.seconds, report.usd, report.limit) == (3600, None, True)
    assert one(shown, "judge_deterministic").jobs == 7


def test_a_pair_of_preferences_is_two_samples_that_are_read_once_more():
    pairs, preferences = (work.stage(configured(), s) for s in configured().train.recipes[1].stages)
    assert preferences.batch == 2 * pairs.batch == 2 * configured().train.batch_size
    assert [one.flops for one in preferences.passes] == [pairs.passes[0].flops, 2]
    assert {one.tokens for one in preferences.passes} == {2 * pairs.passes[0].tokens}


def test_writing_what_is_judged_is_foreseen_for_every_arm_that_writes():
    config = configured()
    shown = {row.part: row for row in rows(config, PROCESSOR) if row.rule == "judging_answers"}
    assert [*shown] == judging.writers(config)
    assert all(row.seconds and not row.limit for row in shown.values())
    after, *_, anchor = shown
    assert work.judged(config, anchor).passes == work.judged(config, after).passes[:-2]
    config.judging.items *= 10
    longer = one(rows(config, PROCESSOR), "judging_answers", after)
    assert longer.seconds > shown[after].seconds


def test_full_is_foreseen_from_the_card_of_its_accelerator():
    config = configured("full")
    shown = rows(config)
    for rule in ("train_stage", "evaluate", "jlce_arm", "judging_answers"):
        own = [row for row in shown if row.rule == rule]
        assert own and all(row.seconds and not row.limit and row.devices == 1 for row in own)
    assert {row.jobs for row in shown if row.rule == "train_stage"} == {len(config.train.seeds)}
    assert one(shown, "gemm").limit and one(shown, "gemm").devices == 1


def test_a_processor_has_no_figure_until_its_rates_are_handed_in():
    config = configured()
    unknown, known = trained(config, "full"), trained(config, "full", machine=PROCESSOR)
    assert unknown.limit and "no rates of this processor" in unknown.why
    assert not known.limit and known.devices == 0
    # SmolLM2-135M, 10 steps of 8 x 96 tokens, as measured on two cores: 50 to 63 s
    assert 25 < known.seconds < 125
    experiment = one(rows(config, machine=PROCESSOR), "quick_mode")
    assert experiment.devices == 0 and not experiment.limit


def test_operations_double_with_the_steps_and_frozen_weights_save_a_third():
    def seconds(arm, steps):
        row = trained(configured(steps=steps), arm, machine=PROCESSOR)
        return row.seconds - rates.START_S

    assert seconds("full", 40) == pytest.approx(2 * seconds("full", 20))
    assert seconds("lora-r8", 20) == pytest.approx(seconds("full", 20) * 4 / 6)
    tokens = 20 * 8 * work.PAIR
    operations = 6 * CARDS["smollm2-135m"].parameters * tokens
    assert seconds("full", 20) == pytest.approx(operations / PROCESSOR.flops_per_second)


def test_a_stage_of_a_recipe_may_have_steps_and_a_length_of_its_own():
    config = configured()
    common = config.train.recipes[-1].stages[-1]
    steps, length = 3 * config.train.steps, 2 * config.train.max_length
    own = common.model_copy(update={"steps": steps, "max_length": length})
    assert work.schedule(config, common) == (config.train.steps, config.train.max_length)
    assert work.schedule(config, own) == (steps, length)
    plain, longer = work.stage(config, common), work.stage(config, own)
    assert longer.length == 2 * plain.length
    assert longer.passes[0].passes == 3 * plain.passes[0].passes


def test_small_models_on_fast_devices_wait_for_launches():
    small = trained(configured("mi300x"), "lora-r8")
    steps, layers = 1500, CARDS["smollm2-135m"].size("num_hidden_layers")
    passes = small.seconds - rates.START_S
    assert passes == pytest.approx(2 * steps * layers * rates.LAYER_S)


def test_devices_follow_from_memory():
    seven, large = (
        configured("mi300x", base=name) for name in ("llama-2-7b", "r1-distill-qwen-32b")
    )
    adapter, whole = trained(seven, "lora-r8"), trained(seven, "full")
    assert adapter.memory_bytes < whole.memory_bytes / 4 and adapter.disk_bytes < whole.disk_bytes
    assert whole.memory_bytes > 16 * CARDS["llama-2-7b"].parameters  # four times in float32
    assert (adapter.devices, whole.devices) == (1, 1)
    assert trained(large, "lora-r8").devices == 1
    several = trained(large, "full")
    holds = forecast.FILLED * HARDWARE["mi300x"].memory_bytes
    assert (several.devices / 2) * holds < several.memory_bytes <= several.devices * holds


def test_larger_models_take_more_devices_and_then_nodes():
    taken = {}
    for base in ("llama-2-7b", "r1-distill-qwen-14b", "r1-distill-qwen-32b", "rakutenai-2.0-8x7b"):
        taken[base] = trained(configured("mi300x", base=base), "full").devices
    assert [*taken.values()] == [1, 2, 4, 8]
    config = configured("mi300x", base="rakutenai-2.0-8x7b")
    config.cluster.devices_per_node = 4
    assert trained(config, "full").unfit
    config.cluster.nodes = 2
    shown = rows(config)
    assert one(shown, "train_stage", "full/").devices == 8
    devices, megabytes = forecast.places(shown)["train_stage full/1-sft"]
    assert devices == 8
    weights = memory.size_of(CARDS[config.train.base]).parameters / 1e6
    assert megabytes == pytest.approx(4 * 4 * weights, rel=1e-4)  # of a node: four in float32
    assert forecast.places(shown)["evaluate base"][1] == pytest.approx(2 * weights, rel=1e-4)


def test_rows_that_cannot_be_shared_evenly_and_weights_in_4_bits_stay_on_one_device():
    config = configured("mi300x", base="r1-distill-qwen-14b", batch_size=3)
    assert trained(config, "full").unfit
    arm = next(arm for arm in config.train.arms if arm.name == "full")
    arm.stages[0].accumulation = 2
    assert trained(config, "full").devices == 2
    config = configured("mi300x", base="r1-distill-qwen-32b", batch_size=4096)
    arm = next(arm for arm in config.train.arms if arm.name == "lora-r8")
    method = arm.stages[0].method
    raw = {**arm.stages[0].model_dump(), "method": {**method.model_dump(), "name": "qlora"}}
    arm.stages[0] = type(arm.stages[0]).model_validate(raw)
    row = trained(config, "lora-r8")
    assert row.unfit and "on each of 1 device(s)" in row.why


@pytest.mark.parametrize(
    ("stage", "batch", "devices", "too_few"), [("dpo", 4, 4, 2), ("grpo", 8, None, 8)]
)
def test_pairs_are_shared_and_what_samples_stays_on_one_device(stage, batch, devices, too_few):
    """As the stages do: a pair of preferences is one row, and grpo takes one process."""

    def row(batch):
        config = configured("mi300x", base="r1-distill-qwen-32b", batch_size=batch)
        arm = next(arm for arm in config.train.arms if arm.name == "full")
        [own] = [one for one in config.train.model_dump()["arms"] if one["name"] == "full"]
        own["stages"] = [{"stage": stage, "method": {"name": "full"}}]
        config.train.arms[config.train.arms.index(arm)] = type(arm).model_validate(own)
        return trained(config, "full")

    assert row(batch).devices == devices
    most = 2 if devices else 1
    assert row(too_few).unfit and f"on each of {most} device(s)" in row(too_few).why


def test_what_keeps_no_activations_needs_fewer_bytes():
    config = configured("mi300x", base="llama-2-7b", batch_size=64)
    kept = trained(config, "full")
    for arm in config.train.arms:
        arm.stages[0].checkpointing = True
    again = trained(config, "full")
    assert again.memory_bytes < kept.memory_bytes
    assert again.seconds > kept.seconds


def test_what_ships_runs_as_it_is():
    assert not forecast.unfit(rows(configured("full")))


def test_a_batch_that_no_node_holds_is_named_and_costs_nothing():
    config = configured("mi300x", base="r1-distill-qwen-32b", batch_size=4096)
    row = trained(config, "lora-r8")
    assert (row.seconds, row.devices, row.usd, row.limit) == (None, None, None, False)
    assert "lora-r8" in row.why and "4096 x 96 tokens of r1-distill-qwen-32b needs" in row.why
    assert row.why.endswith("on each of 8 device(s), which hold 173 GB; lower batch or length")
    assert row.why in forecast.as_table([row])
    assert "train_stage" not in forecast.by_rule([row, trained(config, "lora-r8-qv")])


def test_what_is_not_known_of_a_model_is_said():
    for base, reason in (("rakutenai-7b", "no card"), ("nobody", "not in config/models.yaml")):
        models = {name: m.model_copy(update={"card": None}) for name, m in MODELS.items()}
        config = configured("mi300x", base=base)
        plan, _ = plans.make(config, [], SOURCES, MODELS, FOLDER)
        known = Known(models, {}, CARDS, rates.machine(config, HARDWARE))
        row = one(forecast.forecast(config, plan, known), "train_stage", "full/")
        assert row.why.startswith(f"{base}: {reason}") and row.limit


def test_fetching_takes_the_bytes_of_the_lock():
    file = {"sha256": "0" * 64, "bytes": 10**9}
    locked = Locked.model_validate(
        {
            **{"endpoint": "https://huggingface.co", "commit": "0" * 40, "resolved": "2026-11-26"},
            **{"answered": "meta-llama/Llama-2-7b-hf", "gated": True},
            "files": {"1.safetensors": file, "2.safetensors": file},
        }
    )
    config = configured("mi300x", base="llama-2-7b")
    plan, _ = plans.make(config, [], SOURCES, MODELS, FOLDER)
    known = Known(MODELS, {locked.answered: locked}, CARDS, Machine(), network=1e8)
    row = one(forecast.forecast(config, plan, known), "fetch_model")
    assert (row.disk_bytes, row.seconds, row.devices) == (2e9, 20, 0)
    unlocked = one(forecast.forecast(config, plan, replace(known, lock={})), "fetch_model")
    assert unlocked.disk_bytes == 2 * CARDS["llama-2-7b"].parameters  # in 16 bit
    assert "snakemake --profile local lock" in unlocked.why
    assert unlocked.seconds == pytest.approx(unlocked.disk_bytes / 1e8)


def test_jobs_without_a_model_take_what_they_took_elsewhere_in_proportion(tmp_path):
    (tmp_path / "durations.yaml").write_text("gflops: 50\nseconds: {fetch: 4, report: 0.1}")
    half = Machine(25e9 * rates.PROCESSOR, 1e9)
    assert rates.durations(tmp_path / "durations.yaml", half) == {"fetch": 8, "report": 0.5}


def test_every_rule_has_a_figure_at_every_scale():
    """With the rates of a processor no line of `budget` is unknown."""
    path = ROOT / "resources/durations.yaml"
    rules = {
        name
        for file in (ROOT / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.M)
    }
    for scale in (None, "standard", "one-gpu", "one-gpu-24gb", "full"):
        config = configured(scale)
        card = rates.machine(config, HARDWARE)
        machine = PROCESSOR if config.accelerator == "none" else card
        shown = rows(
            config, machine, processor=PROCESSOR, network=1e8, jobs=dict.fromkeys(rules, 1),
            durations=rates.durations(path, PROCESSOR),
        )  # fmt: skip
        assert all(row.seconds or row.unfit for row in shown), scale
        assert {row.rule for row in shown} == rules
    assert {*yaml.safe_load(path.read_text())["seconds"]} <= {*rules, *PREPARATIONS, *EXPERIMENTS}


def test_dollars_are_those_of_devices_or_cores():
    config = configured("mi300x")
    config.budget.prices.rocm, config.budget.prices.core = 4.0, 0.05
    shown = rows(config, cores=16)
    training, corpus = one(shown, "train_stage", "full/"), one(shown, "token_counts")
    assert training.usd == pytest.approx(training.jobs * training.seconds / 3600 * 4.0)
    assert corpus.usd == pytest.approx(corpus.seconds / 3600 * 0.05)
    table = forecast.as_table(shown)
    known = sum(row.usd for row in shown if row.seconds and not row.limit)
    assert f"{known:.2f} USD" in table and table.count("device hours") == 2


def test_cards_are_found_as_clusters_name_their_accelerators():
    config = configured("mi300x")
    for model, found in (("mi300x", True), ("mi250x", True), ("h100", True), ("v100", False)):
        config.cluster.gpu_model = model
        machine = rates.machine(config, HARDWARE)
        assert bool(machine.flops_per_second) is found
    assert "'v100' names no hardware card" in machine.why
    assert rates.unplanned(config, HARDWARE) == machine.why
    config.cluster.gpu_model = None
    assert "gpu_model: null names no hardware card" in rates.unplanned(config, HARDWARE)
    assert not rates.unplanned(configured(), HARDWARE)  # on processors there is none to make
    config.cluster.gpu_model = "mi250x"  # two devices share a module
    assert rates.machine(config, HARDWARE).memory_bytes == HARDWARE["mi250x"].memory_bytes // 2
    assert not rates.unplanned(config, HARDWARE)


@pytest.mark.parametrize(
    "name", [name for name, card in CARDS.items() if card.model_type != "deepseek_v3"]
)
def test_parameters_are_those_of_the_built_model(name):
    size = memory.size_of(CARDS[name].model_copy(update={"parameters": None}))
    assert size.parameters == cards.parameter_count(CARDS[name])
    mixture = CARDS[name].model_type == "mixtral"
    assert (size.active < size.parameters) is mixture


def test_a_token_meets_the_experts_that_are_chosen():
    assert memory.size_of(
        CARDS["deepseek-r1"].model_copy(update={"parameters": 671_026_419_200})
    ).active == pytest.approx(37e9, rel=0.03)  # as published


def test_each_foreseen_experiment_is_one_of_the_catalogue():
    assert {*work.EXPERIMENTS} < {*EXPERIMENTS}


def test_what_has_no_price_is_not_free():
    row = trained(configured("mi300x"), "lora-r8")
    assert row.usd is None and "? USD" in forecast.as_table([row])
