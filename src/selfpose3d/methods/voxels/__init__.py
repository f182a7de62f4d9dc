"""SelfPose3d and VoxelPose: heatmaps of all views lifted to people through voxels.

Here stand the entries of the table of methods: the stages, what each reads and starts from. The
code behind them is imported when a stage runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from selfpose3d.errors import InputError
from selfpose3d.methods.entry import Method, Stage
from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters

_HERE = "selfpose3d.methods.voxels"
_POSE_STAGES = ("pose_l2", "pose_l1", "finetune")
_INPUT = ("seed", "heatmaps", "compute")
_ROOT = (
    *("networks.v2v_width", "networks.root_grid", "networks.root_input"),
    *("networks.root_views", "networks.root_sampling", "space"),
)
_POSE = (
    "networks.pose_v2v_width",
    "networks.cuboid_grid",
    "networks.cuboid_size",
    "networks.cuboid_shift",
    "networks.residual_start",
    "networks.limit_reach",
)
_PROPOSALS = ("networks.max_people", "networks.root_threshold")
_AFFINE = ("augmentation.rotation", "augmentation.scale")


def _from_images(parameters: "Parameters") -> bool:
    return parameters.heatmaps.source == "backbone"


def _looks(parameters: "Parameters") -> Mapping[str, str]:
    """The setting by which heatmap_net_2d looks at images, where it does."""
    return {"heatmaps.source": "estimator"} if _from_images(parameters) else {}


def _pose_looks(stage: str) -> Callable[["Parameters"], Mapping[str, str]]:
    def looks(parameters: "Parameters") -> Mapping[str, str]:
        """The settings by which heatmap_net_2d and attn_net_2d look at images, where they do."""
        attends = getattr(parameters.train, stage).soft_attention
        own = {f"train.{stage}.soft_attention": "false"} if attends else {}
        return {**_looks(parameters), **own}

    return looks


def _backbone(parameters: "Parameters") -> tuple[str, ...]:
    """What heatmap_net_2d is built of, where the heatmaps are its."""
    return ("networks.backbone", "networks.side_aware") if _from_images(parameters) else ()


def _images(parameters: "Parameters") -> tuple[str, ...]:
    """How images are augmented."""
    cutout = ("augmentation.cutout",) if parameters.augmentation.images else ()
    return ("augmentation.images", *cutout)


def _reads_backbone(parameters: "Parameters") -> Sequence[str]:
    frames = () if parameters.train.backbone.crop else ("augmentation.scale",)
    return (
        *("seed", "heatmaps.sigma", "heatmaps.stride", "compute"),
        *("networks.backbone", "networks.side_aware", "augmentation.rotation"),
        *(*_images(parameters), *frames, "train.backbone"),
    )


def _reads_root(parameters: "Parameters") -> Sequence[str]:
    return (*_INPUT, *_backbone(parameters), *_ROOT, *_AFFINE, "train.root")


def _reads_bodies(stage: str) -> Callable[["Parameters"], Sequence[str]]:
    def reads(parameters: "Parameters") -> Sequence[str]:
        return (*_INPUT, *_backbone(parameters), *_POSE, *_AFFINE, "space", f"train.{stage}")

    return reads


def _reads_pose(stage: str) -> Callable[["Parameters"], Sequence[str]]:
    def reads(parameters: "Parameters") -> Sequence[str]:
        settings = getattr(parameters.train, stage)
        attention = ("networks.attention",) if settings.soft_attention else ()
        root = ("train.root",) if settings.train_root else ()
        return (
            *(*_INPUT, *_backbone(parameters), *_ROOT, *_POSE, *_PROPOSALS),
            *(*_AFFINE, *_images(parameters), *attention, *root, f"train.{stage}"),
        )

    return reads


def _reads_supervised_root(parameters: "Parameters") -> Sequence[str]:
    return (*_INPUT, *_backbone(parameters), *_ROOT, *_AFFINE, "train.supervised_root")


def _reads_prediction(parameters: "Parameters") -> Sequence[str]:
    """The refinement looks at heatmaps within a radius, or at the estimator's people."""
    always = ("refine", "roots_only", "duplicate_distance", "batch_size")
    refine = ("prior_weight", "min_views") if parameters.inference.refine else ()
    radius = ("refine_radius",) if refine and _from_images(parameters) else ()
    inference = (f"inference.{name}" for name in (*always, *refine, *radius))
    return (*_INPUT, *_backbone(parameters), *_ROOT, *_POSE, *_PROPOSALS, *inference)


def _after_backbone(parameters: "Parameters", earlier: Sequence[str]) -> Sequence[str]:
    return [stage for stage in earlier if stage == "backbone"]


def _after_all(parameters: "Parameters", earlier: Sequence[str]) -> Sequence[str]:
    return earlier


def _after_last_pose(parameters: "Parameters", earlier: Sequence[str]) -> Sequence[str]:
    """A pose stage's checkpoint holds every network; without one, all earlier stages' do."""
    return earlier[-1:] if earlier[-1] in _POSE_STAGES else earlier


def _soft(parameters: "Parameters") -> str:
    return "soft"


def _labels_of(stage: str) -> Callable[["Parameters"], str]:
    return lambda parameters: str(getattr(parameters.train, stage).labels)


def _never(parameters: "Parameters", earlier: Sequence[str]) -> bool:
    return False


