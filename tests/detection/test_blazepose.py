"""BlazePose with its real weights on a real image.

``data/pose2sim_demo_cam01.jpg`` is a frame of the Pose2Sim demo (BSD-3-Clause, D. Pagnon).
"""

from pathlib import Path

import numpy as np
import pytest

from selfpose3d.detection import ESTIMATORS, blazepose
from selfpose3d.detection.blazepose import Body, Roi, detector_anchors, fetch_weights
from selfpose3d.detection.multi_person import (
    MultiPersonBlazePose,
    distinct_bodies,
    distinct_rois,
    tiles,
)
from selfpose3d.detection.second_look import Missed, look_for, region
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import skeleton_of
from selfpose3d.files.scenes import Scene, read_image, write_image, write_scene
from selfpose3d.geometry.people import Projected, project_people
from selfpose3d.parameters import BlazePose, Parameters, part_of, with_settings
from selfpose3d.skeletons import BLAZEPOSE_33, PANOPTIC_15
from selfpose3d.synthetic.scenes import STANDING, ring

REPOSITORY = Path(__file__).parents[2]
NOSE, LEFT_ANKLE, RIGHT_ANKLE = 0, 15, 16


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    kept = REPOSITORY / "data" / "weights" / "blazepose"
    folder = kept if kept.is_dir() else tmp_path_factory.mktemp("weights")
    fetch_weights(folder)
    return folder


@pytest.fixture(scope="module")
def image():
    return read_image(Path(__file__).parents[1] / "data" / "pose2sim_demo_cam01.jpg")


@pytest.fixture(scope="module")
def estimator(weights):
    return MultiPersonBlazePose(BlazePose(), weights)


@pytest.fixture(scope="module")
def people(estimator, image):
    return estimator(image)


def least_distance(people, neck):
    necks = people.converted(PANOPTIC_15).points[:, 0]
    return np.hypot(*(necks - neck).T).min()


def test_the_two_near_people_of_a_real_image_are_found(people):
    assert least_distance(people, (310, 301)) < 25
    assert least_distance(people, (413, 515)) < 25
    assert len(people) <= 5


def test_smaller_tiles_find_the_distant_bystander_too(image, weights):
    finer = BlazePose(tiles=(0.31,), overlap=0.5)
    people = MultiPersonBlazePose(finer, weights)(image)
    assert least_distance(people, (37, 194)) < 15


def test_scores_are_probabilities_and_joints_outside_have_none(people, image):
    assert ((people.scores >= 0) & (people.scores <= 1)).all()
    assert ((people.person_scores >= 0.5) & (people.person_scores <= 1)).all()
    height, width = image.shape[:2]
    outside = (people.points < 0).any(-1) | (people.points > (width - 1, height - 1)).any(-1)
    assert (people.scores[outside] == 0).all()


def test_landmarks_are_drawn_to_the_centre_of_mass_of_their_heatmaps():
    side = blazepose.HEATMAP_SIDE
    heatmaps = np.zeros((side, side, 4))
    heatmaps[30, 20, 0], heatmaps[30, 21, 0] = 0.6, 0.2
    heatmaps[0, 0, 1] = 0.9
    heatmaps[30, 20, 2] = 0.05  # too weak
    heatmaps[50, 50, 3] = 0.99  # too far
    start = np.array([[88.0, 118.0], [-3.0, 6.0], [88.0, 118.0], [88.0, 118.0]])
    with np.errstate(divide="ignore"):
        logits = np.log(heatmaps / (1 - heatmaps))
    drawn, heights = blazepose.drawn_to_heatmaps(start, logits)
    np.testing.assert_allclose(drawn[0], [4 * (20.5 + 0.25), 4 * 30.5])
    np.testing.assert_allclose(drawn[1], [2.0, 2.0])
    np.testing.assert_array_equal(drawn[2:], start[2:])
    np.testing.assert_allclose(heights, [0.6, 0.9, 0.0, 0.0])


def test_the_same_image_gives_the_same_bits(estimator, image, people):
    again = estimator(image)
    assert np.array_equal(again.points, people.points)
    assert np.array_equal(again.scores, people.scores)


def test_a_grey_image_holds_nobody(estimator):
    assert len(estimator(np.full((288, 480, 3), 128, np.uint8))) == 0


def as_seen(pixels: np.ndarray, in_view: np.ndarray, height: float) -> Projected:
    return Projected(pixels, np.full(in_view.shape, 3000.0), in_view, np.array([height]))


