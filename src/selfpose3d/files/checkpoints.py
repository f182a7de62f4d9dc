"""Checkpoints: the weights of every network that a stage and earlier stages have trained.

A checkpoint is one file in PyTorch's zip format. It is read with ``weights_only``, so that nothing
in it is executed.
``{"format": 1, "networks": {name: state_dict}, "joints": [names], "facts": {...}}``. The
networks of a checkpoint without joints are of Panoptic-15.
"""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import whole_file
from selfpose3d.skeletons import Skeleton, common_skeleton, named_in_file

FORMAT = 1

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint.

    Args:
        networks: weights by the network's name.
        skeleton: the joints that the networks know.
    """

    networks: dict[str, dict[str, Tensor]]
    skeleton: Skeleton


def write_checkpoint(
    path: Path, networks: Mapping[str, Weights], skeleton: Skeleton, facts: Mapping[str, Any]
) -> None:
    """Write weights by network name, their skeleton, and plain facts about their training."""
    write_state(
        path,
        {
            "format": FORMAT,
            "networks": {name: _on_cpu(weights) for name, weights in networks.items()},
            "joints": list(skeleton.joints),
            "facts": dict(facts),
        },
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; any other or damaged file raises an ``InputError``."""
    state = read_state(path)
    if state.get("format") != FORMAT or not isinstance(state.get("networks"), dict):
        raise InputError(
            f"{path}: not a checkpoint of this project; give a checkpoint that a stage wrote"
        )
    return Checkpoint(state["networks"], named_in_file(state.get("joints")))


def merged_checkpoint(paths: Iterable[Path]) -> Checkpoint:
    """Several checkpoints in one; where two hold the same network, the later path wins.

    Raises:
        InputError: one can't be read, or they are of different joints.
    """
    read = {path: read_checkpoint(path) for path in paths}
    skeleton = common_skeleton([each.skeleton for each in read.values()], names_of(read))
    merged: dict[str, dict[str, Tensor]] = {}
    for each in read.values():
        merged |= each.networks
    return Checkpoint(merged, skeleton)


def names_of(paths: Iterable[Path]) -> str:
    """Paths as a message names them."""
    return ", ".join(map(str, paths))


def load_network(
    network: nn.Module, networks: Mapping[str, Weights], name: str, where: object
) -> None:
    """Load ``networks[name]`` into ``network``; weights that do not fit are an ``InputError``."""
    if name not in networks:
        raise InputError(
            f"{where}: holds no weights of {name}, only {sorted(networks)}; "
            "give the checkpoint of the stage that trains it, or of a later stage"
        )
    try:
        network.load_state_dict(networks[name])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputError(
            f"{where}: the weights of {name} do not fit the network that the parameters "
            f"describe ({reason}); use the 'networks' parameters with which it was trained"
        ) from error


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all."""
    with whole_file(path) as temporary:
        torch.save(dict(state), temporary)


def read_state(path: Path) -> dict[str, Any]:
    """Read the file of ``write_state`` onto the CPU; a damaged file raises an ``InputError``."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such checkpoint; run the stage that writes it")
    try:
        _check_bytes(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path}: a damaged checkpoint ({str(error).splitlines()[0]}); "
            "delete it and run the stage that writes it again"
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds a {type(state).__name__}, not a checkpoint")
    return state


def _check_bytes(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"wrong checksum of its part {damaged}")


def _on_cpu(weights: Weights) -> dict[str, Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in weights.items()}
