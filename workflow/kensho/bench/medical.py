"""R-6: does a LoRA adapter over an NF4 base answer medical questions better than its base?

The medical subjects of JMMLU are split by item. One half trains the adapter (QLoRA: Dettmers et al.
2023, arXiv 2305.14314), questions of the other half are asked of the base as it is, of the base in
NF4, and of the adapter of every seed. An answer is the letter with the highest likelihood.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from transformers import AutoTokenizer

from kensho.bench.learning import planned
from kensho.bench.run import Inputs, Observed, Run
from kensho.data.duplicates import near_pairs
from kensho.data.sources import fetched
from kensho.evaluate import harness
from kensho.evaluate.lm import Backend
from kensho.models import reference
from kensho.models.loading import compute_dtype, load, weights
from kensho.models.reference import Base, Reference
from kensho.observations import Row, table
from kensho.train.sft import stage

if TYPE_CHECKING:
    from kensho.bench.settings import Medical as Settings

EXPERIMENT = "medical"
LETTERS = list("ABCD")
PROMPT = "質問：{question}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\n答え："
NEAR_DUPLICATE = 0.7  # Jaccard similarity of character bigrams, as in the corpus


def read_items(files: Mapping[str, Path], max_characters: int) -> tuple[pd.DataFrame, dict]:
    """Items of JMMLU's files by subject: columns id, subject, prompt, completion, label (0 to 3).

    Left out, and counted in the second value: items longer than ``max_characters`` (question and
    choices) and all but the first of near-duplicates, which would stand in both halves.
    Raises ValueError naming the file for rows without four choices and a letter.
    """
    tables = []
    for subject, path in files.items():
        rows = pd.read_csv(
            path,
            names=["question", *LETTERS, "answer"],
            encoding="utf-8-sig",
            dtype=str,
            keep_default_na=False,
        ).apply(lambda column: column.str.strip())
        if not rows["answer"].isin(LETTERS).all() or (rows == "").any(axis=None):
            raise ValueError(f"{path}: a row is not a question, four choices and a letter")
        tables.append(rows.assign(subject=subject, id=[f"{subject}-{i + 1}" for i in rows.index]))
    items = pd.concat(tables, ignore_index=True)
    text = items["question"].str.cat([items[letter] for letter in LETTERS], sep="\n")
    short = text.str.len() <= max_characters + len(LETTERS)
    items, text = items[short].reset_index(drop=True), text[short].tolist()
    twice = {second for _, second in near_pairs(text, NEAR_DUPLICATE)}
    items = items.drop(index=sorted(twice)).reset_index(drop=True)
    items = items.assign(
        prompt=[PROMPT.format(**row) for row in items.to_dict("records")],
        completion=" " + items["answer"],
        label=items["answer"].map(LETTERS.index),
    )
    dropped = {"too long": int((~short).sum()), "near-duplicates": len(twice)}
    return items[["id", "subject", "prompt", "completion", "label"]], dropped


def halves(items: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Items to train on and items to ask, no item in both; within each in an order of the seed."""
    mixed = items.iloc[np.random.default_rng(seed).permutation(len(items))]
    place = mixed.groupby("subject").cumcount()
    training, test = (mixed[place % 2 == rest].reset_index(drop=True) for rest in (0, 1))
    return training, test


def quantise(base: Path, folder: Path, dtype: torch.dtype) -> None:
    """Save the model of ``base`` with its linear layers in NF4, scales quantised once more."""
    weights(base, dtype, quantised=True).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def split_and_observe(
    base: Base, files: Mapping[str, Path], dtype: torch.dtype, settings: Settings, run: Run
) -> tuple[pd.DataFrame, dict]:
    """Read, split by the run's seed, observe: the observation table and its conditions."""
    torch.set_num_threads(run.threads)
    items, dropped = read_items(files, settings.max_characters)
    training, test = halves(items, run.seed)
    test = test.head(settings.items)
    counts = {"to train on": len(training), "asked": len(test), **dropped}
    observed = observe(base.folder, training, test, dtype, settings, run)
    return observed, conditions(base, list(files), counts, dtype, settings, run)


