"""The command line: one command a stage, each a thin call of a function of the package.

The workflow's rules call these commands; a person may as well. ``--parameters`` takes a YAML file
(``params.yaml``) or the JSON of just the parts that a stage reads, which is what the rules pass.
"""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from selfpose3d.errors import InputError, TrainingDivergedError
from selfpose3d.parameters import Parameters, parse_selected

app = typer.Typer(
    help="Multi-view, multi-person 3D human pose without ground truth, stage by stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ParametersOption = Annotated[
    str,
    typer.Option("--parameters", "-p", help="a YAML file, or the JSON of the parts it reads"),
]
ScenesOption = Annotated[list[Path], typer.Option("--scene", help="scene folder; repeat for more")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="what to write")]
Command = TypeVar("Command", bound=Callable[..., Any])


def command(name: str) -> Callable[[Command], Command]:
    """Register a command; wrong input, divergence and a full disk are told without a traceback."""

    def register(function: Command) -> Command:
        @app.command(name)
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (InputError, TrainingDivergedError, OSError) as error:
                typer.echo(f"selfpose3d {name}: {error}", err=True)
                raise typer.Exit(1) from error

        return function

    return register


def _parameters(text: str) -> Parameters:
    return parse_selected(text)


@command("studio-bake")
def studio_bake(out: OutOption) -> None:
    """Prepare the studio's body model once, into one file."""
    from selfpose3d.studio import bake_bodies

    bake_bodies(out)


@command("studio-render")
def studio_render(
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="studio_train_NN or studio_test_NN")],
    rig: Annotated[Path, typer.Option(help="YAML file of the cameras")],
    bodies: Annotated[Path, typer.Option(help="what studio-bake wrote")],
    host: Annotated[Path, typer.Option(help="folder laid out as the Panoptic host serves it")],
) -> None:
    """Render one sequence of people, as the CMU Panoptic host would serve it."""
    from selfpose3d.studio import render_sequence

    render_sequence(_parameters(parameters).studio, sequence, rig, bodies, host)


@command("prepare")
def prepare(
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="name of the sequence")],
    split: Annotated[str, typer.Option(help="train or test: which frames are taken")],
    url: Annotated[str, typer.Option(help="http(s):// or file:// address of the data set")],
    scene: Annotated[Path, typer.Option(help="scene folder to write")],
    truth: Annotated[Path, typer.Option(help="where the 3D truth goes, for evaluation only")],
) -> None:
    """Fetch one sequence in the Panoptic layout and make it a scene."""
    from selfpose3d.parameters import Panoptic
    from selfpose3d.sources.panoptic import prepare_sequence

    given = _parameters(parameters)
    panoptic = given.panoptic if hasattr(given, "panoptic") else Panoptic()
    is_panoptic = given.data.source == "panoptic"
    prepare_sequence(
        url=url,
        sequence=sequence,
        cameras=given.data.cameras or (panoptic.cameras if is_panoptic else None),
        every=given.data.train_every if split == "train" else given.data.test_every,
        stored_size=given.data.stored_size,
        network_size=given.data.network_size,
        scene=scene,
        truth=truth,
        retries=panoptic.retries,
        timeout=panoptic.timeout,
        parallel=panoptic.parallel,
    )


@command("prepare-footage")
def prepare_footage(
    parameters: ParametersOption,
    scene: Annotated[Path, typer.Option(help="scene folder to write")],
    cache: Annotated[Path, typer.Option(help="folder that keeps what was fetched")],
) -> None:
    """Fetch the real 4-camera footage and make it a scene."""
    from selfpose3d.sources.pose2sim_demo import prepare_pose2sim_demo

    given = _parameters(parameters)
    prepare_pose2sim_demo(
        every=given.footage.every,
        stored_size=given.footage.stored_size,
        network_size=given.data.network_size,
        scene=scene,
        cache=cache,
    )


