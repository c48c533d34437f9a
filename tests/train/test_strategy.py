"""config/strategy.yaml: what the source says, what lies between, and what is refused."""

from dataclasses import replace
from math import log, log2
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from kensho.data import sources
from kensho.models import cards, catalogue, reference
from kensho.plan.check import check
from kensho.train.analysis import analyse
from kensho.train.strategy import NAME, Analysis, decide, load, read, recipe, row_for

FILE = Path("config/strategy.yaml")
ROWS = load(FILE)
CARDS = cards.load(Path("resources/architectures.yaml"))


def row(card):
    return row_for(ROWS, CARDS[card].parameters)


def test_the_sources_rows_are_the_sources():
    small, large = row("r1-distill-qwen-1.5b"), row("r1-distill-qwen-32b")
    assert (small.batch, small.accumulation, small.learning_rate, small.rank) == (8, 2, 2e-4, 8)
    assert (large.batch, large.accumulation, large.learning_rate, large.rank) == (1, 16, 5e-5, 64)
    assert (small.memory_gb, large.memory_gb) == (4, 64)
    assert small.source == "B: Qwen-1.5B" and large.source == "B: Qwen-32B"


@pytest.mark.parametrize("card", ["qwen2.5-7b", "qwen2.5-14b"])
def test_our_rows_are_interpolated_as_they_say(card):
    first, last, own = ROWS[0], ROWS[-1], row(card)
    share = log(CARDS[card].parameters / 1.5e9) / log(32 / 1.5)

    def between(name):
        low, high = getattr(first, name), getattr(last, name)
        return low * (high / low) ** share

    assert own.source.startswith("own: ") and own.memory_gb is None
    assert own.batch == 2 ** round(log2(between("batch")))
    assert own.rank == 2 ** round(log2(between("rank")))
    assert own.learning_rate == float(f"{between('learning_rate'):.0e}")


def test_every_row_sees_sixteen_samples_a_step():
    assert {row.batch * row.accumulation for row in ROWS} == {16}


def test_a_bound_belongs_to_its_row_and_nothing_is_extrapolated():
    assert row_for(ROWS, 2_000_000_000) is ROWS[0]
    assert row_for(ROWS, 2_000_000_001) is ROWS[1]
    with pytest.raises(ValueError, match="no strategy for 50,000,000,001 parameters: add a row"):
        row_for(ROWS, 50_000_000_001)


def shipped(scale):
    """Arms and recipes of a shipped scale that adapt a base, with the card of the base."""
    raw = yaml.safe_load(Path(f"config/scales/{scale}.yaml").read_text(encoding="utf-8"))
    models, _ = catalogue.load("config/models.yaml", (), CARDS)
    for arm in [*raw["train"]["arms"], *raw["train"]["recipes"]]:
        for stage in arm["stages"]:
            if stage["stage"] == "sft" and stage["method"]["name"] == "lora":
                yield arm, stage, CARDS[models[arm.get("base", raw["train"]["base"])].card]


@pytest.mark.parametrize("scale", ["full", "one-gpu-24gb"])
def test_shipped_scales_train_as_the_strategy_says(scale):
    for arm, stage, card in shipped(scale):
        expected = row_for(ROWS, cards.parameter_count(card))
        assert stage["learning_rate"] == expected.learning_rate, arm["name"]
        samples = stage["batch_size"] * stage["accumulation"]
        assert samples == expected.batch * expected.accumulation, arm["name"]
        if (
            scale == "full" and "base" in arm
        ):  # elsewhere ranks are those of R-5, or memory is short
            assert stage["method"]["rank"] == expected.rank, arm["name"]
            assert stage["batch_size"] == expected.batch, arm["name"]


WRONG = {
    "missing": ({"rank": ...}, "rows.1.rank: required key is missing"),
    "unknown": ({"lr": 1e-4}, "rows.1.lr: unknown key"),
    "order": ({"up_to": 1e9}, "rows: up_to 1e+09 follows 2e+09; sort the rows"),
    "source": ({"source": "somewhere"}, "rows.1.source: "),
    "memory": ({"memory_gb": ...}, "rows.1.memory_gb: required key is missing"),
}


