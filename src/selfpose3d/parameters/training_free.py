"""The section ``training_free``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import Count, NonNegative, Positive, Section


class TrainingFree(Section):
    """Training-free reconstruction: association across views and robust triangulation."""

    max_ray_distance: Positive = Field(
        200.0,
        description="largest mean cost at which detections of different views count as one "
        "person, mm; the cost of two is the mean distance between their rays plus 300 mm times the "
        "misfit of their bones, which is the mean absolute natural logarithm of the bones' lengths "
        "over those of a standing person",
    )
    inlier_distance: Positive = Field(
        100.0,
        description="distance from the joint at which a ray's weight has halved, mm",
    )
    iterations: Count = Field(3, description="rounds of robust reweighting per triangulation")
    min_views: Annotated[int, Field(ge=2)] = Field(
        2, description="fewest views of a person, and fewest views that support a joint"
    )
    reassign_distance: Positive = Field(
        300.0,
        description="largest mean distance between the rays of a detection and the joints of the "
        "3D person to whom it is assigned, mm",
    )
    merge_distance: Positive = Field(
        300.0, description="mean joint distance below which two people count as one, mm"
    )
    prior_weight: NonNegative = Field(
        0.3,
        description="weight of a joint's previous position when it is triangulated again after "
        "the detections have been reassigned",
    )
    single_view: bool = Field(
        False,
        description="whether people whom one camera alone sees are added at the end of the list, "
        "placed by their size and height; published protocols leave them out",
    )
