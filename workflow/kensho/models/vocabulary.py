"""Japanese tokens for a model that has few: the vocabulary is expanded, then the embeddings.

The way of Swallow (Fujii et al. 2024, arXiv 2404.17790, section 3): pieces learnt on Japanese text
are appended to the vocabulary, and each new embedding is the mean of the embeddings of the tokens
that used to stand for the piece. Swallow's pieces come from SentencePiece on segmented text. Here
they are of the base's own kind: byte-pair merges on top of its own, so that every old encoding step
stays as it was, or pieces of a unigram language model (Kudo 2018, arXiv 1804.10959).
"""

import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import cast

import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, models, trainers
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from kensho.models.loading import require_finite

JAPANESE = re.compile(r"[\u3001-\u303f\u3041-\u30ff\u4e00-\u9fff\uff01-\uffee]+")
STAND_INS = 0x20000  # first of the characters that stand for base tokens while merges are learnt
SPECIAL = 3  # first pieces of SentencePiece: unknown, begin and end
TOKENIZER = "tokenizer.json"


def expand(tokenizer: dict, texts: Iterable[str], count: int) -> dict:
    """The content of a tokenizer.json with ``count`` new tokens behind those it has.

    They are learnt on Japanese characters alone, so text without such characters is encoded as
    before. Raises ValueError if the tokenizer is neither a byte-pair encoding nor a unigram model,
    or if the texts do not repeat enough for so many tokens.
    """
    kinds = {"BPE": _with_merges, "Unigram": _with_pieces}
    if (kind := tokenizer["model"]["type"]) not in kinds:
        raise ValueError(f"a {kind} tokenizer, neither BPE nor Unigram; take another model")
    return {**tokenizer, "model": kinds[kind](tokenizer, texts, count)}


def _with_merges(tokenizer: dict, texts: Iterable[str], count: int) -> dict:
    """Merges learnt where the base's pre-tokenizer gives words of Japanese characters alone."""
    base = Tokenizer.from_str(json.dumps(tokenizer))
    vocabulary = dict(tokenizer["model"]["vocab"])
    named = {index: token for token, index in base.get_vocab().items()}
    learnt = trainers.BpeTrainer(vocab_size=len(named) + 2 * count, show_progress=False)
    learner = Tokenizer(models.BPE())
    learner.train_from_iterator(_japanese_words(base, texts), learnt)
    merges = list(map(tuple, tokenizer["model"]["merges"]))
    known, following = set(merges), max(named) + 1
    last = following + count
    for pair in json.loads(learner.to_str())["model"]["merges"]:
        pair = tuple("".join(named[ord(c) - STAND_INS] for c in side) for side in pair)
        if following == last:
            break
        if pair not in known:
            known.add(pair)
            merges.append(pair)
        if (token := "".join(pair)) not in vocabulary:
            vocabulary[token] = following
            following += 1
    _require(count - (last - following), count)
    return {**tokenizer["model"], "vocab": vocabulary, "merges": list(map(list, merges))}


def _with_pieces(tokenizer: dict, texts: Iterable[str], count: int) -> dict:
    """The likeliest pieces of SentencePiece on runs of Japanese characters, with its scores.

    Scores are log-probabilities among Japanese pieces, so a new piece is likelier than the old ones
    that spell it.
    """
    vocabulary = tokenizer["model"]["vocab"]
    known = {piece for piece, _ in vocabulary}
    if max((token["id"] for token in tokenizer["added_tokens"]), default=0) >= len(vocabulary):
        raise ValueError("tokens lie behind the unigram model's own; take another model")
    runs = [run for text in texts for run in JAPANESE.findall(text)]
    written, characters = io.BytesIO(), len({*"".join(runs)})
    if not characters:
        _require(0, count)
    SentencePieceTrainer.train(
        sentence_iterator=iter(runs),
        model_writer=written,
        model_type="unigram",
        vocab_size=characters + 2 * count + SPECIAL,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        max_sentence_length=1 << 20,  # bytes; longer ones would be passed over
        num_threads=1,  # several sum in another order each time
        minloglevel=2,
    )
    learnt = SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [(learnt.id_to_piece(i), learnt.get_score(i)) for i in range(SPECIAL, len(learnt))]
    new = [[piece, score] for piece, score in pieces if piece not in known][:count]
    _require(len(new), count)
    return {**tokenizer["model"], "vocab": [*vocabulary, *new]}


def _require(made: int, count: int) -> None:
    if made < count:
        raise ValueError(
            f"the texts give only {made} of {count} tokens; lower pieces or add training samples"
        )


def _japanese_words(base: Tokenizer, texts: Iterable[str]) -> Iterator[str]:
    """Japanese words of the texts, a stand-in character for each token that the base gives."""
    for text in texts:
        encoded = base.encode(text, add_special_tokens=False)
        tokens = zip(encoded.word_ids, encoded.ids, encoded.offsets, strict=True)
        for _, word in groupby(tokens, key=lambda token: token[0]):
            _, ids, places = zip(*word, strict=True)
            if JAPANESE.fullmatch(text[places[0][0] : places[-1][1]]):
                yield "".join(chr(STAND_INS + index) for index in ids)


@torch.no_grad()
def resize(model: PreTrainedModel, old: Tokenizer, new: Tokenizer) -> None:
    """Give the model, in place, a row for each token that ``new`` has and ``old`` lacks.

    A row is the mean over the tokens of ``old`` for the same piece, in the input embeddings and,
    where they are not tied to these, in the output embeddings.
    """
    rows = max(new.get_vocab().values()) + 1  # a model may have spare rows already
    rows = max(rows, cast(nn.Embedding, model.get_input_embeddings()).num_embeddings)
    model.resize_token_embeddings(rows, mean_resizing=False)
    layers = [cast(nn.Embedding, model.get_input_embeddings())]
    layers.append(cast(nn.Embedding, model.get_output_embeddings()))
    known = old.get_vocab()
    added = {i: token for token, i in new.get_vocab().items() if token not in known}
    parts = {i: [p.id for p in old.model.tokenize(token)] for i, token in added.items()}
    for weight in {id(layer.weight): layer.weight for layer in layers}.values():
        for index, ids in parts.items():
            weight[index] = weight[ids].mean(dim=0)


def expand_model(base: Path, texts: Iterable[str], count: int, folder: Path) -> dict:
    """Write the expanded form of the model in ``base`` to ``folder``, in float32; what was done.

    The folder appears only when complete. Raises ValueError where a weight is not finite.
    """
    old = json.loads((base / TOKENIZER).read_text(encoding="utf-8"))
    expanded = expand(old, texts, count)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    require_finite(model)
    pair = [Tokenizer.from_str(json.dumps(content)) for content in (old, expanded)]
    resize(model, *pair)
    model.save_pretrained(temporary)
    for path in [*base.glob("tokenizer_config.json"), *base.glob("chat_template*")]:
        shutil.copy(path, temporary)
    (temporary / TOKENIZER).write_text(json.dumps(expanded, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    before, after = (tokenizer.get_vocab_size() for tokenizer in pair)
    return {"vocabulary_before": before, "vocabulary_after": after}
