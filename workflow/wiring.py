"""What each job is given: files and options by the plan's nodes, and its environment.

The rules look up a node by their wildcards and ask here. Paths are relative to the working
directory; options are quoted for the shell.
"""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from selfpose3d.errors import InputError
from selfpose3d.files.results import (
    Data,
    Description,
    TrainedStage,
    description_text,
    prediction_benchmark,
    training_benchmark,
)
from selfpose3d.parameters import Parameters, Videos, parse_parameters
from selfpose3d.plan.nodes import (
    Dataset,
    Detections,
    Experiment,
    Labels,
    Plan,
    Reconstructions,
    Stage,
)
from selfpose3d.plan.planning import has_truth, make_plan

Given = dict[str, str | list[str]]
"""A job's named inputs."""

DATASET_TITLES: Mapping[str, str] = {
    "studio": "Studio (rendered people)",
    "panoptic": "CMU Panoptic",
    "videos": "Own cameras",
}
"""The sources of data as the report names them."""


def read_plan(config: Mapping[str, Any]) -> tuple[Parameters, Plan]:
    """The checked parameters and the plan that they make.

    Raises:
        WorkflowError: a parameter is wrong.
    """
    try:
        parameters = parse_parameters(dict(config), "params.yaml and its overlays")
        return parameters, make_plan(parameters)
    except InputError as error:
        raise WorkflowError(str(error)) from error


def export_environment(source: Path, *, own_interpreter: bool) -> None:
    """Let jobs find the package without its being installed, wherever they run.

    Args:
        source: folder that holds the package.
        own_interpreter: jobs take the Python that runs Snakemake, not their environment's.
    """
    _put_first("PYTHONPATH", str(source))
    if own_interpreter:
        _put_first("PATH", str(Path(sys.executable).parent))
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def by_default(parameters: Parameters) -> tuple[Parameters, Plan]:
    """What a plain run makes: the parameters without tables that are made by name alone, and the
    plan of what is left."""
    wanted = parameters.by_default()
    return wanted, make_plan(wanted)


def _put_first(variable: str, folder: str) -> None:
    others = filter(None, [os.environ.get(variable)])
    os.environ[variable] = os.pathsep.join([folder, *others])


def repeated(option: str, values: Iterable[object]) -> str:
    """``option`` before each of the values."""
    return " ".join(f"{option} {shlex.quote(str(value))}" for value in values)


# Where things lie


def scene_folder(dataset: Dataset, sequence: str) -> str:
    """A sequence's scene; refitted cameras are made from labels, and lie apart."""
    room = "refined" if dataset.refined_from else "scenes"
    return f"data/{room}/{dataset.id}/{sequence}"


def scene_folders(dataset: Dataset, sequences: Iterable[str]) -> list[str]:
    """The scenes of some of a data set's sequences."""
    return [scene_folder(dataset, sequence) for sequence in sequences]


def detection_files(detections: Detections) -> list[str]:
    """The detections in every sequence."""
    sequences = detections.dataset.sequences
    return [f"data/detections/{detections.id}/{sequence}.parquet" for sequence in sequences]


def test_scenes(dataset: Dataset) -> list[str]:
    """The scenes that are kept from training."""
    return scene_folders(dataset, dataset.test)


def truth_files(dataset: Dataset, sequences: Iterable[str]) -> list[str]:
    """The 3D truth of some of a data set's sequences.

    Raises:
        WorkflowError: there is none.
    """
    if dataset.source == "videos":
        raise WorkflowError(
            "data.source: videos: these data have no ground truth, which what was asked for is "
            "measured against; choose a table or experiment that needs none, or no target at all: "
            "a plain run predicts and reports without it"
        )
    return [f"data/truth/{dataset.id}/{sequence}.parquet" for sequence in sequences]


def test_truth(dataset: Dataset) -> list[str]:
    """The 3D truth of the test sequences."""
    return truth_files(dataset, dataset.test)


def labels_folder(labels: Labels) -> str:
    """The labels, a file a sequence."""
    return f"data/labels/{labels.id}"


def people_folder(people: Reconstructions) -> str:
    """The training-free reconstructions, a file a sequence."""
    return f"data/reconstructions/{people.id}"


def checkpoints(stages: Iterable[str]) -> list[str]:
    """The checkpoints of stages by their ids."""
    return [f"results/stages/{stage}/checkpoint.pt" for stage in stages]


def stage_folders(stages: Iterable[str]) -> list[str]:
    """The folders of stages by their ids."""
    return [f"results/stages/{stage}" for stage in stages]


