"""The section ``space``."""

from typing import Annotated

from pydantic import AfterValidator, Field

from selfpose3d.parameters.section import Positive, Section, Vector

Lengths = tuple[Positive, Positive, Positive]

_IN_MM = (("metres", 1000, 100.0), ("centimetres", 10, 1000.0))
"""Units, mm per unit, and the longest side in mm up to which a space must be in that unit: nobody
moves in less than a metre."""


def _check_unit(size: Lengths) -> Lengths:
    for unit, factor, most in _IN_MM:
        if max(size) < most:
            in_mm = [round(factor * side) for side in size]
            raise ValueError(
                f"a space of {max(size):g} mm holds nobody, and seems to be in {unit}; write mm, "
                f"size: {in_mm}, and the centre in mm, too"
            )
    return size


class Space(Section):
    """The volume in which people move, in world coordinates (z up)."""

    centre: Vector = Field((0.0, 0.0, 900.0), description="centre x, y, z, mm")
    size: Annotated[Lengths, AfterValidator(_check_unit)] = Field(
        (5600.0, 5600.0, 2000.0), description="lengths along x, y, z, mm"
    )
