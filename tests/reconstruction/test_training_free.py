"""The training-free reconstruction on synthetic people whose labels err as an estimator's do."""

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.evaluation import evaluate
from selfpose3d.evaluation.reprojection import reprojection_report
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, project, ray_directions
from selfpose3d.parameters import TrainingFree
from selfpose3d.reconstruction.association import (
    ABSENT,
    Detections,
    assign,
    group,
    pair_costs,
)
from selfpose3d.reconstruction.body_prior import body_axes, complete
from selfpose3d.reconstruction.standing import WHOLE, standing
from selfpose3d.reconstruction.stature import ENOUGH, NECK_TO_ANKLE_MM, necks_to_ankles
from selfpose3d.reconstruction.training_free import reconstruct, reconstruct_scene
from selfpose3d.skeletons import PANOPTIC_15

PARAMETERS = TrainingFree()
STANDING, MID_HIP = standing(PANOPTIC_15), PANOPTIC_15.index("mid_hip")
SIZE = (960, 576)


def ring(n_views: int) -> tuple[Camera, ...]:
    """Cameras on a circle of 4.6 m, about 2.3 m up, with some distortion."""
    return tuple(ring_camera(index, 2 * np.pi * index / n_views + 0.3) for index in range(n_views))


def ring_camera(index: int, angle: float) -> Camera:
    centre = np.array([4600 * np.cos(angle), 4600 * np.sin(angle), 2200 + 300 * (index % 2)])
    ahead = np.array([0, 0, 900]) - centre
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(ahead, right), ahead])
    K = np.array([[700, 0, SIZE[0] / 2], [0, 700, SIZE[1] / 2], [0, 0, 1.0]])
    return Camera(f"c{index}", *SIZE, K, np.array([-0.1, 0.02, 0, 0, 0]), R, -R @ centre)


