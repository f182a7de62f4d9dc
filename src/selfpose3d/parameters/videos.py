"""The section ``videos``."""

import re

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Section


class Videos(Section):
    """Your own synchronised videos: one folder per sequence (docs/own_cameras.md).

    A folder holds a calibration and, per camera, one video (<camera>.mp4) or one folder of
    numbered images (<camera>/000000.jpg). Of the frames every n-th is used; n is
    ``data.train_every`` for training and ``data.test_every`` for test sequences.
    """

    train: dict[str, str] = Field(
        default_factory=dict,
        description="folder of each training sequence by the sequence's name; it holds "
        "<camera>.mp4 or <camera>/ and a calibration in a known format (docs/calibrations.md)",
    )
    test: dict[str, str] = Field(
        default_factory=dict, description="folder of each held-out test sequence, likewise"
    )

    @model_validator(mode="after")
    def _names_are_folders_of_their_own(self) -> "Videos":
        strange = [n for n in (*self.train, *self.test) if not re.fullmatch("[A-Za-z0-9_]+", n)]
        if strange:
            raise ValueError(
                f"train, test: the names {strange} may contain only letters, digits and _; "
                "rename the sequences (their folders may have any name)"
            )
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(
                f"train, test: {both} are in both; give the held-out sequences other names and "
                "other videos"
            )
        return self
