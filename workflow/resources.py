"""Requests of jobs to a cluster, from the sizes in the parameters: memory, minutes, GPUs, disk.

What the backward pass keeps is counted per pixel and voxel, as are multiplications and additions:
measured network by network, they do not depend on the machine. The rest was fitted, on CPUs, to the
benchmark files of the smoke run and of the demo, and to iterations of stages at the published
sizes, there and on a GPU; ``tests/workflow/test_resources.py`` has the measurements and holds this
module to them.

Memory is that of the host. Where the accelerator may turn out to be the CPU, it holds what the
backward pass keeps as well; ``compute.accelerator: gpu`` asks for less.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from selfpose3d.parameters import Parameters
from selfpose3d.parameters.section import Section
from selfpose3d.plan.nodes import DetectionsNode, ExperimentNode, Plan, SceneNode, StageNode
from selfpose3d.skeletons import SKELETONS
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import Split

Part = TypeVar("Part", bound=Any)

MB = 1e6
MARGIN = 1.25
"""Factor of the requested memory over the estimate."""
PROCESS_MB = 520.0
"""A process that has loaded torch and the labels."""
GPU_PROCESS_MB = 4000.0
"""A process that has a GPU: CUDA's libraries and pinned batches."""
KEPT: Mapping[str, float] = {
    "mobilenet_v2": 1700,
    "pose_resnet18": 620,
    "pose_resnet34": 820,
    "pose_resnet50": 1900,
    "small": 90,
}
"""Bytes kept per pixel of an image that a network learns from."""
FLOPS: Mapping[str, float] = {
    "mobilenet_v2": 2.4e4,
    "pose_resnet18": 1.2e5,
    "pose_resnet34": 1.9e5,
    "pose_resnet50": 2.2e5,
    "small": 2.1e3,
}
"""Multiplications and additions per pixel of an image, forward."""
WEIGHTS: Mapping[str, float] = {
    "mobilenet_v2": 2.3e6,
    "pose_resnet18": 15.4e6,
    "pose_resnet34": 25.5e6,
    "pose_resnet50": 34.0e6,
    "small": 0.1e6,
}
V2V_KEPT = 200.0
"""Bytes per voxel and channel of a V2V's width: 150 kept, and gradients of its few large layers."""
V2V_INPUT = 32.0
"""Bytes per voxel and input channel: the volume, and seven times as much where the first layer is
computed in 2D (``networks.v2v.WideConv3d``)."""
V2V_WEIGHTS = 12_700.0
"""Weights of a V2V per square of its width."""
LOOKED_AT = 250.0
"""Bytes per pixel of an image that a frozen network looks at, at its peak."""

CPU_FLOPS = 50e9
"""Multiplications and additions per second on one core."""
CPU_SECONDS_A_BYTE = 0.5e-9
"""Per byte kept, of moving it."""
GPU_FLOPS = 20e12
"""The same on a GPU: half of what stages reached on an H100 at the published sizes, 41 to 63e12."""
START_SECONDS = 20.0
PATIENCE = 3.0
"""Minutes asked for over the estimate: other jobs share the node, and its disks may be slow."""
LONGEST_MINUTES = 2880
"""Asked for at most. A stage that takes longer is stopped, and goes on when it is tried again."""

VIEWS = 5
"""Cameras of a rig that the parameters don't list."""
SOURCE_FRAMES = 10_000
"""Frames of a recorded sequence before every n-th is taken; the parameters don't tell."""
PEOPLE = 4
"""People per frame."""
ESTIMATORS_JOINTS = 34
"""BlazePose's, with a root; whole-body models with hands and faces have more."""
FOOTAGE_FRAMES, FOOTAGE_VIEWS = 100, 4
"""Frames and views of the real footage, before every n-th frame is taken."""
DETECTION = (600.0, 0.6)
"""MB of a process that estimates 2D people, and seconds per image on one core."""
HEAVIER_DETECTION: Mapping[str, tuple[float, float]] = {
    "rtmlib": (1500.0, 8.0),
    "torchvision": (2000.0, 7.0),
    "transformers": (1600.0, 7.0),
}
"""The same of larger estimators. That of transformers was measured with random weights and four
people per image; the others follow from the operations of their largest networks."""
RENDER_SECONDS = 0.15
"""An image of the studio."""
PEOPLE_MB = 700.0
"""Of a process that reads everybody in all images, before it has read them."""
PEOPLE_BYTES = 30_000
"""For everybody in an image, in memory."""
PEOPLE_SECONDS = 0.02
"""For everybody in an image: to filter, triangulate or compare them."""
LEAST_MINUTES = 30
JPEG_BYTES = 0.3
"""Per pixel of a stored frame."""
HOST_BYTES = 130_000
"""Per image of a rendered video."""


