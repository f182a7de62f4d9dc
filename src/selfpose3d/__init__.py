"""Multi-view, multi-person 3D human pose, learnt without 2D or 3D ground truth."""

__version__ = "0.1.0"