def observe(
    base: Path,
    training: pd.DataFrame,
    test: pd.DataFrame,
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
) -> pd.DataFrame:
    """Observation table of the arms ``base``, ``base-nf4`` and ``qlora``.

    Metric ``accuracy`` (0 or 1), a block for each item of ``test``, a replicate for each training
    seed. The adapter also has ``training_loss`` by step and ``trainable_parameters``, a block for
    each seed.
    """
    tasks = [harness.task("jmmlu", test)]
    rows = []
    with tempfile.TemporaryDirectory(dir=run.folder) as temporary:
        nf4, adapters = Path(temporary) / "nf4", {}
        quantise(base, nf4, dtype)
        begun = Reference.of(nf4)
        for seed in settings.seeds:
            adapters[seed] = Path(temporary) / f"seed{seed}"
            # by LoRA: the base is in NF4 as it is stored
            recipe = planned(f"{EXPERIMENT} seed {seed}", settings, seed, dtype=dtype)
            checkpoints = Path(temporary) / "checkpoints"
            steps, record = stage(begun, training, adapters[seed], checkpoints, recipe)
            adapter = EXPERIMENT, "qlora", f"seed-{seed}"
            for step, loss in zip(steps["step"], steps["loss"], strict=True):
                rows.append(Row(*adapter, step, "training_loss", loss, "nat/token"))
            count = record.trainable_parameters
            rows.append(Row(*adapter, 0, "trainable_parameters", count, "parameters"))
        models: list[tuple[str, int, Path, tuple[Path, ...]]] = [
            ("base", 0, base, ()),
            ("base-nf4", 0, nf4, ()),
            *(("qlora", seed, nf4, (folder,)) for seed, folder in adapters.items()),
        ]
        at_once = settings.evaluated_at_once
        for arm, seed, folder, adapted in models:
            model, tokenizer = load(folder, dtype, *adapted)
            asked = Backend(pretrained=model, tokenizer=tokenizer, batch_size=at_once)
            logs = harness.run(asked, tasks, seed=run.seed)
            for log in logs["jmmlu"]:
                block, correct = log["doc"]["id"], float(log["acc"])
                rows.append(Row(EXPERIMENT, arm, block, seed, "accuracy", correct, "share"))
    return table(rows)


def conditions(
    base: Base,
    subjects: Sequence[str],
    items: Mapping[str, int],
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
) -> dict:
    """What was run, on how many ``items``, and why subjects were left out."""
    seen, at_hand = settings.steps * settings.batch_size, items["to train on"]
    return {
        "ran": {
            "models": [base.ran()],
            "data": [{"name": "training questions", "items": min(seen, at_hand), "of": at_hand}],
        },
        "dtype": str(dtype).removeprefix("torch."),
        "own": {
            "quantisation": "NF4 in blocks of 64, scales quantised once more; embeddings and norms "
            "stay in the dtype above, in which the layers also compute; adapters are in float32",
            "subjects": list(subjects),
            "chance": 1 / len(LETTERS),
            "rank": settings.rank,
            "learning_rate": settings.learning_rate,
            "steps": settings.steps,
            "batch_size": settings.batch_size,
            "max_length": settings.max_length,
            "evaluated_at_once": settings.evaluated_at_once,
        },
        "items": dict(items),
        "models": {base.name: base.described()},
        "seeds": list(settings.seeds),
        "threads": run.threads,
        "warmup": "none: accuracies do not depend on time",
        "fallbacks": _fallbacks(run),
        "deviations": [
            "no open Japanese medical text is at hand: the adapter learns from questions of the "
            "same subjects with their answers, none of which is asked afterwards; knowledge that "
            "no such question holds cannot come from it",
            f"{base.name} and {seen} samples for each adapter stand in for the claim's, which "
            "names neither model, text nor benchmark",
        ],
    }


def _fallbacks(run: Run) -> list[str]:
    return [f"{name} left out: {reason}" for name, reason in run.left_out.items()]


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on the subjects that could be fetched. Raises ValueError where none could."""
    files, datasets, left_out = {}, {}, dict(run.left_out)
    for record in inputs["subjects"]:
        path, source = fetched(record)
        if path is None:
            left_out[source["name"]] = source["reason"]
        else:
            files[source["name"]], datasets[source["name"]] = path, source
    run = run._replace(left_out=left_out)
    if not files:
        raise ValueError(_fallbacks(run)[0])
    dtype = compute_dtype("auto")
    base = reference.base(inputs["model"])
    table, made = split_and_observe(base, files, dtype, settings, run)
    return [(table, made | {"datasets": datasets})]
