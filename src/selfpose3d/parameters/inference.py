"""The section ``inference``."""

from pydantic import Field

from selfpose3d.parameters.section import Count, NonNegative, Positive, Section


class Inference(Section):
    """From images to 3D poses."""

    refine: bool = Field(True, description="pull each joint to the maxima of its heatmaps")
    refine_radius: Positive = Field(12.0, description="how far a maximum may lie, input px")
    prior_weight: NonNegative = Field(
        0.1, description="of the network's joint against the views, in the last refinement"
    )
    roots_only: bool = Field(
        False, description="every joint at its person's proposal: to measure root_net alone"
    )
    duplicate_distance: NonNegative = Field(
        250.0, description="people nearer than this (mean over joints, mm) are one"
    )
    batch_size: Count = Field(4, description="frames at a time")
    threads: Count = Field(1, description="of the process; part of what makes numbers repeat")
