"""config/strategy.yaml: what the source says, what lies between, and what is refused."""

from math import log, log2
from pathlib import Path

import pytest
import yaml
from kensho.models import cards, catalogue
from kensho.train.strategy import load, row_for

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
    """Arms of a shipped scale that adapt a base of their own, with the card of the base."""
    raw = yaml.safe_load(Path(f"config/scales/{scale}.yaml").read_text(encoding="utf-8"))
    models, _ = catalogue.load("config/models.yaml", (), CARDS)
    for arm in raw["train"]["arms"]:
        for stage in arm["stages"]:
            if stage["method"]["name"] == "lora":
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
    entries = yaml.safe_load(FILE.read_text())["rows"]
    changed = entries[1] | change
    entries[1] = {key: value for key, value in changed.items() if value is not ...}
    path = tmp_path / "strategy.yaml"
    path.write_text(yaml.safe_dump({"rows": entries}))
    with pytest.raises(ValueError) as error:
        load(path)
    (said,) = str(error.value).splitlines()
    assert said.startswith(f"{path}: {line}")
