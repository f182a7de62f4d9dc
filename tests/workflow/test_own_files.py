"""A user's own files: they end with figures, and are inputs one by one, so that what is replaced is
made again."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, planned, run_snakemake
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.results import AGREEMENT
from selfpose3d.files.scenes import write_cameras
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.pipeline import list_own_files
from selfpose3d.plan.code_versions import code_versions
from selfpose3d.plan.nodes import Plan
from selfpose3d.plan.own_files import files_of_detections, files_of_scene
from selfpose3d.plan.planning import make_plan
from selfpose3d.skeletons import COCO_17, converted
from selfpose3d.synthetic.faulty_rigs import Planted, record
from selfpose3d.synthetic.scenes import ring

sys.path.insert(0, str(REPOSITORY / "workflow"))

import wiring


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of three frames and their calibration."""
    folder = tmp_path_factory.mktemp("own") / "take"
    folder.mkdir()
    cameras = ring(2, 224, 160)
    write_cameras(folder / "cameras.json", cameras)
    for number, camera in enumerate(cameras):
        write_video(folder / f"{camera.name}.mp4", 60 * number)
    return folder


def write_video(path: Path, grey: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (224, 160))
    for _ in range(3):
        writer.write(np.full((160, 224, 3), grey, np.uint8))
    writer.release()


def replace_calibration(take: Path) -> None:
    write_cameras(take / "cameras.json", ring(2, 224, 160, turn=0.1))


def replace_video(take: Path) -> None:
    write_video(take / "cam1.mp4", 200)


@pytest.fixture(scope="module")
def work(take: Path) -> Path:
    """A working directory in which the take was made a scene."""
    folder = take.parent / "work"
    (take.parent / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "data": {"source": "videos"},
                "videos": {"test": {"mine": str(take)}},
                "footage": {"name": "none"},
            }
        )
    )
    status, output = run_snakemake(*arguments_of(folder), workdir=folder)
    assert status == 0, output
    status, output = run_snakemake(*arguments_of(folder), "--dry-run", workdir=folder)
    assert status == 0 and "Nothing to be done" in output, output
    return folder


def arguments_of(work: Path) -> tuple[str, ...]:
    return ("data", "--configfile", str(work.parent / "mine.yaml"))


@pytest.fixture
def restored(take: Path, tmp_path: Path) -> Iterator[None]:
    """After the test the take's files are as they were, times included."""
    shutil.copytree(take, tmp_path / "kept")
    yield
    shutil.copytree(tmp_path / "kept", take, dirs_exist_ok=True)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("replace", [replace_calibration, replace_video])
def test_a_replaced_file_makes_its_scene_anew(
    take: Path, work: Path, replace: Callable[[Path], None]
) -> None:
    replace(take)

    status, output = run_snakemake(*arguments_of(work), "--dry-run", workdir=work)

    assert status == 0 and "prepare_videos" in output, output


def write_openpose(folder: Path, cameras: Sequence[str], frames: int) -> list[Path]:
    """A file of nobody for every image, and of one person in the first of each camera."""
    person = {"pose_keypoints_2d": [100.0, 80.0, 0.9] * 17}
    paths = []
    for camera in cameras:
        for frame in range(frames):
            path = folder / camera / f"{camera}_{frame:012d}_keypoints.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"people": [person] if frame == 0 else []}))
            paths.append(path)
    return paths


def test_of_very_many_files_a_replaced_one_is_seen_and_none_is_printed(tmp_path: Path) -> None:
    cameras = ring(2, 224, 160)
    write_cameras(tmp_path / "cameras.json", cameras)
    paths = write_openpose(tmp_path / "pose", [camera.name for camera in cameras], 40)
    overlay, work = tmp_path / "mine.yaml", tmp_path / "work"
    given = {
        "data": {"source": "keypoints"},
        "keypoints": {"calibration": str(tmp_path / "cameras.json"), "test": ["take"]},
        "estimator": {"name": "file", "files": str(tmp_path / "pose"), "joints": "coco17"},
        "footage": {"name": "none"},
    }
    overlay.write_text(yaml.safe_dump(given))
    arguments = ("data", "--configfile", str(overlay))
    status, output = run_snakemake(*arguments, workdir=work)
    assert status == 0 and "_keypoints.json" not in output, output
    stamp = paths[7].stat().st_mtime_ns - 10**12
    paths[7].write_text(json.dumps({"people": []}) + " ")
    os.utime(paths[7], ns=(stamp, stamp))

    status, output = run_snakemake(*arguments, "--dry-run", workdir=work)

    assert status == 0 and "prepare_keypoints" in output, output
    assert "_keypoints.json" not in output and max(map(len, output.splitlines())) < 400


