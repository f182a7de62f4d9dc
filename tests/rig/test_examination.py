"""Faults that are put into a rig are found, with their cameras and amounts."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from selfpose3d.errors import InputError
from selfpose3d.rig.examination import Examination, examine
from selfpose3d.rig.findings import KINDS
from selfpose3d.rig.sentences import TELL, sentences
from selfpose3d.synthetic.faulty_rigs import Planted, Recording, record, turned
from selfpose3d.synthetic.walkers import Noise

EXACT = Noise(joints=0.0, missing_joints=0.0, missing_people=0.0, wild=0.0)


@cache
def short(*faults: Planted, cameras: int = 4, seed: int = 11) -> Recording:
    return record(seed, faults, cameras=cameras, seconds=3.0, people=3)


def examined(recording: Recording) -> Examination:
    return examine(recording.cameras, recording.views, recording.times)


@cache
def of_short(*faults: Planted) -> Examination:
    """What is found with four cameras and these faults; kept for other tests."""
    return examined(short(*faults))


@pytest.mark.parametrize("cameras", [3, 4])
def test_a_sound_rig_has_no_faults(cameras: int) -> None:
    found = examined(short(cameras=cameras))
    assert found.findings == ()
    assert found.explained > 0.9
    assert found.world.stature == pytest.approx(1700, abs=120)
    assert found.world.up[2] > 0.99
    low, high = found.world.centre - found.world.size / 2, found.world.centre + found.world.size / 2
    assert (low < found.points.min(0)).all() and low[2] >= -300
    assert (high > np.percentile(found.points, 99, axis=0)).all()
    assert max(abs(offset) for offset in found.offsets.values()) < 0.2


@pytest.mark.parametrize(
    ("fault", "kind", "cameras", "amount"),
    [
        (Planted("pose", 1, 2), "pose", ["cam03"], {"degrees": 2.0, "mm": 100.0}),
        (Planted("exchanged", 0, 1), "exchanged", ["cam02", "cam03"], {}),
        (Planted("time offset", 1, 0), "time offset", ["cam01"], {"frames": 4.0}),
        (Planted("bumped", 2, 3), "bumped", ["cam04"], {"degrees": 8.0, "from_frame": 45.0}),
        (Planted("frames lost", 1, 1), "frames lost", ["cam02"], {"frames": -5.0}),
        (Planted("principal point", 2, 1), "principal point", ["cam02"], {"x_px": 480.0}),
        (Planted("focal length", 1, 2), "focal length", ["cam03"], {"factor": 1 / 1.15}),
        (Planted("mirrored", 0, 2), "mirrored image", ["cam03"], {}),
        (Planted("mirrored", 2, 2), "handedness", [], {}),
        (Planted("units", 1, 0), "units", [], {"factor": 10.0}),
        (Planted("gravity", 1, 0), "gravity", [], {"degrees": 90.0}),
    ],
    ids=lambda value: f"{value.kind}-{value.size}" if isinstance(value, Planted) else None,
)
def test_a_fault_is_found_with_its_camera_and_amount(
    fault: Planted, kind: str, cameras: list[str], amount: dict[str, float]
) -> None:
    found = of_short(fault)
    assert [(one.kind, sorted(one.cameras)) for one in found.findings] == [(kind, cameras)]
    told = found.findings[0].amount
    for quantity, value in amount.items():
        got = abs(told[quantity]) if quantity == "frames" else told[quantity]
        slack = 18.0 if quantity == "from_frame" else 0.15 * abs(value) + 0.1
        assert got == pytest.approx(abs(value), abs=slack)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_extrinsics_in_another_direction_are_found(size: int) -> None:
    recording = short(Planted("inverted", size, 0))
    found = examined(recording)
    assert [one.kind for one in found.findings] == ["inverted"]
    assert found.findings[0].what == (
        "R is camera to world", "t is the camera's centre", "R and t are camera to world"
    )[size]  # fmt: skip
    assert found.explained < 0.5 < found.explained_after
    for corrected, right in zip(found.corrected, recording.right, strict=True):
        np.testing.assert_allclose(corrected.centre, right.centre, atol=1e-6)


def test_extrinsics_of_a_first_cameras_world_in_another_direction_are_found() -> None:
    """The relative poses are inverted, and the world is turned afterwards, so that z points up."""
    recording = short()
    first, others = recording.cameras[0], recording.cameras
    relative = [c.R @ first.R.T for c in others]
    offsets = [c.t - R @ first.t for c, R in zip(others, relative, strict=True)]
    given = tuple(
        replace(c, R=R.T @ first.R, t=-R.T @ t)
        for c, R, t in zip(others, relative, offsets, strict=True)
    )
    found = examine(given, recording.views, recording.times)
    assert [(one.kind, one.what) for one in found.findings] == [
        ("inverted", "R and t are camera to world")
    ]
    assert found.explained < 0.5 < 0.9 < found.explained_after


@pytest.mark.parametrize("factor", [0.5, 2 / 3, 1.5, 2.0])
def test_people_in_pixels_of_another_size_are_one_fault(factor: float) -> None:
    recording = short()
    views = {
        image: replace(people, points=people.points * factor)
        for image, people in recording.views.items()
    }
    found = examine(recording.cameras, views, recording.times)
    assert [one.kind for one in found.findings] == ["people's image size"]
    assert found.findings[0].amount["factor"] == pytest.approx(factor)
    assert f"{960 * factor:.0f}x{576 * factor:.0f}" in sentences(found)[1]
    assert found.explained < 0.5 < 0.9 < found.explained_after


def test_two_faults_are_both_found() -> None:
    found = examined(short(Planted("pose", 1, 0), Planted("time offset", 1, 2), cameras=5))
    assert {(one.kind, one.cameras) for one in found.findings} == {
        ("pose", ("cam01",)),
        ("time offset", ("cam03",)),
    }


def six_frames() -> Recording:
    """Four cameras, six frames, two people, exact."""
    return record(21, cameras=4, seconds=0.2, people=2, noise=EXACT)


def test_few_exact_frames_tell_a_turned_camera() -> None:
    recording = six_frames()
    cameras = list(recording.cameras)
    cameras[1] = turned(cameras[1], 3.0, 0.0, np.random.default_rng(0))
    found = examined(replace(recording, cameras=tuple(cameras)))
    assert [(one.kind, one.cameras) for one in found.findings] == [("pose", ("cam02",))]
    assert found.findings[0].amount["degrees"] == pytest.approx(3.0, abs=0.1)
    assert examined(recording).findings == ()


def test_few_exact_frames_tell_exchanged_cameras() -> None:
    recording = six_frames()
    a, b, c, d = recording.cameras
    exchanged = (a, replace(c, name=b.name), replace(b, name=c.name), d)
    found = examined(replace(recording, cameras=exchanged))
    assert [(one.kind, set(one.cameras)) for one in found.findings] == [
        ("exchanged", {"cam02", "cam03"})
    ]


def test_cameras_of_different_recordings_do_not_agree() -> None:
    one, other = (record(seed, cameras=4, seconds=1.0, people=2) for seed in (11, 12))
    views = {**one.views, **{k: v for k, v in other.views.items() if k[1] in ("cam02", "cam03")}}
    found = examine(one.cameras, views, one.times)
    assert found.findings[0].kind == "no agreement"
    assert found.explained_after < 0.4


def test_of_two_cameras_it_is_told_whether_they_agree() -> None:
    two = short(cameras=2)
    assert examined(two).findings == ()
    off = (two.cameras[0], turned(two.cameras[1], 25.0, 0.0, np.random.default_rng(0)))
    found = examined(replace(two, cameras=off))
    assert [(one.kind, one.cameras) for one in found.findings] == [
        ("no agreement", ("cam01", "cam02"))
    ]


def test_people_of_no_camera_are_refused() -> None:
    recording = six_frames()
    cameras = [replace(camera, name=f"other{i}") for i, camera in enumerate(recording.cameras)]
    with pytest.raises(InputError, match="2D people of 0 of the cameras"):
        examine(cameras, recording.views, recording.times)


def test_every_kind_has_its_sentence() -> None:
    assert set(TELL) == set(KINDS)
    told = sentences(of_short(Planted("pose", 1, 2)))
    assert told[0].startswith("Warning: 1 fault was found.")
    assert told[1].startswith("Camera cam03 does not stand as its calibration says")
    assert "degrees" in told[1] and "px at the people" in told[1]
    assert any(
        line.startswith("A space that holds all people, mm: space: {centre: [") for line in told
    )
