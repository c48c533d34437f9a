"""F-5: bits per character of small language models, trained anew for each tokeniser.

All arms of a seed read the same sentences in the same order: the budget is one of characters, and
every model has the same layers. Tokens, and so the computation, and parameters of the embedding
follow from the tokeniser and are observed beside. Bits are those of a whole sentence with its end,
by its characters, and so comparable between vocabularies.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.tokeniser_arms import ARMS
from kensho.bench.tokeniser_training import BEGIN, END, Tokeniser, load
from kensho.bench.tokenisers import absent, trained_on
from kensho.data import corpus
from kensho.data.corpus import read_table
from kensho.evaluate.journal import Journal, digest
from kensho.files import sha256
from kensho.models.loading import computes_on, device
from kensho.observations import Row, table
from kensho.train.loop import Sample, collated, train
from kensho.train.methods import full
from kensho.train.run import Training
from kensho.train.samples import IGNORED

if TYPE_CHECKING:
    from kensho.bench.settings import TokeniserModels as Settings

EXPERIMENT = "tokeniser_models"
AT_ONCE = 16  # sentences of a pass
HEAD = 32  # width of an attention head
UNITS = {
    "bits_per_character": "bits/character",
    "parameters": "parameters",
    "embedding_parameters": "parameters",
    "training_tokens": "tokens",
    "training_seconds": "s",
}


def drawn(texts: Sequence[str], characters: int, seed: int) -> list[str]:
    """Texts in an order of the seed, the first ones that have so many characters.

    Raises ValueError where all have fewer.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    total = np.cumsum([len(texts[place]) for place in order])
    if not len(texts) or total[-1] < characters:
        raise ValueError(
            f"bench.{EXPERIMENT}.characters: {characters:,}, but the corpus has "
            f"{total[-1] if len(texts) else 0:,}; raise data.train"
        )
    return [texts[place] for place in order[: int(np.searchsorted(total, characters)) + 1]]


def rows_of(tokeniser: Tokeniser, texts: Sequence[str]) -> list[Sample]:
    """Begin, tokens and end of each text; all but the begin are learnt."""
    rows = ([BEGIN, *tokeniser.encode(text), END] for text in texts)
    return [{"input_ids": ids, "labels": [IGNORED, *ids[1:]]} for ids in rows]


def model_of(size: int, settings: Settings, longest: int) -> Any:
    """A model of random weights, whose embedding is its output layer too."""
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=settings.width,
        intermediate_size=3 * settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.width // HEAD,
        max_position_embeddings=longest,
        tie_word_embeddings=True,
        bos_token_id=BEGIN,
        eos_token_id=END,
    )
    return LlamaForCausalLM(config)


@torch.inference_mode()
def bits(model: Any, rows: Sequence[Sample]) -> list[float]:
    """Bits of each row's tokens behind its begin."""
    model.eval()
    bits: list[float] = []
    for first in range(0, len(rows), AT_ONCE):
        batch = collated(rows[first : first + AT_ONCE], END)
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch, use_cache=False).logits[:, :-1].float()
        nats = cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # 0 where ignored
        bits += (nats.sum(dim=1) / math.log(2)).tolist()
    return bits


def observe(
    tokeniser: Tokeniser,
    texts: Sequence[str],
    test: pd.DataFrame,
    settings: Settings,
    run: Run,
    seed: int,
) -> list[tuple[str, str, float]]:
    """Block, metric and value of one training on texts, asked the sentences of test (id, ja)."""
    learnt, held_out = rows_of(tokeniser, texts), rows_of(tokeniser, test["ja"].tolist())
    longest = max(len(row["input_ids"]) for row in [*learnt, *held_out])
    steps = -(-len(learnt) // settings.batch_size)
    plan = Training(
        name=f"{EXPERIMENT} {tokeniser.cell.name} seed {seed}",
        method=full.METHOD,
        learning_rate=settings.learning_rate,
        steps=steps,
        batch_size=settings.batch_size,
        max_length=longest,
        checkpoint_every=steps,  # one, when all is learnt
        dtype=torch.float32,
        seed=seed,
    )
    set_seed(seed)
    model = model_of(tokeniser.pieces.vocab_size(), settings, longest).to(device())
    folder = run.folder / "training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    taken = train(model, learnt, END, folder, plan)
    shutil.rmtree(folder)
    block = f"seed-{seed}"
    sizes = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "embedding_parameters": model.get_input_embeddings().weight.numel(),
        "training_tokens": sum(step["learned"] for step in taken),
        "training_seconds": sum(step["seconds"] for step in taken),
    }
    per_character = [
        (f"{block}/sentence-{name}", "bits_per_character", value / len(text))
        for name, text, value in zip(test["id"], test["ja"], bits(model, held_out), strict=True)
    ]
    return [*((block, metric, float(value)) for metric, value in sizes.items()), *per_character]


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """Every tokeniser with every seed; what an earlier attempt observed is taken from the journal.

    Raises ValueError where the corpus carries no tokeniser of an arm.
    """
    torch.set_num_threads(run.threads)
    tokenisers, untrained = load(inputs["tokenisers"])
    for arm in ARMS:
        if arm not in {one.cell.arm for one in tokenisers}:
            reason = next(why for cell, why in untrained.items() if cell.arm == arm)
            raise ValueError(f"bench.{EXPERIMENT}.vocabularies: {arm}: {reason}; lower them")
    train_texts = read_table(inputs["train"])["ja"].tolist()
    test = read_table(inputs["test"]).head(settings.items)
    journal: Any = {} if run.journal is None else Journal(run.journal)
    read = [sha256(path) for path in (inputs["train"], inputs["test"], *inputs["pieces"])]
    rows, sentences = [], 0
    for seed in settings.seeds:
        texts = drawn(train_texts, settings.characters, seed)
        sentences = max(sentences, len(texts))
        for one in tokenisers:
            key = digest([*run.identity, read, computes_on(), one.cell.name, seed])
            if key not in journal:
                journal[key] = observe(one, texts, test, settings, run, seed)
            for block, metric, value in journal[key]:
                place = EXPERIMENT, one.cell.arm, block, 0
                rows.append(Row(*place, f"{metric}.{one.cell.suffix}", value, UNITS[metric]))
    small = (
        f"{settings.layers} layers of width {settings.width}, trained on {settings.characters:,} "
        "characters, stand for the models that the claim leaves unnamed"
    )
    conditions = {
        "ran": {
            "models": [],
            "data": [corpus.ran(inputs["train"], sentences), corpus.ran(inputs["test"], len(test))],
            "stand_ins": [small, trained_on(inputs)],
        },
        "dtype": "float32",
        "own": dict(vars(settings)),
        "items": len(test),
        "seeds": list(settings.seeds),
        "threads": run.threads,
        "warmup": "none: likelihoods do not depend on time; training_seconds holds every step",
        "fallbacks": [],
        "deviations": [
            small,
            trained_on(inputs),
            "every model reads the same characters, not the same tokens: a vocabulary of longer "
            "pieces computes less, and has as many more parameters as its embedding",
            "seeds draw weights and sentences; the tokenisers are the same for all of them",
        ],
    }
    observed = table(rows)
    return [
        (
            one.reset_index(drop=True),
            conditions | {"absent": absent(untrained, str(arm), [*UNITS], tokenisers)},
        )
        for arm, one in observed.groupby("arm")
    ]