@dataclass(frozen=True)
class Work:
    """The work of one iteration, or of one batch.

    Args:
        kept: bytes that the backward pass keeps.
        passed: bytes at the peak of a forward pass that keeps nothing.
        flops: multiplications and additions, backward passes included.
        weights: of the networks, learnt or not.
    """

    kept: float = 0.0
    passed: float = 0.0
    flops: float = 0.0
    weights: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.kept + other.kept,
            max(self.passed, other.passed),
            self.flops + other.flops,
            self.weights + other.weights,
        )

    @property
    def memory_mb(self) -> float:
        """The memory of a process that does the work on a CPU, MB."""
        moments = 8 * self.weights  # of Adam, made when the first backward pass is over
        held = max(self.kept, moments) + 8 * self.weights + self.passed
        return PROCESS_MB + held / MB

    @property
    def cpu_seconds(self) -> float:
        """The seconds that the work takes on one core."""
        return self.flops / CPU_FLOPS + CPU_SECONDS_A_BYTE * self.kept

    def seconds(self, on_gpu: bool, threads: int) -> float:
        """The seconds that the work takes on a GPU, or else on so many threads."""
        return self.flops / GPU_FLOPS if on_gpu else self.cpu_seconds / threads


def resolved(part: Part, values: Mapping[str, Any]) -> Part:
    """Parameters, or a section of them, with the values that a node has in their place."""
    update = {}
    for name, value in values.items():
        section = getattr(part, name)
        update[name] = resolved(section, value) if isinstance(section, Section) else value
    changed: Part = part.model_copy(update=update)
    return changed


def _asked_mb(megabytes: float) -> int:
    """With the margin, in whole steps of 500 MB."""
    return 500 * math.ceil(MARGIN * megabytes / 500)


def _asked_minutes(seconds: float) -> int:
    """With patience, and within what is asked for at least and at most."""
    return min(max(math.ceil(PATIENCE * seconds / 60), LEAST_MINUTES), LONGEST_MINUTES)


# Images


def views(parameters: Parameters) -> int:
    """Cameras of a rig; ``VIEWS`` where the parameters do not list them."""
    cameras = parameters.data.cameras
    if cameras is None and parameters.data.source == "panoptic":
        cameras = parameters.panoptic.cameras
    return VIEWS if cameras is None else len(cameras)


def joints(parameters: Parameters) -> int:
    """Joints of the labels; ``ESTIMATORS_JOINTS`` where they are the estimator's own."""
    chosen = SKELETONS.get(parameters.labels.skeleton)
    return len(chosen.with_root) if chosen else ESTIMATORS_JOINTS


def frames(parameters: Parameters, split: Split) -> int:
    """Frames of one sequence of a split, "train" or "test"."""
    counted = SOURCES[parameters.data.source].frames
    recorded = counted(parameters, split) if counted else SOURCE_FRAMES
    return math.ceil(recorded / getattr(parameters.data, f"{split}_every"))


def _all_frames(parameters: Parameters, split: Split) -> int:
    """Frames of all sequences of a split."""
    train, test = SOURCES[parameters.data.source].sequences(parameters)
    return len(train if split == "train" else test) * frames(parameters, split)


def images(parameters: Parameters) -> int:
    """Images of all sequences."""
    both = _all_frames(parameters, "train") + _all_frames(parameters, "test")
    return views(parameters) * both


# Networks


def _images(network: str, pixels: float, learns: bool) -> Work:
    """A network on images of so many pixels in all."""
    flops = FLOPS[network] * pixels
    if learns:
        return Work(KEPT[network] * pixels, 0.0, 3 * flops, WEIGHTS[network])
    return Work(0.0, LOOKED_AT * pixels, flops, WEIGHTS[network])


