"""I-1 to I-4: speed, memory and loss of one model under ways to serve it.

Every arm answers the same prompts greedily in fresh processes, with its weights in another format,
with a cached prefix, or with tokens drafted from the prompt. What a format costs in likelihood is
scored on held-out sentences, one at a time, and paired by sentence.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    StoppingCriteria,
    StoppingCriteriaList,
)

from kensho.bench import inference_gguf, vllm_arms
from kensho.bench.blocks import interleaved, observed
from kensho.bench.inference_gguf import Answer
from kensho.bench.run import Cell, Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.models import engine as engines
from kensho.models import reference
from kensho.models.encoding import start
from kensho.models.loading import LAUNCHED, device, tokenizer_of
from kensho.models.reference import Base
from kensho.models.token_nll import token_nll
from kensho.observations import Row, table
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes

if TYPE_CHECKING:
    from kensho.bench.settings import Inference as Settings

EXPERIMENT = "inference"
WEIGHTS = ("fp32", "bf16", "int8", "nf4")  # arms that differ in the format of their weights
SAME = ("fp32", "fp32-lookup", "fp32-prefix")  # arms that must give the same answers
ARMS = (*WEIGHTS, *SAME[1:], *inference_gguf.FORMATS, *vllm_arms.DTYPES)
UNJUDGED = ["nf4"]  # arms whose speed no claim reads: timed in the blocks of the cells beside
JUDGED = Cell(1, 128)  # (I-1 to I-3)
OWN_TOKENS = 16  # of a prompt, behind the prefix that requests share
DRAFTED = 4  # tokens taken from the prompt at a time
UNITS = {
    "first_token_seconds": "s",
    "tokens_per_second": "tokens/s",
    "peak_memory_bytes": "bytes",
    "warmup_seconds": "s",
}
PRELOAD = [
    "torch.ao.quantization",
    "transformers.models.llama.modeling_llama",
    "transformers.generation.utils",
    "bitsandbytes",
    __name__,
]


def observe(
    model: Path,
    gguf: Path | None,
    test: pd.DataFrame,
    settings: Settings,
    run: Run,
    engine: Path | None = None,
) -> pd.DataFrame:
    """Observation table of the arms, whose prompts are the beginning of ``test`` (en).

    Metrics of UNITS for the judged cell; those of the cells beside it end in the cell's name
    (`tokens_per_second.B4-L128`); arms that draft or run in llama.cpp take batch 1 only. Blocks
    ``item-<id>`` hold ``nll_per_character_en`` and ``_ja`` of the first sentences of ``test``.
    Models are converted in the run's folder. Raises ValueError if an arm lacks what it needs, if
    the text is too short, or if arms that must agree answer differently.
    """
    arms: list[str] = [*settings.arms]
    folders = prepare(model, run.folder, arms, gguf, run.threads)
    tokenizer = tokenizer_of(model)
    text = tokenizer(" ".join(test["en"]), add_special_tokens=False)["input_ids"]
    judged, beside = {"": JUDGED}, {f".{cell}": cell for cell in _beside(settings)}
    needed = max(batch * length for batch, length in (judged | beside).values())
    if len(text) < needed:
        raise ValueError(f"the held-out text has {len(text)} tokens; the cells need {needed}")

    def timed(arms: Sequence[str], blocks: int, cells: Mapping, first: int = 0) -> list[dict]:
        rest = text, cells, settings.new_tokens, run.threads
        runs = {
            arm: _bound(arm, (vllm_arms.run_arm, run_arm), folders, engine, rest) for arm in arms
        }
        return interleaved(runs, blocks, run, first=first, preload=PRELOAD) if runs else []

    results = timed([arm for arm in arms if arm not in UNJUDGED], settings.blocks, judged)
    results += timed([arm for arm in arms if arm in UNJUDGED], settings.blocks_beside, judged)
    if beside:
        results += timed(arms, settings.blocks_beside, beside, first=settings.blocks)
    _agree(results)
    chosen = test.head(settings.items)
    sentences = {
        language: [
            [start(tokenizer), *tokenizer(one, add_special_tokens=False)["input_ids"]]
            for one in chosen[language]
        ]
        for language in ("en", "ja")
    }
    scorers, rest = (vllm_arms.score_arm, score_arm), (sentences, run.threads)
    runs = {arm: _bound(arm, scorers, folders, engine, rest) for arm in arms if arm not in SAME[1:]}
    rows = []
    for result in interleaved(runs, 1, run, preload=PRELOAD):
        for language in sentences:
            metric = f"nll_per_character_{language}"
            texts = zip(chosen["id"], chosen[language], result[language], strict=True)
            for id, text, nll in texts:
                value = nll / len(text)
                block = f"item-{id}"
                rows.append(
                    Row(EXPERIMENT, result["arm"], block, 0, metric, value, "nat/character")
                )
    return pd.concat([observed(EXPERIMENT, results, UNITS), table(rows)], ignore_index=True)


def _bound(
    arm: str,
    works: tuple[Callable, Callable],
    folders: Mapping[str, Path],
    engine: Path | None,
    rest: tuple,
) -> Callable[[], dict]:
    """The first of the works for an arm of vLLM, else the second."""
    if arm not in vllm_arms.DTYPES:
        return partial(works[1], arm, folders[arm], *rest)
    python = vllm_arms.python(engine, arm, folders[arm], rest[-1])
    return partial(works[0], python, folders[arm], vllm_arms.DTYPES[arm], *rest)


def _beside(settings: Settings) -> list[Cell]:
    return [Cell(cell.batch, cell.length) for cell in settings.beside]


def prepare(
    model: Path, work: Path, arms: Sequence[str], gguf: Path | None, threads: int
) -> dict[str, Path]:
    """Folder or file that each arm loads; what takes long to convert is converted once."""
    work.mkdir(parents=True, exist_ok=True)
    folders = {}
    for arm in arms:
        if arm in inference_gguf.FORMATS:
            folders[arm] = inference_gguf.convert(gguf, arm, work / f"{arm}.gguf", threads)
        elif arm == "nf4":
            folders[arm] = work / "nf4"
            config = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.float32,  # as every other arm computes
            )
            _from_folder(model, torch.float32, quantization_config=config).save_pretrained(
                folders[arm]
            )
        else:
            folders[arm] = model
    return folders


def load(arm: str, folder: Path):
    """The model of an arm of WEIGHTS or SAME, in eval mode on the accelerator if there is one."""
    if arm == "int8" and torch.cuda.is_available():
        config = BitsAndBytesConfig(load_in_8bit=True)
        return _from_folder(folder, torch.float16, quantization_config=config)
    if arm == "nf4":
        return _from_folder(folder, torch.float32)
    model = _from_folder(folder, torch.bfloat16 if arm == "bf16" else torch.float32)
    if arm == "int8":
        layers = {torch.nn.Linear}  # of the body: the output layer stays, as in the other arms
        torch.ao.quantization.quantize_dynamic(model.base_model, layers, inplace=True)
    return model


def _from_folder(folder: Path, dtype: torch.dtype, **more):
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map=device(), **more)
    return loaded.eval()


def run_arm(
    arm: str,
    folder: Path,
    text: list[int],
    cells: Mapping[str, Cell],
    new_tokens: int,
    threads: int,
) -> dict:
    """One process: load, answer briefly to warm up, then the prompts of each cell."""
    torch.set_num_threads(threads)
    before = 0 if torch.cuda.is_available() else resident_bytes()
    if arm in inference_gguf.FORMATS:
        room = max(length for _, length in cells.values()) + new_tokens
        model, respond = inference_gguf.load(folder, room, threads), inference_gguf.answer
    else:
        model, respond = load(arm, folder), partial(answer, arm)
    gc.collect()
    reset_peak()  # what serving takes, not what converting took
    began = now()
    respond(model, [text[: 2 * OWN_TOKENS]], 3)
    metrics, answers = {"warmup_seconds": now() - began}, {}
    for ending, (batch, length) in cells.items():
        if batch > 1 and (arm == "fp32-lookup" or arm in inference_gguf.FORMATS):
            continue
        prompts = [text[row * length : (row + 1) * length] for row in range(batch)]
        answered = respond(model, prompts, new_tokens)
        answers[ending] = answered.tokens
        metrics[f"first_token_seconds{ending}"] = answered.first_token_seconds
        metrics[f"tokens_per_second{ending}"] = answered.tokens_per_second
    if not (arm in inference_gguf.FORMATS and torch.cuda.is_available()):  # torch counts its own
        metrics["peak_memory_bytes"] = peak_bytes() - before
    return {**metrics, "answers": answers}


@torch.inference_mode()
def answer(arm: str, model, prompts: list[list[int]], new_tokens: int) -> Answer:
    """Greedy answers of exactly ``new_tokens`` to prompts of one length, as one batch.

    The first token waits for the whole prompt, but for ``fp32-prefix``, whose prompts share all
    but their last tokens with what the cache holds; filling that cache is not timed.
    """
    ids = torch.tensor(prompts, device=model.device)
    more = {}
    if arm == "fp32-lookup":
        more["prompt_lookup_num_tokens"] = DRAFTED
    if arm == "fp32-prefix":
        shared = ids[:, :-OWN_TOKENS]
        more["past_key_values"] = model(shared, use_cache=True, logits_to_keep=1).past_key_values
    marks = _Marks()
    began = now()
    whole = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        pad_token_id=0,
        stopping_criteria=StoppingCriteriaList([marks]),
        **more,
    )
    (first, after_first), (last, after_last) = marks.seen[0], marks.seen[-1]
    steps = len(prompts) * (after_last - after_first)
    return Answer(first - began, steps / (last - first), whole[:, ids.shape[1] :].tolist())


class _Marks(StoppingCriteria):
    """When the answer had how many tokens; stops nothing."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def __call__(self, input_ids, scores, **_):
        self.seen.append((now(), input_ids.shape[1]))
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def score_arm(arm: str, folder: Path, sentences: Mapping[str, list], threads: int) -> dict:
    """One process: negative log-likelihood (nat) of sentences, by language."""
    torch.set_num_threads(threads)
    if arm in inference_gguf.FORMATS:
        room = max(len(one) for ids in sentences.values() for one in ids)
        model = inference_gguf.load(folder, room, threads, every_logit=True)
        score = inference_gguf.nll
    else:
        model, score = load(arm, folder), nll
    return {key: [score(model, ids) for ids in encoded] for key, encoded in sentences.items()}


