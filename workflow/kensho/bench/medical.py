"""R-6: does a LoRA adapter over an NF4 base answer medical questions better than its base?

The medical subjects of JMMLU are split by item. One half trains the adapter (QLoRA: Dettmers et al.
2023, arXiv 2305.14314), questions of the other half are asked of the base as it is, of the base in
NF4, and of the adapter of every seed. An answer is the letter with the highest likelihood.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import AutoTokenizer

from kensho.bench.run import Inputs, Observed, Run, Settings
from kensho.data.duplicates import near_pairs
from kensho.data.sources import fetched
from kensho.evaluate import harness
from kensho.files import read_json
from kensho.models.loading import compute_dtype, load, weights
from kensho.models.reference import Reference
from kensho.observations import table
from kensho.train.methods import lora
from kensho.train.run import Training
from kensho.train.sft import stage

EXPERIMENT = "medical"
LETTERS = list("ABCD")
PROMPT = "質問：{question}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\n答え："
NEAR_DUPLICATE = 0.7  # Jaccard similarity of character bigrams, as in the corpus
QKVO = ["q_proj", "k_proj", "v_proj", "o_proj"]


def read_items(files: Mapping[str, Path], *, max_characters: int) -> tuple[pd.DataFrame, dict]:
    """Items of JMMLU's files by subject: columns id, subject, prompt, completion, label (0 to 3).

    Left out, and counted in the second value: items longer than ``max_characters`` (question and
    choices) and all but the first of near-duplicates, which would stand in both halves.
    Raises ValueError naming the file for rows without four choices and a letter.
    """
    found = []
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
        found.append(rows.assign(subject=subject, id=[f"{subject}-{i + 1}" for i in rows.index]))
    items = pd.concat(found, ignore_index=True)
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
    trained, asked = (mixed[place % 2 == rest].reset_index(drop=True) for rest in (0, 1))
    return trained, asked


def quantise(base: Path, folder: Path, dtype: torch.dtype) -> None:
    """Save the model of ``base`` with its linear layers in NF4, scales quantised once more."""
    weights(base, dtype, quantised=True).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def split_and_observe(
    base: Path,
    files: Mapping[str, Path],
    *,
    work: Path | None,
    items: int,
    max_characters: int,
    seed: int,
    threads: int,
    left_out: Sequence[str] = (),
    **settings,
) -> tuple[pd.DataFrame, dict]:
    """Read, split by ``seed``, observe: the observation table and its conditions.

    ``items`` of the other half are asked; ``settings`` are those of :func:`observe`.
    """
    torch.set_num_threads(threads)
    found, dropped = read_items(files, max_characters=max_characters)
    trained, asked = halves(found, seed)
    asked = asked.head(items)
    observed = observe(base, trained, asked, work=work, seed=seed, **settings)
    described = conditions(
        subjects=list(files),
        dropped=dropped,
        trained=len(trained),
        asked=len(asked),
        threads=threads,
        left_out=left_out,
        **settings,
    )
    return observed, described


def observe(
    base: Path,
    trained: pd.DataFrame,
    asked: pd.DataFrame,
    *,
    work: Path | None,
    seeds: Sequence[int],
    dtype: torch.dtype,
    rank: int,
    evaluated_at_once: int,
    seed: int,
    **schedule,
) -> pd.DataFrame:
    """Observation table of the arms ``base``, ``base-nf4`` and ``qlora``.

    ``schedule`` is that of :func:`kensho.train.sft.train`; ``work`` holds models meanwhile.
    Metric ``accuracy`` (0 or 1), a block for each item, a replicate for each training seed. The
    adapter also has ``training_loss`` by step and ``trainable_parameters``, a block for each seed.
    """
    tasks = [harness.task("jmmlu", asked)]
    rows = []
    with tempfile.TemporaryDirectory(dir=work) as temporary:
        nf4, adapters = Path(temporary) / "nf4", {}
        quantise(base, nf4, dtype)
        held = Reference.of(nf4)
        for replicate in seeds:
            adapters[replicate] = Path(temporary) / f"seed{replicate}"
            training = Training(
                name=f"{EXPERIMENT} seed {replicate}",
                method=lora.METHOD,  # the base is in NF4 as it is stored
                rank=rank,
                targets=QKVO,
                checkpoint_every=schedule["steps"],
                dtype=dtype,
                seed=replicate,
                **schedule,
            )
            checkpoints = Path(temporary) / "checkpoints"
            steps, record = stage(held, trained, adapters[replicate], checkpoints, training)
            block, parameters = f"seed-{replicate}", record["trainable_parameters"]
            losses = zip(steps["step"], steps["loss"], strict=True)
            rows += [_row("qlora", block, *loss, "training_loss", "nat/token") for loss in losses]
            rows.append(_row("qlora", block, 0, parameters, "trainable_parameters", "parameters"))
        asked_of = [("base", 0, base, ()), ("base-nf4", 0, nf4, ())]
        asked_of += [("qlora", replicate, nf4, (made,)) for replicate, made in adapters.items()]
        for arm, replicate, folder, adapted in asked_of:
            loaded = load(folder, dtype, *adapted)
            found = harness.run(*loaded, tasks, batch_size=evaluated_at_once, seed=seed)
            rows += [
                _row(arm, log["doc"]["id"], replicate, float(log["acc"]), "accuracy", "share")
                for log in found["jmmlu"]
            ]
    return table(rows)


def _row(arm: str, block: str, replicate: int, value: float, metric: str, unit: str) -> dict:
    return {
        **{"experiment": EXPERIMENT, "arm": arm, "block": block, "replicate": replicate},
        **{"metric": metric, "value": value, "unit": unit},
    }


def conditions(
    *,
    subjects: Sequence[str],
    dropped: Mapping[str, int],
    trained: int,
    asked: int,
    dtype: torch.dtype,
    seeds: Sequence[int],
    threads: int,
    left_out: Sequence[str] = (),
    **schedule,
) -> dict:
    """What was run; ``left_out`` says why each subject that is missing could not be had."""
    return {
        "tier": "reduced",
        "dtype": str(dtype).removeprefix("torch."),
        "quantisation": "NF4 in blocks of 64, scales quantised once more; embeddings, norms and "
        "adapters stay in the dtype above, in which the layers also compute",
        "subjects": list(subjects),
        "items": {"to train on": trained, "asked": asked, **dropped},
        "chance": 1 / len(LETTERS),
        **schedule,
        "seeds": list(seeds),
        "threads": threads,
        "warmup": "none: accuracies do not depend on time",
        "fallbacks": list(left_out),
        "deviations": [
            "no open Japanese medical text is at hand: the adapter learns from questions of the "
            "same subjects with their answers, none of which is asked afterwards; knowledge that "
            "no such question holds cannot come from it",
            f"a small model and {schedule['steps'] * schedule['batch_size']} samples for each "
            "adapter stand in for the claim's, which names neither model, text nor benchmark",
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on the subjects that could be fetched. Raises ValueError where none could."""
    files, datasets, left_out = {}, {}, dict(run.left_out)
    for record in inputs["subjects"]:
        path, source = fetched(record)
        if path is None:
            left_out[source["name"]] = source["reason"]
        else:
            files[source["name"]], datasets[source["name"]] = path, source
    lines = [f"{name} left out: {reason}" for name, reason in left_out.items()]
    if not files:
        raise ValueError(lines[0])
    observed, described = split_and_observe(
        inputs["model"],
        files,
        work=run.folder,
        dtype=compute_dtype("auto"),
        seed=run.seed,
        threads=run.threads,
        left_out=lines,
        **{key: value for key, value in settings.items() if key != "subjects"},
    )
    model = read_json(inputs["record"])
    return [
        (observed, described | {"models": {model["source"]["name"]: model}, "datasets": datasets})
    ]
