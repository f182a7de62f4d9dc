"""Rendered people with exact 3D truth, in the layout of the CMU Panoptic host."""

from selfpose3d.studio.bodies import bake_bodies
from selfpose3d.studio.rig import read_rig
from selfpose3d.studio.sequence import render_sequence

__all__ = ["bake_bodies", "read_rig", "render_sequence"]