@command("prepare-videos")
def prepare_own_videos(
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="name of the sequence, a key of videos.train/test")],
    scene: Annotated[Path, typer.Option(help="scene folder to write")],
) -> None:
    """Make a folder of your own videos, <camera>.mp4 and a calibration, a scene."""
    from selfpose3d.sources.videos import prepare_videos

    given = _parameters(parameters)
    is_train = sequence in given.videos.train
    folders = {**given.videos.test, **given.videos.train}
    if sequence not in folders:
        raise InputError(
            f"--sequence {sequence}: videos.train and videos.test name {sorted(folders)}; "
            "give one of these, or add its folder there"
        )
    prepare_videos(
        folder=Path(folders[sequence]),
        name=sequence,
        cameras=given.data.cameras,
        every=given.data.train_every if is_train else given.data.test_every,
        stored_size=given.data.stored_size,
        network_size=given.data.network_size,
        scene=scene,
    )


@command("fetch-weights")
def fetch_weights(
    name: Annotated[str, typer.Argument(help="blazepose or imagenet")],
    out: OutOption,
) -> None:
    """Fetch the weights of an estimator or of the backbone's start into a folder."""
    if name == "blazepose":
        from selfpose3d.detection.blazepose import fetch_weights as fetch
    elif name == "imagenet":
        from selfpose3d.networks.mobilenet import fetch_weights as fetch
    else:
        raise typer.BadParameter(f"{name}: known are blazepose and imagenet")
    fetch(out)


@command("detect")
def detect(
    parameters: ParametersOption,
    scene: Annotated[Path, typer.Option(help="scene folder")],
    weights: Annotated[Path, typer.Option(help="folder of the estimator's weights")],
    out: OutOption,
    workers: Annotated[int, typer.Option(help="processes")] = 1,
) -> None:
    """Estimate the 2D people of every image of a scene."""
    from selfpose3d.files.poses2d import write_poses2d
    from selfpose3d.files.scenes import read_scene
    from selfpose3d.pipeline import detect_people

    views, joints = detect_people(_parameters(parameters), read_scene(scene), weights, workers)
    write_poses2d(out, views, joints)


@command("label")
def label(
    parameters: ParametersOption,
    kind: Annotated[str, typer.Option(help="soft or hard")],
    detections: Annotated[list[Path], typer.Option(help="detections; repeat for more")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder, one file a sequence")],
) -> None:
    """Filter detections into labels."""
    from selfpose3d.pipeline import label_sequences

    label_sequences(_parameters(parameters).labels, kind, detections, out)


@command("label-quality")
def label_quality(
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    truth: Annotated[Path, typer.Option(help="folder of 3D truth")],
    out: OutOption,
) -> None:
    """Compare labels with the exact projections, where there is truth: a report, never training."""
    from selfpose3d.pipeline import measure_labels

    measure_labels(scene, labels, truth, out)


@command("heatmap-quality")
def heatmap_quality(
    parameters: ParametersOption,
    checkpoint: Annotated[Path, typer.Option(help="of the backbone stage")],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    truth: Annotated[Path, typer.Option(help="folder of 3D truth")],
    out: OutOption,
) -> None:
    """Compare learnt heatmaps with the exact projections: a report, never training."""
    from selfpose3d.pipeline import measure_heatmaps

    measure_heatmaps(_parameters(parameters), checkpoint, scene, labels, truth, out)


@command("reconstruct")
def reconstruct(
    parameters: ParametersOption,
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder, one file a sequence")],
) -> None:
    """Reconstruct 3D people from labels without training."""
    from selfpose3d.pipeline import reconstruct_sequences

    reconstruct_sequences(_parameters(parameters).training_free, scene, labels, out)


@command("refine-cameras")
def refine_cameras(
    scene: Annotated[Path, typer.Option(help="scene folder, as calibrated")],
    labels: Annotated[Path, typer.Option(help="its labels")],
    people: Annotated[Path, typer.Option(help="its training-free reconstruction")],
    out: Annotated[Path, typer.Option("--out", "-o", help="scene folder to write")],
) -> None:
    """Copy a scene with its principal points refitted to its labels; held-out gain beside it."""
    from selfpose3d.pipeline import refine_scene

    refine_scene(scene, labels, people, out)


@command("reprojection")
def reprojection(
    scene: Annotated[Path, typer.Option(help="scene folder")],
    labels: Annotated[Path, typer.Option(help="its labels")],
    predictions: Annotated[Path, typer.Option(help="its 3D people")],
    out: OutOption,
) -> None:
    """Report how well 3D people reproject onto labels, for footage without truth."""
    from selfpose3d.pipeline import report_reprojection

    report_reprojection(scene, labels, predictions, out)


@command("train")
def train(
    stage: Annotated[
        str,
        typer.Argument(
            help="backbone, root, bodies, pose_l2, pose_l1, finetune, "
            "trust, supervised_root or supervised_pose"
        ),
    ],
    parameters: ParametersOption,
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of checkpoint and curves")],
    reconstructions: Annotated[
        Path | None, typer.Option(help="bodies: folder of training-free reconstructions")
    ] = None,
    start: Annotated[
        list[Path] | None, typer.Option(help="checkpoint to start from; repeat, later wins")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="backbone: weights to start from")] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="supervised stages alone: 3D truth of a scene; repeat for more"),
    ] = None,
) -> None:
    """Run one training stage; a killed one goes on where it stopped."""
    from selfpose3d.pipeline import train_stage, train_supervised

    given, start = _parameters(parameters), start or []
    if truth:
        train_supervised(given, stage, scene, labels, truth, start, out)
    else:
        train_stage(given, stage, scene, labels, reconstructions, start, weights, out)


