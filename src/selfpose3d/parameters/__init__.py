"""The typed parameters: ``params.yaml`` and what lies over it, one module a section.

Everything else receives the part it needs. A stage names the parts it reads (``plan.keys``) and is
given those and no others, so that its key covers all that its result depends on.
"""

from selfpose3d.parameters.compute import Compute
from selfpose3d.parameters.data import Data
from selfpose3d.parameters.estimator import BlazePose, Estimator
from selfpose3d.parameters.footage import Footage
from selfpose3d.parameters.inference import Inference
from selfpose3d.parameters.labels import Labels
from selfpose3d.parameters.loading import load_parameters, merge, parse_parameters
from selfpose3d.parameters.mlflow import Mlflow
from selfpose3d.parameters.networks import Augmentation, Heatmaps, Networks
from selfpose3d.parameters.panoptic import Panoptic
from selfpose3d.parameters.partial import parse_selected, partial, select
from selfpose3d.parameters.section import NotGivenError, Section
from selfpose3d.parameters.settings import with_settings
from selfpose3d.parameters.space import Space
from selfpose3d.parameters.studio import Studio
from selfpose3d.parameters.study import Method, Table
from selfpose3d.parameters.train import (
    BackboneStage,
    BodiesStage,
    PoseStage,
    RootStage,
    Stage,
    SupervisedPoseStage,
    SupervisedRootStage,
    Train,
    TrustStage,
)
from selfpose3d.parameters.training_free import TrainingFree
from selfpose3d.parameters.videos import Videos
from selfpose3d.parameters.whole import Parameters

__all__ = [
    "Augmentation",
    "BackboneStage",
    "BlazePose",
    "BodiesStage",
    "Compute",
    "Data",
    "Estimator",
    "Footage",
    "Heatmaps",
    "Inference",
    "Labels",
    "Method",
    "Mlflow",
    "Networks",
    "NotGivenError",
    "Panoptic",
    "Parameters",
    "PoseStage",
    "RootStage",
    "Section",
    "Space",
    "Stage",
    "Studio",
    "SupervisedPoseStage",
    "SupervisedRootStage",
    "Table",
    "Train",
    "TrainingFree",
    "TrustStage",
    "Videos",
    "load_parameters",
    "merge",
    "parse_parameters",
    "parse_selected",
    "partial",
    "select",
    "with_settings",
]
