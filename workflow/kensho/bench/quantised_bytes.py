"""F-1, F-2, C-4.size: bytes of the weights in storage formats, at real models' dimensions.

Every matrix of a model is stored in each format by the library that defines it, one of each shape,
and weighed; random weights serve, since bytes do not depend on values. Q4_K_M is computed, and
the rule that it is computed by is held against a real file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
from gguf import GGUFReader, quants
from gguf.constants import GGMLQuantizationType
from torch import nn

from kensho.bench.run import Inputs, Observed, Run
from kensho.data.sources import fetched
from kensho.models.cards import Card, load
from kensho.models.formats import FORMATS, LINEAR, Weight, kept, model_bytes, weights
from kensho.observations import Row, table

EXPERIMENT = "quantised_bytes"
MODELS = ["llama-2-7b", "llama-3-8b", "qwen2.5-7b", "smollm2-135m"]
COMPUTED = "q4_k_m"  # no Python package writes it
FILES = {"gemma-3-270m": "q4_k_m"}  # sources that are GGUF files of a known mix
UNITS = {"gigabyte": 10**9}
SLAB = 256  # rows of a matrix stored as Q8_0, whose blocks lie within a row


def observe(cards: Mapping[str, Card], models: Sequence[str] = MODELS) -> pd.DataFrame:
    """Observation table of all formats but Q4_K_M; block = architecture.

    Metrics ``weights_bytes`` and, of these, ``linear_bytes``. Raises ValueError if the stored
    tensors differ from the closed form by a byte.
    """
    rows, seen = [], {}
    for model in models:
        tensors = weights(cards[model])
        for weight in tensors:
            if (shape := (weight.shape, weight.kind == "linear")) not in seen:
                seen[shape] = stored(weight)
        for form in (form for form in FORMATS if form != COMPUTED):
            sizes = [(w.kind, seen[w.shape, w.kind == "linear"][form]) for w in tensors]
            total = sum(size for _, size in sizes)
            linear = sum(size for kind, size in sizes if kind == "linear")
            measured = {"weights_bytes": total, "linear_bytes": linear}
            if measured != (formula := model_bytes(cards[model], form)):
                raise ValueError(f"{form}, {model}: stored {measured}, by formula {formula}")
            rows += _rows(form, model, measured)
    return table(rows)


def observe_computed(
    cards: Mapping[str, Card], files: Mapping[str, Path], models: Sequence[str] = MODELS
) -> pd.DataFrame:
    """Observation table of Q4_K_M by formula, and of the tensors in GGUF ``files`` by card's name.

    Beside the bytes stand the units in which a size can be given. Raises ValueError if a file's
    tensors differ from the formula by a byte.
    """
    rows = []
    for model in models:
        rows += _rows(COMPUTED, model, {**model_bytes(cards[model], COMPUTED), **UNITS})
    for model, path in files.items():
        held = sum(int(tensor.n_bytes) for tensor in GGUFReader(path).tensors)
        formula = model_bytes(cards[model], FILES[model])["weights_bytes"]
        if held != formula:
            raise ValueError(f"{path}: its tensors hold {held} bytes, by formula {formula}")
        rows += _rows(FILES[model], model, {"weights_bytes": held})
    return table(rows)


def stored(weight: Weight) -> dict[str, int]:
    """Bytes of one parameter in each format but Q4_K_M, random weights really stored."""
    vector = weight.kind == "vector"
    q8_0 = torch.empty(weight.shape).nbytes if vector else _stored_q8_0(*weight.shape)
    if weight.kind != "linear":
        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
        sizes = {form: torch.empty(weight.shape, dtype=d).nbytes for form, d in dtypes.items()}
        return {form: sizes[kept(form)] for form in LINEAR} | {"q8_0": q8_0}
    import bitsandbytes.functional as bnb

    rows, columns = weight.shape
    torch.manual_seed(0)
    matrix = nn.Linear(columns, rows, bias=False, dtype=torch.bfloat16).weight.data
    codes, scales, _ = bnb.int8_vectorwise_quant(matrix.half())
    scale = matrix.abs().max().float() / torch.finfo(torch.float8_e4m3fn).max
    nf4 = {
        form: bnb.quantize_4bit(matrix, quant_type="nf4", compress_statistics=double)
        for form, double in {"nf4": False, "nf4-double": True}.items()
    }
    return {
        "fp32": matrix.float().nbytes,
        "bf16": matrix.nbytes,
        "int8": codes.nbytes + scales.nbytes,
        "fp8": (matrix / scale).to(torch.float8_e4m3fn).nbytes + scale.nbytes,
        **{form: packed.nbytes + _constants(state) for form, (packed, state) in nf4.items()},
        "q8_0": q8_0,
    }


def _constants(state) -> int:
    """Bytes of a bitsandbytes state: block constants, levels, and what quantises the constants."""
    own = state.absmax.nbytes + state.code.nbytes
    return own if state.offset is None else own + state.offset.nbytes + _constants(state.state2)


def _stored_q8_0(rows: int, columns: int) -> int:
    slab = torch.ones(min(rows, SLAB), columns).numpy()
    size = quants.quantize(slab, GGMLQuantizationType.Q8_0).nbytes
    return size * rows // len(slab)


def _rows(arm: str, block: str, metrics: Mapping[str, int]) -> list[Row]:
    return [Row(EXPERIMENT, arm, block, 0, *metric, "bytes") for metric in metrics.items()]


def conditions() -> dict:
    """Bytes follow from shapes and format."""
    return {
        "ran": {"models": [], "follows_from": "shapes and format"},
        "dtype": "that of the arm; unconverted parameters at 16 bit, in fp32 at 32",
        "warmup": "none: bytes do not depend on time",
        "fallbacks": [],
        "deviations": [
            "one random matrix of each shape is stored, not the published weights",
            "fp8 is e4m3 with one scale a matrix, as of torch on any device; MI300X's own e4m3 "
            "variant has the same width",
            f"q8_0 stores {SLAB} rows of each matrix; its blocks do not cross rows",
        ],
    }


def conditions_computed(files: Mapping[str, Path]) -> dict:
    """Q4_K_M at these dimensions is computed."""
    checked = ", ".join(files) or "no file: none was given"
    return conditions() | {
        "ran": {"models": [], "computed": "block sizes"},
        "dtype": "GGML types by llama.cpp's rule for Q4_K_M",
        "deviations": [
            f"computed from block sizes; the rule was held, to the byte, against: {checked}",
            "tensors only: a file's header and tokenizer add a few megabytes",
        ],
    }


def experiment(inputs: Inputs, settings: object, run: Run) -> Observed:
    """All formats: what is stored, and what is computed."""
    cards, sources = load(inputs["cards"]), map(fetched, inputs["files"])
    files = {source["name"]: path for path, source in sources if path is not None}
    return [
        (observe_computed(cards, files), conditions_computed(files)),
        (observe(cards), conditions()),
    ]
