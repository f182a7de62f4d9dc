"""Inputs of each job: files and options by the plan's nodes, and its environment.

The rules look up a node by their wildcards and ask here. Paths are relative to the working
directory; options are quoted for the shell.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient

from jobs import jobs_of
from selfpose3d.chains import jobs_text
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.files.results import (
    AGREEMENT,
    CURVES,
    HEADLINE,
    Data,
    Description,
    TrainedStage,
    description_text,
    prediction_benchmark,
    training_benchmark,
)
from selfpose3d.methods import METHODS, STAGES
from selfpose3d.parameters import (
    ALSO_VARIABLE,
    Parameters,
    leaves,
    load_parameters,
    parse_parameters,
    unkeyed,
)
from selfpose3d.parameters.partial import to_plain
from selfpose3d.plan.nodes import (
    DetectionsNode,
    ExperimentNode,
    LabelsNode,
    Plan,
    ReconstructionsNode,
    RigCheckNode,
    SceneNode,
    StageNode,
    WeightsNode,
)
from selfpose3d.plan.own_files import (
    files_of_detections,
    files_of_experiment,
    files_of_scene,
    files_read,
)
from selfpose3d.plan.planning import make_plan
from selfpose3d.plan.study import of_table as chosen_table
from selfpose3d.plan.study import plain_run
from selfpose3d.progress import CONSOLE
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import stamps_of

SHELL_PREFIX = f"set -euo pipefail; exec 3>&2; export {CONSOLE}=3; "
"""Before each job's command: Snakemake's own strictness, and a way to the console past the log
that the command's output is redirected to. Of a Slurm job it is the job's own log."""

Given = dict[str, str | list[str]]
"""A job's named inputs."""


def read_plan(config: Mapping[str, Any]) -> tuple[Parameters, Plan]:
    """The checked parameters and the plan of all that they name.

    Raises:
        WorkflowError: a parameter is wrong.
    """
    try:
        parameters = parse_parameters(dict(config), "params.yaml and its overlays")
        return parameters, make_plan(parameters)
    except InputError as error:
        raise WorkflowError(str(error)) from error


def by_default(parameters: Parameters) -> tuple[Parameters, Plan]:
    """The parameters with the tables of a plain run alone, and the plan of these.

    Raises:
        WorkflowError: what is chosen can't be run with these data.
    """
    try:
        chosen = plain_run(parameters)
        tables = {name: parameters.tables[name] for name in chosen.tables}
        return parameters.model_copy(update={"tables": tables}), make_plan(parameters, chosen)
    except InputError as error:
        raise WorkflowError(str(error)) from error


def of_table(parameters: Parameters, table: str) -> tuple[Parameters, Plan]:
    """As ``by_default``, of a table and its rows alone, without the footage.

    Raises:
        WorkflowError: its rows can't be run with these data.
    """
    footage = parameters.footage.model_copy(update={"name": "none"})
    only = {"tables": {table: parameters.tables[table]}, "footage": footage}
    try:
        alone = parameters.model_copy(update=only)
        return alone, make_plan(alone, chosen_table(alone, table))
    except InputError as error:
        raise WorkflowError(str(error)) from error


def check_rule_names(parameters: Parameters, rules: Iterable[str]) -> None:
    """Refuse tables that are named like a rule: each is a target by its name.

    Raises:
        WorkflowError: one is.
    """
    taken = sorted(set(parameters.tables) & set(rules))
    if taken:
        raise WorkflowError(
            f"tables: {taken}: rules of the workflow have these names, and a table is made by its "
            "name (snakemake table_4); give the tables other names"
        )


def export_unkeyed(parameters: Parameters) -> None:
    """Give all jobs the parameters that can't change a result. They come by the environment and not
    in a rule's ``params``, so that no job is repeated for them."""
    os.environ[ALSO_VARIABLE] = json.dumps(unkeyed(parameters), sort_keys=True)


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


def _put_first(variable: str, folder: str) -> None:
    others = filter(None, [os.environ.get(variable)])
    os.environ[variable] = os.pathsep.join([folder, *others])


def repeated(option: str, values: Iterable[object]) -> str:
    """``option`` before each of the values."""
    return " ".join(f"{option} {shlex.quote(str(value))}" for value in values)


# Where things lie


