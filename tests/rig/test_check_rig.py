"""The command check-rig: what lies in a folder is read, what was found is told and written."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from selfpose3d.cli import app
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, skeleton_of, write_poses2d
from selfpose3d.files.scenes import Scene, read_cameras, read_image, write_cameras, write_scene
from selfpose3d.rig.inputs import read_seen
from selfpose3d.synthetic.faulty_rigs import Planted, Recording, record
from selfpose3d.synthetic.walkers import BODY

RECORDED = record(41, [Planted("pose", 1, 1)], cameras=4, seconds=3.0)


def check(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check-rig", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cameras(tmp_path / "take" / "cameras.json", RECORDED.cameras)
    write_poses2d(tmp_path / "take" / "people.parquet", RECORDED.views)
    return tmp_path / "take"


def test_a_calibration_with_people_beside_it(folder: Path, tmp_path: Path) -> None:
    out, better = tmp_path / "out", tmp_path / "better.json"
    done = check(folder, "--out", out, "--refine", better)
    assert done.exit_code == 0, done.output
    assert "Camera cam02 does not stand as its calibration says" in done.output
    assert "px on frames that the fit did not see" in done.output
    facts = json.loads((out / "rig.json").read_text())
    assert [one["kind"] for one in facts["findings"]] == ["pose"]
    assert facts["sentences"][0] in done.output
    assert read_image(out / "rig.png").shape == (640, 1280, 3)
    assert [camera.name for camera in read_cameras(better)] == ["cam01", "cam02", "cam03", "cam04"]


def test_the_calibration_itself_may_be_named(folder: Path) -> None:
    seen = read_seen(folder / "cameras.json", folder / "people.parquet", rate=1.0)
    assert [camera.name for camera in seen.cameras] == ["cam01", "cam02", "cam03", "cam04"]
    with pytest.raises(InputError, match=r"cameras.json: name the 2D people with --people"):
        read_seen(folder / "cameras.json", None, rate=1.0)


def test_a_scene_with_its_labels_elsewhere(tmp_path: Path) -> None:
    scene, labels = tmp_path / "scene", tmp_path / "labels.parquet"
    frames = list(RECORDED.times)
    times = list(RECORDED.times.values())
    write_scene(Scene.calibrated(scene, "take", "tests", RECORDED.cameras, frames, times, (64, 48)))
    write_poses2d(labels, RECORDED.views)
    seen = read_seen(scene, labels, rate=1.0)
    assert seen.times == RECORDED.times
    assert skeleton_of(seen.views, "people") == BODY
    assert set(seen.views) == set(RECORDED.views)
    for option, said in ((("--up", "y"), "a scene tells all"), (("--first", 0), "detections tell")):
        done = check(scene, "--people", labels, *option)
        assert done.exit_code == 1 and said in done.output


def test_frames_are_those_that_the_people_name(folder: Path) -> None:
    seen = read_seen(folder, None, rate=50.0)
    assert list(seen.times.items())[-1] == (len(RECORDED.times) - 1, (len(RECORDED.times) - 1) / 50)


def test_people_who_tell_nothing_are_no_error(folder: Path, tmp_path: Path) -> None:
    """A run goes on: whether anybody comes out is for the reconstruction to say."""
    nobody = {image: People2D.nobody(BODY) for image in RECORDED.views}
    write_poses2d(folder / "people.parquet", nobody)
    done = check(folder, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(
        "Warning: the rig could not be checked.\nThere are 2D people of 0"
    )
    facts = json.loads((tmp_path / "out" / "rig.json").read_text())
    assert [one["kind"] for one in facts["findings"]] == ["not examined"]
    assert facts["explained"] is None and facts["sentences"] == done.output.splitlines()
    assert (read_image(tmp_path / "out" / "rig.png") != 255).any()


def test_a_space_that_lacks_people_is_told_with_one_to_paste(folder: Path) -> None:
    narrow = json.dumps({"space": {"centre": [4000, 0, 900], "size": [6000, 6000, 2000]}})
    said = check(folder, "--parameters", narrow).output
    assert "lie outside the space of the parameters, space: {centre: [4000, 0, 900]" in said
    pasted = yaml.safe_load(re.search("all people, mm: (.*)", said)[1])
    assert "lie outside" not in check(folder, "--parameters", json.dumps(pasted)).output


def test_every_number_of_frames_is_examined_or_said_not_to_be(folder: Path) -> None:
    for count in (1, 2, 3, 6):
        few = {image: people for image, people in RECORDED.views.items() if image[0] < count}
        write_poses2d(folder / "people.parquet", few)
        done = check(folder)
        assert done.exit_code == 0, (count, done.output)


def coco(recording: Recording, named: bool) -> list[dict[str, object]]:
    return [
        {**({"file_name": f"{camera}/{frame:04d}.jpg"} if named else {"image_id": frame}),
         "keypoints": [1.0] * 51, "score": 0.9}
        for frame, camera in recording.views
    ]  # fmt: skip


def test_what_is_missing_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "people.parquet").unlink()
    assert "name the 2D people with --people" in check(folder).output
    results = tmp_path / "results.json"
    results.write_text(json.dumps(coco(RECORDED, named=False)))
    assert f"{results}: " in check(folder, "--people", results).output
    (folder / "cameras.json").unlink()
    results.write_text(json.dumps(coco(RECORDED, named=True)))
    done = check(folder, "--people", results)
    assert done.exit_code == 1
    assert "there is no calibration" in done.output
