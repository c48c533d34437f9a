"""Scoring and greedy generation that read shared beginnings once; transformers models.

How requests are packed follows from the whole list of them. A call that is given the ``journal``
of an interrupted one therefore packs them alike, takes what is there, and ends with equal bytes.
The ``salt`` tells apart what may share a journal and not its results: models, ways to end.
"""

from collections.abc import Iterator, MutableMapping, Sequence

import numpy as np
import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from kensho.evaluate.greedy import Decoding
from kensho.evaluate.journal import digest
from kensho.jlce.behind import behind
from kensho.jlce.prefix_tree import Pack, Tokens, families, packs

BATCHES = 4  # of answers, which are kept together when a run is killed
LEAST_SHARED = 8  # tokens; beginnings shorter than that are not worth a pass of their own
Scored = tuple[float, bool]
Journal = MutableMapping[str, list]  # results of a pack by the digest of its requests


# Caches of keys and values alone, one for each token and layer; masks and positions as given.
FIT = ("llama", "qwen2", "qwen3", "mistral", "mixtral", "gemma3_text", "gpt2", "gpt_neox")


def unfit(model) -> str | None:
    """Why a model cannot be read here, None where it can."""
    if len({*getattr(model, "hf_device_map", {"": "all"}).values()}) > 1:
        return "a model over several devices does not read shared beginnings once"
    text = model.config.get_text_config()
    if text.model_type not in FIT:
        return f"model type {text.model_type} does not read shared beginnings once"
    if getattr(text, "attn_logit_softcapping", None) is not None:
        return "attention with a soft cap does not read shared beginnings once"
    return None


@torch.inference_mode()
def loglikelihoods(
    model,
    requests: Sequence[tuple[Tokens, Tokens]],
    *,
    nodes: int,
    least: int = LEAST_SHARED,
    journal: Journal | None = None,
    salt: str = "",
) -> list[Scored]:
    """Of each (context, continuation): natural log-likelihood, and whether it is the greedy one.

    Neither part may be empty. A pass takes ``nodes`` tokens beside the shared beginning, and
    computes logits only where a continuation is predicted. Sequences of a pass begin alike in at
    least ``least`` tokens.
    """
    inputs = [[*context, *continuation][:-1] for context, continuation in requests]
    journal = {} if journal is None else journal
    scores: list[Scored] = [(0.0, False)] * len(requests)
    for order, common in families(inputs, least):
        start, cache = min(common, *(len(requests[i][0]) - 1 for i in order)), None
        for pack in packs(inputs, order, start, nodes):
            key = digest([salt, [requests[index] for index in pack.paths]])
            if key not in journal:
                if cache is None:
                    cache = _read(model, inputs[order[0]][:start])
                journal[key] = list(_score(model, pack, cache, requests))
            for index, (likelihood, greedy) in zip(pack.paths, journal[key], strict=True):
                scores[index] = likelihood, greedy
    return scores


def _score(
    model, pack: Pack, cache: DynamicCache, requests: Sequence[tuple[Tokens, Tokens]]
) -> Iterator[Scored]:
    """Scores in the order of the pack's paths; the cache is left as it was."""
    start = cache.get_seq_length()
    predicting = {
        index: path[len(requests[index][0]) - 1 - start :] for index, path in pack.paths.items()
    }
    needed = sorted({node for path in predicting.values() for node in path})
    row = {node: place for place, node in enumerate(needed)}
    logits = _forest(model, pack, cache, needed)
    if len(pack.tokens):
        cache.crop(-len(pack.tokens))
    logits = logits.float()
    total, best = logits.logsumexp(dim=-1), logits.argmax(dim=-1)
    for index, path in predicting.items():
        rows = _tensor([row[node] for node in path], model)
        targets = _tensor(requests[index][1], model)
        likelihood = (logits[rows, targets] - total[rows]).sum()
        yield float(likelihood), bool((best[rows] == targets).all())