def experiment_folders(experiments: Iterable[Experiment]) -> list[str]:
    """The folders of experiments."""
    return [f"results/experiments/{experiment.id}" for experiment in experiments]


def experiment_files(experiments: Iterable[Experiment], name: str) -> list[str]:
    """A file of each experiment."""
    return [f"{folder}/{name}" for folder in experiment_folders(experiments)]


# From a source to labels


def rendered_sequence(dataset: Dataset, sequence: str) -> list[str]:
    """The studio's host folder of a sequence; nothing for what is fetched from elsewhere."""
    return [f"data/host/{dataset.host.id}/{sequence}"] if dataset.host else []


def source_url(dataset: Dataset, panoptic_url: str) -> str:
    """Where a data set is fetched from: the studio's output is served as a folder."""
    host = dataset.host
    return Path(f"data/host/{host.id}").resolve().as_uri() if host else panoptic_url


def source_scenes(plan: Plan) -> list[str]:
    """Every scene that is made from a source, not from labels."""
    datasets = [each for each in plan.datasets.values() if not each.refined_from]
    return [path for each in datasets for path in scene_folders(each, each.sequences)]


def video_folder(videos: Videos, sequence: str) -> str:
    """The folder of a sequence's own videos."""
    return {**videos.train, **videos.test}[sequence]


def detect_inputs(detections: Detections, sequence: str) -> Given:
    """The scene, BlazePose's weights, and the file of an estimator that reads one."""
    estimator = detections.parameters["estimator"]
    files = estimator["files"]
    return {
        "scene": scene_folder(detections.dataset, sequence),
        "weights": ["data/weights/blazepose"] if estimator["name"] == "blazepose" else [],
        "files": [files.replace("{sequence}", sequence)] if files else [],
    }


def split_of(dataset: Dataset, sequence: str) -> str:
    """ "train" or "test"."""
    return "train" if sequence in dataset.train else "test"


def reconstructed_inputs(people: Reconstructions, sequence: str) -> Given:
    """The scene that people are reconstructed in, and the folders of their labels and of them."""
    return {
        "scene": scene_folder(people.labels.detections.dataset, sequence),
        "labels": labels_folder(people.labels),
        "people": people_folder(people),
    }


def reconstruction_inputs(people: Reconstructions) -> Given:
    """The labels and scenes that people are reconstructed from."""
    dataset = people.labels.detections.dataset
    return {
        "labels": labels_folder(people.labels),
        "scenes": scene_folders(dataset, dataset.sequences),
    }


def quality_inputs(labels: Labels) -> Given:
    """The labels of the test sequences, and what they are measured against."""
    dataset = labels.detections.dataset
    return {
        "labels": labels_folder(labels),
        "scenes": test_scenes(dataset),
        "truth": test_truth(dataset),
    }


def measured_labels(parameters: Parameters, plan: Plan) -> list[Labels]:
    """The labels whose quality can be told: own videos and footage come without truth."""
    labels = plan.labels.values() if has_truth(parameters) else ()
    return [each for each in labels if each.detections.dataset.train]


def heatmap_quality_inputs(stage: Stage) -> Given:
    """A trained backbone, the labels of the test sequences, and what it is measured against."""
    return {"checkpoint": checkpoints([stage.id]), **quality_inputs(stage.labels)}


def measured_backbones(parameters: Parameters, plan: Plan) -> list[Stage]:
    """The backbone stages, where there is truth to measure their heatmaps against."""
    stages = plan.stages.values() if has_truth(parameters) else ()
    return [each for each in stages if each.stage == "backbone"]


def quality_files(parameters: Parameters, plan: Plan) -> dict[str, str]:
    """What the report says of labels and learnt heatmaps: title and file."""
    labels = measured_labels(parameters, plan)
    titled = [(f"{each.kind.capitalize()} labels", each.id) for each in labels]
    titled += [("Learnt heatmaps", each.id) for each in measured_backbones(parameters, plan)]
    titles = [title for title, _ in titled]
    files = {}
    for number, (title, id_) in enumerate(titled):
        several = f" {titles[: number + 1].count(title)}" * (titles.count(title) > 1)
        files[title + several] = f"results/labels/{id_}.json"
    return files


# Training


def stage_inputs(stage: Stage) -> Given:
    """Scenes, labels and earlier checkpoints of a stage; the truth where it is supervised."""
    dataset = stage.labels.detections.dataset
    given: Given = {
        "scenes": scene_folders(dataset, dataset.train),
        "labels": labels_folder(stage.labels),
        "start": checkpoints(stage.start),
        "truth": truth_files(dataset, dataset.train) if stage.supervised else [],
    }
    if stage.reconstructions:
        given["reconstructions"] = people_folder(stage.reconstructions)
    if stage.stage == "backbone" and stage.parameters["train"]["backbone"]["weights"] == "imagenet":
        given["weights"] = "data/weights/imagenet"
    return given


