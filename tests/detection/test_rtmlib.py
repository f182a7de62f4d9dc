"""rtmlib itself, with ONNX Runtime, on tiny networks of the inputs and outputs of the real ones."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from coloured_people import picture, places
from hosts import Host
from selfpose3d.detection import ESTIMATORS
from selfpose3d.detection.rtmlib import estimator, fetch_weights, networks
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, skeleton_of
from selfpose3d.files.scenes import Scene, write_image, write_scene
from selfpose3d.parameters import Parameters, RtmLib, part_of, with_settings
from selfpose3d.skeletons import COCO_17, HALPE_26
from selfpose3d.synthetic.scenes import ring
from tiny_rtmlib import in_detector, packed, save_rtmo, save_two_stages

SIZE = (320, 240)
BOX = (70.0, 20.0, 190.0, 205.0)
"""Left, top, right, bottom, px of an image of SIZE."""


def own(**settings: object) -> RtmLib:
    return RtmLib.model_validate(settings)


@pytest.mark.parametrize("mode", ["lightweight", "performance"])
@pytest.mark.parametrize(("model", "skeleton"), [("body", COCO_17), ("body_with_feet", HALPE_26)])
def test_joints_come_out_where_they_are_and_in_their_order(
    tmp_path: Path, mode: str, model: str, skeleton
) -> None:
    parameters = own(model=model, mode=mode)
    save_two_stages(tmp_path, parameters, [(*BOX, 0.9), (5.0, 5.0, 40.0, 40.0, 0.2)], SIZE, 0.8)
    truth = places(len(skeleton), (90, 40), 24)
    people = estimator(parameters, tmp_path)(picture(truth, SIZE, 4.0))

    assert people.skeleton == skeleton and len(people) == 1
    assert np.abs(people.points[0] - truth).max() < 1
    np.testing.assert_allclose(people.person_scores, [0.9], atol=1e-6)
    np.testing.assert_allclose(people.scores, 0.8, atol=0.03)


def test_scores_beyond_one_are_cut_off(tmp_path: Path) -> None:
    parameters = own()
    save_two_stages(tmp_path, parameters, [(*BOX, 0.9)], SIZE, 7.0)
    people = estimator(parameters, tmp_path)(picture(places(26, (90, 40), 24), SIZE, 4.0))
    assert (people.scores == 1).all()


def test_where_the_detector_sees_nobody_there_is_nobody(tmp_path: Path) -> None:
    parameters = own(person_score=0.95)
    save_two_stages(tmp_path, parameters, [(*BOX, 0.9)], SIZE)
    people = estimator(parameters, tmp_path)(picture(places(26, (90, 40), 24), SIZE, 4.0))
    assert len(people) == 0 and people.skeleton == HALPE_26


def test_rtmo_sees_each_person_once_in_the_pixels_of_the_image(tmp_path: Path) -> None:
    parameters = own(model="rtmo")
    boxes = [(*BOX, 0.8), (72.0, 22.0, 190.0, 205.0, 0.9), (250.0, 50.0, 300.0, 200.0, 0.6),
             (0.0, 0.0, 30.0, 30.0, 0.1)]  # fmt: skip
    rng = np.random.default_rng(0)
    points = rng.uniform((70, 20), (190, 205), (4, 17, 2))
    points[2, 3] = (330, 100)  # beyond the image's right rim
    joints = np.concatenate([2 * points, np.full((4, 17, 1), 0.7)], axis=-1)
    save_rtmo(tmp_path / networks(parameters)[0].name, in_detector(boxes, SIZE, 640), joints)

    people = estimator(parameters, tmp_path)(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))

    assert people.skeleton == COCO_17
    np.testing.assert_allclose(people.person_scores, [0.9, 0.6], atol=1e-6)
    np.testing.assert_allclose(people.points, points[[1, 2]], atol=1e-3)
    assert people.scores[1, 3] == 0
    np.testing.assert_allclose(np.delete(people.scores[1], 3), 0.7, atol=1e-6)


@pytest.fixture
def served(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with the archives of ``lightweight`` as the host has them, and the hashes."""
    parameters, folder = own(mode="lightweight"), tmp_path / "made"
    folder.mkdir()
    save_two_stages(folder, parameters, [(*BOX, 0.9)], SIZE)
    return tmp_path / "served", packed(folder, parameters, tmp_path / "served")


def chosen(url: str, told: Mapping[str, str]) -> Parameters:
    settings = {
        "estimator.name": "rtmlib",
        "estimator.rtmlib.mode": "lightweight",
        "estimator.rtmlib.source": url,
        "estimator.rtmlib.sha256": dict(told),
    }
    whole = with_settings(Parameters(), settings, "test")
    return part_of(whole, ESTIMATORS["rtmlib"].reads(whole))


def scene_of(folder: Path, image: np.ndarray) -> Scene:
    cameras = ring(2, *SIZE)
    scene = Scene.calibrated(folder, "walk", "test", cameras, [0, 1, 2], [0, 0.1, 0.2], (64, 48))
    write_scene(scene)
    for frame in scene.frames:
        for number, camera in enumerate(cameras):
            shifted = np.roll(image, 3 * frame + number, axis=1)
            write_image(scene.image_path(camera.name, frame), shifted)
    return scene


def test_from_the_host_to_the_people_of_a_scene_in_any_number_of_processes(
    served: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    truth = places(26, (90, 40), 24)
    scene = scene_of(tmp_path / "scene", picture(truth, SIZE, 4.0))
    with Host(served[0]) as host:
        parameters = chosen(host.url, served[1])
        fetch_weights(tmp_path / "weights", parameters, tmp_path / "cache")
    detect = ESTIMATORS["rtmlib"].detect.load()

    one, two = (detect(scene, parameters, tmp_path / "weights", workers) for workers in (1, 2))

    assert skeleton_of(one, "people") == HALPE_26
    assert list(one) == [(f, c.name) for f in scene.frames for c in scene.cameras] == list(two)
    assert all(np.array_equal(one[key].points, two[key].points) for key in one)
    moved: People2D = one[2, "cam1"]
    assert np.median(np.abs(moved.points[0] - truth - [7, 0])) < 1


def test_the_real_networks_are_not_taken_for_others(
    served: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """YOLOX tiny has a known hash, which the tiny network of the test has not."""
    with Host(served[0]) as host, pytest.raises(InputError, match="and not ceb11c07298f95c5"):
        fetch_weights(tmp_path / "weights", chosen(host.url, {}), tmp_path / "cache")


def test_without_its_weights_it_says_how_to_fetch_them(tmp_path: Path) -> None:
    scene = scene_of(tmp_path / "scene", np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    with pytest.raises(InputError, match="selfpose3d fetch-weights rtmlib"):
        ESTIMATORS["rtmlib"].detect.load()(scene, chosen("http://x", {}), tmp_path / "none", 1)


def test_without_its_package_it_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(InputError, match=r'pip install "selfpose3d\[rtmlib\]"'):
        estimator(own(), tmp_path)
