"""Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300, section 4.1).

Each step samples a group of answers to each of its prompts from the model as it stands, and learns
from them once, so that the paper's ratio of policies is 1 and its clipping without effect. An
answer's advantage is its reward less the group's mean, in standard deviations of the group.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kensho.data.prompt import prompt
from kensho.files import read_lines, replacing
from kensho.models.encoding import encode
from kensho.models.loading import device, tokenizer_of
from kensho.models.reference import Reference
from kensho.train import processes
from kensho.train.dpo import token_log_likelihoods
from kensho.train.loop import Objective, Sample, collated
from kensho.train.precision import autocast
from kensho.train.record import Measured
from kensho.train.rewards import reward
from kensho.train.run import Training
from kensho.train.samples import IGNORED
from kensho.train.sampling import answers, ends, turn
from kensho.train.stage import UnmovedError, learned, order, parted, require_positions, room

ROLLOUTS = "rollouts"  # answers and their rewards: a file of each step beside the checkpoints
LEAST_SPREAD = 1e-4  # added to a group's standard deviation, which may be nought


def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Raise the reward of translations of en, held against ja, the columns of ``samples``.

    Its settings are those of :class:`kensho.train.catalogue.Grpo`. As
    :func:`kensho.train.stage.learned`; ``rollouts.jsonl`` beside the weights has every answer, and
    the steps have a column reward, the mean over a step's answers. Prompts that leave no room for
    an answer in ``max_length`` are passed over and counted.
    Raises ValueError where a step does not hold whole groups, or in several processes.
    """
    own = training.settings
    width, group = training.batch_size * training.accumulation, own["group"]
    if width % group:
        raise ValueError(
            f"{training.name}: a step of {width} answers is no whole number of groups of {group}; "
            "change group or batch_size"
        )
    if processes.size() > 1:
        raise ValueError(f"{training.name}: grpo samples in one process; take one device for it")
    samples, _ = parted(samples)
    tokenizer, drawn, long = tokenizer_of(base.base), [], set()
    for place in order(len(samples), training.seed):
        en, ja = samples["en"].iloc[place], samples["ja"].iloc[place]
        asked = encode(tokenizer, turn(tokenizer, prompt(en), chat=training.chat))
        if len(asked) + own["new_tokens"] > training.max_length:
            long.add(place)
        else:
            drawn.append(Asked(en, ja, asked))
        if len(drawn) == training.samples // group:
            break
        if len(long) == len(samples):
            raise ValueError(
                f"{training.name}: no prompt leaves new_tokens of max_length; raise max_length"
            )

    def rollouts(model, tokenizer) -> tuple[Sequence[Sample], Sequence[Sample]]:
        require_positions(model, (len(one.ids) + own["new_tokens"] for one in drawn), training)
        return Rollouts(model, tokenizer, drawn, checkpoints / ROLLOUTS, training), []

    objective = Objective(
        lambda model, rows, pad: summed_loss(model, rows, pad, own["beta"]), len, "per answer"
    )
    texts = {key: [getattr(one, key) for one in drawn] for key in ("en", "ja")}
    try:
        steps, measured = learned(base, texts, rollouts, output, checkpoints, training, objective)
    except UnmovedError:
        if _alike(checkpoints / ROLLOUTS, group):
            raise ValueError(
                f"{training.name}: all answers to a prompt have the same reward, at every prompt, "
                "so there is nothing to learn; change rewards or raise new_tokens"
            ) from None
        raise
    files = [checkpoints / ROLLOUTS / f"{step}.jsonl" for step in steps["step"]]
    steps["reward"] = [np.mean(_rewards(file)) for file in files]
    with room(output), replacing(output / f"{ROLLOUTS}.jsonl") as path:
        path.write_bytes(b"".join(file.read_bytes() for file in files))
    return steps, measured.model_copy(update={"own": {"prompts_too_long": len(long)}})


def _alike(folder: Path, group: int) -> bool:
    """Whether no group of answers that was kept differs in its rewards."""
    each = [gain for path in folder.glob("*.jsonl") for gain in _rewards(path)]
    rewards = np.array(each).reshape(-1, group)
    return bool(len(rewards)) and not np.ptp(rewards, axis=1).any()


def _rewards(path: Path) -> list[float]:
    """Of a step's answers. Raises ValueError where the file is not as it was written."""
    try:
        return [json.loads(line)["reward"] for line in read_lines(path)]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged; delete {path.parent.parent} to start anew") from None


