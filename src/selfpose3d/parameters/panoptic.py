"""The section ``panoptic``."""

from typing import Annotated

from pydantic import Field

from selfpose3d.parameters.section import UNKEYED, Count, Retries, Section, Timeout


class Panoptic(Section):
    """The download of CMU Panoptic (Joo et al. 2015); sequences and cameras are the paper's."""

    url: str = Field(
        "http://domedb.perception.cs.cmu.edu/webdata/dataset", description="address of the host"
    )
    train: tuple[str, ...] = Field(
        (
            "160422_ultimatum1",
            "160224_haggling1",
            "160226_haggling1",
            "161202_haggling1",
            "160906_ian1",
            "160906_ian2",
            "160906_ian3",
            "160906_band1",
            "160906_band2",
        ),
        description="names of the training sequences",
    )
    test: tuple[str, ...] = Field(
        ("160906_pizza1", "160422_haggling1", "160906_ian5", "160906_band4"),
        description="names of the test sequences",
    )
    cameras: tuple[str, ...] = Field(
        ("00_03", "00_06", "00_12", "00_13", "00_23"),
        description="names of the cameras to fetch and use: HD ones (00_03), or VGA ones alone "
        "(01_01)",
    )
    parallel: Annotated[Count, UNKEYED] = Field(
        4, description="number of files fetched at the same time"
    )
    retries: Retries = 8
    timeout: Timeout = 30.0
