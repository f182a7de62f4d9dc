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


class _Fetched(Section):
    """Where the weights of an estimator come from, and whom it keeps."""

    source: str | None = Field(
        None,
        description="address of a mirror of the weights' host, or a folder that holds the files by "
        "their names (docs/estimators.md); null: the authors' host",
    )
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")]] = Field(
        default_factory=dict,
        description="SHA-256 of weight files by their names, or its first digits; a value given "
        "here overrides the known one",
    )


class RtmLib(_Fetched):
    """RTMPose and RTMO as rtmlib runs them (extra rtmlib)."""

    model: Literal["body_with_feet", "body", "rtmo"] = Field(
        "body_with_feet",
        description="YOLOX and RTMPose with 26 joints (body_with_feet) or 17 (body), or RTMO, "
        "which finds people and their 17 joints at once",
    )
    mode: Literal["lightweight", "balanced", "performance"] = Field(
        "balanced", description="size of the networks"
    )
    person_score: Fraction = Field(0.3, description="lowest score of a person's box")


class Transformers(_Fetched):
    """A detector and ViTPose of Hugging Face transformers (extra transformers)."""

    detector: str = Field(
        "PekingU/rtdetr_v2_r50vd", description="repository of the detector, which knows persons"
    )
    pose: str = Field(
        "usyd-community/vitpose-plus-base",
        description="repository of the ViTPose or ViTPose++, of which the expert of COCO is used",
    )
    person_score: Fraction = Field(0.3, description="lowest score of a person's box")


class TorchVision(_Fetched):
    """Keypoint R-CNN of torchvision, with ResNet-50 (extra torchvision)."""

    person_score: Fraction = Field(0.05, description="lowest score of a person's box")


class Estimator(Section):
    """The 2D pose estimator."""

    name: str = Field(
        "blazepose",
        description="one of the table of estimators: blazepose; rtmlib, transformers or "
        "torchvision, which are extras (docs/estimators.md); file: your own 2D people; "
        "ground_truth: exact projections of the 3D truth",
    )
    blazepose: BlazePose = BlazePose()
    rtmlib: RtmLib = RtmLib()
    transformers: Transformers = Transformers()
    torchvision: TorchVision = TorchVision()
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
