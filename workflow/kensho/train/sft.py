"""Supervised fine-tuning by any method, resumable, observed step by step."""

import fcntl
import hashlib
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from peft import get_peft_model
from transformers import AutoConfig, set_seed

from kensho.data.prompt import completion, prompt
from kensho.files import lock, read_json, write_json
from kensho.models.loading import keep_unpacked, load_reference, merged, probe_logits, tokenizer_of
from kensho.models.reference import Reference
from kensho.train import processes
from kensho.train.loop import mixed, train
from kensho.train.memory import resident_bytes
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.targets import check, check_layers

MOST_LOST = 0.01  # of the change that a training made, when its adapter is read again
WARMUP_STEPS = 2  # left out of tokens per second: first steps allocate and tune


def draw(samples: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """``count`` samples in training order: seeded, without repetition until all were used."""
    rng = np.random.default_rng(seed)
    rounds = -(-count // len(samples))
    order = np.concatenate([rng.permutation(len(samples)) for _ in range(rounds)])[:count]
    return samples.iloc[order].reset_index(drop=True)


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Train one arm with one seed on ``samples`` and save it to ``output``.

    ``samples`` has columns en and ja (translation) or prompt and completion; a ``base`` stored in
    NF4 stays so under its adapter, adapters that it has already become part of it. ``checkpoints``
    is the caller's to remove when all is kept: the same call goes on from the last one and gives
    the same weights as an undisturbed run; a call with other settings, samples, base or code starts
    anew. Returns the steps (step, loss, tokens, seconds, peak_bytes above what was resident before
    the model was loaded) and what was measured. Raises ValueError if training left the logits
    unchanged, or before anything for targets that the architecture lacks.
    """
    drawn = draw(samples, training.samples, training.seed)
    if "prompt" not in drawn:
        drawn = drawn.assign(prompt=drawn["en"].map(prompt), completion=drawn["ja"].map(completion))
    pairs = {side: drawn[side] for side in ("prompt", "completion")}
    method, name = training.method, training.name
    if processes.size() > 1 and (why := method.one_process):
        raise ValueError(f"{name}: method {method.name} takes one process: {why}; take another")
    if training.targets is not None:
        model_type = AutoConfig.from_pretrained(base.base).model_type
        check(model_type, training.targets)
        check_layers(model_type, method)
    texts_sha256 = _digest(pairs)
    settings = asdict(training) | {
        **{"samples": texts_sha256, "base": base.model_dump()},
        **{"method": method.name, "dtype": str(training.dtype), "processes": processes.size()},
    }
    dtype = torch.float32 if method.weights == "float32" else training.dtype
    with _exclusive(checkpoints):
        if processes.first():
            _discard_foreign(checkpoints, settings)
        processes.wait()
        baseline = 0 if torch.cuda.is_available() else resident_bytes()
        set_seed(training.seed)  # before the adapter is made: its initialisation is of the seed
        tokenizer = tokenizer_of(base.base)
        on = "cpu" if processes.size() > 1 else None  # sharing moves it, layer by layer
        earlier = [adapter.path for adapter in base.adapters]
        quantised = method.weights == "nf4"
        model: Any = merged(base.base, dtype, earlier, quantised=quantised, on=on)
        keep_unpacked(model)
        if (adapted := training.adapter()) is not None:
            model = get_peft_model(model, adapted)
        if method.half:
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)
        course = method.course(model, training)
        model = processes.shard(model, training.dtype if mixed(training) else None)
        untrained = probe_logits(model, tokenizer)
        encodings = [
            encoded(tokenizer, *pair, chat=training.chat)
            for pair in zip(*pairs.values(), strict=True)
        ]
        if training.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        pad = tokenizer.pad_token_id
        rows = train(model, encodings, pad, checkpoints, training, baseline, course)
        model.eval()
        trained = probe_logits(model, tokenizer)
        if torch.equal(untrained, trained):
            raise ValueError(f"{name}: training did not change the logits of the probe")
        whole = processes.gathered(model) if processes.size() > 1 else None
        if processes.first():
            temporary = output.with_name(f".{output.name}.partial")
            shutil.rmtree(temporary, ignore_errors=True)
            course.save(temporary, whole)
            if method.unknown:
                made = base.trained(temporary, method.name, weights=str(dtype), compute=str(dtype))
                again = probe_logits(load_reference(made, dtype)[0], tokenizer)
                if (again - trained).abs().max() > MOST_LOST * (untrained - trained).abs().max():
                    raise ValueError(
                        f"{name}: what was saved does not compute what was trained; take another "
                        "class than that of its method"
                    )
            if method.whole:
                tokenizer.save_pretrained(temporary)
            shutil.rmtree(output, ignore_errors=True)
            temporary.rename(output)
    table = pd.DataFrame(rows)
    steady = table[table["step"] > WARMUP_STEPS]
    seconds = float(steady["seconds"].sum())
    speed = int(steady["tokens"].sum()) / seconds if len(steady) else None
    return table, Measured(
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        peak_memory_bytes=int(table["peak_bytes"].max()),
        tokens_per_second=speed,
        samples_in_order_sha256=texts_sha256,
        weights="nf4" if method.weights == "nf4" else str(dtype).removeprefix("torch."),
        dtype=str(training.dtype).removeprefix("torch."),
        processes=processes.size(),
    )


@contextmanager
def _exclusive(folder: Path):
    """Hold the folder's lock; a run that survived its killed parent is waited for.

    Of several processes the first holds it for all.
    """
    if not processes.first():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as file:
        if not lock(file):
            print(f"{folder}: another process still trains here; waiting", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _discard_foreign(folder: Path, settings: dict) -> None:
    """Empty the folder unless what it holds was made with these settings; note the settings."""
    note = folder / "settings.json"
    if not note.is_file() or read_json(note) != settings:
        _empty(folder)
        write_json(note, settings)


def _empty(folder: Path) -> None:
    """Remove everything but the lock, which this process holds; the note of settings first."""
    (folder / "settings.json").unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _digest(pairs: dict[str, pd.Series]) -> str:
    """Hex sha256 of the training texts in their order."""
    lines = "\n".join(a + b for a, b in zip(pairs["prompt"], pairs["completion"], strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()