def _volumes(width: int, channels: int, voxels: float, learns: bool) -> Work:
    """A V2V on volumes of so many voxels in all."""
    flops = (1700 * width**2 + 686 * channels * width) * voxels
    weights = V2V_WEIGHTS * width**2
    if learns:
        return Work((V2V_KEPT * width + V2V_INPUT * channels) * voxels, 0.0, 3 * flops, weights)
    return Work(0.0, (32 * width + 4 * channels) * voxels, flops, weights)


def _roots(parameters: Parameters, volumes: float, learns: bool = True) -> Work:
    """root_net on so many volumes."""
    networks = parameters.networks
    channels = 1 if networks.root_input == "root" else joints(parameters)
    return _volumes(networks.v2v_width, channels, volumes * math.prod(networks.root_grid), learns)


def _cuboids(parameters: Parameters, people: float, learns: bool = True) -> Work:
    """pose_net on so many people."""
    networks = parameters.networks
    voxels = people * networks.cuboid_grid**3
    return _volumes(networks.pose_v2v_width, joints(parameters), voxels, learns)


def _frozen_heatmaps(parameters: Parameters, frames: float) -> Work:
    """heatmap_net_2d looking at the views of so many frames, where heatmaps come from it."""
    if parameters.heatmaps.source == "estimator":
        return Work()
    return _images(parameters.networks.backbone, frames * _frame_pixels(parameters), False)


def _frame_pixels(parameters: Parameters) -> int:
    """Of the network's input, all views together."""
    return views(parameters) * math.prod(parameters.data.network_size)


# Stages


def _backbone(parameters: Parameters, stage: str) -> Work:
    settings = parameters.train.backbone
    pixels = settings.crop**2 or math.prod(parameters.data.network_size)
    return _images(parameters.networks.backbone, settings.batch_size * pixels, True)


def _root(parameters: Parameters, stage: str) -> Work:
    settings = parameters.train.root
    real = 3 * (settings.real_frames or settings.batch_size)
    return _roots(parameters, real + settings.batch_size) + _frozen_heatmaps(parameters, real)


def _supervised_root(parameters: Parameters, stage: str) -> Work:
    frames = parameters.train.supervised_root.batch_size
    return _roots(parameters, frames) + _frozen_heatmaps(parameters, frames)


def _bodies(parameters: Parameters, stage: str) -> Work:
    settings = getattr(parameters.train, stage)
    people = settings.batch_size * max(settings.people)
    return _cuboids(parameters, people) + _frozen_heatmaps(parameters, settings.batch_size)


def _pose(parameters: Parameters, stage: str) -> Work:
    """Two variants of each frame are lifted and compared; the third proposes people."""
    settings, networks = getattr(parameters.train, stage), parameters.networks
    frames = settings.batch_size
    work = _cuboids(parameters, 2 * frames * PEOPLE) + _roots(parameters, frames, False)
    if settings.train_root:
        work += _roots(parameters, 4 * frames)
    if parameters.heatmaps.source == "backbone" and settings.train_backbone:
        work += _images(networks.backbone, 3 * frames * _frame_pixels(parameters), True)
    else:
        work += _frozen_heatmaps(parameters, 3 * frames)
    if settings.soft_attention:
        network = networks.backbone if networks.attention == "shared" else networks.attention
        work += _images(network, 2 * frames * _frame_pixels(parameters), True)
    return work


WORK: Mapping[str, Callable[[Parameters, str], Work]] = {
    "backbone": _backbone,
    "root": _root,
    "supervised_root": _supervised_root,
    "bodies": _bodies,
    "supervised_pose": _bodies,
    "pose_l2": _pose,
    "pose_l1": _pose,
    "finetune": _pose,
}
"""The work of an iteration of each stage that has volumes or images to learn from."""


def _work(parameters: Parameters, stage: str) -> Work:
    return WORK[stage](parameters, stage) if stage in WORK else Work()


def gpus(parameters: Parameters, stage: StageNode) -> int:
    """The number of GPUs that a training stage requests: its devices, unless they are to be
    CPUs."""
    compute = resolved(parameters, stage.parameters).compute
    return 0 if compute.accelerator == "cpu" else compute.devices


