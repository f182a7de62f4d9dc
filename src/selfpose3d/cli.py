"""The command line: one command per stage, each a thin call of a function of the package.

The workflow's rules call these commands, and people can call them too. ``--parameters`` takes a
YAML file (``params.yaml``) or JSON with only the parts that a stage reads, as the rules pass it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from selfpose3d.errors import InputError, TrainingDivergedError
from selfpose3d.parameters import (
    ALSO_VARIABLE,
    Parameters,
    TrainingFree,
    load_parameters,
    parse_selected,
)
from selfpose3d.progress import announce, open_console

if TYPE_CHECKING:
    from selfpose3d.calibrations import World
    from selfpose3d.keypoints.reading import Told

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
AlsoOption = Annotated[
    str,
    typer.Option(
        "--also", envvar=ALSO_VARIABLE, help="JSON of parameters that can't change a result"
    ),
]
ScenesOption = Annotated[list[Path], typer.Option("--scene", help="scene folder; repeat for more")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="file or folder to write")]
UnitsOption = Annotated[
    str | None, typer.Option(help="unit of the calibration's translations: mm, cm or m")
]
UpOption = Annotated[
    str | None,
    typer.Option(
        help="axis of the calibration's world that points up: z, y, --up=-y, ...; or level: the "
        "direction to which the rows of all pictures are level"
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(help="WIDTHxHEIGHT of the images, for formats of calibrations that lack it"),
]
ImageSizeOption = Annotated[
    str | None,
    typer.Option(
        help="WIDTHxHEIGHT of the images that the 2D people are given in, if other than the "
        "calibration's"
    ),
]
JointsOption = Annotated[
    str | None,
    typer.Option(help="joint set of the 2D people where files do not tell: body25b, ..."),
]
FirstOption = Annotated[
    int | None,
    typer.Option(min=0, max=1, help="number of the first image where files do not tell: 0, 1"),
]
RigPeopleOption = Annotated[
    Path | None,
    typer.Option(
        help="2D people: labels or detections (Parquet), COCO results, or a folder of OpenPose "
        "files; people.parquet, people.json or people/ in the folder if not given"
    ),
]
RefineOption = Annotated[
    Path | None,
    typer.Option(
        help="refine the cameras' poses by the people, and write this cameras.json where that "
        "lowers the error on frames that the fit did not see"
    ),
]
Command = TypeVar("Command", bound=Callable[..., Any])


def command(name: str, group: typer.Typer = app) -> Callable[[Command], Command]:
    """Register a command that reports wrong input, divergence and disk errors without traceback."""

    called = name if group is app else f"{group.info.name} {name}"

    def register(function: Command) -> Command:
        @group.command(name)
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            open_console(called)
            try:
                function(*args, **kwargs)
            except (InputError, TrainingDivergedError, OSError) as error:
                typer.echo(f"selfpose3d {called}: {error}", err=True)
                raise typer.Exit(1) from error

        return function

    return register


@command("studio-bake")
def studio_bake(out: OutOption) -> None:
    """Write the studio's body model into one file; this is needed once."""
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

    render_sequence(parse_selected(parameters).studio, sequence, rig, bodies, host)


@command("prepare")
def prepare(
    source: Annotated[str, typer.Argument(help="one of the table of sources: studio, videos, ...")],
    parameters: ParametersOption,
    sequence: Annotated[str, typer.Option(help="name of the sequence")],
    scene: Annotated[Path, typer.Option(help="scene folder to write")],
    split: Annotated[str, typer.Option(help="train or test: which frames are taken")] = "test",
    truth: Annotated[
        Path | None, typer.Option(help="where the 3D truth goes, for evaluation only")
    ] = None,
    host: Annotated[Path | None, typer.Option(help="studio: folder of what was rendered")] = None,
    cache: Annotated[Path, typer.Option(help="folder that keeps what was fetched")] = Path(
        "data/cache"
    ),
    also: AlsoOption = "{}",
) -> None:
    """Prepare a scene from one sequence of a source; data on the network are downloaded first."""
    from selfpose3d.pipeline import prepare_scene
    from selfpose3d.sources.entry import PrepareInputs

    if split not in ("train", "test"):
        raise InputError(f"--split {split}: it is train or test")
    given = parse_selected(parameters, also)
    part: Literal["train", "test"] = "train" if split == "train" else "test"
    prepare_scene(source, PrepareInputs(given, sequence, part, scene, truth, host, cache))


