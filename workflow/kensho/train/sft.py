"""Supervised fine-tuning by any method, resumable, observed step by step."""

import fcntl
import hashlib
import json
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoConfig, PrinterCallback, TrainerCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer

from kensho.data.prompt import completion, prompt
from kensho.files import lock, read_json, write_json
from kensho.models.loading import device, probe_logits, tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.targets import check

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
    if training.targets is not None:
        check(AutoConfig.from_pretrained(base.base).model_type, training.targets)
    texts_sha256 = _digest(pairs)
    settings = asdict(training) | {
        **{"samples": texts_sha256, "base": base.model_dump()},
        **{"method": method.name, "dtype": str(training.dtype)},
    }
    dtype = torch.float32 if method.weights == "float32" else training.dtype
    with _exclusive(checkpoints):
        _discard_foreign(checkpoints, settings)
        baseline = 0 if torch.cuda.is_available() else resident_bytes()
        set_seed(training.seed)  # before the adapter is made: its initialisation is of the seed
        tokenizer = tokenizer_of(base.base)
        model = weights(base.base, dtype, quantised=method.weights == "nf4")
        for adapter in base.adapters:
            model = PeftModel.from_pretrained(model, adapter.path).merge_and_unload()
            model.requires_grad_(True)  # PEFT froze what it adapted
        for layer in model.modules():  # bitsandbytes' product for bf16 processors has no gradient
            if hasattr(layer, "support_avx512bf16_for_cpu"):
                layer.support_avx512bf16_for_cpu = False
        untrained = probe_logits(model, tokenizer)
        observer = Observer(checkpoints / "steps.jsonl", name, training.steps, baseline)
        trainer = SFTTrainer(
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(
                [
                    encoded(tokenizer, *pair, chat=training.chat)
                    for pair in zip(*pairs.values(), strict=True)
                ]
            ),
            peft_config=training.adapter(),
            callbacks=[observer],
            args=_arguments(training, checkpoints),
        )
        trainer.remove_callback(PrinterCallback)  # the observer reports progress, with time left
        for path in checkpoints.glob("checkpoint-*"):
            if not _complete(path):  # the state is written last: a kill came before it
                shutil.rmtree(path)
        last = get_last_checkpoint(str(checkpoints))
        observer.keep(int(last.rsplit("-", 1)[1]) if last else 0)
        trainer.train(resume_from_checkpoint=last)
        trained: Any = trainer.model
        trained.eval()
        if torch.equal(untrained, probe_logits(trained, tokenizer)):
            raise ValueError(f"{name}: training did not change the logits of the probe")
        temporary = output.with_name(f".{output.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        trained.save_pretrained(temporary)
        if method.whole:
            tokenizer.save_pretrained(temporary)
        shutil.rmtree(output, ignore_errors=True)
        temporary.rename(output)
    table = pd.DataFrame(observer.rows)
    steady = table[table["step"] > WARMUP_STEPS]
    seconds = float(steady["seconds"].sum())
    speed = int(steady["tokens"].sum()) / seconds if len(steady) else None
    return table, Measured(
        trainable_parameters=sum(p.numel() for p in trained.parameters() if p.requires_grad),
        peak_memory_bytes=int(table["peak_bytes"].max()),
        tokens_per_second=speed,
        samples_in_order_sha256=texts_sha256,
        weights="nf4" if method.weights == "nf4" else str(dtype).removeprefix("torch."),
        dtype=str(training.dtype).removeprefix("torch."),
    )


def _arguments(training: Training, checkpoints: Path) -> SFTConfig:
    whole = training.method.whole
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=training.steps,
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, training.steps // 10),
        max_length=training.max_length,
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        bf16=whole and training.dtype is torch.bfloat16,
        use_cpu=device() == "cpu",
        dataloader_pin_memory=device() != "cpu",
        save_steps=training.checkpoint_every,
        save_total_limit=1,
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
        seed=training.seed,
    )


class Observer(TrainerCallback):
    """Writes one line per step as it happens, so that a resumed run keeps what it had seen."""

    def __init__(self, path: Path, name: str, steps: int, baseline: int):
        self.path, self.name, self.steps, self.baseline = path, name, steps, baseline
        self.rows: list[dict] = []
        self.counted = 0

    def keep(self, step: int) -> None:
        """Take over the steps up to the checkpoint from an interrupted run, drop later ones."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        self.rows = [row for row in rows if row["step"] <= step]
        kept = "".join(json.dumps(row) + "\n" for row in self.rows)
        self.path.write_text(kept, encoding="utf-8")

    def on_train_begin(self, args, state, control, **_):
        reset_peak()

    def on_step_begin(self, args, state, control, **_):
        self.began = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        self.seconds = time.perf_counter() - self.began

    def on_log(self, args, state, control, logs, **_):
        if "loss" not in logs:
            return
        tokens = int(logs["num_tokens"]) - self.counted  # TRL counts from the start of the process
        self.counted += tokens
        row = {
            "step": state.global_step,
            "loss": float(logs["loss"]),
            "tokens": tokens,
            "seconds": self.seconds,
            "peak_bytes": peak_bytes() - self.baseline,
        }
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        left = (self.steps - row["step"]) * np.mean([r["seconds"] for r in self.rows])
        print(
            f"{self.name}: step {row['step']}/{self.steps}, loss {row['loss']:.3f}, "
            f"{row['tokens'] / row['seconds']:.0f} tokens/s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def _exclusive(folder: Path):
    """Hold the folder's lock; a run that survived its killed parent is waited for."""
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


def _complete(checkpoint: Path) -> bool:
    try:
        return "global_step" in read_json(checkpoint / "trainer_state.json")
    except ValueError:
        return False


def _empty(folder: Path) -> None:
    """Remove everything but the lock, which this process holds."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _digest(pairs: dict[str, pd.Series]) -> str:
    """Hex sha256 of the training texts in their order."""
    lines = "\n".join(a + b for a, b in zip(pairs["prompt"], pairs["completion"], strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()
