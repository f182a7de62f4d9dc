"""The section ``keypoints``."""

import re

from pydantic import Field, field_validator, model_validator

from selfpose3d.parameters.section import Section, check_placeholders


class Keypoints(Section):
    """Your own 2D people without pictures, of ``estimator.files`` (docs/people2d.md).

    Frames are those that the files number; of these every n-th is used (``data.train_every``,
    ``data.test_every``).
    """

    calibration: str | None = Field(
        None,
        description="path of the calibration, a file or the folder it lies in; {sequence} is "
        "filled in",
    )
    train: tuple[str, ...] = Field((), description="names of the training sequences")
    test: tuple[str, ...] = Field((), description="names of the held-out test sequences")

    @field_validator("calibration")
    @classmethod
    def _placeholders(cls, value: str | None) -> str | None:
        return check_placeholders(value, ("sequence",))

    @model_validator(mode="after")
    def _names_are_different(self) -> "Keypoints":
        names = (*self.train, *self.test)
        strange = [name for name in names if not re.fullmatch("[A-Za-z0-9_]+", name)]
        if strange:
            raise ValueError(
                f"train, test: the names {strange} may contain only letters, digits and _; rename "
                "the sequences"
            )
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(
                f"train, test: {doubled} are there twice; give every sequence one name"
            )
        return self