def crowd(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(P, 15, 3) standing people, turned and bent a little, at least 500 mm apart."""
    people: list[NDArray[np.float64]] = []
    while len(people) < count:
        angle = rng.uniform(0, 2 * np.pi)
        cos, sin = np.cos(angle), np.sin(angle)
        axes = np.array([[cos, sin, 0], [sin, -cos, 0], [0, 0, 1]])
        body = STANDING * rng.uniform(0.9, 1.1) + rng.normal(0, 20, (15, 3))
        body = body @ axes + [*rng.uniform(-1300, 1300, 2), 920]
        if all(np.linalg.norm(body[MID_HIP] - other[MID_HIP]) > 500 for other in people):
            people.append(body)
    return np.array(people).reshape(-1, 15, 3)


@dataclass(frozen=True)
class Errors:
    """How labels differ from the truth: noise as a share of the body height, and rates."""

    noise: float = 0.0
    missed: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0


def labels_of(
    rng: np.random.Generator,
    bodies: NDArray[np.float64],
    cameras: tuple[Camera, ...],
    errors: Errors,
) -> dict[str, People2D]:
    return {camera.name: labels_in(rng, bodies, camera, errors) for camera in cameras}


def labels_in(
    rng: np.random.Generator, bodies: NDArray[np.float64], camera: Camera, errors: Errors
) -> People2D:
    pixels, depth = project(camera, bodies)
    points, scores = [], []
    for person in rng.permutation(len(bodies)):
        if rng.random() < errors.missed:
            continue
        for _ in range(2 if rng.random() < errors.doubled else 1):
            sigma = errors.noise * rng.lognormal(-0.3, 0.7, (15, 1))
            height = 700 * 1700 / depth[person, MID_HIP]
            noisy = pixels[person] + rng.normal(0, 1, (15, 2)) * sigma * height
            points.append(noisy[PANOPTIC_15.swapped] if rng.random() < errors.swapped else noisy)
            scores.append(np.clip(1 - 8 * sigma[:, 0], 0.1, 1))
    count = len(points)
    return People2D(
        np.array(points).reshape(count, 15, 2),
        np.array(scores).reshape(count, 15),
        np.ones(count),
        PANOPTIC_15,
    )


def truth_of(bodies: NDArray[np.float64]) -> People3D:
    return People3D.predicted(bodies, np.ones(len(bodies)), PANOPTIC_15)


def people_of(labels: dict[str, People2D], cameras: tuple[Camera, ...]) -> People3D:
    return reconstruct(labels, cameras, PARAMETERS, PANOPTIC_15)


def completed(joints: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(15, 3) of one body."""
    return complete(joints[None], seen[None], PANOPTIC_15).joints[0]


class TestReconstruct:
    @pytest.mark.parametrize("n_views", [2, 3, 5, 8])
    @pytest.mark.parametrize("count", [1, 4])
    def test_exact_labels_give_exact_people(self, n_views: int, count: int) -> None:
        rng = np.random.default_rng(n_views + 10 * count)
        cameras = ring(n_views)
        bodies = crowd(rng, count)
        people = people_of(labels_of(rng, bodies, cameras, Errors()), cameras)
        metrics = evaluate({("s", 0): people}, {("s", 0): truth_of(bodies)})
        assert len(people) == count
        assert metrics["Recall@500"] == 100
        assert metrics["MPJPE"] < 1
        np.testing.assert_allclose(people.scores, n_views, rtol=1e-2)

    def test_errors_like_an_estimators(self) -> None:
        rng = np.random.default_rng(0)
        cameras = ring(5)
        errors = Errors(noise=0.02, missed=0.13, doubled=0.04, swapped=0.03)
        truth = {("s", frame): crowd(rng, 4) for frame in range(40)}
        people = {
            key: people_of(labels_of(rng, bodies, cameras, errors), cameras)
            for key, bodies in truth.items()
        }
        metrics = evaluate(people, {key: truth_of(bodies) for key, bodies in truth.items()})
        assert metrics["Recall@500"] >= 99
        assert metrics["AP100"] >= 97
        assert metrics["MPJPE"] <= 40
        assert metrics["predictions"] <= 1.03 * metrics["people"]

    def test_the_order_of_people_and_views_does_not_matter(self) -> None:
        rng = np.random.default_rng(1)
        cameras = ring(5)
        labels = labels_of(rng, crowd(rng, 3), cameras, Errors(noise=0.01))
        backwards = {name: p.where(np.arange(len(p))[::-1]) for name, p in reversed(labels.items())}
        people = people_of(labels, cameras)
        np.testing.assert_allclose(
            people_of(backwards, cameras[::-1]).joints,
            people.joints,
            atol=1e-6,
        )

    def test_the_same_labels_give_the_same_bits(self) -> None:
        rng = np.random.default_rng(2)
        cameras = ring(5)
        labels = labels_of(rng, crowd(rng, 3), cameras, Errors(noise=0.02))
        first, second = (people_of(labels, cameras) for _ in range(2))
        assert first.joints.tobytes() == second.joints.tobytes()

    def test_a_person_swapped_in_one_view_is_turned_back(self) -> None:
        rng = np.random.default_rng(3)
        cameras = ring(5)
        bodies = crowd(rng, 1)
        labels = labels_of(rng, bodies, cameras, Errors())
        wrong = labels["c2"]
        labels["c2"] = replace(wrong, points=wrong.points[:, PANOPTIC_15.swapped])
        people = people_of(labels, cameras)
        assert np.abs(people.joints - bodies).max() < 1
        assert people.scores[0] == pytest.approx(5, rel=1e-2)

    def test_somebody_seen_once_is_nobody(self) -> None:
        rng = np.random.default_rng(4)
        cameras = ring(5)
        bodies = crowd(rng, 2)
        labels = labels_of(rng, bodies[:1], cameras, Errors())
        both = labels_of(rng, bodies, cameras, Errors())
        assert len(people_of({**labels, "c0": both["c0"]}, cameras)) == 1

    def test_better_seen_people_score_higher(self) -> None:
        rng = np.random.default_rng(5)
        cameras = ring(5)
        bodies = crowd(rng, 2)
        labels = labels_of(rng, bodies, cameras, Errors())
        alone = labels_of(rng, bodies[:1], cameras[:2], Errors())
        people = people_of({**labels, **alone}, cameras)
        assert np.linalg.norm(people.joints[0, MID_HIP] - bodies[0, MID_HIP]) < 10
        assert people.scores.tolist() == pytest.approx([5, 3], rel=1e-2)

    @pytest.mark.parametrize("labels", [{}, {"c0": People2D.nobody(PANOPTIC_15)}])
    def test_nobody(self, labels: dict[str, People2D]) -> None:
        people = people_of(labels, ring(3))
        assert people.joints.shape == (0, 15, 3)

    def test_a_joint_no_view_has_is_completed(self) -> None:
        rng = np.random.default_rng(6)
        cameras = ring(5)
        bodies = crowd(rng, 1)
        labels = labels_of(rng, bodies, cameras, Errors())
        for people in labels.values():
            people.scores[:, 8] = 0
            people.points[:, 8] = 0
        people = people_of(labels, cameras)
        errors = np.linalg.norm(people.joints[0] - bodies[0], axis=1)
        assert np.delete(errors, 8).max() < 1
        assert errors[8] < 300, "the left ankle is where the right one's mirror image is"

    def test_views_tell_what_was_measured(self) -> None:
        rng = np.random.default_rng(6)
        cameras = ring(4)
        labels = labels_of(rng, crowd(rng, 1), cameras, Errors())
        hidden = [PANOPTIC_15.index(f"left_{joint}") for joint in ("hip", "knee", "ankle")]
        wrist = PANOPTIC_15.index("right_wrist")
        for name, people in labels.items():
            people.scores[:, hidden] = 0
            people.scores[:, wrist] *= name == "c1"
        people = people_of(labels, cameras)
        expected = np.full((1, 15), 4)
        expected[:, hidden], expected[:, wrist] = 0, 1
        np.testing.assert_array_equal(people.views, expected)
        assert people.valid.all()
        np.testing.assert_array_equal(people.measured, expected > 0)

    def test_a_camera_that_the_rig_lacks_is_refused(self) -> None:
        labels = {"gopro": People2D.nobody(PANOPTIC_15)}
        with pytest.raises(InputError, match=r"gopro.*c0.*c1"):
            people_of(labels, ring(2))


class TestScene:
    def test_every_frame_is_there_and_equals_its_own(self) -> None:
        rng = np.random.default_rng(7)
        scene, labels, _ = small_scene(rng)
        people = reconstruct_scene(scene, labels, PARAMETERS)
        assert list(people) == [("walk", 0), ("walk", 5), ("walk", 9)]
        assert len(people["walk", 9]) == 0
        for frame in (0, 5):
            views = {camera.name: labels[frame, camera.name] for camera in scene.cameras}
            alone = people_of(views, scene.cameras)
            np.testing.assert_allclose(people["walk", frame].joints, alone.joints, atol=1e-6)


class TestStature:
    """People are the scale: a rig whose translations are not in mm is told by them."""

    @pytest.mark.parametrize("seed", [0, 1, 2])
    @pytest.mark.parametrize(
        ("factor", "said"),
        [
            (0.1, r"in cm \(multiply t by 10\)"),
            (1 / 25.4, r"in mm \(t times (2[0-9]|30) would"),
            (10.0, r"in mm \(t times 0\.(09|1)"),
        ],
    )
    def test_translations_in_another_unit_are_refused(
        self, tmp_path: Path, factor: float, said: str, seed: int
    ) -> None:
        scene, labels = walk(tmp_path / "take1", seed, factor, Errors(noise=0.003))
        with pytest.raises(InputError, match=rf"take1: people are \d+ mm tall.*{said}"):
            reconstruct_scene(scene, labels, PARAMETERS)

    @pytest.mark.parametrize("size", [0.6, 1.0, 1.3])
    def test_children_giants_and_bad_labels_pass(self, tmp_path: Path, size: float) -> None:
        errors = Errors(noise=0.04, missed=0.3, doubled=0.3, swapped=0.3)
        scene, labels = walk(tmp_path, 3, size, errors)
        assert len(reconstruct_scene(scene, labels, PARAMETERS)) == len(scene.frames)

    def test_a_few_people_do_not_tell(self, tmp_path: Path) -> None:
        scene, labels = walk(tmp_path, 0, 0.1, Errors(), frames=ENOUGH - 1)
        assert len(reconstruct_scene(scene, labels, PARAMETERS)) == ENOUGH - 1

    def test_joints_that_were_completed_do_not_count(self) -> None:
        bodies = np.stack([STANDING / 10] * 2)
        supported = np.ones((2, 15), dtype=bool)
        bodies[0, 12:] = STANDING[12:]
        supported[0, 12:] = False
        supported[1, [7, 13]] = False
        lengths = necks_to_ankles(bodies, supported, PANOPTIC_15)
        np.testing.assert_allclose(lengths, [NECK_TO_ANKLE_MM / 10])


def walk(
    folder: Path, seed: int, factor: float, errors: Errors, frames: int = 12
) -> tuple[Scene, dict[tuple[int, str], People2D]]:
    """Three people in each frame, seen by the ring, whose translations then are scaled."""
    rng = np.random.default_rng(seed)
    cameras = ring(4)
    labels = {
        (frame, name): people
        for frame in range(frames)
        for name, people in labels_of(rng, crowd(rng, 3), cameras, errors).items()
    }
    scaled = tuple(replace(camera, t=camera.t * factor) for camera in cameras)
    times = tuple(frame / 30 for frame in range(frames))
    scene = Scene.calibrated(folder, "walk", "test", scaled, range(frames), times, SIZE)
    return scene, labels


def small_scene(
    rng: np.random.Generator,
) -> tuple[Scene, dict[tuple[int, str], People2D], dict[tuple[str, int], People3D]]:
    """Two frames of two people and one of nobody, with exact labels."""
    cameras = ring(4)
    scene = Scene.calibrated(Path("walk"), "walk", "test", cameras, (0, 5, 9), (0, 0.5, 0.9), SIZE)
    bodies = {0: crowd(rng, 2), 5: crowd(rng, 2), 9: crowd(rng, 0)}
    labels = {
        (frame, name): people
        for frame, joints in bodies.items()
        for name, people in labels_of(rng, joints, cameras, Errors()).items()
    }
    return scene, labels, {("walk", frame): truth_of(joints) for frame, joints in bodies.items()}


class TestAssociation:
    def test_rays_of_one_person_meet(self) -> None:
        rng = np.random.default_rng(8)
        cameras = ring(4)
        bodies = crowd(rng, 1)
        detections = Detections(
            frame=np.zeros(4, dtype=np.int64),
            view=np.arange(4),
            directions=np.stack([ray_directions(c, project(c, bodies)[0])[0] for c in cameras]),
            confidences=np.ones((4, 15)),
            centres=np.stack([camera.centre for camera in cameras]),
            skeleton=PANOPTIC_15,
        )
        pairs, costs = pair_costs(detections, bones_mm=0.0)
        assert sorted(zip(*pairs, strict=True)) == list(combinations(range(4), 2))
        assert costs.max() < 0.1

    def test_groups_hold_one_detection_a_view(self) -> None:
        far = 900.0
        distances = np.full((4, 4), far)
        for a, b, distance in ((0, 2, 10.0), (1, 2, 12.0), (0, 3, 50.0), (1, 3, 20.0)):
            distances[a, b] = distances[b, a] = distance
        view = np.array([0, 0, 1, 2])
        distances[view[:, None] == view[None]] = np.inf
        assert sorted(map(sorted, group(distances, view, 160.0))) == [[0, 2], [1, 3]]

    def test_far_detections_are_not_assigned(self) -> None:
        costs = np.array([[10.0, 400.0, 20.0], [30.0, 20.0, 900.0]])
        assigned = assign(costs, np.array([0, 0, 1]), 3, 300.0)
        assert assigned.tolist() == [[0, 2, ABSENT], [1, ABSENT, ABSENT]]


class TestBodyPrior:
    def test_a_missing_arm_is_the_other_ones_mirror_image(self) -> None:
        body = STANDING + np.array([0, 0, 920])
        body[5] = body[4] + [0, 240, 60]
        body[11] = body[10] + [0, 240, 60]
        body[:, 0] *= -1  # the body's left is x < 0 when it looks along y
        seen = np.ones(15, dtype=bool)
        seen[[4, 5]] = False
        broken = body.copy()
        broken[[4, 5]] = 1e6
        np.testing.assert_allclose(completed(broken, seen), body, atol=1e-6)

    @pytest.mark.parametrize("missing", [[], [0], [2], [0, 2], [3, 9], list(range(2, 15)), [1]])
    def test_a_standing_body_is_completed_to_itself(self, missing: list[int]) -> None:
        body = STANDING * [-1, 1, 1] + [300, -200, 920]
        seen = np.ones(15, dtype=bool)
        seen[missing] = False
        broken = np.where(seen[:, None], body, np.nan)
        whole = completed(broken, seen)
        assert np.isfinite(whole).all()
        np.testing.assert_array_equal(whole[seen], body[seen])
        if len(missing) < 5:
            assert np.linalg.norm(whole - body, axis=1).max() < 60

    def test_axes_are_left_front_and_up(self) -> None:
        body = standing(WHOLE) * [-1, 1, 1]
        (axes,) = body_axes(body[None], np.ones((1, len(WHOLE)), dtype=bool))
        np.testing.assert_allclose(axes, [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], atol=1e-9)


class TestReprojection:
    def test_exact_people_explain_all_labels(self) -> None:
        scene, labels, people = small_scene(np.random.default_rng(9))
        report = reprojection_report(scene, labels, people)
        assert report["all"]["explained"] == 1
        assert report["all"]["median_px"] < 1e-6
        assert report["people_per_frame"] == {"0": 1, "2": 2}
        assert report["warnings"] == []
        assert set(report["cameras"]) == {"c0", "c1", "c2", "c3"}

    def test_errors_are_in_pixels_and_body_heights(self) -> None:
        scene, labels, people = small_scene(np.random.default_rng(10))
        camera = scene.cameras[1]
        for frame in scene.frames:
            labels[frame, "c1"].points[..., 0] += 7
        depth = np.concatenate([project(camera, p.joints)[1][:, MID_HIP] for p in people.values()])
        report = reprojection_report(scene, labels, people)
        assert report["cameras"]["c1"]["median_px"] == pytest.approx(7)
        expected = float(np.mean(100 * 7 * depth / (camera.K[0, 0] * 1700)))
        assert report["cameras"]["c1"]["mean_height"] == pytest.approx(expected)
        assert report["cameras"]["c0"]["mean_px"] < 1e-6

    def test_unexplained_labels_and_people_without_labels(self) -> None:
        scene, labels, people = small_scene(np.random.default_rng(11))
        lost = {**people, ("walk", 0): People3D.nobody(PANOPTIC_15)}
        assert reprojection_report(scene, labels, lost)["all"]["explained"] == pytest.approx(0.5)
        unseen = {**labels, **{(0, c.name): People2D.nobody(PANOPTIC_15) for c in scene.cameras}}
        found = reprojection_report(scene, unseen, people)["all"]["found"]
        assert 0.3 < found < 0.7

    def test_files_of_another_sequence_are_refused(self) -> None:
        scene, labels, people = small_scene(np.random.default_rng(12))
        with pytest.raises(InputError, match="no frame of it is in both"):
            reprojection_report(scene, labels, {("dance", 0): people["walk", 0]})
        with pytest.raises(InputError, match="gopro"):
            reprojection_report(scene, {(0, "gopro"): People2D.nobody(PANOPTIC_15)}, people)
