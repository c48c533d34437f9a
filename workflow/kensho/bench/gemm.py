"""R-4: matrix products with and without hipBLASLt, TunableOp off and on.

The choice of the library is read from the environment when torch is loaded, so each run is a fresh
process that sets it first: this module imports torch nowhere but inside a run. On CUDA the same
harness compares cuBLAS with cuBLASLt: a reference for the harness, never evidence on R-4.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from kensho.bench.blocks import interleaved
from kensho.bench.run import Inputs, Observed, Run
from kensho.models import hardware
from kensho.models.cards import Card, load
from kensho.observations import Row, environment, table

if TYPE_CHECKING:
    from kensho.bench.settings import Gemm as Settings

EXPERIMENT = "gemm"
NOT_HERE = (
    "R-4 is not tested here: hipBLASLt needs an AMD GPU with ROCm (accelerator: rocm), "
    "and torch sees no accelerator"
)
TOLERANCE = 0.02  # relative error in the Frobenius norm; rounding of the output is below 0.004

Shape = tuple[int, int, int]  # m, n, k of (m x k) (k x n)


def arms(accelerator: str) -> dict[str, dict[str, str]]:
    """What each arm sets in the environment, by accelerator (``rocm``, ``cuda`` or ``none``).

    A tuned arm tunes within its own library, or both tuned arms would race the same kernels.
    ``none`` has one arm and no choice: it tries the harness, and settles nothing.
    """
    if accelerator == "none":
        return {"default": {}}
    if accelerator == "cuda":
        return {
            "cublas": {"TORCH_BLAS_PREFER_CUBLASLT": "0"},
            "cublaslt": {"TORCH_BLAS_PREFER_CUBLASLT": "1"},
        }
    variables = {}
    for name, prefer in (("rocblas", "0"), ("hipblaslt", "1")):
        library = {"TORCH_BLAS_PREFER_HIPBLASLT": prefer}
        variables[name] = {**library, "PYTORCH_TUNABLEOP_ENABLED": "0"}
        variables[f"{name}-tuned"] = {
            **library,
            "PYTORCH_TUNABLEOP_ENABLED": "1",
            "PYTORCH_TUNABLEOP_TUNING": "1",
            "PYTORCH_TUNABLEOP_ROCBLAS_ENABLED": str(1 - int(prefer)),
            "PYTORCH_TUNABLEOP_HIPBLASLT_ENABLED": prefer,
        }
    return variables


def shapes(cards: Mapping[str, Card], settings: Settings) -> list[Shape]:
    """Squares, and the projections of each model for ``rows`` tokens, each shape once.

    Raises ValueError for a model without the dimensions of a plain transformer layer.
    """
    rows = settings.rows
    products = [(size, size, size) for size in settings.squares]
    for card in (cards[name] for name in settings.models):
        hidden, feed_forward = card.size("hidden_size"), card.size("intermediate_size")
        heads, kv_heads = card.size("num_attention_heads"), card.size("num_key_value_heads")
        width = card.size("head_dim") if "head_dim" in card.config else hidden // heads
        products += [
            (rows, heads * width, hidden),  # queries
            (rows, kv_heads * width, hidden),  # keys and values
            (rows, hidden, heads * width),  # output
            (rows, feed_forward, hidden),  # gate and up
            (rows, hidden, feed_forward),  # down
        ]
    return list(dict.fromkeys(products))


def observe(
    accelerator: str,
    shapes: Iterable[Shape],
    known: Iterable[hardware.Hardware],
    settings: Settings,
    run: Run,
) -> tuple[pd.DataFrame, dict]:
    """Observation table, and the device with what it left out.

    A block is a cell of shape and dtype, a replicate a fresh process. Metrics ``gemm_seconds``
    (median of one product), ``tflops``, ``share_of_peak`` where a card knows the device, and
    ``warmup_seconds`` (first call, tuning included). 8-bit products go through the Lt library
    whatever is preferred, so they are observed in its arms alone and under names of their own.
    Raises ValueError for wrong products or a library other than the arm's, RuntimeError as
    :func:`kensho.bench.blocks.interleaved` does.
    """
    cells: list[tuple[Shape, str]] = [(one, dtype) for one in shapes for dtype in settings.dtypes]
    runs = {
        arm: partial(run_arm, variables, cells, accelerator, settings.min_seconds, run)
        for arm, variables in arms(accelerator).items()
    }
    # nothing is preloaded: the server must not have torch before a run sets its environment
    results = interleaved(runs, settings.blocks, run)
    device = results[0]["device"]
    card = hardware.find(known, device["name"], device["compute_units"])
    rows = [row for result in results for row in _rows(result, card)]
    return table(rows), {**device, "card": card.name if card else None}


def run_arm(
    variables: Mapping[str, str],
    cells: list[tuple[Shape, str]],
    accelerator: str,
    min_seconds: float,
    run: Run,
) -> dict:
    """One process: set the environment, load torch, then warm up and time each cell."""
    if "torch" in sys.modules:
        raise RuntimeError("torch was loaded before the arm's environment was set")
    for name in list(os.environ):  # nothing of the user's or the workflow's settings remains
        if name.startswith(("TORCH_BLAS_PREFER_", "PYTORCH_TUNABLEOP_")):
            del os.environ[name]
    # tuned choices are of this process: the next one tunes anew
    os.environ.update(PYTORCH_TUNABLEOP_FILENAME=f"{os.devnull}/tuned.csv", **variables)
    import torch
    from torch.utils.benchmark import Timer

    from kensho.bench.float8 import format_of_device

    library = _library(torch)
    prefer = [value for name, value in variables.items() if name.startswith("TORCH_BLAS_PREFER")]
    if prefer and ("lt" in library) != (prefer[0] == "1"):
        raise ValueError(f"torch prefers {library} in spite of {dict(variables)}")
    place = "cpu" if accelerator == "none" else "cuda"
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    float8 = format_of_device() if place == "cuda" and "lt" in library else None
    timed = []
    for shape, dtype in cells:
        if dtype == "float8" and float8 is None:
            continue
        kind = float8 if dtype == "float8" else getattr(torch, dtype)
        product, warmup = _checked_product(torch, shape, kind, place)
        timer = Timer("product()", globals={"product": product}, num_threads=run.threads)
        seconds = timer.blocked_autorange(min_run_time=min_seconds).median
        timed.append({"shape": shape, "dtype": dtype, "seconds": seconds, "warmup": warmup})
    return {"timed": timed, "device": _device(torch, place), "library": library}


def _library(torch) -> str:
    """The preferred library in lower case, ``cublaslt`` standing for hipBLASLt as torch has it."""
    return str(torch.backends.cuda.preferred_blas_library()).rsplit(".", 1)[-1].lower()


def _device(torch, place: str) -> dict:
    if place == "cpu":
        return {"name": "cpu", "compute_units": 0}
    units = torch.cuda.get_device_properties(0).multi_processor_count
    return {"name": torch.cuda.get_device_name(0), "compute_units": units}


def _checked_product(torch, shape: Shape, dtype, place: str):
    """A call that multiplies two matrices as a linear layer does, and the seconds of its first run.

    The matrices are the initial weights of linear layers, drawn in float32, brought to values
    between -1 and 1, which 8 bits can tell apart, and rounded; the first rows of the first run are
    checked against their product in float32.
    """
    m, n, k = shape
    with torch.device(place), torch.no_grad():
        left, right = (
            (torch.nn.Linear(k, size, bias=False).weight * k**0.5).to(dtype) for size in (m, n)
        )
        if dtype.itemsize == 1:
            one = torch.ones(())

            def product():
                return torch._scaled_mm(
                    left, right.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16
                )
        else:

            def product():
                return torch.mm(left, right.t())

        exact = left[:16].float() @ right.float().t()
        began = time.perf_counter()
        output = product()[:16].float().cpu()  # waits for the accelerator
        warmup = time.perf_counter() - began
        error = float((output - exact.cpu()).norm() / exact.norm())
    if not error < TOLERANCE:
        raise ValueError(f"{m} x {n} x {k}, {dtype}: relative error {error:.3g}")
    return product, warmup


def _rows(result: Mapping, card: hardware.Hardware | None) -> Iterator[Row]:
    arm, process = result["arm"], result["block"]
    for cell in result["timed"]:
        m, n, k = cell["shape"]
        peak = card.peak_tflops(cell["dtype"]) if card else None
        tflops = 2 * m * n * k / cell["seconds"] / 1e12
        values = [
            ("gemm_seconds", cell["seconds"], "s"),
            ("warmup_seconds", cell["warmup"], "s"),
            ("tflops", tflops, "TFLOP/s"),
        ]
        if peak is not None:
            values.append(("share_of_peak", tflops / peak, "share"))
        prefix = "float8_" if cell["dtype"] == "float8" else ""
        for metric, value, unit in values:
            block = f"m{m}-n{n}-k{k}-{cell['dtype']}"
            yield Row(EXPERIMENT, arm, block, process, prefix + metric, value, unit)
    place = ("position", result["position"], "place in block")
    yield Row(EXPERIMENT, arm, f"process-{process:02d}", process, *place)


def conditions(accelerator: str, device: Mapping, settings: Settings, run: Run) -> dict:
    """What was run; a device without a card may be a part of one."""
    variables = environment().get("rocm_variables", {})  # but for the one that each arm sets
    variables.pop("TORCH_BLAS_PREFER_HIPBLASLT", None)
    left_out = [] if device["card"] else [f"no card for {device['name']}: no share of the peak"]
    return {
        "ran": {"models": [], "at_most": dict.fromkeys(left_out, "reference")},
        "dtype": settings.dtypes,
        "device": dict(device),
        "own": {"arms": arms(accelerator)},
        **run.timing(settings.blocks),
        "warmup": "one call of each cell in each process, tuning included, recorded apart",
        "fallbacks": left_out,
        "deviations": [
            "products are timed back to back on the same matrices, small ones from warm caches",
            "float8 runs in arms of the Lt library alone, where the device has it",
        ],
        "rocm_variables": variables,
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms of the accelerator. Raises ValueError where there is none."""
    accelerator = hardware.detected()
    if accelerator == "none":
        raise ValueError(NOT_HERE)
    products = shapes(load(inputs["cards"]), settings)
    known = hardware.load(inputs["hardware"]).values()
    table, device = observe(accelerator, products, known, settings, run)
    return [(table, conditions(accelerator, device, settings, run))]
