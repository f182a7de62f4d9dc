"""The typed parameters: ``params.yaml`` and what lies over it.

Everything else receives the part it needs. A stage names the parts it reads (``experiments``)
and is given those and no others, so that its key covers all that its result depends on.
"""

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_yaml

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Variants = Annotated[
    int,
    Field(
        ge=0,
        description="affine variants of a frame whose frozen-backbone heatmaps are kept in memory; "
        "0: new ones each time",
    ),
]
GridSide = Annotated[int, Field(ge=12, multiple_of=4)]
"""Voxels a side of a V2V's volume, halved twice. Below 12 its lowest level is narrower than
a kernel: on some processors bfloat16 gradients of such convolutions read beyond their memory."""
Size = tuple[Count, Count]
Vector = tuple[float, float, float]


class NotGivenError(InputError, AttributeError):
    """A part of the parameters is read that was not given: see ``partial``."""


class Section(BaseModel):
    """A part of the parameters: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise NotGivenError(
                    f"--parameters: {name!r} of {type(self).__name__} is not given, and this step "
                    "reads it; add it to the JSON, or give a YAML file with all parameters"
                )
            return super().__getattr__(name)


class Data(Section):
    """Which data, and at what size it is kept."""

    source: Literal["studio", "panoptic", "videos"] = Field(
        "studio", description="who made the data"
    )
    cameras: tuple[str, ...] | None = Field(
        None, description="cameras to use; null: all, of Panoptic those of panoptic.cameras"
    )
    stored_size: Size = Field((960, 576), description="of stored frames, width and height, px")
    network_size: Size = Field((480, 288), description="of the network's input, px")
    train_every: Count = Field(1, description="take every n-th frame of a training sequence")
    test_every: Count = Field(1, description="take every n-th frame of a test sequence")

    @model_validator(mode="after")
    def _divisible(self) -> "Data":
        if any(side % 32 for side in self.network_size):
            raise ValueError(f"network_size {self.network_size}: sides must be divisible by 32")
        return self


class Studio(Section):
    """Rendered people with exact 3D truth."""

    rig: str = Field("config/rigs/ring5.yaml", description="cameras: placement, lens, image size")
    train_sequences: Count = 16
    train_frames: Count = Field(16, description="frames a training sequence")
    test_sequences: Count = 9
    test_frames: Count = Field(7, description="frames a test sequence")
    frame_interval: Positive = Field(0.3, description="seconds from frame to frame")
    people: tuple[Count, Count] = Field(
        (2, 4), description="fewest and most people a sequence; each number comes equally often"
    )
    seed: Seed = Field(1, description="of the studio alone; two seeds share no person or motion")


class Panoptic(Section):
    """The CMU Panoptic download (Joo et al. 2015), with the paper's split."""

    url: str = "http://domedb.perception.cs.cmu.edu/webdata/dataset"
    train: tuple[str, ...] = (
        "160422_ultimatum1",
        "160224_haggling1",
        "160226_haggling1",
        "161202_haggling1",
        "160906_ian1",
        "160906_ian2",
        "160906_ian3",
        "160906_band1",
        "160906_band2",
    )
    test: tuple[str, ...] = ("160906_pizza1", "160422_haggling1", "160906_ian5", "160906_band4")
    cameras: tuple[str, ...] = ("00_03", "00_06", "00_12", "00_13", "00_23")
    parallel: Count = Field(4, description="files fetched at a time")
    retries: Annotated[int, Field(ge=0)] = 8
    timeout: Positive = Field(30.0, description="seconds without a byte before a retry")


class Videos(Section):
    """Own synchronised videos: a folder a sequence, with <camera>.mp4 and a calibration.

    Every n-th frame is taken, n being data.train_every and data.test_every.
    """

    train: dict[str, str] = Field(
        default_factory=dict,
        description="folder by sequence name; it holds <camera>.mp4 and "
        "cameras.json or a Pose2Sim Calib.toml",
    )
    test: dict[str, str] = Field(default_factory=dict, description="likewise, held out")

    @model_validator(mode="after")
    def _names_are_folders_of_their_own(self) -> "Videos":
        strange = [n for n in (*self.train, *self.test) if not re.fullmatch("[A-Za-z0-9_]+", n)]
        if strange:
            raise ValueError(
                f"train, test: the names {strange} are to be of letters, digits and _ alone; "
                "rename the sequences, their folders may be called anything"
            )
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(
                f"train, test: {both} are in both; give the held-out sequences other names, and "
                "other videos"
            )
        return self


