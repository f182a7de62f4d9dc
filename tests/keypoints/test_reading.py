"""2D people in the forms in which estimators write them, read into cameras, frames and pixels."""

import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutations import mutated
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.scenes import View
from selfpose3d.keypoints import KEYPOINTS, reading
from selfpose3d.keypoints import stream as streaming
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.keypoints.mvor import image_name
from selfpose3d.keypoints.reading import Told, read_people
from selfpose3d.keypoints.stream import pieces, pieces_of
from selfpose3d.reconstruction.standing import standing
from selfpose3d.skeletons import (
    BODY_25,
    BODY_25B,
    COCO_17,
    COCO_18,
    HALPE_26,
    PANOPTIC_15,
    PANOPTIC_19,
    Skeleton,
)

CAMERAS = ("left", "right", "top")
VIEWS = [View(camera, 640, 480) for camera in CAMERAS]
FRAMES = (0, 1, 2, 3)
Views = dict[tuple[int, str], People2D]


def bodies(count: int, seed: int, skeleton: Skeleton) -> np.ndarray:
    """(count, J, 3) people who stand upright in an image, whatever joints are asked for."""
    rng = np.random.default_rng(seed)
    front = standing(PANOPTIC_19)[:, [0, 2]] * [0.12, -0.12]
    people = np.zeros((count, len(skeleton), 3))
    for person in people:
        place = rng.uniform([100, 180], [540, 300])
        for joint, name in enumerate(skeleton.joints):
            near = next((n for n in PANOPTIC_19.joints if n == name), None)
            side = name.split("_")[0]
            foot = f"{side}_ankle" if side in ("left", "right") else "nose"
            at = front[PANOPTIC_19.index(near or foot)]
            person[joint] = [*np.round(place + at + rng.uniform(-2, 2, 2), 3), 0.75]
    return people


def people_of(skeleton: Skeleton, frames: Sequence[int] = FRAMES) -> Views:
    """One or two people in every image, nobody in the last frame of the last camera."""
    views = {}
    for frame in frames:
        for number, camera in enumerate(CAMERAS):
            empty = frame == frames[-1] and camera == CAMERAS[-1]
            values = bodies(0 if empty else 1 + frame % 2, 10 * frame + number, skeleton)
            scores = np.full(len(values), 0.875)
            views[frame, camera] = People2D(values[..., :2], values[..., 2], scores, skeleton)
    return views


def flat(people: People2D) -> list[list[float]]:
    values = np.concatenate([people.points, people.scores[..., None]], -1)
    return [row.ravel().tolist() for row in values]


def write_openpose(folder: Path, views: Views, name: str = "{camera}/take_{frame:012d}_keypoints"):
    for (frame, camera), people in views.items():
        path = folder / f"{name.format(camera=camera, frame=frame)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [{"person_id": [-1], "pose_keypoints_2d": row} for row in flat(people)]
        path.write_text(json.dumps({"version": 1.3, "people": found}))


def write_pose2sim(folder: Path, views: Views) -> None:
    write_openpose(folder, views, "{camera}_json/{camera}_{frame:06d}")


def write_side_by_side(folder: Path, views: Views) -> None:
    write_openpose(folder, views, "{camera}_{frame:012d}_keypoints")


def rows_of(views: Views, image: Callable[[int, str], Any]) -> list[dict[str, Any]]:
    return [
        {**image(frame, camera), "category_id": 1, "keypoints": row, "score": 0.875}
        for (frame, camera), people in views.items()
        for row in flat(people)
    ]


def write_coco_numbers(folder: Path, views: Views) -> None:
    place = {image: number for number, image in enumerate(views)}
    rows = rows_of(views, lambda frame, camera: {"image_id": place[frame, camera]})
    (folder / "all.json").write_text(json.dumps(rows))


