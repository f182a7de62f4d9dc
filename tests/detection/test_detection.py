from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selfpose3d.detection import ESTIMATORS
from selfpose3d.detection.filters import make_labels, with_noise
from selfpose3d.detection.ground_truth import project_truth
from selfpose3d.detection.quality import label_quality
from selfpose3d.detection.second_look import missed_people, painted_over, region
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, skeleton_of
from selfpose3d.files.poses3d import write_poses3d
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.people import project_people
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.parameters import LabelSettings, Parameters, part_of, with_settings
from selfpose3d.reconstruction.projections import mean_gaps
from selfpose3d.skeletons import COCO_17, PANOPTIC_15
from selfpose3d.synthetic.scenes import STANDING, make_scene, ring


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    return make_scene(folder, "walk", 3, ring(4), frames=3, people=2, missing=0.0)


@pytest.fixture(scope="module")
def truth_file(synthetic, tmp_path_factory):
    path = tmp_path_factory.mktemp("truth") / "walk.parquet"
    write_poses3d(path, synthetic.truth)
    return path


def coco_people(count, seed=0, score=0.9):
    rng = np.random.default_rng(seed)
    points, scores = rng.uniform(10, 90, (count, 17, 2)), np.full((count, 17), score)
    return People2D(points, scores, np.full(count, score), COCO_17)


# Filters


def noisy_quality(synthetic, percent, seed=0):
    """How wrong the exact projections are after noise, as the report on labels measures it."""
    exact = {
        (frame, camera.name): People2D(
            projected.pixels,
            projected.in_view.astype(float),
            np.ones(len(projected.pixels)),
            PANOPTIC_15,
        )
        for (_, frame), people in synthetic.truth.items()
        for camera in synthetic.scene.cameras
        for projected in [project_people(camera, people.joints, people.valid)]
    }
    views = with_noise(exact, percent, seed, "walk")
    return label_quality([views], [synthetic.truth], [synthetic.scene])


@pytest.mark.parametrize("percent", [1.0, 2.0, 4.0])
def test_the_dose_of_noise_is_what_is_measured(synthetic, percent):
    quality = noisy_quality(synthetic, percent)
    median_of_rayleigh = np.sqrt(2 * np.log(2))
    assert quality["median_error"] == pytest.approx(percent * median_of_rayleigh, rel=0.15)


def test_noise_repeats_and_is_the_same_whatever_is_kept(synthetic):
    noisy = with_noise(synthetic.views, 2.0, 0, "walk")
    again = with_noise(dict(reversed(synthetic.views.items())), 2.0, 0, "walk")
    others = [with_noise(synthetic.views, 2.0, *other) for other in ((1, "walk"), (0, "run"))]
    for key, people in noisy.items():
        assert np.array_equal(people.points, again[key].points)
        assert np.array_equal(people.scores, synthetic.views[key].scores)
        assert not any(np.array_equal(people.points, other[key].points) for other in others)
    strict = LabelSettings(joint_score=0.85)
    soft, hard = (make_labels(noisy, strict, kind) for kind in ("soft", "hard"))
    for key, people in hard.items():
        assert all(any(np.array_equal(p, q) for q in soft[key].points) for p in people.points)


def test_noise_does_not_shrink_with_who_crouches():
    standing = coco_people(1).converted(PANOPTIC_15)
    points = STANDING[None][..., 1:] * [0.1, -0.1] + [100, 200]
    crouching = points.copy()
    crouching[:, [7, 13], 1] = crouching[:, [6, 12], 1]
    crouching[:, [8, 14], 1] = crouching[:, [7, 13], 1]
    offs = []
    for pose in (points, crouching):
        people = {(0, "a"): replace(standing, points=pose)}
        offs.append(with_noise(people, 1.0, 0, "s")[0, "a"].points - pose)
    assert np.allclose(*offs, rtol=0.1)


