"""The section ``inference``."""

from pydantic import Field, field_validator

from selfpose3d.parameters.section import (
    Count,
    NonNegative,
    Positive,
    Section,
    check_placeholders,
)


class Inference(Section):
    """The prediction of 3D poses from images."""

    refine: bool = Field(
        True,
        description="whether joints are triangulated again from nearby maxima of their heatmaps; "
        "paper: false",
    )
    refine_radius: Positive = Field(
        12.0,
        description="largest distance of such a maximum from a joint's projection, px of the input",
    )
    prior_weight: NonNegative = Field(
        0.1,
        description="weight of the network's position of a joint relative to the rays of the "
        "views, when the joint is triangulated again",
    )
    min_views: Count = Field(
        2,
        description="fewest views that must agree with half of a person's refined joints; people "
        "with fewer are dropped",
    )
    roots_only: bool = Field(
        False,
        description="whether all joints stay at the person's proposed root, to measure root_net "
        "alone",
    )
    duplicate_distance: NonNegative = Field(
        250.0, description="mean joint distance below which two people count as one, mm"
    )
    batch_size: Count = Field(4, description="frames per pass through the networks")
    people: str | None = Field(
        None,
        description="path of 3D people made elsewhere, Parquet or JSON, which the method file "
        "takes as they are; {sequence} is filled in",
    )

    @field_validator("people")
    @classmethod
    def _placeholders(cls, value: str | None) -> str | None:
        return check_placeholders(value, ("sequence",))
