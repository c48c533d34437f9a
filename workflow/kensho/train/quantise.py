"""Weights in the formats of llama.cpp (GGUF), and what these hold, as weights again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch

from kensho import paths
from kensho.files import read_json
from kensho.models.convert import dequantised
from kensho.models.loading import tokenizer_of
from kensho.models.reference import WEIGHTS, Reference
from kensho.train.checkpoints import FULL
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.stage import exclusive, require_whole, save, untrained

HERE = paths.GGUF
BLOCKS = {"q8_0": 32, "q4_k_m": 256}  # weights that share a scale, all of one row
NO_ROOM = (*map(os.strerror, FULL), "iostream error")  # the last is all that its C++ says
TO_Q4_K_M = (
    "import ctypes, sys, llama_cpp\n"
    "own = llama_cpp.llama_model_quantize_default_params()\n"
    "own.ftype, own.nthread = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, int(sys.argv[3])\n"
    "paths = [path.encode() for path in sys.argv[1:3]]\n"
    "sys.exit(llama_cpp.llama_model_quantize(*paths, ctypes.byref(own)))"
)


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Save ``base`` as ``model.gguf`` in ``format``; beside it the weights that the file holds.

    What is evaluated then are these weights, in float32: rounding is what llama.cpp did, computing
    is not its own. ``own`` has the bytes of the file. No sample is read and no step taken. Raises
    ValueError where adapters are not yet part of the weights, rows cannot be divided into blocks,
    or llama.cpp is not installed or refuses the model.
    """
    require_whole(base, training)
    named, folder = training.settings["format"], Path(base.base)
    require(folder, named, training.name)
    baseline = 0 if torch.cuda.is_available() else resident_bytes()
    reset_peak()
    with exclusive(checkpoints):
        file = checkpoints / "model.gguf"
        write(folder, named, file, training.name, torch.get_num_threads())
        size = file.stat().st_size
        save(dequantised(file), tokenizer_of(base.base), base, output)
        file.rename(output / file.name)
    return untrained(peak_bytes() - baseline, [], {"gguf_bytes": size})


def write(folder: Path, named: str, file: Path, name: str, threads: int) -> None:
    """Write the model of a folder as GGUF in a format: f16, or one of `BLOCKS`.

    Raises ValueError, which begins with ``name``, where :func:`require` does, where llama.cpp
    refuses the model, and where the file finds no room.
    """
    require(folder, named, name)
    if named != "q4_k_m":
        _converted(folder, file, named, name)
        return
    wide = file.with_name("float32.gguf")
    _converted(folder, wide, "f32", name)
    python = [str(HERE / "bin/python"), "-I", "-c", TO_Q4_K_M]
    _run([*python, str(wide), str(file), str(threads)], name, file)
    wide.unlink()


def require(folder: Path, named: str, name: str) -> None:
    """Raises ValueError for a matrix whose rows the format's blocks do not divide, and where
    llama.cpp is not installed."""
    for tensor, shape in _shapes(folder):
        if len(shape) > 1 and shape[-1] % BLOCKS.get(named, 1):
            others = [other for other, block in BLOCKS.items() if shape[-1] % block == 0]
            mend = f"take {others[0]}" if others else "leave the stage out"
            raise ValueError(
                f"{name}: {tensor} has rows of {shape[-1]}, which blocks of {BLOCKS[named]} "
                f"({named}) do not divide; {mend}"
            )
    if not (HERE / "installed").is_file():
        raise ValueError(
            f"{name}: llama.cpp is not installed; run `make gguf`, or leave the stage out"
        )


def _shapes(folder: Path) -> Iterator[tuple[str, list[int]]]:
    for path in sorted(folder.glob(WEIGHTS)):
        with open(path, "rb") as file:  # the format of safetensors: size, header, tensors
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        yield from ((k, one["shape"]) for k, one in header.items() if k != "__metadata__")


def _converted(folder: Path, file: Path, kind: str, name: str) -> None:
    kinds = read_json(folder / "config.json").get("architectures")
    script = [sys.executable, str(HERE / "convert_hf_to_gguf.py"), str(folder.absolute())]
    _run([*script, "--outfile", str(file), "--outtype", kind], f"{name}: {kinds}", file)


def _run(command: Sequence[str], name: str, file: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": "", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", env=environment
    )
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "no message"
        last = said.splitlines()[-1]
        if any(mark in said for mark in NO_ROOM):
            raise ValueError(f"{name}: {file} cannot be written ({last}); free space there")
        raise ValueError(f"{name}: llama.cpp cannot convert it ({last}); leave the stage out")