def training_memory_mb(parameters: Parameters, stage: StageNode) -> int:
    """Memory of a training stage, all its processes together, MB."""
    own = resolved(parameters, stage.parameters)
    remembered = _remembered_bytes(own, stage.stage) / MB
    on_gpu = own.compute.accelerator not in ("auto", "cpu")
    one = GPU_PROCESS_MB if on_gpu else _work(own, stage.stage).memory_mb
    return _asked_mb(own.compute.devices * (one + remembered))


def training_runtime_minutes(parameters: Parameters, stage: StageNode) -> int:
    """Minutes of a training stage: on GPUs, where it asks for them, or on its threads."""
    on_cpu, on_gpu = training_seconds(parameters, stage)
    return _asked_minutes(on_gpu if gpus(parameters, stage) else on_cpu / stage.threads)


def training_seconds(parameters: Parameters, stage: StageNode) -> tuple[float, float]:
    """Seconds that a training stage takes on one core, and on its GPUs."""
    own = resolved(parameters, stage.parameters)
    work, iterations = _work(own, stage.stage), _iterations(own, stage.stage)
    on_gpu = iterations * work.flops / GPU_FLOPS / own.compute.devices
    return START_SECONDS + iterations * work.cpu_seconds, START_SECONDS + on_gpu


def _iterations(parameters: Parameters, stage: str) -> int:
    settings = getattr(parameters.train, stage)
    if settings.iterations is not None:
        return int(settings.iterations)
    samples = _all_frames(parameters, "train")
    if stage == "backbone":
        samples *= views(parameters) * (PEOPLE if settings.crop else 1)
    return math.ceil(settings.epochs * samples / settings.batch_size)


def _remembered_bytes(parameters: Parameters, stage: str) -> float:
    """Heatmaps of frames, and of their variants, that a stage with a frozen backbone keeps."""
    settings = getattr(parameters.train, stage)
    variants = getattr(settings, "variants", 0)
    learns = getattr(settings, "train_backbone", False)
    if variants < 2 or learns or parameters.heatmaps.source == "estimator":
        return 0.0
    seen = 3 * _iterations(parameters, stage) * settings.batch_size
    kept = min(seen, (variants + 1) * _all_frames(parameters, "train"))
    pixels = _frame_pixels(parameters) / parameters.heatmaps.stride**2
    return kept * joints(parameters) * 2 * pixels


# Other jobs


def _prediction(parameters: Parameters) -> Work:
    """The work of one batch of frames."""
    batch = parameters.inference.batch_size
    return (
        _frozen_heatmaps(parameters, batch)
        + _roots(parameters, batch, False)
        + _cuboids(parameters, batch * PEOPLE, False)
    )


def prediction_memory_mb(parameters: Parameters, experiment: ExperimentNode) -> int:
    """Memory of predicting an experiment's people, MB."""
    own = resolved(parameters, experiment.parameters)
    return max(_asked_mb(_prediction(own).memory_mb), people_memory_mb(own))


def prediction_gpus(parameters: Parameters, experiment: ExperimentNode) -> int:
    """One, where networks run and the accelerator may be a GPU."""
    own = resolved(parameters, experiment.parameters)
    return int(experiment.runs_networks and own.compute.accelerator != "cpu")


def prediction_threads(parameters: Parameters, experiment: ExperimentNode) -> int:
    """The threads of a prediction: those of the networks, where any run."""
    own = resolved(parameters, experiment.parameters)
    return own.compute.threads if experiment.runs_networks else 1


def prediction_runtime_minutes(parameters: Parameters, experiment: ExperimentNode) -> int:
    """Minutes of predicting an experiment's people."""
    own = resolved(parameters, experiment.parameters)
    batches = math.ceil(_all_frames(own, "test") / own.inference.batch_size)
    on_gpu = prediction_gpus(parameters, experiment) > 0
    threads = prediction_threads(parameters, experiment)
    seconds = batches * _prediction(own).seconds(on_gpu, threads)
    return max(_asked_minutes(START_SECONDS + seconds), people_runtime_minutes(own))


def heatmaps_memory_mb(parameters: Parameters, stage: StageNode) -> int:
    """Memory of measuring the heatmaps that a backbone stage has learnt, MB."""
    own = resolved(parameters, stage.parameters)
    return max(_asked_mb(_frozen_heatmaps(own, 1).memory_mb), people_memory_mb(parameters))