class Footage(Section):
    """Real footage without ground truth, run through the pipeline beside the data."""

    name: Literal["none", "pose2sim_demo"] = "pose2sim_demo"
    every: Count = Field(5, description="take every n-th frame")
    stored_size: Size = Field((544, 960), description="of stored frames, px")
    centre_refinement: bool = Field(
        False, description="fit one principal-point shift per camera, on every second frame"
    )


class Space(Section):
    """The volume that people move in (world mm, z up)."""

    centre: Vector = (0.0, 0.0, 900.0)
    size: tuple[Positive, Positive, Positive] = (5600.0, 5600.0, 2000.0)


class BlazePose(Section):
    """Tiled multi-person BlazePose: detector on overlapping tiles, landmarks in two passes."""

    tiles: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.6, 0.36), description="sides of square tiles over the image's longer side; 1: the image"
    )
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="of neighbouring tiles")
    detector_score: Fraction = Field(0.4, description="least score of a candidate")
    candidate_distance: Positive = Field(0.35, description="of two candidates, in body radii")
    presence: Fraction = Field(0.5, description="least landmark presence of a kept person")
    duplicate_distance: Positive = Field(0.1, description="of two people, in body extents")
    mirrored: bool = Field(True, description="mean with the mirrored crop in the last pass")
    agreement: Positive = Field(
        0.1, description="second look: median joint distance from the other views', in heights"
    )
    max_people: Count = Field(20, description="candidates that get a landmark pass")


class Estimator(Section):
    """The 2D pose estimator."""

    name: Literal["blazepose", "file", "ground_truth"] = "blazepose"
    blazepose: BlazePose = BlazePose()
    second_look: bool = Field(
        True, description="blazepose: look for people whom a view missed where others saw them"
    )
    files: str | None = Field(
        None,
        description="'file': COCO results JSON or OpenPose folder; 'ground_truth': the 3D truth; "
        "{sequence} and {dataset} are filled in",
    )

    @model_validator(mode="after")
    def _has_its_files(self) -> "Estimator":
        if self.name != "blazepose" and not self.files:
            raise ValueError(
                f"files: {self.files!r}: the estimator {self.name!r} reads one; give its path, "
                "with {sequence} in the place of the sequence's name"
            )
        return self


class Labels(Section):
    """Which detections become labels (paper section 4.2, table 16)."""

    person_score: Fraction = Field(
        0.7,
        description="least score of a person; paper 0.7 (a box's; BlazePose's presence is as well "
        "a probability that somebody is there, and 0.7 keeps 98 % of the right ones)",
    )
    joint_score: Fraction = Field(
        0.5,
        description="hard labels: least score of a joint; paper 0.7 (of BlazePose's joints above "
        "0.5, 98 % are off by less than 5 % of the height)",
    )
    min_joints: Count = Field(4, description="fewest joints of a kept person")
    noise: NonNegative = Field(
        0.0,
        description="put on every joint, standard deviation of x and of y in % of a person's "
        "height: a dose to study, 0 otherwise",
    )
    noise_seed: Seed = Field(0, description="of that noise")


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


class Stage(Section):
    """What every training stage has. Exactly one of epochs and iterations is given."""

    enabled: bool = True
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
    def _one_length(self) -> "Stage":
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give exactly one of epochs and iterations (the other null)")
        return self


class BackboneStage(Stage):
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


class RootStage(Stage):
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


class BodiesStage(Stage):
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


class PoseStage(Stage):
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


class SupervisedRootStage(Stage):
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


class SupervisedPoseStage(BodiesStage):
    """VoxelPose: pose_net on the true people of the training frames, and on such re-placed."""

    synthetic: Fraction = Field(
        0.0,
        description="share of the steps that see true bodies re-placed, with the labels' errors, "
        "instead of training frames",
    )


class TrustStage(Stage):
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

    backbone: BackboneStage = BackboneStage()
    root: RootStage = RootStage()
    bodies: BodiesStage = BodiesStage()
    pose_l2: PoseStage = PoseStage(iterations=50, batch_size=1, learning_rate=1e-4)
    pose_l1: PoseStage = PoseStage(
        iterations=50, batch_size=1, learning_rate=5e-5, joint_weight=0.01
    )
    finetune: PoseStage = PoseStage(
        enabled=False,
        iterations=30,
        batch_size=1,
        learning_rate=5e-5,
        joint_weight=0.01,
        labels="hard",
    )
    supervised_root: SupervisedRootStage = SupervisedRootStage()
    supervised_pose: SupervisedPoseStage = SupervisedPoseStage()
    trust: TrustStage = TrustStage()


