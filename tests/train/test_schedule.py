"""Rates against transformers' schedulers; decay against its Trainer; divergence."""

import pytest
import torch
from kensho.train.schedule import diverged, groups, rate
from transformers import get_scheduler


@pytest.mark.parametrize("scheduler", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warm", [0, 2])
def test_rates_are_those_of_transformers(scheduler, warm):
    steps = 10
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    name = "constant_with_warmup" if scheduler == "constant" else scheduler
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warm, num_training_steps=steps)
    for step in range(steps):
        assert rate(step, steps, scheduler, warm / steps) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_a_short_run_warms_up_over_one_step():
    assert [rate(step, 4) for step in range(4)] == pytest.approx([0, 1, 2 / 3, 1 / 3])


def test_matrices_decay_alone():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    alike = [(p, 1.0) for p in model.parameters()]
    (matrices, rest) = groups(alike, 0.1)
    assert [p.ndim for p in matrices["params"]] == [2] and matrices["weight_decay"] == 0.1
    assert {p.ndim for p in rest["params"]} == {1} and rest["weight_decay"] == 0
    assert [len(group["params"]) for group in groups(alike, 0.0)] == [4]
    factors = torch.nn.Parameter(torch.ones(4, 1))  # as (IA)3 keeps them
    assert [group["weight_decay"] for group in groups([(factors, 1.0)], 0.1)] == [0]


def test_a_factor_of_the_rate_and_decay_hold_together():
    fast, slow, vector = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2, 2), 2))
    made = groups([(fast, 16.0), (slow, 1.0), (vector, 16.0)], 0.1)
    kinds = {id(p): (g["factor"], g["weight_decay"]) for g in made for p in g["params"]}
    assert kinds == {id(fast): (16, 0.1), id(slow): (1, 0.1), id(vector): (16, 0)}


@pytest.mark.parametrize(
    ("losses", "hopeless"),
    [
        ([3, 7, 7, 7, 7, 7], True),
        ([3, 7, 7, 7, 7], False),  # too few
        ([3, 7, 7, 2, 7, 7, 7], False),  # one batch was learned
        ([0.05, 0.9, 0.9, 0.9, 0.9, 0.9], False),  # from almost nothing
        ([3, 5, 5, 5, 5, 5], False),
        ([3], False),
    ],
)
def test_a_run_has_diverged_when_its_loss_stays_high(losses, hopeless):
    assert diverged(losses) == hopeless