def _forest(model, pack: Pack, cache: DynamicCache, kept: Sequence[int]) -> torch.Tensor:
    """Logits (kept, vocabulary) of these nodes; the cache has all nodes behind its beginning."""
    start = cache.get_seq_length()
    depths, prefix = _tensor(pack.depths[None], model), _tensor(np.arange(start)[None], model)
    allowed = np.pad(pack.ancestors, ((0, 0), (start, 0)), constant_values=True)
    keys = torch.cat([prefix, depths], dim=1)
    return model(
        input_ids=_tensor(pack.tokens[None], model),
        position_ids=depths,
        attention_mask=_mask(model, _tensor(allowed[None], model), depths, keys),
        past_key_values=cache,
        logits_to_keep=_tensor(kept, model),
    ).logits[0]


@torch.inference_mode()
def generate(
    model,
    contexts: Sequence[Tokens],
    decoding: Decoding,
    *,
    journal: Journal | None = None,
    salt: str = "",
) -> list[list[int]]:
    """Greedy continuations, each up to and with the token that ended it.

    Sequences of like length go together behind their shared beginning, as many as have no more keys
    and values than ``batch`` whole ones; one that has ``ended`` leaves its place to the next, among
    all of them or, where a ``journal`` keeps them, among BATCHES times ``batch``.
    """
    most, batch = decoding.most, decoding.batch
    kept = len(contexts) if journal is None else BATCHES * batch
    journal = {} if journal is None else journal
    answers: list[list[int]] = [[] for _ in contexts]
    for order, common in families(contexts, LEAST_SHARED):
        start, cache = min(common, *(len(contexts[i]) - 1 for i in order)), None
        by_length = sorted(order, key=lambda i: -len(contexts[i]))
        longest = len(contexts[by_length[0]]) + most
        together = batch * longest // (longest - start)
        for first in range(0, len(by_length), kept):
            rows = by_length[first : first + kept]
            key = digest([salt, most, [contexts[index] for index in rows]])
            if key not in journal:
                if cache is None:
                    cache = _read(model, contexts[order[0]][:start])
                journal[key] = _decode(model, contexts, rows, cache, together, decoding)
            for index, answer in zip(rows, journal[key], strict=True):
                answers[index] = answer
    return answers


def _decode(
    model,
    contexts: Sequence[Tokens],
    wanted: Sequence[int],
    prefix: DynamicCache,
    batch: int,
    decoding: Decoding,
) -> list[list[int]]:
    """Continuations of the wanted contexts behind their prefix, ``batch`` of them at a time."""
    answers: dict[int, list[int]] = {index: [] for index in wanted}
    rows: list[int] = []
    waiting, cache = wanted, DynamicCache()
    chosen = at = _tensor(np.zeros(0, int), model)  # next tokens, and their places
    seen = _tensor(np.zeros((0, 0), bool), model)  # (rows, width): which places of the cache count
    while rows or waiting:
        free = batch - len(rows)
        taken, waiting = waiting[:free], waiting[free:]
        if taken:
            tokens, own = _prefill(model, contexts, taken, prefix, decoding.nodes)
            cache, seen = _joined([*_parts(cache, seen), *own])
            chosen = torch.cat([chosen, *tokens])
            at = torch.cat([at, _tensor([len(contexts[index]) for index in taken], model)])
            rows = [*rows, *taken]
        going = []
        for place, (index, token) in enumerate(zip(rows, chosen.tolist(), strict=True)):
            answers[index].append(token)
            if len(answers[index]) < decoding.most and not decoding.ended(answers[index]):
                going.append(place)
        if len(going) < len(rows):
            keep = _tensor(np.array(going, int), model)
            chosen, seen, at = chosen[keep], seen[keep], at[keep]
            cache.batch_select_indices(keep)
            rows = [rows[place] for place in going]
        if not rows:
            continue
        seen = torch.cat([seen, seen.new_ones(len(rows), 1)], dim=1)
        keys = at[:, None] + torch.arange(1 - seen.shape[1], 1, device=at.device)
        with behind(model, prefix):
            logits = model(
                input_ids=chosen[:, None],
                attention_mask=_mask(model, seen[:, None], at[:, None], keys),
                position_ids=at[:, None],
                past_key_values=cache,
                logits_to_keep=1,
            ).logits[:, -1]
        chosen, at = logits.argmax(dim=-1), at + 1
    return list(answers.values())


