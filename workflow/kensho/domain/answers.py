"""One model of the study: adapted by the common recipe, merged, put into formats, and asked.

What a format lacks (llama.cpp, rows that its blocks divide) leaves its arm without answers, and the
conditions say why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from kensho.bench.blocks import interleaved
from kensho.bench.run import Run
from kensho.data import corpus
from kensho.domain import serving
from kensho.domain.arms import ANSWERS, SIZES, UNITS, forms
from kensho.evaluate.journal import digest
from kensho.evaluate.thinking import without_thinking
from kensho.files import read_json
from kensho.jlce.preference import imitations
from kensho.judging.items import Item
from kensho.models.loading import compute_dtype, device, tokenizer_of
from kensho.models.reference import WEIGHTS, Base, Reference
from kensho.observations import Row
from kensho.train import merge, quantise, sft
from kensho.train.methods import lora
from kensho.train.run import Training
from kensho.train.targets import ATTENTION, LATENT, MODULES

if TYPE_CHECKING:
    from kensho.domain.settings import Domain

LONGEST = 6 * 3600  # seconds of all answers of one arm
WITHOUT_AMX = "llama.cpp answers without its kernels for AMX, which can end in a segmentation fault"
STAND_IN = "translations of everyday sentences stand for the source's questions of one domain"


class Answered(NamedTuple):
    """Answers of one model: ``written`` (columns arm, block, answer, answer_sha256), observations,
    what kept arms from answering, and of those by llama.cpp what it says of itself."""

    written: pd.DataFrame
    rows: list[Row]
    absent: dict[str, str]
    llama_cpp: dict[str, dict]
    attention: str


def attention(folder: Path) -> str:
    """Kind of a model's attention, one of `ATTENTIONS`, by its configuration."""
    config = read_json(folder / "config.json")
    if config.get("kv_lora_rank"):
        return "mla"
    heads = config["num_attention_heads"]
    groups = config.get("num_key_value_heads") or heads
    return "mha" if groups == heads else "mqa" if groups == 1 else "gqa"


def adapted(
    name: str, base: Base, samples: pd.DataFrame, settings: Domain, folder: Path, seed: int
) -> Path:
    """Folder of the base with an adapter of its attention learnt on ``samples`` (en, ja), merged.

    The recipe of every model: as many steps on the same samples in one order of the seed.
    """
    model_type = read_json(base.folder / "config.json")["model_type"]
    training = Training(
        name=f"domain {name}",
        method=lora.METHOD,
        rank=settings.rank,
        targets=[one for one in MODULES.get(model_type, ATTENTION) if one in {*ATTENTION, *LATENT}],
        learning_rate=settings.learning_rate,
        steps=settings.steps,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        checkpoint_every=settings.steps,
        dtype=compute_dtype("auto"),
        seed=seed,
        chat=base.chat,
    )
    begun, adapter = Reference.of_base(base), folder / "adapter"
    _, measured = sft.stage(begun, samples, adapter, folder / "training", training)
    held = {"weights": measured.weights, "compute": measured.dtype}
    trained = begun.trained(adapter, lora.METHOD.name, **held)
    merge.stage(trained, pd.DataFrame(), folder / "merged", folder / "merging", training)
    return folder / "merged"


def answered(
    name: str, folder: Path, items: Sequence[Item], *, chat: bool, most: int, run: Run
) -> Answered:
    """Answers of the model of a folder in every format, each arm in a process of its own.

    Observed of an arm are seconds and tokens of each answer, bytes of its file and of its process,
    and how many answers there are, which is 0 of one that ``absent`` names.
    """
    tokenizer = tokenizer_of(folder)
    questions = serving.asked(tokenizer, [item.prompt for item in items], chat=chat, most=most)
    absent: dict[str, str] = {}
    arms, bytes_of = dict[str, Callable[[], dict]](), dict[str, int]()
    for arm, form in forms(name).items():
        if not form:
            bytes_of[arm] = sum(path.stat().st_size for path in folder.glob(WEIGHTS))
            arms[arm] = partial(serving.by_transformers, folder, questions, run.threads)
            continue
        file = run.folder / f"{form}.gguf"
        try:
            quantise.write(folder, form, file, arm, run.threads)
        except ValueError as error:
            absent[arm] = str(error)
            continue
        bytes_of[arm] = file.stat().st_size
        arms[arm] = partial(serving.by_llama_cpp, file, questions, run.threads)
    written, rows, of_itself = [], [], {}
    for result in interleaved(arms, 1, run, preload=serving.PRELOAD, timeout=LONGEST):
        arm = result["arm"]
        if why := result.get("refused"):
            absent[arm] = f"{arm}: {why}"
            continue
        for item, tokens, seconds in zip(items, result["tokens"], result["seconds"], strict=True):
            whole = str(tokenizer.decode(tokens, skip_special_tokens=True))
            text = without_thinking(whole)[0].strip()
            written.append((arm, item.block, text, digest(text)))
            for metric, value in (("seconds", seconds), ("tokens", len(tokens))):
                rows.append(Row(ANSWERS, arm, item.block, 0, metric, value, UNITS[metric]))
        if "system" in result:
            of_itself[arm] = {key: result[key] for key in ("system", "without_amx")}
        sizes = bytes_of[arm], result["peak_memory_bytes"]
        for metric, value in zip(SIZES, sizes, strict=True):
            rows.append(Row(ANSWERS, arm, "all", 0, metric, value, SIZES[metric]))
    for arm in forms(name):
        count = sum(one == arm for one, *_ in written)
        rows.append(Row(ANSWERS, arm, "all", 0, "answers", count, "answers"))
    table = pd.DataFrame(written, columns=["arm", "block", "answer", "answer_sha256"])
    return Answered(table, rows, absent, of_itself, attention(folder))


def conditions(
    name: str,
    base: Base,
    made: Answered,
    tables: Mapping[str, tuple[Path, int]],
    settings: Domain,
    run: Run,
) -> Iterator[tuple[str, dict]]:
    """Of each arm: what ran; ``tables`` are files by what they are for, and rows that were used."""
    dtype = str(compute_dtype("auto")).removeprefix("torch.")
    data = [corpus.ran(path, items) | {"name": of} for of, (path, items) in tables.items()]
    for arm, form in forms(name).items():
        own = made.written.loc[made.written["arm"] == arm, "answer"]
        why, llama_cpp = made.absent.get(arm), made.llama_cpp.get(arm, {})
        yield (
            arm,
            {
                "ran": {"models": [base.ran()], "data": data, "stand_ins": [STAND_IN]},
                "dtype": "llama.cpp's own" if form else dtype,
                "weights": form or dtype,
                "device": "as llama.cpp was built" if form else device(),
                "items": settings.items,
                "models": {base.name: base.described()},
                "seeds": [run.seed],
                "threads": run.threads,
                "warmup": "one answer per process, not recorded; loading is not timed",
                "absent": dict.fromkeys((*UNITS, *SIZES), why) if why else {},
                "fallbacks": [],
                "deviations": [
                    STAND_IN,
                    "one training of one seed stands for each model",
                    *([] if form else ["the file holds float32, as adapters are merged"]),
                    *([WITHOUT_AMX] if llama_cpp.get("without_amx") else []),
                    *imitations(arm, own),
                ],
                "own": {
                    "attention": made.attention,
                    "format": form or "safetensors",
                    "engine": "llama.cpp" if form else "transformers",
                    "llama_cpp": llama_cpp,
                    "recipe": dict(vars(settings)),
                },
            },
        )
