"""What stages of training share: their folder, the model that they begin with, and how one learns.

A stage turns samples into rows of token ids and says what a step lowers; :func:`learned` does the
rest, exactly resumable.
"""

import fcntl
import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from peft import get_peft_model
from safetensors import SafetensorError
from transformers import AutoConfig, set_seed

from kensho.files import lock, read_json, write_json
from kensho.models.loading import (
    computes_on,
    keep_unpacked,
    load_reference,
    merged,
    probe_logits,
    require_finite,
    tokenizer_of,
)
from kensho.models.reference import Reference
from kensho.train import curves, processes
from kensho.train.checkpoints import FULL
from kensho.train.loop import NEXT_TOKEN, Objective, Sample, train
from kensho.train.memory import resident_bytes
from kensho.train.packing import PACKED, unfit
from kensho.train.precision import mixed
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.targets import check, check_layers

MOST_LOST = 0.01  # of the change that a training made, when its adapter is read again
SENTENCEPIECE = "tokenizer.model"
# Rows to learn and rows to score, of a model that has no adapter of this stage yet, in evaluation
# mode, and its tokenizer.
Encode = Callable[[Any, Any], tuple[Sequence[Sample], Sequence[Sample]]]


class UnmovedError(ValueError):
    """A training changed nothing."""


