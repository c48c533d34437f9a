"""The studies of training on a tiny model: what arms share, what differs, what a kill leaves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kensho.bench import (
    adapters,
    continual,
    learning,
    persona,
    ranks,
    regret,
    replay,
    training_scale,
)
from kensho.bench import study_settings as own
from kensho.bench.dialogues import continuations
from kensho.bench.run import Run
from kensho.bench.study_arms import (
    CONFIGURATIONS,
    CONTINUAL,
    DOSES,
    RANKS,
    REPLAY,
)
from kensho.data.corpus import write_table
from kensho.models import reference, twins
from kensho.models.loading import load
from kensho.train.likelihood import nll_per_character, plain
from kensho.train.sft import asked

SMALL = {"seeds": [1], "batch_size": 4, "max_length": 64, "items": 2}


def pairs(names):
    ja = [f"{name}が走る。" for name in names]
    return pd.DataFrame({"id": [*names], "ja": ja, "en": [f"{ord(n)} runs." for n in names]})


@pytest.fixture
def inputs(tiny_model, tmp_path):
    write_table(tmp_path / "train.csv", pairs("犬猫鳥魚馬牛羊猿蛇虎兎鹿熊狼鯨亀"))
    write_table(tmp_path / "test.csv", pairs("空海山川"))
    return {
        "model": tiny_model,
        **{name: tmp_path / f"{name}.csv" for name in ("train", "test")},
    }


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "scratch", threads=1, seed=3)


def together(observed):
    """The tables of all arms, and the conditions of the first, which others share."""
    return pd.concat([table for table, _ in observed], ignore_index=True), observed[0][1]


def cells(observed, metric):
    table, _ = together(observed)
    return table[table["metric"] == metric].set_index("arm")["value"]


def test_doses_are_units_of_samples_and_too_many_are_refused(inputs, run):
    settings = own.TrainingScale(**SMALL, unit=3, epochs=2)
    table, conditions = together(training_scale.experiment(inputs, settings, run))
    by_arm = table.pivot(index="arm", columns="metric", values="value")
    assert by_arm["samples"].to_dict() == {arm: 3 * units for arm, units in DOSES.items()}
    assert by_arm["nll_per_character"].nunique() == 5
    assert (by_arm["log_likelihood_per_character"] == -by_arm["nll_per_character"]).all()
    assert "a dose is 3 samples where the source's is 1,000" in conditions["ran"]["stand_ins"]
    with pytest.raises(ValueError, match=r"unit: 20 samples, but the corpus has 16; raise"):
        training_scale.experiment(inputs, own.TrainingScale(**SMALL, unit=4), run)


def test_ranks_differ_in_what_they_train_alone(inputs, run):
    observed = ranks.standard(inputs, own.Ranks(**SMALL, steps=2), run)
    trained = cells(observed, "trainable_parameters")
    assert (trained / trained["rank-4"]).to_dict() == {a: rank / 4 for a, rank in RANKS.items()}
    assert cells(observed, "nll_per_character").nunique() == len(RANKS)
    assert cells(observed, "samples_cut").empty


def test_how_often_a_sample_was_cut_is_observed_and_said(inputs, run):
    settings = own.Ranks(**SMALL | {"max_length": 40}, steps=2)  # within every completion
    observed = ranks.standard(inputs, settings, run)
    learnt = settings.steps * settings.batch_size
    assert (cells(observed, "samples_cut") == learnt).all()
    said = f"{learnt} times a sample was longer than max_length, 40 tokens, and was cut"
    assert all(said in made["deviations"] for _, made in observed)


def test_what_was_observed_before_a_kill_is_not_trained_again(inputs, run, tmp_path, monkeypatch):
    run = run._replace(journal=tmp_path / "kept.jsonl", identity=["code", {}, 3])
    settings = own.Ranks(**SMALL, steps=2)
    monkeypatch.setattr(learning, "compute_dtype", lambda dtype: torch.float32)
    whole = ranks.standard(inputs, settings, run)
    lines = run.journal.read_text().splitlines()
    run.journal.write_text("\n".join(lines[:3]) + '\n["torn')
    trainings = []
    true = learning.train
    monkeypatch.setattr(
        learning, "train", lambda *given: trainings.append(given[4].name) or true(*given)
    )
    again = ranks.standard(inputs, settings, run)
    pd.testing.assert_frame_equal(together(again)[0], together(whole)[0])
    assert trainings == ["ranks rank-32 seed 1", "ranks rank-64 seed 1"]
    trainings.clear()
    ranks.standard(inputs, settings, run._replace(identity=["other code", {}, 3]))
    assert len(trainings) == len(RANKS)
    trainings.clear()
    monkeypatch.setattr(learning, "compute_dtype", lambda dtype: torch.bfloat16)
    _, conditions = together(ranks.standard(inputs, settings, run))  # on another machine
    assert conditions["dtype"] == "bfloat16" and len(trainings) == len(RANKS)


def test_cells_of_another_machines_choice_are_not_taken_over(inputs, run, tmp_path, monkeypatch):
    inputs["tables"] = Path("config/strategy.yaml").absolute()
    run = run._replace(journal=tmp_path / "kept.jsonl", identity=["code", {}, 3])
    settings = own.Regret(seeds=[1], items=2, samples=8, max_length=64, ranks=[4])
    settings = settings.model_copy(update={"learning_rates": [1e-3]})
    trainings, true, decide = [], learning.train, regret.strategy.decide
    monkeypatch.setattr(
        learning, "train", lambda *given: trainings.append(given[4]) or true(*given)
    )
    for batch in (8, 4):  # of less memory

        def chosen(*given, batch=batch):
            made = decide(*given)
            return made._replace(stage={**made.stage, "batch_size": batch})

        monkeypatch.setattr(regret.strategy, "decide", chosen)
        regret.experiment(inputs, settings, run)
    assert [plan.batch_size for plan in trainings] == [8, 8, 4, 4]


def test_configurations_save_their_adapters_and_sizes_have_a_metric_each(inputs, run):
    settings = own.Adapters(**SMALL, sizes=[4, 8])
    observed = adapters.configurations(inputs, settings, run)
    assert {*cells(observed, "nll_per_character").index} == {*CONFIGURATIONS}
    assert (cells(observed, "nll_per_character") != cells(observed, "nll_per_character.n4")).all()
    sizes = cells(observed, "adapter_bytes")
    assert sizes.is_monotonic_increasing and "full" not in sizes
    base = reference.base(inputs["model"])
    assert cells(observed, "base_bytes_16_bit")["full"] == 2 * base.parameters
    assert cells(observed, "base_bytes")["full"] > 4 * base.parameters  # float32 and a header


def test_alpha_and_learning_rate_are_taken(inputs, run):
    observed = adapters.rates(inputs, own.Rates(**SMALL, samples=8), run)
    for kind in ("lr-", "alpha-"):  # half the rate may end like half of alpha
        assert cells(observed, "nll_per_character").filter(like=kind).nunique() == 5


@pytest.mark.parametrize("model_type", ["lfm2", "mixtral"])
def test_a_base_whose_layers_lack_a_target_is_refused_by_name(inputs, run, tmp_path, model_type):
    """PEFT adapts the modules that there are and passes the others over."""
    folder = twins.make(model_type, tmp_path / "twin", seed=1, shard_bytes=10**9)
    settings = own.Adapters(**SMALL, sizes=[4])
    study = learning.of_corpus("adapters", inputs | {"model": folder}, settings, run)
    lacking = f"{model_type} has no module .*gate_proj, up_proj, down_proj; it has .*; name some of"
    with pytest.raises(ValueError, match=f"^adapters r16-all-linear .*: targets: {lacking}"):
        adapters.after(study, "r16-all-linear", 1)


BEYOND_NUMBERS = 1e38  # a learning rate


def test_an_arm_that_diverges_in_one_seed_is_not_judged_and_stops_no_other(
    inputs, run, tmp_path, monkeypatch
):
    run = run._replace(journal=tmp_path / "kept.jsonl")
    whole = learning.whole
    monkeypatch.setattr(
        learning,
        "whole",
        lambda plan, rate: whole(plan, BEYOND_NUMBERS if plan.seed == 2 else rate),
    )
    settings = own.Adapters(**SMALL | {"seeds": [1, 2]}, sizes=[8, 16])
    for _ in range(2):  # the second time from the journal
        observed = adapters.configurations(inputs, settings, run)
        of_arms = {table["arm"].iloc[0]: (table, made) for table, made in observed}
        table, made = of_arms.pop("full")
        assert made["absent"]["nll_per_character"] == "full diverged (seed-2)"
        assert not {"base_bytes", "base_bytes_16_bit"} & {*made["absent"]}  # of no training
        metrics = {block: {*rows["metric"]} for block, rows in table.groupby("block")}
        assert metrics["seed-2"] - metrics["seed-1"] == {"diverged"}
        assert "nll_per_character" in metrics["seed-1"] - metrics["seed-2"]
        assert {*of_arms} == {*CONFIGURATIONS} - {"full"}
        assert not any("absent" in made for _, made in of_arms.values())


def test_a_cell_of_the_grid_that_diverges_is_no_candidate_and_is_counted(inputs, run):
    inputs["tables"] = Path("config/strategy.yaml").absolute()
    settings = own.Regret(seeds=[1], items=2, samples=8, max_length=64, ranks=[4])
    beyond = [1e-3, BEYOND_NUMBERS]
    observed = regret.experiment(
        inputs, settings.model_copy(update={"learning_rates": beyond}), run
    )
    assert cells(observed, "diverged_cells").to_dict() == {"chosen": 0, "best": 1}
    assert cells(observed, "learning_rate")["best"] == 1e-3
    alone = learning.table([learning.Row("rates", "lr-1", "seed-1", 0, "diverged", 1, "trainings")])
    with pytest.raises(
        ValueError, match=r"^bench\.rates: every training diverged; lower learning_"
    ):
        learning.by_arm(alone, {})


def test_a_share_of_english_takes_the_place_of_japanese_and_no_pair_gives_both():
    table = pairs("犬猫鳥魚馬牛羊猿蛇虎兎鹿熊狼鯨亀")
    mixed, alone = (replay.mixture(table, 12, share, 5) for share in (25, 0))
    english = [text for text in mixed if text in set(table["en"])]
    assert len(mixed) == len(alone) == 12 and len(english) == 3
    japanese = {text for text in mixed if text not in english}
    assert japanese < set(alone)
    both = table["en"].isin(english) & table["ja"].isin(japanese)
    assert not both.any()
    with pytest.raises(ValueError, match=r"steps: 20 sentences, but the corpus has 16; raise"):
        replay.mixture(table, 16, 25, 5)


def test_arms_of_replay_begin_alike_and_end_apart(inputs, run):
    settings = own.Replay(**SMALL, steps=2, full_learning_rate=1e-2)
    observed = replay.experiment(inputs, settings, run)
    for side in ("en", "ja"):
        before = cells(observed, f"nll_per_character_{side}_before")
        after = cells(observed, f"nll_per_character_{side}")
        assert {*before.index} == {*REPLAY}
        for method in ("lora", "full"):  # which hold the base's weights in dtypes of their own
            assert before.filter(like=method).nunique() == 1
        assert (after != before).all()
    assert after["full-0"] != after["full-25"]


def test_one_adapter_goes_on_a_merged_one_stays_in_the_weights(inputs, run):
    observed = continual.experiment(inputs, own.Continual(**SMALL, steps=3), run)
    first = cells(observed, "nll_per_character_a")
    assert {*first.index} == {"one", "merged", "osf"}
    assert first["one"] == pytest.approx(first["merged"], rel=1e-3)  # rounded where weights are
    assert cells(observed, "nll_per_character_a_after").nunique() == len(CONTINUAL)
    assert cells(observed, "nll_per_character_b").nunique() == len(CONTINUAL)


def test_orthogonal_subspaces_leave_the_upper_directions_as_they_were(tiny_model, tmp_path, run):
    base, samples = reference.base(tiny_model), asked(pairs("犬猫鳥魚馬牛羊猿"))
    settings = own.Continual(**SMALL, steps=3)
    study = learning.Study("continual", base, samples, samples, settings, run)
    plan = learning.training(study, "osf", 1)
    plan = replace(plan, method=continual.OSF, learning_rate=1e-2, dtype=torch.float32)
    before = learning.begin(base, plan).model.state_dict()
    learner = learning.learn(study, samples, plan)
    after = learner.model.merge_and_unload().state_dict()
    name = "model.layers.0.self_attn.q_proj.weight"
    moved, rest = after[name] - before[name], "model.layers.0.mlp.up_proj.weight"
    assert moved.abs().max() > 1e-4 and torch.equal(after[rest], before[rest])
    half = len(before[name]) // 2
    left, _, right = torch.linalg.svd(before[name])
    kept = (left[:, :half].T @ moved @ right[:half].T).norm()
    assert kept < 0.2 * moved.norm()  # AdamW alone keeps it from nought


def test_regret_holds_the_choice_against_cells_chosen_by_other_samples(inputs, run, monkeypatch):
    inputs["tables"] = Path("config/strategy.yaml").absolute()
    settings = own.Regret(seeds=[1], items=2, samples=8, max_length=64)
    scored = []
    nll = regret.nll_per_character
    monkeypatch.setattr(
        regret,
        "nll_per_character",
        lambda *one: scored.append((nll(*one), one[2])) or scored[-1][0],
    )
    observed = regret.experiment(inputs, settings, run)
    figures = cells(observed, "nll_per_character")
    assert [*figures.index] == ["chosen", "best"]
    grid = len(settings.ranks) * len(settings.learning_rates)
    assert len(scored) == 2 * (1 + grid)
    of_grid = [scored[k : k + 2] for k in range(2, len(scored), 2)]
    best = min(of_grid, key=lambda pair: pair[0][0])
    assert figures["best"] == best[1][0] and figures["chosen"] == scored[1][0]
    assert not {*scored[0][1].index} & {*scored[1][1].index}
    peaks = together(observed)[0].query("block.str.startswith('process')")
    assert {*peaks["metric"]} == {"planned_peak_bytes", "peak_bytes"} and (peaks["value"] > 0).all()
    assert observed[0][1]["own"]["chosen"]["method"]["rank"] == 8


def test_a_base_that_no_step_is_planned_for_is_named_with_its_key(inputs, run, tmp_path):
    folder = twins.make("lfm2", tmp_path / "twin", seed=1, shard_bytes=10**9)
    said = r"^bench\.regret\.model \(null for train\.base\): 'twin' is of type lfm2; take one of"
    with pytest.raises(ValueError, match=said):
        regret.experiment(inputs | {"model": folder}, own.Regret(seeds=[1]), run)


def test_the_choice_is_trained_as_its_method_holds_the_base(
    block_model, tmp_path, run, monkeypatch
):
    """Where memory is short the strategy takes QLoRA: over NF4, with activations computed again."""
    stage = {
        **{"batch_size": 2, "accumulation": 2, "checkpointing": True, "learning_rate": 1e-3},
        "method": {"name": "qlora", "rank": 4, "targets": ["q_proj", "v_proj"]},
    }
    settings = own.Regret(seeds=[1], items=2, samples=8, max_length=64)
    base, samples = reference.base(block_model), asked(pairs("犬猫鳥魚馬牛羊猿"))
    study = learning.Study("regret", base, samples, samples, settings, run)
    learners, train = [], learning.train
    monkeypatch.setattr(
        learning, "train", lambda model, *call: learners.append(model) or train(model, *call)
    )
    corpus = regret.Corpus(samples, samples, samples)
    regret.after(corpus, regret.Decision(stage, 2, 64, 0, []), study, "chosen", 1)
    (model,) = learners
    assert model.is_loaded_in_4bit and model.is_gradient_checkpointing
    learning_dtypes = {p.dtype for p in model.parameters() if p.requires_grad}
    assert learning_dtypes == {torch.bfloat16}
    assert regret.steps_of(regret.Decision(stage, 2, 64, 0, []), 9) == 3


def turns():
    said = ["おはよう", "元気", "うん", "よかった", "ではまた"]
    rows = [
        (f"d{d}", turn, "XYZ"[(turn + d) % 3], f"{text}{d}")
        for d in range(16)
        for turn, text in enumerate(said)
    ]
    return pd.DataFrame(rows, columns=["dialogue", "turn", "speaker", "text"])


def test_a_continuation_stands_behind_the_turns_ahead_of_it():
    made = continuations(turns().query("dialogue == 'd0'"), 2, 30)
    assert made["prompt"].iloc[0] == "B: おはよう0\nB: 元気0\nA:"
    assert made["completion"].tolist() == [" うん0", " よかった0", " ではまた0"]
    assert made["speaker"].tolist() == ["Z", "X", "Y"]
    assert len(continuations(turns(), 2, 10)) < len(continuations(turns(), 2, 30))


def test_dialogues_are_learnt_or_asked_and_a_speaker_is_a_block(inputs, run, monkeypatch):
    source = {"name": "real-persona-chat"}
    for module in (ranks, persona):
        monkeypatch.setattr(module.dialogues, "read", lambda record: (turns(), source))
    inputs = inputs | {"dialogues": inputs["train"]}
    given = {"steps": 2, "turns": 2, "items": 3, "batch_size": 4}
    settings = own.RanksDialogue(seeds=[1], **given)
    table, conditions = together(ranks.dialogue(inputs, settings, run))
    assert {*table["arm"]} == {*RANKS}
    learnt, asked = conditions["ran"]["data"]
    assert learnt["of"] + asked["of"] == 16 * 3
    table, made = together(persona.experiment(inputs, own.Persona(speakers=3, **given), run))
    nll = table[table["metric"] == "nll_per_character"].pivot(
        index="block", columns="arm", values="value"
    )
    learnt, _ = made["ran"]["data"]
    assert learnt["items"] == 3 * given["steps"] * given["batch_size"]
    assert nll.shape == (3, 2) and (nll["own"] != nll["other"]).all()
    with pytest.raises(ValueError, match=r"speakers: 4 speakers, but 3 have .*; lower it"):
        persona.experiment(inputs, own.Persona(speakers=4, **given), run)


def test_likelihood_is_the_same_in_any_order_and_leaves_the_end_out(tiny_model):
    learner = load(tiny_model, torch.float32)
    texts = ["空が青い。", "海", "山と川がある。"]
    one = nll_per_character(*learner, plain(texts))
    assert one == pytest.approx(nll_per_character(*learner, plain(texts[::-1])), rel=1e-6)
    single = [nll_per_character(*learner, plain([text])) for text in texts]
    assert one == pytest.approx(np.average(single, weights=[*map(len, texts)]), rel=1e-6)
    with pytest.raises(ValueError, match="no characters to score; raise"):
        nll_per_character(*learner, plain([]))
    learner[0].get_output_embeddings().weight.data *= np.nan
    with pytest.raises(ValueError, match="is no number; lower learning_rate"):
        nll_per_character(*learner, plain(texts))
