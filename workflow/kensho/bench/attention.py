"""R-1 beyond bytes: seconds, operations and bandwidth of one layer's decoding step, by attention.

Every arm is one attention layer of R1's dimensions that decodes one token for each sequence
against a filled cache. Before anything is timed each arm is compared with transformers' own layer
on the same weights. One cell (length, batch, dtype) is judged and observed in every block; the
others stand beside it, in blocks of their own, under metrics that carry the cell's name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kensho.bench.blocks import interleaved, observed
from kensho.bench.kv_cache import R1, closed_form_elements
from kensho.bench.run import Inputs, Observed, Run
from kensho.models.attention import FORMS, Attention, build, hidden_states
from kensho.models.cards import Card, load
from kensho.models.loading import LAUNCHED, device
from kensho.models.ran import of_card

if TYPE_CHECKING:
    from kensho.bench.settings import Attention as Settings

EXPERIMENT = "attention"
JUDGED = 4096, 1  # cached tokens and sequences of the judged cell (R-1.speed)
ARMS = list(FORMS)
TOLERANCE = 1e-4  # of the largest output, between an arm and transformers in float32
DISTINCT = 64  # tokens whose entries fill the cache, over and over
PRELOAD = [
    "transformers.models.deepseek_v3.modeling_deepseek_v3",
    "transformers.models.llama.modeling_llama",
    __name__,
]
ENOUGH = 0.5  # seconds of timed steps after which no repetition is added
UNITS = {
    "decode_seconds": "s",  # the whole layer, one token for each sequence
    "attention_seconds": "s",  # the part of it from projected query to output of each head
    "warmup_seconds": "s",  # the first decoding step of a cell, whole layer
    "difference": "share of the largest output",  # from transformers' layer, largest deviation
    "cache_bytes": "bytes",
    "attention_flops": "FLOP",
    "bytes_touched": "bytes",  # cache, weights, query and output of that part, each once
    "achieved_bandwidth": "bytes/s",
}


class Cell(NamedTuple):
    """What is decoded: tokens in the cache (the new one included), sequences, precision."""

    length: int
    batch: int
    dtype: str

    def __str__(self) -> str:
        return f"L{self.length}-B{self.batch}-{self.dtype}"


def cells(settings: Settings) -> tuple[dict[str, Cell], dict[str, Cell]]:
    """The judged cell and those beside it, by what their metrics' names end in."""
    judged = Cell(*JUDGED, settings.dtype)
    beside = [  # weights are made once by precision
        Cell(length, batch, dtype)
        for dtype in settings.dtypes
        for length in settings.lengths
        for batch in settings.batches
    ]
    return {"": judged}, {f".{cell}": cell for cell in beside if cell != judged}


def observe(card: Card, settings: Settings, run: Run) -> pd.DataFrame:
    """Observation table of all arms; the metrics of UNITS, repetitions as replicates.

    Metrics of the judged cell bear these names alone, those of the cells beside it end in the
    cell's name (`decode_seconds.L512-B1-float32`). Difference and operations are observed once.
    Raises ValueError if that exceeds the tolerance, RuntimeError for a run that fails.
    """
    judged, beside = cells(settings)
    checks = interleaved(
        {arm: partial(compared, arm, card, run) for arm in ARMS}, 1, run, preload=PRELOAD
    )
    for check in checks:
        del check["position"]  # what has no time has no place either
        if not check["difference"] <= TOLERANCE:
            raise ValueError(
                f"{EXPERIMENT}: arm {check['arm']} differs from transformers' layer by "
                f"{check['difference']:.2g} of the largest output (at most {TOLERANCE:g})"
            )
        for ending, cell in (judged | beside).items():
            check["attention_flops" + ending] = attention_flops(check["arm"], card, cell)

    def timed(chosen: Mapping[str, Cell], blocks: int, first: int = 0) -> list[dict]:
        runs = {a: partial(decoded, a, card, chosen, settings.repetitions, run) for a in ARMS}
        return interleaved(runs, blocks, run, first=first, preload=PRELOAD)

    results = timed(judged, settings.blocks)
    if beside:
        results += timed(beside, settings.blocks_beside, first=settings.blocks)
    return observed(EXPERIMENT, [*checks, *results], UNITS)


def compared(arm: str, card: Card, run: Run, tokens: int = 16) -> dict:
    """Deviation of an arm from transformers' layer on the same weights, decoding a 16th token."""
    torch.set_num_threads(run.threads)
    layer = build(arm, card, seed=run.seed, dtype=torch.float32, device=device())
    hidden = hidden_states(tokens, layer.config, dtype=torch.float32, device=device())
    rope = layer.rope(torch.arange(tokens, device=device()), hidden)
    with torch.inference_mode():
        theirs = layer.reference(hidden, rope)
        cache = layer.filled(hidden[:, :-1], 1, tokens)
        cosine, sine = rope
        last = cosine[:, -1:], sine[:, -1:]
        ours = layer.decode(hidden[:, -1:], last, cache)
    return {"difference": float((ours - theirs).abs().max() / theirs.abs().max())}


@torch.inference_mode()
def decoded(
    arm: str, card: Card, cells: Mapping[str, Cell], repetitions: int, run: Run
) -> dict[str, float | list[float]]:
    """One process: the metrics of UNITS for each cell, under their names with the cell's ending."""
    torch.set_num_threads(run.threads)
    layer: Attention | None = None
    metrics: dict[str, float | list[float]] = {}
    for ending, cell in cells.items():
        dtype = getattr(torch, cell.dtype)
        if layer is None or _output(layer).weight.dtype != dtype:
            layer = None  # frees the weights of the other precision first
            layer = build(arm, card, seed=run.seed, dtype=dtype, device=device())
        timed = _timed(arm, card, layer, cell, repetitions)
        metrics |= {name + ending: value for name, value in timed.items()}
    return metrics


