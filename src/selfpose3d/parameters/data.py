"""The section ``data``."""

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Count, Section, Size


class Data(Section):
    """Which data, and at what size it is kept."""

    source: str = Field(
        "studio", description="one of the table of sources: studio, panoptic, videos, ..."
    )
    cameras: tuple[str, ...] | None = Field(
        None, description="cameras to use; null: all, of Panoptic those of panoptic.cameras"
    )
    stored_size: Size = Field((960, 576), description="of stored frames, width and height, px")
    network_size: Size = Field((480, 288), description="of the network's input, px")
    train_every: Count = Field(1, description="take every n-th frame of a training sequence")
    test_every: Count = Field(1, description="take every n-th frame of a test sequence")

    @model_validator(mode="after")
    def _divisible(self) -> "Data":
        if any(side % 32 for side in self.network_size):
            raise ValueError(f"network_size {self.network_size}: sides must be divisible by 32")
        return self
