"""The section ``studio``."""

from pydantic import Field

from selfpose3d.parameters.section import Count, Positive, Section, Seed


class Studio(Section):
    """Rendered people with exact 3D truth."""

    rig: str = Field("config/rigs/ring5.yaml", description="cameras: placement, lens, image size")
    train_sequences: Count = 16
    train_frames: Count = Field(16, description="frames a training sequence")
    test_sequences: Count = 9
    test_frames: Count = Field(7, description="frames a test sequence")
    frame_interval: Positive = Field(0.3, description="seconds from frame to frame")
    people: tuple[Count, Count] = Field(
        (2, 4), description="fewest and most people a sequence; each number comes equally often"
    )
    seed: Seed = Field(1, description="of the studio alone; two seeds share no person or motion")