@torch.inference_mode()
def nll(model, ids: list[int]) -> float:
    """Negative log-likelihood (nat) of all tokens but the first.

    One sentence at a time: int8 takes the scale of its activations from all that it is given.
    """
    row = torch.tensor(ids, device=model.device)
    return float(token_nll(model(row[None]).logits[0, :-1], row[1:]).sum())


def now() -> float:
    """Seconds, the accelerator's queue included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _agree(results: Sequence[Mapping]) -> None:
    """Refuse answers that differ where only the way to them may."""
    expected: dict[str, list] = {}
    for result in (result for result in results if result["arm"] in SAME):
        for cell, tokens in result["answers"].items():
            if expected.setdefault(cell, tokens) != tokens:
                raise ValueError(
                    f"arm {result['arm']}, block {result['block']}{cell}: answers otherwise than "
                    "the same weights did before"
                )


def conditions(model: Base, settings: Settings, run: Run, vllm: str | None = None) -> dict:
    """What was run, some of it in this version of vLLM; a small model stands for the sources'."""
    left_out = [arm for arm in ARMS if arm not in settings.arms]
    absent = "" if find_spec("llama_cpp") else " (gguf arms need llama-cpp-python, not installed)"
    served = [arm for arm in settings.arms if arm in vllm_arms.DTYPES]
    accelerated = torch.cuda.is_available()
    return {
        "ran": {"models": [model.ran()]},
        "dtype": "weights as the arm says, computed in float32 but for bf16, gguf"
        + (" and int8 (float16)" if accelerated else ""),
        "device": device(),
        "own": {
            "int8": "LLM.int8 (bitsandbytes)" if accelerated else "torch, dynamic activations",
            "cell": str(JUDGED),
            "cells_beside": [str(cell) for cell in _beside(settings)],
            "drafted_tokens": DRAFTED,
            "own_tokens_behind_prefix": OWN_TOKENS,
            "new_tokens": settings.new_tokens,
            "blocks_beside": settings.blocks_beside,
            **({"vllm": vllm} if served else {}),
        },
        "items": settings.items,
        **run.timing(settings.blocks),
        "warmup": "one short answer per process, recorded apart; loading is not timed",
        "fallbacks": [f"arms left out: {', '.join(left_out)}{absent}"] if left_out else [],
        "deviations": [
            f"{model.name} stands for the models of the sources",
            *(
                [
                    "its file holds quantised weights, from which every arm starts: what another "
                    "such format loses may differ"
                ]
                if model.made
                else []
            ),
            "tokens are drafted from the prompt: no smaller model shares the vocabulary",
            "concurrent requests are one batch that starts and ends together",
            *([vllm_arms.HELD] if served else []),
            *([LAUNCHED] if accelerated else []),
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The arms of the settings, on held-out sentences."""
    file = None
    if set(inference_gguf.FORMATS) & set(settings.arms):
        file = fetched(inputs["gguf"])[0] if "gguf" in inputs else None
    gguf = file if file and file.suffix == ".gguf" else None
    test, model = read_table(inputs["test"]), reference.base(inputs["model"])
    table = observe(model.folder, gguf, test, settings, run, inputs.get("engine"))
    version = engines.read(inputs.get("engine")).version
    return [(table, conditions(model, settings, run, version))]
