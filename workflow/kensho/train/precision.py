"""The dtypes in which a training holds weights and computes."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting

from kensho.models.loading import device
from kensho.train import processes
from kensho.train.run import Training


def mixed(training: Training) -> bool:
    """Whether whole weights are kept in float32 and computed in 16 bit."""
    return training.method.whole and training.dtype is not torch.float32


def autocast(training: Training) -> AbstractContextManager:
    """In several processes whole weights are gathered in 16 bit, without autocast's own copy."""
    if training.dtype is torch.float32 or (training.method.whole and processes.size() > 1):
        return nullcontext()
    return torch.autocast(device(), training.dtype)


def in_its_own_dtype(model: Any, training: Training) -> AbstractContextManager:
    """LoRA's matrices in float32 compute in the dtype of the model, as autocast has them do.

    PEFT would turn the input of each pair to float32 and keep it for the gradient. Other adapters
    need that: DoRA adds its pair to the weights, where 16 bit would lose it, before it takes their
    norm, and what VeRA and (IA)3 put beside a layer has no such switch.
    """
    if training.dtype is torch.float32 or not training.method.branches:
        return nullcontext()
    return disable_input_dtype_casting(model)
