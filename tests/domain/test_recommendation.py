"""The table of adapted models by quality, latency and memory, and its page."""

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from kensho.domain.arms import ANSWERS, SCORES
from kensho.observations import Row, table
from kensho.report import domain
from kensho.report.translation import Catalogue, english, translated
from kensho.stats import recommendation

LOST = "its rows do not fit"
ARMS = {  # seconds, bytes, scores
    "small": (1.0, 1e9, [1, 2, 1, 2]),
    "large": (4.0, 4e9, [3, 3, 2, 3]),
    "worse": (5.0, 4e9, [2, 3, 2, 3]),
}


def tables(scored=True, accelerators=(), formats=MappingProxyType({})):
    hardware = {"accelerators": list(accelerators)}
    served, scores = {}, {}
    for arm, (seconds, size, points) in ARMS.items():
        rows = [Row(ANSWERS, arm, f"q{n}", 0, "seconds", seconds + n / 10, "s") for n in range(4)]
        for metric in ("file_bytes", "peak_memory_bytes"):
            rows.append(Row(ANSWERS, arm, "all", 0, metric, size, "bytes"))
        rows.append(Row(ANSWERS, arm, "all", 0, "answers", 4, "answers"))
        own = {"attention": "gqa", "format": formats.get(arm, "safetensors")}
        served[arm] = table(rows), {"models": {"m": {}}, "own": own, "hardware": hardware}
        rows = [Row(SCORES, arm, f"q{n}", 0, "score", p, "points") for n, p in enumerate(points)]
        scores[arm] = table(rows), {"absent": {}}
    rows = [Row(ANSWERS, "lost", "all", 0, "answers", 0, "answers")]
    own = {"attention": "mha", "format": "q4_k_m"}
    lost = {"models": {"m": {}}, "own": own, "absent": {"seconds": LOST}, "hardware": hardware}
    served["lost"] = table(rows), lost
    return served, scores if scored else {}


def test_no_other_arm_is_as_good_and_better_in_one_of_the_recommended():
    made = recommendation.table(*tables(), 0.05, "").set_index("arm")
    assert made.index[made["unbeaten"]].tolist() == ["small", "large"]
    assert made.loc["large", "score"] == 2.75
    assert made.loc["large", "score_low"] < 2.75 < made.loc["large", "score_high"]
    assert np.isclose(made.loc["small", "seconds"], 1.15)
    assert made.loc["lost", "why"] == LOST and np.isnan(made.loc["lost", "score"])
    front = pd.DataFrame({"score": [1, 1], "seconds": [2, 2], "peak_memory_bytes": [3, 3]})
    front = front.assign(memory="host")
    assert recommendation.unbeaten(front) == [True, True]  # equals beat nothing


@pytest.mark.parametrize(
    ("accelerators", "front"), [((), ["small", "large"]), (("x",), ["small", "large", "worse"])]
)
def test_on_an_accelerator_engines_whose_memory_differs_do_not_beat_each_other(accelerators, front):
    answers = tables(accelerators=accelerators, formats={"worse": "f16"})
    made = recommendation.table(*answers, 0.05, "").set_index("arm")
    assert made.index[made["unbeaten"]].tolist() == front


def test_the_page_has_the_front_and_says_what_is_missing():
    page = domain.build(
        recommendation.table(*tables(), 0.05, ""), ["j: may judge"], rehearsal=False
    )
    assert "<b>small</b>" in page and "<b>large</b>" in page and "<b>worse</b>" not in page
    assert page.count("<svg") == 1 and LOST in page and "REHEARSAL" not in page


def test_without_a_judge_nothing_is_recommended_and_no_score_is_shown():
    rows = recommendation.table(*tables(scored=False), 0.05, "needs a judge")
    assert not rows["unbeaten"].any() and rows["score"].isna().all()
    page = domain.build(rows, [], rehearsal=True)
    assert "Nothing is recommended: no arm has a score." in page
    assert "needs a judge" in page and "<svg" not in page and "REHEARSAL" in page


@pytest.mark.parametrize("scored", [True, False])
def test_the_page_is_japanese_in_japanese(scored):
    files = sorted((Path(__file__).parents[2] / "resources/languages/ja").glob("*.yaml"))
    catalogue = Catalogue.read(files)
    why = "x: llama.cpp is not installed; run `make gguf`, or leave the stage out"
    rows = recommendation.table(*tables(scored), 0.05, why)
    page = domain.build(rows.assign(why=why), ["j: may judge"] * scored, rehearsal=False)
    assert english(page) and english(translated(page, catalogue, "ja")) == []
