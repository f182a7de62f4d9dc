"""The typed parameters of ``params.yaml`` and its overlays, one module per section.

All other code receives the parts that it needs. A stage names the parts that it reads
(``plan.keys``) and is given only those, so that its key covers every parameter on which its result
depends.
"""

from selfpose3d.parameters.belagiannis import Belagiannis, Campus, Shelf
from selfpose3d.parameters.compute import Compute
from selfpose3d.parameters.data import Data
from selfpose3d.parameters.estimator import BlazePose, Estimator, RtmLib, TorchVision, Transformers
from selfpose3d.parameters.footage import Footage
from selfpose3d.parameters.inference import Inference
from selfpose3d.parameters.keypoints import Keypoints
from selfpose3d.parameters.labels import LabelSettings
from selfpose3d.parameters.loading import load_parameters, merge, parse_parameters
from selfpose3d.parameters.mlflow import Mlflow
from selfpose3d.parameters.mvor import Mvor
from selfpose3d.parameters.networks import Augmentation, Heatmaps, Networks
from selfpose3d.parameters.panoptic import Panoptic
from selfpose3d.parameters.partial import (
    ALSO_VARIABLE,
    leaves,
    parse_selected,
    part_of,
    partial,
    select,
    unkeyed,
)
from selfpose3d.parameters.section import UNKEYED, NotGivenError, Section
from selfpose3d.parameters.settings import with_settings
from selfpose3d.parameters.space import Space
from selfpose3d.parameters.studio import Studio
from selfpose3d.parameters.study import ExperimentSettings, RunSettings, TableSettings
from selfpose3d.parameters.train import (
    BackboneSettings,
    BodiesSettings,
    PoseSettings,
    RootSettings,
    StageSettings,
    SupervisedPoseSettings,
    SupervisedRootSettings,
    Train,
    TrustSettings,
)
from selfpose3d.parameters.training_free import TrainingFree
from selfpose3d.parameters.videos import Videos
from selfpose3d.parameters.whole import Parameters

__all__ = [
    "ALSO_VARIABLE",
    "UNKEYED",
    "Augmentation",
    "BackboneSettings",
    "Belagiannis",
    "BlazePose",
    "BodiesSettings",
    "Campus",
    "Compute",
    "Data",
    "Estimator",
    "ExperimentSettings",
    "Footage",
    "Heatmaps",
    "Inference",
    "Keypoints",
    "LabelSettings",
    "Mlflow",
    "Mvor",
    "Networks",
    "NotGivenError",
    "Panoptic",
    "Parameters",
    "PoseSettings",
    "RootSettings",
    "RtmLib",
    "RunSettings",
    "Section",
    "Shelf",
    "Space",
    "StageSettings",
    "Studio",
    "SupervisedPoseSettings",
    "SupervisedRootSettings",
    "TableSettings",
    "TorchVision",
    "Train",
    "TrainingFree",
    "Transformers",
    "TrustSettings",
    "Videos",
    "leaves",
    "load_parameters",
    "merge",
    "parse_parameters",
    "parse_selected",
    "part_of",
    "partial",
    "select",
    "unkeyed",
    "with_settings",
]
