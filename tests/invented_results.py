"""Result files with invented but plausible content, for the tests of what reads them."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from selfpose3d.files.atomic import write_json, write_text
from selfpose3d.files.checkpoints import write_checkpoint
from selfpose3d.files.poses3d import Frames, People3D, write_poses3d
from selfpose3d.files.results import (
    Data,
    Description,
    TrainedStage,
    write_curves,
    write_description,
    write_metrics,
)
from selfpose3d.files.scenes import Scene, write_image, write_scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.reconstruction.standing import standing
from selfpose3d.skeletons import PANOPTIC_15

LOW_MPJPE, HIGH_MPJPE = 44.8, 62.1
STANDING = standing(PANOPTIC_15) * [1, -1, 1] + [0, 0, 960]
"""(15, 3) a person at the origin, mm, looking along -y."""


def ring_camera(name: str, angle: float, width: int = 320, height: int = 192) -> Camera:
    """A camera 4.5 m from the origin at 1.9 m, looking at the middle of the people."""
    centre = np.array([4500 * np.cos(angle), 4500 * np.sin(angle), 1900.0])
    forward = np.array([0, 0, 900.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    focal = 0.75 * width
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera(name, width, height, K, np.zeros(5), rotation, -rotation @ centre)


def write_invented_scene(folder: Path, name: str, source: str, frames: int = 4) -> Scene:
    """A scene of three cameras around an empty, shaded room."""
    cameras = [ring_camera(f"cam{i:02d}", 2 * np.pi * i / 3 + 0.3) for i in range(3)]
    ids = [10 * i for i in range(frames)]
    times = [0.3 * i for i in range(frames)]
    scene = Scene.calibrated(folder, name, source, cameras, ids, times, (480, 288))
    write_scene(scene)
    for view, camera in enumerate(cameras):
        image = np.full((camera.height, camera.width, 3), 90 + 20 * view, np.uint8)
        cv2.rectangle(image, (0, 110), (camera.width, camera.height), (120, 105, 90), -1)
        for frame in ids:
            write_image(scene.image_path(camera.name, frame), image)
    return scene


def invented_people(scene: Scene) -> dict[tuple[str, int], People3D]:
    """Three people who walk through a scene's frames."""
    places = np.array([[-900, -400, 0], [200, 800, 0], [1000, -600, 0]], dtype=float)
    steps = np.array([[90, 60, 0], [-70, 50, 0], [-40, 110, 0]], dtype=float)
    return {
        (scene.name, frame): People3D.predicted(
            STANDING + (places + i * steps)[:, None], np.full(3, 0.9), PANOPTIC_15
        )
        for i, frame in enumerate(scene.frames)
    }


def write_truth(path: Path, scene: Scene) -> Frames:
    """Write the invented people of a scene as its truth."""
    people = invented_people(scene)
    write_poses3d(path, people)
    return people


def invented_description(
    folder: Path, title: str, seed: int = 0, settings: Mapping[str, object] | None = None
) -> Description:
    """What an experiment in a folder ``<name>`` or ``<name>-seed<seed>`` may be."""
    settings = settings or {}
    stage = TrainedStage("pose_l2", folder.parent / "stages/pose_l2-12ab")
    return Description(
        id=folder.name,
        name=folder.name.split("-seed")[0],
        seed=seed,
        title=title,
        method="selfpose3d",
        settings=settings,
        test_on={},
        parameters={
            "seed": seed,
            "data": {"source": "studio", "network_size": [480, 288]},
            "labels": {"person_score": 0.7, **settings},
            "train": {"pose_l2": {"iterations": 40, "learning_rate": 1e-3}},
        },
        stages=(stage,),
        trained_on=(invented_data("studio_train_00"),),
        tested_on=invented_data("studio_test_00"),
    )


def invented_data(sequence: str) -> Data:
    """A sequence of an invented data set."""
    return Data("studio ring5", (Path("data/scenes/studio-12ab") / sequence,))


def write_experiment(
    folder: Path, title: str, truth: Frames, mpjpe: float, seed: int = 0, **settings: object
) -> Path:
    """An experiment's folder whose predictions are the truth with noise."""
    rng = np.random.default_rng(seed)
    predicted = {
        key: People3D.predicted(
            people.joints + rng.normal(0, mpjpe / 1.6, people.joints.shape),
            people.scores,
            PANOPTIC_15,
        )
        for key, people in truth.items()
    }
    write_poses3d(folder / "predictions.parquet", predicted)
    write_description(
        folder / "experiment.json", invented_description(folder, title, seed, settings)
    )
    write_metrics(
        folder / "metrics.json",
        {
            "AP25": 2.0 + seed,
            "AP50": 71.3,
            "AP100": 91.3,
            "AP150": 93.1,
            "Recall@500": 97.8,
            "MPJPE": mpjpe + seed,
            "joints": {"neck": 30.0, "left_wrist": 71.5},
            "root": {"AP50": 90.0, "MPJPE": None},
            "per_sequence": {"studio_test_00": group(mpjpe + seed, 4)},
            "per_people": {"2": group(mpjpe - 10, 1), "3": group(mpjpe, 3)},
            "frames": 4,
            "people": 12,
        },
    )
    return folder


