"""The files of the JLCE page, from answers of toy models to our own items."""

import random
from pathlib import Path

import pandas as pd
import torch
from kensho import observations
from kensho.evaluate import arms, harness
from kensho.evaluate.engines import Served
from kensho.files import write_json, write_table
from kensho.jlce import catalogue, prepare, run
from kensho.models import reference
from kensho.models.reference import Base
from kensho.report import jlce
from kensho.stats import leaderboard
from kensho.stats.ranking import ranking
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

TASKS = ("nli", "logic", "mathematics")
ITEMS = 8
ORIGIN = {"source": "tatoeba", "licence": "CC BY 2.0 FR", "attribution": "Tatoeba"}


class Guesses(LM):
    """Likelihoods drawn by lot, and one answer to everything that is to be written."""

    def __init__(self, seed: int, answer: str):
        super().__init__()
        self.lot, self.answer = random.Random(seed), answer

    def loglikelihood(self, requests):
        return [(-self.lot.random(), False) for _ in requests]

    def generate_until(self, requests):
        return [self.answer for _ in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def written(folder: Path) -> dict:
    """Arguments of `kensho.report.jlce.read`, each file by the code that writes it in a run."""
    sentences = pd.DataFrame({"id": ["1", "2"], "ja": ["犬。", "猫。"], "en": ["A dog.", "A cat."]})
    asked, kinds = prepare.prepare(
        {}, {"pairs": ORIGIN}, (sentences, sentences), count=ITEMS, seed=1
    )
    tasks = catalogue.scored(catalogue.tasks())
    origins = {"kinds": kinds, "tasks": tasks, "left_out": []}
    toy = Base(name="toy", path="toy", weights="other", files={"a": "0" * 64}, parameters=1)
    reference.write(folder / "toy.json", toy)
    served = [Served({"name": "transformers"}, None)]
    manager = TaskManager(include_path=str(run.PACK), include_defaults=False)
    answers = {"base": "答えは3です。", "tuned": "<think>7かも</think>答えは4です。"}
    files, observed = {}, {}
    for seed, (arm, answer) in enumerate(answers.items()):
        names = [run.task_name(task) for task in TASKS]
        logs = harness.logs(Guesses(seed, answer), names, manager, seed=1, limit=ITEMS)
        samples = {1: logs}
        observed[arm] = run.observations(arm, samples)
        read = [
            {"name": f"{kind} ({one['source']})", "items": one["test"], "of": one["of"]}
            for kind, one in kinds.items()
        ]
        told = arms.conditions(
            folder / "toy.json",
            [],
            dtype=torch.float32,
            threads=1,
            not_tested=[],
            asked=read,
            served=served,
        )
        told |= {"items": kinds, "thinking": harness.thinking(samples)}
        told |= {"bleu": run.bleu_signatures(samples)}
        told |= observations.environment()
        observations.write(folder / "benchmark_data" / "jlce", observed[arm], told)
    main = {task: found["main"] for task, found in tasks.items()}
    baselines = {task: kinds[found["kind"]] for task, found in tasks.items()}
    files = {key: folder / f"{key}.csv" for key in ("scores", "contamination")}
    files |= {key: folder / f"{key}.json" for key in ("ranking", "origins")}
    write_table(files["scores"], leaderboard.scores(observed, main, baselines, seed=1))
    write_table(files["contamination"], prepare.contamination(["犬。猫。"], asked))
    documents = {task: tasks[task]["documents"] for task in TASKS}
    write_json(files["ranking"], ranking(observed, documents, seed=1, draws=200))
    write_json(files["origins"], origins)
    files["observed"] = [folder / "benchmark_data" / "jlce" / f"{arm}.csv" for arm in answers]
    return files


def given(folder: Path) -> dict:
    """Arguments of `kensho.report.jlce.build`."""
    return jlce.read(**written(folder))
