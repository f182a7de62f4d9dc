"""The section ``training_free``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import Count, NonNegative, Positive, Section


class TrainingFree(Section):
    """Association across views and robust confidence-weighted triangulation."""

    max_ray_distance: Positive = Field(140.0, description="of two rays of one person, mm")
    inlier_distance: Positive = Field(100.0, description="scale of the robust weights, mm")
    iterations: Count = Field(3, description="of reweighting")
    min_views: Annotated[int, Field(ge=2)] = Field(2, description="of a person, and of a joint")
    reassign_distance: Positive = Field(
        300.0, description="of a detection from the 3D person it is given to, mm"
    )
    merge_distance: Positive = Field(300.0, description="people nearer than this are one, mm")
    prior_weight: NonNegative = Field(
        0.3, description="of a joint's position before detections are given out anew"
    )