def heatmaps_gpus(parameters: Parameters, stage: StageNode) -> int:
    """One, where the stage has any."""
    return min(1, gpus(parameters, stage))


def heatmaps_runtime_minutes(parameters: Parameters, stage: StageNode) -> int:
    """Minutes of measuring them: on a GPU, where one is asked for, or on the stage's threads."""
    own = resolved(parameters, stage.parameters)
    work = _images(own.networks.backbone, _all_frames(own, "test") * _frame_pixels(own), False)
    on_gpu = heatmaps_gpus(parameters, stage) > 0
    return _asked_minutes(START_SECONDS + work.seconds(on_gpu, stage.threads))


def detection_memory_mb(detections: DetectionsNode, threads: int) -> int:
    """Memory of estimating a sequence's 2D people with so many processes, MB."""
    return _asked_mb(_detection(detections)[0] * (threads + (threads > 1)))


def detection_runtime_minutes(
    parameters: Parameters, detections: DetectionsNode, threads: int
) -> int:
    """Minutes of estimating the 2D people of one sequence with so many processes."""
    scene = detections.scene
    own = resolved(parameters, scene.parameters)
    looked_at = frames(own, scene.split) * views(own)
    return _asked_minutes(START_SECONDS + looked_at * _detection(detections)[1] / threads)


def _detection(detections: DetectionsNode) -> tuple[float, float]:
    return HEAVIER_DETECTION.get(detections.parameters["estimator"]["name"], DETECTION)


def rendering_runtime_minutes(parameters: Parameters) -> int:
    """Minutes of rendering a studio sequence."""
    longest = max(parameters.studio.train_frames, parameters.studio.test_frames)
    return _asked_minutes(START_SECONDS + longest * VIEWS * RENDER_SECONDS)


def people_memory_mb(parameters: Parameters) -> int:
    """Memory of a job that reads everybody in all images: labels, reconstructions, measures; MB."""
    return _asked_mb(PEOPLE_MB + images(parameters) * PEOPLE_BYTES / MB)


def people_runtime_minutes(parameters: Parameters) -> int:
    """Minutes of such a job."""
    return _asked_minutes(START_SECONDS + images(parameters) * PEOPLE_SECONDS)


# All together


def estimate(parameters: Parameters, plan: Plan) -> str:
    """One line on the disk and the hours of training that all nodes of a plan take."""
    seconds = [training_seconds(parameters, stage) for stage in plan.stages.values()]
    cores, cards = (sum(each) / 3600 for each in zip((0.0, 0.0), *seconds, strict=True))
    disk = disk_bytes(parameters, plan) / 1e9
    return (
        f"about {_short(disk)} GB of disk; {len(seconds)} training stages of together "
        f"{_short(cores)} hours on one core, or {_short(cards)} on a GPU of "
        f"{GPU_FLOPS / 1e12:g} TFLOP/s"
    )


def _short(number: float) -> str:
    """To two digits."""
    return f"{number:.1f}" if number < 10 else f"{float(f'{number:.2g}'):.0f}"


def disk_bytes(parameters: Parameters, plan: Plan) -> float:
    """Scenes, rendered videos and checkpoints of all nodes of a plan."""
    scenes = sum(_scene_bytes(parameters, scene) for scene in plan.scenes.values())
    stages = [
        _work(resolved(parameters, stage.parameters), stage.stage) for stage in plan.stages.values()
    ]
    return scenes + sum(4 * work.weights for work in stages)


def _scene_bytes(parameters: Parameters, scene: SceneNode) -> float:
    """Stored frames and the network's input of a sequence, and what was rendered for it."""
    own = resolved(parameters, scene.parameters)
    network = 3 * math.prod(own.data.network_size)
    if scene.source == own.footage.name:
        stored = JPEG_BYTES * math.prod(own.footage.stored_size)
        return FOOTAGE_FRAMES / own.footage.every * FOOTAGE_VIEWS * (stored + network)
    rendered = HOST_BYTES if scene.host else 0
    image = JPEG_BYTES * math.prod(own.data.stored_size) + network + rendered
    return frames(own, scene.split) * views(own) * image
