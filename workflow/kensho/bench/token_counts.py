"""F-3 and R-2: tokens that published tokenizers spend on parallel Japanese and English text.

Every tokenizer encodes each sentence of both sides alone and without special tokens. Counts are
deterministic; the ratio belongs to the tokenizer and to the text.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from kensho.bench.run import Inputs, Observed, Run
from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.models import reference
from kensho.models.tokenizers import TextTokenizer, load
from kensho.observations import Row, table

EXPERIMENT = "token_counts"
CORPUS = "corpus"  # block of the totals
SIDES = ("ja", "en")


def observe(paths: Mapping[str, Path], pairs: pd.DataFrame) -> pd.DataFrame:
    """Observation table of tokenizers by arm on sentences with columns id, ja and en.

    Per sentence (block = its id) and side: ``tokens_*``, ``characters_*``, and ``restored_*``, 1
    where decoding gives the sentence back: a tokenizer that maps what it does not know to one
    unknown token counts few tokens because it loses text. In block ``corpus`` the totals
    ``corpus_tokens_*`` and ``corpus_characters_*``, and ``vocabulary``.
    Raises ValueError where a count cannot be: no token, or more than the bytes of a restored text
    (and one for the start of the sentence).
    """
    return table(row for arm, path in paths.items() for row in _arm(arm, load(path), pairs))


def _arm(arm: str, tokenizer: TextTokenizer, pairs: pd.DataFrame) -> Iterator[Row]:
    def row(block: str, metric: str, value: int, unit: str) -> Row:
        return Row(EXPERIMENT, arm, block, 0, metric, value, unit)

    for side in SIDES:
        tokens = characters = 0
        for sentence in pairs[["id", side]].itertuples(index=False):
            text = sentence[1]
            ids = tokenizer.encode(text)
            restored = tokenizer.decode(ids) == text
            if not ids or (restored and len(ids) > len(text.encode()) + 1):
                raise ValueError(f"{arm}: {len(ids)} tokens for '{text}'")
            tokens, characters = tokens + len(ids), characters + len(text)
            block = f"sentence-{sentence.id}"
            yield row(block, f"tokens_{side}", len(ids), "tokens")
            yield row(block, f"characters_{side}", len(text), "characters")
            yield row(block, f"restored_{side}", int(restored), "share")
        yield row(CORPUS, f"corpus_tokens_{side}", tokens, "tokens")
        yield row(CORPUS, f"corpus_characters_{side}", characters, "characters")
    yield row(CORPUS, "vocabulary", tokenizer.size, "tokens")


def conditions(*, sentences: int, left_out: Mapping[str, str]) -> dict:
    """The claims name no text, so it is said here which was counted.

    ``left_out``: why each tokenizer of the configuration that was not observed is missing.
    """
    return {
        "ran": {"models": [], "follows_from": "tokenizer and text"},
        "dtype": "none: counts",
        "warmup": "none: a count does not depend on time",
        "own": {"sentences": sentences},
        "fallbacks": [f"{arm} left out: {reason}" for arm, reason in left_out.items()],
        "deviations": [
            "short everyday sentences (Tatoeba), each encoded alone without special tokens; "
            "longer text spends relatively fewer tokens on sentence starts"
        ],
    }


def files(inputs: Inputs) -> dict[str, Path]:
    """Files of tokenizers by arm. Raises ValueError for one that could not be fetched after all."""
    models = map(reference.base, inputs["models"])
    paths = {model.name: _of_model(model.folder) for model in models}
    for record in inputs["records"]:
        path, source = fetched(record)
        if path is None:
            raise ValueError(source["reason"])
        paths[source["name"]] = path
    return paths


def _of_model(folder: Path) -> Path:
    pieces = folder / "tokenizer.model"  # some models are published with no other file
    path = folder / "tokenizer.json"
    return pieces if pieces.is_file() and not path.is_file() else path


def experiment(inputs: Inputs, settings: object, run: Run) -> Observed:
    """All tokenizers. Raises ValueError for one that could not be fetched after all."""
    pairs = read_table(inputs["pairs"])
    observed = observe(files(inputs), pairs)
    return [(observed, conditions(sentences=len(pairs), left_out=run.left_out))]
