"""3D people without truth: figures of their agreement with the 2D people, and what of it is bad."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.evaluation.findings import FAR_MM
from selfpose3d.evaluation.reprojection import agreement, reprojection_report
from selfpose3d.files.poses2d import write_poses2d
from selfpose3d.files.poses3d import People3D, write_poses3d
from selfpose3d.files.results import AGREEMENT, read_metrics
from selfpose3d.geometry.cameras import project
from selfpose3d.geometry.people import STATURE_MM
from selfpose3d.pipeline import gather_metrics
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring


@pytest.fixture
def takes(tmp_path: Path) -> list[Synthetic]:
    """Two sequences of a rig, whose 2D people are exact: four frames, then two, of two people."""
    exact = {"noise": 0.0, "missing": 0.0}
    return [
        make_scene(tmp_path / name, name, seed, ring(4), frames=frames, **exact)
        for seed, (name, frames) in enumerate({"walk": 4, "dance": 2}.items())
    ]


def people_of(takes: list[Synthetic]) -> dict[tuple[str, int], People3D]:
    return {key: people for take in takes for key, people in take.truth.items()}


def measured(takes: list[Synthetic], people: dict[tuple[str, int], People3D]) -> dict:
    return agreement([(take.scene, take.views) for take in takes], people)


def move_labels(takes: list[Synthetic], camera: str, px: float) -> None:
    for take in takes:
        for (_, name), seen in take.views.items():
            if name == camera:
                seen.points[..., 0] += px


def test_exact_people_agree_in_every_camera(takes: list[Synthetic]) -> None:
    metrics = measured(takes, people_of(takes))
    assert metrics["reprojection_px"] < 1e-6 and metrics["reprojection_mm"] < 1e-4
    assert metrics["explained"] == 100 and metrics["people_per_frame"] == 2
    counts = {"sequences": 2, "frames": 6, "people": 12}
    assert {key: metrics[key] for key in counts} == counts
    assert set(metrics["cameras"]) == {"cam0", "cam1", "cam2", "cam3"}
    assert sum(row["people_2d"] for row in metrics["cameras"].values()) == metrics["people_2d"]
    assert {name: row["frames"] for name, row in metrics["per_sequence"].items()} == {
        "walk": 4,
        "dance": 2,
    }
    assert metrics["warnings"] == []


def test_a_camera_s_error_is_in_px_and_in_mm_at_the_people(takes: list[Synthetic]) -> None:
    move_labels(takes, "cam1", 4.0)
    metrics = measured(takes, people_of(takes))
    camera, row = takes[0].scene.cameras[1], metrics["cameras"]["cam1"]
    depth = np.concatenate([project(camera, p.joints)[1] for p in people_of(takes).values()])
    assert row["reprojection_px"] == pytest.approx(4)
    assert row["reprojection_mm"] == pytest.approx(4 * np.median(depth) / camera.K[0, 0], rel=0.1)
    assert row["reprojection_mm"] > FAR_MM
    (said,) = metrics["warnings"]
    assert said.startswith("Camera cam1: joints of the 2D people lie ")
    assert (
        f"(4.0 px) beside the projections of the 3D people (median; more than {FAR_MM:.0f}" in said
    )


def test_few_explained_people_are_told_with_what_to_look_at(takes: list[Synthetic]) -> None:
    move_labels(takes, "cam2", 80.0)
    metrics = measured(takes, people_of(takes))
    assert metrics["cameras"]["cam2"]["explained"] < 20 < 60 < metrics["explained"]
    assert [said[:11] for said in metrics["warnings"]] == ["Camera cam2"]
    for camera in ("cam0", "cam1"):
        move_labels(takes, camera, -80.0)
    metrics = measured(takes, people_of(takes))
    assert metrics["warnings"][0].startswith("All cameras: only ")
    assert "direction of R and t" in metrics["warnings"][0]
    assert [said[:11] for said in metrics["warnings"][1:]] == [f"Camera cam{n}" for n in range(3)]


def test_people_who_are_there_twice_are_told(takes: list[Synthetic]) -> None:
    doubled = {
        key: People3D.predicted(np.concatenate([p.joints] * 2), np.ones(2 * len(p)), p.skeleton)
        for key, p in people_of(takes).items()
    }
    metrics = measured(takes, doubled)
    assert metrics["people_per_frame"] == 4 and metrics["explained"] == 100
    (said,) = metrics["warnings"]
    assert said.startswith("There are 4.0 people per frame in 3D, and no camera shows more than 2")


def test_nobody_and_a_camera_without_people_have_no_figures(takes: list[Synthetic]) -> None:
    nobody = {key: People3D.nobody(PANOPTIC_15) for key in people_of(takes)}
    metrics = measured(takes, nobody)
    assert metrics["reprojection_mm"] is None and metrics["explained"] == 0
    assert metrics["warnings"][0].startswith("All cameras: only 0% of the 2D people are explained")
    for take in takes:
        for image in [image for image in take.views if image[1] == "cam3"]:
            take.views[image] = type(take.views[image]).nobody(PANOPTIC_15)
    metrics = measured(takes, people_of(takes))
    assert metrics["cameras"]["cam3"]["explained"] is None
    assert metrics["warnings"] == ["Camera cam3: there are no 2D people."]


def test_figures_are_those_of_the_reprojection_report(takes: list[Synthetic]) -> None:
    move_labels(takes, "cam1", 3.0)
    take = takes[0]
    report = reprojection_report(take.scene, take.views, take.truth)
    metrics = measured(takes[:1], take.truth)
    row = report["cameras"]["cam1"]
    assert metrics["cameras"]["cam1"] == {
        "reprojection_mm": row["median_mm"],
        "reprojection_px": row["median_px"],
        "explained": 100 * row["explained"],
        "people_2d": row["labels"],
    }
    assert row["median_mm"] == pytest.approx(row["median_height"] * STATURE_MM / 100)
    assert metrics["warnings"] == report["warnings"]


def test_the_command_writes_metrics_that_are_gathered(
    takes: list[Synthetic], tmp_path: Path
) -> None:
    move_labels(takes, "cam1", 4.0)
    for take in takes:
        write_poses2d(tmp_path / "labels" / f"{take.scene.name}.parquet", take.views)
    write_poses3d(tmp_path / "people.parquet", people_of(takes))
    for seed in range(2):
        given = ["--predictions", tmp_path / "people.parquet", "--labels", tmp_path / "labels"]
        given += [part for take in takes for part in ("--scene", take.scene.folder)]
        out = tmp_path / f"run{seed}" / "metrics.json"
        done = CliRunner().invoke(app, ["agreement", *map(str, given), "--out", str(out)])
        assert done.exit_code == 0, done.output
    assert "explained 100.0  people_per_frame 2.0" in done.output
    assert "Warning: Camera cam1: joints" in done.output
    gather_metrics({"free": [tmp_path / "run0", tmp_path / "run1"]}, tmp_path / "all.json")
    gathered = json.loads((tmp_path / "all.json").read_text())["free"]
    metrics = read_metrics(tmp_path / "run0")
    assert gathered == {key: metrics[key] for key in (*AGREEMENT, "cameras")}
