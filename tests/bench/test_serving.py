"""Ways to serve a model, on real server processes of the test's own: observed, counted, named."""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from completions import program
from conditions_example import tier
from kensho.bench import serving, serving_load
from kensho.bench.run import Run
from kensho.bench.serving_arms import OPTIONS, options
from kensho.bench.study_settings import Serving
from kensho.claims import registry
from kensho.models.reference import Base
from kensho.models.vllm import Refused
from kensho.models.vllm_server import Server
from kensho.observations import Row, environment, read, table, write
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge
from kensho.stats.latency import percentiles

ROOT = Path(__file__).parents[2]
OURS = "KENSHO_TEST_STARTED_BY"  # tells our servers from those of a worker beside this one
SETTINGS = Serving(
    requests=4,
    prompt_tokens=3,
    new_tokens=3,
    batches=[2],
    rates=[50],
    shared_tokens=5,
    contexts=[32],
    timeout_s=20,
    rounds=2,
)
TEXTS = {"en": [*range(20)], "ja": [*range(100, 120)]}
MODEL = Base(
    name="smollm2",
    path="",
    weights="own",
    hub="HuggingFaceTB/SmolLM2-135M-Instruct",
    revision="1" * 40,
    files={"model.safetensors": "0" * 64},
    parameters=134_515_008,
    as_card=True,
)


def settings(**changed):
    return SimpleNamespace(**SETTINGS.model_copy(update=changed).model_dump())


def start(python, arm):
    return partial(Server, python, Path("model"), "float32", options(arm, None), threads=1)


def test_loads_share_their_requests_and_are_seeded():
    loads = serving_load.plans(TEXTS, settings(), seed=1)
    assert [*loads] == ["single", "batch-2", "rate-50", "shared", "context-32"]
    prompts = {block: request.prompt for block, request in loads["single"].requests.items()}
    assert prompts == {
        **{"en-000": [5, 6, 7], "ja-000": [105, 106, 107]},
        **{"en-001": [8, 9, 10], "ja-001": [108, 109, 110]},
    }
    assert loads["batch-2"].requests == loads["single"].requests == loads["rate-50"].requests
    assert loads["shared"].requests["ja-001"].prompt == [*range(100, 105), 108, 109, 110]
    context = loads["context-32"].requests["en-000"]
    assert len(context.prompt) + context.tokens == 32 and context.prompt[:21] == [*range(20), 0]
    again = serving_load.plans(TEXTS, settings(), seed=1)
    assert again == loads != serving_load.plans(TEXTS, settings(), seed=2)


def test_texts_that_are_too_short_are_named():
    with pytest.raises(ValueError, match=r"bench\.serving: .* before prompt en-005; lower"):
        serving_load.plans(TEXTS, settings(requests=40), seed=1)


def test_what_claims_read_is_observed_by_default():
    texts = {"en": [*range(2000)], "ja": [*range(2000)]}
    loads = serving_load.plans(texts, Serving(), seed=1)
    sides = [
        (side.arm, *side.metric.split("."))
        for claim in registry.load(ROOT / "config/claims")
        if claim.test and claim.test.experiment == "serving"
        for side in claim.test.sides
    ]
    assert len(sides) >= 5
    for arm, metric, name in sides:
        assert arm in Serving().arms and metric in serving.OF_REQUEST and name in loads


