"""The parameters that each training stage and the prediction read, as dotted keys."""

_INPUT = ("seed", "data.network_size", "heatmaps", "compute")
_BACKBONE = ("networks.backbone", "networks.side_aware")
_ROOT = ("networks.v2v_width", "networks.root_grid", "networks.root_input", "space")
_POSE = (
    "networks.pose_v2v_width",
    "networks.cuboid_grid",
    "networks.cuboid_size",
    "networks.cuboid_shift",
    "networks.residual_start",
    "networks.limit_reach",
)
_TRUST = ("networks.trust_width", "networks.trust_layers", "training_free")
_PROPOSALS = ("networks.max_people", "networks.root_threshold")
_AFFINE = ("augmentation.rotation", "augmentation.scale")
_POSE_STAGE = (
    *_INPUT,
    *_BACKBONE,
    *_ROOT,
    *_POSE,
    *_PROPOSALS,
    "networks.attention",
    "augmentation",
    "train.root",
)
READS: dict[str, tuple[str, ...]] = {
    "backbone": (
        "seed",
        "data.network_size",
        "heatmaps.sigma",
        "heatmaps.stride",
        "compute",
        *_BACKBONE,
        "augmentation",
        "train.backbone",
    ),
    "root": (*_INPUT, *_BACKBONE, *_ROOT, *_AFFINE, "train.root"),
    "bodies": (*_INPUT, *_BACKBONE, *_POSE, *_AFFINE, "space", "train.bodies"),
    "pose_l2": (*_POSE_STAGE, "train.pose_l2"),
    "pose_l1": (*_POSE_STAGE, "train.pose_l1"),
    "finetune": (*_POSE_STAGE, "train.finetune"),
    "supervised_root": (*_INPUT, *_BACKBONE, *_ROOT, *_AFFINE, "train.supervised_root"),
    "supervised_pose": (*_INPUT, *_BACKBONE, *_POSE, *_AFFINE, "space", "train.supervised_pose"),
    "trust": ("seed", "data.network_size", "compute", *_TRUST, "space", "train.trust"),
    "predict_trust": ("compute", *_TRUST),
    "predict": (*_INPUT, *_BACKBONE, *_ROOT, *_POSE, *_PROPOSALS, "inference"),
}
