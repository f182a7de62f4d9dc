"""Bundle adjustment: chosen quantities are found again, against OpenCV's projections."""

from dataclasses import replace

import numpy as np
import pytest

from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.bundle import CENTRE, FOCAL, POSE, TIME, adjust, gather
from selfpose3d.rig.examination import take_of
from selfpose3d.rig.matching import match, support
from selfpose3d.synthetic.faulty_rigs import record, turned
from selfpose3d.synthetic.walkers import Noise

EXACT = Noise(joints=0.0, missing_joints=0.0, missing_people=0.0, wild=0.0)
RECORDED = record(3, cameras=4, seconds=2.0, people=2, noise=EXACT, late={1: 0.4})
WRONG = 1


def changed(camera: Camera, what: str) -> Camera:
    K = camera.K.copy()
    if what == "focal":
        K[[0, 1], [0, 1]] *= 1.03
    if what == "centre":
        K[:2, 2] += [9, -6]
    return turned(camera, 1.0, 40.0, np.random.default_rng(1)) if what == "pose" else (
        replace(camera, K=K)
    )  # fmt: skip


@pytest.mark.parametrize(("what", "free"), [("pose", POSE), ("focal", FOCAL), ("centre", CENTRE)])
def test_what_was_changed_is_found(what: str, free: frozenset[int]) -> None:
    take = take_of(RECORDED.cameras, RECORDED.views, RECORDED.times)
    views = list(take.views())
    views[WRONG] = views[WRONG].delayed(0.4 / 30, take.knots)
    right = views[WRONG].camera
    views[WRONG] = replace(views[WRONG], camera=changed(right, what))
    sightings = gather(views, match(views, len(take.knots)))
    before = adjust(views, sightings, {}, 0.01)
    found = adjust(views, sightings, {WRONG: free}, 0.01, steps=40)
    assert found.cost < before.cost / 100
    camera = found.views[WRONG].camera
    np.testing.assert_allclose(camera.K, right.K, rtol=2e-3)
    np.testing.assert_allclose(camera.R, right.R, atol=1e-3)
    np.testing.assert_allclose(camera.centre, right.centre, atol=6)


def test_a_time_offset_is_found_to_a_hundredth_of_a_frame() -> None:
    take = take_of(RECORDED.cameras, RECORDED.views, RECORDED.times)
    views = take.views()
    groups = match(views, len(take.knots))
    assert support(groups, views, len(take.knots)) > 0.9
    found = adjust(views, gather(views, groups), {WRONG: TIME}, 0.01)
    assert found.views[WRONG].offset * 30 == pytest.approx(0.4, abs=0.02)
