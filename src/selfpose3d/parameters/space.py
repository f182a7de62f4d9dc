"""The section ``space``."""

from selfpose3d.parameters.section import Positive, Section, Vector


class Space(Section):
    """The volume that people move in (world mm, z up)."""

    centre: Vector = (0.0, 0.0, 900.0)
    size: tuple[Positive, Positive, Positive] = (5600.0, 5600.0, 2000.0)
