"""Who can be a person, where one view alone sees a joint, and whom one camera alone sees: exact
scenes of walkers, with the errors that each test names."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.parameters import TrainingFree
from selfpose3d.reconstruction.association import Detections, together
from selfpose3d.reconstruction.bones import bone_misfit, is_possible, long_bones, possible_joints
from selfpose3d.reconstruction.single_view import Known, placed, usual
from selfpose3d.reconstruction.training_free import (
    detections_by_frame,
    reconstruct,
    reconstruct_scene,
)
from selfpose3d.synthetic.scenes import BODY, ring
from selfpose3d.synthetic.walkers import Walkers

ALONE = TrainingFree(single_view=True)
CAMERAS = ring(5, 960, 576)


def walkers(count: int) -> Walkers:
    """People on circles about places that lie two metres apart."""
    places = np.array([(-1000.0, -1000.0), (1000.0, 1000.0), (-1000.0, 1000.0), (1000.0, -1000.0)])
    return Walkers(
        centres=places[:count],
        radii=np.full((count, 2), 400.0),
        phases=np.arange(count) * 1.3,
        speeds=np.full(count, 1000.0),
        statures=np.linspace(0.93, 1.05, count),
    )


def seen(camera: Camera, bodies: NDArray[np.float64]) -> People2D:
    """Everybody, exactly."""
    pixels = project(camera, bodies)[0]
    return People2D(pixels, np.ones(pixels.shape[:2]), np.ones(len(bodies)), BODY)


def views_of(bodies: NDArray[np.float64]) -> dict[str, People2D]:
    return {camera.name: seen(camera, bodies) for camera in CAMERAS}


class TestPossible:
    def test_two_detections_that_do_not_belong_together_are_nobody(self) -> None:
        """A child beside one camera and an adult far behind it fill the same rays of opposite
        cameras: the rays meet, and what they make is nobody."""
        body = walkers(1).at(0.0)
        first, second = CAMERAS[0], CAMERAS[2]
        giant = first.centre + 1.9 * (body - first.centre)
        views = {first.name: seen(first, body), second.name: seen(second, giant)}
        assert len(reconstruct(views, CAMERAS, TrainingFree(), BODY)) == 0

    def test_a_wrong_detection_does_not_cost_the_person(self) -> None:
        bodies = walkers(2).at(0.5)
        views = views_of(bodies)
        broken = views["cam1"].points.copy()
        broken[0, 7:] = broken[1, 7:]
        views["cam1"] = People2D(broken, np.ones((2, 15)), np.ones(2), BODY)
        people = reconstruct(views, CAMERAS, TrainingFree(), BODY)
        assert len(people) == 2
        assert nearest(people, bodies).max() < 20

    def test_a_crossing_pair_is_told_apart(self) -> None:
        bodies = walkers(2).at(0.0)
        bodies[1] += bodies[0].mean(0) - bodies[1].mean(0) + [350.0, 0.0, 0.0]
        people = reconstruct(views_of(bodies), CAMERAS, TrainingFree(), BODY)
        assert len(people) == 2
        assert nearest(people, bodies).max() < 1

    @pytest.mark.parametrize("stature", [0.75, 1.0, 1.2])
    def test_people_of_any_stature_are_possible(self, stature: float) -> None:
        bodies = stature * walkers(1).at(0.3)
        known = np.ones((1, len(BODY)), dtype=bool)
        assert is_possible(bodies, known, long_bones(BODY)).all()
        assert possible_joints(bodies, known, long_bones(BODY)).all()

    def test_people_metres_long_are_not(self) -> None:
        bodies = walkers(1).at(0.3) * [1.0, 1.0, 2.0]
        known = np.ones((1, len(BODY)), dtype=bool)
        assert not is_possible(bodies, known, long_bones(BODY)).any()

    def test_the_misfit_is_the_logarithm_of_the_size(self) -> None:
        bodies = walkers(1).at(0.3)
        ones = np.ones((2, len(BODY)))
        both = bone_misfit(np.concatenate([5 * bodies, 2.5 * bodies]), ones, long_bones(BODY))
        assert both == pytest.approx([1.0, np.log(2.5)], abs=0.15)

    def test_a_joint_too_far_from_its_parent_is_not_possible(self) -> None:
        bodies, wrist = walkers(1).at(0.3), BODY.index("left_wrist")
        bodies[0, wrist] += [0.0, 0.0, 600.0]
        known = np.ones((1, len(BODY)), dtype=bool)
        possible = possible_joints(bodies, known, long_bones(BODY))
        assert np.flatnonzero(~possible[0]).tolist() == [wrist]


def test_a_joint_that_one_view_sees_lies_on_its_ray() -> None:
    bodies, wrist = walkers(1).at(0.2), BODY.index("left_wrist")
    views = views_of(bodies)
    for camera in CAMERAS[1:]:
        views[camera.name].scores[:, wrist] = 0
    people = reconstruct(views, CAMERAS, TrainingFree(), BODY)
    pixels = project(CAMERAS[0], people.joints)[0]
    np.testing.assert_allclose(pixels[0, wrist], views["cam0"].points[0, wrist], atol=0.1)
    assert np.linalg.norm(people.joints[0, wrist] - bodies[0, wrist]) < 200
    assert people.views[0, wrist] == 1


class TestSingleView:
    def test_nobody_is_placed_unless_asked_for(self) -> None:
        scene, labels, _ = one_alone(0.0)
        people = reconstruct_scene(scene, labels, TrainingFree())
        assert {len(present) for present in people.values()} == {3}

    def test_somebody_is_placed_by_height_and_the_others_size(self) -> None:
        scene, labels, truth = one_alone(0.0)
        people = reconstruct_scene(scene, labels, ALONE)
        assert {len(present) for present in people.values()} == {4}
        errors = [nearest(people[key], truth[key])[3] for key in truth]
        assert np.median(errors) < 200

    def test_the_floor_may_lie_anywhere(self) -> None:
        shift = -1100.0
        low, labels, truth = one_alone(shift)
        people = reconstruct_scene(low, labels, ALONE)
        assert np.median([nearest(people[key], truth[key])[3] for key in truth]) < 200

    def test_one_view_tells_of_joints_it_sees_and_how_far_they_may_be_off(self) -> None:
        scene, labels, _ = one_alone(0.0)
        wrist = BODY.index("left_wrist")
        for people in labels.values():
            people.scores[3:, wrist] = 0
        expected = np.ones(len(BODY))
        expected[wrist] = 0
        for present in reconstruct_scene(scene, labels, ALONE).values():
            np.testing.assert_array_equal(present.views[3], expected)
            np.testing.assert_array_equal(np.isfinite(present.uncertainty[3]), expected > 0)
            assert (present.views[:3] > 1).all()
            assert np.isnan(present.uncertainty[:3]).all()

    def test_they_come_last(self) -> None:
        scene, labels, _ = one_alone(0.0)
        for present in reconstruct_scene(scene, labels, ALONE).values():
            assert present.scores[3] < present.scores[:3].min() / 2

    def test_about_two_thirds_of_the_joints_lie_within_the_errors(self) -> None:
        scene, labels, truth = one_alone(0.0)
        frames = detections_by_frame(scene, labels)
        alone = [last_detection(frames[frame]) for frame in scene.frames]
        bodies = np.stack([truth["walk", frame] for frame in scene.frames])
        others = usual([Known(together(alone), bodies[:, 3], np.ones((30, len(BODY))))])
        found = placed(together(alone), others)
        gaps = np.linalg.norm(found.people.joints - bodies[found.frame, 3], axis=-1)
        assert len(found.frame) == 30
        assert 0.6 < (gaps < found.people.uncertainty).mean() < 0.76

    def test_a_second_detection_of_somebody_is_not_a_second_person(self) -> None:
        bodies = walkers(2).at(0.0)
        views = views_of(bodies)
        views["cam3"] = seen(CAMERAS[3], bodies[[0, 1, 1]])
        assert len(reconstruct(views, CAMERAS, ALONE, BODY)) == 2


def one_alone(
    floor: float,
) -> tuple[Scene, dict[tuple[int, str], People2D], dict[tuple[str, int], NDArray[np.float64]]]:
    """Thirty frames of four walkers, of whom the last is seen by one camera, each frame another,
    over a floor at some height, with errors of 1 % of a person's height."""
    rng = np.random.default_rng(0)
    shift = np.array([0.0, 0.0, floor])
    cameras = [
        Camera(c.name, c.width, c.height, c.K, c.distortion, c.R, c.t - c.R @ shift)
        for c in CAMERAS
    ]
    labels, truth = {}, {}
    for frame in range(30):
        bodies = walkers(4).at(frame / 10) + shift
        truth["walk", frame] = bodies
        for index, camera in enumerate(cameras):
            shown = bodies if index == frame % 5 else bodies[:3]
            people = seen(camera, shown)
            people.points[:] += rng.normal(0, 2, people.points.shape)
            labels[frame, camera.name] = people
    times = [frame / 10 for frame in range(30)]
    scene = Scene.calibrated(Path("walk"), "walk", "test", cameras, range(30), times, (960, 576))
    return scene, labels, truth


def last_detection(detections: Detections) -> Detections:
    """Of the camera that sees four people, the last."""
    camera = np.bincount(detections.view).argmax()
    return detections.where(np.flatnonzero(detections.view == camera)[-1:])


def nearest(people: People3D, bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) mean error of the person nearest to each body, mm."""
    gaps = np.linalg.norm(people.joints[:, None] - bodies, axis=-1).mean(-1)
    found: NDArray[np.float64] = gaps.min(axis=0)
    return found