def with_experiment(base: dict[str, Any], **experiment: Any) -> Parameters:
    """Base parameters without footage, of which a plain run makes one experiment, training-free
    unless it says otherwise."""
    mine = {"title": "Mine", "method": "training_free", **experiment}
    run = {"tables": [], "experiments": ["mine"]}
    own = {"footage": {"name": "none"}, "run": run, "experiments": {"mine": mine}}
    return Parameters.model_validate({**base, **own})


def own_videos(path: str) -> dict[str, Any]:
    return {"data": {"source": "videos"}, "videos": {"test": {"a": path}}}


def listed_for_dvc(parameters: Parameters, folder: Path) -> dict[str, list[int]]:
    """What DVC's list says of the user's own files."""
    list_own_files(parameters, folder / "listed.json")
    listed: dict[str, list[int]] = json.loads((folder / "listed.json").read_text())
    return listed


def test_a_local_copy_of_a_data_set_is_a_users_own_file(tmp_path: Path) -> None:
    copies = {
        "shelf": ("shelf.url", "Shelf.tar.bz2"),
        "campus": ("campus.url", "CampusSeq1/actorsGT.mat"),
        "mvor": ("mvor.annotations", "camma_mvor_2018.json"),
        "panoptic": ("panoptic.url", "171204_pose1_sample/hdVideos/hd_00_00.mp4"),
    }
    for source, (name, path) in copies.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("a copy")
        settings = {"data.source": source, name: tmp_path.as_uri()}
        if source == "panoptic":
            settings |= {"panoptic.train": [], "panoptic.test": ["171204_pose1_sample"]}
        parameters = with_settings(with_experiment({}), settings, "test")
        assert listed_for_dvc(parameters, tmp_path).keys() == {str(tmp_path / path)}
    assert listed_for_dvc(with_experiment({"data": {"source": "shelf"}}), tmp_path) == {}


@pytest.mark.parametrize("base", [{}, own_videos("takes/a"), own_videos("takes/b")])
@pytest.mark.parametrize("sequence", ["a", "b"])
@pytest.mark.parametrize("part", ["set", "test_on"])
def test_a_scene_is_made_of_the_files_that_its_experiment_names(
    base: dict[str, Any], sequence: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"data.source": "videos", "videos.test": {sequence: "takes/mine"}}

    (scene,) = make_plan(with_experiment(base, **{part: own})).scenes.values()

    assert wiring.prepare_inputs(scene)["files"] == ["takes/mine"]


def test_a_training_sequence_may_be_named_like_a_test_sequence_of_the_base() -> None:
    own = {"videos.train": {"a": "takes/learnt"}, "videos.test": {"b": "takes/tested"}}

    plan = make_plan(with_experiment(own_videos("takes/a"), method="trust", set=own))

    files = {scene.sequence: files_of_scene(scene) for scene in plan.scenes.values()}
    assert files == {"a": ("takes/learnt",), "b": ("takes/tested",)}


def test_2d_people_and_truth_that_an_experiment_names_are_its_files() -> None:
    own = {
        "data.source": "keypoints_with_truth",
        "keypoints.calibration": "given/cameras.json",
        "keypoints.truth": "given/{sequence}.mat",
        "keypoints.test": ["take"],
        "estimator.name": "file",
        "estimator.files": "given/{sequence}/pose",
    }
    base = {"keypoints": {"calibration": "base.json"}, "estimator": {"files": "base/pose"}}

    plan = make_plan(with_experiment(base, test_on=own))

    (scene,), (detections,) = plan.scenes.values(), plan.detections.values()
    expected = ["given/cameras.json", "given/take/pose", "given/take.mat"]
    assert files_of_scene(scene) == expected
    assert files_of_detections(detections) == ["given/take/pose"]