def _always(parameters: "Parameters", earlier: Sequence[str]) -> bool:
    return True


def _pose_needs_people(stage: str) -> Callable[["Parameters", Sequence[str]], bool]:
    def needs_people(parameters: "Parameters", earlier: Sequence[str]) -> bool:
        """Whether the stage needs people: it does if it trains a root_net that sees whole bodies,
        or if pose_net starts in it and is to know a person's reach."""
        pose_starts = not {"bodies", *_POSE_STAGES} & set(earlier)
        learns_root = getattr(parameters.train, stage).train_root
        sees_bodies = learns_root and parameters.networks.root_input == "all"
        return sees_bodies or (pose_starts and parameters.networks.limit_reach)

    return needs_people


def _pose_stage(name: str, title: str, start: Callable[..., Sequence[str]]) -> Stage:
    return Stage(
        name,
        title,
        Step(f"{_HERE}.stages:train_{name}"),
        _reads_pose(name),
        start,
        _labels_of(name),
        _pose_needs_people(name),
        images=_pose_looks(name),
    )


def _imagenet(parameters: "Parameters") -> str | None:
    given = parameters.train.backbone.weights
    return None if given == "none" else given


_BACKBONE_STAGE = Stage(
    "backbone",
    "Train heatmap_net_2d on the pseudo labels",
    Step(f"{_HERE}.stages:train_backbone"),
    _reads_backbone,
    _after_backbone,
    _labels_of("backbone"),
    _never,
    _imagenet,
    _looks,
)


def _uses(parameters: "Parameters", stage: Stage) -> bool:
    """heatmap_net_2d is trained where the heatmaps are its."""
    return stage.name != "backbone" or _from_images(parameters)


def _check_selfpose3d(parameters: "Parameters", enabled: Sequence[str]) -> None:
    if parameters.networks.attention == "shared" and not _from_images(parameters):
        raise InputError(
            "networks.attention: shared: the attention is to be a head on heatmap_net_2d, and "
            "heatmaps.source: estimator has none; set heatmaps.source: backbone"
        )
    needed = {"root", *(("backbone",) if _from_images(parameters) else ())}
    _check_crop(parameters, enabled)
    _check_whole(enabled, needed - set(enabled), {"bodies", *_POSE_STAGES} & set(enabled))


def _check_voxelpose(parameters: "Parameters", enabled: Sequence[str]) -> None:
    needed = {"supervised_root", "supervised_pose"}
    needed |= {"backbone"} if _from_images(parameters) else set()
    _check_crop(parameters, enabled)
    _check_whole(enabled, needed - set(enabled), needed)


def _check_crop(parameters: "Parameters", enabled: Sequence[str]) -> None:
    """A PoseResNet halves its images five times."""
    crop, backbone = parameters.train.backbone.crop, parameters.networks.backbone
    if "backbone" in enabled and backbone.startswith("pose_resnet") and crop % 32:
        raise InputError(
            f"train.backbone.crop: {crop}: crops of networks.backbone: {backbone} must be a "
            f"multiple of 32 px; set {32 * round(crop / 32)}, or 0 for whole frames"
        )


def _check_whole(enabled: Sequence[str], missing: set[str], pose: set[str]) -> None:
    if missing or not pose:
        raise InputError(
            f"train: the stages {list(enabled)} don't make a whole network; "
            f"enable {sorted(missing) or 'bodies or a pose stage'}"
        )


SELFPOSE3D = Method(
    stages=(
        _BACKBONE_STAGE,
        Stage(
            "root",
            "Train root_net on synthetic roots and root consistency",
            Step(f"{_HERE}.stages:train_root"),
            _reads_root,
            _after_backbone,
            _soft,
            _always,
            images=_looks,
        ),
        Stage(
            "bodies",
            "Train pose_net on synthetic bodies",
            Step(f"{_HERE}.stages:train_bodies"),
            _reads_bodies("bodies"),
            _after_backbone,
            _soft,
            _always,
            images=_looks,
        ),
        _pose_stage("pose_l2", "Train pose_net by projection, heatmap loss", _after_all),
        _pose_stage(
            "pose_l1", "Train pose_net by projection, heatmap and joint loss", _after_last_pose
        ),
        _pose_stage("finetune", "Finetune pose_net on hard labels", _after_last_pose),
    ),
    predict=Step(f"{_HERE}.predict:predict"),
    given=("checkpoints", "scenes", "labels"),
    reads=_reads_prediction,
    images=_looks,
    check=_check_selfpose3d,
    uses=_uses,
)

VOXELPOSE = Method(
    stages=(
        _BACKBONE_STAGE,
        Stage(
            "supervised_root",
            "VoxelPose: train root_net on true roots",
            Step(f"{_HERE}.supervised:train_supervised_root"),
            _reads_supervised_root,
            _after_backbone,
            _soft,
            _never,
            images=_looks,
            supervised=True,
        ),
        Stage(
            "supervised_pose",
            "VoxelPose: train pose_net on true people",
            Step(f"{_HERE}.supervised:train_supervised_pose"),
            _reads_bodies("supervised_pose"),
            _after_backbone,
            _soft,
            _never,
            images=_looks,
            supervised=True,
        ),
    ),
    predict=Step(f"{_HERE}.predict:predict"),
    given=("checkpoints", "scenes", "labels"),
    reads=_reads_prediction,
    images=_looks,
    check=_check_voxelpose,
    uses=_uses,
)
