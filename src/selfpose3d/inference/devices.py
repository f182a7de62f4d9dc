"""Lightning Fabric as ``compute`` says: the same code on CPU and GPU."""

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from selfpose3d.config import Compute


def start_fabric(compute: Compute, devices: int | None = None) -> Fabric:
    """Fabric on this machine's devices, ``compute.devices`` of them unless another number is given.

    Processes are started here even within a Slurm job: the job is one task of the workflow.
    """
    count = compute.devices if devices is None else devices
    fabric = Fabric(
        accelerator=compute.accelerator,
        devices=count,
        strategy="ddp_find_unused_parameters_true" if count > 1 else "auto",
        precision=compute.precision,
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric
