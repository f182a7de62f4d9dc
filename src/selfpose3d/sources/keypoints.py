"""2D people without pictures: a calibration, and files of 2D people in any known format; and the
3D truth, where there is a file of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.calibrations.entry import UNTOLD, World
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import whole_folder
from selfpose3d.files.poses3d import write_poses3d
from selfpose3d.files.scenes import Scene, View, check_rig, write_scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.keypoints.reading import FoundPeople, Told, read_people
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.given_truth import read_given_truth
from selfpose3d.sources.preparation import Size, chosen_cameras


def read_rig(path: Path, world: World = UNTOLD) -> tuple[Camera, ...]:
    """The calibration in a file, or in a folder, with what the user tells of its world.

    Raises:
        InputError: there is none, or it can't be used.
    """
    return read_calibration(path, None, world)[1]


def scene_without_images(
    folder: Path,
    name: str,
    cameras: Sequence[Camera],
    people: Path,
    told: Told,
    network_size: Size,
    rate: float,
) -> tuple[Scene, FoundPeople]:
    """A scene of 2D people alone, at the calibration's image sizes, and its 2D people.

    Args:
        folder: of the scene; nothing is written.
        name: of the sequence.
        cameras: the rig.
        people: file or folder of 2D people, whose frames become the scene's.
        told: what the user says of the files.
        network_size: width and height of the networks' input, px.
        rate: frames per second.

    Raises:
        InputError: a file can't be used, or fewer than two cameras have people.
    """
    check_rig(cameras, str(folder))
    views = [View(camera.name, camera.width, camera.height) for camera in cameras]
    found = read_people(people, views, None, name, told)
    seen = {camera for (_, camera), count in found.counts.items() if count}
    if len(seen) < 2:
        raise InputError(
            f"{people}: 2D people of {len(seen)} camera(s) {sorted(seen)} of "
            f"{[camera.name for camera in cameras]}; two cameras or more must have seen somebody"
        )
    frames = sorted({frame for frame, _ in found})
    times = [frame / rate for frame in frames]
    facts = (folder, name, "keypoints", cameras, frames, times, network_size)
    return replace(Scene.calibrated(*facts), has_images=False), found


def prepare_keypoints(inputs: PrepareInputs) -> None:
    """Make a calibration and 2D people a scene without images; ``estimator.files`` names them."""
    parameters, name = inputs.parameters, inputs.sequence
    data, own, estimator = parameters.data, parameters.keypoints, parameters.estimator
    if not own.calibration or not estimator.files:
        raise InputError(
            "2D people without pictures need keypoints.calibration and estimator.files, with "
            "{sequence} in the place of the sequence's name"
        )
    rig = read_rig(Path(own.calibration.replace("{sequence}", name)))
    cameras = chosen_cameras(rig, data.cameras, own.calibration)
    told = Told(estimator.joints, estimator.image_size, estimator.first)
    people = Path(estimator.files.replace("{sequence}", name))
    size, rate = data.network_size, data.frame_rate
    scene, _ = scene_without_images(inputs.scene, name, cameras, people, told, size, rate)
    every = getattr(data, f"{inputs.split}_every")
    frames = tuple(f for f in scene.frames if (f - scene.frames[0]) % every == 0)
    times = tuple(frame / data.frame_rate for frame in frames)
    if inputs.truth is not None:
        _write_truth(inputs.truth, own.truth, name, frames)
    with whole_folder(inputs.scene) as folder:
        write_scene(replace(scene, folder=folder, frames=frames, times=times))


def _write_truth(out: Path, given: str | None, name: str, frames: Sequence[int]) -> None:
    if not given:
        raise InputError(
            "keypoints.truth: data.source: keypoints_with_truth needs a file of the 3D truth, with "
            "{sequence} in the place of the sequence's name; without one the source is keypoints"
        )
    people = read_given_truth(Path(given.replace("{sequence}", name)), name, frames)
    write_poses3d(out, {(name, frame): each for frame, each in people.items()})
