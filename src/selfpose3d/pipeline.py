"""The pipeline's steps over files: what a command reads, calls and writes.

Each function turns files into files by calling the one room of the package that does the work.
Training is never handed a path of the truth but by ``train_supervised``, for the baseline that
is supervised by design. Besides, ``measure_labels``, ``measure_heatmaps``, ``evaluate`` and the
estimator named "ground_truth" are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import whole_folder, write_json
from selfpose3d.files.checkpoints import merged_networks
from selfpose3d.files.poses2d import People2D, Views, read_poses2d, write_poses2d
from selfpose3d.files.poses3d import People3D, read_poses3d, write_poses3d
from selfpose3d.files.results import HEADLINE, read_metrics, read_recorded, write_recorded
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.parameters import Labels, Parameters, TrainingFree
from selfpose3d.progress import track
from selfpose3d.skeletons import PANOPTIC_15


def label_path(folder: Path, sequence: str) -> Path:
    """Where the labels, the truth or the reconstruction of a sequence lie in their folder."""
    return folder / f"{sequence}.parquet"


def detect_people(
    parameters: Parameters, scene: Scene, weights: Path, workers: int
) -> tuple[Views, tuple[str, ...]]:
    """Estimate 2D people, then look again where the other views say that somebody was missed.

    Returns:
        people by (frame, camera) and the names of their joints.
    """
    from selfpose3d.detection.estimator import detect_again, detect_scene
    from selfpose3d.detection.filters import make_labels
    from selfpose3d.reconstruction.training_free import reconstruct_scene

    views, joints = detect_scene(scene, parameters.estimator, weights, workers)
    if parameters.estimator.name == "blazepose" and parameters.estimator.second_look:
        labels = make_labels(views, parameters.labels, "soft", joints)
        people = reconstruct_scene(scene, labels, parameters.training_free)
        views = detect_again(scene, views, people, parameters.estimator, weights, workers)
    return views, joints


def label_sequences(labels: Labels, kind: str, detections: Sequence[Path], out: Path) -> None:
    """Filter the detections of sequences into a folder of label files, noise put on them first
    where ``labels.noise`` asks for it."""
    from selfpose3d.detection.filters import in_panoptic, make_labels, with_noise

    if kind not in ("soft", "hard"):
        raise InputError(f"labels are soft or hard, not {kind!r}")
    with whole_folder(out) as folder:
        for path in detections:
            views = in_panoptic(*read_poses2d(path))
            if labels.noise:
                views = with_noise(views, labels.noise, labels.noise_seed, path.stem)
            kept = make_labels(views, labels, cast(Literal["soft", "hard"], kind), PANOPTIC_15)
            write_poses2d(folder / path.name, kept, PANOPTIC_15)


def reconstruct_sequences(
    parameters: TrainingFree, scenes: Sequence[Path], labels: Path, out: Path
) -> None:
    """Reconstruct the 3D people of scenes from their labels into a folder of files."""
    from selfpose3d.reconstruction.training_free import reconstruct_scene

    with whole_folder(out) as folder:
        for scene in track([read_scene(path) for path in scenes], "scenes", unit="scenes"):
            views = read_labels(labels, scene)
            people = reconstruct_scene(scene, views, parameters)
            write_poses3d(label_path(folder, scene.name), people)


def read_labels(folder: Path, scene: Scene) -> Views:
    """The labels of a scene; labels of another scene are refused."""
    path = label_path(folder, scene.name)
    views, joints = read_poses2d(path)
    if joints != PANOPTIC_15:
        raise InputError(f"{path}: joints {joints} are not Panoptic-15; run 'selfpose3d label'")
    known = {(frame, camera.name) for frame in scene.frames for camera in scene.cameras}
    strange = sorted(set(views) - known)
    if strange:
        raise InputError(
            f"{path}: frame and camera {strange[0]} (and {len(strange) - 1} more) are not in the "
            f"scene {scene.folder}; these are the labels of another data set"
        )
    return views


def measure_labels(scenes: Sequence[Path], labels: Path, truth: Path, out: Path) -> None:
    """Write how good labels are against exact projections, over all scenes."""
    from selfpose3d.detection.quality import label_quality

    read = [read_scene(path) for path in scenes]
    views = [read_labels(labels, scene) for scene in read]
    truths = [read_poses3d(label_path(truth, scene.name)) for scene in read]
    write_json(out, label_quality(views, truths, read))


def measure_heatmaps(
    parameters: Parameters,
    checkpoint: Path,
    scenes: Sequence[Path],
    labels: Path,
    truth: Path,
    out: Path,
) -> None:
    """Write how good a trained backbone's heatmaps are against exact projections."""
    from selfpose3d.detection.scene_people import scene_people
    from selfpose3d.evaluation.heatmap_quality import HeatmapTally
    from selfpose3d.methods.voxels.predict import scene_heatmaps

    tally = HeatmapTally()
    for scene in [read_scene(path) for path in scenes]:
        people = scene_people(scene, read_labels(labels, scene))
        true = read_poses3d(label_path(truth, scene.name))
        cameras = scene.network_cameras()
        for index, maps in enumerate(scene_heatmaps(parameters, scene, [checkpoint])):
            present = true.get((scene.name, scene.frames[index]))
            if present is None:
                continue
            for view, camera in enumerate(cameras):
                scores = people.scores[index, view]
                seen = People2D(people.points[index, view], scores, scores.max(-1))
                tally.add(maps[view], parameters.heatmaps.stride, camera, present, seen)
    write_json(out, tally.summary())