def scene_folder(scene: SceneNode) -> str:
    """A sequence's scene; refitted cameras are made from labels, and lie apart."""
    room = "refined" if scene.refined_from else "scenes"
    return f"data/{room}/{scene.id}/{scene.sequence}"


def scene_folders(scenes: Iterable[SceneNode]) -> list[str]:
    """The scenes of some sequences."""
    return [scene_folder(scene) for scene in scenes]


def detection_file(detections: DetectionsNode) -> str:
    """The detections in a sequence."""
    return f"data/detections/{detections.id}/{detections.scene.sequence}.parquet"


def detection_files(labels: LabelsNode) -> list[str]:
    """The detections in every sequence."""
    return [detection_file(each) for each in labels.detections]


def truth_files(scenes: Iterable[SceneNode]) -> list[str]:
    """The 3D truth of some sequences.

    Raises:
        WorkflowError: there is none.
    """
    scenes = list(scenes)
    for scene in scenes:
        if not SOURCES[scene.source].has_truth:
            raise WorkflowError(
                f"data.source: {scene.source}: these data have no ground truth, which what was "
                "asked for is measured against; choose a table or experiment that needs none, or "
                "no target at all: a plain run predicts and reports without it"
            )
    return [f"data/truth/{scene.id}/{scene.sequence}.parquet" for scene in scenes]


def labels_folder(labels: LabelsNode) -> str:
    """The labels' folder, with one file per sequence."""
    return f"data/labels/{labels.id}"


def people_folder(people: ReconstructionsNode) -> str:
    """The folder of training-free reconstructions, with one file per sequence."""
    return f"data/reconstructions/{people.id}"


def checkpoints(stages: Iterable[str]) -> list[str]:
    """The checkpoints of stages by their ids."""
    return [f"results/stages/{stage}/checkpoint.pt" for stage in stages]


def curve_files(stages: Iterable[str]) -> list[str]:
    """The training curves of stages by their ids."""
    return [f"{folder}/{CURVES}" for folder in stage_folders(stages)]


def stage_folders(stages: Iterable[str]) -> list[str]:
    """The folders of stages by their ids."""
    return [f"results/stages/{stage}" for stage in stages]


def experiment_folders(experiments: Iterable[ExperimentNode]) -> list[str]:
    """The folders of experiments."""
    return [f"results/experiments/{experiment.id}" for experiment in experiments]


def experiment_files(experiments: Iterable[ExperimentNode], name: str) -> list[str]:
    """A file of each experiment."""
    return [f"{folder}/{name}" for folder in experiment_folders(experiments)]


# From a source to labels


def rendered_sequence(scene: SceneNode) -> list[str]:
    """The host folder of a sequence that is rendered; nothing for what comes from elsewhere."""
    return [f"data/host/{scene.host.id}/{scene.sequence}"] if scene.host else []


def own_files(name: str, paths: Iterable[str]) -> list[str]:
    """A list of the user's own files in the place of them, with size and time of change of each.

    Snakemake names all inputs of a job on the console, and of key points there are thousands. The
    list is written where it differs from what the files are. What isn't there is named itself, so
    that Snakemake says so.

    Args:
        name: of the list.
        paths: of the files.
    """
    paths = list(paths)
    stamps, listed = stamps_of(paths), Path(f"data/own_files/{name}.json")
    if stamps and not (listed.is_file() and read_json(listed) == stamps):
        write_json(listed, stamps)
    return [str(listed)] * bool(stamps) + [path for path in paths if path not in stamps]


def prepare_inputs(scene: SceneNode) -> Given:
    """What was rendered for a sequence, and the list of the user's own files that it is made of."""
    return {
        "host": rendered_sequence(scene),
        "files": own_files(f"{scene.id}/{scene.sequence}", files_of_scene(scene)),
    }


def prepare_options(scene: SceneNode) -> str:
    """The options of the command that makes a sequence a scene."""
    host = [f"data/host/{scene.host.id}"] if scene.host else []
    options = [repeated("--sequence", [scene.sequence]), repeated("--split", [scene.split])]
    return " ".join([*options, *([repeated("--host", host)] if host else [])])


def source_scenes(plan: Plan) -> list[str]:
    """Every scene that is made from a source, not from labels."""
    return scene_folders(scene for scene in plan.scenes.values() if not scene.refined_from)


