"""The processes of a training: one, or as many as torchrun has started."""

from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from kensho.models.loading import device


def size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is the process that writes what all share."""
    return rank() == 0


def wait() -> None:
    """For all others."""
    if size() > 1:
        dist.barrier()


def summed(value: float) -> float:
    return _reduced(value, dist.ReduceOp.SUM)


def largest(value: float) -> float:
    return _reduced(value, dist.ReduceOp.MAX)


def _reduced(value: float, operation: dist.ReduceOp.RedOpType) -> float:
    if size() == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device())
    dist.all_reduce(shared, operation)
    return shared.item()


def number(value: torch.Tensor) -> float:
    """Of a tensor that processes may share."""
    return (value.full_tensor() if isinstance(value, DTensor) else value).item()


def share(rows: int) -> slice:
    """This process's rows of a step. Raises ValueError where they cannot be shared evenly."""
    if rows % size():
        raise ValueError(
            f"{rows} rows of a step cannot be shared by {size()} processes; make batch_size x "
            "accumulation a multiple of them"
        )
    own = rows // size()
    return slice(rank() * own, (rank() + 1) * own)


def shard(model: Any, computed: torch.dtype | None = None) -> Any:
    """Share weights, gradients and moments between the processes, layer by layer (FSDP2).

    Whole weights that are kept in float32 are gathered in the dtype in which they are ``computed``,
    if one is given, and gradients summed in float32. Raises ValueError where a weight that learns
    was not shared.
    """
    if size() == 1:
        return model
    if any(p.dtype is torch.uint8 for p in model.parameters()):
        raise ValueError(
            f"weights in 4 bits are not shared by {size()} processes; take another method"
        )
    mesh = init_device_mesh(device(), (size(),))
    policy = MixedPrecisionPolicy(computed, torch.float32) if computed else MixedPrecisionPolicy()
    layers = model.config.get_text_config().num_hidden_layers
    for part in model.modules():
        if isinstance(part, torch.nn.ModuleList) and len(part) == layers:
            for layer in part:
                fully_shard(layer, mesh=mesh, mp_policy=policy)
            break
    # After a pass as well, else what the optimizer is given could be whole for the moment.
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    require_shared(model)
    return model


def require_shared(model: Any) -> None:
    """Raises ValueError where there are several processes and a weight is not shared by them."""
    whole = (n for n, p in model.named_parameters() if not isinstance(p, DTensor))
    if size() > 1 and (name := next(whole, None)):
        raise ValueError(f"{name} is not shared between {size()} processes, as was asked for")


def gathered(model: Any) -> dict[str, torch.Tensor]:
    """The state of a shared model, whole and on the host; tied weights stay one tensor."""
    made: dict[int, torch.Tensor] = {}
    for value in model.state_dict(keep_vars=True).values():
        if id(value) not in made:
            held = value.detach()
            made[id(value)] = (held.full_tensor() if isinstance(held, DTensor) else held).cpu()
    state = model.state_dict(keep_vars=True)
    return {name: made[id(value)] for name, value in state.items()}
