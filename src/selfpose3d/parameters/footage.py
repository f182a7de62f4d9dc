"""The section ``footage``."""

from typing import Literal

from pydantic import Field

from selfpose3d.parameters.section import Count, Section, Size


class Footage(Section):
    """Real footage without ground truth, run through the pipeline beside the data."""

    name: Literal["none", "pose2sim_demo"] = Field(
        "pose2sim_demo", description="footage to run; none: leave it out"
    )
    every: Count = Field(5, description="step between used frames; n: every n-th frame")
    stored_size: Size = Field((544, 960), description="width and height of stored frames, px")
    centre_refinement: bool = Field(
        False,
        description="whether one shift of the principal point is fitted per camera, to every "
        "second frame",
    )
