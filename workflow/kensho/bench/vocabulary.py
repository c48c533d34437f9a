"""R-2: speed of a model before and after its vocabulary is expanded with Japanese pieces.

Characters per second are tokens per second times characters per token. Expanding raises the
second factor and costs a little of the first, since the output layer grows. Both are observed:
in greedy decoding, one token after the other, and in scoring given text in one pass.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.files import write_json
from kensho.models import reference
from kensho.models.encoding import start
from kensho.models.loading import PRELOAD, compute_dtype, load
from kensho.models.reference import Base
from kensho.models.vocabulary import expand_model

if TYPE_CHECKING:
    from kensho.bench.settings import Vocabulary as Settings

EXPERIMENT = "vocabulary"
ARMS = ("base", "expanded", "second-base")
WARMUP_TOKENS = 4
OURS = (  # how an expansion of ours differs
    "pieces are merges learnt on unsegmented sentences; Swallow learnt 11,176 pieces with "
    "SentencePiece on segmented web text",
    "a base whose vocabulary spends more tokens on Japanese to begin with has more to gain",
)
UNITS = {
    "tokens_per_second": "tokens/s",
    "tokens_per_second_scoring": "tokens/s",
    "characters_per_token": "characters/token",
    "characters_per_second": "characters/s",
    "characters_per_second_scoring": "characters/s",
    "nll_per_character": "nat/character",
    "vocabulary": "tokens",
    "warmup_seconds": "s",
}


def observe(
    folders: Mapping[str, Path],
    sentences: Path,
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
) -> pd.DataFrame:
    """Observation table of the models by arm on held-out Japanese sentences (a JSON list).

    Metrics, once for each block: decoding ``new_tokens`` gives ``tokens_per_second``; a forward
    pass over the first ``scored`` sentences as one text gives ``tokens_per_second_scoring``,
    ``characters_per_second_scoring`` and ``nll_per_character``; all sentences give
    ``characters_per_token``. ``characters_per_second`` is the product of decoding speed and
    characters per token. Raises ValueError if a tokenizer does not give its text back.
    """
    runs = {
        arm: partial(run_arm, folder, sentences, dtype, settings, run.threads)
        for arm, folder in folders.items()
    }
    results = interleaved(runs, settings.blocks, run, preload=[*PRELOAD, __name__])
    return observed(EXPERIMENT, results, UNITS)


def run_arm(
    folder: Path, sentences: Path, dtype: torch.dtype, settings: Settings, threads: int
) -> dict:
    """One process: load, warm up, decode, score."""
    torch.set_num_threads(threads)
    texts = json.loads(sentences.read_text(encoding="utf-8"))
    model, tokenizer = load(folder, dtype)
    per_token = characters_per_token(tokenizer, texts)
    text = "".join(texts[: settings.scored])
    # behind the start token every character of the text is scored
    tokens = [start(tokenizer), *tokenizer(text, add_special_tokens=False)["input_ids"]]
    ids = torch.tensor([tokens], device=model.device)
    began = _now()
    decode(model, ids[:, :2], WARMUP_TOKENS)
    nll(model, ids[:, : WARMUP_TOKENS + 1])
    warmup = _now() - began
    # the prompt has as many tokens in every arm
    seconds = decode(model, ids[:, : len(texts[0])], settings.new_tokens)
    began = _now()
    total = nll(model, ids)
    scoring = _now() - began
    return {
        "tokens_per_second": settings.new_tokens / seconds,
        "tokens_per_second_scoring": (ids.shape[1] - 1) / scoring,
        "characters_per_token": per_token,
        "characters_per_second": settings.new_tokens / seconds * per_token,
        "characters_per_second_scoring": len(text) / scoring,
        "nll_per_character": total / len(text),
        "vocabulary": len(tokenizer),
        "warmup_seconds": warmup,
    }


def characters_per_token(tokenizer, texts: list[str]) -> float:
    """Characters by tokens over all texts, each encoded alone."""
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for text, ids in zip(texts, encoded, strict=True):
        if tokenizer.decode(ids) != text:
            raise ValueError(f"the tokenizer does not give '{text}' back")
    return sum(map(len, texts)) / sum(map(len, encoded))


@torch.inference_mode()
def decode(model, ids: torch.Tensor, count: int) -> float:
    """Seconds of ``count`` greedy steps behind a prompt (shape 1 x length); no token ends it."""
    step = model(ids, use_cache=True, logits_to_keep=1)
    began = _now()
    for _ in range(count):
        token = step.logits[:, -1:].argmax(dim=-1)
        step = model(token, past_key_values=step.past_key_values, use_cache=True)
    return _now() - began


@torch.inference_mode()
def nll(model, ids: torch.Tensor) -> float:
    """Negative log-likelihood (nat) of all tokens of a text (shape 1 x length) but the first."""
    logits = model(ids).logits[0, :-1].float()
    return float(cross_entropy(logits, ids[0, 1:], reduction="sum"))


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def conditions(
    arm: str, models: Mapping[str, Base], dtype: torch.dtype, settings: Settings, run: Run
) -> dict:
    """What was run of an arm: of a pair that others published, or of a model that we expanded."""
    made = models["expanded"].made
    return {
        "ran": {"models": [models[arm].ran()]},
        "dtype": str(dtype).removeprefix("torch."),
        "batch": 1,
        "own": {"new_tokens": settings.new_tokens, "scored": settings.scored, **made},
        "models": {models[arm].name: models[arm].model_dump()},
        **run.timing(settings.blocks),
        "warmup": f"{WARMUP_TOKENS} decoded and scored tokens per process, recorded apart; "
        "loading is not timed",
        "fallbacks": [],
        "deviations": [
            *([f"{models['base'].name} stands for Llama-2-7b", *OURS] if made else []),
            "characters_per_second of decoding is a product: an untrained model's own output is "
            "no Japanese whose characters could be counted",
        ],
    }


def prepared(inputs: Inputs, settings: Settings, run: Run, outputs: Mapping[str, Path]) -> None:
    """The model with an expanded vocabulary."""
    texts, base = read_table(inputs["train"])["ja"], reference.base(inputs["model"])
    folder = outputs["weights"]
    made = expand_model(base.folder, texts, settings.pieces, folder)
    expanded = {
        "name": f"{base.name}-expanded",
        "path": str(folder),
        "weights": "twin" if base.weights == "twin" else "other",
        "files": reference.weights(folder),
        "parameters": reference.parameters(folder),
        "made": {**made, "from": base.ran()},
    }
    reference.write(outputs["model"], Base.model_validate(expanded))


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, on held-out sentences."""
    dtype = compute_dtype("auto")
    sentences = run.folder / "sentences.json"
    write_json(sentences, read_table(inputs["test"])["ja"].tolist())
    files = {arm: inputs[arm.replace("-", "_")] for arm in ARMS if arm.replace("-", "_") in inputs}
    models = {arm: reference.base(file) for arm, file in files.items()}
    folders = {arm: model.folder for arm, model in models.items()}
    table = observe(folders, sentences, dtype, settings, run)
    by_arm = {arm: table[table["arm"] == arm] for arm in models}
    return [(rows, conditions(arm, models, dtype, settings, run)) for arm, rows in by_arm.items()]
