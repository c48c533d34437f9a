"""The report as a reader and a hostile file would meet it."""

import copy
import math
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from kensho.report import build

SHA = "9f2c41d07ab35e8864f0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f506"
NULLS = {
    "estimate": None,
    "interval": None,
    "interval_family": None,
    "effect_sizes": None,
    "p_value": None,
    "p_bonferroni": None,
    "p_holm": None,
    "power": None,
    "posterior": None,
    "diagnostics": None,
    "schools_agree": None,
    "readings": None,
    "blocks": None,
    "observations": None,
    "deviations": None,
}


def deterministic() -> dict:
    """R-1 of the fixture: exact ratios of cache sizes over eight baselines."""
    baselines = {
        "MHA of the same model": 576 / 40960,
        "MHA in DeepSeek-V2's convention": 576 / 32768,
        "GQA with 8 groups": 576 / 2048,
        "MQA": 576 / 256,
        "Llama-2-7B, all layers": 576 * 61 / (8192 * 32),
        "Llama-2-70B, all layers": 576 * 61 / (2048 * 80),
        "DeepSeek 67B, per layer": 576 / 2048,
        "deepseek-llm-7b with 30 layers": 0.0703,
    }
    readings = [
        {"label": label, "value": x, "low": x, "high": x, "holds": 0.05 <= x <= 0.13}
        for label, x in baselines.items()
    ]
    return {
        **NULLS,
        "claim": "R-1",
        "design": "deterministic",
        "tier": "at-scope",
        "unit": "ratio",
        "estimate": 576 / 40960,
        "readings": readings,
        "observations": [
            {
                "file": f"results/benchmark_data/kv_cache/{arm}.csv",
                "sha256": SHA,
                "rows": 120,
            }
            for arm in ("mla", "mha", "gqa-8")
        ],
        "family_size": 1,
        "n_units": 1,
        "min_units": 1,
    }


def paired() -> dict:
    """R-8.quick of the fixture: twelve blocks of a time ratio."""
    ratios = [6.11, 6.42, 5.98, 6.25, 6.31, 6.07, 6.19, 6.55, 6.02, 6.28, 6.15, 6.33]
    return {
        "claim": "R-8.quick",
        "design": "paired_log_ratio",
        "tier": "at-scope",
        "estimate": 6.219,
        "interval": [6.115, 6.325],
        "interval_family": [6.065, 6.377],
        "unit": "ratio",
        "family_size": 5,
        "n_units": 12,
        "min_units": 10,
        "effect_sizes": {
            "cohen_dz": 68.1,
            "cohen_dz_interval": [40.2, 96.1],
            "hedges_g": 63.4,
            "eta_squared": None,
        },
        "p_value": 2.1e-17,
        "p_bonferroni": 1.05e-16,
        "p_holm": 8.4e-17,
        "power": {
            "effect_assumed": 10.47,
            "sd_log": 0.027,
            "power_at_n": 0.998,
            "n_required": 9,
        },
        "posterior": {
            "p_region": 0.0,
            "p_rope": 0.0,
            "p_direction": 1.0,
            "eti": [6.11, 6.33],
            "hdi": [6.108, 6.327],
            "prior_sensitivity": [
                {
                    "prior": "mu ~ N(0, 0.5)",
                    "estimate": 6.2,
                    "p_region": 0.0,
                    "verdict": "PARTIAL",
                },
                {
                    "prior": "mu ~ N(0, 2)",
                    "estimate": 6.22,
                    "p_region": 0.0,
                    "verdict": "PARTIAL",
                },
            ],
        },
        "diagnostics": {
            "rhat": 1.001,
            "ess_bulk": 3120.0,
            "divergences": 0,
            "gates_ok": True,
        },
        "schools_agree": True,
        "readings": [
            {
                "label": "wall",
                "value": 6.219,
                "low": 6.065,
                "high": 6.377,
                "holds": False,
            }
        ],
        "blocks": [{"block": f"process {i:02d}", "ratio": x} for i, x in enumerate(ratios, 1)],
        "observations": [
            {
                "file": "results/benchmark_data/quick_mode/plain.csv",
                "sha256": SHA,
                "rows": 12,
            }
        ],
        "deviations": ["one warm-up run for each arm, kept and marked"],
    }