@command("own-files")
def own_files(
    parameters: Annotated[
        list[Path],
        typer.Option("--parameters", "-p", help="YAML file; repeat for overlays, later ones win"),
    ],
    out: OutOption,
) -> None:
    """List your own files that a plain run is made of, with size and time of change."""
    from selfpose3d.pipeline import list_own_files

    list_own_files(load_parameters(parameters), out)


@command("fetch-weights")
def fetch_weights(
    name: Annotated[
        str, typer.Argument(help="one of the table of weights: blazepose, imagenet, rtmlib, ...")
    ],
    out: OutOption,
    parameters: ParametersOption | None = None,
    cache: Annotated[Path, typer.Option(help="folder that keeps what was fetched")] = Path(
        "data/cache"
    ),
) -> None:
    """Fetch the weights of an estimator or of the backbone's start into a folder."""
    from selfpose3d.pipeline import fetch_named_weights

    given = Parameters() if parameters is None else parse_selected(parameters)
    fetch_named_weights(name, given, cache / "weights", out)


@command("detect")
def detect(
    parameters: ParametersOption,
    scene: Annotated[Path, typer.Option(help="scene folder")],
    out: OutOption,
    weights: Annotated[
        Path | None, typer.Option(help="folder with the estimator's weights, if it has any")
    ] = None,
    workers: Annotated[int, typer.Option(help="number of processes")] = 1,
) -> None:
    """Estimate the 2D people of every image of a scene."""
    from selfpose3d.pipeline import detect_people

    detect_people(parse_selected(parameters), scene, weights, workers, out)