def test_the_truth_that_an_estimator_reads_is_an_input_whether_it_is_made_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a second run would find other inputs, and estimate anew."""
    monkeypatch.chdir(tmp_path)
    files = "data/truth/{dataset}/{sequence}.parquet"
    exact = {"estimator.name": "ground_truth", "estimator.files": files}
    plan = make_plan(with_experiment({}, set=exact))
    detections = next(iter(plan.detections.values()))
    truth = Path(f"data/truth/{detections.scene.id}/{detections.scene.sequence}.parquet")

    before = wiring.detect_inputs(detections)
    truth.parent.mkdir(parents=True)
    truth.touch()

    assert wiring.detect_inputs(detections) == before
    assert before["files"] == [str(truth)]


def settled(folder: Path) -> tuple[str, ...]:
    """Own files, and in the current directory, empty, all that the target ``data`` and the
    experiment on 3D people make of them; the arguments of a run that has nothing to do."""
    folder.mkdir()
    own = {name: str(folder / name) for name in (*REPLACED, "cameras.json", "pose.json")}
    for path in own.values():
        Path(path).write_text("as it was")
    overlay = folder / "mine.yaml"
    overlay.write_text(yaml.safe_dump(settings_of(own)))
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml", overlay]
    plan = wiring.by_default(load_parameters(files))[1]
    predicted = wiring.experiment_files(plan.by_name["elsewhere"], "predictions.parquet")
    for made in (*made_of(plan), *map(Path, predicted)):
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    return ("data", *predicted, "--configfile", str(overlay))


def settings_of(own: dict[str, str]) -> dict[str, Any]:
    """2D people with their truth, 3D people made elsewhere, and a test in the studio with a rig."""
    moved = {
        "data.source": "studio",
        "studio.rig": own["rig.yaml"],
        "studio.test_sequences": 1,
        "estimator.name": "blazepose",
    }
    people = {"inference.people": own["people.json"]}
    experiments = {
        "elsewhere": {"title": "Made elsewhere", "method": "file", "set": people},
        "moved": {"title": "Moved", "method": "training_free", "test_on": moved},
    }
    given = {"calibration": own["cameras.json"], "truth": own["truth.json"], "test": ["take"]}
    return {
        "data": {"source": "keypoints_with_truth"},
        "keypoints": given,
        "estimator": {"name": "file", "files": own["pose.json"]},
        "footage": {"name": "none"},
        "run": {"tables": [], "experiments": list(experiments)},
        "experiments": experiments,
    }


def made_of(plan: Plan) -> Iterator[Path]:
    """What scenes are made of and what they are, in that order; of a folder its time stamp."""
    yield Path(f"data/studio/bodies-{code_versions()['render_studio']}.npz")
    for scene in plan.scenes.values():
        wiring.prepare_inputs(scene)
        folders = [*wiring.rendered_sequence(scene), wiring.scene_folder(scene)]
        yield from (Path(folder) / ".snakemake_timestamp" for folder in folders)
        yield from map(Path, wiring.truth_files([scene]))


REPLACED = {
    "truth.json": {"prepare_keypoints_with_truth": 1, "predict": 1, "data": 1, "total": 3},
    "people.json": {"predict": 1, "total": 1},
    "rig.yaml": {"studio_render": 1, "prepare_studio": 1, "data": 1, "total": 3},
}
"""What a run makes anew once one of the files is another."""


@pytest.mark.parametrize("name", REPLACED)
def test_a_replaced_truth_rig_or_file_of_3d_people_makes_anew_what_is_made_of_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    arguments = settled(tmp_path / "own")

    (tmp_path / "own" / name).write_text("another")

    assert planned(work, *arguments) == REPLACED[name]


@pytest.mark.usefixtures("restored")
def test_dvc_sees_a_replaced_file_in_the_list(take: Path, tmp_path: Path) -> None:
    parameters = with_experiment(own_videos(str(take)))
    before = listed_for_dvc(parameters, tmp_path)

    replace_calibration(take)
    after = listed_for_dvc(parameters, tmp_path)

    assert [Path(path).name for path in before] == ["cam0.mp4", "cam1.mp4", "cameras.json"]
    changed = [Path(path).name for path in before if before[path] != after[path]]
    assert changed == ["cameras.json"]


OTHER_FILES: dict[str, dict[str, Any]] = {
    "own.yaml": {"test_on": {"studio.rig": "{folder}/own.yaml"}},
    "pose.json": {"set": {"estimator.name": "file", "estimator.files": "{folder}/pose.json"}},
    "people.json": {"method": "file", "set": {"inference.people": "{folder}/people.json"}},
    "net.onnx": {"set": {"estimator.name": "rtmlib", "estimator.rtmlib.source": "{folder}"}},
    "other.onnx": {"set": {"estimator.name": "rtmlib", "estimator.rtmlib.source": "{address}"}},
}
"""Files that an experiment may name besides those of its source, and how."""


@pytest.mark.parametrize("name", OTHER_FILES)
def test_dvc_sees_every_file_that_an_experiment_names(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / name).write_text("mine")
    text = json.dumps(OTHER_FILES[name])
    text = text.replace("{folder}", str(folder)).replace("{address}", folder.as_uri())

    listed = listed_for_dvc(with_experiment({}, **json.loads(text)), tmp_path)

    assert listed.keys() == {str(folder / name)}


def test_dvc_is_told_of_no_file_that_comes_with_the_code_or_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC watches these itself; their times of change differ from clone to clone."""
    files = "data/truth/{dataset}/{sequence}.parquet"
    parameters = with_experiment(
        {}, set={"estimator.name": "ground_truth", "estimator.files": files}
    )
    monkeypatch.chdir(tmp_path)
    made = [
        f"data/truth/{s.id}/{s.sequence}.parquet" for s in make_plan(parameters).scenes.values()
    ]
    for path in (parameters.studio.rig, *made):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()

    assert listed_for_dvc(parameters, tmp_path) == {}