class Compute(Section):
    """Where and how training and inference run (Lightning Fabric's words)."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="of the networks; auto: bf16-mixed where the processor or GPU multiplies "
        "in bfloat16, else 32-true. Geometry and losses are always in float32",
    )
    checkpoint_every: Count = Field(100, description="iterations")


class Inference(Section):
    """From images to 3D poses."""

    refine: bool = Field(True, description="pull each joint to the maxima of its heatmaps")
    refine_radius: Positive = Field(12.0, description="how far a maximum may lie, input px")
    prior_weight: NonNegative = Field(
        0.1, description="of the network's joint against the views, in the last refinement"
    )
    roots_only: bool = Field(
        False, description="every joint at its person's proposal: to measure root_net alone"
    )
    duplicate_distance: NonNegative = Field(
        250.0, description="people nearer than this (mean over joints, mm) are one"
    )
    batch_size: Count = Field(4, description="frames at a time")
    threads: Count = Field(1, description="of the process; part of what makes numbers repeat")


class TrainingFree(Section):
    """Association across views and robust confidence-weighted triangulation."""

    max_ray_distance: Positive = Field(140.0, description="of two rays of one person, mm")
    inlier_distance: Positive = Field(100.0, description="scale of the robust weights, mm")
    iterations: Count = Field(3, description="of reweighting")
    min_views: Annotated[int, Field(ge=2)] = Field(2, description="of a person, and of a joint")
    reassign_distance: Positive = Field(
        300.0, description="of a detection from the 3D person it is given to, mm"
    )
    merge_distance: Positive = Field(300.0, description="people nearer than this are one, mm")
    prior_weight: NonNegative = Field(
        0.3, description="of a joint's position before detections are given out anew"
    )


class Tracking(Section):
    """MLflow."""

    experiment: str = "selfpose3d"


class Method(Section):
    """One experiment: a method and what it changes in the parameters."""

    title: str = Field(description="as printed in the tables")
    method: Literal["selfpose3d", "voxelpose", "trust", "training_free", "joined"] | None = Field(
        None,
        description="null: that of what it is like, or selfpose3d; voxelpose learns from the 3D "
        "truth of the training sequences; where data come without, it is left out",
    )
    of: tuple[str, str] | None = Field(
        None,
        description="joined: two experiments; the first's people, and the second's who are "
        "none of them",
    )
    like: str | None = Field(
        None, description="the experiment whose method, set and test_on it starts from"
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="dotted key: value; a stage's epochs replace its iterations and the other way "
        "round, null leaves its length as it is",
    )
    test_on: dict[str, Any] = Field(
        default_factory=dict,
        description="dotted key: value, for prediction and evaluation alone: other data, "
        "estimator or labels than it was trained on",
    )

    @model_validator(mode="after")
    def _tested_with_the_trained_networks(self) -> "Method":
        wrong = sorted(key for key in self.test_on if key.partition(".")[0] not in TESTABLE)
        if wrong:
            raise ValueError(f"test_on: {wrong}: only keys of {list(TESTABLE)} can differ there")
        return self


TESTABLE: tuple[str, ...] = ("data", "studio", "panoptic", "videos", "space", "estimator", "labels")
"""Sections that may differ between training and test: the networks stay what they are."""


class Table(Section):
    """One results table: a list of experiments."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...] = Field(
        (),
        description="keys of metrics.json, a dot before a nested one (root.AP50); one that only "
        "published rows have stays empty in ours; none: those of the paper's table 1",
    )
    groups: tuple[Literal["per_sequence", "per_people"], ...] = Field(
        (), description="below each row, one for each of these groups of test frames"
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = Field(
        None, description="of its rows; null: seeds"
    )
    by_default: bool = Field(
        True, description="false: made only when asked for by name (snakemake table_4)"
    )
    published: tuple[str, ...] = Field((), description="of results/reference, printed below")


class Parameters(Section):
    """Everything that ``params.yaml`` and its overlays may say."""

    seed: Seed = Field(0, description="of one training; set for each experiment from seeds")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="every learnt experiment is trained with each of them"
    )
    data: Data = Data()
    studio: Studio = Studio()
    panoptic: Panoptic = Panoptic()
    videos: Videos = Videos()
    footage: Footage = Footage()
    space: Space = Space()
    estimator: Estimator = Estimator()
    labels: Labels = Labels()
    heatmaps: Heatmaps = Heatmaps()
    networks: Networks = Networks()
    augmentation: Augmentation = Augmentation()
    train: Train = Train()
    compute: Compute = Compute()
    inference: Inference = Inference()
    training_free: TrainingFree = TrainingFree()
    tracking: Tracking = Tracking()
    experiments: dict[str, Method] = Field(default_factory=dict)
    tables: dict[str, Table] = Field(default_factory=dict)

    def by_default(self) -> "Parameters":
        """With the tables that a plain run makes, and the experiments that no other table asks
        for alone; what these are like is resolved, as it may be gone."""
        tables = {name: table for name, table in self.tables.items() if table.by_default}
        asked = self._with_parts(row for table in self.tables.values() for row in table.rows)
        wanted = self._with_parts(row for table in tables.values() for row in table.rows)
        experiments = {
            name: self.described(name).model_copy(update={"like": None})
            for name in self.experiments
            if name in wanted or name not in asked
        }
        return self.model_copy(update={"experiments": experiments, "tables": tables})

    def seeds_of(self, experiment: str) -> tuple[int, ...]:
        """The seeds that an experiment is trained with: all that its tables ask for, ascending;
        a training-free one has nothing to draw and takes the first."""
        if self.method_of(experiment) == "training_free":
            return self.seeds[:1]
        tables = [
            each for each in self.tables.values() if experiment in self._with_parts(each.rows)
        ]
        asked = [table.seeds or self.seeds for table in tables] or [self.seeds]
        return tuple(sorted({seed for seeds in asked for seed in seeds}))

    def parts_of(self, experiment: str) -> tuple[str, ...]:
        """The two experiments that a joined one is of; none of another.

        Raises:
            InputError: it names none, or such as can't be joined.
        """
        described = self.described(experiment)
        if described.method != "joined":
            if described.of is not None:
                raise InputError(
                    f"experiments.{experiment}.of: only a joined experiment has it; "
                    "set method: joined, or remove it"
                )
            return ()
        known = {name for name in self.experiments if self.method_of(name) != "joined"}
        own = {**described.set, **described.test_on}
        if described.of is None or not set(described.of) <= known or own:
            raise InputError(
                f"experiments.{experiment}: a joined experiment names two others and has neither "
                f"set nor test_on: of: [first, second] (got {described.of}, {own}); "
                f"known: {sorted(known)}"
            )
        return described.of

    def _with_parts(self, experiments: Iterable[str]) -> set[str]:
        """With what the joined ones among the experiments are of."""
        names = set(experiments)
        return names.union(*(self.parts_of(name) for name in names & set(self.experiments)))

    def method_of(self, experiment: str) -> str:
        """The method of an experiment, or of what it is like."""
        return self.described(experiment).method or "selfpose3d"

    def described(self, experiment: str) -> Method:
        """An experiment with the method and settings of what it is like under its own.

        Raises:
            InputError: it is like an experiment that is not there, or, in the end, like itself.
        """
        chain = [experiment]
        while (like := self.experiments[chain[-1]].like) is not None:
            if like not in self.experiments or like in chain:
                problem = "is like itself" if like in chain else "is no experiment"
                raise InputError(
                    f"experiments.{chain[-1]}.like: {like!r} {problem}; "
                    f"known: {sorted(self.experiments)}"
                )
            chain.append(like)
        merged = self.experiments[chain[-1]]
        for own in (self.experiments[name] for name in reversed(chain[:-1])):
            inherited = {
                "method": own.method or merged.method,
                "of": own.of or merged.of,
                "set": {**merged.set, **own.set},
                "test_on": {**merged.test_on, **own.test_on},
            }
            merged = own.model_copy(update=inherited)
        return merged


