"""Tokens a second and peak memory of our trainings against TRL's and LLaMA-Factory's, in turns.

All train the same rows of a finished `make report` with equal steps, batch, rate and adapters, each
in a fresh process; the peers as their documentation sets them up: in bfloat16, and by their own
defaults for checkpointing. Rates leave out two steps and count the rows' tokens, not padding; peaks
are above what was resident before data and model were loaded, in the process that trains.
TRL is no dependency of the workflow. Where it is not installed: `pip install --no-deps --target
FOLDER trl==1.16.0 accelerate==1.15.0`, and FOLDER in PYTHONPATH. LLaMA-Factory needs older packages
than ours: LLAMAFACTORY is the python of an environment of its own, or is left out; then it is said
how to make one. TURNS=1 for one turn instead of five, CELLS=0 for the first cell alone,
PEERS=llamafactory (or trl) for one peer, TRL=float32 for both where the processor has no unit for
bfloat16: it then takes minutes for what float32 takes seconds for.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import machine
import numpy as np
import pandas as pd
import torch
from kensho.data.corpus import read_table
from kensho.data.prompt import completion, prompt
from kensho.files import write_json
from kensho.models.encoding import encode
from kensho.models.loading import compute_dtype, load, tokenizer_of
from kensho.models.reference import Reference
from kensho.train.likelihood import nll_per_character
from kensho.train.loop import WARMUP_STEPS, packed_loss
from kensho.train.methods import full, lora
from kensho.train.run import Training
from kensho.train.samples import encoded
from kensho.train.sft import asked, stage
from kensho.train.stage import draw
from kensho.train.targets import ATTENTION
from training_llamafactory import Clock, counted

RESULTS = Path(os.environ.get("RESULTS", "results"))
TURNS = int(os.environ.get("TURNS", "5"))
TRL = {"float32": {"bf16": False}, None: {}}[os.environ.get("TRL")]  # as given, or as documented
PEERS = {"trl": "TRL", "llamafactory": "LLaMA-Factory"}
PROGRAM = Path(__file__).with_name("training_llamafactory.py")
INSTALL = (
    "In an environment of its own, of Python 3.11: pip install torch==2.13.0 llamafactory==0.9.5 "
    "'transformers!=5.6.0'. Where torch has no CUDA and the packages beside it want it: pip "
    "uninstall torchvision, and remove torchaudio/lib/_torchaudio.so"
)
CELLS = [
    ("gemma-3-270m", "lora", 2e-3, 2.0),
    ("smollm2-135m-instruct", "lora", 2e-3, 1.5),
    ("smollm2-135m-instruct", "full", 2e-4, 1.5),
]  # and the ratio that is wanted to TRL
STEPS, BATCH, RANK, LENGTH, HELD_OUT = 10, 8, 8, 96, 48
METHODS = {"lora": lora.METHOD, "full": full.METHOD}
Trained = tuple[float, int, int, Path]  # tokens a second, bytes, learned tokens, model or adapter


def rows(seed: int) -> pd.DataFrame:
    return draw(read_table(RESULTS / "data/train.csv"), STEPS * BATCH, seed)


def told(command: list[str], **settings) -> list:
    """What the last line of a program says, in JSON."""
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def ours(model: str, method: str, rate: float, seed: int, folder: Path) -> Trained:
    own = {"rank": RANK, "targets": list(ATTENTION)} if method == "lora" else {}
    training = Training(
        **{"name": f"{model} {method}", "method": METHODS[method], "learning_rate": rate, **own},
        **{"steps": STEPS, "batch_size": BATCH, "max_length": LENGTH, "seed": seed},
        checkpoint_every=STEPS,
        dtype=compute_dtype("auto"),
    )
    base = Reference.of(RESULTS / "models" / model)
    steps, measured = stage(base, rows(seed), folder / "model", folder / "checkpoints", training)
    assert measured.tokens_per_second is not None
    learned = int(steps["learned"].sum())
    return measured.tokens_per_second, measured.peak_memory_bytes, learned, folder / "model"


def steady(seconds: list[float], lengths: list[int]) -> float:
    """Tokens a second behind the first steps, of rows in their order."""
    return sum(lengths[WARMUP_STEPS * BATCH : STEPS * BATCH]) / sum(seconds[WARMUP_STEPS:])


def trls(model: str, method: str, rate: float, seed: int, folder: Path) -> Trained:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    clock = Clock()
    table, tokenizer = rows(seed), tokenizer_of(RESULTS / "models" / model)
    pairs = {"prompt": table["en"].map(prompt), "completion": table["ja"].map(completion)}
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
    row = counted(trainer.train_dataset)
    order = list(iter(trainer._get_train_sampler()))  # seeded: as it will be in training
    trainer.train()
    trainer.save_model(str(folder / "model"))
    tokenizer.save_pretrained(folder / "model")
    speed = steady(clock.seconds(), [row[place][0] for place in order])
    return speed, clock.peak, sum(learned for _, learned in row), folder / "model"


def llamafactorys(model: str, method: str, rate: float, seed: int, folder: Path) -> Trained:
    """Rows in our order, by the template that adds nothing: their ends are part of the texts."""
    table, tokenizer = rows(seed), tokenizer_of(RESULTS / "models" / model)
    begins = encode(tokenizer, "English")[0] == tokenizer.bos_token_id
    begin, end = tokenizer.bos_token if begins else "", tokenizer.eos_token
    texts = zip(table["en"].map(prompt), table["ja"].map(completion), strict=True)
    pairs = [{"ask": begin + ask, "answer": answer + end} for ask, answer in texts]
    write_json(folder / "pairs.json", pairs)
    columns = {"prompt": "ask", "response": "answer"}
    info = {"pairs": {"file_name": "pairs.json", "columns": columns}}
    write_json(folder / "dataset_info.json", info)
    settings = {  # as in its examples/train_lora and examples/train_full
        "model_name_or_path": str((RESULTS / "models" / model).resolve()),
        **{"stage": "sft", "do_train": True, "finetuning_type": method},
        **{"lora_rank": RANK, "lora_target": ",".join(ATTENTION)},
        "lora_alpha": lora.METHOD.adapter(RANK, [*ATTENTION]).lora_alpha,
        **{"dataset_dir": str(folder), "dataset": "pairs", "cache_dir": str(folder / "cache")},
        **{"template": "empty", "cutoff_len": LENGTH, "disable_shuffling": True},
        **{"output_dir": str(folder / "model"), "report_to": "none", "disable_tqdm": True},
        **{"max_steps": STEPS, "per_device_train_batch_size": BATCH, "learning_rate": rate},
        **{"warmup_steps": 1, "seed": seed, "use_cpu": not torch.cuda.is_available()},
        **{"bf16": True} | TRL,
    }
    write_json(folder / "train.yaml", settings)  # JSON is YAML
    command = [os.environ["LLAMAFACTORY"], str(PROGRAM), str(folder / "train.yaml")]
    seconds, peak, row = told(command, env=apart())
    speed = steady(seconds, [tokens for tokens, _ in row])
    return speed, peak, sum(learned for _, learned in row), folder / "model"


def apart() -> dict[str, str]:
    """Environment variables without packages of ours, such as another TRL in PYTHONPATH."""
    return {**os.environ, "PYTHONPATH": str(PROGRAM.parents[1] / "workflow")}


def llamafactory_version() -> str | None:
    """What its python says; None where it has none, with how to install it printed."""
    python = os.environ.get("LLAMAFACTORY")
    if python is None:
        print(f"LLaMA-Factory is left out: LLAMAFACTORY names no python that has it. {INSTALL}")
        return None
    command = [python, str(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True, env=apart())
    if done.returncode:
        raise SystemExit(f"{done.stderr}LLAMAFACTORY={python} has no LLaMA-Factory. {INSTALL}")
    return done.stdout.strip()


def turn(engine: str, cell: int, seed: int) -> None:
    """One training by this process; prints rate, peak, NLL of held-out pairs, learned as JSON."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, method, rate, _ = CELLS[cell]
    with tempfile.TemporaryDirectory() as scratch:
        train = {"ours": ours, "trl": trls, "llamafactory": llamafactorys}[engine]
        speed, peak, learned, folder = train(model, method, rate, seed, Path(scratch))
        base = folder if method == "full" else RESULTS / "models" / model
        trained = load(base, torch.float32, *([folder] if method == "lora" else []))
        pairs = read_table(RESULTS / "data/test.csv").head(HELD_OUT)
        print(json.dumps([speed, peak, nll_per_character(*trained, asked(pairs)), learned]))


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