@command("label")
def label(
    parameters: ParametersOption,
    kind: Annotated[str, typer.Option(help="kind of labels: soft or hard")],
    detections: Annotated[list[Path], typer.Option(help="file of detections; repeat for more")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for one file per sequence")],
) -> None:
    """Filter detections into labels."""
    from selfpose3d.pipeline import label_sequences

    for line in label_sequences(parse_selected(parameters).labels, kind, detections, out):
        typer.echo(line)
        if line.startswith("Warning: "):
            announce(line)


@command("agree")
def agree(
    parameters: ParametersOption,
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    people: Annotated[Path, typer.Option(help="folder of 3D people reconstructed from them")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for one file per sequence")],
) -> None:
    """Make consensus labels: 2D people as all views together see them."""
    from selfpose3d.pipeline import agree_on_labels

    settings = parse_selected(parameters).labels
    for line in agree_on_labels(settings, scene, labels, people, out):
        typer.echo(line)


@command("label-quality")
def label_quality(
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    truth: Annotated[list[Path], typer.Option(help="3D truth of each scene, in their order")],
    out: OutOption,
) -> None:
    """Compare labels with exact projections of the truth; for reports only, not for training."""
    from selfpose3d.pipeline import measure_labels

    measure_labels(scene, labels, truth, out)


@command("heatmap-quality")
def heatmap_quality(
    parameters: ParametersOption,
    checkpoint: Annotated[Path, typer.Option(help="checkpoint of the backbone stage")],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    truth: Annotated[list[Path], typer.Option(help="3D truth of each scene, in their order")],
    out: OutOption,
) -> None:
    """Compare learnt heatmaps with exact projections; for reports only, not for training."""
    from selfpose3d.pipeline import measure_heatmaps

    measure_heatmaps(parse_selected(parameters), checkpoint, scene, labels, truth, out)


@command("reconstruct")
def reconstruct(
    calibration: Annotated[
        Path, typer.Option(help="calibration of the cameras: a file, or the folder it lies in")
    ],
    keypoints: Annotated[
        Path,
        typer.Option(
            help="2D people: one file for all cameras, or a folder with <camera>.json, "
            "<camera>/..._<frame>_keypoints.json or <camera>_json/<camera>_<frame>.json; OpenPose, "
            "Pose2Sim, COCO, AlphaPose, MMPose, rtmlib, Ultralytics or MVOR"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file of 3D people to write")],
    image_size: ImageSizeOption = None,
    joints: JointsOption = None,
    first: FirstOption = None,
    person_score: Annotated[
        float, typer.Option(min=0, max=1, help="lowest score of a 2D person who is used")
    ] = 0.0,
    max_ray_distance: Annotated[
        float,
        typer.Option(
            min=1,
            help="largest mean cost, mm, at which 2D people of different cameras count as one "
            "person; the cost is the distance between their rays plus a penalty for bones of wrong "
            "lengths; raise it for a rough calibration",
        ),
    ] = TrainingFree().max_ray_distance,
    units: UnitsOption = None,
    up: UpOption = None,
    size: SizeOption = None,
) -> None:
    """Make 3D people of 2D people from two or more calibrated cameras.

    It first says whether the calibration fits the 2D people, as check-rig does. It needs no
    training, parameters or pictures. The file has one row per joint: sequence, frame (as the input
    numbers it), person, joint, x, y, z in mm, score (number of views that support the person, each
    weighted by its confidence and agreement) and valid. The joints are those of the 2D people; the
    file's metadata name them. person counts the people of one frame and is no track: 0 may be
    somebody else a frame later.

    selfpose3d reconstruct --calibration Calib.toml --keypoints pose/ --out people.parquet
    """
    from selfpose3d.pipeline import reconstruct_files

    if out.suffix != ".parquet" or out.is_dir():
        raise InputError(f"--out {out}: the people become a Parquet file; name it people.parquet")
    told, world = _told(joints, image_size, first), _world(units, up, size)
    for line in reconstruct_files(
        calibration, keypoints, out, told, world, person_score, max_ray_distance
    ):
        typer.echo(line)
    typer.echo(f"written: {out}")


def _told(joints: str | None, image_size: str | None, first: int | None) -> "Told":
    """The facts about 2D people that the options give."""
    from selfpose3d.calibrations.conversion import parse_size
    from selfpose3d.keypoints.reading import Told

    return Told(joints, parse_size(image_size, "--image-size"), first)


def _world(units: str | None, up: str | None, size: str | None) -> "World":
    """The facts about a calibration that the options give."""
    from selfpose3d.calibrations import World
    from selfpose3d.calibrations.conversion import parse_size

    return World(units=units, up=up, size=parse_size(size, "--size"))


@command("reconstruct-scenes")
def reconstruct_scenes(
    parameters: ParametersOption,
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of labels")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for one file per sequence")],
) -> None:
    """Reconstruct 3D people from labels without training."""
    from selfpose3d.pipeline import reconstruct_sequences

    reconstruct_sequences(parse_selected(parameters).training_free, scene, labels, out)


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


@command("check-rig")
def check_rig(
    folder: Annotated[
        Path,
        typer.Argument(
            help="scene folder; or a calibration: its file, or the folder in which it and the 2D "
            "people lie"
        ),
    ],
    people: RigPeopleOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder for rig.json and rig.png")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="frames per second, where the folder is not a scene; without it, the default of "
            "data.frame_rate"
        ),
    ] = None,
    refine: RefineOption = None,
    focal_lengths: Annotated[
        bool, typer.Option("--focal-lengths", help="refine focal lengths as well")
    ] = False,
    parameters: Annotated[
        str | None,
        typer.Option(
            "--parameters",
            "-p",
            help="YAML file or JSON of the parameters, to say whether people are in their space",
        ),
    ] = None,
    image_size: ImageSizeOption = None,
    joints: JointsOption = None,
    first: FirstOption = None,
    units: UnitsOption = None,
    up: UpOption = None,
    size: SizeOption = None,
) -> None:
    """Examine calibrated cameras by the 2D people that they see, and say what is wrong.

    It finds cameras that stand elsewhere, were bumped or exchanged, lag or lost frames; wrong
    principal points, focal lengths and image sizes; images that are mirrored, upside down or
    undistorted twice; extrinsics in another direction; units, gravity and handedness. It gives the
    amounts in px and in mm at the people, and a space that holds all people.
    """
    from selfpose3d.pipeline import check_rig_folder

    space = parse_selected(parameters).space if parameters else None
    told, world = _told(joints, image_size, first), _world(units, up, size)
    for sentence in check_rig_folder(
        folder, people, rate, told, world, out, refine, focal_lengths, space
    ):
        typer.echo(sentence)
        announce(f"{folder.name}: {sentence}")


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
        str, typer.Argument(help="one of the stages of the methods: backbone, root, bodies, ...")
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
    also: AlsoOption = "{}",
) -> None:
    """Run one training stage; a stage that was killed continues where it stopped."""
    from selfpose3d.pipeline import train_stage

    given = parse_selected(parameters, also)
    train_stage(
        given, stage, scene, labels, reconstructions, start or [], weights, truth or [], out
    )