def downloads(plan: Plan) -> list[str]:
    """The outputs that jobs bring from the network: weights, and scenes of data that are
    fetched."""
    weights = map(weights_folder, plan.weights.values())
    fetched = [scene for scene in plan.scenes.values() if SOURCES[scene.source].downloads]
    scenes = scene_folders(scene for scene in fetched if not scene.refined_from)
    return [*sorted(weights), *scenes]


def weights_folder(weights: WeightsNode) -> str:
    """The folder of weights."""
    return f"data/weights/{weights.id}"


def detect_inputs(detections: DetectionsNode) -> Given:
    """The scene, the estimator's weights, and what an estimator reads: the list of the user's own
    files, or what the workflow makes."""
    own, name = files_of_detections(detections), f"{detections.id}/{detections.scene.sequence}"
    return {
        "scene": scene_folder(detections.scene),
        "weights": [weights_folder(detections.weights)] if detections.weights else [],
        "files": own_files(name, own) if own else files_read(detections),
    }


def rig_check_inputs(check: RigCheckNode) -> Given:
    """The scene and the 2D people by which its cameras are checked."""
    return {
        "scene": scene_folder(check.detections.scene),
        "people": detection_file(check.detections),
    }


def rig_check_options(check: RigCheckNode) -> str:
    """The parameters that a check reads, where it reads any."""
    return repeated("--parameters", [check.parameters_json] if check.parameters else [])


def rig_check_of(plan: Plan, detections: DetectionsNode) -> list[str]:
    """The file with the findings of the check of a sequence's rig."""
    (check,) = (each for each in plan.rig_checks.values() if each.detections == detections)
    return [f"{rig_check_folder(check)}/rig.json"]


def checked_files(plan: Plan, labels: LabelsNode) -> list[Any]:
    """The files that say that the rigs of labelled sequences were checked, where they are. Labels
    wait for them, so that the checks' warnings come first. To Snakemake these files are ancient,
    and they have one name whatever the check's version, so that a newer check makes nothing else
    anew."""
    return [
        ancient(f"results/rig/checked/{check.detections.id}/{check.detections.scene.sequence}")
        for check in plan.rig_checks.values()
        if check.detections in labels.detections
    ]


def rig_check_folder(check: RigCheckNode) -> str:
    """The folder of the check of a sequence's rig."""
    return f"results/rig/{check.id}/{check.detections.scene.sequence}"


def rig_check_folders(plan: Plan) -> list[str]:
    """The folders of the checks of rigs, one per sequence."""
    return [rig_check_folder(check) for check in plan.rig_checks.values()]


def rig_check_files(plan: Plan) -> list[str]:
    """The files with the findings of the checks of rigs."""
    return [f"{folder}/rig.json" for folder in rig_check_folders(plan)]