def stage_options(given: Any) -> str:
    """The command's options for a stage's inputs.

    Args:
        given: Snakemake's ``input`` of the job.
    """
    several = {"--scene": given.scenes, "--start": given.start, "--truth": given.truth}
    options = [repeated(option, files) for option, files in several.items() if files]
    single = sorted({"reconstructions", "weights"} & set(given.keys()))
    return " ".join([*options, *(repeated(f"--{name}", [given[name]]) for name in single)])


# Results


def prediction_inputs(experiment: Experiment) -> Given:
    """A learnt experiment's checkpoints and test scenes; a training-free one's people; the
    predictions that a joined one joins."""
    if experiment.parts:
        return {"parts": experiment_files(experiment.parts, "predictions.parquet")}
    if experiment.method == "training_free":
        return {"reconstructions": people_folder(experiment.reconstructions)}
    dataset = experiment.dataset
    return {
        "checkpoints": checkpoints(stage.id for stage in experiment.stages),
        "scenes": test_scenes(dataset),
        "labels": labels_folder(experiment.labels),
    }


def prediction_command(experiment: Experiment, given: Any) -> str:
    """The command that predicts an experiment's people, or puts together what is there.

    Args:
        experiment: the experiment.
        given: Snakemake's ``input`` of the job.
    """
    if experiment.parts:
        return shlex.join(["join", *given.parts])
    if experiment.method == "training_free":
        files = [f"{given.reconstructions}/{name}.parquet" for name in experiment.dataset.test]
        return shlex.join(["gather", *files])
    return " ".join(
        [
            repeated("predict --parameters", [experiment.parameters_json]),
            repeated("--labels", [given.labels]),
            repeated("--checkpoint", given.checkpoints),
            repeated("--scene", given.scenes),
        ]
    )


def describe_experiment(experiment: Experiment) -> str:
    """One line of JSON on an experiment, for the report and MLflow."""
    learnt = {data.id: data for data in (s.labels.detections.dataset for s in experiment.stages)}
    return description_text(
        Description(
            id=experiment.id,
            name=experiment.name,
            seed=experiment.seed,
            title=experiment.title,
            method=experiment.method,
            settings=experiment.settings,
            test_on=experiment.test_on,
            parameters=experiment.resolved,
            stages=tuple(
                TrainedStage(stage.stage, Path(folder))
                for stage in experiment.stages
                for folder in stage_folders([stage.id])
            ),
            trained_on=tuple(_data(dataset, dataset.train) for dataset in learnt.values()),
            tested_on=_data(experiment.dataset, experiment.dataset.test),
        )
    )


def _data(dataset: Dataset, sequences: Iterable[str]) -> Data:
    return Data(dataset.id, dataset.title, tuple(map(Path, scene_folders(dataset, sequences))))


def known_benchmarks(experiment: Experiment) -> list[str]:
    """What Snakemake measured, or will, of an experiment's training and prediction.

    Results that came from elsewhere (``dvc pull``) have no measurement, and none is asked for: it
    would train again.
    """
    made = {
        f"results/experiments/{experiment.id}/predictions.parquet": (
            prediction_benchmark(experiment.id)
        ),
        **{checkpoints([s.id])[0]: training_benchmark(s.id) for s in experiment.stages},
    }
    measures = {result: f"results/benchmarks/{path}" for result, path in made.items()}
    return [
        path
        for result, path in measures.items()
        if Path(path).exists() or not Path(result).exists()
    ]


def table_experiments(plan: Plan, table: str) -> list[Experiment]:
    """The experiments in a table's rows, each seed."""
    return [run for row in plan.tables[table] for run in row]


def table_options(parameters: Parameters, plan: Plan, table: str) -> str:
    """The options of a table: its rows (the folders of an experiment's seeds, joined by commas),
    its columns and its groups."""
    described = parameters.tables[table]
    options = [
        repeated("--row", (",".join(experiment_folders(row)) for row in plan.tables[table])),
        repeated("--column", described.columns),
        repeated("--group", described.groups),
    ]
    return " ".join(option for option in options if option)


def alike_rows(plan: Plan, table: str) -> list[tuple[str, str]]:
    """Pairs of a table's rows that are one and the same run with these parameters."""
    first: dict[str, str] = {}
    rows = [row[0] for row in plan.tables[table] if row]
    return [
        (earlier, run.name)
        for run in rows
        if (earlier := first.setdefault(run.key, run.name)) != run.name
    ]


