"""Techniques by a model: ours against transformers one by one, as its documentation shows.

Gemma-3-270m in float32 on the same sentences in one run, in turns; medians. Writing (round trip,
paraphrase): `generate` with the whole prompt for each text, ended by its newline token. Scoring
(contextual): a forward pass for each sentence. Prints texts per second and how many results are
alike. It needs `results/` of a finished `make report`, or a folder with one as its argument.
"""

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import machine
import torch
from kensho.augment import hash_order, paraphrase, round_trip, sample_rng, shots
from kensho.augment.asking import Asked, Examples
from kensho.augment.contextual import by_sentence, proposals, slots
from kensho.augment.synonyms import inventory
from kensho.data.corpus import read_table
from kensho.files import write_json
from kensho.models.encoding import encode, start
from kensho.models.reference import base

RESULTS = Path(sys.argv[1] if sys.argv[1:] else Path(__file__).parents[1]) / "results"
TEXTS, SCORED, WORDS, THREADS, NEW, BLOCKS = 64, 96, 5000, 2, 48, 2


def compared(name: str, one_by_one: Callable[[], list], ours: Callable[[], list], same) -> None:
    """Both ways in turns, BLOCKS times; medians, and the range of the ratio."""
    seconds: dict[Callable, list[float]] = {one_by_one: [], ours: []}
    results = {}
    for _ in range(BLOCKS):
        for way, taken in seconds.items():
            begin = time.perf_counter()
            results[way] = way()
            taken.append(time.perf_counter() - begin)
    pairs = list(zip(results[one_by_one], results[ours], strict=True))
    slow, fast = (len(pairs) / median(taken) for taken in seconds.values())
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    alike = sum(same(a, b) for a, b in pairs)
    print(
        f"{name}: {slow:.2f} a second one by one, {fast:.2f} ours, {median(ratios):.1f} times as "
        f"fast ({min(ratios):.1f} to {max(ratios):.1f}); {alike} of {len(pairs)} alike",
        flush=True,
    )


@torch.inference_mode()
def generated(asked: Asked, texts: list[str], examples: Examples) -> list[str]:
    """One text at a time; ends at either of the tokens that end a line here."""
    ends = [asked.tokenizer.eos_token_id]
    ends += [asked.tokenizer.convert_tokens_to_ids(line) for line in ("\n", "\n\n")]
    answers = []
    for text in texts:
        ids = torch.tensor([encode(asked.tokenizer, examples.plain(text))])
        written = asked.model.generate(
            ids, max_new_tokens=NEW, do_sample=False, eos_token_id=[e for e in ends if e]
        )
        line = asked.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
        answers.append(line.strip().partition("\n")[0].strip())
    return answers


@torch.inference_mode()
def forward(asked: Asked, texts: list[str]) -> list[float]:
    scores = []
    for text in texts:
        ids = asked.tokenizer.encode(text, add_special_tokens=False)
        logits = (
            asked.model(torch.tensor([[start(asked.tokenizer), *ids]])).logits[0].log_softmax(-1)
        )
        scores.append(float(logits[range(len(ids)), ids].sum()))
    return scores


def main() -> None:
    torch.set_num_threads(THREADS)
    print(machine.describe())
    print(f"torch {torch.__version__}, transformers {version('transformers')}, float32, ", end="")
    print(f"{THREADS} threads, {TEXTS} texts written, {SCORED} scored")
    model = RESULTS / "models" / "gemma-3-270m.json"
    known = base(model).model_copy(update={"path": str(model.with_suffix(""))})
    local = Path("/tmp/gemma-3-270m.json")
    write_json(local, known.model_dump())
    asked = Asked(local, max_new_tokens=NEW, batch=32)
    train, test = (read_table(RESULTS / "data" / f"{name}.csv") for name in ("train", "test"))
    order = hash_order(0, "benchmark", train["id"])
    texts = sorted(set(train["ja"].iloc[order[:TEXTS]]))
    rest = train.iloc[order[TEXTS : TEXTS + WORDS]]  # examples and words, of which none is asked
    known_pairs = shots.translations(rest, test, seed=0, count=5)
    pairs = shots.paraphrases(rest, test, seed=0, count=5)
    tasks = {
        "round_trip, ja-en": round_trip._examples(("ja", "en"), known_pairs),
        "paraphrase": Examples(*paraphrase.LABELS, pairs),
    }
    asked.answers(texts[:2], tasks["paraphrase"])
    for name, examples in tasks.items():
        compared(
            name,
            lambda shot=examples: generated(asked, texts, shot),
            lambda shot=examples: [answer.text for answer in asked.answers(texts, shot)],
            lambda one, other: one == other,
        )
    words = slots(inventory(rest["ja"], grouped=False), 2)
    places = [
        (one.text, one.begin, one.begin + len(one.new))
        for text in texts
        for one in proposals(text, words, 8, sample_rng(0, "benchmark", text))
    ][:SCORED]
    compared(
        "contextual_causal, sentences scored",
        lambda: forward(asked, [text for text, _, _ in places]),
        lambda: by_sentence(asked)(places),
        lambda one, other: abs(one - other) < 0.01,
    )


if __name__ == "__main__":
    main()