def processes_a_sequence(plan: Plan, cores: int) -> int:
    """The number of processes that look at one sequence, so that all cores are busy."""
    return max(1, -(-cores // max(1, len(plan.detections))))


def reconstructed_inputs(people: ReconstructionsNode, sequence: str) -> Given:
    """The scene that people are reconstructed in, and the folders of their labels and of them."""
    (scene,) = (each for each in people.labels.scenes if each.sequence == sequence)
    return {
        "scene": scene_folder(scene),
        "labels": labels_folder(people.labels),
        "people": people_folder(people),
    }


def reconstruction_inputs(people: ReconstructionsNode) -> Given:
    """The labels and scenes that people are reconstructed from."""
    return {
        "labels": labels_folder(people.labels),
        "scenes": scene_folders(people.labels.scenes),
    }


def consensus_inputs(labels: LabelsNode) -> Given:
    """The labels that consensus labels are made of, with the people reconstructed from them."""
    assert labels.people is not None
    return {**reconstruction_inputs(labels.people), "people": people_folder(labels.people)}


def quality_inputs(labels: LabelsNode) -> Given:
    """The labels of test sequences, and what they are measured against."""
    return {
        "labels": labels_folder(labels),
        "scenes": scene_folders(labels.scenes),
        "truth": truth_files(labels.scenes),
    }


def measured_labels(plan: Plan) -> list[LabelsNode]:
    """The labels of test sequences whose quality can be told: some data come without truth."""
    return [
        labels
        for labels in plan.labels.values()
        if all(s.split == "test" and SOURCES[s.source].has_truth for s in labels.scenes)
    ]


def heatmap_quality_inputs(stage: StageNode, plan: Plan) -> Given:
    """A trained backbone, the labels of the test sequences, and what it is measured against."""
    return {"checkpoint": checkpoints([stage.id]), **quality_inputs(_tested_by(stage, plan))}


def _tested_by(stage: StageNode, plan: Plan) -> LabelsNode:
    """The test labels of the first experiment that a stage is part of."""
    return next(run.labels for run in plan.experiments.values() if stage in run.stages)


def measured_backbones(plan: Plan) -> list[StageNode]:
    """The backbone stages, where there is truth to measure their heatmaps against."""
    stages = [stage for stage in plan.stages.values() if stage.stage == "backbone"]
    return [
        stage
        for stage in stages
        if all(SOURCES[scene.source].has_truth for scene in _tested_by(stage, plan).scenes)
    ]


def quality_files(plan: Plan) -> dict[str, str]:
    """The files of the report's figures on labels and learnt heatmaps, by title."""
    titled = [(f"{each.kind.capitalize()} labels", each.id) for each in measured_labels(plan)]
    titled += [("Learnt heatmaps", each.id) for each in measured_backbones(plan)]
    titles = [title for title, _ in titled]
    files = {}
    for number, (title, id_) in enumerate(titled):
        several = f" {titles[: number + 1].count(title)}" * (titles.count(title) > 1)
        files[title + several] = f"results/labels/{id_}.json"
    return files


# Training


def stage_inputs(stage: StageNode) -> Given:
    """Scenes, labels and earlier checkpoints of a stage; the truth where it is supervised."""
    scenes = stage.labels.scenes
    given: Given = {
        "scenes": scene_folders(scenes),
        "labels": labels_folder(stage.labels),
        "start": checkpoints(stage.start),
        "truth": truth_files(scenes) if STAGES[stage.stage].supervised else [],
    }
    if stage.reconstructions:
        given["reconstructions"] = people_folder(stage.reconstructions)
    if stage.weights:
        given["weights"] = weights_folder(stage.weights)
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


def prediction_inputs(experiment: ExperimentNode) -> Given:
    """The inputs of an experiment's prediction, by the kinds that its method's entry names."""
    kinds: Given = {
        "checkpoints": checkpoints(stage.id for stage in experiment.stages),
        "scenes": scene_folders(experiment.scenes),
        "labels": labels_folder(experiment.labels),
        "reconstructions": people_folder(experiment.reconstructions),
        "parts": experiment_files(experiment.parts, "predictions.parquet"),
        "people": files_of_experiment(experiment),
    }
    return {kind: kinds[kind] for kind in METHODS[experiment.method].given}


def prediction_command(experiment: ExperimentNode, given: Any) -> str:
    """The command that predicts an experiment's people.

    Args:
        experiment: the experiment.
        given: Snakemake's ``input`` of the job.
    """
    named = {"checkpoints": "checkpoint", "scenes": "scene", "parts": "part", "people": "people"}
    kinds = METHODS[experiment.method].given
    options = [
        repeated(f"--{named.get(kind, kind)}", [given[kind]] if kind not in named else given[kind])
        for kind in kinds
    ]
    return " ".join(
        [
            f"predict {experiment.method}",
            repeated("--parameters", [experiment.parameters_json]),
            *options,
        ]
    )


def evaluation_inputs(experiment: ExperimentNode) -> Given:
    """The predictions, the scenes with their labels, and the truth where there is any."""
    return {
        "predictions": f"results/experiments/{experiment.id}/predictions.parquet",
        "scenes": scene_folders(experiment.scenes),
        "labels": labels_folder(experiment.labels),
        "truth": truth_files(experiment.scenes) if experiment.has_truth else [],
    }


def evaluation_command(experiment: ExperimentNode, given: Any) -> str:
    """The command that measures an experiment's people, but for the predictions.

    Args:
        experiment: the experiment.
        given: Snakemake's ``input`` of the job.
    """
    seen = f"{repeated('--scene', given.scenes)} {repeated('--labels', [given.labels])}"
    if experiment.has_truth:
        return f"evaluate {repeated('--ground-truth', given.truth)} {seen} --align-joints"
    return f"agreement {seen}"


def describe_experiment(experiment: ExperimentNode) -> str:
    """One line of JSON on an experiment, for the report and MLflow."""
    learnt = dict.fromkeys(_data(stage.labels) for stage in experiment.stages)
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
            trained_on=tuple(learnt),
            tested_on=_data(experiment.labels),
        )
    )