@command("predict")
def predict(
    method: Annotated[str, typer.Argument(help="one of the table of methods: selfpose3d, ...")],
    out: OutOption,
    parameters: ParametersOption = "{}",
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="checkpoint of a training stage; repeat for more, later ones win"),
    ] = None,
    scene: Annotated[list[Path] | None, typer.Option(help="scene folder; repeat for more")] = None,
    labels: Annotated[Path | None, typer.Option(help="folder of the scenes' labels")] = None,
    reconstructions: Annotated[
        Path | None, typer.Option(help="folder of the scenes' training-free people")
    ] = None,
    part: Annotated[
        list[Path] | None, typer.Option(help="predictions of another experiment; repeat for more")
    ] = None,
    people: Annotated[
        list[Path] | None,
        typer.Option(help="3D people made elsewhere, a file of each scene; repeat for more"),
    ] = None,
) -> None:
    """Predict the 3D people of scenes with a method, from the inputs that the method needs."""
    from selfpose3d.methods.entry import PredictionInputs
    from selfpose3d.pipeline import predict_people

    given = parse_selected(parameters)
    inputs = PredictionInputs(
        given, scene or [], checkpoint or [], labels, reconstructions, part or [], people or []
    )
    predict_people(method, inputs, out)


@command("join")
def join(
    first: Annotated[Path, typer.Argument(help="3D people that are all kept")],
    second: Annotated[Path, typer.Argument(help="3D people of the same frames by another method")],
    out: OutOption,
) -> None:
    """Add to one method's 3D people the people of another method whom the first lacks."""
    from selfpose3d.methods.entry import PredictionInputs
    from selfpose3d.pipeline import predict_people

    predict_people("joined", PredictionInputs(parse_selected("{}"), parts=(first, second)), out)


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
    predictions: Annotated[
        list[Path], typer.Option(help="Parquet or JSON file of 3D people; repeat for more")
    ],
    ground_truth: Annotated[
        list[Path], typer.Option(help="Parquet or JSON file of the truth; repeat for more")
    ],
    out: OutOption,
    scene: Annotated[
        list[Path] | None,
        typer.Option(
            help="scene folder, for figures by the number of views that see a person; repeat for "
            "more"
        ),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="folder of the scenes' labels")] = None,
    align_joints: Annotated[
        bool,
        typer.Option(
            "--align-joints",
            help="measure a second time with the joints' constant offsets removed, and print the "
            "offsets; each part of the frames is corrected by the offsets of the other part",
        ),
    ] = False,
) -> None:
    """Evaluate 3D people by the published protocols: AP, Recall@500 and MPJPE; against a truth in
    Shelf's or MVOR's joints also by theirs (PCP, upper bodies)."""
    from selfpose3d.pipeline import evaluate_people

    lines = evaluate_people(predictions, ground_truth, scene or [], labels, align_joints, out)
    typer.echo("\n".join(lines))


@command("agreement")
def agreement(
    predictions: Annotated[Path, typer.Option(help="Parquet file of 3D people")],
    scene: ScenesOption,
    labels: Annotated[Path, typer.Option(help="folder of the scenes' labels")],
    out: OutOption,
) -> None:
    """Measure 3D people without truth: how well they agree with the 2D people of the scenes."""
    from selfpose3d.pipeline import measure_agreement

    headline, *warnings = measure_agreement(scene, labels, predictions, out)
    typer.echo("\n".join([headline, *warnings]))
    for warning in warnings:
        announce(warning)


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


