"""Tokens a second and peak memory of our trainings against TRL's SFTTrainer, in turns.

Both train the same rows of a finished `make report` with equal steps, batch, rate and adapters,
each in a fresh process; TRL as its documentation sets SFTTrainer up, so by its own defaults for
precision and checkpointing. Rates leave out two steps and count the rows' tokens, not padding.
TRL is no dependency of the workflow. Where it is not installed: `pip install --no-deps --target
FOLDER trl==1.16.0 accelerate==1.15.0`, and FOLDER in PYTHONPATH. TURNS=1 for one turn instead of
five, CELLS=0 for the first cell alone, TRL=float32 where the processor has no unit for bfloat16:
TRL's default then takes minutes for what float32 takes seconds for.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import machine
import numpy as np
import pandas as pd
import torch
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt
from kensho.models.loading import compute_dtype, load, tokenizer_of
from kensho.models.reference import Reference
from kensho.train.likelihood import nll_per_character
from kensho.train.loop import packed_loss
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.methods import full, lora
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.sft import asked, stage
from kensho.train.stage import WARMUP_STEPS, draw
from kensho.train.targets import ATTENTION

RESULTS = Path(os.environ.get("RESULTS", "results"))
TURNS = int(os.environ.get("TURNS", "5"))
TRL = {"float32": {"bf16": False}, None: {}}[os.environ.get("TRL")]  # as given, or by its default
CELLS = [
    ("gemma-3-270m", "lora", 2e-3, 2.0),
    ("smollm2-135m-instruct", "lora", 2e-3, 1.5),
    ("smollm2-135m-instruct", "full", 2e-4, 1.5),
]  # and the ratio that is wanted
STEPS, BATCH, RANK, LENGTH, HELD_OUT = 10, 8, 8, 96, 48
METHODS = {"lora": lora.METHOD, "full": full.METHOD}


def rows(seed: int) -> pd.DataFrame:
    return draw(read_table(RESULTS / "data/train.csv"), STEPS * BATCH, seed)


def ours(model: str, method: str, rate: float, seed: int, folder: Path) -> tuple[float, int, Path]:
    own = {"rank": RANK, "targets": list(ATTENTION)} if method == "lora" else {}
    training = Training(
        **{"name": f"{model} {method}", "method": METHODS[method], "learning_rate": rate, **own},
        **{"steps": STEPS, "batch_size": BATCH, "max_length": LENGTH, "seed": seed},
        checkpoint_every=STEPS,
        dtype=compute_dtype("auto"),
    )
    base = Reference.of(RESULTS / "models" / model)
    _, measured = stage(base, rows(seed), folder / "model", folder / "checkpoints", training)
    assert measured.tokens_per_second is not None
    return measured.tokens_per_second, measured.peak_memory_bytes, folder / "model"


def trls(model: str, method: str, rate: float, seed: int, folder: Path) -> tuple[float, int, Path]:
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        def __init__(self):
            self.times: list[float] = []

        def on_step_begin(self, *_, **__):
            self.times.append(time.perf_counter())

        def on_step_end(self, *_, **__):
            self.times.append(time.perf_counter())

    before = 0 if torch.cuda.is_available() else resident_bytes()
    table, tokenizer = rows(seed), tokenizer_of(RESULTS / "models" / model)
    pairs = {"prompt": table["en"].map(prompt), "completion": table["ja"].map(completion)}
    clock = Clock()
    trainer = SFTTrainer(
        model=str(RESULTS / "models" / model),
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({side: list(texts) for side, texts in pairs.items()}),
        peft_config=lora.METHOD.adapter(RANK, [*ATTENTION]) if method == "lora" else None,
        args=SFTConfig(
            output_dir=str(folder),
            use_cpu=not torch.cuda.is_available(),
            max_steps=STEPS,
            per_device_train_batch_size=BATCH,
            learning_rate=rate,
            max_length=LENGTH,
            warmup_steps=1,
            report_to="none",
            disable_tqdm=True,
            seed=seed,
            **TRL,
        ),
        callbacks=[clock],
    )
    lengths = [len(row["input_ids"]) for row in trainer.train_dataset]
    order = list(iter(trainer._get_train_sampler()))  # seeded: as it will be in training
    reset_peak()
    trainer.train()
    peak = peak_bytes() - before
    trainer.save_model(str(folder / "model"))
    tokenizer.save_pretrained(folder / "model")
    begun, ended = clock.times[0::2], clock.times[1::2]
    seconds = sum(e - b for b, e in zip(begun, ended, strict=True) if b >= begun[WARMUP_STEPS])
    tokens = sum(lengths[index] for index in order[WARMUP_STEPS * BATCH : STEPS * BATCH])
    return tokens / seconds, peak, folder / "model"


def turn(engine: str, cell: int, seed: int) -> None:
    """One training in this process; prints rate, peak and NLL of held-out pairs as JSON."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, method, rate, _ = CELLS[cell]
    with tempfile.TemporaryDirectory() as scratch:
        train = {"ours": ours, "trl": trls}[engine]
        speed, peak, folder = train(model, method, rate, seed, Path(scratch))
        base = folder if method == "full" else RESULTS / "models" / model
        trained = load(base, torch.float32, *([folder] if method == "lora" else []))
        pairs = read_table(RESULTS / "data/test.csv").head(HELD_OUT)
        print(json.dumps([speed, peak, nll_per_character(*trained, asked(pairs))]))


