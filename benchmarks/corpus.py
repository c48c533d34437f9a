"""A million synthetic documents through `snakemake corpora`: seconds, peak memory, and a kill.

The documents are made of real sentences: books of Aozora Bunko, Natsume's cat and leads of
Wikipedia are cut at their full stops, and a document is two to eight sentences drawn at random.
Texts recombined like this mean nothing, and say nothing of the quality of a real corpus. A
twentieth of the documents repeats an earlier one, a twentieth another with a character changed,
and a few rows are spoilt. The corpus is made twice in folders of their own: undisturbed, and killed
(SIGKILL, with its jobs) when half of its shards are there, then resumed. All its files must be
equal byte for byte. Needs the mirror (KENSHO_MIRROR).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import machine
import pandas as pd
import yaml
from kensho.data import published
from kensho.files import sha256

ROOT = Path(__file__).parents[1]
CODE = ("Snakefile", "rules", "workflow", "config", "envs", "profiles", "resources", "local")
CODE += ("requirements.lock",)
DOCUMENTS, SHARDS, SEED = int(os.environ.get("DOCUMENTS", 1_000_000)), 8, 1
LENGTHS = (*[2, 3] * 4, 8)  # sentences of a document
LIMIT_MB = 2000  # of each process
CAT = "wagahai/tests/data/wagahaiwa_nekodearu.txt"
COMMAND = [sys.executable, "-m", "snakemake", "--profile", "local", "--quiet", "all"]
COMMAND += ["--configfile", "own.yaml", "--", "corpora"]


def sentences(mirror: Path) -> list[str]:
    """Distinct sentences of 10 to 60 characters, each with its full stop."""
    texts = [(mirror / CAT).read_text(encoding="utf-8")]
    for book in sorted(mirror.glob("aozora/cards/*/files/*/*.txt")):
        texts += [row.text for row in published.aozora(book)]
    archive = mirror / "wikipedia-annotated-corpus/org.tar.gz"
    texts += [row.text for row in published.wikipedia_annotated(archive)]
    sentences = (
        part.strip("　「」 ") for text in texts for part in text.replace("\n", "").split("。")
    )
    return [f"{part}。" for part in dict.fromkeys(sentences) if 10 <= len(part) <= 60]


def documents(pool: list[str], count: int) -> Iterator[bytes]:
    """Lines of the corpus."""
    rng, earlier = random.Random(SEED), []
    for number in range(count):
        text = "".join(rng.choice(pool) for _ in range(rng.choice(LENGTHS)))
        chance = rng.random()
        if earlier and chance < 0.05:
            text = rng.choice(earlier)
        elif earlier and chance < 0.10:
            place = rng.randrange(len(text := rng.choice(earlier)))
            text = f"{text[:place]}々{text[place + 1 :]}"
        if len(earlier) < 100_000:
            earlier.append(text)
        record = {"id": f"d{number}", "text": text, "score": rng.random() if chance < 0.9 else None}
        line = json.dumps(record, ensure_ascii=False).encode()
        yield line if chance < 0.9999 else line[: len(line) // 2]


def prepare(folder: Path, corpus: Path) -> None:
    for name in CODE:
        source = ROOT / name
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name, follow_symlinks=False)
    fields = {"text": "text", "document": "id", "numbers": ["score"]}
    own = {"path": str(corpus), "licence_class": "by-sa", "fields": fields}
    settings = {"make": ["million"], "shards": SHARDS, "own": {"million": own}}
    (folder / "own.yaml").write_text(yaml.safe_dump({"corpora": settings}), encoding="utf-8")


def run(folder: Path, kill_at: int | None = None) -> float:
    """Seconds of a run; it is killed when so many shards are there."""
    began = time.perf_counter()
    with open(folder / "said.log", "ab") as printed:
        process = subprocess.Popen(
            COMMAND, cwd=folder, stdout=printed, stderr=printed, start_new_session=True
        )
        while process.poll() is None:
            done = [*folder.glob("results/data/million/shards/*/sketches.npy")]
            if kill_at is not None and len(done) >= kill_at:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.5)
    if process.returncode and kill_at is None:
        sys.exit((folder / "said.log").read_text(encoding="utf-8")[-3000:])
    return time.perf_counter() - began


def hashes(folder: Path) -> dict[str, str]:
    results = folder / "results/data/million"
    files = sorted(path for path in results.rglob("*") if path.is_file())
    return {str(path.relative_to(results)): sha256(path) for path in files}


def show(folder: Path) -> float:
    """Print seconds, processor seconds and peak memory of the jobs; returns the highest peak."""
    highest = 0.0
    for rule in sorted((folder / "logs/benchmarks").glob("corpus_*")):
        table = pd.concat(pd.read_csv(path, sep="\t") for path in rule.glob("million*.tsv"))
        peak = float(table["max_rss"].max())
        highest = max(highest, peak)
        print(
            f"{rule.name:18} {len(table):2} jobs {table['s'].sum():7.0f} s, "
            f"{table['cpu_time'].sum():7.0f} s of a core, peak {peak:6.0f} MB"
        )
    return highest


def main() -> None:
    mirror = Path(os.environ.get("KENSHO_MIRROR", ""))
    if not (mirror / CAT).is_file():
        sys.exit("the texts come from a mirror: set KENSHO_MIRROR")
    print(machine.describe())
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        corpus = Path(scratch, "million.jsonl")
        pool = sentences(mirror)
        with open(corpus, "wb") as file:
            file.writelines(line + b"\n" for line in documents(pool, DOCUMENTS))
        size = corpus.stat().st_size / 1e6
        print(f"{DOCUMENTS:,} documents of {len(pool):,} sentences, {size:.0f} MB, {SHARDS} shards")
        calm, killed = Path(scratch, "calm"), Path(scratch, "killed")
        for folder in (calm, killed):
            folder.mkdir()
            prepare(folder, corpus)
        print(f"undisturbed: {run(calm):.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        highest = show(calm)
        table = pd.read_csv(calm / "results/data/million/quality.csv")
        for line in table[table["section"].str.match("rows|dropped|missing")].itertuples():
            print(f"  {line.section}: {line.name}, {line.statistic}: {line.value:g}")
        print(f"highest peak {highest:.0f} MB, limit {LIMIT_MB} MB", flush=True)
        first = run(killed, kill_at=SHARDS // 2)
        there = len([*killed.glob("results/data/million/shards/*/sketches.npy")])
        print(f"killed after {first:.0f} s with {there} shards; resumed: {run(killed):.0f} s")
        one, other = hashes(calm), hashes(killed)
        unlike = [name for name in one | other if one.get(name) != other.get(name)]
        print(f"{len(one)} files, {len(unlike)} of them differ {unlike[:5]}")
    if highest > LIMIT_MB or unlike:
        sys.exit(1)


if __name__ == "__main__":
    main()
