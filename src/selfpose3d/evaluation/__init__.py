"""Evaluation: metrics of predicted 3D people against true ones. It knows only poses."""

from selfpose3d.evaluation.files import evaluate_files
from selfpose3d.evaluation.metrics import Metrics, evaluate

__all__ = ["Metrics", "evaluate", "evaluate_files"]