def table_files(plan: Plan, table: str) -> list[str]:
    """What asking for a table by its name makes: the table, and its runs in MLflow.

    Raises:
        InputError: two of its rows are the same run, so that it would not show what it is about.
    """
    alike = alike_rows(plan, table)
    if alike:
        pairs = "; ".join(f"{a} and {b}" for a, b in alike)
        raise InputError(
            f"tables.{table}: with these parameters rows are the same run ({pairs}): what they "
            "vary does not exist in these data, or an overlay sets it for both; lay other settings "
            f"over experiments, or other rows over tables.{table}"
        )
    return [f"results/tables/{table}.csv", f"results/tables/{table}.recorded.json"]


def study_tables(parameters: Parameters) -> list[str]:
    """The tables that are made only when asked for by name."""
    return [name for name, table in parameters.tables.items() if not table.by_default]


def ablation_files(parameters: Parameters, plan: Plan) -> list[str]:
    """All tables of the study that show something with these parameters, and their runs."""
    shown = [name for name in study_tables(parameters) if not alike_rows(plan, name)]
    return [path for name in shown for path in table_files(plan, name)]


def measured(parameters: Parameters, plan: Plan) -> list[Experiment]:
    """The experiments that can be evaluated."""
    return list(plan.experiments.values()) if has_truth(parameters) else []


def headline_rows(parameters: Parameters, plan: Plan) -> str:
    """The options of the evaluated experiments: the name, then the folders of its seeds."""
    named = plan.by_name.items() if has_truth(parameters) else ()
    return repeated(
        "--row", (f"{name}={','.join(experiment_folders(runs))}" for name, runs in named)
    )


def tables(parameters: Parameters) -> list[str]:
    """The tables that can be filled."""
    names = parameters.tables if has_truth(parameters) else ()
    return [f"results/tables/{name}.csv" for name in names]


def recorded_tables(parameters: Parameters) -> list[str]:
    """What says that the runs of the tables are tagged in MLflow."""
    return [path.replace(".csv", ".recorded.json") for path in tables(parameters)]


def final_files(parameters: Parameters, plan: Plan) -> list[str]:
    """What a whole run makes; without truth, the report is on the predictions alone."""
    return [
        "results/report.html",
        "results/metrics.json",
        *tables(parameters),
        *recorded_tables(parameters),
        *experiment_files(measured(parameters, plan), "mlflow.json"),
    ]


def report_inputs(parameters: Parameters, plan: Plan) -> Given:
    """Every experiment, its scenes, what was measured, and the footage where there is one."""
    experiments = plan.experiments.values()
    dataset = next(iter(experiments)).dataset
    given: Given = {
        "tables": tables(parameters),
        "experiments": [
            *experiment_files(experiments, "experiment.json"),
            *experiment_files(experiments, "predictions.parquet"),
            *experiment_files(measured(parameters, plan), "metrics.json"),
        ],
        "quality": list(quality_files(parameters, plan).values()),
        "scenes": test_scenes(dataset),
        "truth": test_truth(dataset) if has_truth(parameters) else [],
        "stages": checkpoints(plan.stages),
    }
    if plan.footage:
        footage = plan.footage.labels.detections.dataset
        (sequence,) = footage.test
        given["footage_scene"] = scene_folder(footage, sequence)
        given["footage_people"] = people_folder(plan.footage)
        given["footage_report"] = f"results/reprojection/{plan.footage.id}/{sequence}.json"
    return given


def report_options(parameters: Parameters, plan: Plan, given: Any) -> str:
    """The report's options.

    Args:
        parameters: all of them.
        plan: the plan.
        given: Snakemake's ``input`` of the job.
    """
    titles = [table.title for table in parameters.tables.values()]
    options = [
        repeated("--table", map("=".join, zip(titles, given.tables, strict=False))),
        repeated("--experiment", experiment_folders(plan.experiments.values())),
        repeated("--stage", stage_folders(plan.stages)),
        repeated("--quality", map("=".join, quality_files(parameters, plan).items())),
        repeated("--scene", given.scenes),
        repeated("--truth", given.truth),
    ]
    if plan.footage:
        (sequence,) = plan.footage.labels.detections.dataset.test
        options += [
            repeated("--footage-scene", [given.footage_scene]),
            repeated("--footage-people", [f"{given.footage_people}/{sequence}.parquet"]),
            repeated("--footage-report", [given.footage_report]),
        ]
    return " ".join(option for option in options if option)