def few() -> dict:
    """R-5.memory of the fixture: three seeds."""
    return {
        **paired(),
        "claim": "R-5.memory",
        "tier": "reduced",
        "estimate": 1.931,
        "interval": [1.882, 1.981],
        "interval_family": [1.801, 2.07],
        "n_units": 3,
        "min_units": 3,
        "readings": [{"label": "peak", "value": 1.931, "low": 1.8, "high": 2.07, "holds": True}],
        "blocks": [
            {"block": f"seed {s}", "ratio": x} for s, x in ((1, 1.92), (2, 1.95), (3, 1.923))
        ],
    }


def claim(identifier: str, verdict: str, analysis: dict | None = None, **fields: object) -> dict:
    return {
        "id": identifier,
        "source": "A",
        "statement": "a published sentence",
        "quantity": "ratio",
        "unit": "ratio",
        "claimed": {"value": 2},
        "scope": {"models": ["deepseek-ai/DeepSeek-R1"], "hardware": "any"},
        "required_tier": "at-scope",
        "priority": False,
        "remarks": [],
        "arithmetic": [],
        "verdict": verdict,
        "reason": None,
        "sentence": "",
        "analysis": analysis,
        **fields,
    }


def summary() -> dict:
    claims = [
        claim(
            "R-1",
            "PARTIAL",
            deterministic(),
            statement="MLA cuts the KV cache to 5–13 % of traditional methods",
            quantity="cache bytes per token and layer, MLA / baseline",
            claimed={"low": 0.05, "high": 0.13},
            priority=True,
            reason="READINGS",
            sentence="0.0141 for MHA of the same model; 1 of 8 readings lies in the claimed range.",
            remarks=["“Traditional” is undefined, so every reading is shown."],
        ),
        claim(
            "R-5.memory",
            "PARTIAL",
            few(),
            statement="LoRA on 6.7B needs 2x less memory than full fine-tuning of 1B",
            quantity="peak memory in training, full fine-tuning / LoRA",
            region=[1.818, 2.2],
            priority=True,
            reason="TIER",
            sentence="LoRA needs 1.93 times less memory, but on 135M; the claim speaks of 6.7B.",
        ),
        claim(
            "R-8.quick",
            "PARTIAL",
            paired(),
            source="A, B",
            statement="Quick mode is 10.47x faster",
            quantity="wall time, plain / quick, with identical results",
            claimed={"value": 10.47},
            region=[9.518, 11.517],
            reason="MAGNITUDE",
            sentence="Quick mode is 6.22 times faster (6.07 to 6.38), not 10.47 times.",
            remarks=["The conditions of the original measurement are unknown."],
        ),
        claim(
            "D-2",
            "NOT TESTED",
            source="D",
            statement="shisa-jp-tl-bench win rate 16.4 to 23.7, +49 %",
            unit="percent",
            claimed={"value": 49},
            reason="needs the LFM2-350M-ENJP-MT weights and the judged outputs 翻訳結果",
            arithmetic=[
                {
                    "text": "16.4 to 23.7 given as +49 %",
                    "given": 49,
                    "recomputed": 44.5,
                    "agrees": False,
                    "finding": "16.4 to 23.7 is +44.5 %, given as +49 %.",
                }
            ],
        ),
        claim("R-4", "NOT TESTED", reason="needs ROCm on an MI300X", unit="percent"),
        claim("C-1", "NOT TESTED", source="C", reason="needs training at five data sizes"),
    ]
    return {
        "title": "Claims about Japanese LLM adaptation",
        "generated": "2026-11-21T09:12:00Z",
        "scale": "embedded",
        "alpha": 0.05,
        "family": {"main": 5},
        "versions": {"python": "3.11.7", "pymc": "5.28.5", "pingouin": "0.7.0"},
        "hardware": {
            "processor": "2 cores, x86_64",
            "memory": "16 GiB",
            "accelerator": "none",
        },
        "claims": claims,
    }


