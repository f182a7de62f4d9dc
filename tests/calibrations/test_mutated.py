"""A thousand broken calibrations of every format: read, or refused in words; nothing else."""

import json
import random
from pathlib import Path

import pytest

from calibration_rigs import HOLDS, READ_ALONE, ring, write
from mutations import mutated, with_a_wrong_value
from selfpose3d.calibrations import World
from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import project

EACH = 84


@pytest.mark.parametrize("name", [*HOLDS, *READ_ALONE])
def test_a_broken_calibration_is_read_or_refused(tmp_path: Path, name: str) -> None:
    path = write(name, tmp_path, ring("none" if name == "Vicon" else "brown 5"))
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    files = inside if path.is_dir() else [path]
    up = "-y" if name == "stereo" else None
    encoding = "utf-16" if name == "OptiTrack" else "utf-8"
    sound = {file: file.read_text(encoding) for file in files}
    rng = random.Random(name)
    refused = 0
    for _ in range(EACH):
        broken = rng.choice(files)
        text = sound[broken]
        if broken.suffix == ".json" and rng.random() < 0.5:
            text = json.dumps(with_a_wrong_value(json.loads(text), rng))
        else:
            text = mutated(text, rng)
        broken.write_text(text, encoding, "replace")
        try:
            _, cameras = read_calibration(path, None, World(size=(640, 384), up=up))
        except InputError as error:
            refused += 1
            assert 20 < len(str(error)) < 5000
        else:
            assert all(project(c, c.centre + 1000 * c.R[2])[1] > 0 for c in cameras)
        broken.write_text(sound[broken], encoding)
    assert EACH // 4 < refused <= EACH


def test_there_are_a_thousand() -> None:
    assert len(HOLDS) * EACH >= 1000
