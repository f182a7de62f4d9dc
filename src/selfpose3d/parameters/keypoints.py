"""The section ``keypoints``."""

from pydantic import Field, field_validator, model_validator

from selfpose3d.parameters.section import Section, check_names, check_placeholders


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
    truth: str | None = Field(
        None,
        description="path of the 3D truth, for data.source: keypoints_with_truth: 3D people as "
        "Parquet or JSON, actorsGT.mat, or MVOR's annotations; {sequence} is filled in",
    )
    train: tuple[str, ...] = Field((), description="names of the training sequences")
    test: tuple[str, ...] = Field((), description="names of the held-out test sequences")

    @field_validator("calibration", "truth")
    @classmethod
    def _placeholders(cls, value: str | None) -> str | None:
        return check_placeholders(value, ("sequence",))

    @model_validator(mode="after")
    def _names_are_different(self) -> "Keypoints":
        check_names((*self.train, *self.test))
        return self
