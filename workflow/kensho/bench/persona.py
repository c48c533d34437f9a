"""Are the turns of a person likelier under an adapter of this person than under another's?

A contrast without a judge: for each speaker of RealPersonaChat, turns of held-out dialogues are
scored under an adapter that learnt this speaker's turns (``own``) and under one that learnt as many
of another speaker (``other``), both with the turns ahead of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kensho.bench import dialogues, learning
from kensho.bench.learning import Study
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.study_arms import PERSONA
from kensho.models import reference
from kensho.train.likelihood import nll_per_character

if TYPE_CHECKING:
    from kensho.bench.study_settings import Persona as Settings

EXPERIMENT = "persona"


def after(study: Study, arm: str, of: tuple[str, str]) -> dict[str, float]:
    """Likelihood of the first speaker's held-out turns after learning this one's or the other's."""
    speaker, other = of
    samples = study.train[study.train["speaker"] == (speaker if arm == "own" else other)]
    plan = learning.training(study, f"{speaker} {arm}", study.run.seed % 2**32)
    learner = learning.learn(study, samples, plan)
    asked = study.test[study.test["speaker"] == speaker].head(study.settings.items)
    return {"nll_per_character": nll_per_character(*learner, asked), "samples": len(samples)}


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Both arms for the speakers with the most turns; a block is a speaker."""
    base = reference.base(inputs["model"])
    turns, source = dialogues.read(inputs["dialogues"])
    samples = dialogues.continuations(turns, settings.turns, settings.max_characters)
    train, test = dialogues.divided(samples, 4, run.seed)
    both = train["speaker"].value_counts()[lambda n: n.index.isin(test["speaker"])]
    speakers = sorted(both.index, key=lambda name: (-both[name], name))[: settings.speakers]
    if len(speakers) < settings.speakers:
        raise ValueError(
            f"bench.{EXPERIMENT}.speakers: {settings.speakers} speakers, but {len(speakers)} have "
            "turns to learn and to ask; lower it"
        )
    study = Study(EXPERIMENT, base, train, test, settings, run)
    pairs = zip(speakers, [*speakers[1:], speakers[0]], strict=True)
    blocks = {f"speaker-{pair[0]}": pair for pair in pairs}
    observed = learning.observe(study, after, PERSONA, inputs, blocks)
    deviations = [f"{base.name} and {settings.steps} steps for each speaker: a small persona"]
    made = learning.conditions(study, {}, deviations)
    learnt = both[speakers].clip(upper=settings.steps * settings.batch_size)
    asked = min(settings.items, int(test["speaker"].value_counts()[speakers].max()))
    made["ran"]["data"] = [
        {"name": "turns of speakers", "items": int(learnt.sum()), "of": len(train)},
        {"name": "turns asked of each", "items": asked, "of": len(test)},
    ]
    return learning.by_arm(observed, made | {"datasets": {source["name"]: source}})