def _prefill(model, contexts, taken: Sequence[int], prefix: DynamicCache, nodes: int):
    """Next token behind each context, and its own tokens' part (see _joined), in their order."""
    read, start = {}, prefix.get_seq_length()
    for pack in packs(contexts, sorted(taken, key=lambda i: contexts[i]), start, nodes):
        ends = [path[-1] for path in pack.paths.values()]
        chosen = _forest(model, pack, prefix, ends).argmax(dim=-1, keepdim=True)
        for (index, path), token in zip(pack.paths.items(), chosen, strict=True):
            at = _tensor(path, model) + start
            read[index] = token, (_layers(prefix, at), at[None] >= start)
        prefix.crop(-len(pack.tokens))
    return zip(*(read[index] for index in taken), strict=True)


def _layers(cache: DynamicCache, places) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values (rows, heads, width, size) by layer at some places of a cache."""
    return [(keys[:, :, places], values[:, :, places]) for keys, values, _ in cache]


def _parts(cache: DynamicCache, seen: torch.Tensor) -> list[tuple]:
    """The rows of a cache as a part of a joined one, without places that no row needs any more."""
    if not len(seen):
        return []
    first = int(seen.any(dim=0).int().argmax())
    return [(_layers(cache, slice(first, None)), seen[:, first:])]


def _joined(parts: Sequence[tuple]) -> tuple[DynamicCache, torch.Tensor]:
    """One cache of all parts' rows, padded on the left, and which of its places are real.

    A part: keys and values (rows, heads, width, size) by layer, and its real places (rows, width).
    """
    width = max(seen.shape[1] for _, seen in parts)
    cache = DynamicCache()
    for place, layers in enumerate(zip(*(layers for layers, _ in parts), strict=True)):
        keys, values = (
            torch.cat([pad(part, (0, 0, width - part.shape[2], 0)) for part in kind])
            for kind in zip(*layers, strict=True)
        )
        cache.update(keys, values, place)
    return cache, torch.cat([pad(seen, (width - seen.shape[1], 0)) for _, seen in parts])


def _read(model, tokens: Tokens) -> DynamicCache:
    """Keys and values of a beginning, batch of one; every layer keeps all of them."""
    cache = DynamicCache()
    if tokens:
        model(input_ids=_tensor([tokens], model), past_key_values=cache, logits_to_keep=1)
    return cache


def _mask(model, allowed, queries, keys) -> torch.Tensor | dict[str, torch.Tensor]:
    """Additive attention mask (rows, 1, queries, keys), by kind of layer if kinds differ.

    ``allowed`` (rows, queries, keys) says what may be attended to, ``queries`` (rows, queries) and
    ``keys`` (rows, keys) where tokens stand in their sequence, which a sliding window goes by.
    """
    config = model.config.get_text_config()

    def additive(mask: torch.Tensor) -> torch.Tensor:
        lowest = torch.finfo(model.dtype).min
        empty = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device)
        return empty.masked_fill(~mask, lowest)[:, None]

    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    if window is None or (kinds and set(kinds) == {"full_attention"}):
        return additive(allowed)
    near = queries[:, :, None] - keys[:, None] < window
    if not kinds:  # every layer has the window (Mistral)
        return additive(allowed & near)
    return {"full_attention": additive(allowed), "sliding_attention": additive(allowed & near)}


def _tensor(values, model) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), device=model.device)