def group(mpjpe: float, frames: int) -> dict[str, float]:
    """The metrics of some of the frames, of three people each."""
    return {"AP25": 1.5, "AP50": 70.0, "MPJPE": mpjpe, "frames": frames, "people": 3 * frames}


def write_stage(folder: Path, rows: int = 40) -> Path:
    """A training stage's folder with falling losses, two iterations a second."""
    rng = np.random.default_rng(0)
    curves = []
    for i in range(1, rows + 1):
        loss = 0.4 * np.exp(-i / 9) + 0.004 * (1 + rng.random())
        terms = {"loss": round(loss, 6), "attention": round(0.1 * loss + 0.002, 6), "unused": 0.0}
        curves.append({"iteration": i, "seconds": 0.5 * i, **terms})
    write_curves(folder, curves)
    networks = {"pose_net": {"weight": torch.ones(3)}}
    write_checkpoint(folder / "checkpoint.pt", networks, PANOPTIC_15, {})
    return folder


def write_label_quality(folder: Path) -> dict[str, Path]:
    """What was measured of labels and of learnt heatmaps, by title."""
    error = {"median_error": 1.831, "mean_error": 3.0}
    labels = {
        "images": 315,
        "recall": 0.9312,
        **error,
        "own_side": 0.9546,
        "by_score": [{"from": 0.95, "to": 1.0, "share": 0.69, **error}],
        "by_joint": {"left_wrist": error},
    }
    heatmaps = {
        "joints": 11126,
        "pck": 74.2,
        "by_joint": {"neck": {"pck": 81.7}, "left_wrist": {"pck": 60.7}},
        "own_side_by_joint": {"left_wrist": 0.833},
    }
    write_json(folder / "soft.json", labels)
    write_json(folder / "heatmaps.json", heatmaps)
    return {"Soft labels": folder / "soft.json", "Learnt heatmaps": folder / "heatmaps.json"}


def write_reprojection(path: Path) -> None:
    """A reprojection report of one camera."""
    camera = {"images": 20, "labels": 66, "explained": 0.7727, "found": None, "median_px": 7.888}
    write_json(
        path,
        {
            "frames": 20,
            "people_per_frame": {"2": 8, "3": 12},
            "all": camera,
            "cameras": {"cam01": camera},
            "joints": {"left_wrist": 1.47},
            "warnings": ["Camera cam01: only 41% of the 2D people are explained."],
        },
    )


def write_agreement(folder: Path, title: str, truth: Frames) -> Path:
    """An experiment's folder on data without truth, of two cameras."""
    write_experiment(folder, title, truth, LOW_MPJPE)
    figures = {"reprojection_mm": 14.6, "reprojection_px": 3.25, "explained": 92.5, "people_2d": 96}
    far = {"reprojection_mm": None, "reprojection_px": None, "explained": 0.0, "people_2d": 40}
    counts = {"people_per_frame": 2.75, "people": 11, "frames": 4}
    write_metrics(
        folder / "metrics.json",
        {
            **figures,
            **counts,
            "sequences": 1,
            "cameras": {"left#1": figures, "right": far},
            "per_sequence": {"walk": figures | counts},
            "warnings": ["Camera right: only 0% of the 2D people are explained."],
        },
    )
    return folder


def write_rig_check(folder: Path) -> Path:
    """The folder of a check of a rig with one fault."""
    told = ["Warning: 1 fault was found.", "Camera right lags.", "Camera left: 92% are explained."]
    write_json(folder / "rig.json", {"sentences": told, "findings": [{"kind": "time offset"}]})
    write_image(folder / "rig.png", np.full((64, 128, 3), 200, np.uint8))
    return folder


def write_benchmarks(folder: Path) -> None:
    """Snakemake's benchmark files of three rules, one of a job too short to measure."""
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    rows = {
        "train/backbone.tsv": "60.0\t0:01:00\t1500.5\t1\t1\t1\t0\t0\t98.0\t59.0",
        "train/pose.tsv": "30.0\t0:00:30\t2100.0\t1\t1\t1\t0\t0\t99.0\t30.1",
        "detect/studio_test_00.tsv": "12.5\t0:00:12\t400.0\t1\t1\t1\t0\t0\t180.0\t22.0",
        "gather/all.tsv": "0.3\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA",
    }
    for name, row in rows.items():
        write_text(folder / name, head + row + "\n")
