"""table_2 and table_mvor, on 2D people, a calibration and a truth file alone."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import belagiannis_layout
import mvor_layout
from conftest import REPOSITORY, run_snakemake
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_json
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.scenes import write_cameras
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.parameters import load_parameters, merge, parse_parameters
from selfpose3d.plan.planning import make_plan
from selfpose3d.plan.study import described
from selfpose3d.reporting.tables import read_table
from selfpose3d.skeletons import COCO_17
from selfpose3d.synthetic.scenes import BODY, random_people

sys.path.insert(0, str(REPOSITORY / "workflow"))

import wiring

STUDY = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml"]


def bodies(*seeds: list[int]) -> np.ndarray:
    """(P, 17, 3) mm in COCO's joints; eyes and ears near the nose."""
    made = [random_people(np.random.default_rng(seed), 1)[0] for seed in seeds]
    nose = BODY.index("nose")
    order = [BODY.index(j) if BODY.has(j) else nose for j in COCO_17.joints]
    return np.stack([body[order] for body in made])


def seen_by(camera: Camera, people: np.ndarray) -> People2D:
    pixels, _ = project(camera, people)
    there = in_image(camera, pixels)
    scores = np.where(there, 0.9, 0.0)
    return People2D(np.nan_to_num(pixels), scores, np.ones(len(people)), COCO_17)


def write_shelf(folder: Path) -> None:
    """Everybody of four frames: three actors as far as they are there, and a stranger."""
    folder.mkdir()
    frames = range(4, 8)
    cameras = belagiannis_layout.cameras("shelf")
    present = {f: [a for a in range(3) if belagiannis_layout.is_present(a, f)] for f in frames}
    people = {f: bodies(*[[a, f] for a in present[f]], [9, f]) for f in frames}
    write_cameras(folder / "cameras.json", cameras)
    views = {(f, c.name): seen_by(c, people[f]) for f in frames for c in cameras}
    write_coco_results(folder / "people.json", views)
    belagiannis_layout.write_truth(folder / "actorsGT.mat")
    elsewhere = [
        {"frame": f, "people": [{"joints": p.tolist()} for p in people[f]]} for f in frames
    ]
    write_json(folder / "elsewhere.json", {"joints": COCO_17.joints, "frames": elsewhere})


def write_mvor(folder: Path) -> None:
    """The 2D people of the annotated instants, one of them in a single camera's view."""
    folder.mkdir()
    path = folder / mvor_layout.ANNOTATIONS
    mvor_layout.write_annotations(path)
    rows: list[dict[str, Any]] = []
    for day, count in mvor_layout.INSTANTS.items():
        for number in range(count):
            people = bodies([day, number, 0], [day, number, 1])
            for n, camera in enumerate(mvor_layout.cameras(), 1):
                found = seen_by(camera, people[: 1 if n > 1 and (day, number) == (1, 1) else 2])
                image = mvor_layout.image_id(day, n, number)
                for points, scores in zip(found.points, found.scores, strict=True):
                    flat = np.column_stack([points, scores]).ravel().tolist()
                    rows.append({"image_id": image, "coco_keypoints": flat, "score": 1.0})
    write_json(folder / "kps.json", rows)


def overlay(path: Path, experiment: str, sequence: str, files: dict[str, str], **more: Any) -> Path:
    own = {
        "data.source": "keypoints_with_truth",
        "keypoints.calibration": files["calibration"],
        "keypoints.truth": files["truth"],
        "keypoints.test": [sequence],
        "estimator.name": "file",
        "estimator.files": files["people"],
        "space.centre": [0, 0, 900],
        "space.size": [8000, 8000, 2000],
    }
    given = {"footage": {"name": "none"}, "experiments": {experiment: {"set": own}}}
    path.write_text(yaml.safe_dump(merge(given, more)))
    return path


def test_table_2_of_given_2d_people(tmp_path: Path) -> None:
    write_shelf(tmp_path / "given")
    named = {"calibration": "cameras.json", "truth": "actorsGT.mat", "people": "people.json"}
    config = overlay(
        tmp_path / "part.yaml",
        "shelf",
        "part",
        {name: str(tmp_path / "given" / file) for name, file in named.items()},
        experiments={
            "elsewhere": {
                "title": "Made elsewhere",
                "method": "file",
                "like": "shelf_training_free",
                "set": {"inference.people": str(tmp_path / "given" / "elsewhere.json")},
            }
        },
        tables={"table_2": {"rows": ["shelf_training_free", "elsewhere"]}},
    )

    status, output = run_snakemake("table_2", "--configfile", str(config), workdir=tmp_path / "w")

    assert status == 0, output
    table = read_table(tmp_path / "w/results/tables/table_2.csv").set_index("method")
    whole = table[table["data"] == "part"]
    ours, theirs = whole.loc["Training-free"], whole.loc["Made elsewhere"]
    assert theirs["PCP.mean"] > 89 and ours["PCP.mean"] > 85
    assert theirs["people_per_frame"] == pytest.approx((2 + 3 + 4 + 4) / 4)
    assert ours["frames"] == 4 and ours["people"] == 9
    by_views = table[table["data"].str.contains("seen in")]
    assert {"Training-free", "Made elsewhere"} <= set(by_views.index)
    published = table[table["data"] == "Shelf (published)"]
    assert published.loc["SelfPose3d [2D pseudo labels]", "PCP.mean"] == 95.1
    text = (tmp_path / "w/results/tables/table_2.md").read_text()
    assert "| PCP actor 1 |" in text and "| PCP mean, aligned |" in text
    assert list((tmp_path / "w/results/rig").glob("rig-*/part/rig.json"))
    assert "Published rows are of the data sets that they name" in text


