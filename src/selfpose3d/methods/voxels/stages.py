"""The training stages: scenes with pseudo labels, and checkpoints of earlier stages, in; one
checkpoint with the weights of every network so far, and the curves, out.

A stage is given the parameters that its entry in the table reads and no others. It may be killed at
any moment: started again it ends with the weights of an undisturbed run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.files.checkpoints import load_network, merged_checkpoint, names_of
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.methods.entry import StageInputs
from selfpose3d.methods.voxels.attention import build_attention
from selfpose3d.methods.voxels.backbone import Backbone, build_backbone
from selfpose3d.methods.voxels.batches import BodyBatches, CropBatches, FrameBatches, RootBatches
from selfpose3d.methods.voxels.frames import FrameInputs
from selfpose3d.methods.voxels.known_people import KnownBodies, shown_people
from selfpose3d.methods.voxels.lifting import Lifting, build_lifting
from selfpose3d.methods.voxels.steps import (
    BackboneStep,
    BodiesStep,
    PoseBatch,
    PoseStep,
    RootBatch,
    RootStep,
)
from selfpose3d.networks.folding import folded
from selfpose3d.parameters import Augmentation, BodiesSettings, Parameters, PoseSettings
from selfpose3d.skeletons import common_skeleton
from selfpose3d.training.body_pool import ENOUGH_VIEWS, body_pool, reach_of, usual_bodies
from selfpose3d.training.data import FrameIndex, TrainingData, training_data
from selfpose3d.training.devices import runner, start_fabric
from selfpose3d.training.loop import repeatable, train
from selfpose3d.training.runs import stage_run


def train_backbone(inputs: StageInputs) -> None:
    """Train heatmap_net_2d on the pseudo heatmaps; its trunk may start from given weights."""
    parameters, weights = inputs.parameters, inputs.weights
    settings = parameters.train.backbone
    data = training_data(inputs.scenes, inputs.labels)
    with repeatable(parameters.seed, "backbone"):
        fabric = start_fabric(parameters.compute)
        backbone = build_backbone(parameters.networks, data.skeleton)
        if settings.weights != "none":
            _load_trunk(backbone, weights)
        model = BackboneStep(fabric, backbone, settings)
        crops = CropBatches(data, parameters, fabric.device)
        files = [] if weights is None else [weights]
        run = stage_run(
            parameters, "backbone", settings, data, inputs.out, crops.batches_per_epoch, files
        )
        train(run, model, fabric, crops.draw)


def train_root(inputs: StageInputs) -> None:
    """Train root_net on synthetic roots and by consistency (eq. 2, 3).

    It starts from the checkpoint of the backbone, if the heatmaps are its; the reconstructions are
    needed where root_net sees all joints.
    """
    parameters, start = inputs.parameters, inputs.start
    settings = parameters.train.root
    data = training_data(inputs.scenes, inputs.labels)
    with begun(parameters, "root", "root", data, start) as (fabric, lifting, networks, pictures):
        model = RootStep(fabric, lifting, settings)
        pool = _root_pool(parameters, data, inputs.reconstructions)
        roots = RootBatches(parameters, settings, data, lifting, fabric.device, pool)
        batches = FrameBatches(data, settings.batch_size, parameters.seed, "root")
        real = FrameBatches(
            replace(data, every=settings.real_every),
            settings.real_frames or settings.batch_size,
            parameters.seed,
            "root",
        )

        def draw(number: int, rng: np.random.Generator) -> RootBatch:
            return RootBatch(
                pictures.draw(real.at(number), rng), roots.draw(batches.at(number), rng)
            )

        known, length = inputs.reconstructions, batches.length
        run = stage_run(
            parameters, "root", settings, data, inputs.out, length, start, networks, known
        )
        train(run, model, fabric, draw)


def train_bodies(inputs: StageInputs) -> None:
    """Train pose_net on the people of the training-free reconstruction: re-placed, as synthetic
    bodies, and where they stood.

    The checkpoint of the backbone, if the heatmaps are its, is carried along.
    """
    parameters, reconstructions = inputs.parameters, inputs.reconstructions
    data = training_data(inputs.scenes, inputs.labels)
    replaced_only = parameters.train.bodies.synthetic == 1
    shown = {} if replaced_only else _reconstructed(parameters, data, reconstructions)
    train_known_bodies(parameters, "bodies", data, reconstructions, shown, inputs.start, inputs.out)


def train_known_bodies(
    parameters: Parameters,
    stage: Literal["bodies", "supervised_pose"],
    data: TrainingData,
    known: Sequence[Frames],
    shown: Mapping[FrameIndex, People3D],
    start: Sequence[Path],
    out: Path,
) -> None:
    """Train pose_net on known bodies: re-placed, and where they stood.

    Args:
        parameters: those that the stage reads.
        stage: "bodies" or "supervised_pose".
        data: the labelled training scenes.
        known: the 3D people of each.
        shown: those of each frame whom the network is asked for; may be empty where all bodies
            are re-placed.
        start: checkpoint of the backbone, if the heatmaps are its; carried along.
        out: folder of checkpoint.pt and curves.csv.
    """
    settings: BodiesSettings = getattr(parameters.train, stage)
    with begun(parameters, stage, "pose", data, start) as (fabric, lifting, networks, pictures):
        model = BodiesStep(fabric, lifting)
        replaced = BodyBatches(parameters, settings, data, known, pictures.backbone, fabric)
        if parameters.networks.limit_reach:
            _limit_reach(lifting, replaced.pool)
        empty = frozenset(frame for frame, people in shown.items() if not len(people))
        peopled = replace(data, without=empty)
        frames = FrameBatches(peopled, settings.batch_size, parameters.seed, stage)
        bodies = KnownBodies(settings, replaced, pictures, frames, shown)
        length = frames.length
        run = stage_run(parameters, stage, settings, data, out, length, start, networks, known)
        train(run, model, fabric, bodies.draw)


def _reconstructed(
    parameters: Parameters, data: TrainingData, reconstructions: Sequence[Frames]
) -> dict[FrameIndex, People3D]:
    """The people of the training frames with a body like those of the pool, whom labels of enough
    views support."""
    pool = body_pool(data, reconstructions)
    everybody = {
        key: people.where(usual_bodies(people.joints, pool, data.skeleton))
        for frames in reconstructions
        for key, people in frames.items()
    }
    return shown_people(data, everybody, parameters.space, ENOUGH_VIEWS)


def train_pose_l2(inputs: StageInputs) -> None:
    """Train pose_net by projection, heatmap loss (eq. 4)."""
    train_pose(inputs, "pose_l2")


def train_pose_l1(inputs: StageInputs) -> None:
    """Train pose_net by projection, heatmap and joint loss (eq. 11)."""
    train_pose(inputs, "pose_l1")


def train_finetune(inputs: StageInputs) -> None:
    """Train pose_net by projection once more, on hard labels."""
    train_pose(inputs, "finetune")


def train_pose(inputs: StageInputs, stage: Literal["pose_l2", "pose_l1", "finetune"]) -> None:
    """Train pose_net, and what else ``train.<stage>`` says, by projection (eq. 4 to 11).

    root_net must be among the checkpoints that it starts from. The reconstructions are needed where
    pose_net starts here and is to know a person's reach, and where a root_net that sees all joints
    learns too.
    """
    parameters, start = inputs.parameters, inputs.start
    reconstructions = inputs.reconstructions
    settings: PoseSettings = getattr(parameters.train, stage)
    data = training_data(inputs.scenes, inputs.labels)
    with repeatable(parameters.seed, stage):
        fabric = start_fabric(parameters.compute)
        networks = earlier_networks(start, data)
        model = _pose_step(parameters, settings, networks, start, fabric, data)
        if parameters.networks.limit_reach and "pose" not in networks:
            known = _pool(data, reconstructions, "networks.limit_reach: true", "false")
            _limit_reach(model.lifting, known)
        model.to(fabric.device).eval()
        pictures = frame_inputs(
            parameters,
            data,
            fabric,
            model.backbone,
            settings.variants,
            image_augmentation=parameters.augmentation,
            affine=settings.affine,
            backbone_learns=model.backbone is not None and settings.train_backbone,
            with_images=settings.soft_attention,
        )
        roots = None
        if settings.train_root:
            root_settings = parameters.train.root
            pool = _root_pool(parameters, data, reconstructions)
            roots = RootBatches(parameters, root_settings, data, model.lifting, fabric.device, pool)
        batches = FrameBatches(data, settings.batch_size, parameters.seed, stage)

        def draw(number: int, rng: np.random.Generator) -> PoseBatch:
            frames = batches.at(number)
            drawn = pictures.draw(frames, rng)
            synthetic = None if roots is None else roots.draw(frames, rng)
            noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
            return PoseBatch(drawn, synthetic, noise)

        length = batches.length
        run = stage_run(
            parameters, stage, settings, data, inputs.out, length, start, networks, reconstructions
        )
        train(run, model, fabric, draw)


def _pose_step(
    parameters: Parameters,
    settings: PoseSettings,
    networks: dict[str, dict[str, Tensor]],
    start: Sequence[Path],
    fabric: Fabric,
    data: TrainingData,
) -> PoseStep:
    """The step with its networks: weights from earlier stages where there are any."""
    where = names_of(start)
    lifting = build_lifting(parameters, ("root", "pose"), data.skeleton)
    load_network(lifting.root_net, networks, "root", where)
    if "pose" in networks:
        load_network(lifting.pose_net, networks, "pose", where)
    backbone = None
    if parameters.heatmaps.source == "backbone":
        backbone = build_backbone(parameters.networks, data.skeleton)
        load_network(backbone, networks, "backbone", where)
        backbone = backbone if settings.train_backbone else folded(backbone)
    attention = None
    if settings.soft_attention:
        attention = build_attention(parameters.networks, backbone, len(data.skeleton))
    if attention is not None and "attention" in networks:
        load_network(attention, networks, "attention", where)
    return PoseStep(
        fabric,
        lifting,
        backbone,
        attention,
        settings,
        parameters.train.root if settings.train_root else None,
        data.size,
        parameters.heatmaps.sigma,
    )


def _limit_reach(lifting: Lifting, pool: NDArray[np.float64]) -> None:
    """Leave out of pose_net's cuboids what is farther away than the joints of any of the bodies
    (N, J, 3) mm."""
    lifting.pose_net.limit_reach(torch.from_numpy(reach_of(pool, lifting.skeleton)))


def _root_pool(
    parameters: Parameters, data: TrainingData, reconstructions: Sequence[Frames]
) -> NDArray[np.float64] | None:
    """The bodies that stand at synthetic roots, where root_net sees more than these."""
    if parameters.networks.root_input == "root":
        return None
    return _pool(data, reconstructions, "networks.root_input: all", "root")


def _pool(
    data: TrainingData, reconstructions: Sequence[Frames], setting: str, otherwise: str
) -> NDArray[np.float64]:
    """The reconstructed bodies that a setting asks for."""
    if not reconstructions:
        raise InputError(
            f"{setting}: it needs bodies; give the training-free --reconstructions, or set it to "
            f"{otherwise}"
        )
    return body_pool(data, reconstructions)


def _load_trunk(backbone: Backbone, weights: Path | None) -> None:
    if weights is None:
        raise InputError(
            "train.backbone.weights asks for given weights but no file was given; "
            "give --weights, or set train.backbone.weights: none"
        )
    backbone.load_imagenet(weights)


class Begun(NamedTuple):
    """A stage of one 3D network at its beginning.

    Args:
        fabric: of the stage.
        lifting: with the network, its weights fresh.
        networks: the weights of earlier stages.
        pictures: what draws the stage's frames, with the backbone that computes heatmaps, if any.
    """

    fabric: Fabric
    lifting: Lifting
    networks: dict[str, dict[str, Tensor]]
    pictures: FrameInputs


@contextmanager
def begun(
    parameters: Parameters,
    stage: str,
    network: Literal["root", "pose"],
    data: TrainingData,
    start: Sequence[Path],
) -> Iterator[Begun]:
    """Begin a stage that trains root_net or pose_net, with what makes it repeatable.

    Args:
        parameters: those that the stage reads.
        stage: its name.
        network: the one that it trains.
        data: the labelled training scenes.
        start: checkpoints of earlier stages.
    """
    variants = getattr(parameters.train, stage).variants
    with repeatable(parameters.seed, stage):
        fabric = start_fabric(parameters.compute)
        lifting = build_lifting(parameters, (network,), data.skeleton)
        networks = earlier_networks(start, data)
        backbone = frozen_backbone(parameters, networks, start, data, fabric)
        pictures = frame_inputs(parameters, data, fabric, backbone, variants)
        yield Begun(fabric, lifting, networks, pictures)


def earlier_networks(start: Sequence[Path], data: TrainingData) -> dict[str, dict[str, Tensor]]:
    """The weights of earlier stages by network; those of other joints than the data's are an
    ``InputError``."""
    earlier = merged_checkpoint(start)
    if start:
        common_skeleton([data.skeleton, earlier.skeleton], f"the labels and {names_of(start)}")
    return earlier.networks


def frozen_backbone(
    parameters: Parameters,
    networks: dict[str, dict[str, Tensor]],
    start: Iterable[Path],
    data: TrainingData,
    fabric: Fabric,
) -> Backbone | None:
    """The backbone of an earlier stage; none where the heatmaps are the estimator's."""
    if parameters.heatmaps.source != "backbone":
        return None
    backbone = build_backbone(parameters.networks, data.skeleton)
    load_network(backbone, networks, "backbone", names_of(start))
    return folded(backbone).to(fabric.device)