def compare(cell: int, peers: dict[str, str]) -> None:
    """Train by all engines in turns; print ours beside each peer."""
    model, method, _, wanted = CELLS[cell]
    seen: dict[str, list] = {engine: [] for engine in ("ours", *peers)}
    for seed in range(1, TURNS + 1):
        for engine in sorted(seen, reverse=seed % 2 == 0):
            seen[engine].append(told([sys.executable, __file__, engine, str(cell), str(seed)]))
    print(f"{model}, {method}")
    for engine, name in peers.items():
        speed, peak, nll, learned = np.array([seen["ours"], seen[engine]]).transpose(2, 0, 1)
        ratios, gap = np.exp(np.log(speed).mean(axis=1)), nll[0] - nll[1]
        one, other = learned.sum(axis=1).astype(int)
        print(
            f"  tokens/s         {ratios[0]:8.1f} {name} {ratios[1]:8.1f} "
            f"ratio {ratios[0] / ratios[1]:.2f}{f' (wanted {wanted})' if engine == 'trl' else ''}\n"
            f"  of each turn     {np.round(speed[0] / speed[1], 2).tolist()}\n"
            f"  peak MB          {peak[0].max() / 1e6:8.0f} {name} {peak[1].max() / 1e6:8.0f}\n"
            f"  learned tokens   {one:8d} {name} {other:8d}\n"
            f"  NLL/character    {nll[0].mean():8.4f} {name} {nll[1].mean():8.4f}; paired by seed "
            f"{gap.mean():+.4f}, between seeds {np.std(nll, axis=1).max():.4f}",
            flush=True,
        )
        if engine == "trl":
            one, other = equal_losses(cell)
            print(
                f"  loss in float32  {one:.7f} TRL {other:.7f}, apart {abs(one - other):.1e}",
                flush=True,
            )


def main() -> None:
    peers = {key: PEERS[key] for key in os.environ.get("PEERS", "trl llamafactory").split()}
    versions = [f"torch {version('torch')}"]
    if "trl" in peers:
        versions.append(f"trl {version('trl')}")
    if "llamafactory" in peers:
        if told_version := llamafactory_version():
            versions.append(told_version)
        else:
            del peers["llamafactory"]
    print(f"{machine.describe()}; {'; '.join(versions)}")
    print(
        f"{STEPS} steps of {BATCH} rows, {TURNS} turns; ours computes in {compute_dtype('auto')}, "
        f"the peers in {os.environ.get('TRL', 'bfloat16')}"
    )
    for cell in range(len(CELLS)):
        if str(cell) in os.environ.get("CELLS", "012"):
            compare(cell, peers)


if __name__ == "__main__":
    if sys.argv[1:]:
        turn(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
