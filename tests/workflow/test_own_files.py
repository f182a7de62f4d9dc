"""A user's own files are inputs one by one: what is replaced is made again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from conftest import run_snakemake
from selfpose3d.files.scenes import write_cameras
from selfpose3d.parameters import Parameters, with_settings
from selfpose3d.pipeline import list_own_files
from selfpose3d.synthetic.scenes import ring


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """Two videos of three frames and their calibration."""
    folder = tmp_path / "take"
    folder.mkdir()
    cameras = ring(2, 224, 160)
    write_cameras(folder / "cameras.json", cameras)
    for number, camera in enumerate(cameras):
        write_video(folder / f"{camera.name}.mp4", 60 * number)
    return folder


def write_video(path: Path, grey: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (224, 160))
    for _ in range(3):
        writer.write(np.full((160, 224, 3), grey, np.uint8))
    writer.release()


def replace_calibration(take: Path) -> None:
    write_cameras(take / "cameras.json", ring(2, 224, 160, turn=0.1))


def replace_video(take: Path) -> None:
    write_video(take / "cam1.mp4", 200)


@pytest.mark.parametrize("replace", [replace_calibration, replace_video])
def test_a_replaced_file_makes_its_scene_anew(take: Path, tmp_path: Path, replace) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(
        yaml.safe_dump(
            {
                "data": {"source": "videos"},
                "videos": {"test": {"mine": str(take)}},
                "footage": {"name": "none"},
            }
        )
    )
    arguments, work = ("data", "--configfile", str(overlay)), tmp_path / "work"
    status, output = run_snakemake(*arguments, workdir=work)
    assert status == 0, output
    status, output = run_snakemake(*arguments, "--dry-run", workdir=work)
    assert status == 0 and "Nothing to be done" in output, output

    replace(take)

    status, output = run_snakemake(*arguments, "--dry-run", workdir=work)
    assert status == 0 and "prepare_videos" in output, output


def test_dvc_sees_a_replaced_file_in_the_list(take: Path, tmp_path: Path) -> None:
    settings = {"data.source": "videos", "videos.test": {"mine": str(take)}}
    parameters = with_settings(Parameters(), settings, "test")
    list_own_files(parameters, tmp_path / "before.json")

    replace_calibration(take)
    list_own_files(parameters, tmp_path / "after.json")

    before, after = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("before", "after"))
    assert [Path(path).name for path in before] == ["cam0.mp4", "cam1.mp4", "cameras.json"]
    changed = [Path(path).name for path in before if before[path] != after[path]]
    assert changed == ["cameras.json"]