def one_person(scores, person_score):
    people = People2D(np.ones((1, 17, 2)), np.array([scores]), np.array([person_score]), COCO_17)
    return {(0, "a"): people}


def test_soft_labels_keep_weak_joints_and_hard_labels_do_not():
    scores = np.linspace(0.05, 1, 17)
    detections = one_person(scores, 0.9)
    soft = make_labels(detections, LabelSettings(), "soft")[0, "a"]
    hard = make_labels(detections, LabelSettings(), "hard")[0, "a"]
    assert (soft.scores > 0).all()
    assert np.array_equal(
        hard.scores, np.where(soft.scores >= LabelSettings().joint_score, soft.scores, 0)
    )
    assert soft.points.shape == (1, 15, 2)


def test_weak_people_and_people_of_few_joints_are_dropped_and_their_image_stays():
    few = np.zeros(17)
    few[:3] = 1
    for detections in (one_person(np.ones(17), 0.69), one_person(few, 0.9)):
        assert len(make_labels(detections, LabelSettings(), "soft")[0, "a"]) == 0
    assert len(make_labels(one_person(np.ones(17), 0.7), LabelSettings(), "soft")[0, "a"]) == 1


def test_panoptic_detections_pass_unconverted():
    people = People2D(np.ones((1, 15, 2)), np.ones((1, 15)), np.ones(1), PANOPTIC_15)
    kept = make_labels({(0, "a"): people}, LabelSettings(), "hard")[0, "a"]
    assert np.array_equal(kept.points, people.points)


# Files of other estimators


def detected(name: str, files: Path, scene: Scene):
    """The people of a scene by an estimator that reads files, given nothing but what it reads."""
    settings = {"estimator.name": name, "estimator.files": str(files)}
    whole = with_settings(Parameters(), settings, "test")
    chosen = part_of(whole, ESTIMATORS[name].reads(whole))
    return ESTIMATORS[name].detect.load()(scene, chosen, files.parent, 1)


def test_the_file_estimator_names_a_scene_without_people(synthetic, tmp_path):
    (tmp_path / "walk.json").write_text("[]")
    with pytest.raises(InputError, match="no people were found in any of its 12 images"):
        detected("file", tmp_path / "{sequence}.json", synthetic.scene)


def test_people_from_files_are_not_looked_at_again(synthetic, tmp_path):
    views = coco_views(synthetic)
    whole = views[0, "cam2"]
    views[0, "cam2"] = whole.where(np.arange(len(whole)) < 1)
    write_coco_results(tmp_path / "walk.json", views)
    found = detected("file", tmp_path / "{sequence}.json", synthetic.scene)
    assert skeleton_of(found, "people") == COCO_17 and len(whole) == 2
    assert {image: len(people) for image, people in found.items()} == {
        image: len(people) for image, people in views.items()
    }


# Ground truth


def test_the_truth_projects_into_every_view(synthetic, truth_file):
    views = detected("ground_truth", truth_file, synthetic.scene)
    assert skeleton_of(views, "people") == PANOPTIC_15 and len(views) == 12
    quality = label_quality([views], [synthetic.truth], [synthetic.scene])
    assert quality["recall"] == 1 and quality["mean_error"] == 0
    assert quality["false_positives"] == 0


def test_the_truth_of_another_sequence_is_refused(synthetic, tmp_path):
    write_poses3d(tmp_path / "t.parquet", {("run", 0): next(iter(synthetic.truth.values()))})
    with pytest.raises(InputError, match="run"):
        project_truth(tmp_path / "t.parquet", synthetic.scene, PANOPTIC_15)


# Quality


def measured(synthetic, change):
    views = {image: change(people) for image, people in synthetic.views.items()}
    return label_quality([views], [synthetic.truth], [synthetic.scene])


def test_noise_of_one_percent_is_measured_as_such(synthetic):
    quality = measured(synthetic, lambda people: people)
    assert quality["median_error"] == pytest.approx(1.18, abs=0.1)  # Rayleigh: 1.177 sigma
    assert quality["own_side"] > 0.99 and quality["swapped_people"] == 0