def load_parameters(paths: Iterable[Path]) -> Parameters:
    """Read ``params.yaml`` and overlays, later ones winning, and check every value."""
    merged: dict[str, Any] = {}
    paths = list(paths)
    for path in paths:
        given = read_yaml(path) or {}
        if not isinstance(given, Mapping):
            raise InputError(f"{path}: sections with keys are expected, not {given!r}")
        merged = merge(merged, given)
    return parse_parameters(merged, " + ".join(str(path) for path in paths))


def parse_parameters(values: Mapping[str, Any], where: str) -> Parameters:
    """Check plain values; a wrong one is an ``InputError`` with its key and what is allowed."""
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, Parameters, where) from error


def _refusal(
    error: ValidationError, model: type[Section], where: str, path: Sequence[str] = ()
) -> InputError:
    """What is wrong with the values of a section that lies at a path of keys."""
    lines = [f"{where}: wrong parameters"]
    for problem in error.errors():
        key, said = problem["loc"], problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            known = sorted(_section_at(model, key[:-1]).model_fields)
            said = f"there is no such key; known: {known}"
        name = ".".join(map(str, (*path, *key))) or "(top level)"
        lines.append(f"  {name}: {said} (got {problem['input']!r})")
    return InputError("\n".join(lines))


def _section_at(model: type[Section], path: Sequence[int | str]) -> type[Section]:
    """The type of the section at a path of keys; experiments and tables are of one type each."""
    if not path:
        return model
    annotation = model.model_fields[str(path[0])].annotation
    if get_origin(annotation) is dict:
        return _section_at(get_args(annotation)[1], path[2:])
    return _section_at(cast(type[Section], annotation), path[1:])


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid upon it, section by section; neither is changed."""
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


OTHER_LENGTH = {"epochs": "iterations", "iterations": "epochs"}
"""A stage has exactly one of them."""


def with_settings(parameters: Parameters, settings: Mapping[str, Any], where: str) -> Parameters:
    """The parameters with ``{"dotted.key": value}`` laid over them, checked again.

    A stage's length in epochs replaces that in iterations, and the other way round; null leaves
    its length as it is, so that a setting fits overlays of either kind.
    """
    values = parameters.model_dump(mode="json")
    for dotted, value in settings.items():
        stage, _, last = dotted.rpartition(".")
        is_length = stage.startswith("train.") and last in OTHER_LENGTH
        if is_length and value is None:
            continue
        if is_length:
            _set(values, f"{stage}.{OTHER_LENGTH[last]}", None, where)
        _set(values, dotted, value, where)
    return parse_parameters(values, where)


def _set(values: dict[str, Any], dotted: str, value: Any, where: str) -> None:
    *path, last = dotted.split(".")
    for part in path:
        if not isinstance(values.get(part), dict):
            raise InputError(f"{where}: {dotted}: there is no section '{part}'")
        values = values[part]
    if last not in values:
        raise InputError(f"{where}: {dotted}: there is no such key; known: {sorted(values)}")
    values[last] = value


def select(parameters: Parameters, reads: Iterable[str]) -> dict[str, Any]:
    """The parts of the parameters that ``reads`` (dotted keys) names, nested as in the whole."""
    whole = parameters.model_dump(mode="json")
    selected: dict[str, Any] = {}
    for dotted in reads:
        source, target = whole, selected
        *path, last = dotted.split(".")
        for part in path:
            source = source[part]
            target = target.setdefault(part, {})
        target[last] = source[last]
    return selected


def partial(selected: Mapping[str, Any]) -> Parameters:
    """Parameters that hold only the given parts.

    Reading another part raises ``NotGivenError``, an ``AttributeError``: a stage can't depend on
    what its key does not cover.

    Raises:
        InputError: a key is unknown, or a value is wrong.
    """
    parameters: Parameters = _partial(Parameters, selected, ())
    return parameters


def _partial(model: type[Any], values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        key = (*path, name)
        if name not in model.model_fields:
            known = sorted(model.model_fields)
            raise InputError(f"--parameters: {'.'.join(key)}: there is no such key; known: {known}")
        annotation = model.model_fields[name].annotation
        nested = isinstance(annotation, type) and issubclass(annotation, Section)
        section = annotation if nested else None
        try:
            if section is None:
                fields[name] = _validated(model, name, value)
            elif isinstance(value, Mapping) and set(value) != set(section.model_fields):
                fields[name] = _partial(section, value, key)
            else:
                fields[name] = section.model_validate(value)
        except ValidationError as error:
            where = path if section is None else key
            raise _refusal(error, section or model, "--parameters", where) from error
    instance = object.__new__(model)
    object.__setattr__(instance, "__dict__", fields)
    object.__setattr__(instance, "__pydantic_fields_set__", set(fields))
    object.__setattr__(instance, "__pydantic_extra__", None)
    object.__setattr__(instance, "__pydantic_private__", None)
    return instance


def _validated(model: type[Any], name: str, value: Any) -> Any:
    instance = model.__pydantic_validator__.validate_assignment(
        model.model_construct(), name, value
    )
    return instance[0][name] if isinstance(instance, tuple) else getattr(instance, name)


def parse_selected(text: str) -> Parameters:
    """Partial parameters from a stage's JSON, as a rule passes it, or from a YAML file's path."""
    if not text.lstrip().startswith("{"):
        return load_parameters([Path(text)])
    try:
        selected = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--parameters: not valid JSON ({error})") from error
    return partial(selected)
