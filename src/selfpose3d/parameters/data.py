"""The section ``data``."""

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Count, Positive, Section, Size


class Data(Section):
    """Which data are used, and at what image size they are stored."""

    source: str = Field(
        "studio",
        description="origin of the data, one of the table of sources: studio (rendered), panoptic "
        "(CMU Panoptic), shelf, campus, mvor, videos (your own), keypoints (your own 2D people "
        "without pictures), keypoints_with_truth (the same with their 3D truth)",
    )
    cameras: tuple[str, ...] | None = Field(
        None,
        description="names of the cameras to use; null: all cameras, for Panoptic those of "
        "panoptic.cameras",
    )
    stored_size: Size = Field((960, 576), description="width and height of stored frames, px")
    network_size: Size = Field(
        (480, 288), description="width and height of the networks' input, px; multiples of 32"
    )
    frame_rate: Positive = Field(
        25.0,
        description="frames per second of folders of images and of 2D people without pictures, "
        "which do not tell it; videos do",
    )
    train_every: Count = Field(
        1, description="step between used frames of a training sequence; n: every n-th frame"
    )
    test_every: Count = Field(
        1, description="step between used frames of a test sequence; n: every n-th frame"
    )

    @model_validator(mode="after")
    def _divisible(self) -> "Data":
        if any(side % 32 for side in self.network_size):
            raise ValueError(f"network_size {self.network_size}: sides must be divisible by 32")
        return self