def test_without_vllm_every_arm_has_that_as_its_reason_and_claims_are_not_tested(
    tiny_model, tmp_path
):
    (tmp_path / "test.csv").write_text("id,en,ja\n" + "1,I am a cat.,私は猫です。\n" * 20)
    (tmp_path / "engine.json").write_text("{}")
    inputs = {
        "model": tiny_model,
        "engine": tmp_path / "engine.json",
        "test": tmp_path / "test.csv",
    }
    observed = serving.experiment(inputs, settings(), Run(tmp_path))
    for rows, made in observed:
        write(tmp_path / "serving", rows, {**environment(), **made, "registered": {}})
    arms = {path.stem: read(path) for path in (tmp_path / "serving").glob("*.csv")}
    assert {*arms} == {*OPTIONS}
    tables, conditions = ({arm: one[n] for arm, one in arms.items()} for n in (0, 1))
    for claim in registry.load(ROOT / "config/claims"):
        if claim.test and claim.test.experiment == "serving":
            own = Settings(family_size=5, alpha=0.05, seed=0)
            judgement, _ = judge(claim, tables, conditions, own)
            assert judgement.verdict == "NOT TESTED"
            assert "vLLM is not installed: run `make vllm`" in judgement.sentence
    rows = percentiles(arms)
    assert set(rows["absent"]) == {serving.NO_VLLM} and rows["requests"].sum() == 0


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """All arms under all loads, and the run that observed them."""
    folder = tmp_path_factory.mktemp("serving")
    python, run = program(folder), Run(folder, seed=1, journal=folder / "journal.jsonl")
    starts = {arm: start(python, arm) for arm in ("plain", "prefix-caching", "ngram")}
    starts |= {"fp8-weights": start(python, "fp8-weights"), "fp8-cache": start(python, "fp8-cache")}
    starts["draft"] = "arm draft: no smaller model drafts"
    loads = serving_load.plans(TEXTS, settings(), seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OURS, str(os.getpid()))
        return starts, loads, run, serving.observe(starts, loads, settings(), run)


def values(observation):
    frame = table(observation.rows())
    return frame.set_index(["metric", "block", "replicate"])["value"]


def test_each_request_and_load_is_observed_in_each_round(observed):
    *_, arms = observed
    frame = table(arms["plain"].rows())
    latency = frame[frame["metric"] == "latency_seconds.single"]
    assert sorted(zip(latency["block"], latency["replicate"], strict=True)) == sorted(
        (block, number) for block in ("en-000", "en-001", "ja-000", "ja-001") for number in (0, 1)
    )
    assert (latency["value"] > 0).all()
    one = values(arms["plain"])
    for number in (0, 1):
        seconds = one["requests_per_second.single", f"round-{number}", 0]
        assert one["tokens_per_second.single", f"round-{number}", 0] == pytest.approx(3 * seconds)
        # one at a time, so that no two answers share a second
        own = latency.loc[latency["replicate"] == number, "value"].sum()
        assert 4 / seconds >= own
    assert one["requests", "all", 0] == 2 * (4 * 4 + 2)
    assert all(one[f"failed_{kind}", "all", 0] == 0 for kind in serving.KINDS)
    assert one["cache_tokens", "round-0", 0] == 1600
    assert one["peak_memory_bytes", "round-0", 0] > 5_000_000


def test_the_server_counts_under_each_load(observed):
    *_, arms = observed
    assert values(arms["plain"])["prefix_cache_hits.shared", "round-0", 0] == 0
    assert values(arms["prefix-caching"])["prefix_cache_hits.shared", "round-0", 0] == 4 * 16


def test_answers_are_held_against_those_of_the_plain_server_item_by_item(observed):
    *_, arms = observed
    assert (values(arms["prefix-caching"])["unchanged.shared"] == 1).all()
    assert (values(arms["ngram"])["unchanged.single"] == 0).all()
    plain = values(arms["plain"])
    # its first answers are those that the others are held against
    assert set(plain["unchanged.single"].index.get_level_values("replicate")) == {1}
    assert set(plain["unchanged.batch-2"].index.get_level_values("replicate")) == {0, 1}


def test_a_server_that_does_not_start_leaves_its_own_cause(observed):
    *_, arms = observed
    for arm, why in (
        ("fp8-weights", "vLLM: ValueError: fp8 is not for this device"),
        ("draft", "arm draft: no smaller model drafts"),
    ):
        absent = arms[arm].absent()
        assert {absent[name] for name in ("latency_seconds.single", "unchanged.batch-8")} == {why}
        frame = table(arms[arm].rows())
        assert set(frame["block"]) == {"all"} and (frame["value"] == 0).all()


