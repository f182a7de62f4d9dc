"""The section ``footage``."""

from typing import Literal

from pydantic import Field

from selfpose3d.parameters.section import Count, Section, Size


class Footage(Section):
    """Real footage without ground truth, run through the pipeline beside the data."""

    name: Literal["none", "pose2sim_demo"] = "pose2sim_demo"
    every: Count = Field(5, description="take every n-th frame")
    stored_size: Size = Field((544, 960), description="of stored frames, px")
    centre_refinement: bool = Field(
        False, description="fit one principal-point shift per camera, on every second frame"
    )
