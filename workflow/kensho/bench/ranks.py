"""F-7: held-out likelihood by the rank of LoRA, on a standard task and on a complex one.

The standard task is translation of everyday sentences; the complex one is writing the next turns of
a dialogue between people with personas. All ranks of a seed learn the same samples in the same
order, with alpha twice the rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kensho.bench import dialogues, learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import RANKS
from kensho.models import reference
from kensho.train.likelihood import nll_per_character
from kensho.train.sft import asked

if TYPE_CHECKING:
    from kensho.bench.study_settings import Ranks as Settings
    from kensho.bench.study_settings import RanksDialogue


def after(study: Study, arm: str, seed: int) -> dict[str, float]:
    """Likelihood of held-out completions after learning samples at a rank."""
    plan = learning.training(study, arm, seed, rank=RANKS[arm])
    learner = learning.learn(study, study.train, plan)
    trained = sum(p.numel() for p in learner.model.parameters() if p.requires_grad)
    return {
        "nll_per_character": nll_per_character(*learner, study.test),
        "trainable_parameters": trained,
    }


def standard(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All ranks on translation from English to Japanese."""
    study = learning.of_corpus("ranks", inputs, settings, run)
    study = study._replace(train=asked(study.train), test=asked(study.test))
    table = learning.observe(study, after, RANKS, inputs)
    seen = settings.steps * settings.batch_size
    used = {"train": (inputs["train"], seen), "test": (inputs["test"], settings.items)}
    deviations = [
        f"{study.base.name}, translation of everyday sentences and likelihood stand for what the "
        "claim leaves unnamed: model, standard task and score"
    ]
    return learning.by_arm(table, learning.conditions(study, used, deviations))


def dialogue(inputs: Inputs, settings: RanksDialogue, run: Run) -> Observed:
    """All ranks on the next turns of dialogues; dialogues that are learnt are not asked."""
    base = reference.base(inputs["model"])
    turns, source = dialogues.read(inputs["dialogues"])
    samples = dialogues.continuations(turns, settings.turns, settings.max_characters)
    train, held = dialogues.divided(samples, 5, run.seed)
    test = held.head(settings.items)
    study = Study("ranks_dialogue", base, train, test, settings, run)
    table = learning.observe(study, after, RANKS, inputs)
    deviations = [
        f"{base.name}, the next turn of dialogues ({source['name']}) and likelihood stand for what "
        "the claim leaves unnamed: model, complex generation and score"
    ]
    made = learning.conditions(study, {}, deviations)
    seen = min(settings.steps * settings.batch_size, len(train))
    made["ran"]["data"] = [
        {"name": "dialogues that are learnt", "items": seen, "of": len(train)},
        {"name": "dialogues that are asked", "items": len(test), "of": len(held)},
    ]
    return learning.by_arm(table, made | {"datasets": {source["name"]: source}})