def draw(samples: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """``count`` samples in training order: seeded, without repetition until all were used."""
    return samples.iloc[[*islice(order(len(samples), seed), count)]].reset_index(drop=True)


def parted(samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples to learn, and those that a column ``held_out`` marks, which are scored alone."""
    apart = samples["held_out"] if "held_out" in samples else pd.Series(False, samples.index)
    return samples[~apart], samples[apart]


def order(size: int, seed: int) -> Iterator[int]:
    """Places of ``size`` samples in training order, without end.

    Raises ValueError where there are none.
    """
    if not size:
        raise ValueError("no sample to train on; raise samples or data.train")
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(size)


def learned(
    base: Reference,
    texts: Mapping[str, Iterable[str]],
    encode: Encode,
    output: Path,
    checkpoints: Path,
    training: Training,
    objective: Objective = NEXT_TOKEN,
    held_out: Mapping[str, Iterable[str]] | None = None,
) -> tuple[pd.DataFrame, Measured]:
    """Train one arm with one seed on the rows that ``encode`` makes; save it to ``output``.

    ``texts`` are what the rows are made of, in training order, ``held_out`` those of rows that are
    scored meanwhile. A ``base`` stored in NF4 stays so
    under its adapter, adapters that it has already become part of it. ``checkpoints`` is the
    caller's to remove when all is kept: the same call goes on from the last one and gives the same
    weights as an undisturbed run; a call with other settings, texts, base or code starts anew.
    Returns the steps as :func:`kensho.train.loop.train` does, peak_bytes above what was resident
    before the model was loaded, and what was measured. Raises ValueError if training left the
    logits unchanged or finds no room, or before anything for targets that the architecture lacks.
    """
    method, name = training.method, training.name
    curves.check(training.trackers)
    if processes.size() > 1 and (why := method.one_process):
        raise ValueError(f"{name}: method {method.name} takes one process: {why}; take another")
    require_targets(base, training)
    texts_sha256 = digest(texts)
    settings = asdict(training) | {
        **{"samples": texts_sha256, "held_out": digest(held_out or {"text": []})},
        **{"base": base.model_dump(), "method": method.name},
        **{"dtype": str(training.dtype), "processes": processes.size(), "on": computes_on()},
    }
    for of_no_weight in ("trackers", "curves"):
        del settings[of_no_weight]
    with room(checkpoints), exclusive(checkpoints):
        if processes.first():
            discard_foreign(checkpoints, settings)
        processes.wait()
        baseline = 0 if torch.cuda.is_available() else resident_bytes()
        model, tokenizer = begun(base, training)
        rows, scored = encode(model.eval(), tokenizer)
        with passed(training):
            model = prepared(model, training)
            course = method.course(model, training)
            model = processes.shard(model, training.dtype if mixed(training) else None)
            untrained = probe_logits(model, tokenizer)
        pad = tokenizer.pad_token_id
        call = (training, baseline, scored, objective, course)
        steps = train(model, rows, pad, checkpoints, *call)
        trained = probe_logits(model.eval(), tokenizer)
        if not math.isfinite(moved := _distance(untrained, trained)):
            raise ValueError(f"{name}: what was trained gives no numbers; lower learning_rate")
        if not moved:
            raise UnmovedError(f"{name}: training did not change the logits of the probe")
        whole = processes.gathered(model) if processes.size() > 1 else None
        if processes.first():
            with complete(output) as place:
                with passed(training):
                    course.save(place, whole)
                if method.whole:
                    save_tokenizer(tokenizer, base, place)
                if method.unknown:
                    held = str(training.held)
                    made = base.trained(place, method.name, weights=held, compute=held)
                    with passed(training):
                        again = probe_logits(load_reference(made, training.held)[0], tokenizer)
                    if not _distance(again, trained) <= MOST_LOST * moved:
                        raise ValueError(
                            f"{name}: what was saved does not compute what was trained; take "
                            "another class of PEFT"
                        )
    table = pd.DataFrame(steps)
    steady = table[~table["warm_up"]]
    seconds = float(steady["seconds"].sum())
    return table, Measured(
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        peak_memory_bytes=int(table["peak_bytes"].max()),
        tokens_per_second=int(steady["tokens"].sum()) / seconds if len(steady) else None,
        samples_in_order_sha256=texts_sha256,
        read=different(texts),
        weights="nf4" if method.weights == "nf4" else str(training.held).removeprefix("torch."),
        dtype=str(training.dtype).removeprefix("torch."),
        processes=processes.size(),
        rows=_rows(model, training) if objective is NEXT_TOKEN else None,
        loss_unit=objective.unit,
    )


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one - other).abs().max().item()


def _rows(model: Any, training: Training) -> str:
    return unfit(model) or PACKED if training.packing else "padded: as configured"


def begun(base: Reference, training: Training) -> tuple[Any, Any]:
    """The model that a training begins with, held as its method has it, and its tokenizer.

    Earlier adapters are part of it. Raises ValueError where a weight is not finite.
    """
    on = "cpu" if processes.size() > 1 else None  # sharing moves it, layer by layer
    earlier = [adapter.path for adapter in base.adapters]
    quantised = training.method.weights == "nf4"
    model: Any = merged(base.base, training.held, earlier, quantised=quantised, on=on)
    try:
        require_finite(model)
    except ValueError as error:
        raise ValueError(f"{training.name}: {error}") from None
    keep_unpacked(model)
    return model, tokenizer_of(base.base)


def prepared(model: Any, training: Training) -> Any:
    """The model that learns: with the adapter of the method, whose weights are of the seed.

    Raises ValueError where it lacks a module that is to be learned whole.
    """
    set_seed(training.seed)
    if (adapted := training.adapter()) is not None:
        names = [name for name, _ in model.named_modules()]
        for whole in getattr(adapted, "modules_to_save", None) or []:
            if not any(f".{name}".endswith(f".{whole}") for name in names):
                raise ValueError(
                    f"{training.name}: modules_to_save: the model has no module '{whole}'; name "
                    "one that it has"
                )
        model = get_peft_model(model, adapted)
    if training.method.half:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    if training.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


@contextmanager
def passed(training: Training) -> Iterator[None]:
    """Raises ValueError for whatever a class of PEFT that is passed through ends in."""
    try:
        yield
    except (OSError, SafetensorError):
        raise  # of the disk
    except Exception as error:
        if not training.method.unknown or str(error).startswith(f"{training.name}: "):
            raise
        cause = next(iter(str(error).splitlines()), "").rstrip(".")
        raise ValueError(
            f"{training.name}: {training.settings['method']['config']}: {type(error).__name__}: "
            f"{cause}; change its settings or take another class"
        ) from error


def save(model: Any, tokenizer: Any, base: Reference, output: Path) -> None:
    """A whole model with the tokenizer of its base, as :func:`complete`."""
    with complete(output) as place:
        model.save_pretrained(place)
        save_tokenizer(tokenizer, base, place)


def save_tokenizer(tokenizer: Any, base: Reference, place: Path) -> None:
    """The tokenizer of a base, and its SentencePiece model where it has one.

    transformers saves no such model; llama.cpp's converter reads it.
    """
    tokenizer.save_pretrained(place)
    if (published := Path(base.base) / SENTENCEPIECE).is_file():
        shutil.copyfile(published, place / SENTENCEPIECE)


@contextmanager
def complete(output: Path) -> Iterator[Path]:
    """A folder to write to: complete at ``output`` in the end, or not there.

    Raises ValueError where it cannot be written.
    """
    temporary = output.with_name(f".{output.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    with room(output):
        yield temporary
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)


def require_positions(model: Any, lengths: Iterable[int], training: Training) -> None:
    """Raises ValueError where a row of so many tokens, as cut, has more than the model has."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = min(max(lengths, default=0), training.max_length)
    if context is not None and longest > context:
        raise ValueError(
            f"{training.name}: a row has {longest} tokens, the model {context} positions; lower "
            f"max_length to {context}"
        )


def require_targets(base: Reference, training: Training) -> None:
    """Raises ValueError for targets that the architecture lacks: PEFT would pass them over."""
    if training.targets is None:
        return
    model_type = AutoConfig.from_pretrained(base.base).model_type
    try:
        check(model_type, training.targets)
    except ValueError as error:
        raise ValueError(
            f"{training.name}: {error}; name some of these, or set another base (train.base, or "
            "the study's model)"
        ) from None
    check_layers(model_type, training.method)


def require_whole(base: Reference, training: Training) -> None:
    """Raises ValueError for a model whose adapters lie beside its weights."""
    if base.adapters:
        raise ValueError(f"{training.name}: its model has adapters; add the stage merge before it")


def untrained(
    peak: int, texts: Sequence[str], own: Mapping[str, float]
) -> tuple[pd.DataFrame, Measured]:
    """What a stage without steps returns: an empty table, and the peak in bytes of its float32."""
    columns = ["step", "loss", "penalty", "learning_rate", "learned", "tokens", "seconds"]
    return pd.DataFrame(columns=[*columns, "peak_bytes", "validation"]), Measured(
        trainable_parameters=0,
        peak_memory_bytes=peak,
        tokens_per_second=None,
        samples_in_order_sha256=digest({"text": texts}),
        read=different({"text": texts}),
        weights="float32",
        dtype="float32",
        own=dict(own),
    )


@contextmanager
def room(output: Path) -> Iterator[None]:
    """Raises ValueError where what is written for ``output`` finds no room."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        full = "(os error" in str(error)  # of safetensors, which gives no number
        if error.errno not in FULL if isinstance(error, OSError) else not full:
            raise
        raise ValueError(
            f"{output} cannot be written ({str(error).splitlines()[0]}); free space there"
        ) from None


@contextmanager
def exclusive(folder: Path):
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


def discard_foreign(folder: Path, settings: dict) -> None:
    """Empty the folder unless what it holds was made with these settings; note the settings."""
    note, settings = folder / "settings.json", json.loads(json.dumps(settings))
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


def different(texts: Mapping[str, Iterable[str]]) -> int:
    """How many of the training texts differ."""
    return len({*zip(*texts.values(), strict=True)})


def digest(texts: Mapping[str, Iterable[str]]) -> str:
    """Hex sha256 of the training texts in their order."""
    lines = "\n".join(map("".join, zip(*texts.values(), strict=True)))
    return hashlib.sha256(lines.encode()).hexdigest()
