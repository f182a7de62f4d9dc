"""The command line: one command per stage, each a thin call of a function of the package.

The workflow's rules call these commands, and people can call them too. ``--parameters`` takes a
YAML file (``params.yaml``) or JSON with only the parts that a stage reads, as the rules pass it.
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
    typer.Option(
        "--parameters", "-p", help="YAML file of the parameters, or JSON of the parts that are read"
    ),
]
ScenesOption = Annotated[list[Path], typer.Option("--scene", help="scene folder; repeat for more")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="file or folder to write")]
Command = TypeVar("Command", bound=Callable[..., Any])


def command(name: str) -> Callable[[Command], Command]:
    """Register a command that reports wrong input, divergence and disk errors without traceback."""

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
    """Write the studio's body model into one file; it is needed once."""
    from selfpose3d.studio import bake_bodies

    bake_bodies(out)


@command("studio-render")
def studio_render(
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="studio_train_NN or studio_test_NN")],
    rig: Annotated[Path, typer.Option(help="YAML file of the cameras")],
    bodies: Annotated[Path, typer.Option(help="body model that studio-bake wrote")],
    host: Annotated[Path, typer.Option(help="folder in the layout of the Panoptic host")],
) -> None:
    """Render one sequence of people in the layout of the CMU Panoptic host."""
    from selfpose3d.studio import render_sequence

    render_sequence(_parameters(parameters).studio, sequence, rig, bodies, host)


@command("prepare")
def prepare(
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="name of the sequence")],
    split: Annotated[str, typer.Option(help="train or test; says which frames are used")],
    url: Annotated[str, typer.Option(help="http(s):// or file:// address of the data set")],
    scene: Annotated[Path, typer.Option(help="scene folder to write")],
    truth: Annotated[Path, typer.Option(help="file to write the 3D truth to, for evaluation only")],
) -> None:
    """Fetch one sequence in the Panoptic layout and write it as a scene."""
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
    cache: Annotated[Path, typer.Option(help="folder in which downloads are kept")],
) -> None:
    """Fetch the real footage of four cameras and write it as a scene."""
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
    """Write a folder of your own videos (<camera>.mp4 and a calibration) as a scene."""
    from selfpose3d.sources.videos import prepare_videos

    given = _parameters(parameters)
    is_train = sequence in given.videos.train
    folders = {**given.videos.test, **given.videos.train}
    if sequence not in folders:
        raise InputError(
            f"--sequence {sequence}: videos.train and videos.test name {sorted(folders)}; "
            "give one of these, or add the sequence's folder there"
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
    name: Annotated[str, typer.Argument(help="name of the weights: blazepose or imagenet")],
    out: OutOption,
) -> None:
    """Fetch the weights of the 2D estimator, or the backbone's initial weights, into a folder."""
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
    weights: Annotated[Path, typer.Option(help="folder with the estimator's weights")],
    out: OutOption,
    workers: Annotated[int, typer.Option(help="number of processes")] = 1,
) -> None:
    """Detect the 2D people in every image of a scene."""
    from selfpose3d.files.poses2d import write_poses2d
    from selfpose3d.files.scenes import read_scene
    from selfpose3d.pipeline import detect_people

    views, joints = detect_people(_parameters(parameters), read_scene(scene), weights, workers)
    write_poses2d(out, views, joints)


@command("label")
def label(
    parameters: ParametersOption,
    kind: Annotated[str, typer.Option(help="kind of labels: soft or hard")],
    detections: Annotated[list[Path], typer.Option(help="file of detections; repeat for more")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for one file per sequence")],
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
    """Compare labels with exact projections of the truth, for a report, never for training."""
    from selfpose3d.pipeline import measure_labels

    measure_labels(scene, labels, truth, out)


@command("heatmap-quality")
def heatmap_quality(
    parameters: ParametersOption,
    checkpoint: Annotated[Path, typer.Option(help="checkpoint of the backbone stage")],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    truth: Annotated[Path, typer.Option(help="folder of 3D truth")],
    out: OutOption,
) -> None:
    """Compare learnt heatmaps with exact projections, for a report, never for training."""
    from selfpose3d.pipeline import measure_heatmaps

    measure_heatmaps(_parameters(parameters), checkpoint, scene, labels, truth, out)


@command("reconstruct")
def reconstruct(
    parameters: ParametersOption,
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for one file per sequence")],
) -> None:
    """Reconstruct 3D people from labels without training."""
    from selfpose3d.pipeline import reconstruct_sequences

    reconstruct_sequences(_parameters(parameters).training_free, scene, labels, out)


@command("refine-cameras")
def refine_cameras(
    scene: Annotated[Path, typer.Option(help="scene folder with the cameras as calibrated")],
    labels: Annotated[Path, typer.Option(help="labels of the scene")],
    people: Annotated[Path, typer.Option(help="training-free reconstruction of the scene")],
    out: Annotated[Path, typer.Option("--out", "-o", help="scene folder to write")],
) -> None:
    """Copy a scene with principal points fitted to its labels, and report the held-out gain."""
    from selfpose3d.pipeline import refine_scene

    refine_scene(scene, labels, people, out)


@command("reprojection")
def reprojection(
    scene: Annotated[Path, typer.Option(help="scene folder")],
    labels: Annotated[Path, typer.Option(help="labels of the scene")],
    predictions: Annotated[Path, typer.Option(help="3D people of the scene")],
    out: OutOption,
) -> None:
    """Report how well 3D people reproject onto labels, as for footage without truth."""
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
    out: Annotated[
        Path, typer.Option("--out", "-o", help="folder for the checkpoint and the curves")
    ],
    reconstructions: Annotated[
        Path | None, typer.Option(help="bodies: folder of training-free reconstructions")
    ] = None,
    start: Annotated[
        list[Path] | None,
        typer.Option(help="checkpoint to start from; repeat for more, later ones win"),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="backbone: folder with the initial weights")
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="supervised stages only: 3D truth of a scene; repeat for more"),
    ] = None,
) -> None:
    """Run one training stage, or resume it if it was killed."""
    from selfpose3d.pipeline import train_stage, train_supervised

    given, start = _parameters(parameters), start or []
    if truth:
        train_supervised(given, stage, scene, labels, truth, start, out)
    else:
        train_stage(given, stage, scene, labels, reconstructions, start, weights, out)


