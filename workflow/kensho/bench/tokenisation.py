"""R-7: characters per second of Japanese segmenters on one thread, and what they make of a text.

Vaporetto and KyTea read the same model file, trained here (`segmentation`). Every run is a
process of its own; loading and a first pass are recorded apart from the timed passes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kensho.bench.blocks import interleaved, observed
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.segmentation import kytea_format, pointwise
from kensho.bench.segmentation.characters import analyze_japanese_characteristics
from kensho.bench.segmentation.programs import PROGRAMS, installed, read_lines, unknown
from kensho.bench.segmentation.programs import run as run_program
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.files import read_json, write_json
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import Tokenisation as Settings

EXPERIMENT = "tokenisation"
MODEL_ARMS = ("vaporetto-words", "kytea-words")
REWRITTEN = "SudachiPy in Rust stands for the pure Python of the claim's time"
SAME = 0.99  # least share of sentences that must be cut as the model's definition says
UNITS = {
    "characters_per_second": "characters/s",
    "wall_seconds": "s",
    "load_seconds": "s",
    "warmup_seconds": "s",
}


def prepare(
    train: Sequence[str],
    test: Sequence[str],
    gold: Path | None,
    folder: Path,
    settings: Settings,
    seed: int,
) -> dict:
    """Train the model and write ``model.bin``, ``text.txt`` and ``record.json`` into a folder.

    The first ``sentences`` of ``train``, segmented by UniDic, teach the weights; the words of the
    next ``dictionary`` ones are its dictionary; the others and ``test`` are the text that is timed,
    joined to lines of at least ``line_characters``. The record says what was learnt and, for the
    held-out sentences and those of ``gold`` (CoNLL-U, UniDic short units), the right words and
    the words that the model finds by its definition.
    """
    unidic, taught_lines = PROGRAMS["fugashi"].load(folder), settings.sentences
    train, test = (
        [line for line in lines if line == "".join(line.split())] for lines in (train, test)
    )
    end = taught_lines + settings.dictionary
    began = time.perf_counter()
    taught = [unidic(line) for line in train[:taught_lines]]
    dictionary, others = train[taught_lines:end], train[end:]
    words = {word for line in dictionary for word in unidic(line)}
    model = pointwise.fit(taught, words, cost=settings.cost, seed=seed)
    seconds = time.perf_counter() - began
    sets = {"held-out-unidic": [unidic(line) for line in test]}
    if gold:
        sets["ud-gsd-test"] = pointwise.read_conllu(gold)
    lines = [""]
    for sentence in [*test, *others]:
        lines[-1] += sentence
        if len(lines[-1]) >= settings.line_characters:
            lines.append("")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(kytea_format.dumps(model))
    (folder / "text.txt").write_text("\n".join(lines).strip(), encoding="utf-8")
    read_lines(folder)  # refuses what a program cannot read
    record = {
        "sentences": len(taught),
        "characters": sum(len(word) for line in taught for word in line),
        "training_seconds": seconds,
        "grams": [len(grams) for grams in model.grams],
        "words": len(model.words),
        "cost": settings.cost,
        "seed": seed,
        "evaluation": {
            name: {"gold": right, "found": pointwise.segment(model, list(map("".join, right)))}
            for name, right in sets.items()
        },
    }
    write_json(folder / "record.json", record)
    return record


def observe(folder: Path, settings: Settings, run: Run) -> pd.DataFrame:
    """Observation table of every program that is installed.

    Per run ``characters_per_second`` over whole passes that take at least ``seconds``,
    ``wall_seconds`` of them, ``load_seconds`` and ``warmup_seconds``. Once, as they cannot vary:
    ``tokens_per_character`` and ``tokens_per_word`` (fertility, of UniDic's words) of each arm,
    ``f1`` and ``same_sentences`` of the two that read the model, shares of scripts of arm
    ``text``. Raises ValueError if a program does not cut as the model says.
    """
    facts = _agreement(folder)
    programs = installed()
    results = interleaved(
        {arm: partial(run_program, arm, folder, settings.seconds) for arm in programs},
        settings.blocks,
        run._replace(threads=1),
        preload=[pointwise.__name__, *sorted({one.package for one in programs.values()})],
    )
    facts += _counts(folder, results)
    text = "".join(read_lines(folder))
    facts += [
        _fact("text", "text", f"{script}_share", share, "share")
        for script, share in analyze_japanese_characteristics(text).items()
    ]
    timed = observed(EXPERIMENT, results, UNITS)
    return pd.concat([timed, table(facts)], ignore_index=True)


def _fact(arm: str, block: str, metric: str, value: float, unit: str) -> Row:
    """What does not vary, and is observed once."""
    return Row(EXPERIMENT, arm, block, 0, metric, value, unit)


def conditions(folder: Path, settings: Settings, run: Run) -> dict[str, dict]:
    """Conditions of each arm.

    The programs with dictionaries are what their claims speak of, which name no version, text or
    hardware; the model that Vaporetto and KyTea share is not the one of their claims, and a
    program that was rewritten since the claim was made is not the one it speaks of.
    """
    record, programs = read_json(folder / "record.json"), installed()
    lines = read_lines(folder)
    segmenter = {"name": "segmenter that was trained here", "weights": "other"}
    learnt = {key: value for key, value in record.items() if key != "evaluation"}
    packages = ["vaporetto", "kytea", "fugashi", "unidic-lite", "SudachiPy", "SudachiDict-core"]
    packages += ["ginza", "spacy", "budoux", "janome", "nagisa", "scikit-learn"]
    shared = {
        "dtype": "none",
        **run._replace(threads=1).timing(settings.blocks),
        "warmup": "one pass over the text, recorded like loading as a metric of its own",
        "fallbacks": [f"{arm}: not installed, left out" for arm in PROGRAMS if arm not in programs],
    }
    details = {
        "text": {"characters": sum(map(len, lines)), "lines": len(lines)},
        "least_seconds_of_a_run": settings.seconds,
        "versions": {name: number for name in packages if (number := _version(name))},
    }
    deviations = {
        "vaporetto": [
            "the model is trained here on Tatoeba sentences segmented by UniDic, smaller than "
            "those of the claims; no program analyses parts of speech",
            "programs are called from Python, line by line: one call that returns a string, or, "
            "with -words, a list of words",
        ],
        "mecab": [
            "libmecab through fugashi, one call per line that returns a string; its command line "
            "is not timed",
            "dictionary UniDic-lite (2013), for SudachiPy SudachiDict-core: not the same words",
        ],
    }
    by_arm = {}
    for arm in [*programs, "text"]:
        own = arm.startswith(("vaporetto", "kytea"))
        share = programs[arm].share if arm in programs else 1.0
        by_arm[arm] = {
            "ran": {
                "models": [segmenter] if own else [],
                "stand_ins": [REWRITTEN] if arm.startswith("sudachipy") else [],
            },
            "deviations": deviations["vaporetto" if own else "mecab"],
            "own": details | {"share_of_text": share} | ({"model": learnt} if own else {}),
            **shared,
        }
    return by_arm


def _counts(folder: Path, results: Sequence[Mapping]) -> list[Row]:
    """Tokens per character and per word of UniDic, and unknown words; the same in every run."""
    facts: list[Row] = []
    mecab = PROGRAMS["mecab"]
    split = mecab.load(folder)
    tokens = pd.DataFrame(results).groupby("arm")["tokens"].agg(["min", "max"])
    for arm, (least, most) in tokens.iterrows():
        if least != most:
            raise ValueError(f"tokenisation: {arm} cuts one text into {least} and {most} tokens")
        lines = read_lines(folder, PROGRAMS[arm].share)
        words, length = sum(mecab.count(split(line)) for line in lines), sum(map(len, lines))
        facts += [
            _fact(arm, "text", "tokens_per_character", most / length, "tokens/character"),
            _fact(arm, "text", "tokens_per_word", most / words, "tokens/UniDic word"),
        ]
    return facts + [
        _fact(arm, "text", "unknown_share", share, "share of tokens")
        for arm, share in unknown(read_lines(folder)).items()
    ]


def _agreement(folder: Path) -> list[Row]:
    """F1 of the two programs that read the model, and the share of sentences cut as it says."""
    facts = []
    for arm in MODEL_ARMS:
        if arm not in installed():
            continue
        split = PROGRAMS[arm].load(folder / "model.bin")
        for name, words in read_json(folder / "record.json")["evaluation"].items():
            gold, expected = words["gold"], words["found"]
            cut = [split("".join(line)) for line in gold]
            same = sum(map(list.__eq__, cut, expected)) / len(cut)
            if same < SAME:
                share = f"{arm} cuts only {same:.1%} of the sentences of {name} as the model says"
                raise ValueError(f"tokenisation: {share}")
            facts.append(_fact(arm, name, "same_sentences", same, "share"))
            facts.append(_fact(arm, name, "f1", pointwise.f1(gold, cut), "share"))
    return facts


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def prepared(inputs: Inputs, settings: Settings, run: Run, outputs: Mapping[str, Path]) -> None:
    """The model and the text that all programs cut."""
    train, test = (read_table(inputs[name])["ja"].tolist() for name in ("train", "test"))
    gold = [fetched(record)[0] for record in inputs["gold"]]
    folder = outputs["model"].parent
    prepare(train, test, gold[0] if gold else None, folder, settings, run.seed)


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms whose program is installed, each with conditions of its own."""
    folder = inputs["model"].parent
    table = observe(folder, settings, run)
    by_arm = conditions(folder, settings, run)
    return [(rows, by_arm[str(arm)]) for arm, rows in table.groupby("arm")]