def refine_scene(scene: Path, labels: Path, people: Path, out: Path) -> None:
    """Write a copy of a scene with its principal points refitted to its labels."""
    from selfpose3d.reconstruction.refined_cameras import write_refined_scene

    views, _ = read_poses2d(labels)
    write_refined_scene(read_scene(scene), views, read_poses3d(people), out)


def report_reprojection(scene: Path, labels: Path, predictions: Path, out: Path) -> None:
    """Write how well 3D people reproject onto the labels of a scene."""
    from selfpose3d.evaluation.reprojection import reprojection_report

    read = read_scene(scene)
    views, _ = read_poses2d(labels)
    write_json(out, reprojection_report(read, views, read_poses3d(predictions)))


def train_stage(
    parameters: Parameters,
    stage: str,
    scenes: Sequence[Path],
    labels: Path,
    reconstructions: Path | None,
    start: Sequence[Path],
    weights: Path | None,
    out: Path,
) -> None:
    """Run one self-supervised training stage on scenes and their labels."""
    from selfpose3d.files.space import check_space
    from selfpose3d.methods.trust.stage import train_trust
    from selfpose3d.methods.voxels import stages

    read = [read_scene(path) for path in scenes]
    views = [read_labels(labels, scene) for scene in read]
    people = []
    if reconstructions is not None:
        people = [read_poses3d(label_path(reconstructions, scene.name)) for scene in read]
        everybody = {key: value for frames in people for key, value in frames.items()}
        check_space(parameters.space.centre, parameters.space.size, everybody, str(reconstructions))
    elif stage in ("root", "bodies", "trust"):
        raise InputError(f"the stage {stage} needs --reconstructions")
    if stage == "backbone":
        stages.train_backbone(parameters, read, views, weights, out)
    elif stage == "root":
        stages.train_root(parameters, read, views, start, out, people)
    elif stage == "bodies":
        stages.train_bodies(parameters, read, views, people, start, out)
    elif stage == "trust":
        train_trust(parameters, read, views, people, out)
    elif stage in ("pose_l2", "pose_l1", "finetune"):
        name = cast(Literal["pose_l2", "pose_l1", "finetune"], stage)
        stages.train_pose(parameters, name, read, views, start, out, people)
    else:
        raise InputError(f"the stage {stage!r} is unknown, or supervised and needs --truth")


def train_supervised(
    parameters: Parameters,
    stage: str,
    scenes: Sequence[Path],
    labels: Path,
    truth: Sequence[Path],
    start: Sequence[Path],
    out: Path,
) -> None:
    """Run one stage of VoxelPose on scenes, their labels and the 3D truth of these scenes."""
    from selfpose3d.methods.voxels import supervised

    stages = {
        "supervised_root": supervised.train_supervised_root,
        "supervised_pose": supervised.train_supervised_pose,
    }
    if stage not in stages:
        raise InputError(f"the stage {stage!r} learns without the 3D truth; leave out --truth")
    read = [read_scene(path) for path in scenes]
    views = [read_labels(labels, scene) for scene in read]
    stages[stage](parameters, read, views, truth, start, out)


def predict_sequences(
    parameters: Parameters,
    checkpoints: Sequence[Path],
    scenes: Sequence[Path],
    labels: Path,
    out: Path,
) -> None:
    """Predict the 3D people of scenes into one file, with what the checkpoints hold."""
    from selfpose3d.methods.trust.predict import trust_scene
    from selfpose3d.methods.voxels.predict import predict_scene

    predict = trust_scene if "trust" in merged_networks(checkpoints) else predict_scene
    frames: dict[tuple[str, int], People3D] = {}
    for scene in [read_scene(path) for path in scenes]:
        views = read_labels(labels, scene)
        frames.update(predict(parameters, scene, views, checkpoints))
    write_poses3d(out, frames)


def join_predictions(first: Path, second: Path, out: Path) -> None:
    """Write the first file's people, and after them those of the second's who are none of them."""
    from selfpose3d.methods.joined import join_people

    write_poses3d(out, join_people(read_poses3d(first), read_poses3d(second)))


def gather_people(paths: Sequence[Path], out: Path) -> None:
    """Put the 3D people of several sequences into one file."""
    frames: dict[tuple[str, int], People3D] = {}
    for path in paths:
        frames.update(read_poses3d(path))
    write_poses3d(out, frames)


def gather_metrics(rows: Mapping[str, Sequence[Path]], out: Path) -> None:
    """Write the headline metrics of every experiment, the mean over its seeds.

    Args:
        rows: experiment folders (one a seed) by experiment name.
        out: JSON, ``{experiment: {metric: value}}``.
    """
    gathered = {}
    for name, folders in rows.items():
        metrics = [read_metrics(folder) for folder in folders]
        gathered[name] = {
            key: _mean([row[key] for row in metrics]) for key in HEADLINE if key in metrics[0]
        }
    write_json(out, gathered)


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; none where a seed has no value (nobody was found)."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def record_experiment(folder: Path, scene: Path, benchmarks: Path, name: str, out: Path) -> None:
    """Record an experiment's folder in MLflow with pictures of its people on a held-out scene."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting.figures import confident, pictures
    from selfpose3d.reporting.recording import record

    people = confident(read_poses3d(folder / "predictions.parquet"))
    shown = pictures(read_scene(scene), people)
    write_recorded(out, record(folder, Mlflow(experiment=name), benchmarks, shown))


def record_table(table: str, experiments: Sequence[Path], name: str, out: Path) -> None:
    """Tag the recorded runs of a table by its name in MLflow, and no others."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting import recording

    runs = [read_recorded(folder) for folder in experiments]
    recording.record_table(table, runs, Mlflow(experiment=name))
    write_json(out, {"run_ids": runs})
