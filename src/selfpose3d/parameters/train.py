"""The section ``train``: one part per training stage."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from selfpose3d.parameters.section import (
    CHOICE,
    Count,
    Fraction,
    NonNegative,
    Positive,
    Section,
    Variants,
    with_installed_sections,
)

Enabled = Annotated[bool, Field(description="whether the stage is trained"), CHOICE]
Epochs = Annotated[
    Positive | None,
    Field(description="length in passes over the training frames; null: iterations counts"),
]
Iterations = Annotated[
    Count | None, Field(description="length in optimiser steps; null: epochs counts")
]
LearningRate = Annotated[Positive, Field(description="Adam's learning rate before the schedule")]
LabelKind = Annotated[
    Literal["soft", "hard", "consensus"], Field(description="kind of pseudo labels")
]
JointWeight = Annotated[
    NonNegative, Field(description="weight of the L1 loss l_pose_J (lambda of eq. 11)")
]


class StageSettings(Section):
    """The settings of every training stage. Exactly one of epochs and iterations is given."""

    enabled: Enabled = True
    epochs: Epochs = None
    iterations: Iterations = None
    batch_size: Count = Field(4, description="samples per step")
    learning_rate: LearningRate = 1e-4
    schedule: Literal["constant", "step", "cosine"] = Field(
        "cosine", description="course of the learning rate"
    )
    milestones: tuple[Fraction, ...] = Field(
        (0.5, 0.75),
        description="points at which schedule step divides the rate by 10, as fractions of the "
        "length",
    )
    on_divergence: Literal["stop", "keep"] = Field(
        "stop",
        description="what happens when the training diverges; stop: an error; keep: the weights "
        "reached so far become the result, for tables of what fails",
    )

    @model_validator(mode="after")
    def _one_length(self) -> "StageSettings":
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give exactly one of epochs and iterations (the other null)")
        return self


class BackboneSettings(StageSettings):
    """Trains heatmap_net_2d on the pseudo heatmaps."""

    iterations: Iterations = 850
    batch_size: Count = Field(16, description="crops or images per step")
    learning_rate: LearningRate = 2e-3
    labels: LabelKind = "soft"
    weights: Literal["none", "imagenet"] = Field(
        "imagenet", description="initial weights of the trunk"
    )
    trunk_rate: Positive = Field(
        1.0, description="learning rate of an initialised trunk, relative to learning_rate"
    )
    crop: Annotated[int, Field(ge=0)] = Field(
        144, description="side of the person crops, px; 0: whole frames (paper)"
    )
    rotated: Fraction = Field(
        0.2,
        description="fraction of the crops rotated by up to augmentation.rotation; the others are "
        "rotated by up to 6 degrees",
    )
    mirror: bool = Field(
        True, description="whether half of the crops are mirrored, left and right exchanged"
    )
    positive_weight: NonNegative = Field(
        20.0, description="extra weight of the loss at the heatmaps' peaks; paper 0"
    )
    amplitudes: Literal["score", "one"] = Field(
        "score", description="height of the target heatmaps: the joint's score, or 1 (paper)"
    )
    least_score: Fraction = Field(
        0.15, description="score up to which a joint is no target; paper 0"
    )


class RootSettings(StageSettings):
    """Trains root_net on synthetic roots and with root consistency (eq. 2, 3)."""

    iterations: Iterations = 150
    batch_size: Count = Field(4, description="synthetic samples per step")
    learning_rate: LearningRate = 3e-3
    synthetic_weight: NonNegative = Field(
        1.0, description="weight of l_root_syn; released code 100"
    )
    consistency_weight: NonNegative = Field(1.0, description="weight of l_root_C")
    positive_weight: NonNegative = Field(
        10.0, description="extra weight of the loss at the target volume's peaks; paper 0"
    )
    real_frames: Count | None = Field(
        1, description="training frames per step for l_root_C; null: batch_size (paper)"
    )
    real_every: Count = Field(
        5, description="step between the training frames used for l_root_C; n: every n-th; paper 1"
    )
    people: tuple[Count, Count] = Field(
        (1, 9), description="fewest and most synthetic roots per sample"
    )
    heights: tuple[float, float] = Field(
        (450.0, 1100.0),
        description="lowest and highest z of the synthetic roots, mm; released code 50, 1500",
    )
    noise: NonNegative = Field(
        0.02, description="standard deviation of the noise on the synthetic heatmaps"
    )
    missing: Fraction = Field(
        0.15, description="probability that a synthetic root is missing in a view; paper 0"
    )
    displaced: NonNegative = Field(
        0.02,
        description="standard deviation of a synthetic root's displacement in a view, relative to "
        "the body's height; paper 0",
    )
    amplitudes: tuple[Fraction, Fraction] = Field(
        (0.45, 1.0), description="lowest and highest peak of the synthetic heatmaps; paper 1, 1"
    )
    target_sigma: Positive = Field(
        200.0, description="standard deviation of the Gaussians of the target volume, mm"
    )
    variants: Variants = 2


class BodiesSettings(StageSettings):
    """Trains pose_net on people of the training-free reconstruction, moved or in their frames."""

    iterations: Iterations = 600
    batch_size: Count = Field(1, description="rigs per step, each with bodies of its own")
    learning_rate: LearningRate = 2e-3
    people: tuple[Count, Count] = Field((3, 5), description="fewest and most bodies per rig")
    root_noise: NonNegative = Field(
        60.0, description="standard deviation of the noise on the cuboids' centres per axis, mm"
    )
    augmented: Fraction = Field(
        0.3, description="fraction of the samples that are rotated and scaled"
    )
    corruption: Literal["bank", "generic"] = Field(
        "bank",
        description="errors of the moved bodies' 2D people; bank: errors that the labels or the "
        "backbone's heatmaps have on training frames; generic: hand-made errors",
    )
    spread: tuple[Positive, Positive] = Field(
        (0.8, 1.3), description="smallest and largest factor by which the bank's errors are scaled"
    )
    synthetic: Fraction = Field(
        0.5,
        description="fraction of the steps that show moved bodies; the others show training frames "
        "with the people reconstructed there",
    )
    variants: Variants = 2


class PoseSettings(StageSettings):
    """Trains pose_net, attn_net_2d and heatmap_net_2d by projection (eq. 4 to 11)."""

    iterations: Iterations = 50
    batch_size: Count = Field(1, description="frames per step; paper 1")
    labels: LabelKind = "soft"
    heatmap_weight: NonNegative = Field(1.0, description="weight of the L2 loss l_pose_H (eq. 4)")
    joint_weight: JointWeight = 0.0
    attention_weight: NonNegative = Field(
        0.1, description="weight of the attention's own loss (sigma of eq. 11)"
    )
    soft_attention: bool = Field(True, description="whether attention maps weigh the L2 loss")
    hard_attention: bool = Field(
        True, description="whether the L1 loss leaves out the worst view of each person"
    )
    train_backbone: bool = Field(
        False, description="whether heatmap_net_2d is trained as well; paper: true"
    )
    train_root: bool = Field(
        False, description="whether root_net is trained as well; paper: true; released code: false"
    )
    proposals: Literal["plain", "augmented"] = Field(
        "plain",
        description="variant in which roots are proposed: G0, plain (released code), or G2, "
        "augmented (paper)",
    )
    affine: bool = Field(True, description="whether variants 1 and 2 are rotated and scaled")
    cross_affine: bool = Field(
        True,
        description="whether the poses of one variant are compared in the image of the other; "
        "false: in their own",
    )
    subpixel_targets: bool = Field(
        True, description="whether targets keep sub-pixel positions; released code: false"
    )
    least_score: Fraction = Field(
        0.15, description="score up to which a joint is no target; paper 0"
    )
    root_noise: NonNegative = Field(
        40.0,
        description="standard deviation of the noise on the cuboids' centres per axis, mm; paper 0",
    )
    match_distance: Positive = Field(
        0.1,
        description="largest distance between a projected person and the label matched in "
        "l_pose_J, relative to the image's size",
    )
    variants: Variants = 3


class L1Settings(PoseSettings):
    """Trains as pose_l2 and adds the L1 loss; unlisted keys are as in pose_l2."""

    learning_rate: LearningRate = 5e-5
    joint_weight: JointWeight = 0.01


class FinetuneSettings(PoseSettings):
    """A last training stage, on hard labels (off by default); unlisted keys are as in pose_l2."""

    enabled: Enabled = False
    epochs: Epochs = None
    iterations: Iterations = 30
    learning_rate: LearningRate = 5e-5
    joint_weight: JointWeight = 0.01
    labels: LabelKind = "hard"


class SupervisedRootSettings(StageSettings):
    """VoxelPose: trains root_net on the true roots of the training frames."""

    iterations: Iterations = 150
    batch_size: Count = Field(4, description="frames per step")
    learning_rate: LearningRate = 3e-3
    augmented: Fraction = Field(
        0.5, description="fraction of the frames that are rotated and scaled"
    )
    positive_weight: NonNegative = Field(
        10.0, description="extra weight of the loss at the target volume's peaks; VoxelPose 0"
    )
    target_sigma: Positive = Field(
        200.0, description="standard deviation of the Gaussians of the target volume, mm"
    )
    variants: Variants = 2


class SupervisedPoseSettings(BodiesSettings):
    """VoxelPose: trains pose_net on the true people of the training frames, in place or moved."""

    synthetic: Fraction = Field(
        0.0,
        description="fraction of the steps that show true bodies, moved, with the labels' errors; "
        "the others show training frames",
    )


class TrustSettings(StageSettings):
    """Trains trust_net on synthetic people made from the training-free reconstruction."""

    iterations: Iterations = 1000
    batch_size: Count = Field(256, description="people per step")
    learning_rate: LearningRate = 3e-3
    frames: Count = Field(3000, description="number of synthetic frames, made once")
    people: tuple[Count, Count] = Field((2, 5), description="fewest and most bodies per frame")
    spread: tuple[Positive, Positive] = Field(
        (0.8, 1.3), description="smallest and largest factor by which the labels' errors are scaled"
    )


LATER_POSE_STAGES: dict[str, type[PoseSettings]] = {
    "pose_l1": L1Settings,
    "finetune": FinetuneSettings,
}
"""The pose stages after pose_l2. The keys that their classes declare are their own; in all others
they follow pose_l2."""


class Train(Section):
    """The training stages in their order."""

    backbone: BackboneSettings = BackboneSettings()
    root: RootSettings = RootSettings()
    bodies: BodiesSettings = BodiesSettings()
    pose_l2: PoseSettings = PoseSettings()
    pose_l1: L1Settings = L1Settings()
    finetune: FinetuneSettings = FinetuneSettings()
    supervised_root: SupervisedRootSettings = SupervisedRootSettings()
    supervised_pose: SupervisedPoseSettings = SupervisedPoseSettings()
    trust: TrustSettings = TrustSettings()

    @model_validator(mode="before")
    @classmethod
    def _later_pose_stages_follow_pose_l2(cls, values: Any) -> Any:
        """Give pose_l1 and finetune the keys of pose_l2 that they neither state nor own."""
        if not isinstance(values, Mapping) or not _is_valid(PoseSettings, values.get("pose_l2")):
            return values
        return {**values, **{name: _completed(name, values) for name in LATER_POSE_STAGES}}

    def follows_pose_l2(self, stage: str, key: str) -> bool:
        """Whether a key of a stage has pose_l2's value and need not be stated again."""
        if stage not in LATER_POSE_STAGES or key in LATER_POSE_STAGES[stage].__annotations__:
            return False
        return bool(getattr(getattr(self, stage), key) == getattr(self.pose_l2, key))


def _is_valid(model: type[Section], values: Any) -> bool:
    try:
        model.model_validate(values)
    except ValidationError:
        return False
    return True


def _completed(name: str, values: Mapping[str, Any]) -> Any:
    """The values of a later pose stage, completed by those of pose_l2 where that is possible."""
    stated, own = values.get(name, {}), LATER_POSE_STAGES[name].__annotations__
    if not isinstance(stated, Mapping):
        return stated
    return {**{key: value for key, value in values["pose_l2"].items() if key not in own}, **stated}


if not TYPE_CHECKING:
    Train = with_installed_sections(Train, "train.")