def frame_inputs(
    parameters: Parameters,
    data: TrainingData,
    fabric: Fabric,
    backbone: Backbone | None,
    variants: int,
    *,
    image_augmentation: Augmentation | None = None,
    affine: bool = True,
    backbone_learns: bool = False,
    with_images: bool = False,
) -> FrameInputs:
    """The object that draws a stage's frames.

    Args:
        parameters: those that the stage reads.
        data: the labelled training scenes.
        fabric: of the stage.
        backbone: computes heatmaps; None: the labelled people are rendered.
        variants: of each frame, for which a frozen backbone's heatmaps are kept.
        image_augmentation: of the images of augmented variants, if any.
        affine: false: variants are neither turned nor scaled.
        backbone_learns: leave the heatmaps to the step.
        with_images: a network of the step looks at the images.
    """
    augmentation = parameters.augmentation
    return FrameInputs(
        data=data,
        affine=(augmentation.rotation, augmentation.scale) if affine else (0.0, 0.0),
        image_augmentation=image_augmentation,
        backbone_learns=backbone_learns,
        with_images=with_images,
        stride=parameters.heatmaps.stride,
        sigma=parameters.heatmaps.sigma,
        device=fabric.device,
        run=runner(fabric),
        backbone=backbone,
        remembered=variants,
        seed=parameters.seed,
        memory=1e9 * parameters.compute.heatmap_memory,
    )
