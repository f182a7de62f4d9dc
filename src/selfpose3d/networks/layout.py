"""The memory order of weights that is fastest on a CPU, and with mixed precision on a GPU."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """The network with its 2D weights in channels-last order."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def channels_last_3d(network: Network) -> Network:
    """The network with its 3D weights in channels-last order."""
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network
