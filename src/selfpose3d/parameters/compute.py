"""The section ``compute``."""

from typing import Annotated, Literal

from pydantic import Field

from selfpose3d.parameters.section import UNKEYED, Count, Section


class Compute(Section):
    """Where and how training and inference run (Lightning Fabric's words)."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="of the networks; auto: bf16-mixed where the processor or GPU multiplies "
        "in bfloat16, else 32-true. Geometry and losses are always in float32",
    )
    checkpoint_every: Annotated[Count, UNKEYED] = Field(100, description="iterations")
