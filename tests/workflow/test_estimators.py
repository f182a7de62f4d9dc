"""An estimator that is an extra, from its weights on a host to people in 3D, by the workflow."""

from pathlib import Path

import cv2
import numpy as np
import yaml

from coloured_people import colours, picture
from conftest import run_snakemake
from hosts import Host
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import write_cameras
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.parameters import RtmLib
from selfpose3d.skeletons import HALPE_26, PANOPTIC_15
from selfpose3d.synthetic.scenes import STANDING, ring
from tiny_rtmlib import packed, save_two_stages

SIZE = (512, 512)
OF_HALPE = [HALPE_26.index(name) for name in PANOPTIC_15.joints]
DOTS = colours(26)[np.argsort([*OF_HALPE, *sorted(set(range(26)) - set(OF_HALPE))])]
"""The colour of each joint of HALPE-26; those that are shown differ most."""


def write_video(folder: Path, camera: Camera) -> None:
    """Three frames in which the person's joints are dots of their colours."""
    pixels, _ = project(camera, STANDING)
    frame = picture(pixels, SIZE, 6.0, DOTS[OF_HALPE])
    path = str(folder / f"{camera.name}.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, SIZE)
    for _ in range(3):
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def test_weights_are_fetched_people_detected_labelled_and_reconstructed(tmp_path: Path) -> None:
    take, made = tmp_path / "take", tmp_path / "made"
    take.mkdir()
    made.mkdir()
    cameras = ring(3, *SIZE, radius=3000.0)
    write_cameras(take / "cameras.json", cameras)
    for camera in cameras:
        write_video(take, camera)
    chosen = RtmLib()
    save_two_stages(made, chosen, [(120.0, 100.0, 392.0, 412.0, 0.9)], SIZE, dots=DOTS)
    told = packed(made, chosen, tmp_path / "served")
    overlay = tmp_path / "mine.yaml"
    with Host(tmp_path / "served") as host:
        settings = {
            "data": {"source": "videos", "stored_size": list(SIZE)},
            "videos": {"test": {"mine": str(take)}},
            "footage": {"name": "none"},
            "estimator": {"name": "rtmlib", "rtmlib": {"source": host.url, "sha256": told}},
        }
        overlay.write_text(yaml.safe_dump(settings))
        work = tmp_path / "work"
        status, output = run_snakemake("labels", "--configfile", str(overlay), workdir=work)
    assert status == 0, output

    (weights,) = (work / "data" / "weights").iterdir()
    assert weights.name.startswith("rtmlib-")
    (people,) = (work / "data" / "reconstructions").glob("*/mine.parquet")
    frames = read_poses3d(people)
    assert len(frames) == 3
    for found in frames.values():
        assert len(found) == 1
        errors = np.linalg.norm(found.joints[0] - STANDING, axis=-1)
        assert np.sort(errors)[12] < 20  # mm; a view shows some joints behind others
