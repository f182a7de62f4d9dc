"""Evaluation: knows only poses. Two sets of 3D people in, metrics out."""

from selfpose3d.evaluation.files import evaluate_files
from selfpose3d.evaluation.metrics import Metrics, evaluate

__all__ = ["Metrics", "evaluate", "evaluate_files"]