def write_walk(folder: Path) -> None:
    """Walking people before four cameras, of which the second was turned by 2 degrees."""
    recording = record(41, [Planted("pose", 1, 1)], cameras=4, seconds=2.0)
    write_cameras(folder / "cameras.json", recording.cameras)
    views = {}
    for image, seen in recording.views.items():
        joints = converted(seen.points, seen.scores, seen.skeleton, COCO_17, partly=True)
        views[image] = People2D(*joints, seen.person_scores, COCO_17)
    write_coco_results(folder / "people.json", views)


def test_own_2d_people_end_with_figures_and_warnings(tmp_path: Path) -> None:
    write_walk(tmp_path / "walk")
    overlay, work = tmp_path / "mine.yaml", tmp_path / "work"
    given = {
        "data": {"source": "keypoints"},
        "keypoints": {"calibration": str(tmp_path / "{sequence}"), "test": ["walk"]},
        "estimator": {"name": "file", "files": str(tmp_path / "{sequence}" / "people.json")},
        "footage": {"name": "none"},
    }
    overlay.write_text(yaml.safe_dump(given))

    status, output = run_snakemake("--configfile", str(overlay), workdir=work)

    assert status == 0, output
    told = "check-rig: walk: Camera cam02 does not stand as its calibration says"
    assert "check-rig: walk: Warning: 1 fault was found. As calibrated" in output
    assert output.index(told) < output.index("Reconstruct 3D people from labels")
    (log,) = (work / "results/logs/check_rig").glob("*/walk.log")
    assert told.removeprefix("check-rig: walk: ") in log.read_text()
    metrics = json.loads((work / "results/metrics.json").read_text())["training_free"]
    assert set(metrics) == {*AGREEMENT, "cameras"} and metrics["explained"] > 60
    assert set(metrics["cameras"]) == {"cam01", "cam02", "cam03", "cam04"}
    worst = max(metrics["cameras"], key=lambda name: metrics["cameras"][name]["reprojection_mm"])
    assert worst == "cam02"
    report = (work / "results/report.html").read_text()
    assert "Agreement with the 2D people" in report
    assert told.removeprefix("check-rig: walk: ") in report
    (recorded,) = (work / "results/experiments").glob("*/mlflow.json")
    assert json.loads(recorded.read_text())["run_id"]
