"""One small report as the tests of this folder render and read it."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
from kensho.claims.model import Claim, Claimed
from kensho.report.page import Tables, build
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge
from kensho.stats.summary import Judged, summarise

SHA = "9f2c41d07ab35e8864f0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f506"
CLAIMED = dict.fromkeys(Claimed.model_fields)
UNTESTED = Claim.model_validate(
    {
        "id": "X-0",
        "source": "A",
        "statement": "a published sentence",
        "quantity": "ratio",
        "unit": "ratio",
        "claimed": {"value": 2},
        "scope": {"models": ["deepseek-ai/DeepSeek-R1"]},
        "test": None,
        "not_tested": "needs what is not here",
        "obstacles": ["needs hardware"],
    }
)
# Every key of an analysis as the engine writes it, with those that `derive` and `summarise` add.
SETTINGS = Settings(family_size=1, alpha=0.05, seed=0)
EMPTY = judge(UNTESTED, {}, {}, SETTINGS)[0].model_dump(mode="json") | {
    **{"registration": {"status": "as registered", "diff": [], "family_then": None}},
    **{"p_holm": None, "observations": [], "tables": [], "settings": {}},
}


def analysis(base: dict = EMPTY, **fields: object) -> dict:
    """An analysis with some fields of its own; the engine knows every one of them."""
    assert not fields.keys() - EMPTY.keys(), fields.keys() - EMPTY.keys()
    return {**base, **fields}


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
    return analysis(
        claim="R-1",
        design="deterministic",
        tier="at-scope",
        scale="ratio",
        unit="ratio",
        family="main",
        estimate=576 / 40960,
        readings=readings,
        observations=[
            {"file": f"benchmark_data/kv_cache/{arm}.csv", "sha256": SHA, "rows": 120}
            for arm in ("mla", "mha", "gqa-8")
        ],
        n_units=1,
        min_units=1,
    )


def paired() -> dict:
    """R-8.quick of the fixture: twelve blocks of a time ratio."""
    ratios = [6.11, 6.42, 5.98, 6.25, 6.31, 6.07, 6.19, 6.55, 6.02, 6.28, 6.15, 6.33]
    return analysis(
        claim="R-8.quick",
        design="paired_log_ratio",
        tier="at-scope",
        scale="ratio",
        unit="ratio",
        family="main",
        estimate=6.219,
        interval=[6.115, 6.325],
        interval_family=[6.065, 6.377],
        family_size=5,
        n_units=12,
        min_units=10,
        effect_sizes={
            **EMPTY["effect_sizes"],
            "cohen_dz": 68.1,
            "cohen_dz_interval": [40.2, 96.1],
            "hedges_g": 63.4,
        },
        p_value=2.1e-17,
        p_bonferroni=1.05e-16,
        p_holm=8.4e-17,
        power={"effect_assumed": 10.47, "sd": 0.027, "power_at_n": 0.998, "n_required": 9},
        posterior={
            **{"estimate": 6.219, "p_below": 1.0, "p_above": 0.0, "p_new_unit": None},
            "p_region": 0.0,
            "p_rope": 0.0,
            "p_direction": 1.0,
            "eti": [6.11, 6.33],
            "hdi": [6.108, 6.327],
            "prior": {"location": 1.0, "spread": 0.2},
            "prior_sensitivity": [
                {"prior": "mu ~ N(0, 0.5)", "estimate": 6.2, "p_region": 0.0, "verdict": "PARTIAL"},
                {"prior": "mu ~ N(0, 2)", "estimate": 6.22, "p_region": 0.0, "verdict": "PARTIAL"},
            ],
        },
        diagnostics={
            **{"rhat": 1.001, "ess_bulk": 3120.0, "divergences": 0, "ppc_p": 0.4, "gates_ok": True}
        },
        schools_agree=True,
        readings=[{"label": "wall", "value": 6.219, "low": 6.065, "high": 6.377, "holds": False}],
        blocks=[{"block": f"process {i:02d}", "value": x} for i, x in enumerate(ratios, 1)],
        observations=[{"file": "benchmark_data/quick_mode/plain.csv", "sha256": SHA, "rows": 12}],
        deviations=["one warm-up run for each arm, kept and marked"],
    )


def few() -> dict:
    """R-5.memory of the fixture: three seeds."""
    return analysis(
        paired(),
        claim="R-5.memory",
        tier="reduced",
        estimate=1.931,
        interval=[1.882, 1.981],
        interval_family=[1.801, 2.07],
        n_units=3,
        min_units=3,
        readings=[{"label": "peak", "value": 1.931, "low": 1.8, "high": 2.07, "holds": True}],
        blocks=[{"block": f"seed {s}", "value": x} for s, x in ((1, 1.92), (2, 1.95), (3, 1.923))],
    )


def on_scale(scale: str, identifier: str = "R-8.quick") -> dict:
    """The paired analysis with everything that the engine stores, on any scale."""
    middle, spread = {
        "ratio": (6.2, 0.05),
        "difference": (-0.03, 0.02),
        "share": (0.61, 0.02),
        "dose": (3900.0, 700.0),
    }[scale]
    x = middle + 4 * spread * np.linspace(-1, 1, 81)
    density = np.exp(-(((x - middle) / spread) ** 2) / 2) / spread
    low, high = middle - 2 * spread, middle + 2 * spread
    wider = [middle - 2.6 * spread, middle + 2.6 * spread]
    specifications = [
        {"label": "pairing ignored, Welch", "estimate": middle + spread, "low": low, "high": high,
         "verdict": "PARTIAL"},
        {"label": "percentile bootstrap", "estimate": middle, "low": low, "high": None,
         "verdict": "PARTIAL"},
        {"label": "units beyond 3 MAD left out", "estimate": middle - spread, "low": low,
         "high": middle, "verdict": "VERIFIED"},
    ]  # fmt: skip
    return analysis(
        paired(),
        claim=identifier,
        scale=scale,
        unit={"dose": "samples", "difference": "points"}.get(scale, scale),
        estimate=middle,
        interval=[low, high],
        interval_family=wider,
        readings=[
            {"label": "mean", "value": middle, "low": wider[0], "high": wider[1], "holds": False}
        ],
        blocks=[
            {"block": f"block-{i:02d}", "value": middle + spread * (-1) ** i * (0.4 + i / 10)}
            for i in range(12)
        ],
        posterior={
            **paired()["posterior"],
            "estimate": middle,
            "eti": [low, high],
            "hdi": [low + spread / 10, high - spread / 10],
            "p_below": 0.012,
            "p_region": 0.95,
            "p_above": 0.038,
            "p_new_unit": 0.41,
        },
        registration={
            "status": "changed after the data",
            "diff": ["test.region: [1.8, 2.2] -> [1.5, 2.5]"],
            "family_then": None,
        },
        multiverse={"share": 2 / 3, "specifications": specifications},
        tests=[
            {"name": "TOST", "statistic": 2.31, "dof": 11, "p_value": 0.0206},
            {"name": "Wilcoxon", "statistic": 8.0, "dof": None, "p_value": 0.000488},
        ],
        variance={"between_units": 0.0011, "within_units": 0.0002},
        plots={
            "posterior": {
                "x": x.tolist(),
                "density": density.tolist(),
                "prior": [0.2 * density.max()] * 81,
            },
            "ranks": [[(7 * i * (c + 3)) % 11 + 20 for i in range(20)] for c in range(4)],
            "ppc": {
                "label": "largest deviation",
                "observed": middle,
                "x": x.tolist(),
                "density": density.tolist(),
            },
            "power": {"n": [2, 5, 10, 20, 40], "power": [0.05, 0.3, 0.7, 0.95, 1.0]},
        },
    )


def claim(identifier: str, verdict: str, analysis: dict | None = None, **fields: object) -> dict:
    """An entry of the summary; the engine writes each of its keys."""
    [empty] = summarise([UNTESTED], Judged({}, {"X-0": ""}), scale="embedded", alpha=0.05)["claims"]
    test = {"direction": "greater", "sesoi": 1.05, "levels": ["block"]}
    entry = {
        **empty,
        "id": identifier,
        "verdict": verdict,
        "analysis": analysis,
        **({"region": [1.9, 2.1], "record": {"test": test}} if analysis else {}),
        **fields,
    }
    assert entry.keys() == empty.keys()
    return entry | {"claimed": {**CLAIMED, **entry["claimed"]}}


def summary() -> dict:
    claims = [
        claim(
            "R-1",
            "PARTIAL",
            deterministic(),
            statement="MLA cuts the KV cache to 5–13 % of traditional methods",
            quantity="cache bytes per token and layer, MLA / baseline",
            claimed={"low": 0.05, "high": 0.13, "value": None},
            region=[0.05, 0.13],
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
            source="B",
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
            sentence="needs the LFM2-350M-ENJP-MT weights and the judged outputs 翻訳結果",
            audit=[
                {
                    "text": "16.4 to 23.7 given as +49 %",
                    "check": "derived",
                    "word": "IMPOSSIBLE",
                    "sentence": "The relative gain is 43.8 to 45.3 percent; printed is 49.",
                    "needs": "",
                }
            ],
        ),
        claim("R-4", "NOT TESTED", sentence="needs ROCm on an MI300X", unit="percent"),
        claim("C-1", "NOT TESTED", source="C", sentence="needs training at five data sizes"),
    ]
    return {
        "title": "Claims about Japanese LLM adaptation",
        "file": "statistical_summary.json",
        "generated": "2026-11-21T09:12:00Z",
        "scale": "embedded",
        "alpha": 0.05,
        "family": {"main": 5},
        "versions": {"python": "3.11.7", "pymc": "5.28.5", "pingouin": "0.7.0"},
        "hardware": {"processor": "2 cores, x86_64", "memory": "16 GiB", "accelerator": "none"},
        "claims": claims,
    }


def tables() -> dict[str, pd.DataFrame]:
    arms, seeds = ("lora-r8", "full", "lora-r8-augmented"), (1, 2, 3)
    gap = (math.nan,) * 3
    evaluation = [("base", math.nan, "nll_per_character", 500, 1.912, 1.871, 1.953, *gap, "nats")]
    evaluation += [
        (arm, seed, "nll_per_character", 500, e, e - 0.04, e + 0.04, d, d - 0.02, d + 0.02, "nats")
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
        (arm, seed, step, 3.4 - 0.2 * a + 0.03 * seed - 1.3 * (1 - 0.97**step) + (step % 7) / 40)
        for a, arm in enumerate(arms)
        for seed in seeds
        for step in range(0, 120, 2)
    ]
    widths = {"mla": 576, "mha": 40960}
    grid = [
        (arm, length, batch, dtype, length * batch * width * 2, length * batch * width * 2, True)
        for arm, width in widths.items()
        for length in (512, 1024, 2048, 4096, 8192)
        for batch in (1, 2, 4, 8)
        for dtype in ("float16", "bfloat16")
    ]
    gained = [
        ("pairs", 100, "chrf", "points", "repeat", 5, 3.1, 0, 1.25, 1.1, 1.42, "", *gap, "",
         *gap),
        ("pairs", 100, "chrf", "points", "eda", 5, 3.0, 180.5, *gap, "a score of 0 has no ratio",
         0.97, 0.95, 0.99, "", 90, 1, gap[0]),
        ("pairs", 100, "nll_per_character", "nat/character", "pivot", 5, 3.4, 20.0,
         1.02, 1.01, 1.03, "", 1.01, 0.99, 1.02, "", 20, 0, 3),
    ]  # fmt: skip
    columns = "task size metric unit arm seeds mean variants "
    columns += "over_none over_none_low over_none_high over_none_lacks over_repeat "
    columns += "over_repeat_low over_repeat_high over_repeat_lacks "
    columns += "candidates_kept candidates_test_leak"
    names = "arm seed metric n estimate low high difference difference_low difference_high unit"
    return {
        "evaluation": pd.DataFrame(evaluation, columns=names.split()),
        "loss": pd.DataFrame(loss, columns=["arm", "seed", "step", "loss"]).assign(
            unit="nats per token"
        ),
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
                for outcome, count in (("kept", base), ("duplicate", 210), ("test_leak", 3))
            ],
            columns=["technique", "outcome", "count"],
        ),
        "gains": pd.DataFrame(gained, columns=[*columns.split(), "candidates_another sample"]),
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
    "rules": [{"rule": "train", "jobs": 9, "seconds": 610.2}],
}


PAGES = [
    {"target": "jlce", "href": "jlce.html", "there": True, "stale": None, "command": "make jlce"},
    {"target": "calibration", "href": "c.html", "there": False, "stale": None, "command": "do it"},
]


def render(given: dict | None = None, **changed: object) -> str:
    """The page of the example, or of another summary; what is not given is the example's."""
    shown = Tables(**{**tables(), **changed})
    return build({**summary(), **(given or {})}, EXECUTION, pages=PAGES, tables=shown)


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


def text(html: str) -> str:
    return " ".join(" ".join(Reader(html).text).split())


def card(html: str, identifier: str) -> str:
    """Text of the card of one claim."""
    start = html.index(f'id="{identifier}" data-claim')
    return " ".join(re.sub(r"<[^>]*>", " ", html[start : html.index("</article>", start)]).split())
