"""The sections ``shelf`` and ``campus``."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from selfpose3d.parameters.section import UNKEYED, Positive, Section, check_names

Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""First and last frame."""
HOST = "https://www.campar.in.tum.de/public_datasets/2014_cvpr_belagiannis"


class Belagiannis(Section):
    """A data set of Belagiannis et al. (CVPR 2014)."""

    url: str = Field(
        HOST,
        description="address of the host; or file:// and the folder that holds the archive, or "
        "what is unpacked from it",
    )
    train: dict[str, tuple[Range, ...]] = Field(
        default_factory=dict,
        description="first and last frames of the parts that a training sequence is made of, by "
        "the sequence's name; [] leaves a sequence out",
    )
    test: dict[str, tuple[Range, ...]] = Field(
        default_factory=dict, description="the same of the test sequences"
    )
    retries: Annotated[int, Field(ge=0), UNKEYED] = Field(
        8, description="number of retries of the download"
    )
    timeout: Annotated[Positive, UNKEYED] = Field(
        30.0, description="time without a byte after which the download is retried, s"
    )

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

    train: dict[str, tuple[Range, ...]] = Field(
        {"shelf_train": ((0, 299), (601, 3199))},
        description="first and last frames of the parts that a training sequence is made of, by "
        "the sequence's name; [] leaves a sequence out",
    )
    test: dict[str, tuple[Range, ...]] = Field(
        {"shelf_test": ((300, 600),)}, description="the same of the test sequences"
    )


class Campus(Belagiannis):
    """Campus (Belagiannis et al. 2014): test frames as published, training on all others."""

    train: dict[str, tuple[Range, ...]] = Field(
        {"campus_train": ((0, 349), (471, 649), (751, 1999))},
        description="first and last frames of the parts that a training sequence is made of, by "
        "the sequence's name; [] leaves a sequence out",
    )
    test: dict[str, tuple[Range, ...]] = Field(
        {"campus_test": ((350, 470), (650, 750))}, description="the same of the test sequences"
    )
