"""All sections together: ``params.yaml`` and the overlays laid over it."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from selfpose3d.parameters.belagiannis import Campus, Shelf
from selfpose3d.parameters.compute import Compute
from selfpose3d.parameters.data import Data
from selfpose3d.parameters.estimator import Estimator
from selfpose3d.parameters.footage import Footage
from selfpose3d.parameters.inference import Inference
from selfpose3d.parameters.keypoints import Keypoints
from selfpose3d.parameters.labels import LabelSettings
from selfpose3d.parameters.mlflow import Mlflow
from selfpose3d.parameters.mvor import Mvor
from selfpose3d.parameters.networks import Augmentation, Heatmaps, Networks
from selfpose3d.parameters.panoptic import Panoptic
from selfpose3d.parameters.section import Section, Seed, with_installed_sections
from selfpose3d.parameters.space import Space
from selfpose3d.parameters.studio import Studio
from selfpose3d.parameters.study import ExperimentSettings, RunSettings, TableSettings
from selfpose3d.parameters.train import Train
from selfpose3d.parameters.training_free import TrainingFree
from selfpose3d.parameters.videos import Videos


class Parameters(Section):
    """Everything that ``params.yaml`` and its overlays may say."""

    seed: Seed = Field(0, description="seed of one training; the workflow sets it from seeds")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="training seeds; every experiment that trains is run with each of them"
    )
    data: Data = Data()
    studio: Studio = Studio()
    panoptic: Panoptic = Panoptic()
    shelf: Shelf = Shelf()
    campus: Campus = Campus()
    mvor: Mvor = Mvor()
    videos: Videos = Videos()
    keypoints: Keypoints = Keypoints()
    footage: Footage = Footage()
    space: Space = Space()
    estimator: Estimator = Estimator()
    labels: LabelSettings = LabelSettings()
    heatmaps: Heatmaps = Heatmaps()
    networks: Networks = Networks()
    augmentation: Augmentation = Augmentation()
    train: Train = Train()
    compute: Compute = Compute()
    inference: Inference = Inference()
    training_free: TrainingFree = TrainingFree()
    mlflow: Mlflow = Mlflow()
    run: RunSettings = RunSettings()
    experiments: dict[str, ExperimentSettings] = Field(
        default_factory=dict, description="experiments by name: a method and changed parameters"
    )
    tables: dict[str, TableSettings] = Field(
        default_factory=dict, description="results tables by name, with their experiments as rows"
    )

    @model_validator(mode="after")
    def _truth_is_read(self) -> "Parameters":
        if self.keypoints.truth and self.data.source == "keypoints":
            raise ValueError(
                "keypoints.truth: data.source: keypoints reads no truth; set data.source: "
                "keypoints_with_truth"
            )
        return self


if not TYPE_CHECKING:
    Parameters = with_installed_sections(Parameters, "")
