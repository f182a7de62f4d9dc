"""The section ``estimator``."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from selfpose3d.parameters.section import (
    Count,
    Fraction,
    Positive,
    Section,
    Size,
    check_placeholders,
)
from selfpose3d.skeletons import SKELETONS


class BlazePose(Section):
    """BlazePose for many people: a detector on overlapping tiles, landmarks in two passes."""

    tiles: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.6, 0.36),
        description="sides of the square tiles, relative to the image's longer side; 1: the whole "
        "image",
    )
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.3, description="smallest overlap of neighbouring tiles, relative to a tile's side"
    )
    detector_score: Fraction = Field(0.4, description="lowest score of a candidate")
    candidate_distance: Positive = Field(
        0.35,
        description="distance below which two candidates count as one, relative to the smaller "
        "one's radius",
    )
    presence: Fraction = Field(0.5, description="lowest landmark presence of a kept person")
    duplicate_distance: Positive = Field(
        0.1,
        description="joint distance below which two people count as one, relative to the smaller "
        "one's extent",
    )
    mirrored: bool = Field(
        True, description="whether the last pass is averaged with its mirror image"
    )
    agreement: Positive = Field(
        0.1,
        description="second look: largest median joint distance from the projected person, "
        "relative to the person's height",
    )
    max_people: Count = Field(20, description="most candidates per image that get a landmark pass")


class Estimator(Section):
    """The 2D pose estimator."""

    name: str = Field(
        "blazepose",
        description="one of the table of estimators; file: your own 2D people; ground_truth: exact "
        "projections of the 3D truth",
    )
    blazepose: BlazePose = BlazePose()
    second_look: bool = Field(
        True,
        description="whether blazepose looks again in a view for people whom only other views "
        "found",
    )
    files: str | None = Field(
        None,
        description="path of the people to read; file: a file or folder of 2D people in any known "
        "format (docs/people2d.md); ground_truth: the 3D truth; {sequence} and {dataset} are "
        "filled in",
    )
    joints: Literal[tuple(SKELETONS)] | None = Field(  # type: ignore[valid-type]
        None,
        description="joint set of the people in files, such as body25b; null: as the files tell",
    )
    image_size: Size | Literal["videos", "stored"] | None = Field(
        None,
        description="images whose pixels the people in files are given in: their width and height, "
        "videos (each camera's own) or stored (data.stored_size); null: videos and stored frames "
        "are of one size",
    )
    first: Literal[0, 1] | None = Field(
        None,
        description="number of the first frame or image in the files; null: as the files tell",
    )

    @field_validator("files")
    @classmethod
    def _placeholders(cls, value: str | None) -> str | None:
        return check_placeholders(value, ("sequence", "dataset"))
