"""Lightning Fabric as ``compute`` says: the same code on CPU and GPU."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import CUDAAccelerator
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import Tensor, nn

from selfpose3d.geometry.rigs import Rig
from selfpose3d.parameters import Compute

Movable = TypeVar("Movable", Tensor, Rig)
P = ParamSpec("P")
T = TypeVar("T")
Runner = Callable[..., Any]
"""A function that runs a network on its inputs; training uses it for mixed precision."""


def plain_run(network: nn.Module, *inputs: Tensor) -> Any:
    """The network called as it is."""
    return network(*inputs)


def start_fabric(compute: Compute, devices: int | None = None) -> Fabric:
    """Fabric on this machine's devices, ``compute.devices`` of them unless another number is given.

    Processes are started here even within a Slurm job: the job is one task of the workflow. Torch
    has ``compute.threads`` in each from now on.
    """
    torch.set_num_threads(compute.threads)
    count = compute.devices if devices is None else devices
    fabric = Fabric(
        accelerator=compute.accelerator,
        devices=count,
        strategy="ddp_find_unused_parameters_true" if count > 1 else "auto",
        precision=precision_of(compute),
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric


def runner(fabric: Fabric) -> Runner:
    """A function that runs a network in ``compute.precision`` and returns float32."""

    def run(network: nn.Module, *inputs: Tensor) -> Any:
        with fabric.autocast():
            result = network(*inputs)
        return result.float() if isinstance(result, Tensor) else result

    return run


def to_device(value: Movable, device: torch.device) -> Movable:
    """Bring what is in the host's memory to a device without waiting for what is queued there."""
    if device.type == "cuda":
        value = value.pin_memory()
    return value.to(device, non_blocking=True)


def made_once(make: Callable[P, T]) -> Callable[P, T]:
    """Keep what is made of the same arguments, a device among them, to be read and never changed.

    Bringing even three numbers to a device waits for all that is queued there; so it is done once.
    """

    @lru_cache(maxsize=64)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch.inference_mode(False):  # what is made in it can't be used in training
            return make(*args, **kwargs)

    return made  # type: ignore[return-value]


@made_once
def constant(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """A tensor of the given numbers on a device."""
    return torch.tensor(values, dtype=dtype, device=device)


def precision_of(compute: Compute) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """``compute.precision``, and what "auto" means on this machine."""
    if compute.precision != "auto":
        return compute.precision
    if compute.accelerator != "cpu" and CUDAAccelerator.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(kind) for kind in ("amx_bf16", "avx512_bf16"))
    return "bf16-mixed" if native else "32-true"
