"""The section ``estimator``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import Count, Fraction, Positive, Section


class BlazePose(Section):
    """Tiled multi-person BlazePose: detector on overlapping tiles, landmarks in two passes."""

    tiles: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.6, 0.36), description="sides of square tiles over the image's longer side; 1: the image"
    )
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="of neighbouring tiles")
    detector_score: Fraction = Field(0.4, description="least score of a candidate")
    candidate_distance: Positive = Field(0.35, description="of two candidates, in body radii")
    presence: Fraction = Field(0.5, description="least landmark presence of a kept person")
    duplicate_distance: Positive = Field(0.1, description="of two people, in body extents")
    mirrored: bool = Field(True, description="mean with the mirrored crop in the last pass")
    agreement: Positive = Field(
        0.1, description="second look: median joint distance from the other views', in heights"
    )
    max_people: Count = Field(20, description="candidates that get a landmark pass")


class Estimator(Section):
    """The 2D pose estimator."""

    name: str = Field("blazepose", description="one of the table of estimators")
    blazepose: BlazePose = BlazePose()
    second_look: bool = Field(
        True, description="blazepose: look for people whom a view missed where others saw them"
    )
    files: str | None = Field(
        None,
        description="'file': COCO results JSON or OpenPose folder; 'ground_truth': the 3D truth; "
        "{sequence} and {dataset} are filled in",
    )