def _data(labels: LabelsNode) -> Data:
    scenes = labels.scenes
    told = SOURCES[scenes[0].source].by_sequence
    title = ", ".join(each.sequence for each in scenes) if told else labels.data_title
    return Data(title, tuple(map(Path, scene_folders(scenes))))


def known_benchmarks(experiment: ExperimentNode) -> list[str]:
    """The files of what Snakemake measured, or will measure, of an experiment's training and
    prediction.

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


def table_experiments(plan: Plan, table: str) -> list[ExperimentNode]:
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


def refused_rows(parameters: Parameters, plan: Plan, table: str) -> list[str]:
    """The reasons why rows of a table can't be run with these data."""
    rows = parameters.tables[table].rows
    return [f"{row}: {plan.refused[row]}" for row in rows if row in plan.refused]


def unmeasured(parameters: Parameters, plan: Plan, table: str) -> list[str]:
    """The columns and groups of a table for which rows lack the truth to measure them against."""
    described = parameters.tables[table]
    if not sources_without_truth(plan, table):
        return []
    columns = described.columns or HEADLINE
    lacking = [name for name in columns if name.split(".")[-1] not in AGREEMENT]
    return lacking + [group for group in described.groups if group == "per_people"]


def sources_without_truth(plan: Plan, table: str) -> list[str]:
    """The sources of a table's test sequences that come without truth."""
    scenes = [scene for run in table_experiments(plan, table) for scene in run.scenes]
    return sorted({s.source for s in scenes if not SOURCES[s.source].has_truth})


def table_files(parameters: Parameters, plan: Plan, table: str) -> list[str]:
    """The outputs of a table's target: the table, and its runs in MLflow.

    Raises:
        WorkflowError: rows can't be run with these data, or have no figures for its columns; or two
            are the same run, so that the table would not show what it is about.
    """
    refused = refused_rows(parameters, plan, table)
    if refused:
        raise WorkflowError("\n".join([f"tables.{table}: rows can't be run:", *refused]))
    lacking = unmeasured(parameters, plan, table)
    if lacking:
        raise WorkflowError(
            f"data.source: {', '.join(sources_without_truth(plan, table))}: these data have no "
            f"ground truth, which {lacking} of tables.{table} are measured against; choose a table "
            f"whose columns are among {list(AGREEMENT)}, or no target at all: a plain run measures "
            "how well 3D people agree with the 2D people"
        )
    alike = alike_rows(plan, table)
    if alike:
        pairs = "; ".join(f"{a} and {b}" for a, b in alike)
        raise WorkflowError(
            f"tables.{table}: with these parameters rows are the same run ({pairs}): what they "
            "vary does not exist in these data, or an overlay sets it for both; lay other settings "
            f"over experiments, or other rows over tables.{table}"
        )
    return [f"results/tables/{table}.csv", f"results/tables/{table}.recorded.json"]


def study_tables(parameters: Parameters) -> list[str]:
    """The tables that a plain run does not make."""
    return [name for name in parameters.tables if name not in parameters.run.tables]


def brings_data(parameters: Parameters, plan: Plan, table: str) -> bool:
    """Whether rows of a table are tested on data of another source than the chosen one."""
    runs = table_experiments(plan, table)
    return any(scene.source != parameters.data.source for run in runs for scene in run.scenes)


def ablation_files(parameters: Parameters, plan: Plan) -> list[str]:
    """All tables of the study that show something on these data, and their runs; tables that bring
    data of their own are made by their names.

    Raises:
        WorkflowError: there is none.
    """
    shown = [
        name
        for name in study_tables(parameters)
        if not alike_rows(plan, name)
        and not refused_rows(parameters, plan, name)
        and not unmeasured(parameters, plan, name)
        and not brings_data(parameters, plan, name)
    ]
    if not shown:
        raise WorkflowError(
            f"data.source: {parameters.data.source}: these data can show none of the tables of the "
            "study: they have no ground truth; a plain run measures how well 3D people agree with "
            "the 2D people"
        )
    return [path for name in shown for path in table_files(parameters, plan, name)]