def write_coco_annotations(folder: Path, views: Views) -> None:
    place = {image: 100 + number for number, image in enumerate(views)}
    images = [{"id": n, "file_name": f"data/{c}/{f:06d}.png"} for (f, c), n in place.items()]
    rows = rows_of(views, lambda frame, camera: {"image_id": place[frame, camera]})
    joints = list(next(iter(views.values())).skeleton.joints)
    document = {
        "annotations": rows,
        "images": images,
        "categories": [{"id": 1, "keypoints": joints}],
    }
    (folder / "all.json").write_text(json.dumps(document))


def write_alphapose(folder: Path, views: Views) -> None:
    for camera in CAMERAS:
        mine = {image: people for image, people in views.items() if image[1] == camera}
        rows = rows_of(mine, lambda frame, camera: {"image_id": f"{frame}.jpg"})
        rows = [{**row, "score": 2.9, "box": [1, 2, 3, 4], "idx": [0.0]} for row in rows]
        (folder / f"{camera}.json").write_text(json.dumps(rows))


def by_camera(views: Views, image: Callable[[int, People2D], Any]) -> dict[str, list[Any]]:
    return {
        camera: [image(frame, people) for (frame, c), people in views.items() if c == camera]
        for camera in CAMERAS
    }


def write_each(folder: Path, documents: Mapping[str, Any]) -> None:
    for camera, document in documents.items():
        (folder / f"{camera}.json").write_text(json.dumps(document))


def mmpose_people(people: People2D) -> list[dict[str, Any]]:
    return [
        {"keypoints": points.tolist(), "keypoint_scores": scores.tolist(), "bbox_score": 0.875}
        for points, scores in zip(people.points, people.scores, strict=True)
    ]


def write_mmpose(folder: Path, views: Views) -> None:
    documents = by_camera(
        views, lambda frame, people: {"frame_id": frame, "instances": mmpose_people(people)}
    )
    write_each(folder, documents)


def write_mmpose_images(folder: Path, views: Views) -> None:
    for (frame, camera), people in views.items():
        (folder / camera).mkdir(exist_ok=True)
        (folder / camera / f"{frame:06d}.json").write_text(json.dumps(mmpose_people(people)))


def write_rtmlib(folder: Path, views: Views) -> None:
    documents = by_camera(
        views,
        lambda frame, people: {
            "frame": frame,
            "keypoints": people.points.tolist(),
            "scores": people.scores.tolist(),
        },
    )
    write_each(folder, documents)


def ultralytics_people(people: People2D) -> list[dict[str, Any]]:
    columns = np.concatenate([people.points, people.scores[..., None]], -1).transpose(0, 2, 1)
    return [
        {
            "name": "person",
            "confidence": 0.875,
            "keypoints": dict(zip(("x", "y", "visible"), each.tolist(), strict=True)),
        }
        for each in columns
    ]


def write_ultralytics(folder: Path, views: Views) -> None:
    write_each(folder, by_camera(views, lambda frame, people: ultralytics_people(people)))


def write_ultralytics_images(folder: Path, views: Views) -> None:
    for (frame, camera), people in views.items():
        (folder / camera).mkdir(exist_ok=True)
        (folder / camera / f"{frame}.json").write_text(json.dumps(ultralytics_people(people)))


FORMS: dict[str, tuple[Callable[[Path, Views], None], tuple[Skeleton, ...]]] = {
    "OpenPose": (write_openpose, (BODY_25, BODY_25B, COCO_18, COCO_17, HALPE_26)),
    "OpenPose, one folder": (write_side_by_side, (BODY_25,)),
    "Pose2Sim": (write_pose2sim, (HALPE_26, COCO_17, BODY_25B)),
    "COCO by number": (write_coco_numbers, (COCO_17,)),
    "COCO annotations": (write_coco_annotations, (COCO_17, PANOPTIC_15)),
    "AlphaPose": (write_alphapose, (COCO_17, HALPE_26)),
    "MMPose": (write_mmpose, (COCO_17, HALPE_26)),
    "MMPose images": (write_mmpose_images, (COCO_17,)),
    "rtmlib": (write_rtmlib, (HALPE_26,)),
    "Ultralytics": (write_ultralytics, (COCO_17,)),
    "Ultralytics images": (write_ultralytics_images, (COCO_17,)),
}


