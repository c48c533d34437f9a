"""Figures that belong to no single claim."""

import re

import pandas as pd
from kensho.report import plots


def drawn(svg: str) -> dict[str, int]:
    """Bands and curves of a figure."""
    filled = re.findall(r"fill: var\(--band\)", svg)
    return {"bands": len(filled)} | {
        name: len(re.findall(rf"fill: none; stroke: var\(--{name}\)", svg))
        for name in ("ink", "accent")
    }


def test_seeds_are_a_band_and_held_out_samples_a_curve_of_their_own() -> None:
    rows = [("full", seed, step, 3.0 - step / 10) for seed in (1, 2, 3) for step in range(5)]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "step", "loss"])
    frame["unit"] = "nats per token"
    plain = plots.curve(frame, "full", "loss", (2, 4))
    assert drawn(plain) == {"bands": 1, "ink": 1, "accent": 0} and "of 3 seeds" in plain
    frame["validation"] = frame["loss"].where(frame["step"].isin([0, 4]))
    assert drawn(plots.curve(frame, "full", "loss", (2, 4)))["accent"] >= 1
    frame["peak_bytes"] = 5e6
    svg = plots.curve(frame, "full", "peak_bytes", (4, 6))
    assert "Peak memory of full over steps, MB" in svg and drawn(svg)["accent"] == 0


def test_losses_of_each_unit_and_rewards_are_curves_of_the_arms_that_have_them() -> None:
    rows = [(arm, 1, step, 3.0) for arm in ("full", "rewarded") for step in range(3)]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "step", "loss"])
    frame["unit"] = frame["arm"].map({"full": "nats per token", "rewarded": "per answer"})
    frame["reward"] = frame["step"].where(frame["arm"] == "rewarded") / 4
    rows = plots.panels(frame)
    panels = {(row["title"], row["unit"]): [arm for arm, _ in row["panels"]] for row in rows}
    assert panels == {
        ("Loss", "nats per token"): ["full"],
        ("Loss", "per answer"): ["rewarded"],
        ("Reward", ""): ["rewarded"],
    }
    assert "Loss of rewarded over steps, per answer" in rows[1]["panels"][0][1]
