"""Real footage: the multi-person demo of Pose2Sim (BSD-3-Clause), out of its wheel.

Four synchronised cameras, 1088x1920 portrait, 60 frames per second, 100 frames, Qualisys
calibration. There is no ground truth. Who is in it: one clearly real man; one woman who looks
composited into all four views (about 1.35 m tall when triangulated); a bystander whom only cam01
and cam02 see. The calibration as shipped is biased against the picture: the median reprojection
error of a triangulated body is 11 to 13 px. One principal-point shift per camera takes most of it
away (``geometry.refinement``); its cause isn't established. See docs/real_footage.md.
"""

from pathlib import Path

from selfpose3d.calibrations.qualisys import read_qualisys
from selfpose3d.fetch.wheels import fetch_wheel_files
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import Size, check_cameras
from selfpose3d.sources.recordings import Video
from selfpose3d.sources.videos import write_recordings

REQUIREMENT = "Pose2Sim==0.10.49"
_DEMO = "Pose2Sim/Demo_MultiPerson"
CALIBRATION = f"{_DEMO}/calibration/Calib.qca.txt"
FILES = {
    CALIBRATION: "fd90e4bbae3278ef1dc0cdd42a34ee06bf88286f628a02c00a29407aa39e34c5",
    f"{_DEMO}/videos/cam01.mp4": "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53",
    f"{_DEMO}/videos/cam02.mp4": "8895092a7cf26359205a427b7ac2f4a935c2e0bd36d9b7a5140cb33faa468a6b",
    f"{_DEMO}/videos/cam03.mp4": "d3daf48cdf9f5603868ddb99166ddaf9b12279e7ce968922926560d5fd3f0c99",
    f"{_DEMO}/videos/cam04.mp4": "1490149dc40e7301fa5ceae23862b044ba5c398a8b2a40df21ed894702728c09",
}
"""SHA-256 by path within the wheel."""


def prepare_demo(inputs: PrepareInputs) -> None:
    """Fetch the footage and make it a scene, at the size and rate of ``footage``."""
    footage = inputs.parameters.footage
    prepare_pose2sim_demo(
        every=footage.every,
        stored_size=footage.stored_size,
        network_size=inputs.parameters.data.network_size,
        scene=inputs.scene,
        cache=inputs.cache,
    )


def prepare_pose2sim_demo(
    every: int, stored_size: Size, network_size: Size, scene: Path, cache: Path
) -> None:
    """Fetch the footage and make it a scene.

    Args:
        every: take every n-th frame.
        stored_size: width and height of the stored frames, px.
        network_size: width and height of the network's input, px.
        scene: the scene folder to write.
        cache: folder that keeps what was fetched.

    Raises:
        InputError: it can't be fetched; the message says which files to put where.
    """
    places = fetch_wheel_files(REQUIREMENT, FILES, cache / "pose2sim_demo")
    cameras = read_qualisys(places[CALIBRATION])
    videos = {path.stem: path for path in places.values() if path.suffix == ".mp4"}
    check_cameras([camera.name for camera in cameras], list(videos), str(places[CALIBRATION]))
    write_recordings(
        cameras,
        [Video(videos[camera.name]) for camera in cameras],
        "pose2sim_demo",
        "pose2sim_demo",
        every,
        stored_size,
        network_size,
        scene,
    )
