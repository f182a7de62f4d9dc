"""The sections ``shelf`` and ``campus``."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Retries, Section, Timeout, check_names

Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""First and last frame."""
Parts = dict[str, tuple[Range, ...]]
TrainParts = Annotated[
    Parts,
    Field(
        description="first and last frames of the parts that a training sequence is made of, by "
        "the sequence's name; [] leaves a sequence out"
    ),
]
TestParts = Annotated[Parts, Field(description="the same of the test sequences")]
HOST = "https://www.campar.in.tum.de/public_datasets/2014_cvpr_belagiannis"


class Belagiannis(Section):
    """A data set of Belagiannis et al. (CVPR 2014)."""

    url: str = Field(
        HOST,
        description="address of the host; or file:// and the folder that holds the archive, or "
        "what is unpacked from it",
    )
    train: TrainParts = Field(default_factory=dict)
    test: TestParts = Field(default_factory=dict)
    retries: Retries = 8
    timeout: Timeout = 30.0

    @model_validator(mode="after")
    def _sequences_are_different_frames(self) -> "Belagiannis":
        check_names((*self.train, *self.test))
        for name, ranges in {**self.train, **self.test}.items():
            ends = [frame for pair in ranges for frame in pair]
            apart = all(a[1] < b[0] for a, b in pairwise(ranges))
            if ends != sorted(ends) or not apart:
                raise ValueError(
                    f"{name}: {[list(pair) for pair in ranges]}; parts are pairs of their first "
                    "and last frame, ascending, without a frame in two of them"
                )
        return self


class Shelf(Belagiannis):
    """Shelf (Belagiannis et al. 2014): test frames as published, training on all others."""

    train: TrainParts = Field({"shelf_train": ((0, 299), (601, 3199))})
    test: TestParts = Field({"shelf_test": ((300, 600),)})


class Campus(Belagiannis):
    """Campus (Belagiannis et al. 2014): test frames as published, training on all others."""

    train: TrainParts = Field({"campus_train": ((0, 349), (471, 649), (751, 1999))})
    test: TestParts = Field({"campus_test": ((350, 470), (650, 750))})