class Asked(NamedTuple):
    """A sentence, its reference, and the prompt's tokens."""

    en: str
    ja: str
    ids: list[int]


class Rollouts(Sequence):
    """The rows of a step, sampled when they are asked for; rows of one step are asked for at once.

    A step is sampled with a seed of its own, so that one that is taken again gives the same rows.
    ``model`` is the one that learns: adapters are made in its layers. Its copy as it is now is the
    reference, which ``beta`` 0 does without.
    """

    def __init__(
        self, model: Any, tokenizer: Any, asked: Sequence[Asked], kept: Path, training: Training
    ):
        self.model, self.tokenizer, self.asked = model, tokenizer, asked
        self.kept, self.training, self.own = kept, training, training.settings
        self.reference = copy.deepcopy(model) if self.own["beta"] else None
        kept.mkdir(exist_ok=True)

    def __len__(self) -> int:
        return len(self.asked) * self.own["group"]

    @torch.no_grad()
    def __getitem__(self, rows):
        group, seed = self.own["group"], self.training.seed
        prompts = self.asked[rows.start // group : rows.stop // group]
        asked = [one for one in prompts for _ in range(group)]
        step = rows.start // (rows.stop - rows.start) + 1
        stops = ends(self.model, self.tokenizer)
        self.model.eval()
        with torch.random.fork_rng(), autocast(self.training):
            torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
            try:
                written = answers(
                    self.model,
                    [one.ids for one in asked],
                    stops,
                    batch=self.training.batch_size,
                    pad=self.tokenizer.pad_token_id,
                    most=self.own["new_tokens"],
                )
            except RuntimeError as error:
                if "probability tensor" not in str(error):
                    raise
                raise ValueError(
                    f"{self.training.name}: step {step} cannot be sampled, its probabilities are "
                    "not finite; lower learning_rate"
                ) from None
        self.model.train()
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        rewards = [
            reward(text.strip(), one.ja, self.own["rewards"], ended=answer[-1] in stops)
            for one, text, answer in zip(asked, texts, written, strict=True)
        ]
        self._keep(step, asked, texts, rewards)
        return self._rows(asked, written, advantages(torch.tensor(rewards), group).tolist())

    def _rows(
        self, asked: Sequence[Asked], written: Sequence[list[int]], gains: Sequence[float]
    ) -> Sequence[Sample]:
        rows: list[dict[str, Any]] = [
            {
                "input_ids": one.ids + answer,
                "labels": [IGNORED] * len(one.ids) + answer,
                "advantage": [gain],
            }
            for one, answer, gain in zip(asked, written, gains, strict=True)
        ]
        if self.reference is None:
            return rows
        size, pad = self.training.batch_size, self.tokenizer.pad_token_id
        with autocast(self.training):
            for first in range(0, len(rows), size):
                batch = rows[first : first + size]
                each, row_of = token_log_likelihoods(self.reference, **collated(batch, pad))
                for place, row in enumerate(batch):
                    row["reference"] = each[row_of == place].tolist()
        return rows

    def _keep(
        self, step: int, asked: Sequence[Asked], texts: Sequence[str], rewards: Sequence[float]
    ) -> None:
        lines = [
            {"step": step, "en": one.en, "answer": text, "reward": gain}
            for one, text, gain in zip(asked, texts, rewards, strict=True)
        ]
        with replacing(self.kept / f"{step}.jsonl") as path:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            path.write_text(text, encoding="utf-8")


def advantages(rewards: Tensor, group: int) -> Tensor:
    """Rewards of shape (prompts x group,) less their group's mean, by its standard deviation."""
    each = rewards.view(-1, group)
    spread = each.std(dim=1, keepdim=True, correction=0) + LEAST_SPREAD
    return ((each - each.mean(dim=1, keepdim=True)) / spread).flatten()


def summed_loss(model: Any, rows: Sequence[Mapping[str, Any]], pad: int, beta: float) -> Tensor:
    """Sum over answers of the negative of eq. 3, with eq. 4 as divergence from the reference.

    Both are means over an answer's tokens.
    """
    each, row_of = token_log_likelihoods(model, **collated(rows, pad))
    gains = torch.tensor([row["advantage"][0] for row in rows], device=device())
    lengths = torch.bincount(row_of, minlength=len(rows))
    losses = -torch.exp(each - each.detach()) * gains[row_of]
    if beta:
        known = torch.tensor([one for row in rows for one in row["reference"]], device=device())
        gap = known - each
        losses = losses + beta * (gap.exp() - gap - 1)
    return (losses / lengths[row_of]).sum()