def tables() -> dict[str, pd.DataFrame]:
    arms, seeds = ("lora-r8", "full", "lora-r8-augmented"), (1, 2, 3)
    gap = (math.nan,) * 3
    evaluation = [("base", math.nan, "nll_per_character", 500, 1.912, 1.871, 1.953, *gap, "nats")]
    evaluation += [
        (
            arm,
            seed,
            "nll_per_character",
            500,
            e,
            e - 0.04,
            e + 0.04,
            d,
            d - 0.02,
            d + 0.02,
            "nats",
        )
        for a, arm in enumerate(arms)
        for seed in seeds
        for d in [-0.31 - 0.07 * a + 0.008 * seed]
        for e in [1.912 + d]
    ]
    evaluation += [
        ("base", math.nan, "chrf", 200, 4.1, 3.5, 4.8, *gap, "points"),
        ("lora-r8", 1, "chrf", 200, 9.3, 8.4, 10.2, 5.2, 4.4, 6.0, "points"),
    ]
    loss = [
        (
            arm,
            seed,
            step,
            3.4 - 0.2 * a + 0.03 * seed - 1.3 * (1 - 0.97**step) + (step % 7) / 40,
        )
        for a, arm in enumerate(arms)
        for seed in seeds
        for step in range(0, 120, 2)
    ]
    widths = {"mla": 576, "mha": 40960}
    grid = [
        (
            arm,
            length,
            batch,
            dtype,
            length * batch * width * 2,
            length * batch * width * 2,
            True,
        )
        for arm, width in widths.items()
        for length in (512, 1024, 2048, 4096, 8192)
        for batch in (1, 2, 4, 8)
        for dtype in ("float16", "bfloat16")
    ]
    names = "arm seed metric n estimate low high difference difference_low difference_high unit"
    return {
        "evaluation": pd.DataFrame(evaluation, columns=names.split()),
        "loss": pd.DataFrame(loss, columns=["arm", "seed", "step", "loss"]),
        "drops": pd.DataFrame(
            [
                ("cleaning", "no English side", 812),
                ("cleaning", "too short: はい。", 4410),
                ("near duplicates", "bigram Jaccard of 0.8 or more", 21877),
            ],
            columns=["stage", "reason", "count"],
        ),
        "augmentation": pd.DataFrame(
            [
                (technique, outcome, count)
                for technique, base in (
                    ("synonyms", 11200),
                    ("bunsetsu", 9100),
                    ("politeness", 9700),
                )
                for outcome, count in (
                    ("kept", base),
                    ("duplicate", 210),
                    ("test_leak", 3),
                )
            ],
            columns=["technique", "outcome", "count"],
        ),
        "kv_grid": pd.DataFrame(
            grid,
            columns=[
                "arm",
                "length",
                "batch",
                "dtype",
                "cache_bytes",
                "closed_form_bytes",
                "equal",
            ],
        ),
    }


def empty() -> dict[str, pd.DataFrame]:
    return {name: frame.iloc[:0] for name, frame in tables().items()}


EXECUTION = {
    "wall_seconds": 1043.0,
    "command": "snakemake --profile profiles/local quick",
    "rules": [{"rule": "train", "jobs": 9, "seconds": 610.2}],
}


def render(given: dict | None = None, **changed: object) -> str:
    return build(given or summary(), **{**tables(), **changed}, execution=EXECUTION)


VOID = ("meta", "link", "br", "img", "input")