def test_exchanged_sides_are_seen(synthetic):
    swap = PANOPTIC_15.swapped
    quality = measured(
        synthetic,
        lambda p: replace(p, points=p.points[:, swap], scores=p.scores[:, swap]),
    )
    assert quality["swapped_people"] > 0.6


def test_a_doubled_label_is_a_duplicate_and_a_strange_one_is_not(synthetic):
    def more(people, shift):
        points = np.concatenate([people.points, people.points[:1] + shift])
        scores = np.concatenate([people.scores, people.scores[:1]])
        return People2D(points, scores, np.ones(len(points)), PANOPTIC_15)

    doubled = measured(synthetic, lambda people: more(people, 1.0))
    strange = measured(synthetic, lambda people: more(people, 70.0))
    assert doubled["duplicates"] == doubled["false_positives"] == 12
    assert strange["false_positives"] == 12 and strange["duplicates"] < 4


def test_labels_of_nobody_have_no_error(synthetic):
    quality = measured(synthetic, lambda people: People2D.nobody(PANOPTIC_15))
    assert quality["recall"] == 0 and quality["median_error"] is None


# The second look


def as_coco(people):
    """COCO-17 with the panoptic joints in their places; neck and mid-hip follow from the sides."""
    points, scores = np.zeros((len(people), 17, 2)), np.zeros((len(people), 17))
    for joint, name in enumerate(PANOPTIC_15.joints):
        if COCO_17.has(name):
            points[:, COCO_17.index(name)] = people.points[:, joint]
            scores[:, COCO_17.index(name)] = people.scores[:, joint]
    return People2D(points, scores, people.person_scores, COCO_17)


def coco_views(synthetic):
    return {image: as_coco(people) for image, people in synthetic.views.items()}


def test_a_person_missed_by_one_view_is_looked_for_there(synthetic):
    cameras = synthetic.scene.cameras
    people = synthetic.truth["walk", 0]
    by_camera = {c.name: as_coco(synthetic.views[0, c.name]) for c in cameras}
    assert missed_people(people, cameras, by_camera) == []
    whole = by_camera["cam2"]
    by_camera["cam2"] = whole.where(np.arange(len(whole)) < 1)
    (missed,) = missed_people(people, cameras, by_camera)
    assert missed.camera == "cam2" and len(missed.wanted) == 1
    projected = project_people(cameras[2], people.joints, people.valid)
    gaps = mean_gaps(synthetic.views[0, "cam2"], projected)
    assert missed.wanted[0] == int(np.argmin(gaps[1]))


def test_a_person_that_nobody_saw_is_not_looked_for(synthetic):
    cameras = synthetic.scene.cameras
    nobody = {c.name: People2D.nobody(COCO_17) for c in cameras}
    assert missed_people(synthetic.truth["walk", 0], cameras, nobody) == []


def test_the_region_holds_the_body_upright():
    (camera,) = ring(1)
    view = project_people(camera, STANDING[None])
    roi = region(view.pixels[0])
    affine = roi.crop_to_image(256)
    into = np.linalg.inv(affine[:, :2])
    crop = (view.pixels[0] - affine[:, 2]) @ into.T
    assert (crop > 0).all() and (crop < 256).all()
    neck, hip = crop[0], crop[2]
    assert abs(neck[0] - hip[0]) < 1e-6 and neck[1] < hip[1]


def test_painting_over_takes_the_body_away_and_leaves_the_rest():
    (camera,) = ring(1)
    view = project_people(camera, STANDING[None])
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    image[:, : camera.width // 2] = 200
    painted = painted_over(image, view)
    x, y = np.round(view.pixels[0, 2]).astype(int)
    assert (painted[y, x] == 100).all()
    assert np.array_equal(painted[:, :20], image[:, :20])
