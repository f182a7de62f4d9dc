"""The sections ``heatmaps``, ``networks`` and ``augmentation``."""

from typing import Literal

from pydantic import Field

from selfpose3d.parameters.section import Count, Fraction, GridSide, NonNegative, Positive, Section


class Heatmaps(Section):
    """What the 3D networks look at."""

    source: Literal["backbone", "estimator"] = Field(
        "backbone", description="images through heatmap_net_2d, or the estimator's people rendered"
    )
    sigma: Positive = Field(1.3, description="of the Gaussians, heatmap px; paper 3")
    stride: Literal[4] = Field(4, description="input px per heatmap px")


class Networks(Section):
    """Sizes of the networks."""

    backbone: Literal["mobilenet_v2", "pose_resnet50", "pose_resnet18"] = "mobilenet_v2"
    side_aware: bool = Field(
        True, description="head of 9 side-merged heatmaps and 6 side logits instead of 15 heatmaps"
    )
    attention: Literal["small", "pose_resnet18", "pose_resnet34", "pose_resnet50", "shared"] = (
        Field(
            "small",
            description="paper pose_resnet18; shared: a head on the trunk of heatmap_net_2d "
            "(heatmaps.source: backbone)",
        )
    )
    root_input: Literal["root", "all"] = Field(
        "root", description="heatmaps that root_net sees: the root's (paper), or all joints'"
    )
    v2v_width: Count = Field(4, description="channels of the root V2V's first layer; paper 16")
    pose_v2v_width: Count = Field(8, description="of the pose V2V's; paper 16")
    trust_width: Count = Field(48, description="of trust_net's layers")
    trust_layers: Count = 2
    root_grid: tuple[GridSide, GridSide, GridSide] = Field(
        (40, 40, 12), description="voxels, each a multiple of 4; paper 80, 80, 20"
    )
    cuboid_grid: GridSide = Field(24, description="voxels a side, a multiple of 4; paper 64")
    cuboid_size: Positive = Field(2200.0, description="side in mm; paper 2000")
    cuboid_shift: float = Field(150.0, description="of the cuboid's centre above the root, mm")
    residual_start: bool = Field(
        True, description="soft-argmax over scaled evidence plus the V2V's output"
    )
    limit_reach: bool = Field(
        True,
        description="no joint lies farther from the hip than any reconstructed training body's, by "
        "150 mm; paper: false",
    )
    max_people: Count = Field(10, description="proposals a frame")
    root_threshold: Fraction = Field(0.3, description="of the root volume's maxima")


class Augmentation(Section):
    """Training augmentation (paper section 3.6)."""

    rotation: NonNegative = Field(45.0, description="degrees, either way")
    scale: Fraction = Field(0.35, description="either way")
    images: bool = Field(
        False, description="RandAugment (two of six) and cutout; the paper has both"
    )
    cutout: tuple[Count, Count] = Field((20, 40), description="smallest and largest square, px")