def headline_rows(plan: Plan) -> str:
    """The options of the experiments: the name, then the folders of its seeds."""
    rows = (f"{name}={','.join(experiment_folders(runs))}" for name, runs in plan.by_name.items())
    return repeated("--row", rows)


def curve_options(plan: Plan) -> str:
    """The options of the training stages: the names that their curves are gathered under, and
    their folders; a stage that experiments share has a name in each."""
    named = {
        f"{run.name}-seed{run.seed}-{stage.stage}": stage.id
        for run in plan.experiments.values()
        for stage in (() if run.parts else run.stages)
    }
    folders = zip(named, stage_folders(named.values()), strict=True)
    return repeated("--stage", (f"{name}={folder}" for name, folder in folders))


def tables(parameters: Parameters) -> list[str]:
    """The tables that can be filled."""
    return [f"results/tables/{name}.csv" for name in parameters.tables]


def recorded_tables(parameters: Parameters) -> list[str]:
    """The files that say that the runs of the tables are tagged in MLflow."""
    return [path.replace(".csv", ".recorded.json") for path in tables(parameters)]


def final_files(parameters: Parameters, plan: Plan) -> list[str]:
    """The outputs of a whole run."""
    return [
        "results/report.html",
        "results/metrics.json",
        "results/curves",
        *tables(parameters),
        *recorded_tables(parameters),
        *experiment_files(plan.experiments.values(), "mlflow.json"),
    ]


def shown_experiments(plan: Plan) -> list[ExperimentNode]:
    """The experiments of which a report shows pictures: those tested on the data of the first."""
    first, *others = plan.experiments.values()
    return [first, *(run for run in others if run.data_key == first.data_key)]


def report_inputs(parameters: Parameters, plan: Plan) -> Given:
    """The experiments, their scenes, what was measured, and the footage where there is one."""
    experiments = shown_experiments(plan)
    scenes = experiments[0].scenes
    given: Given = {
        "tables": tables(parameters),
        "experiments": [
            *experiment_files(experiments, "experiment.json"),
            *experiment_files(experiments, "predictions.parquet"),
            *experiment_files(experiments, "metrics.json"),
        ],
        "quality": list(quality_files(plan).values()),
        "scenes": scene_folders(scenes),
        "truth": truth_files(scenes) if experiments[0].has_truth else [],
        "stages": checkpoints(plan.stages),
        "rigs": rig_check_files(plan),
    }
    if plan.footage:
        (footage,) = plan.footage.labels.scenes
        sequence = footage.sequence
        given["footage_scene"] = scene_folder(footage)
        given["footage_people"] = people_folder(plan.footage)
        given["footage_report"] = f"results/reprojection/{plan.footage.id}/{sequence}.json"
    return given


def changed_settings(parameters: Parameters) -> dict[str, Any]:
    """The parameters that differ from those of params.yaml and can change a result, by dotted name;
    but for experiments and tables, which the report shows."""
    shown = ("experiments", "tables", "run", "mlflow")
    plain = load_parameters([Path(__file__).parents[1] / "params.yaml"])
    defaults = {path: value for path, value, _ in leaves(plain)}
    return {
        ".".join(path): to_plain(value)
        for path, value, marks in leaves(parameters)
        if not marks and path[0] not in shown and value != defaults[path]
    }


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
        repeated("--experiment", experiment_folders(shown_experiments(plan))),
        repeated("--stage", stage_folders(plan.stages)),
        repeated("--quality", map("=".join, quality_files(plan).items())),
        repeated("--scene", given.scenes),
        repeated("--truth", given.truth),
        repeated("--rig", rig_check_folders(plan)),
        repeated("--jobs", [jobs_text(jobs_of(plan))]),
        repeated("--settings", [json.dumps(changed_settings(parameters))]),
    ]
    if plan.footage:
        (footage,) = plan.footage.labels.scenes
        sequence = footage.sequence
        options += [
            repeated("--footage-scene", [given.footage_scene]),
            repeated("--footage-people", [f"{given.footage_people}/{sequence}.parquet"]),
            repeated("--footage-report", [given.footage_report]),
        ]
    return " ".join(option for option in options if option)
