"""Japanese tokens for a model that has few: the vocabulary is expanded, then the embeddings.

The way of Swallow (Fujii et al. 2024, arXiv 2404.17790, section 3): pieces learnt on Japanese text
are appended to the vocabulary, and each new embedding is the mean of the embeddings of the tokens
that used to stand for the piece. Swallow's pieces come from SentencePiece on segmented text; here
byte-pair merges are learnt on top of the base's own, so every old encoding step stays as it was.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer, models, trainers
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

JAPANESE = re.compile(r"[\u3001-\u303f\u3041-\u30ff\u4e00-\u9fff\uff01-\uffee]+")
STAND_INS = 0x20000  # first of the characters that stand for base tokens while merges are learnt
TOKENIZER = "tokenizer.json"


def expand(tokenizer: dict, texts: Iterable[str], count: int) -> dict:
    """The content of a tokenizer.json with ``count`` new tokens behind those it has.

    Merges are learnt where the base's pre-tokenizer gives words of Japanese characters alone, so
    text without such characters is encoded as before. Raises ValueError if the tokenizer is no
    byte-pair encoding, or if the texts do not repeat enough for so many tokens.
    """
    if tokenizer["model"]["type"] != "BPE":
        raise ValueError(f"a {tokenizer['model']['type']} tokenizer; only BPE can be expanded")
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
    if following < last:
        raise ValueError(f"the texts give only {count - (last - following)} of {count} tokens")
    model = {**tokenizer["model"], "vocab": vocabulary, "merges": list(map(list, merges))}
    return {**tokenizer, "model": model}


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

    The folder appears only when complete.
    """
    old = json.loads((base / TOKENIZER).read_text(encoding="utf-8"))
    expanded = expand(old, texts, count)
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
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
