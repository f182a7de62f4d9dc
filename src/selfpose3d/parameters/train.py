"""The section ``train``: one part a training stage."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

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


class StageSettings(Section):
    """What every training stage has. Exactly one of epochs and iterations is given."""

    enabled: Annotated[bool, CHOICE] = True
    epochs: Positive | None = None
    iterations: Count | None = None
    batch_size: Count = 4
    learning_rate: Positive = 1e-4
    schedule: Literal["constant", "step", "cosine"] = "cosine"
    milestones: tuple[Fraction, ...] = Field((0.5, 0.75), description="x0.1, share of the length")
    threads: Count = Field(1, description="of the process; part of what makes numbers repeat")
    on_divergence: Literal["stop", "keep"] = Field(
        "stop",
        description="keep: the weights it has by then are its result, for tables of what fails",
    )

    @model_validator(mode="after")
    def _one_length(self) -> "StageSettings":
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give exactly one of epochs and iterations (the other null)")
        return self


class BackboneSettings(StageSettings):
    """heatmap_net_2d on the pseudo heatmaps."""

    iterations: Count | None = 850
    batch_size: Count = 16
    learning_rate: Positive = 2e-3
    weights: Literal["none", "imagenet"] = Field("imagenet", description="the trunk's start")
    trunk_rate: Positive = Field(
        1.0, description="learning rate of a trunk with given weights, relative"
    )
    crop: Annotated[int, Field(ge=0)] = Field(144, description="person crops, px; 0: full frames")
    rotated: Fraction = Field(
        0.2, description="share of the crops turned by augmentation.rotation; the rest by 6 degrees"
    )
    mirror: bool = Field(True, description="half of the crops mirrored, sides exchanged")
    positive_weight: NonNegative = Field(20.0, description="extra weight of the heatmaps' peaks")
    amplitudes: Literal["score", "one"] = Field(
        "score", description="of the target heatmaps: the joint's score, or 1 as in the paper"
    )
    least_score: Fraction = Field(0.15, description="joints below are no targets; paper 0")


class RootSettings(StageSettings):
    """root_net on synthetic roots and root consistency (eq. 2, 3)."""

    iterations: Count | None = 150
    batch_size: Count = 4
    learning_rate: Positive = 3e-3
    synthetic_weight: NonNegative = Field(1.0, description="of l_root_syn; released code 100")
    consistency_weight: NonNegative = Field(1.0, description="of l_root_C")
    positive_weight: NonNegative = Field(
        10.0, description="extra weight of the target volume's peaks; paper 0"
    )
    real_frames: Count | None = Field(
        1, description="of a batch, seen for l_root_C; null: as many as synthetic samples (paper)"
    )
    real_every: Count = Field(
        5, description="of the training frames, every n-th is seen for l_root_C; paper 1"
    )
    people: tuple[Count, Count] = Field((1, 9), description="synthetic roots a sample")
    heights: tuple[float, float] = Field(
        (450.0, 1100.0), description="of the synthetic roots, mm; released code 50, 1500"
    )
    noise: NonNegative = Field(0.02, description="of the synthetic heatmaps")
    missing: Fraction = Field(0.15, description="synthetic roots missing in a view; paper 0")
    displaced: NonNegative = Field(
        0.02,
        description="of synthetic roots in a view, standard deviation in body heights; paper 0",
    )
    amplitudes: tuple[Fraction, Fraction] = Field(
        (0.45, 1.0), description="of the synthetic roots' heatmaps; paper 1, 1"
    )
    target_sigma: Positive = Field(200.0, description="of the target volume, mm")
    variants: Variants = 2


class BodiesSettings(StageSettings):
    """pose_net on the people of the training-free reconstruction, re-placed and as they stood."""

    iterations: Count | None = 600
    batch_size: Count = Field(1, description="rigs a step, each with its own bodies")
    learning_rate: Positive = 2e-3
    people: tuple[Count, Count] = Field((3, 5), description="bodies a rig")
    root_noise: NonNegative = Field(60.0, description="of the cuboids' centres, mm")
    augmented: Fraction = Field(0.3, description="share of the samples with an affine map")
    corruption: Literal["bank", "generic"] = Field(
        "bank",
        description="errors of the 2D people: as the labels, or the backbone's heatmaps, have them "
        "on training frames; or hand-made",
    )
    spread: tuple[Positive, Positive] = Field(
        (0.8, 1.3), description="range of the factor on the bank's residuals"
    )
    synthetic: Fraction = Field(
        0.5,
        description="share of the steps that see bodies re-placed; the others see training frames, "
        "with the people who were reconstructed there",
    )
    variants: Variants = 2


class PoseSettings(StageSettings):
    """pose_net, attn_net and heatmap_net_2d by projection (eq. 4 to 11)."""

    labels: Literal["soft", "hard"] = "soft"
    heatmap_weight: NonNegative = Field(1.0, description="of l_pose_H (eq. 4)")
    joint_weight: NonNegative = Field(0.0, description="lambda of eq. 11")
    attention_weight: NonNegative = Field(0.1, description="sigma of eq. 11")
    soft_attention: bool = True
    hard_attention: bool = True
    train_backbone: bool = Field(False, description="paper: true")
    train_root: bool = Field(False, description="paper: true; released code: false")
    proposals: Literal["plain", "augmented"] = Field(
        "plain", description="from G0 (released code) or G2 (paper)"
    )
    affine: bool = Field(True, description="false: variants 1 and 2 are neither turned nor scaled")
    cross_affine: bool = Field(
        True,
        description="a variant's poses learn in the other variant's image; false: in their own",
    )
    subpixel_targets: bool = Field(True, description="false: targets truncated as released")
    least_score: Fraction = Field(0.15, description="joints below are no targets; paper 0")
    root_noise: NonNegative = Field(40.0, description="of the cuboids' centres, mm; paper 0")
    match_distance: Positive = Field(
        0.1, description="l_pose_J: farthest match, share of the image size"
    )
    variants: Variants = 3


class SupervisedRootSettings(StageSettings):
    """VoxelPose: root_net on the true roots of the training frames."""

    iterations: Count | None = 150
    batch_size: Count = 4
    learning_rate: Positive = 3e-3
    augmented: Fraction = Field(0.5, description="share of the frames with an affine map")
    positive_weight: NonNegative = Field(
        10.0, description="extra weight of the target volume's peaks; VoxelPose 0"
    )
    target_sigma: Positive = Field(200.0, description="of the target volume, mm")
    variants: Variants = 2


class SupervisedPoseSettings(BodiesSettings):
    """VoxelPose: pose_net on the true people of the training frames, and on such re-placed."""

    synthetic: Fraction = Field(
        0.0,
        description="share of the steps that see true bodies re-placed, with the labels' errors, "
        "instead of training frames",
    )


class TrustSettings(StageSettings):
    """trust_net on synthetic people, made from the training-free reconstruction; no truth."""

    iterations: Count | None = 1000
    batch_size: Count = Field(256, description="people a step")
    learning_rate: Positive = 3e-3
    frames: Count = Field(3000, description="synthetic frames, made once")
    people: tuple[Count, Count] = Field((2, 5), description="bodies a frame")
    spread: tuple[Positive, Positive] = Field(
        (0.8, 1.3), description="range of the factor on the labels' residuals"
    )


class Train(Section):
    """The stages in their order."""

    backbone: BackboneSettings = BackboneSettings()
    root: RootSettings = RootSettings()
    bodies: BodiesSettings = BodiesSettings()
    pose_l2: PoseSettings = PoseSettings(iterations=50, batch_size=1, learning_rate=1e-4)
    pose_l1: PoseSettings = PoseSettings(
        iterations=50, batch_size=1, learning_rate=5e-5, joint_weight=0.01
    )
    finetune: PoseSettings = PoseSettings(
        enabled=False,
        iterations=30,
        batch_size=1,
        learning_rate=5e-5,
        joint_weight=0.01,
        labels="hard",
    )
    supervised_root: SupervisedRootSettings = SupervisedRootSettings()
    supervised_pose: SupervisedPoseSettings = SupervisedPoseSettings()
    trust: TrustSettings = TrustSettings()


if not TYPE_CHECKING:
    Train = with_installed_sections(Train, "train.")
