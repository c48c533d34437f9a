"""Adapters become part of the weights of their base, in float32."""

from pathlib import Path

import pandas as pd
import torch
from peft import PeftModel

from kensho.models.encoding import encode
from kensho.models.loading import PROBE, tokenizer_of, weights
from kensho.models.reference import Reference
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes
from kensho.train.record import Measured
from kensho.train.run import Training
from kensho.train.stage import exclusive, save, untrained

CLOSEST = 1e-5  # of the largest logit: float32 rounds at 1e-7, sums of some thousand at more


@torch.no_grad()
def stage(
    base: Reference, samples: pd.DataFrame, output: Path, checkpoints: Path, training: Training
) -> tuple[pd.DataFrame, Measured]:
    """Save ``base`` with its adapters as one model; no sample is read and no step taken.

    They are added to the published weights, also where they were trained over NF4 ones: rounding
    the sum to 4 bits again would lose most of what they learnt. Raises ValueError where there is
    no adapter, or where the logits of the probe then differ from those with the adapters beside
    the weights.
    """
    if not base.adapters:
        raise ValueError(f"{training.name}: its model has no adapter to merge; leave the stage out")
    baseline = 0 if torch.cuda.is_available() else resident_bytes()
    reset_peak()
    with exclusive(checkpoints):
        tokenizer = tokenizer_of(base.base)
        model = weights(base.base, torch.float32).eval()
        ids = torch.tensor([encode(tokenizer, PROBE)], device=model.device)
        furthest = 0.0
        for adapter in base.adapters:
            model = PeftModel.from_pretrained(model, adapter.path).eval()
            beside = model(ids).logits
            model = model.merge_and_unload()
            gap = ((model(ids).logits - beside).abs().max() / beside.abs().max()).item()
            furthest = max(furthest, gap)
            if not gap <= CLOSEST:  # nor where it is no number
                raise ValueError(
                    f"{training.name}: merging {adapter.path} moves a logit by {gap:.1e} of "
                    f"the largest, more than {CLOSEST:g}; leave the stage out"
                )
        save(model, tokenizer, base, output)
    own = {"merged_logits_apart": furthest}
    return untrained(peak_bytes() - baseline, [], own)