def _output(layer: Attention) -> nn.Linear:
    return cast(nn.Linear, layer.layer.o_proj)


def _timed(arm: str, card: Card, layer: Attention, cell: Cell, repetitions: int) -> dict:
    dtype = getattr(torch, cell.dtype)
    states = hidden_states(DISTINCT + cell.batch, layer.config, dtype=dtype, device=device())
    cache = layer.filled(states[:, :DISTINCT], cell.batch, cell.length)
    hidden = states[0, DISTINCT:, None]
    rope = layer.rope(torch.tensor([cell.length - 1], device=device()), hidden)
    warmup, _ = seconds(layer, hidden, rope, cache)
    times: list[tuple[float, float]] = []
    while len(times) < repetitions and sum(whole for whole, _ in times) < ENOUGH:
        times.append(seconds(layer, hidden, rope, cache))
    kept = sum(entries.nbytes for entries in cache)
    elements = closed_form_elements("mla" if arm.startswith("mla") else arm, {R1: card})
    if kept != (formula := elements * cell.length * cell.batch * dtype.itemsize):
        raise ValueError(f"{arm}, {cell}: {kept} bytes in the cache, by formula {formula}")
    query, _ = layer.project(hidden, rope)
    output = _output(layer).in_features * cell.batch * dtype.itemsize
    read = sum(weight.nbytes for weight in layer.core_weights())
    touched = kept + query.nbytes + output + read  # each once: what no implementation can avoid
    return {
        "decode_seconds": [whole for whole, _ in times],
        "attention_seconds": [part for _, part in times],
        "warmup_seconds": warmup,
        "cache_bytes": kept,
        "bytes_touched": touched,
        "achieved_bandwidth": [touched / part for _, part in times],
    }


def seconds(layer: Attention, hidden, rope, cache) -> tuple[float, float]:
    """Seconds of one decoding step and of its part that meets the cache."""
    marks, gpu = [], hidden.is_cuda

    def mark():
        marks.append(torch.cuda.Event(enable_timing=True) if gpu else time.perf_counter())
        if gpu:
            marks[-1].record()  # events do not hold up the queue inside the step

    def between(first, last):
        return first.elapsed_time(last) / 1e3 if gpu else last - first

    if gpu:
        torch.cuda.synchronize()
    layer.decode(hidden, rope, cache, mark)
    if gpu:
        torch.cuda.synchronize()
    return between(marks[0], marks[3]), between(marks[1], marks[2])


def attention_flops(arm: str, card: Card, cell: Cell) -> int:
    """Operations from projected query to output of each head, counted on tensors without storage.

    Raises ValueError if the count differs from the closed form.
    """
    with torch.device("meta"):
        layer = build(arm, card, dtype=torch.float32, device="meta", seed=0)
        hidden = torch.empty(cell.batch, 1, layer.config.hidden_size)
        query, entries = layer.project(hidden, layer.rope(torch.arange(1), hidden))
        cache = tuple(
            torch.empty(*entry.shape[:2], entry.shape[3], cell.length) for entry in entries
        )
        with FlopCounterMode(display=False) as counter:
            layer.attend(query, cache)
    counted, formula = counter.get_total_flops(), closed_form_flops(arm, card, cell)
    if counted != formula:
        raise ValueError(f"{arm}, {cell}: {counted} FLOP counted, by formula {formula}")
    return counted


def closed_form_flops(arm: str, card: Card, cell: Cell) -> int:
    """Two operations for each multiply-add of scores, weighted values and up-projections.

    The latent form projects query and output of each head up (once for the new token) and meets
    rank + rope and rank elements of every cached token; the expanded form projects every cached
    token. DeepSeek-V2, arXiv 2405.04434, section 2.1.
    """
    length, batch, _ = cell
    heads, value = card.size("num_attention_heads"), card.size("v_head_dim")
    rank, nope, rope = map(card.size, ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim"))
    per_head = {
        "mla-latent": rank * (nope + value) + length * (2 * rank + rope),
        "mla-expanded": length * (rank * (nope + value) + nope + rope + value),
        "mha": length * (nope + rope + value),
        "gqa-8": length * 2 * value,
        "mqa": length * 2 * value,
    }
    return 2 * batch * heads * per_head[arm]


def conditions(card: Card, settings: Settings, run: Run) -> dict:
    """What was run: one layer of the card's dimensions, with random weights."""
    judged, beside = cells(settings)
    return {
        "ran": {"models": [of_card(card)]},
        "dtype": settings.dtype,
        "device": device(),
        "own": {
            "cell": judged[""]._asdict(),
            "beside": [str(cell) for cell in beside.values()],
            "blocks_beside": settings.blocks_beside,
            "repetitions": f"{settings.repetitions}, fewer once they have taken {ENOUGH:g} s",
        },
        **run.timing(settings.blocks),
        "warmup": "the first decoding step of each cell in each process, recorded apart",
        "fallbacks": [],
        "deviations": [
            "one attention layer of 61, without feed-forward part and experts, which cost every "
            "arm the same: a whole model's ratio lies nearer to 1",
            "random weights; the cache repeats the entries of 64 tokens",
            "rotary embedding without YaRN, which costs the same",
            "gqa-8 and mqa project queries and outputs at full rank, as such layers do",
            *([LAUNCHED] if device() == "cuda" else []),
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, in the judged cell and in those beside it."""
    card = load(inputs["cards"])[R1]
    return [(observe(card, settings, run), conditions(card, settings, run))]
