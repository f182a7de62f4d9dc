"""The section ``compute``."""

from typing import Annotated, Literal

from pydantic import Field

from selfpose3d.parameters.section import UNKEYED, Count, Positive, Section


class Compute(Section):
    """Where and how training and inference run, in Lightning Fabric's words."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = Field(
        "auto", description="kind of processor; auto: a GPU where there is one, else the CPU"
    )
    devices: Count = Field(1, description="number of processors that a training uses")
    threads: Count = Field(
        1,
        description="number of threads of every training stage and prediction on a CPU. Results "
        "repeat with the same number; another number can change their last digits, so that they "
        "are made anew with it",
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="number format of the networks; auto: bf16-mixed where the processor or GPU "
        "multiplies in bfloat16, else 32-true; geometry and losses always run in float32",
    )
    heatmap_memory: Annotated[Positive, UNKEYED] = Field(
        8.0,
        description="most memory for the heatmaps that a training keeps of its frames, GB; others "
        "are computed each time",
    )
    checkpoint_every: Annotated[Count, UNKEYED] = Field(
        100, description="iterations between two saved states, from which a killed training resumes"
    )