@command("predict")
def predict(
    parameters: ParametersOption,
    checkpoint: Annotated[list[Path], typer.Option(help="repeat for more; later wins")],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels (estimator heatmaps)")],
    out: OutOption,
) -> None:
    """Predict the 3D people of scenes with trained networks."""
    from selfpose3d.pipeline import predict_sequences

    predict_sequences(_parameters(parameters), checkpoint, scene, labels, out)


@command("gather")
def gather(
    predictions: Annotated[list[Path], typer.Argument(help="files of 3D people")],
    out: OutOption,
) -> None:
    """Put the 3D people of several sequences into one file."""
    from selfpose3d.pipeline import gather_people

    gather_people(predictions, out)


@command("join")
def join(
    first: Annotated[Path, typer.Argument(help="3D people that are kept as they are")],
    second: Annotated[Path, typer.Argument(help="3D people of the same frames by another method")],
    out: OutOption,
) -> None:
    """Add to one method's 3D people those of another's who are none of them."""
    from selfpose3d.pipeline import join_predictions

    join_predictions(first, second, out)


@command("describe")
def describe(
    description: Annotated[str, typer.Argument(help="what the experiment is, as one line of JSON")],
    out: OutOption,
) -> None:
    """Write down what an experiment is: experiment.json."""
    from selfpose3d.files.results import parse_description, write_description

    write_description(out, parse_description(description, "describe"))


@command("evaluate")
def evaluate(
    predictions: Annotated[list[Path], typer.Option(help="Parquet or JSON; repeat for more")],
    ground_truth: Annotated[list[Path], typer.Option(help="Parquet or JSON; repeat for more")],
    out: OutOption,
) -> None:
    """Evaluate 3D people by the published protocol (AP, Recall@500, MPJPE)."""
    from selfpose3d.evaluation import evaluate_files
    from selfpose3d.files.results import write_metrics
    from selfpose3d.reporting.tables import METRICS

    metrics, remarks = evaluate_files(predictions, ground_truth)
    write_metrics(out, metrics)
    values = {key: metrics[key] for key in METRICS}
    told = [f"{key} {'–' if value is None else f'{value:.1f}'}" for key, value in values.items()]
    typer.echo("\n".join(["  ".join(told), *remarks]))


@command("metrics")
def metrics(
    out: OutOption,
    row: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER,FOLDER: an experiment's seeds")
    ] = None,
) -> None:
    """Gather the headline metrics of experiments into one file."""
    from selfpose3d.pipeline import gather_metrics

    named = [text.partition("=") for text in row or []]
    gather_metrics({name: _paths(folders) for name, _, folders in named}, out)


def _paths(text: str) -> list[Path]:
    return [Path(part) for part in text.split(",")]


