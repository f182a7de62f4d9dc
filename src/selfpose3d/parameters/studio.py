"""The section ``studio``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import Count, Positive, Section, Seed

Sequences = Annotated[Count, Field(le=1000)]
"""Number of sequences; each sequence is a job of the workflow."""


class Studio(Section):
    """Rendered people with exact 3D truth (docs/studio.md)."""

    rig: str = Field(
        "config/rigs/ring5.yaml",
        description="file with the cameras of the rig: places, lenses and image sizes",
    )
    train_sequences: Sequences = Field(16, description="number of training sequences")
    train_frames: Count = Field(16, description="frames per training sequence")
    test_sequences: Sequences = Field(9, description="number of test sequences")
    test_frames: Count = Field(7, description="frames per test sequence")
    frame_interval: Positive = Field(0.3, description="time between two frames, s")
    people: tuple[Count, Count] = Field(
        (2, 4),
        description="fewest and most people per sequence; each number comes equally often",
    )
    seed: Seed = Field(
        1, description="seed of people and motions; two seeds share no person and no motion"
    )
