"""Figures that belong to no single claim."""

import re

import pandas as pd
from kensho.report import plots


def test_a_seed_keeps_its_colour_in_every_panel() -> None:
    rows = [("full", seed, step, 3.0 - step / 10) for seed in (1, 2, 3) for step in range(5)]
    rows += [("lora", seed, step, 2.5) for seed in (1, 3) for step in range(5)]
    frame = pd.DataFrame([*rows, ("lora", 2, 0, None)], columns=["arm", "seed", "step", "loss"])
    colours = [
        set(re.findall(r"--series-\d", plots.loss(frame, arm, (2, 4)))) for arm in ("full", "lora")
    ]
    assert colours == [{"--series-1", "--series-2", "--series-3"}, {"--series-1", "--series-3"}]
