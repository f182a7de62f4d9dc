"""Own videos of different sizes, one upright, with 2D people in the pixels of each video."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from selfpose3d.detection.keypoint_files import detect_from_files
from selfpose3d.errors import InputError
from selfpose3d.evaluation import evaluate
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene, read_scene, write_cameras
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.parameters import Parameters, TrainingFree, with_settings
from selfpose3d.reconstruction.training_free import reconstruct_scene
from selfpose3d.skeletons import COCO_17, Skeleton
from selfpose3d.sources.videos import prepare_videos
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

FRAMES, STORED = 4, (320, 192)
SIZES = {"cam0": (320, 240), "cam1": (180, 320), "cam2": (640, 360), "cam3": (320, 240)}
"""Of the videos; cam1's telephone was held upright."""


def of_size(camera: Camera) -> Camera:
    """A camera of the ring whose image has its own size, about the same middle."""
    width, height = SIZES[camera.name]
    focal = 0.8 * max(width, height)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return replace(camera, width=width, height=height, K=K, distortion=np.zeros(5))


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The videos and their calibration."""
    folder = tmp_path_factory.mktemp("take")
    cameras = [of_size(camera) for camera in ring(4)]
    write_cameras(folder / "cameras.json", cameras)
    for camera in cameras:
        size = (camera.width, camera.height)
        code = cv2.VideoWriter.fourcc(*"mp4v")
        video = cv2.VideoWriter(str(folder / f"{camera.name}.mp4"), code, 10.0, size)
        for _ in range(FRAMES):
            video.write(np.full((size[1], size[0], 3), 90, np.uint8))
        video.release()
    return folder


@pytest.fixture(scope="module")
def made(take: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """The people in front of the cameras, as the videos show them, exactly."""
    folder = tmp_path_factory.mktemp("seen")
    cameras = [of_size(camera) for camera in ring(4)]
    exact = {"noise": 0.0, "missing": 0.0, "skeleton": COCO_17}
    scene = make_scene(folder / "seen", "take", 3, ring(4), frames=FRAMES, **exact)
    views = {}
    for number, people in enumerate(scene.truth.values()):
        for camera in cameras:
            views[number, camera.name] = seen(camera, people, COCO_17)
    truth = {("take", n): people for n, people in enumerate(scene.truth.values())}
    write_coco_results(take / "people.json", views)
    return Synthetic(scene.scene, views, truth)


def seen(camera: Camera, people: People3D, skeleton: Skeleton) -> People2D:
    points, _ = project(camera, people.joints)
    inside = ((points >= 0) & (points < [camera.width, camera.height])).all(-1)
    return People2D(points, np.where(inside, 0.9, 0.0), np.ones(len(points)), skeleton)


@pytest.fixture(scope="module")
def scene(take: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("made") / "take"
    prepare_videos(take, "take", None, 1, 25.0, STORED, (224, 160), folder)
    return read_scene(folder)


def detected(scene: Scene, take: Path, image_size: object) -> dict:
    given = {"estimator.name": "file", "estimator.files": str(take / "people.json")}
    told = with_settings(Parameters(), {**given, "estimator.image_size": image_size}, "test")
    return dict(detect_from_files(scene, told, take))


def test_people_in_px_of_each_video_are_placed_into_the_stored_frames(
    made: Synthetic, scene: Scene, take: Path
) -> None:
    views = detected(scene, take, "videos")
    for camera in scene.cameras:
        for frame in scene.frames:
            expected = seen(camera, made.truth["take", frame], COCO_17)
            there = views[frame, camera.name].scores > 0
            gap = np.linalg.norm(views[frame, camera.name].points - expected.points, axis=-1)
            assert there.any() and gap[there].max() < 0.05
    people = reconstruct_scene(scene, views, TrainingFree())
    assert evaluate(people, made.truth)["MPJPE"] < 10
    assert min(each.scores.min() for each in people.values()) > 3  # all four views agree


@pytest.mark.parametrize(
    ("image_size", "said"),
    [
        (None, r"pixels of which images\? Those of cam0 are 320x240 px, .*image_size: videos"),
        ([640, 360], r"image size 640x360 px has other proportions than the images of cam0"),
    ],
)
def test_people_whose_pixels_are_not_told_are_refused(
    made: Synthetic, scene: Scene, take: Path, image_size: object, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        detected(scene, take, image_size)


def test_a_size_that_upright_videos_fill_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    upright = [replace(camera, width=180, height=320) for camera in ring(2)]
    K = np.array([[250.0, 0, 90], [0, 250.0, 160], [0, 0, 1]])
    write_cameras(tmp_path / "cameras.json", [replace(each, K=K) for each in upright])
    for camera in upright:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        video = cv2.VideoWriter(str(tmp_path / f"{camera.name}.mp4"), code, 10.0, (180, 320))
        video.write(np.full((320, 180, 3), 90, np.uint8))
        video.release()
    sizes = {"stored_size": (960, 576), "network_size": (480, 288)}
    prepare_videos(tmp_path, "take", None, 1, 25.0, **sizes, scene=tmp_path / "wide")
    said = capfd.readouterr().err
    assert "Images of 180x320 px fill 34% of the stored frames of 960x576 px" in said
    assert "data: {stored_size: [544, 992], network_size: [288, 480]}" in said
    sizes = {"stored_size": (544, 992), "network_size": (288, 480)}
    prepare_videos(tmp_path, "take", None, 1, 25.0, **sizes, scene=tmp_path / "upright")
    assert "fill" not in capfd.readouterr().err