@command("curves")
def curves(
    out: Annotated[Path, typer.Option("--out", "-o", help="folder, one CSV file per stage")],
    stage: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER: a training stage")] = None,
) -> None:
    """Gather the training curves of stages under names that do not depend on parameters."""
    from selfpose3d.pipeline import gather_curves

    gather_curves(_titled(stage or []), out)


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
    rig: Annotated[
        list[Path] | None, typer.Option(help="folder of a sequence's check-rig; repeat for more")
    ] = None,
    benchmarks: Annotated[
        Path | None, typer.Option(help="folder of Snakemake's benchmarks")
    ] = None,
    jobs: Annotated[
        str, typer.Option(help="JSON of the jobs and which they wait for (chains.jobs_text)")
    ] = "[]",
    settings: Annotated[
        str, typer.Option(help="JSON of the parameters that differ from params.yaml, by name")
    ] = "{}",
) -> None:
    """Write the report, one HTML file that opens offline."""
    from selfpose3d.chains import parse_jobs
    from selfpose3d.pipeline import source_note
    from selfpose3d.reporting.report import Footage, ReportInputs, write_report

    footage = None
    if footage_scene and footage_people:
        note = source_note(footage_scene)
        footage = Footage(footage_scene, footage_people, reprojection=footage_report, note=note)
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
        rigs=rig or [],
        benchmarks=benchmarks,
        jobs=parse_jobs(jobs),
        settings=json.loads(settings),
    )
    write_report(inputs, out)


def _titled(pairs: list[str]) -> dict[str, Path]:
    parts = [text.rpartition("=") for text in pairs]
    return {title: Path(path) for title, _, path in parts}


ExperimentName = Annotated[str, typer.Option("--experiment", help="name of the MLflow experiment")]


@command("record-prepare")
def record_prepare(name: ExperimentName = "selfpose3d") -> None:
    """Create or migrate the MLflow store; this is needed once, before anything is recorded."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting.recording import prepare_store

    prepare_store(Mlflow(experiment=name))


@command("record")
def record(
    folder: Annotated[Path, typer.Argument(help="folder of an experiment")],
    scene: Annotated[Path, typer.Option(help="held-out scene for the pictures")],
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
    path: Annotated[Path, typer.Option(help="parameters file to update")] = Path("params.yaml"),
    schema: Annotated[Path, typer.Option(help="JSON schema to write")] = Path(
        "workflow/schemas/parameters.schema.json"
    ),
) -> None:
    """Update params.yaml and its schema to the types; new keys are added and values are kept."""
    from selfpose3d.parameters.file import update_parameters_file

    update_parameters_file(path, schema)


calibration = typer.Typer(
    name="calibration", help="Read and write calibrations of other programs.", no_args_is_help=True
)
app.add_typer(calibration, name="calibration")


@command("formats", calibration)
def calibration_formats() -> None:
    """List the formats of calibrations: files, programs, worlds, lenses."""
    from selfpose3d.calibrations.conversion import format_table

    typer.echo(format_table())


@command("convert", calibration)
def calibration_convert(
    given: Annotated[Path, typer.Argument(metavar="IN", help="file, or folder, of a calibration")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="file, or folder, to write")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="format of IN; found by its name and content if not given"),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="format of OUT; found by its name if not given")
    ] = None,
    units: UnitsOption = None,
    up: UpOption = None,
    size: SizeOption = None,
) -> None:
    """Convert a calibration; options give its unit and axes where the file does not."""
    from selfpose3d.calibrations.conversion import read_calibration, summary, write_calibration

    found, cameras = read_calibration(given, source, _world(units, up, size))
    written = write_calibration(out, target, cameras)
    typer.echo(f"{given} ({found}) -> {out} ({written}): {summary(cameras)}")


@command("code-version")
def code_version(
    raised: Annotated[
        list[str] | None,
        typer.Option("--raise", help="kind of node whose results change, or all; repeat for more"),
    ] = None,
    same: Annotated[
        list[str] | None,
        typer.Option(help="kind of node whose results stay, or all; repeat for more"),
    ] = None,
) -> None:
    """Say whether changed code changes results; without options, list the versions of the code."""
    from selfpose3d.plan.code_versions import LOCK, read_lock, settle, status
    from selfpose3d.plan.keys import own_code

    code = own_code()
    if raised or same:
        settle(LOCK, code, raised or [], same or [])
    typer.echo(status(read_lock(LOCK), code))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    app(args=arguments if arguments is not None else sys.argv[1:])