def test_table_mvor_of_given_2d_people(tmp_path: Path) -> None:
    write_mvor(tmp_path / "given")
    annotations = str(tmp_path / "given" / mvor_layout.ANNOTATIONS)
    people = str(tmp_path / "given" / "kps.json")
    files = {"calibration": annotations, "truth": annotations, "people": people}
    config = overlay(tmp_path / "part.yaml", "mvor", "days", files)

    status, output = run_snakemake(
        "table_mvor", "--configfile", str(config), workdir=tmp_path / "w"
    )

    assert status == 0, output
    table = read_table(tmp_path / "w/results/tables/table_mvor.csv")
    ours, theirs = table.iloc[0], table.iloc[-1]
    assert ours["MVOR.Recall@500"] == pytest.approx(500 / 6)
    assert ours["per_views.3.MVOR.MPJPE"] < 1 and ours["per_views.1.MVOR.Recall@500"] == 0
    assert np.isnan(ours["per_views.2.MVOR.MPJPE"]) and ours["people"] == 6
    assert theirs["per_views.1.MVOR.MPJPE"] == 269
    (metrics,) = (tmp_path / "w/results/experiments").glob("mvor_training_free-*/metrics.json")
    by_views = json.loads(metrics.read_text())["per_views"]
    assert by_views["1"]["people"] == 1 and by_views["3"]["people"] == 5
    assert "MVOR MPJPE, 3 views [mm]" in (tmp_path / "w/results/tables/table_mvor.md").read_text()


def test_the_tables_stand_at_the_published_sizes_and_splits() -> None:
    """Each data set's rows have the settings of its overlay."""
    study = load_parameters(STUDY)
    plan = make_plan(study)
    for name in ("shelf", "campus", "mvor"):
        alone = load_parameters([*STUDY, REPOSITORY / "config" / f"{name}.yaml"])
        (run,) = plan.by_name[f"{name}_training_free"]
        for section in ("data", "space"):
            assert run.resolved[section] == alone.model_dump(mode="json")[section], (name, section)
        if name != "mvor":
            (trained, *_) = plan.by_name[f"{name}_estimator"]
            assert trained.resolved["networks"]["root_grid"] == [80, 80, 20]
            assert {s.sequence for s in trained.stages[0].labels.scenes} == {f"{name}_train"}
    rows = {row[0].name for row in plan.tables["table_2"]}
    assert rows >= {f"{d}_{m}" for d in ("shelf", "campus") for m in ("training_free", "ours")}


def test_ablations_leave_out_tables_that_bring_data() -> None:
    study = load_parameters(STUDY)
    plan = make_plan(study)
    assert wiring.brings_data(study, plan, "table_2")
    assert wiring.brings_data(study, plan, "table_mvor")
    assert not wiring.brings_data(study, plan, "table_4")


def test_a_truth_that_no_source_reads_is_refused() -> None:
    given = {"data": {"source": "keypoints"}, "keypoints": {"truth": "t.json"}}
    with pytest.raises(InputError, match=r"set data\.source: keypoints_with_truth"):
        parse_parameters(given, "test")


def test_people_from_files_must_be_named() -> None:
    study = load_parameters(STUDY).model_dump(mode="json")
    added = {"experiments": {"elsewhere": {"title": "x", "method": "file"}}}
    with pytest.raises(InputError, match=r"inference\.people"):
        make_plan(parse_parameters(merge(study, added), "test"))


def test_an_experiment_may_be_like_several() -> None:
    added = {
        "experiments": {
            "a": {"title": "a", "method": "trust", "set": {"seed": 1, "labels.noise": 1}},
            "b": {"title": "b", "set": {"labels.noise": 2}},
            "c": {"title": "c", "like": ["a", "b"]},
            "d": {"title": "d", "like": ["c", "d"]},
        }
    }
    parameters = parse_parameters(added, "test")
    merged = described(parameters, "c")
    assert merged.method == "trust" and merged.set == {"seed": 1, "labels.noise": 2}
    with pytest.raises(InputError, match="is like itself"):
        described(parameters, "d")
