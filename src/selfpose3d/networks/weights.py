"""Weights that a user gives: read without executing anything, and checked."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from selfpose3d.errors import InputError


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file by name, on the CPU.

    A ``state_dict`` within a larger checkpoint is found; ``module.`` before names is dropped.

    Raises:
        InputError: no such file, or it holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise InputError(f"{path}: there are no weights; give the path of a PyTorch state dict")
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path}: not a PyTorch file of plain weights ({str(error).splitlines()[0]}); "
            "save the network's state_dict() and give that"
        ) from error
    held = held.get("state_dict", held) if isinstance(held, Mapping) else {}
    tensors = {str(k): v for k, v in held.items() if isinstance(v, Tensor)}
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def load_part(part: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a part of a network; all of its own must be there and fit.

    Raises:
        InputError: some are missing or of another shape.
    """
    own = part.state_dict()
    wrong = [name for name in own if name not in weights and _is_needed(name)]
    wrong += _misfits(own, weights)
    if wrong:
        raise InputError(
            f"{path}: {len(wrong)} of {len(own)} weights of the network are missing or of another "
            f"shape, the first is {wrong[0]}; give weights of the same network, "
            "or change networks.backbone"
        )
    part.load_state_dict({k: weights[k] for k in own if k in weights}, strict=False)


def _is_needed(name: str) -> bool:
    return not name.endswith("num_batches_tracked")


def _misfits(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Iterable[str]:
    return [k for k, v in own.items() if k in weights and weights[k].shape != v.shape]