@command("table")
def table(
    title: Annotated[str, typer.Option(help="of the table")],
    row: Annotated[list[str], typer.Option(help="an experiment's folders, one a seed: A,B")],
    out: Annotated[Path, typer.Option("--out", "-o", help="path without suffix")],
    published: Annotated[
        list[Path] | None, typer.Option(help="CSV of published figures to print below")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="key of metrics.json, nested ones with dots")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="per_sequence or per_people: rows below each row")
    ] = None,
) -> None:
    """Write a results table as CSV, Markdown and LaTeX."""
    from selfpose3d.reporting.tables import METRICS, write_table

    rows = [_paths(folders) for folders in row]
    write_table(rows, title, out, column or METRICS, published or [], group or [])


@command("report")
def report(
    title: Annotated[str, typer.Option(help="of the report")],
    dataset: Annotated[str, typer.Option(help="the data's name, as readers know it")],
    out: OutOption,
    experiment: Annotated[list[Path], typer.Option(help="experiment folder; repeat for more")],
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="TITLE=CSV of a results table")
    ] = None,
    stage: Annotated[list[Path] | None, typer.Option(help="training stage's folder")] = None,
    quality: Annotated[list[str] | None, typer.Option(help="TITLE=JSON of label quality")] = None,
    scene: Annotated[list[Path] | None, typer.Option(help="held-out scene folder")] = None,
    truth: Annotated[list[Path] | None, typer.Option(help="its 3D truth")] = None,
    footage_scene: Annotated[Path | None, typer.Option(help="real footage's scene")] = None,
    footage_people: Annotated[Path | None, typer.Option(help="its 3D people")] = None,
    footage_report: Annotated[Path | None, typer.Option(help="its reprojection JSON")] = None,
    benchmarks: Annotated[Path | None, typer.Option(help="Snakemake's benchmarks")] = None,
) -> None:
    """Write the report: one HTML file that opens offline."""
    from selfpose3d.reporting.report import Footage, ReportInputs, write_report

    footage = None
    if footage_scene and footage_people:
        footage = Footage(footage_scene, footage_people, reprojection=footage_report)
    inputs = ReportInputs(
        title=title,
        dataset=dataset,
        tables=_titled(tables or []),
        experiments=experiment,
        stages=stage or [],
        scenes=scene or [],
        truth=truth or [],
        footage=footage,
        label_quality=_titled(quality or []),
        benchmarks=benchmarks,
    )
    write_report(inputs, out)


def _titled(pairs: list[str]) -> dict[str, Path]:
    parts = [text.rpartition("=") for text in pairs]
    return {title: Path(path) for title, _, path in parts}


ExperimentName = Annotated[str, typer.Option("--experiment", help="MLflow's experiment")]


@command("record-prepare")
def record_prepare(name: ExperimentName = "selfpose3d") -> None:
    """Create or migrate the MLflow store, once, before anything is recorded in it."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting.recording import prepare_store

    prepare_store(Mlflow(experiment=name))


@command("record")
def record(
    folder: Annotated[Path, typer.Argument(help="an experiment's folder")],
    scene: Annotated[Path, typer.Option(help="held-out scene to draw its people on")],
    out: OutOption,
    benchmarks: Annotated[Path, typer.Option(help="Snakemake's; what is missing is left out")],
    name: ExperimentName = "selfpose3d",
) -> None:
    """Record an experiment in MLflow, its stages below it, the mean over its seeds above."""
    from selfpose3d.pipeline import record_experiment

    record_experiment(folder, scene, benchmarks, name, out)


@command("record-table")
def record_table(
    table: Annotated[str, typer.Argument(help="its name: the tag that finds its runs")],
    experiment: Annotated[
        list[Path], typer.Option("--run", help="folder of a recorded experiment")
    ],
    out: OutOption,
    name: ExperimentName = "selfpose3d",
) -> None:
    """Tag the runs that a table shows in MLflow, and no others."""
    from selfpose3d import pipeline

    pipeline.record_table(table, experiment, name, out)


@command("parameters")
def parameters_file(
    path: Annotated[Path, typer.Option(help="file to bring up to date")] = Path("params.yaml"),
    schema: Annotated[Path, typer.Option(help="JSON schema to write")] = Path(
        "workflow/schemas/parameters.schema.json"
    ),
) -> None:
    """Bring params.yaml up to date with the types: new keys added, values kept; and its schema."""
    from selfpose3d.parameters.file import update_parameters_file

    update_parameters_file(path, schema)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    app(args=arguments if arguments is not None else sys.argv[1:])