def path_of(folder: Path) -> Path:
    return folder / "all.json" if (folder / "all.json").exists() else folder


def read(folder: Path, frames: Sequence[int] | None = FRAMES, **told: Any):
    return read_people(path_of(folder), VIEWS, frames, "take", Told(**told))


def assert_same(found: Mapping[tuple[int, str], People2D], views: Views) -> None:
    assert list(found) == list(views)
    for image, people in views.items():
        assert found[image].skeleton == people.skeleton
        np.testing.assert_allclose(found[image].points, people.points, atol=1e-3)
        np.testing.assert_allclose(found[image].scores, people.scores, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "skeleton"),
    [(form, skeleton) for form, (_, skeletons) in FORMS.items() for skeleton in skeletons],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
@pytest.mark.parametrize("frames", [FRAMES, None], ids=["scene", "alone"])
def test_people_come_back_in_their_own_joints(
    form: str, skeleton: Skeleton, frames: Sequence[int] | None, tmp_path: Path
) -> None:
    views = people_of(skeleton)
    FORMS[form][0](tmp_path, views)
    assert_same(read(tmp_path, frames), views)


def test_very_many_files_are_read_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Parts end within a camera; what they hold comes together, and so does what is wrong."""
    views = people_of(BODY_25, range(7))
    write_openpose(tmp_path, views)
    monkeypatch.setattr(reading, "TOGETHER", 3)

    assert_same(read(tmp_path, range(7)), views)
    assert "files of 2D people, 3 at a time: 9/9 parts" in capfd.readouterr().err

    last = tmp_path / CAMERAS[-1] / f"take_{6:012d}_keypoints.json"
    last.write_text('{"people": [{"pose_keypoints_2d": [1, 2]}]}')
    with pytest.raises(InputError, match=f"{last.name}: entry 0: 2 numbers"):
        read(tmp_path, range(7))


def test_every_format_of_the_table_says_what_it_looks_like() -> None:
    assert all(entry.program and entry.form for entry in KEYPOINTS.values())


def test_frames_that_the_scene_leaves_out_are_left_out(tmp_path: Path) -> None:
    views = people_of(BODY_25, range(6))
    write_openpose(tmp_path, views)
    assert_same(read(tmp_path, (0, 2, 4)), {i: p for i, p in views.items() if i[0] % 2 == 0})


def test_a_person_or_joint_that_was_not_seen_is_not_there(tmp_path: Path) -> None:
    nan, points = float("nan"), bodies(1, 0, COCO_17)[0]
    points[3], points[4], points[5, 0] = [nan, nan, nan], [0, 0, 1], nan
    people = [{}, {"pose_keypoints_2d": []}, {"pose_keypoints_2d": points.ravel().tolist()}]
    nulls = [None if value != value else value for value in points.ravel().tolist()]
    people.append({"pose_keypoints_2d": nulls})
    for camera in CAMERAS:
        (tmp_path / camera).mkdir()
        (tmp_path / camera / "0_keypoints.json").write_text(json.dumps({"people": people}))
    for image in read(tmp_path, None).values():
        assert len(image) == 2
        assert np.isfinite(image.points).all()
        assert (image.scores[:, 3:6] == 0).all() and (image.scores[:, 6:] == 0.75).all()


@pytest.mark.parametrize("score", [0.0, None, 3.1])
def test_person_scores_that_tell_nothing_drop_nobody(tmp_path: Path, score: float | None) -> None:
    views = people_of(COCO_17)
    rows = rows_of(views, lambda frame, camera: {"image_id": f"{camera}/{frame:08d}.jpg"})
    (tmp_path / "all.json").write_text(json.dumps([{**row, "score": score} for row in rows]))
    assert set(read(tmp_path).person_scores) == {1.0}


def test_flags_of_visibility_become_scores(tmp_path: Path) -> None:
    row = {"file_name": "left/00000001.jpg", "keypoints": [50.0, 60.0, 2] * 16 + [0, 0, 0]}
    row2 = {"file_name": "right/00000001.jpg", "keypoints": [50.0, 60.0, 1] * 17}
    (tmp_path / "all.json").write_text(json.dumps([row, row2]))
    found = read(tmp_path)
    assert found[1, "left"].scores.tolist() == [[1.0] * 16 + [0.0]]
    assert found[1, "right"].scores.min() == 1


@pytest.mark.parametrize("camera", CAMERAS)
def test_images_counted_from_1_are_told_by_the_last_one_or_asked_for(
    camera: str, tmp_path: Path
) -> None:
    views = people_of(COCO_17)
    views[FRAMES[-1], CAMERAS[-1]] = views[0, "left"]
    place = {image: 1 + number for number, image in enumerate(views)}
    rows = rows_of(views, lambda frame, camera: {"image_id": place[frame, camera]})
    (tmp_path / "all.json").write_text(json.dumps(rows))
    assert_same(read(tmp_path), views)
    without_last = [row for row in rows if row["image_id"] < len(views)]
    (tmp_path / "all.json").write_text(json.dumps(without_last))
    with pytest.raises(InputError, match=r"from 1 to 11; do they count from 0 or from 1.*--first"):
        read(tmp_path)
    found = read(tmp_path, first=1)
    np.testing.assert_allclose(found[0, camera].points, views[0, camera].points, atol=1e-3)


def test_frames_counted_from_1_are_told_by_the_last_one_or_asked_for(tmp_path: Path) -> None:
    views = people_of(COCO_17)
    write_openpose(tmp_path / "a", views)
    one_more = {(frame + 1, camera): people for (frame, camera), people in views.items()}
    write_openpose(tmp_path / "b", one_more)
    assert_same(read(tmp_path / "b"), views)
    inner = {image: people for image, people in one_more.items() if image[0] < 4}
    write_openpose(tmp_path / "c", inner)
    with pytest.raises(InputError, match=r"from 1 to 3, .*from 0 to 3; do they count from 0 or"):
        read(tmp_path / "c")
    assert read(tmp_path / "c", first=0)[1, "left"].points[0, 0] == pytest.approx(
        views[0, "left"].points[0, 0]
    )


def test_cameras_that_number_an_instant_differently_are_refused(tmp_path: Path) -> None:
    views = people_of(COCO_17)
    shifted = {(f + (c == "top"), c): people for (f, c), people in views.items()}
    write_openpose(tmp_path, shifted)
    with pytest.raises(InputError, match=r"numbered apart.*'top': \(1, 4\)"):
        read(tmp_path, None)


def test_normalised_coordinates_are_refused(tmp_path: Path) -> None:
    views = people_of(COCO_17)
    for people in views.values():
        people.points[...] /= [640, 480]
    write_openpose(tmp_path, views)
    with pytest.raises(InputError, match="shares of the image, not pixels"):
        read(tmp_path)


def test_coordinates_of_larger_images_are_refused_and_scaled_by_a_named_size(
    tmp_path: Path,
) -> None:
    views = people_of(COCO_17)
    larger = people_of(COCO_17)
    for people in larger.values():
        people.points[...] = 3 * people.points + 1
    write_openpose(tmp_path, larger)
    with pytest.raises(InputError, match=r"\d+% of .* 640x480 px; x goes from .*--image-size"):
        read(tmp_path)
    found = read(tmp_path, pixels=(1920, 1440))
    np.testing.assert_allclose(found[0, "left"].points, views[0, "left"].points, atol=1e-3)
    with pytest.raises(InputError, match="1920x1080 px has other proportions than"):
        read(tmp_path, pixels=(1920, 1080))


def test_pixels_of_videos_of_another_size_than_the_stored_frames_are_asked_for(
    tmp_path: Path,
) -> None:
    views = people_of(COCO_17)
    write_openpose(tmp_path, views)
    stored = [View("left", 960, 720, (640, 480)), View("right", 960, 720, (480, 640)), VIEWS[2]]
    with pytest.raises(InputError, match=r"Those of left are 640x480 px.*estimator\.image_size"):
        read_people(tmp_path, stored, FRAMES, "take")
    as_stored = read_people(tmp_path, stored, FRAMES, "take", Told(pixels="stored"))
    assert_same(as_stored, views)
    found = read_people(tmp_path, stored, FRAMES, "take", Told(pixels="videos"))
    left, right = (views[0, camera].points for camera in ("left", "right"))
    np.testing.assert_allclose(found[0, "left"].points, 1.5 * left + 0.25, atol=1e-3)
    upright = right * 1.125 + 0.0625 + [(960 - 540) / 2, 0]
    np.testing.assert_allclose(found[0, "right"].points, upright, atol=1e-3)


def test_joints_outside_now_and_then_and_weak_ones_anywhere_pass(tmp_path: Path) -> None:
    views = people_of(COCO_17)
    for number, people in enumerate(views.values()):
        people.points[:, 1], people.scores[:, 1] = (-900.0, 900.0), 0.2
        if number == 0:
            people.points[0, 0] = (900.0, 80.0)
    write_coco_results(tmp_path / "all.json", views)
    assert_same(read(tmp_path), views)


def test_25_points_whose_order_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    row = np.column_stack([rng.uniform(50, 400, (25, 2)), np.ones(25)]).ravel().tolist()
    for camera in CAMERAS:
        (tmp_path / camera).mkdir()
        path = tmp_path / camera / "0_keypoints.json"
        path.write_text(json.dumps({"people": [{"pose_keypoints_2d": row}]}))
    with pytest.raises(InputError, match=r"body25 or body25b|body25b or body25.*--joints"):
        read(tmp_path, None)
    assert read(tmp_path, None, joints="body25b").skeleton == BODY_25B


def test_numbers_of_mvor_hold_camera_and_frame(tmp_path: Path) -> None:
    assert image_name(20030000031) == "cam3/20000031"
    views = [View(f"cam{number}", 640, 480) for number in (1, 2, 3)]
    values = bodies(1, 0, COCO_17)[0].ravel().tolist()
    row = {"coco_keypoints": values, "keypoints": [], "score": 111.5, "category_id": 1}
    rows = [{**row, "image_id": number} for number in (10010000001, 10020000001, 20030000031)]
    (tmp_path / "all.json").write_text(json.dumps(rows))
    found = read_people(tmp_path / "all.json", views, None, "mvor")
    assert [i for i, n in found.counts.items() if n] == [
        (10000001, "cam1"),
        (10000001, "cam2"),
        (20000031, "cam3"),
    ]
    assert found.skeleton == COCO_17 and set(found.person_scores) == {1.0}


def test_images_of_two_sequences_in_one_file_are_refused(tmp_path: Path) -> None:
    rows = rows_of(
        people_of(COCO_17), lambda frame, camera: {"image_id": f"one/{camera}/{frame}.jpg"}
    )
    rows += [{**rows[0], "image_id": "two/left/0.jpg"}]
    (tmp_path / "all.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"'two/left/0.jpg'\] are both frame 0 of camera left"):
        read(tmp_path)


def test_annotations_are_recognised_after_many_other_things(tmp_path: Path) -> None:
    views = people_of(COCO_17)
    write_coco_annotations(tmp_path, views)
    document = json.loads((tmp_path / "all.json").read_text())
    document = {"info": list(range(1000)), **document}
    (tmp_path / "all.json").write_text(json.dumps(document))
    assert_same(read(tmp_path), views)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "strange/00000001.jpg", "keypoints": [9.0] * 51}, "another data set"),
        ({"file_name": "left/00000009.jpg", "keypoints": [9.0] * 51}, "another data set"),
        ({"file_name": "left/x.jpg", "keypoints": [9.0] * 51}, "or a number is expected"),
        ({"image_id": 99, "keypoints": [9.0] * 51}, "12 images"),
        ({"image_id": -1, "keypoints": [9.0] * 51}, "12 images"),
        ({"image_id": 0, "keypoints": [9.0] * 50}, "entry 0: 50 numbers"),
        ({"image_id": 0, "keypoints": [9.0, 9.0, 0.5] * 16}, "16 key points a person; known are"),
        ({"image_id": 0, "keypoints": ["a"] * 51}, "entry 0: "),
        ({"image_id": 0, "keypoints": [9.0, 9.0, 87.0] * 17}, "scores of joints up to 87"),
        ({"image_id": None, "keypoints": [9.0] * 51}, "nothing of the images"),
        ({"image_id": 0.5, "keypoints": [9.0] * 51}, "the image 0.5"),
        ({"image_id": 0}, "entry 0"),
        ("people", "entry 0"),
        ({"keypoints": [[9, 9]] * 17, "keypoint_scores": [1] * 17}, "one file an image"),
        ({"frame_id": 0, "instances": []}, "none of the cameras'; name it after its camera"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, row: Any, message: str) -> None:
    (tmp_path / "all.json").write_text(json.dumps([row]))
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_a_packed_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_bytes(gzip.compress(b"[]"))
    with pytest.raises(InputError, match=r"all.json: packed by gzip; unpack it"):
        read(tmp_path)


def test_folders_that_hold_other_things_are_refused(tmp_path: Path) -> None:
    (tmp_path / "somebody").mkdir()
    with pytest.raises(InputError, match=r"no 2D people of the cameras .*It holds \['somebody'\]"):
        read(tmp_path)
    with pytest.raises(InputError, match="there is no such file or folder"):
        read(tmp_path / "nowhere")
    views = people_of(COCO_17)
    write_openpose(tmp_path, views)
    write_pose2sim(tmp_path, views)
    with pytest.raises(InputError, match="two sets of people of camera left"):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_other_editors_are_read(tmp_path: Path, encoding: str) -> None:
    views = people_of(COCO_17)
    write_coco_numbers(tmp_path, views)
    text = (tmp_path / "all.json").read_text()
    (tmp_path / "all.json").write_bytes(text.encode(encoding))
    assert_same(read(tmp_path), views)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(value=JSON, chunk=st.integers(1, 12), indent=st.sampled_from([None, 1]))
def test_a_document_in_pieces_is_the_document(
    value: Any, chunk: int, indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.json"
    path.write_text(json.dumps(value, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "CHUNK", chunk)
        outcomes = []
        for reader in (pieces, lambda path: pieces_of(str(path))):
            try:
                outcomes.append(repr(list(reader(path))))
            except ValueError:
                outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


@settings(deadline=None)
@given(value=JSON)
def test_any_json_is_read_or_refused(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))
    try:
        found = read_people(path, VIEWS, FRAMES, "take")
    except InputError:
        return
    assert len(found) == 12


def test_300_broken_files_are_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(300):
        name = list(FORMS)[number % len(FORMS)]
        write, skeletons = FORMS[name]
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, people_of(skeletons[0], (0, 1)))
        paths = sorted(path for path in folder.rglob("*.json"))
        for path in rng.sample(paths, min(len(paths), 2)):
            text = path.read_text()
            for _ in range(rng.randint(1, 3)):
                text = mutated(text, rng) if text else text
            path.write_text(text)
        try:
            found = read(folder, rng.choice([(0, 1), None]))
        except InputError as error:
            assert str(folder) in str(error)
            continue
        for people in found.values():
            assert np.isfinite(people.points).all()
            assert ((people.scores >= 0) & (people.scores <= 1)).all()
