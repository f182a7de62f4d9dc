"""The sections ``heatmaps``, ``networks`` and ``augmentation``."""

from typing import Literal

from pydantic import Field

from selfpose3d.parameters.section import Count, Fraction, GridSide, NonNegative, Positive, Section


class Heatmaps(Section):
    """The 2D heatmaps from which the 3D networks start."""

    source: Literal["backbone", "estimator"] = Field(
        "backbone",
        description="origin of the heatmaps; backbone: heatmap_net_2d applied to images (paper); "
        "estimator: the 2D estimator's people, rendered",
    )
    sigma: Positive = Field(
        1.3, description="standard deviation of the Gaussians, px of the heatmap; paper 3"
    )
    stride: Literal[4] = Field(4, description="px of the input per px of the heatmap")


class Networks(Section):
    """Architectures and sizes of the networks."""

    backbone: Literal["mobilenet_v2", "pose_resnet50", "pose_resnet18"] = Field(
        "mobilenet_v2", description="architecture of heatmap_net_2d; paper pose_resnet50"
    )
    side_aware: bool = Field(
        True,
        description="whether heatmap_net_2d ends in 9 heatmaps, left and right merged, and 6 "
        "logits of the side, instead of 15 heatmaps; paper: false",
    )
    attention: Literal["small", "pose_resnet18", "pose_resnet34", "pose_resnet50", "shared"] = (
        Field(
            "small",
            description="architecture of attn_net_2d; small: a few convolutions; shared: a head on "
            "heatmap_net_2d's trunk, only with heatmaps.source: backbone; paper pose_resnet18",
        )
    )
    root_input: Literal["root", "all"] = Field(
        "root", description="heatmaps that root_net sees: the root's (paper) or all joints'"
    )
    v2v_width: Count = Field(4, description="channels of root_net's first V2V layer; paper 16")
    pose_v2v_width: Count = Field(8, description="channels of pose_net's first V2V layer; paper 16")
    trust_width: Count = Field(48, description="channels of trust_net's layers")
    trust_layers: Count = Field(2, description="number of trust_net's layers")
    root_grid: tuple[GridSide, GridSide, GridSide] = Field(
        (40, 40, 12),
        description="voxels of the space along x, y, z, each a multiple of 4; paper 80, 80, 20",
    )
    cuboid_grid: GridSide = Field(
        24, description="voxels per side of a person's cuboid, a multiple of 4; paper 64"
    )
    cuboid_size: Positive = Field(
        2200.0, description="side length of a person's cuboid, mm; paper 2000"
    )
    cuboid_shift: float = Field(
        150.0, description="height of the cuboid's centre above the root, mm; paper 0"
    )
    residual_start: bool = Field(
        True,
        description="whether pose_net's soft-argmax starts from the heatmap evidence, scaled, to "
        "which the V2V's output is added; paper: false",
    )
    limit_reach: bool = Field(
        True,
        description="whether pose_net keeps each joint within its reach, which is its distance "
        "from the mid-hip in the reconstructed training bodies (99.5 % quantile) plus 150 mm; "
        "paper: false",
    )
    root_views: Count = Field(
        2,
        description="fewest views that must see a root; where fewer see a place, there is no "
        "evidence; paper 1",
    )
    root_sampling: Positive | None = Field(
        120.0,
        description="largest distance between the points of the space at which root_net reads the "
        "heatmaps, mm; a wider voxel reads several points and keeps the highest value; null: the "
        "voxel's centre alone (paper)",
    )
    max_people: Count = Field(10, description="most proposals per frame")
    root_threshold: Fraction = Field(
        0.3, description="lowest value of a maximum of root_net's volume that becomes a proposal"
    )


class Augmentation(Section):
    """Augmentation of the training images (paper section 3.6)."""

    rotation: NonNegative = Field(45.0, description="largest rotation in either direction, degrees")
    scale: Fraction = Field(
        0.35, description="largest change of scale in either direction, as a fraction"
    )
    images: bool = Field(
        False, description="whether RandAugment (two of six) and cutout are used; paper: true"
    )
    cutout: tuple[Count, Count] = Field(
        (20, 40), description="smallest and largest side of the cutout square, px"
    )