class Reader(HTMLParser):
    """Ids, elements that load something, text, and tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids, self.loads, self.links, self.text, self.open = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "a":
            self.links.append(named.get("href"))
        else:
            self.loads += [v for k, v in attrs if k in ("src", "href", "data") and v[:1] != "#"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def html() -> str:
    return render()


def text(html: str) -> str:
    return " ".join(" ".join(Reader(html).text).split())


def test_well_formed_with_unique_ids_and_every_claim_once(html: str) -> None:
    page = Reader(html)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {c["id"] for c in summary()["claims"]} <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(
        f'"#{i}"' in html or f"(#{i})" in html for i in page.ids if i[:5] in ("strip", "block")
    )


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    page = Reader(html)
    assert page.loads == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", html)
    assert re.findall(r"https?://[^\s\"<]+", html) == ["https://arxiv.org/abs/2603.18037"]


def test_language_and_both_colour_schemes(html: str) -> None:
    assert '<html lang="en">' in html and 'lang="ja">検証' in html
    assert "prefers-color-scheme: dark" in html and "Noto Sans JP" in html
    assert not re.search(r"#0101[01]\d", html), "a placeholder colour of the plots was left"


def test_equal_inputs_give_equal_bytes(html: str) -> None:
    assert render() == html


def test_hostile_text_is_escaped_wherever_it_enters() -> None:
    bad = "<script>alert(1)</script>"
    given, frames = summary(), tables()
    for entry in given["claims"]:
        for key in ("statement", "quantity", "reason", "sentence", "source", "unit"):
            entry[key] = bad
        entry["remarks"] = [bad]
        for row in (entry["analysis"] or {}).get("readings") or []:
            row["label"] = bad
        for row in (entry["analysis"] or {}).get("blocks") or []:
            row["block"] = bad
        for row in (entry["analysis"] or {}).get("observations") or []:
            row["file"] = "javascript:alert(1)"
    given["title"] = given["scale"] = bad
    for frame, column in (
        ("loss", "arm"),
        ("evaluation", "arm"),
        ("evaluation", "unit"),
        ("drops", "reason"),
        ("augmentation", "outcome"),
        ("kv_grid", "arm"),
    ):
        frames[frame][column] = bad + frames[frame][column]
    html = render(given, **frames)
    assert html.count("<script>") == 1 and "alert(1)</script" not in html
    assert "&lt;script&gt;" in html
    assert not any(link.startswith("javascript:") for link in Reader(html).links)


def test_untested_claims_give_their_reason_after_the_judged(html: str) -> None:
    seen = text(html)
    for entry in summary()["claims"]:
        if entry["verdict"] == "NOT TESTED":
            assert entry["reason"] in seen
    assert html.index('<article class="card partial" id="R-8.quick"') < html.index('id="D-2"')


def test_findings_of_the_arithmetic_lint_stand_out(html: str) -> None:
    finding = re.search(r'<p class="arithmetic finding">.*?</p>', html, re.DOTALL).group()
    assert "+44.5 %" in finding and "recomputed 44.5" in finding


def test_card_shows_what_decided(html: str) -> None:
    card = text(re.search(r'<article[^>]*id="R-8.quick".*?</article>', html, re.DOTALL).group())
    for shown in (
        "[6.12, 6.33]",
        "corrected, family of 5 [6.07, 6.38]",
        "12 of at least 10",
        "p, Holm 8.40 × 10⁻¹⁷",
        "68 [40, 96]",
        "P(claimed region) 0.000",
        "mu ~ N(0, 0.5)",
        "R-hat 1.001",
        "✗ does not",
        "9f2c41d07ab3",
        "MAGNITUDE",
    ):
        assert shown in card, shown
    assert 'href="benchmark_data/quick_mode/plain.csv"' in html


@pytest.mark.parametrize("name", ["deterministic", "paired", "few"])
def test_every_field_of_an_analysis_may_be_null_or_absent(name: str) -> None:
    analysis = {"deterministic": deterministic, "paired": paired, "few": few}[name]()
    broken = [{**analysis, key: None} for key in analysis]
    broken += [{k: v for k, v in analysis.items() if k != key} for key in analysis]
    claims = [claim(f"X-{i}", "INCONCLUSIVE", each) for i, each in enumerate(broken)]
    seen = text(render({"claims": claims}, **empty()))
    assert all(f"X-{i} " in seen for i in range(len(broken)))
    assert "None" not in seen and "nan" not in seen


def test_bare_summary_and_empty_tables_still_make_a_page() -> None:
    given = {"claims": [{"id": "X-1", "verdict": "NOT TESTED"}]}
    seen = text(build(given, **empty(), execution={}))
    assert "X-1" in seen and "No claim has an estimate yet." in seen
    assert "None" not in seen and "nan" not in seen


def test_repeated_ids_and_unknown_verdicts_are_refused_together() -> None:
    given = {"claims": [claim("X-1", "FAILED"), claim("X-1", "MAYBE")]}
    with pytest.raises(ValueError, match="X-1: the id is used twice; claim X-1: verdict 'MAYBE'"):
        render(given)


def test_a_cell_that_differs_from_the_closed_form_is_counted_and_marked() -> None:
    grid = tables()["kv_grid"]
    assert "closed form in all 80 cells" in text(render())
    grid.loc[3, "equal"] = False
    html = render(kv_grid=grid)
    assert "closed form in 79 of 80 cells" in text(html) and html.count('class="n differs"') == 1


def test_inputs_are_left_as_they_were() -> None:
    given, frames = summary(), tables()
    before, copies = (
        copy.deepcopy(given),
        {name: frame.copy() for name, frame in frames.items()},
    )
    render(given, **frames)
    assert given == before
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, copies[name])
