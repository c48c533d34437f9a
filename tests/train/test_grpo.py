"""Group relative policy optimisation on a tiny model: its loss, its rewards and its resumption."""

import json

import pandas as pd
import pytest
import torch
from kensho.models.loading import tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.train import grpo, rewards
from kensho.train.dpo import token_log_likelihoods
from kensho.train.loop import collated
from kensho.train.run import Training
from test_sft import FULL, LORA, PAIRS, SCHEDULE
from test_sft import weights as trained_weights

OWN = {"group": 2, "new_tokens": 12, "beta": 0.1, "rewards": {"chrf": 1.0}}
# Bytes that a model with random weights writes are letters now and then, and never Japanese.
LETTERS = PAIRS.assign(ja="abcdefghijklmnopqrstuvwxyz")


def run(base, folder, seed=1, settings=OWN, samples=LETTERS, **more):
    base = base if isinstance(base, Reference) else Reference.of(base)
    arm = {**SCHEDULE, **LORA, "settings": settings, "batch_size": 4, **more}
    training = Training(name="grpo", seed=seed, **arm)
    return grpo.stage(base, samples, folder / "model", folder / "checkpoints", training)


def test_advantages_are_standard_scores_within_a_group():
    scores = grpo.advantages(torch.tensor([1.0, 3.0, 5.0, 5.0]), 2)
    torch.testing.assert_close(scores, torch.tensor([-1.0, 1.0, 0.0, 0.0]), rtol=1e-3, atol=0)


def test_the_loss_is_that_of_the_paper(tiny_model):
    model, pad = weights(tiny_model, torch.float32), tokenizer_of(tiny_model).pad_token_id
    row = {"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8]}
    log_p = model(torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
    own = torch.stack([log_p[1, 7], log_p[2, 8]])
    known = own.detach() + torch.tensor([0.5, -0.25])
    more = {"input_ids": [9, 9], "labels": [-100, 9], "advantage": [0.0], "reference": [0.0]}
    rows = [{**row, "advantage": [2.0], "reference": known.tolist()}, more]
    with torch.no_grad():  # of the same batch: alone it would differ by its rounding
        each, _ = token_log_likelihoods(model, **collated(rows, pad))
    more["reference"] = [each[-1].item()]
    loss = grpo.summed_loss(model, rows, pad, beta=0.3)
    gap = known - own.detach()
    divergence = (gap.exp() - gap - 1).mean()
    assert loss.item() == pytest.approx(-2.0 + 0.3 * divergence.item(), rel=1e-5)
    loss.backward()
    gradient = model.lm_head.weight.grad.clone()
    model.zero_grad()
    by_hand = (-2.0 * own + 0.3 * ((known - own).exp() - (known - own) - 1)).mean()
    by_hand.backward()
    torch.testing.assert_close(gradient, model.lm_head.weight.grad, rtol=1e-4, atol=1e-7)
    assert set(collated(rows, pad)) == {"input_ids", "labels", "attention_mask"}


def test_a_reward_that_answers_can_earn_grows(tiny_model, tmp_path):
    settings = {**OWN, "group": 8, "beta": 0.0}
    steps, measured = run(tiny_model, tmp_path, settings=settings, steps=25, batch_size=32, **FULL)
    assert list(steps["step"]) == [*range(1, 26)] and steps["reward"].between(0, 1).all()
    assert steps["reward"].tail(5).mean() > 1.5 * steps["reward"].head(5).mean() > 0
    assert measured.own == {"prompts_too_long": 0}


@pytest.mark.parametrize("method", [LORA, FULL])
def test_a_stopped_run_goes_on_exactly_and_seeds_differ(tiny_model, tmp_path, monkeypatch, method):
    whole, _ = run(tiny_model, tmp_path / "whole", **method)
    asked = grpo.Rollouts.__getitem__

    def die(self, rows):
        if rows.start == 3 * 4:  # of step 4; the last checkpoint is of step 2
            raise KeyboardInterrupt
        return asked(self, rows)

    monkeypatch.setattr(grpo.Rollouts, "__getitem__", die)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, tmp_path / "stopped", **method)
    monkeypatch.setattr(grpo.Rollouts, "__getitem__", asked)
    resumed, _ = run(tiny_model, tmp_path / "stopped", **method)
    assert list(resumed["loss"]) == list(whole["loss"])
    assert list(resumed["reward"]) == list(whole["reward"])
    made = [trained_weights(tmp_path / one) for one in ("whole", "stopped")]
    assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])
    other, _ = run(tiny_model, tmp_path / "other", seed=2, **method)
    assert list(other["loss"]) != list(whole["loss"])


