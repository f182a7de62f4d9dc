"""The section ``space``."""

from pydantic import Field

from selfpose3d.parameters.section import Positive, Section, Vector


class Space(Section):
    """The volume in which people move, in world coordinates (z up)."""

    centre: Vector = Field((0.0, 0.0, 900.0), description="centre x, y, z, mm")
    size: tuple[Positive, Positive, Positive] = Field(
        (5600.0, 5600.0, 2000.0), description="lengths along x, y, z, mm"
    )