@command("predict")
def predict(
    parameters: ParametersOption,
    checkpoint: Annotated[
        list[Path], typer.Option(help="checkpoint; repeat for more, later ones win")
    ],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels, for estimator heatmaps")],
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
    first: Annotated[Path, typer.Argument(help="3D people that are all kept")],
    second: Annotated[Path, typer.Argument(help="3D people of the same frames by another method")],
    out: OutOption,
) -> None:
    """Add to one method's 3D people those whom only another method found."""
    from selfpose3d.pipeline import join_predictions

    join_predictions(first, second, out)


@command("evaluate")
def evaluate(
    predictions: Annotated[
        list[Path], typer.Option(help="Parquet or JSON file of 3D people; repeat for more")
    ],
    ground_truth: Annotated[
        list[Path], typer.Option(help="Parquet or JSON file of the truth; repeat for more")
    ],
    out: OutOption,
) -> None:
    """Evaluate 3D people by the published protocol (AP, Recall@500, MPJPE)."""
    from selfpose3d.evaluation import evaluate_files
    from selfpose3d.files.atomic import write_json
    from selfpose3d.reporting.tables import METRICS

    metrics, remarks = evaluate_files(predictions, ground_truth)
    write_json(out, metrics)
    values = {key: metrics[key] for key in METRICS}
    told = [f"{key} {'–' if value is None else f'{value:.1f}'}" for key, value in values.items()]
    typer.echo("\n".join(["  ".join(told), *remarks]))


@command("metrics")
def metrics(
    out: OutOption,
    row: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER,FOLDER: an experiment with one folder per seed"),
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
    title: Annotated[str, typer.Option(help="heading of the table")],
    row: Annotated[list[str], typer.Option(help="an experiment's folders, one per seed: A,B")],
    out: Annotated[Path, typer.Option("--out", "-o", help="path without suffix")],
    published: Annotated[
        list[Path] | None, typer.Option(help="CSV file of published figures to print below")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="key of metrics.json; nested keys have dots")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="per_sequence or per_people: further rows below each row"),
    ] = None,
) -> None:
    """Write a results table as CSV, Markdown and LaTeX."""
    from selfpose3d.reporting.tables import METRICS, write_table

    rows = [_paths(folders) for folders in row]
    write_table(rows, title, out, column or METRICS, published or [], group or [])


@command("report")
def report(
    title: Annotated[str, typer.Option(help="heading of the report")],
    dataset: Annotated[str, typer.Option(help="name of the data set for readers")],
    out: OutOption,
    experiment: Annotated[list[Path], typer.Option(help="experiment folder; repeat for more")],
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="TITLE=CSV: a results table")
    ] = None,
    stage: Annotated[list[Path] | None, typer.Option(help="folder of a training stage")] = None,
    quality: Annotated[list[str] | None, typer.Option(help="TITLE=JSON: a label quality")] = None,
    scene: Annotated[list[Path] | None, typer.Option(help="folder of a held-out scene")] = None,
    truth: Annotated[list[Path] | None, typer.Option(help="3D truth of such a scene")] = None,
    footage_scene: Annotated[
        Path | None, typer.Option(help="scene folder of the real footage")
    ] = None,
    footage_people: Annotated[Path | None, typer.Option(help="3D people of the footage")] = None,
    footage_report: Annotated[
        Path | None, typer.Option(help="reprojection JSON of the footage")
    ] = None,
    benchmarks: Annotated[
        Path | None, typer.Option(help="folder of Snakemake's benchmarks")
    ] = None,
) -> None:
    """Write the report, one HTML file that opens offline."""
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


ExperimentName = Annotated[str, typer.Option("--experiment", help="name of the MLflow experiment")]


@command("track-prepare")
def track_prepare(name: ExperimentName = "selfpose3d") -> None:
    """Create or migrate the MLflow store; it is needed once, before anything is recorded."""
    from selfpose3d.parameters import Tracking
    from selfpose3d.reporting.recording import prepare_store

    prepare_store(Tracking(experiment=name))


@command("track")
def track_experiment(
    folder: Annotated[Path, typer.Argument(help="folder of an experiment")],
    scene: Annotated[Path, typer.Option(help="held-out scene for the pictures")],
    out: OutOption,
    name: ExperimentName = "selfpose3d",
) -> None:
    """Record an experiment in MLflow, with its stages as child runs."""
    from selfpose3d.pipeline import record_experiment

    record_experiment(folder, scene, name, out)


@command("parameters")
def parameters_file(
    path: Annotated[Path, typer.Option(help="parameters file to update")] = Path("params.yaml"),
    schema: Annotated[Path, typer.Option(help="JSON schema to write")] = Path(
        "workflow/schemas/parameters.schema.json"
    ),
) -> None:
    """Update params.yaml and its schema to the types; new keys are added and values are kept."""
    from selfpose3d.parameters.file import update_parameters_file

    update_parameters_file(path, schema)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    app(args=arguments if arguments is not None else sys.argv[1:])
