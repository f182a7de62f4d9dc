"""Long jobs tell on the console how far they are, though their output goes to log files."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, run_snakemake
from selfpose3d.files.scenes import write_cameras
from selfpose3d.geometry.cameras import Camera

sys.path.insert(0, str(REPOSITORY / "workflow"))

import wiring

FRAMES, SIZE = 4, (64, 48)
EVERY_LINE = """
from selfpose3d import progress
progress.SECONDS_BETWEEN_CONSOLE_LINES = 0.0
"""
WORK = """
import os
from selfpose3d import progress
progress.open_console("detect")
assert progress.CONSOLE not in os.environ
for _ in progress.track(range(3), "studio_test_00", unit="images"):
    pass
raise SystemExit(7)
"""


def told_at_once(folder: Path) -> str:
    """A PYTHONPATH on which processes tell every step of their work."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(EVERY_LINE)
    return os.pathsep.join([str(folder), str(REPOSITORY / "src")])


def camera(name: str, x: float) -> Camera:
    """One that looks at the origin from (x, -4000, 1000) mm, more or less."""
    K = np.array([[50.0, 0.0, 32.0], [0.0, 50.0, 24.0], [0.0, 0.0, 1.0]])
    R = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return Camera(name, *SIZE, K, np.zeros(5), R, -R @ np.array([x, -4000.0, 1000.0]))


def write_take(folder: Path) -> None:
    """Two synchronised grey videos and their calibration."""
    folder.mkdir(parents=True)
    for name in ("left", "right"):
        code = cv2.VideoWriter.fourcc(*"mp4v")
        video = cv2.VideoWriter(str(folder / f"{name}.mp4"), code, 25.0, SIZE)
        for shade in range(FRAMES):
            video.write(np.full((SIZE[1], SIZE[0], 3), 60 * shade, np.uint8))
        video.release()
    write_cameras(folder / "cameras.json", (camera("left", -1000.0), camera("right", 1000.0)))


def test_a_job_of_the_workflow_tells_its_progress_on_the_console(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    for split in ("train", "test"):
        write_take(takes / split)
    videos = {split: {f"my_{split}": str(takes / split)} for split in ("train", "test")}
    given = {"data": {"source": "videos"}, "videos": videos, "footage": {"name": "none"}}
    overlay = tmp_path / "videos.yaml"
    overlay.write_text(yaml.safe_dump(given))

    status, output = run_snakemake(
        *("data", "--configfile", str(overlay)),
        workdir=tmp_path / "run",
        PYTHONPATH=told_at_once(tmp_path / "site"),
    )

    assert status == 0, output
    assert f"prepare-videos: my_test left: 1/{FRAMES} frames, " in output
    (log,) = (tmp_path / "run" / "results" / "logs" / "prepare_videos").glob("*/my_test.log")
    assert f"my_test left: {FRAMES}/{FRAMES} frames, " in log.read_text()


def run_job(command: str, path: str) -> subprocess.CompletedProcess[str]:
    """A command as Snakemake runs it: in bash, after what the workflow puts before each."""
    return subprocess.run(
        ["bash", "-c", wiring.SHELL_PREFIX + command],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_console_gets_lines_and_the_status_is_the_commands(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    log = tmp_path / "log"

    done = run_job(
        f"{sys.executable} {tmp_path / 'work.py'} > {log} 2>&1", told_at_once(tmp_path / "site")
    )

    assert done.returncode == 7, log.read_text()
    told = done.stderr.splitlines()
    assert [line.split(",")[0] for line in told] == [
        f"detect: studio_test_00: {count}/3 images" for count in (1, 2, 3)
    ]
    (last,) = log.read_text().splitlines()
    assert last.startswith("studio_test_00: 3/3 images")


def test_short_work_tells_nothing_on_the_console(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)

    done = run_job(
        f"{sys.executable} {tmp_path / 'work.py'} > {tmp_path / 'log'} 2>&1",
        str(REPOSITORY / "src"),
    )

    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("redirected", ["3>&-", "3< /dev/null"])
def test_without_a_console_the_work_goes_on(tmp_path: Path, redirected: str) -> None:
    (tmp_path / "work.py").write_text(WORK)
    log = tmp_path / "log"

    done = run_job(
        f"{sys.executable} {tmp_path / 'work.py'} > {log} 2>&1 {redirected}",
        told_at_once(tmp_path / "site"),
    )

    assert done.returncode == 7, log.read_text()
    assert "3/3 images" in log.read_text()
