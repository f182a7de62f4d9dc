"""The section ``panoptic``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import UNKEYED, Count, Positive, Section


class Panoptic(Section):
    """The CMU Panoptic download (Joo et al. 2015), with the paper's split."""

    url: str = "http://domedb.perception.cs.cmu.edu/webdata/dataset"
    train: tuple[str, ...] = (
        "160422_ultimatum1",
        "160224_haggling1",
        "160226_haggling1",
        "161202_haggling1",
        "160906_ian1",
        "160906_ian2",
        "160906_ian3",
        "160906_band1",
        "160906_band2",
    )
    test: tuple[str, ...] = ("160906_pizza1", "160422_haggling1", "160906_ian5", "160906_band4")
    cameras: tuple[str, ...] = ("00_03", "00_06", "00_12", "00_13", "00_23")
    parallel: Annotated[Count, UNKEYED] = Field(4, description="files fetched at a time")
    retries: Annotated[int, Field(ge=0), UNKEYED] = 8
    timeout: Annotated[Positive, UNKEYED] = Field(
        30.0, description="seconds without a byte before a retry"
    )