def test_the_reference_stays_the_stage_before(tiny_model, tmp_path, monkeypatch):
    kept = []
    row = grpo.Rollouts._rows

    def seen(self, *given):
        rows = row(self, *given)
        pad = self.tokenizer.pad_token_id
        kept.append((rows, *grpo.token_log_likelihoods(self.model, **collated(rows, pad))))
        return rows

    monkeypatch.setattr(grpo.Rollouts, "_rows", seen)
    run(tiny_model, tmp_path)
    gaps = []
    for rows, own, _ in kept:
        known = torch.tensor([one for row in rows for one in row["reference"]])
        gaps.append((own - known).abs().max().item())
    assert gaps[0] < 1e-5 < 1e-4 < gaps[-1]


def test_what_cannot_be_sampled_is_refused(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="4 answers is no whole number of groups of 3; change"):
        run(tiny_model, tmp_path, settings={**OWN, "group": 3})
    with pytest.raises(ValueError, match="no prompt leaves new_tokens of max_length; raise"):
        run(tiny_model, tmp_path, max_length=12)
    with pytest.raises(ValueError, match="no sample to train on"):
        run(tiny_model, tmp_path, samples=LETTERS.head(0))
    with pytest.raises(ValueError, match=r"^grpo: step \d+ .*; lower learning_rate$"):
        run(tiny_model, tmp_path, learning_rate=1e30, **FULL)
    longer = pd.concat([LETTERS, LETTERS.head(1).assign(en="long " * 40)], ignore_index=True)
    steps, measured = run(tiny_model, tmp_path, samples=longer, steps=7)
    assert measured.own == {"prompts_too_long": 1}
    with open(tmp_path / "model/rollouts.jsonl", encoding="utf-8") as file:
        table = pd.DataFrame(map(json.loads, file))
    assert table["step"].tolist() == [step for step in range(1, 8) for _ in range(4)]
    assert table.groupby("step")["reward"].mean().tolist() == pytest.approx([*steps["reward"]])
    assert (table.groupby(["step", "en"]).size() == 2).all()


def test_rewards_by_rule():
    def of(answer, ended=True, **weights):
        return rewards.reward(answer, "猫が好き。", weights, ended=ended)

    assert of("猫が好き。", chrf=1.0) == pytest.approx(1.0)
    assert 0 < of("猫が嫌い。", chrf=1.0) < 0.9
    assert of("猫 cat", japanese=1.0) == 0.25
    assert of("", japanese=1.0) == 0.0
    assert of("猫", ended=False, japanese=0.5, **{}) == 0.5
    assert rewards.reward("猫", "犬", {"japanese": 0.5, "ended": 2.0}, ended=True) == 2.5


def test_answers_that_are_all_rewarded_alike_are_named(tiny_model, tmp_path):
    settings = {**OWN, "new_tokens": 2, "rewards": {"japanese": 1.0}}
    with pytest.raises(ValueError, match="same reward, at every prompt, so there is nothing"):
        run(tiny_model, tmp_path, settings=settings, steps=3)


def test_answers_that_are_all_alike_hide_no_other_cause(tiny_model, tmp_path, monkeypatch):
    def full(*call):
        raise ValueError("grpo: cannot be written; free space there")

    monkeypatch.setattr("kensho.train.checkpoints.save", full)
    with pytest.raises(ValueError, match="cannot be written; free space there"):
        run(tiny_model, tmp_path, samples=PAIRS)  # Japanese, which is never written


def test_rollouts_that_are_damaged_are_named(tiny_model, tmp_path):
    run(tiny_model, tmp_path)
    path = tmp_path / "checkpoints/rollouts/1.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError) as refusal:
        run(tiny_model, tmp_path)
    assert str(refusal.value) == (
        f"{path} is damaged; delete {tmp_path / 'checkpoints'} to start anew"
    )
