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
from typing import TYPE_CHECKING, NamedTuple

import torch

from kensho.bench import vllm_arms
from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.fallback import lowered
from kensho.files import write_json
from kensho.models import engine as engines
from kensho.models import reference
from kensho.models.encoding import start
from kensho.models.loading import PRELOAD, compute_dtype, load, tokenizer_of
from kensho.models.reference import Base, Reference
from kensho.models.token_nll import token_nll
from kensho.models.vllm import Vllm
from kensho.models.vllm_check import unserved
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


def timed(
    folders: Mapping[str, Path],
    sentences: Path,
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
    python: str | None = None,
) -> list[dict]:
    """Metrics of the models by arm on held-out Japanese sentences (a JSON list), and their engine.

    Metrics, once for each block: decoding ``new_tokens`` gives ``tokens_per_second``; a forward
    pass over the first ``scored`` sentences as one text gives ``tokens_per_second_scoring``,
    ``characters_per_second_scoring`` and ``nll_per_character``; all sentences give
    ``characters_per_token``. ``characters_per_second`` is the product of decoding speed and
    characters per token. With vLLM's ``python`` that serves the models. Raises ValueError if a
    tokenizer does not give its text back.
    """
    runs = {
        arm: partial(run_arm, folder, sentences, dtype, settings, run.threads, python)
        for arm, folder in folders.items()
    }
    return interleaved(runs, settings.blocks, run, preload=[*PRELOAD, __name__])


class Timed(NamedTuple):
    """Seconds of a warm-up, tokens/s of decoding, seconds and likelihood (nat) of scoring."""

    warmup: float
    decoding: float
    scoring: float
    nll: float


def run_arm(
    folder: Path,
    sentences: Path,
    dtype: torch.dtype,
    settings: Settings,
    threads: int,
    python: str | None = None,
) -> dict:
    """One process: load, warm up, decode, score."""
    torch.set_num_threads(threads)
    texts = json.loads(sentences.read_text(encoding="utf-8"))
    tokenizer = tokenizer_of(folder)
    per_token = characters_per_token(tokenizer, texts)
    text = "".join(texts[: settings.scored])
    # behind the start token every character of the text is scored
    tokens = [start(tokenizer), *tokenizer(text, add_special_tokens=False)["input_ids"]]
    prompt = tokens[: len(texts[0])]  # as many tokens in every arm
    if python:
        with vllm_arms.load(python, folder, dtype, threads) as served:
            timed, engine = _by_vllm(served, prompt, tokens, settings.new_tokens), served.about
    else:
        model, _ = load(folder, dtype)
        timed, engine = _by_transformers(model, prompt, tokens, settings.new_tokens), None
    return {
        "tokens_per_second": timed.decoding,
        "tokens_per_second_scoring": (len(tokens) - 1) / timed.scoring,
        "characters_per_token": per_token,
        "characters_per_second": timed.decoding * per_token,
        "characters_per_second_scoring": len(text) / timed.scoring,
        "nll_per_character": timed.nll / len(text),
        "vocabulary": len(tokenizer),
        "warmup_seconds": timed.warmup,
        "engine": engine,
    }


def _by_transformers(model, prompt: list[int], tokens: list[int], count: int) -> Timed:
    ids = torch.tensor([tokens], device=model.device)
    began = _now()
    decode(model, ids[:, :2], WARMUP_TOKENS)
    nll(model, ids[:, : WARMUP_TOKENS + 1])
    warmup = _now() - began
    seconds = decode(model, ids[:, : len(prompt)], count)
    began = _now()
    total = nll(model, ids)
    return Timed(warmup, count / seconds, _now() - began, total)


def _by_vllm(served: Vllm, prompt: list[int], tokens: list[int], count: int) -> Timed:
    began = _now()
    vllm_arms.answer(served, [tokens[:2]], WARMUP_TOKENS)
    served.timed_scoring(tokens[: WARMUP_TOKENS + 1])
    warmup = _now() - began
    decoding = vllm_arms.answer(served, [prompt], count).tokens_per_second
    seconds, likelihood = served.timed_scoring(tokens)
    return Timed(warmup, decoding, seconds, -likelihood)


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
    return float(token_nll(model(ids).logits[0, :-1], ids[0, 1:]).sum())


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def conditions(
    arm: str,
    models: Mapping[str, Base],
    engine: Mapping,
    dtype: torch.dtype,
    settings: Settings,
    run: Run,
) -> dict:
    """What was run of an arm: of a pair that others published, or of a model that we expanded.

    ``engine`` is what ran it, as conditions say it.
    """
    made = models["expanded"].made
    return {
        "ran": {"models": [models[arm].ran()]},
        "dtype": str(dtype).removeprefix("torch."),
        "batch": 1,
        "own": {
            "new_tokens": settings.new_tokens,
            "scored": settings.scored,
            "engine": dict(engine),
            **made,
        },
        "models": {models[arm].name: models[arm].described()},
        **run.timing(settings.blocks),
        "warmup": f"{WARMUP_TOKENS} decoded and scored tokens per process, recorded apart; "
        "loading is not timed",
        "fallbacks": [],
        "deviations": [
            *([f"{models['base'].name} stands for Llama-2-7b", *OURS] if made else []),
            "characters_per_second of decoding is a product: an untrained model's own output is "
            "no Japanese whose characters could be counted",
            *([vllm_arms.READ] if engine["name"] == "vllm" else []),
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
    engine, why = engines.read(inputs.get("engine")), None
    if engine.python:
        served = [Reference(base=str(folder), files={}) for folder in folders.values()]
        reasons = [unserved(engine.python, one, dtype, run.threads) for one in served]
        why = next(filter(None, reasons), None)
    fallback, python = engine.instead(why), None if why else engine.python
    results = timed(folders, sentences, dtype, settings, run, python)
    table = observed(EXPERIMENT, results, UNITS)
    by, taken = results[0]["engine"], [fallback] if fallback else []
    by = {"name": "vllm", **by} if by else {"name": "transformers"}
    by |= {"unserved_by_vllm": why} if why else {}
    tables = []
    for arm in models:
        made = conditions(arm, models, by, dtype, settings, run)
        tables.append((table[table["arm"] == arm], lowered(made, taken, "reference")))
    return tables