def equal_losses(cell: int) -> tuple[float, float]:
    """Loss of one batch by us and by TRL, equal weights in float32."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    folder = RESULTS / "models" / CELLS[cell][0]
    model, tokenizer = load(folder, torch.float32)
    pairs = rows(1).head(BATCH)
    texts = zip(pairs["en"].map(prompt), pairs["ja"].map(completion), strict=True)
    batch = [encoded(tokenizer, *pair, chat=False) for pair in texts]
    learned = sum(label != -100 for row in batch for label in row["labels"][1:])
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        settings = SFTConfig(scratch, use_cpu=True, bf16=False, report_to="none")
        trainer = SFTTrainer(
            model,
            settings,
            train_dataset=Dataset.from_list(batch),
            processing_class=tokenizer,
        )
        inputs = trainer.data_collator([dict(row) for row in trainer.train_dataset])
        theirs = trainer.compute_loss(model.train(), inputs).item()
        return packed_loss(model, batch).item() / learned, theirs


def main() -> None:
    print(f"{machine.describe()}; torch {version('torch')}, trl {version('trl')}")
    print(
        f"{STEPS} steps of {BATCH} rows, {TURNS} turns; ours computes in {compute_dtype('auto')}, "
        f"TRL in {os.environ.get('TRL', 'its default, bfloat16')}"
    )
    for cell, (model, method, _, wanted) in enumerate(CELLS):
        if str(cell) not in os.environ.get("CELLS", "012"):
            continue
        seen: dict[str, list] = {"ours": [], "trl": []}
        for seed in range(1, TURNS + 1):
            for engine in sorted(seen, reverse=seed % 2 == 0):
                command = [sys.executable, __file__, engine, str(cell), str(seed)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(done.stderr)
                seen[engine].append(json.loads(done.stdout.splitlines()[-1]))
        speed, peak, nll = np.array([seen["ours"], seen["trl"]]).transpose(2, 0, 1)
        ratios, gap = np.exp(np.log(speed).mean(axis=1)), nll[0] - nll[1]
        one, other = equal_losses(cell)
        print(
            f"{model}, {method}\n"
            f"  tokens/s         {ratios[0]:8.1f} TRL {ratios[1]:8.1f} "
            f"ratio {ratios[0] / ratios[1]:.2f} (wanted {wanted})\n"
            f"  of each turn     {np.round(speed[0] / speed[1], 2).tolist()}\n"
            f"  peak MB          {peak[0].max() / 1e6:8.0f} TRL {peak[1].max() / 1e6:8.0f}\n"
            f"  NLL/character    {nll[0].mean():8.4f} TRL {nll[1].mean():8.4f}; paired by seed "
            f"{gap.mean():+.4f}, between seeds {np.std(nll, axis=1).max():.4f}\n"
            f"  loss in float32  {one:.7f} TRL {other:.7f}, apart {abs(one - other):.1e}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        turn(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