@pytest.mark.parametrize(("change", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_that_names_it(tmp_path, change, line):
    tables = yaml.safe_load(FILE.read_text())
    entries = tables["rows"]
    changed = entries[1] | change
    entries[1] = {key: value for key, value in changed.items() if value is not ...}
    path = tmp_path / "strategy.yaml"
    path.write_text(yaml.safe_dump(tables))
    with pytest.raises(ValueError) as error:
        load(path)
    (said,) = str(error.value).splitlines()
    assert said.startswith(f"{path}: {line}")


TABLES = read(FILE)
LLAMA = CARDS["llama-2-7b"]
SEEN = Analysis(
    model="llama-2-7b",
    parameters=6_738_415_616,
    vocabulary=32_000,
    nll_per_character=2.0,
    tokens_per_character=0.9,
    samples=15_000,
    length=90,
    device="a device",
    memory_bytes=80 * 10**9,
    dtype="bfloat16",
)


def decided(task="standard", **changed):
    return decide(replace(SEEN, **changed), LLAMA, task, TABLES)


def test_memory_decides_method_checkpointing_and_batch_and_a_step_keeps_its_samples():
    ways = {}
    for gigabytes in (48, 32, 22, 9):
        stage = decided(length=1000, memory_bytes=gigabytes * 10**9).stage
        assert stage["batch_size"] * stage["accumulation"] == 16
        ways[gigabytes] = (stage["method"]["name"], stage["checkpointing"], stage["batch_size"])
    assert ways == {
        48: ("lora", False, 2),
        32: ("lora", False, 1),
        22: ("lora", True, 2),
        9: ("qlora", True, 2),
    }
    limit = TABLES.memory
    assert all(
        decided(length=1000, memory_bytes=g * 10**9).peak_bytes <= limit * g * 10**9 for g in ways
    )
    with pytest.raises(ValueError, match=r"one sample plans .* GB by the last way.*; take a small"):
        decided(memory_bytes=10**9)


def test_the_task_bounds_the_rank_and_data_the_steps_and_length():
    assert decided("standard").stage["method"]["rank"] == 16
    assert decided("complex").stage["method"]["rank"] == 32
    small = replace(SEEN, parameters=134_515_008)
    ranks = {
        task: decide(small, CARDS["smollm2-135m"], task, TABLES).stage["method"]["rank"]
        for task in ("standard", "complex")
    }
    assert ranks == {"standard": 8, "complex": 16}
    assert decided(samples=15_001).steps == 938 and decided(samples=3).steps == 3
    assert decided(length=64).max_length == 64 and decided(length=65).max_length == 128


def test_a_base_that_knows_little_japanese_is_told_what_comes_first():
    assert not [line for line in decided().reasons if line.startswith("advice")]
    both = decided(nll_per_character=3.5, tokens_per_character=1.8).reasons
    assert [line.split(":")[0] for line in both[-2:]] == ["advice", "advice"]


def test_the_recipe_is_an_overlay_that_the_configuration_takes():
    decision = decided()
    text = recipe(SEEN, decision)
    raw = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load(text)
    raw["train"] |= own["train"]
    raw["licences"] = [*raw["licences"], "llama-licence"]
    known, _ = sources.load(Path("config/sources.yaml"))
    models, _ = catalogue.load("config/models.yaml", known, CARDS)
    config, problems = check(raw, known, models, CARDS)
    assert problems == []
    (arm,) = config.train.arms
    assert arm.name == NAME and arm.stages[0].method.rank == 16
    assert config.train.steps == decision.steps
    assert all(reason in text for reason in decision.reasons)


def test_an_analysis_measures_model_and_data(tiny_model):
    pairs = pd.DataFrame({"en": ["I run.", "You run."], "ja": ["走る。", "君は走る。"]})
    seen = analyse(reference.base(tiny_model), pairs, pairs, 1, torch.float32)
    assert seen.vocabulary == 258 and seen.samples == 2
    assert seen.tokens_per_character == 3.0  # bytes
    assert seen.nll_per_character == pytest.approx(3 * log(258), rel=0.1)  # random weights
    longest = len("English: You run.\nJapanese: ") + 3 * len("君は走る。") + 1
    assert longest - 15 < seen.length <= longest


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"ways": [{"method": "full"}]}, "ways.0.method: a step of method full is not planned; ta"),
        ({"ways": [{"method": "oft"}]}, "ways.0.method: a step of method oft is not planned; take"),
        ({"modules": {"targets": ["c_attn"]}}, "modules.targets.0: "),
    ],
)
def test_what_no_step_is_planned_for_is_refused_as_it_is_read(tmp_path, change, line):
    tables = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for key, value in change.items():
        if key == "ways":
            tables[key] = [{**way, "checkpointing": False, "source": "own: x"} for way in value]
        else:
            tables[key] |= value
    path = tmp_path / "strategy.yaml"
    path.write_text(yaml.safe_dump(tables), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        read(path)
    (said,) = str(error.value).splitlines()
    assert said.startswith(f"{path}: {line}")


def test_a_smaller_batch_leaves_the_samples_of_a_step_as_they_are():
    rows = [row.model_copy(update={"batch": 5, "accumulation": 1}) for row in TABLES.rows]
    tables, short = TABLES.model_copy(update={"rows": rows}), 22 * 10**9
    seen = replace(SEEN, length=1000, memory_bytes=short)
    stage = decide(seen, LLAMA, "standard", tables).stage
    assert stage["batch_size"] * stage["accumulation"] == 5 and stage["batch_size"] < 5
