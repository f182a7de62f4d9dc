"""The graph of jobs: what runs for which parameters, and that the truth goes to measuring alone."""

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from snakemake.exceptions import WorkflowError

from conftest import REPOSITORY, counted, planned, run_snakemake
from selfpose3d.detection import ESTIMATORS
from selfpose3d.files.results import parse_description
from selfpose3d.methods import STAGES
from selfpose3d.parameters import Parameters, load_parameters, parse_parameters
from selfpose3d.plan.nodes import DetectionsNode, Plan
from selfpose3d.plan.planning import make_plan

sys.path.insert(0, str(REPOSITORY / "workflow"))

import jobs
import wiring

FOOTAGE = ("prepare_pose2sim_demo", "reprojection", "check_rig")
MEASURING = ("evaluate", "label_quality", "table", "record", "record_table")
WITH_TRUTH = ("label_quality", "table", "record_table")


def read_parameters(*overlays: dict[str, object]) -> Parameters:
    given = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    for overlay in overlays:
        for section, values in overlay.items():
            given[section].update(values)
    return parse_parameters(given, "test")


@pytest.fixture(scope="module")
def demo() -> tuple[Parameters, Plan]:
    parameters = read_parameters()
    return parameters, make_plan(parameters)


def assert_a_job_for_each_node(counts: Counter[str], parameters: Parameters, plan: Plan) -> None:
    trained = Counter(f"train_{stage.stage}" for stage in plan.stages.values())
    assert trained.items() <= counts.items()
    assert counts["predict"] == len(plan.experiments)
    assert counts["label"] + counts["agree"] == len(plan.labels)
    assert counts["agree"] == sum(each.people is not None for each in plan.labels.values())
    assert counts["reconstruct"] == len(plan.reconstructions)
    assert counts["detect"] == len(plan.detections)
    assert counts["check_rig"] == len(plan.rig_checks)
    given = [scene for scene in plan.scenes.values() if not scene.refined_from]
    assert Counter(f"prepare_{scene.source}" for scene in given).items() <= counts.items()
    assert counts["refine_cameras"] == len(plan.scenes) - len(given)


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a dry run of the demo on two cores prints."""
    arguments = ("--dry-run", "--printshellcmds")
    status, output = run_snakemake(*arguments, workdir=tmp_path_factory.mktemp("demo"))
    assert status == 0, output
    return output


def test_the_demo_has_a_job_for_each_node(demo: tuple[Parameters, Plan], dry_run: str) -> None:
    counts = counted(dry_run)

    assert_a_job_for_each_node(counts, *demo)
    assert all(counts[rule] for rule in (*FOOTAGE, *MEASURING))
    assert counts["table"] == len(demo[0].tables)
    assert counts["record"] == counts["evaluate"] == len(demo[1].experiments)


def test_a_table_of_the_study_is_made_by_its_name(tmp_path: Path) -> None:
    smoke = ("--configfile", str(REPOSITORY / "config" / "smoke.yaml"))

    counts = planned(tmp_path, "table_4", *smoke)

    trained = {name: count for name, count in counts.items() if name.startswith("train_")}
    assert trained == {"train_root": 3, "train_pose_l2": 9}
    assert counts["predict"] == counts["evaluate"] == counts["record"] == 9
    assert counts["studio_render"] == counts["prepare_studio"] == counts["detect"] == 3
    assert counts["label"] == 2  # of the training and of the test sequences
    assert counts["reconstruct"] == counts["table"] == counts["table_4"] == 1
    assert not counts["report"] and not counts["prepare_pose2sim_demo"]


def test_all_tables_of_the_study_are_made_together(tmp_path: Path) -> None:
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml"]
    parameters = load_parameters(files)
    plan = make_plan(parameters)

    counts = planned(tmp_path, "ablations")

    names = [f"table_{n}" for n in (1, *range(3, 17))] + ["beyond"]
    assert {*names, "table_2", "table_mvor"} == set(wiring.study_tables(parameters))
    assert counts["table"] == len(names) and counts["ablations"] == 1
    runs = {run.id: run for name in names for run in wiring.table_experiments(plan, name)}
    assert counts["predict"] == counts["record"] == len(runs)
    stages = {stage.id: stage.stage for run in runs.values() for stage in run.stages}
    expected = Counter(f"train_{stage}" for stage in stages.values())
    assert {name: count for name, count in counts.items() if name[:6] == "train_"} == expected


def test_a_table_whose_rows_are_one_run_is_refused_and_left_out_of_all(tmp_path: Path) -> None:
    paper = REPOSITORY / "config" / "paper.yaml"
    status, output = run_snakemake(
        "table_9", "--dry-run", "--configfile", str(paper), workdir=tmp_path
    )
    assert status != 0 and "ring_to_hall and hall" in output
    study = REPOSITORY / "config" / "study.yaml"
    parameters = load_parameters([REPOSITORY / "params.yaml", study, paper])
    plan = make_plan(parameters)
    alike = {name for name in parameters.tables if wiring.alike_rows(plan, name)}
    assert alike == {"table_9", "table_10"}  # a rig of the studio is not one of Panoptic
    files = wiring.ablation_files(parameters, plan)
    assert "results/tables/table_4.csv" in files and "results/tables/table_9.csv" not in files


def test_the_study_renders_each_rig_it_names() -> None:
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml"]
    plan = make_plan(load_parameters(files))
    rigs = {host.parameters["studio"]["rig"] for host in plan.hosts.values()}
    assert rigs == {f"config/rigs/{name}.yaml" for name in ("ring5", "ring7", "hall5")}
    assert all((REPOSITORY / rig).is_file() for rig in rigs)


def test_an_experiment_tells_of_the_data_it_learns_from_and_is_tested_on() -> None:
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml"]
    plan = make_plan(load_parameters(files))

    text = wiring.describe_experiment(plan.by_name["ring_to_hall"][0])
    told = parse_description(text, "the plan")

    assert told.test_on == {"studio.rig": "config/rigs/hall5.yaml"}
    assert told.settings["train.bodies.enabled"] is False
    assert told.parameters["studio"]["rig"] == "config/rigs/ring5.yaml"
    (learnt,) = told.trained_on
    assert (learnt.title, told.tested_on.title) == ("studio ring5", "studio hall5")
    assert str(learnt.scenes[0]) in wiring.source_scenes(plan)
    assert learnt.scenes[0].name == "studio_train_00"
    assert told.tested_on.scenes[0].name == "studio_test_00"


def test_measures_are_asked_for_unless_results_came_without(
    demo: tuple[Parameters, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = next(each for each in demo[1].experiments.values() if each.stages)
    measures = wiring.known_benchmarks(run)
    assert f"results/benchmarks/predict/{run.id}.tsv" in measures
    assert len(measures) == len(run.stages) + 1
    pulled = Path(wiring.checkpoints([run.stages[0].id])[0])
    pulled.parent.mkdir(parents=True)
    pulled.touch()
    assert len(wiring.known_benchmarks(run)) == len(run.stages)


@pytest.mark.parametrize("overlay", ["smoke", "cpu", "paper"])
def test_every_overlay_makes_a_graph(overlay: str, tmp_path: Path) -> None:
    counts = planned(tmp_path, "--configfile", str(REPOSITORY / "config" / f"{overlay}.yaml"))

    assert counts["report"] == 1
    assert counts["evaluate"] == counts["predict"] > 1


@pytest.mark.parametrize(
    ("source", "methods", "learns"), [("shelf", 8, True), ("campus", 8, True), ("mvor", 1, False)]
)
def test_a_benchmark_is_planned_with_its_sequences(
    source: str, methods: int, learns: bool, tmp_path: Path
) -> None:
    overlay = str(REPOSITORY / "config" / f"{source}.yaml")

    counts = planned(tmp_path / "run", "--configfile", overlay)
    fetched = planned(tmp_path / "downloads", "downloads", "--configfile", overlay)

    assert counts[f"prepare_{source}"] == fetched[f"prepare_{source}"] == 1 + learns
    assert counts["predict"] == counts["evaluate"] == methods
    assert bool(counts["train_root"]) is learns
    assert counts["label_quality"] and counts["report"] == 1


def test_days_of_mvor_are_learnt_from_where_they_are_named(tmp_path: Path) -> None:
    days = 'mvor={"train": {"mvor_train": [1, 2, 3]}, "test": {"mvor_test": [4]}}'
    overlay = str(REPOSITORY / "config" / "mvor.yaml")

    counts = planned(
        tmp_path, "--configfile", overlay, "--config", days, 'run={"tables": ["methods"]}'
    )

    assert counts["prepare_mvor"] == 2
    assert counts["train_trust"] == 1 and counts["predict"] == 5


def test_a_sequence_of_the_defaults_is_left_out(tmp_path: Path) -> None:
    other = 'shelf={"train": {"shelf_train": [], "half": [[0, 99]]}}'

    status, output = run_snakemake(
        *("--dry-run", "--config", 'data={"source": "shelf"}', other), workdir=tmp_path
    )

    assert status == 0, output
    assert set(re.findall(r"Make (\w+) a scene", output)) == {"half", "shelf_test", "pose2sim_demo"}


def test_refitted_cameras_add_a_second_pass_over_the_footage(tmp_path: Path) -> None:
    refined = read_parameters({"footage": {"centre_refinement": True}})

    counts = planned(tmp_path, "--config", 'footage={"centre_refinement": true}')

    assert_a_job_for_each_node(counts, refined, make_plan(refined))
    assert counts["refine_cameras"] == 1
    assert counts["reprojection"] == 1


def test_without_footage_nothing_is_fetched_for_it(tmp_path: Path) -> None:
    counts = planned(tmp_path, "--config", 'footage={"name": "none"}')

    assert not any(counts[rule] for rule in FOOTAGE)
    assert counts["report"] == 1


def test_what_comes_from_the_network_is_a_target_of_its_own(tmp_path: Path) -> None:
    counts = planned(tmp_path, "downloads")

    assert counts == {"downloads": 1, "fetch_weights": 2, "prepare_pose2sim_demo": 1, "total": 4}


def test_on_panoptic_the_downloads_are_its_sequences(tmp_path: Path) -> None:
    paper = REPOSITORY / "config" / "paper.yaml"
    sequences = len(load_parameters([REPOSITORY / "params.yaml"]).panoptic.train) + 4

    counts = planned(tmp_path, "downloads", "--configfile", str(paper))

    assert counts["prepare_panoptic"] == sequences and counts["fetch_weights"] == 1
    assert counts["total"] == sequences + 2


def test_with_downloads_done_no_other_job_needs_the_network(demo: tuple[Parameters, Plan]) -> None:
    plan = demo[1]
    fetched = set(wiring.downloads(plan))
    weights = [wiring.detect_inputs(each)["weights"] for each in plan.detections.values()]
    weights += [wiring.stage_inputs(each).get("weights", []) for each in plan.stages.values()]
    assert {path for given in weights for path in _listed(given)} <= fetched
    fetching = [each for each in plan.scenes.values() if each.source == "pose2sim_demo"]
    assert fetching and set(wiring.scene_folders(fetching)) <= fetched


def test_refitted_cameras_are_not_downloaded() -> None:
    refined = read_parameters({"footage": {"centre_refinement": True}})
    assert not [path for path in wiring.downloads(make_plan(refined)) if "refined" in path]


def test_detection_has_all_cores(dry_run: str, tmp_path: Path) -> None:
    status, output = run_snakemake(
        *("--dry-run", "--printshellcmds", "--cores", "60"), workdir=tmp_path
    )
    assert status == 0, output
    for printed, processes in ((dry_run, "1"), (output, "3")):
        assert set(re.findall(r"detect .* --workers (\d+) ", printed)) == {processes}


def test_a_dry_run_tells_in_a_line_what_a_run_takes(dry_run: str) -> None:
    """And a run does not: ``test_conda.py`` has one."""
    (line,) = [line for line in dry_run.splitlines() if "GB of disk" in line]
    assert re.search(r"about 1\.\d GB of disk; 15 training stages of together \S+ hours", line)


def overlay_of_videos(folder: Path) -> str:
    """An overlay with a training and a test sequence of own videos, in ``folder``."""
    videos = {name: {f"my_{name}": str(folder / name)} for name in ("train", "test")}
    for name in videos:
        (folder / name).mkdir()
    overlay = folder / "videos.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"source": "videos"}, "videos": videos}))
    return str(overlay)


WITHOUT_TRUTH = {
    "table_1": r"voxelpose: experiments\.voxelpose learns from 3D truth.*videos comes without",
    "table_4": r"data\.source: videos: these data have no ground truth.*choose a",
}


@pytest.mark.parametrize("table", WITHOUT_TRUTH)
def test_a_table_of_own_videos_is_refused_for_want_of_truth(tmp_path: Path, table: str) -> None:
    overlay = overlay_of_videos(tmp_path)

    status, output = run_snakemake(
        "--dry-run", "--configfile", overlay, "--", table, workdir=tmp_path / "run"
    )

    assert status != 0
    assert re.search(WITHOUT_TRUTH[table], output)


@pytest.mark.parametrize("table", ["ablations", "agreement"])
def test_of_own_videos_a_table_shows_the_agreement_with_2d_people_alone(
    tmp_path: Path, table: str
) -> None:
    asked = {"title": "Mine", "rows": ["training_free"], "columns": ["explained", "AP25"]}
    measured = {**asked, "columns": ["reprojection_mm", "cameras.left.explained"]}
    overlay = overlay_of_videos(tmp_path)
    for columns, works in ((asked, False), (measured, True)):
        given = (
            "--configfile",
            overlay,
            "--config",
            f"tables={json.dumps({'agreement': columns})}",
        )
        status, output = run_snakemake("--dry-run", *given, "--", table, workdir=tmp_path / "run")
        assert (status == 0) == works, output
        assert works or re.search(r"these data (have no ground truth|can show none)", output)


TESTED_ON_VIDEOS = {"data.source": "videos", "videos.test": {"b": "takes/b"}}
TESTED_ON_STUDIO = {"data.source": "studio"}


@pytest.mark.parametrize(
    ("base", "test_on", "has_truth"),
    [("studio", TESTED_ON_VIDEOS, False), ("videos", TESTED_ON_STUDIO, True)],
)
def test_a_report_shows_the_truth_that_its_experiment_is_tested_on(
    base: str, test_on: dict[str, object], has_truth: bool
) -> None:
    mine = {"title": "Mine", "method": "training_free", "test_on": test_on}
    parameters = read_parameters(
        {"data": {"source": base}, "videos": {"test": {"a": "takes/a"}}},
        {"run": {"tables": [], "experiments": ["mine"]}, "experiments": {"mine": mine}},
    )

    given = wiring.report_inputs(*wiring.by_default(parameters))

    assert bool(given["truth"]) is has_truth and given["scenes"]


def test_a_table_that_lacks_truth_names_the_data_of_its_rows() -> None:
    mine = {"title": "Mine", "method": "training_free", "test_on": TESTED_ON_VIDEOS}
    tables = {"mine": {"title": "Mine", "rows": ["training_free", "mine"]}}
    parameters = read_parameters({"experiments": {"mine": mine}, "tables": tables})
    with pytest.raises(WorkflowError, match=r"data\.source: videos: these .*'AP25'.*tables\.mine"):
        wiring.table_files(parameters, make_plan(parameters), "mine")


def test_own_videos_run_through_to_the_report_without_truth(tmp_path: Path) -> None:
    counts = planned(tmp_path, "--configfile", overlay_of_videos(tmp_path), "--config", NO_FOOTAGE)

    assert counts["prepare_videos"] == counts["predict"] == counts["check_rig"] == 1
    assert not any(name.startswith("train_") for name in counts)
    assert counts["report"] == counts["metrics"] == counts["evaluate"] == counts["record"] == 1
    assert not any(counts[rule] for rule in WITH_TRUTH)


NO_FOOTAGE = 'footage={"name": "none"}'


def test_rigs_without_truth_are_checked_by_the_sequence_before_labels() -> None:
    own = {
        "data": {"source": "videos"},
        "videos": {"train": {"a": "x", "b": "y"}, "test": {"c": "z"}},
    }
    chosen = {"run": {"experiments": ["images", "ours"]}, "footage": {"name": "pose2sim_demo"}}
    parameters = read_parameters({**own, **chosen})
    plan = wiring.by_default(parameters)[1]

    sequences = {check.detections.scene.sequence for check in plan.rig_checks.values()}
    assert sequences == {"a", "b", "c", "pose2sim_demo"}
    awaited = jobs.jobs_of(plan)
    for labels in plan.labels.values():
        checked = [job for job in awaited[f"label/{labels.id}"] if job.startswith("check_rig/")]
        assert len(checked) == len(labels.detections) == len(wiring.checked_files(plan, labels))
        assert all(path.flags["ancient"] for path in wiring.checked_files(plan, labels))
    others = [wiring.stage_inputs(each) for each in plan.stages.values()]
    others += [wiring.prediction_inputs(each) for each in plan.experiments.values()]
    assert "results/rig" not in str(others)


def test_of_own_data_a_check_knows_the_space_and_nothing_learns_of_it() -> None:
    own = {"data": {"source": "videos"}, "videos": {"train": {}, "test": {"c": "z"}}}
    given = {**own, "run": {"experiments": ["training_free"]}}
    (before, after) = (
        wiring.by_default(read_parameters({**given, **space}))[1]
        for space in ({}, {"space": {"centre": [1000.0, 0.0, 900.0]}})
    )
    changed = {check.detections.scene.source for check in before.rig_checks.values()} - {
        check.detections.scene.source
        for check in before.rig_checks.values()
        if check.id in after.rig_checks
    }
    assert changed == {"videos"}
    assert before.labels.keys() == after.labels.keys()
    assert before.experiments.keys() == after.experiments.keys()


def test_own_videos_are_learnt_from_where_that_is_chosen(tmp_path: Path) -> None:
    chosen = 'run={"experiments": ["images", "ours"]}'

    counts = planned(tmp_path, "--configfile", overlay_of_videos(tmp_path), "--config", chosen)

    assert counts["prepare_videos"] == counts["predict"] == counts["evaluate"] == 2
    assert counts["check_rig"] == 3  # the footage's as well
    assert not counts["train_supervised_root"]
    assert counts["train_backbone"] == counts["train_root"] == counts["train_trust"] == 1
    assert counts["report"] == counts["metrics"] == 1
    assert not any(counts[rule] for rule in WITH_TRUTH)


def test_voxelpose_on_own_videos_is_refused_with_a_word_on_what_to_choose(tmp_path: Path) -> None:
    chosen = 'run={"experiments": ["voxelpose"]}'

    status, output = run_snakemake(
        *("--dry-run", "--configfile", overlay_of_videos(tmp_path), "--config", chosen),
        workdir=tmp_path / "run",
    )

    assert status != 0
    assert re.search(r"experiments\.voxelpose learns from 3D truth.*run\.experiments", output)
    assert "Traceback" not in output


def test_a_table_that_is_named_like_a_rule_is_refused(tmp_path: Path) -> None:
    tables = 'tables={"labels": {"title": "Mine", "rows": ["training_free"]}}'

    status, output = run_snakemake("--dry-run", "--config", tables, workdir=tmp_path)

    assert status != 0
    assert re.search(r"tables: \['labels'\]: rules .*give the tables other names", output)


def test_a_table_may_have_capital_letters_and_digits_in_its_name(tmp_path: Path) -> None:
    tables = 'tables={"Mine_2": {"title": "Mine", "rows": ["training_free"]}}'

    counts = planned(tmp_path, "Mine_2", "--config", tables, "footage={name: none}")

    assert counts["Mine_2"] == counts["table"] == counts["predict"] == counts["record"] == 1


def test_what_can_not_change_a_result_is_given_to_jobs_and_repeats_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, changed = read_parameters(), read_parameters({"compute": {"checkpoint_every": 7}})
    assert make_plan(changed).stages.keys() == make_plan(plain).stages.keys()
    monkeypatch.setenv("SELFPOSE3D_ALSO", "")
    wiring.export_unkeyed(changed)
    assert json.loads(os.environ["SELFPOSE3D_ALSO"])["compute"]["checkpoint_every"] == 7


def test_missing_videos_are_named(tmp_path: Path) -> None:
    videos = {name: {f"my_{name}": str(tmp_path / "nowhere")} for name in ("train", "test")}
    overlay = tmp_path / "videos.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"source": "videos"}, "videos": videos}))

    status, output = run_snakemake(
        "--dry-run", "--configfile", str(overlay), workdir=tmp_path / "run"
    )

    assert status != 0
    assert str(tmp_path / "nowhere") in output


def test_a_wrong_parameter_is_told_without_a_traceback(tmp_path: Path) -> None:
    status, output = run_snakemake("--dry-run", "--config", "seeds=x", workdir=tmp_path)

    assert status != 0
    assert "seeds" in output
    assert "Traceback" not in output


def test_only_measuring_and_the_supervised_baseline_are_given_the_truth(
    demo: tuple[Parameters, Plan],
) -> None:
    parameters, plan = demo
    self_supervised = [s for s in plan.stages.values() if not STAGES[s.stage].supervised]
    detected = [d for d in plan.detections.values() if not ESTIMATORS[estimator_of(d)].uses_truth]
    given = [
        *map(wiring.stage_inputs, self_supervised),
        *map(wiring.prediction_inputs, plan.experiments.values()),
        *map(wiring.reconstruction_inputs, plan.reconstructions.values()),
        *map(wiring.detect_inputs, detected),
    ]
    paths = [path for inputs in given for value in inputs.values() for path in _listed(value)]
    assert len(paths) > len(given)
    assert not [path for path in paths if "truth" in path]
    assert not [
        path
        for each in plan.labels.values()
        for path in wiring.detection_files(each)
        if "truth" in path
    ]
    assert wiring.report_inputs(parameters, plan)["truth"]


def estimator_of(detections: DetectionsNode) -> str:
    return str(detections.parameters["estimator"]["name"])


def test_in_the_whole_study_only_what_is_marked_is_given_the_truth() -> None:
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml"]
    plan = make_plan(load_parameters(files))
    stages = {
        (STAGES[stage.stage].supervised, bool(wiring.stage_inputs(stage)["truth"]))
        for stage in plan.stages.values()
    }
    detections = {
        (
            ESTIMATORS[estimator_of(each)].uses_truth,
            "data/truth/" in str(wiring.detect_inputs(each)),
        )
        for each in plan.detections.values()
    }
    assert stages == detections == {(True, True), (False, False)}


def test_voxelpose_is_given_the_truth_of_the_training_sequences_alone() -> None:
    settings = {"title": "V", "method": "voxelpose", "set": {"heatmaps.source": "estimator"}}
    plan = make_plan(read_parameters({"experiments": {"voxelpose": settings}}))
    (experiment,) = plan.by_name["voxelpose"]
    assert [stage.stage for stage in experiment.stages] == ["supervised_root", "supervised_pose"]
    assert {s.id for s in plan.stages.values() if STAGES[s.stage].supervised} == {
        stage.id for stage in experiment.stages
    }
    learnt = [scene for stage in experiment.stages for scene in stage.labels.scenes]
    assert {scene.split for scene in learnt} == {"train"}
    train = {f"data/truth/{scene.id}/{scene.sequence}.parquet" for scene in learnt}
    for stage in experiment.stages:
        inputs = wiring.stage_inputs(stage)
        assert set(inputs["truth"]) == train
        others = [path for name in set(inputs) - {"truth"} for path in _listed(inputs[name])]
        assert not [path for path in others if "truth" in path or "test" in path]
    assert not train & set(wiring.truth_files(experiment.scenes))


def test_learnt_from_images_voxelpose_shares_the_backbone() -> None:
    settings = {"title": "VoxelPose", "method": "voxelpose", "set": {"heatmaps.source": "backbone"}}
    plan = make_plan(read_parameters({"experiments": {"voxelpose": settings}}))
    (voxelpose,), (images,) = plan.by_name["voxelpose"], plan.by_name["images"]
    backbone, *supervised = voxelpose.stages
    assert backbone == images.stages[0]
    assert all(stage.start == (backbone.id,) for stage in supervised)


def test_a_given_file_of_2d_people_is_an_input() -> None:
    given = {"name": "file", "files": "poses/{sequence}.json"}
    plan = make_plan(read_parameters({"estimator": given, "footage": {"name": "none"}}))
    (detections,) = (
        each for each in plan.detections.values() if each.scene.sequence == "studio_test_00"
    )

    inputs = wiring.detect_inputs(detections)

    assert inputs["files"] == ["poses/studio_test_00.json"]
    assert not inputs["weights"]


def test_a_report_is_told_what_differs_from_params_yaml() -> None:
    assert wiring.changed_settings(read_parameters()) == {}
    space = {"centre": [0, 0, 900], "size": [6000, 6000, 2000]}
    mine = {"videos": {"test": {"a": "takes/a"}}, "space": space, "panoptic": {"retries": 9}}
    assert wiring.changed_settings(read_parameters(mine)) == {
        "videos.test": {"a": "takes/a"},
        "space.size": [6000.0, 6000.0, 2000.0],
    }


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_options_are_quoted_for_the_shell() -> None:
    assert wiring.repeated("--scene", ["a b", "c"]) == "--scene 'a b' --scene c"
    assert wiring.repeated("--scene", []) == ""


def test_what_the_most_time_hangs_on_comes_first(demo: tuple[Parameters, Plan]) -> None:
    parameters, plan = demo
    first = jobs.priorities(parameters, plan)
    chain = [stage.id for stage in plan.by_name["images"][0].stages]
    trained = [first[jobs.training_job(stage)] for stage in chain if not stage.startswith("root")]
    assert trained == sorted(trained, reverse=True)
    stages = [job for job in first if job.startswith("train_")]
    assert max(stages, key=first.__getitem__).startswith("train_backbone")
    waiting = jobs.jobs_of(plan)
    assert all(first[earlier] > first[job] for job in waiting for earlier in waiting[job])
    (backbone,) = [job for job in first if job.startswith("train_backbone/")]
    assert {job.partition("/")[0] for job in waiting[backbone]} == {"label", "fetch_weights"}
    scenes = [s for s in plan.scenes.values() if s.host]
    assert {jobs.scene_job(scene) for scene in scenes} < set(first)