def test_of_a_server_that_dies_half_way_what_failed_is_counted_and_has_no_times(observed):
    """It ends at the ninth request: after the warm-up, ``single`` and half of the batches."""
    *_, arms = observed
    one, absent = values(arms["fp8-cache"]), arms["fp8-cache"].absent()
    assert "latency_seconds.single" not in absent and "latency_seconds.single" in one
    for name in ("batch-2", "rate-50", "shared", "context-32"):
        assert "requests failed (gone: " in absent[f"latency_seconds.{name}"]
        assert f"latency_seconds.{name}" not in one and f"tokens_per_second.{name}" not in one
    assert "RuntimeError: the engine has died" in absent["latency_seconds.shared"]
    failed = sum(sum(kinds.values()) for kinds in arms["fp8-cache"].failures().values())
    assert one["failed_gone", "all", 0] == failed > 2 * (4 + 4 + 2)


@pytest.mark.usefixtures("observed")
def test_every_process_of_a_server_has_ended():
    every = psutil.process_iter(["environ", "cmdline"])
    ours = [one for one in every if (one.info["environ"] or {}).get(OURS) == str(os.getpid())]
    assert not [words for one in ours if "serve" in (words := one.info["cmdline"] or [])]


def test_a_killed_study_goes_on_with_the_rounds_that_it_has(observed, monkeypatch):
    starts, loads, run, arms = observed

    def never(*_, **__):
        raise AssertionError("served again")

    monkeypatch.setattr(serving, "interleaved", never)
    again = serving.observe(starts, loads, settings(), run)
    assert all(table(again[arm].rows()).equals(table(arms[arm].rows())) for arm in starts)
    with pytest.raises(AssertionError, match="served again"):
        serving.observe(starts, loads, settings(), run._replace(identity=["another code"]))


def test_without_the_plain_arm_answers_are_held_against_nothing(observed):
    starts, loads, run, _ = observed
    alone = {"ngram": starts["ngram"]}
    own = run._replace(journal=None)
    arms = serving.observe(alone, loads, settings(rounds=1), own)
    assert "unchanged.single" not in values(arms["ngram"])
    assert "arm plain has no answers" in arms["ngram"].absent()["unchanged.single"]


def test_a_registered_load_that_the_settings_lack_has_a_reason(observed):
    *_, arms = observed
    absent = arms["plain"].absent()
    assert absent["latency_seconds.batch-8"] == "load batch-8 is none of the configuration's"


def test_conditions_tell_options_failures_and_arms_left_out(observed, tmp_path):
    *_, arms = observed
    test = tmp_path / "test.csv"
    test.write_text("id,en,ja\n", encoding="utf-8")
    run = Run(tmp_path)
    own = settings(arms=["plain", "fp8-cache"])
    made = serving.conditions(arms["fp8-cache"], MODEL, "0.32.0", None, own, run, {"test": test})
    assert tier(made, MODEL.hub) == "at-scope"
    assert made["own"]["failures"]["shared"] == {"gone": 8}
    assert "--kv-cache-dtype" in made["own"]["options"]
    assert "arm ngram left out by the configuration" in made["fallbacks"]


def test_percentiles_are_of_raw_requests_and_stop_where_none_lies_beyond(observed, tmp_path):
    *_, arms = observed
    told = {
        arm: (table(one.rows()), {"absent": one.absent()})
        for arm, one in arms.items()
        if arm in ("plain", "fp8-weights")
    }
    rows = percentiles(told).set_index(["arm", "load"])
    raw = told["plain"][0].query("metric == 'latency_seconds.single'")["value"]
    row = rows.loc["plain", "single"]
    assert row["requests"] == 8 and row["latency_seconds_p50"] == sorted(raw)[3]
    assert rows[["latency_seconds_p95", "latency_seconds_p99"]].isna().all(axis=None)
    assert row["compared"] == 4
    assert "fp8 is not for this device" in rows.loc["fp8-weights", "single"]["absent"]


def test_percentiles_of_known_times():
    rows = [
        Row("serving", "plain", f"en-{n:03d}", 0, "latency_seconds.single", n + 1.0, "s")
        for n in range(100)
    ]
    [row] = percentiles({"plain": (table(rows), {})}).to_dict("records")
    assert [row[f"latency_seconds_p{p}"] for p in (50, 95, 99)] == [50, 95, 99]


def test_a_server_that_ends_at_once_is_refused_with_its_last_words(tmp_path):
    with pytest.raises(Refused, match="fp8 is not for this device"):
        start(program(tmp_path), "fp8-weights")()
