"""The section ``mvor``."""

from typing import Annotated

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Retries, Section, Timeout, check_names

Days = tuple[Annotated[int, Field(ge=1, le=4)], ...]


class Mvor(Section):
    """MVOR (Srivastav et al. 2018): an operating room on four days, published for tests alone."""

    url: str = Field(
        "https://s3.unistra.fr/camma_public/datasets/mvor",
        description="address of the images' host; or file:// and the folder that holds the "
        "archive, or what is unpacked from it",
    )
    annotations: str = Field(
        "https://raw.githubusercontent.com/CAMMA-public/MVOR/master/annotations",
        description="address, or file:// and the folder, of camma_mvor_2018.json",
    )
    train: dict[str, Days] = Field(
        default_factory=dict,
        description="days, of 1 to 4, that a training sequence is made of, by the sequence's name; "
        "[] leaves a sequence out",
    )
    test: dict[str, Days] = Field(
        {"mvor_test": (1, 2, 3, 4)}, description="the same of the test sequences"
    )
    retries: Retries = 8
    timeout: Timeout = 30.0

    @model_validator(mode="after")
    def _days_are_of_one_split(self) -> "Mvor":
        check_names((*self.train, *self.test))
        days = [day for each in (*self.train.values(), *self.test.values()) for day in each]
        doubled = sorted({day for day in days if days.count(day) > 1})
        if doubled:
            raise ValueError(
                f"train, test: the days {doubled} are there twice; name each day once. A sequence "
                "of another file stays unless it is left out: mvor_test: []"
            )
        return self
