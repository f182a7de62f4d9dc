"""The section ``videos``."""

import re

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Section


class Videos(Section):
    """Own synchronised videos: a folder a sequence, with <camera>.mp4 and a calibration.

    Every n-th frame is taken, n being data.train_every and data.test_every.
    """

    train: dict[str, str] = Field(
        default_factory=dict,
        description="folder by sequence name; it holds <camera>.mp4 and "
        "cameras.json or a Pose2Sim Calib.toml",
    )
    test: dict[str, str] = Field(default_factory=dict, description="likewise, held out")

    @model_validator(mode="after")
    def _names_are_folders_of_their_own(self) -> "Videos":
        strange = [n for n in (*self.train, *self.test) if not re.fullmatch("[A-Za-z0-9_]+", n)]
        if strange:
            raise ValueError(
                f"train, test: the names {strange} are to be of letters, digits and _ alone; "
                "rename the sequences, their folders may be called anything"
            )
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(
                f"train, test: {both} are in both; give the held-out sequences other names, and "
                "other videos"
            )
        return self