def test_a_person_is_found_again_where_the_projection_says(estimator, image, people):
    panoptic = people.converted(PANOPTIC_15)
    points, scores = panoptic.points, panoptic.scores
    neck = np.array([413, 515])
    woman = int(np.argmin(np.hypot(*(points[:, 0] - neck).T)))
    target = as_seen(points[[woman]], scores[[woman]] > 0, 480.0)
    others = people.where(np.arange(len(people)) != woman)
    found = look_for(estimator, image, Missed("cam", target, (0,)), others, BlazePose())
    assert len(found) == len(others) + 1
    assert np.median(np.hypot(*(found.points[-1] - people.points[woman]).T)) < 0.03 * 480


def test_nobody_is_found_where_nobody_is(estimator, image, people):
    points = people.converted(PANOPTIC_15).points[:1]
    target = as_seen(points + np.array([0, 1500]), np.ones((1, 15), bool), 400.0)
    found = look_for(estimator, image, Missed("cam", target, (0,)), people, BlazePose())
    assert len(found) == len(people)


def test_the_number_of_processes_does_not_change_the_result(image, weights, tmp_path):
    cameras = ring(2, image.shape[1], image.shape[0])
    scene = Scene.calibrated(tmp_path, "real", "test", cameras, [0, 1], [0.0, 0.1], (64, 48))
    write_scene(scene)
    for frame in scene.frames:
        for index, camera in enumerate(cameras):
            write_image(scene.image_path(camera.name, frame), np.roll(image, 20 * index, axis=1))
    whole = with_settings(Parameters(), {"estimator.blazepose.tiles": [0.6]}, "test")
    entry = ESTIMATORS["blazepose"]
    given = part_of(whole, entry.reads(whole))
    one = entry.detect.load()(scene, given, weights, 1)
    two = entry.detect.load()(scene, given, weights, 2)
    assert skeleton_of(one, "people") == BLAZEPOSE_33 and list(one) == list(two)
    assert all(np.array_equal(one[key].points, two[key].points) for key in one)


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path):
    with pytest.raises(InputError, match="fetch-weights blazepose"):
        MultiPersonBlazePose(BlazePose(), tmp_path)


def test_anchors_cover_the_three_grids():
    anchors = detector_anchors()
    assert anchors.shape == (2254, 2)
    assert anchors[0].tolist() == [0.5 / 28, 0.5 / 28]
    assert anchors[2].tolist() == [1.5 / 28, 0.5 / 28]
    assert anchors[-1].tolist() == [6.5 / 7, 6.5 / 7]


@pytest.mark.parametrize(("width", "height"), [(960, 576), (544, 960), (100, 100), (3, 7)])
def test_tiles_cover_the_image_and_stay_inside(width, height):
    seen = np.zeros((height, width), bool)
    for x, y, w, h in tiles(width, height, (0.4,), 0.3):
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        seen[y : y + h, x : x + w] = True
    assert seen.all()
    assert tiles(width, height, (1.0,), 0.3) == [(0, 0, width, height)]


def test_candidates_of_one_person_merge_and_people_behind_each_other_do_not():
    def roi(x, radius):
        return Roi(np.array([x, 100.0]), np.array([0.0, -radius]))

    kept = distinct_rois(
        [roi(100, 50), roi(105, 52), roi(102, 110)], np.array([0.5, 0.9, 0.8]), 0.35
    )
    assert [r.radius for r in kept] == [52, 110]


def test_of_two_bodies_of_one_person_the_clearer_stays():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 200, (39, 2))
    vague = Body(points + 2, np.full(39, 0.4), 0.9)
    clear = Body(points, np.full(39, 0.9), 0.9)
    other = Body(points + 150, np.full(39, 0.5), 0.9)
    assert distinct_bodies([vague, clear, other], 0.1) == [clear, other]


def test_large_regions_are_averaged_down():
    pattern = np.indices((1200, 1200)).sum(0) % 2 * 255
    image = np.repeat(pattern[..., None], 3, 2).astype(np.uint8)
    crop = blazepose._crop(image, Roi(np.array([600.0, 600.0]), np.array([0.0, -420.0])))
    assert np.ptp(crop[64:192, 64:192]) < 0.25


def test_a_standing_person_is_upright_in_its_region():
    (camera,) = ring(1)
    view = project_people(camera, STANDING[None])
    roi = region(view.pixels[0])
    assert roi.up[1] < 0 and roi.radius > 30
