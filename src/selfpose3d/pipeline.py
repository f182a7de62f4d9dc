"""The pipeline's steps over files: what a command reads, calls and writes.

Each function turns files into files by calling the one room of the package that does the work.
Only stages and estimators that the tables mark as given the truth are handed a path of it, beside
``measure_labels``, ``measure_heatmaps`` and ``evaluate``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from selfpose3d.detection import ESTIMATORS
from selfpose3d.detection.scene_people import read_labels
from selfpose3d.errors import InputError
from selfpose3d.fetch import WEIGHTS
from selfpose3d.files.atomic import whole_folder, write_json
from selfpose3d.files.poses2d import (
    People2D,
    Views,
    people_file,
    read_poses2d,
    skeleton_of,
    write_poses2d,
)
from selfpose3d.files.poses3d import (
    Frames,
    converted_frames,
    read_all_poses3d,
    read_people_as,
    read_people_of,
    read_poses3d,
    write_poses3d,
)
from selfpose3d.files.results import (
    AGREEMENT,
    HEADLINE,
    curve_terms,
    is_length,
    read_curves,
    read_metrics,
    read_recorded,
    write_metrics,
    write_recorded,
)
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.files.space import check_space
from selfpose3d.methods import METHODS, STAGES
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.parameters import Data, LabelSettings, Parameters, Space, TrainingFree
from selfpose3d.progress import track
from selfpose3d.skeletons import ESTIMATORS_OWN, named_or, of_labels
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import PrepareInputs, stamps_of
from selfpose3d.tables import known

if TYPE_CHECKING:
    from selfpose3d.calibrations import World
    from selfpose3d.keypoints.reading import Told


def prepare_scene(source: str, inputs: PrepareInputs) -> None:
    """Make a sequence of a source a scene, and its truth where there is any."""
    entry = known(SOURCES, source, "the source")
    needed = {"truth": entry.has_truth, "host": entry.renders is not None}
    for name in (name for name, needs in needed.items() if needs and not getattr(inputs, name)):
        raise InputError(f"the source {source!r} needs --{name}: a path for it")
    entry.prepare.load()(inputs)


def source_note(scene: Path) -> str:
    """What must be said wherever a scene's pictures are shown."""
    return known(SOURCES, read_scene(scene).source, "the source").note


def list_own_files(parameters: Parameters, out: Path) -> None:
    """Write size and time of change of the user's own files that a plain run is made of: videos,
    calibrations, rigs, 2D and 3D people, weights; for DVC, which looks at this list instead of at
    each of them."""
    from selfpose3d.plan.own_files import files_of_plan
    from selfpose3d.plan.planning import make_plan
    from selfpose3d.plan.study import plain_run

    plan = make_plan(parameters, plain_run(parameters))
    write_json(out, stamps_of(files_of_plan(plan)))


def fetch_named_weights(name: str, parameters: Parameters, cache: Path, out: Path) -> None:
    """Fetch weights by their name into a folder."""
    entry = known(WEIGHTS, name, "the weights")
    entry.fetch.load()(out, parameters, cache)


def detect_people(
    parameters: Parameters, scene: Path, weights: Path | None, workers: int, out: Path
) -> None:
    """Write the 2D people of a scene, by the estimator that the parameters name."""
    name = parameters.estimator.name
    estimator = known(ESTIMATORS, name, "estimator.name")
    if estimator.weights and not weights:
        raise InputError(f"the estimator {name!r} needs --weights: the folder of its weights")
    write_poses2d(out, estimator.detect.load()(read_scene(scene), parameters, weights, workers))


def label_sequences(
    labels: LabelSettings, kind: str, detections: Sequence[Path], out: Path
) -> list[str]:
    """Filter the detections of sequences into a folder of label files, noise put on them first
    where ``labels.noise`` asks for it.

    Returns:
        for each sequence warnings of people who are there twice, and a line that says who was
        dropped, and by which threshold.

    Raises:
        InputError: of a sequence with people nobody is left.
    """
    from selfpose3d.detection.doubles import doubled_people
    from selfpose3d.detection.filters import in_skeleton, losses, make_labels, with_noise

    if kind not in ("soft", "hard"):
        raise InputError(f"labels are soft or hard, not {kind!r}")
    wanted, said = cast(Literal["soft", "hard"], kind), []
    with whole_folder(out) as folder:
        for path in detections:
            found: Views = read_poses2d(path)
            said += [f"Warning: {path.stem}: {each}." for each in doubled_people(found)]
            skeleton = of_labels(labels.skeleton, skeleton_of(found, str(path)))
            views: Views = in_skeleton(found, skeleton)
            if labels.noise:
                views = with_noise(views, labels.noise, labels.noise_seed, path.stem)
            said.append(f"{path.stem}: {losses(views, labels, wanted, str(path)).said(labels)}")
            kept = make_labels(views, labels, wanted, skeleton)
            write_poses2d(people_file(folder, path.stem), kept)
    return said


def reconstruct_files(
    calibration: Path,
    keypoints: Path,
    out: Path,
    told: "Told",
    world: "World",
    person_score: float,
    max_ray_distance: float,
) -> Iterator[str]:
    """Reconstruct 3D people from a calibration and 2D people, without parameters or pictures.

    The rig is checked first.

    Args:
        calibration: file or folder.
        keypoints: file or folder of 2D people.
        out: the Parquet file to write, in the joints of the 2D people.
        told: what the user says of the 2D people.
        world: what the user says of the calibration.
        person_score: lowest score of a 2D person who is used.
        max_ray_distance: as ``training_free.max_ray_distance``, mm.

    Yields:
        what the check found, then what the reconstruction found, in sentences and lines.

    Raises:
        InputError: a file can't be used, or nobody is left.
    """
    from selfpose3d.detection.doubles import doubled_people
    from selfpose3d.detection.filters import Remedies, losses, make_labels
    from selfpose3d.evaluation.findings import findings
    from selfpose3d.evaluation.reprojection import reprojection_report
    from selfpose3d.reconstruction.training_free import reconstruct_scene
    from selfpose3d.rig.checking import check
    from selfpose3d.sources.keypoints import read_rig, scene_without_images

    cameras, name = read_rig(calibration, world), keypoints.stem
    size = (cameras[0].width, cameras[0].height)
    rate = Data().frame_rate  # which no frame's reconstruction depends on
    scene, found = scene_without_images(calibration, name, cameras, keypoints, told, size, rate)
    yield from check(cameras, found, dict(zip(scene.frames, scene.times, strict=True)))[1]
    yield from (f"Warning: {sentence}." for sentence in doubled_people(found))
    settings = LabelSettings(person_score=person_score)
    free = TrainingFree(max_ray_distance=max_ray_distance)
    skeleton = named_or(ESTIMATORS_OWN, found.skeleton)
    remedies = Remedies(
        "--person-score {} keeps them", "let the estimator write joints of low scores, too"
    )
    lost = losses(found, settings, "soft", str(keypoints), remedies)
    labels = make_labels(found, settings, "soft", skeleton)
    people = reconstruct_scene(scene, labels, free)
    limit = _limit(free, "--max-ray-distance")
    _check_anybody(people, labels, limit, str(keypoints))
    write_poses3d(out, people)
    report = reprojection_report(scene, labels, people)
    yield from findings(report, lost.said(settings), limit)


def _limit(settings: TrainingFree, raised_by: str) -> str:
    return (
        f"seen by fewer than {settings.min_views} views, or their rays pass farther than "
        f"{settings.max_ray_distance:g} mm from those of the others: {raised_by}"
    )


def _check_anybody(people: Frames, labels: Views, limit: str, where: str) -> None:
    """Refuse a reconstruction without anybody where there are 2D people."""
    count = sum(len(seen) for seen in labels.values())
    if count and not any(len(present) for present in people.values()):
        raise InputError(
            f"{where}: {count} 2D people, and nobody in 3D ({limit}); look at the "
            "calibration (direction of R and t, units, names of the cameras, principal points), at "
            "the size of the images that the people are given in, and whether the frames' numbers "
            "are those of one instant in all cameras"
        )


def reconstruct_sequences(
    parameters: TrainingFree, scenes: Sequence[Path], labels: Path, out: Path
) -> None:
    """Reconstruct the 3D people of scenes from their labels into a folder of files.

    Raises:
        InputError: nobody is found in a scene whose labels have people.
    """
    from selfpose3d.reconstruction.training_free import reconstruct_scene

    limit = _limit(parameters, "training_free.min_views, .max_ray_distance")
    with whole_folder(out) as folder:
        for scene in track([read_scene(path) for path in scenes], "scenes", unit="scenes"):
            views = read_labels(labels, scene)
            people = reconstruct_scene(scene, views, parameters)
            _check_anybody(people, views, limit, str(scene.folder))
            write_poses3d(people_file(folder, scene.name), people)


def agree_on_labels(
    settings: LabelSettings, scenes: Sequence[Path], labels: Path, people: Path, out: Path
) -> list[str]:
    """Make consensus labels of scenes out of their labels and of what was reconstructed from them.

    Returns:
        for each scene a line that says how many of the 2D people are new, and how many went.
    """
    from selfpose3d.reconstruction.consensus import consensus_labels

    said = []
    with whole_folder(out) as folder:
        for scene in map(read_scene, scenes):
            views = read_labels(labels, scene)
            frames = read_people_as(people_file(people, scene.name), scene.name, scene.frames)
            known = {(scene.name, frame): each for frame, each in frames.items()}
            agreed = consensus_labels(scene, views, known, settings.agreement)
            write_poses2d(people_file(folder, scene.name), agreed)
            before, after = (sum(map(len, each.values())) for each in (views, agreed))
            said.append(f"{scene.name}: {before} 2D people became {after}")
    return said


def measure_labels(scenes: Sequence[Path], labels: Path, truth: Sequence[Path], out: Path) -> None:
    """Write how good labels are against exact projections, over all scenes, each with its truth."""
    from selfpose3d.detection.quality import label_quality

    read = [read_scene(path) for path in scenes]
    views = [read_labels(labels, scene) for scene in read]
    truths = [read_poses3d(path) for path in truth]
    write_json(out, label_quality(views, truths, read))


def measure_heatmaps(
    parameters: Parameters,
    checkpoint: Path,
    scenes: Sequence[Path],
    labels: Path,
    truth: Sequence[Path],
    out: Path,
) -> None:
    """Write how good a trained backbone's heatmaps are against exact projections."""
    from selfpose3d.detection.scene_people import scene_people
    from selfpose3d.evaluation.heatmap_quality import HeatmapTally
    from selfpose3d.files.checkpoints import read_checkpoint
    from selfpose3d.methods.voxels.predict import scene_heatmaps

    skeleton = read_checkpoint(checkpoint).skeleton
    tally = HeatmapTally(skeleton)
    everybody = converted_frames(read_all_poses3d(truth), skeleton, partly=True)
    for scene in [read_scene(path) for path in scenes]:
        people = scene_people(scene, read_labels(labels, scene))
        cameras = scene.network_cameras()
        for index, maps in enumerate(scene_heatmaps(parameters, scene, [checkpoint])):
            present = everybody.get((scene.name, scene.frames[index]))
            if present is None:
                continue
            for view, camera in enumerate(cameras):
                scores = people.scores[index, view]
                seen = People2D(people.points[index, view], scores, scores.max(-1), skeleton)
                tally.add(maps[view], parameters.heatmaps.stride, camera, present, seen)
    write_json(out, tally.summary())


def refine_scene(scene: Path, labels: Path, people: Path, out: Path) -> None:
    """Write a copy of a scene with its principal points refitted to its labels."""
    from selfpose3d.reconstruction.refined_cameras import write_refined_scene

    views = read_poses2d(labels)
    write_refined_scene(read_scene(scene), views, read_poses3d(people), out)


def check_rig_folder(
    folder: Path,
    people: Path | None,
    rate: float | None,
    told: "Told",
    world: "World",
    out: Path | None,
    refined: Path | None,
    focal_lengths: bool,
    space: Space | None = None,
) -> Iterator[str]:
    """Examine a rig by its 2D people, then refine it where asked.

    Args:
        folder: a scene, or a folder with a calibration and 2D people.
        people: the 2D people, if they lie elsewhere.
        rate: frames per second, where the folder is not a scene; None for the default of
            ``data.frame_rate``, which the reconstruction of files takes as well.
        told: what the user says of the 2D people.
        world: what the user says of the calibration.
        out: folder for ``rig.json`` and ``rig.png``.
        refined: the cameras.json to write with refined poses.
        focal_lengths: whether focal lengths are refined as well.
        space: of the parameters, in which people are looked for.

    Yields:
        what was found, in sentences.
    """
    from selfpose3d.files.scenes import write_cameras
    from selfpose3d.rig.checking import check
    from selfpose3d.rig.inputs import read_seen
    from selfpose3d.rig.refinement import refine
    from selfpose3d.rig.report import refinement_sentence, write_examination

    seen = read_seen(folder, people, rate or Data().frame_rate, told, world)
    looked_in = (space.centre, space.size) if space else None
    found, said = check(seen.cameras, seen.views, seen.times, looked_in)
    if out is not None:
        write_examination(out, found, said)
    yield from said
    if refined is not None:
        better = refine(seen.cameras, seen.views, seen.times, focal_lengths)
        if not better.kept_given:
            write_cameras(refined, better.cameras)
        yield refinement_sentence(better, refined)


def report_reprojection(scene: Path, labels: Path, predictions: Path, out: Path) -> None:
    """Write how well 3D people reproject onto the labels of a scene."""
    from selfpose3d.evaluation.reprojection import reprojection_report

    read = read_scene(scene)
    views = read_poses2d(labels)
    write_json(out, reprojection_report(read, views, read_poses3d(predictions)))


def evaluate_people(
    predictions: Sequence[Path],
    truths: Sequence[Path],
    scenes: Sequence[Path],
    labels: Path | None,
    align: bool,
    out: Path,
) -> list[str]:
    """Write the metrics of 3D people against the truth.

    Args:
        predictions: files of 3D people.
        truths: files of the ground truth.
        scenes: folders, to measure by the views that see a person.
        labels: folder of their 2D people.
        align: measure as well with joint definitions aligned.
        out: ``metrics.json``.

    Returns:
        the headline in a line, that of the truth's own protocol, and lines on what was compared.
    """
    from selfpose3d.evaluation import evaluate_files
    from selfpose3d.evaluation.measures import PROTOCOLS

    if bool(scenes) != bool(labels):
        raise InputError("--scene and --labels: one is of no use without the other; give both")
    takes = _takes(scenes, labels) if labels else []
    metrics, lines = evaluate_files(predictions, truths, takes, align)
    write_metrics(out, metrics)
    own = [each.name for each in PROTOCOLS.values() if each.name in metrics]
    headlines = [
        _figures({key: metrics[key] for key in sorted(HEADLINE, key=is_length)}),
        *(f"{name}: {_figures(metrics[name])}" for name in own),
    ]
    return [*headlines, *lines]


def _takes(scenes: Sequence[Path], labels: Path) -> list[tuple[Scene, Views]]:
    """Scenes with their 2D people."""
    return [(scene, read_labels(labels, scene)) for scene in map(read_scene, scenes)]


def _figures(values: Mapping[str, Any]) -> str:
    """Numbers by their names, in a line."""
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    return "  ".join(
        f"{name} {'–' if value is None else f'{value:.1f}'}" for name, value in plain.items()
    )


def measure_agreement(
    scenes: Sequence[Path], labels: Path, predictions: Path, out: Path
) -> list[str]:
    """Write the metrics of 3D people without truth: how well they agree with the 2D people.

    Returns:
        the headline in a line, then sentences on what is bad.
    """
    from selfpose3d.evaluation.reprojection import agreement

    metrics = agreement(_takes(scenes, labels), read_poses3d(predictions))
    write_metrics(out, metrics)
    headline = _figures({name: metrics[name] for name in AGREEMENT})
    return [headline, *(f"Warning: {sentence}" for sentence in metrics["warnings"])]


def train_stage(
    parameters: Parameters,
    stage: str,
    scenes: Sequence[Path],
    labels: Path,
    reconstructions: Path | None,
    start: Sequence[Path],
    weights: Path | None,
    truth: Sequence[Path],
    out: Path,
) -> None:
    """Run one training stage on scenes and their labels.

    Raises:
        InputError: there is no such stage, or it is given the truth and learns without it, or the
            other way round.
    """
    from selfpose3d.methods.entry import StageInputs

    entry = known(STAGES, stage, "the stage")
    if entry.supervised != bool(truth):
        said = "needs --truth" if entry.supervised else "learns without 3D truth; leave out --truth"
        raise InputError(f"the stage {stage!r} {said}")
    read = [read_scene(path) for path in scenes]
    views = [read_labels(labels, scene) for scene in read]
    people: list[Frames] = []
    if reconstructions is not None:
        people = [read_people_of(reconstructions, [scene.name]) for scene in read]
        everybody = {key: value for frames in people for key, value in frames.items()}
        check_space(parameters.space.centre, parameters.space.size, everybody, str(reconstructions))
    entry.train.load()(StageInputs(parameters, read, views, out, start, people, weights, truth))


def predict_people(method: str, inputs: PredictionInputs, out: Path) -> None:
    """Predict the 3D people of scenes into one file, by a method of the table."""
    entry = known(METHODS, method, "the method")
    lacking = [kind for kind in entry.given if not getattr(inputs, kind)]
    if lacking:
        raise InputError(f"the method {method!r} predicts from {lacking}, which were not given")
    write_poses3d(out, entry.predict.load()(inputs))


def gather_metrics(rows: Mapping[str, Sequence[Path]], out: Path) -> None:
    """Write the headline metrics of every experiment, the mean over its seeds.

    Args:
        rows: experiment folders (one per seed) by experiment name.
        out: JSON, ``{experiment: {metric: value}}``; without truth with those of each camera,
            ``{experiment: {"cameras": {name: {metric: value}}}}``.
    """
    gathered = {}
    for name, folders in rows.items():
        metrics = [read_metrics(folder) for folder in folders]
        shown = [key for key in (*HEADLINE, *AGREEMENT, "cameras") if key in metrics[0]]
        gathered[name] = {key: _mean([row[key] for row in metrics]) for key in shown}
    write_json(out, gathered)


def _mean(values: Sequence[Any]) -> Any:
    """The mean, of mappings key by key; none where a seed has no value (nobody was found)."""
    if isinstance(values[0], Mapping):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def gather_curves(stages: Mapping[str, Path], out: Path) -> None:
    """Write the training curves of stages into one folder, each with its total loss.

    Args:
        stages: their folders by the names that the files are to have.
        out: folder of CSV files: ``iteration``, ``total`` (the sum of the terms, which are weighted
            as they are minimised), and each term.
    """
    with whole_folder(out) as folder:
        for name, stage in stages.items():
            curves = read_curves(stage)
            terms = curves[curve_terms(curves)]
            terms.insert(0, "total", terms.sum(axis="columns", skipna=False))
            terms.insert(0, "iteration", curves["iteration"])
            terms.to_csv(folder / f"{name}.csv", index=False)


def record_experiment(folder: Path, scene: Path, benchmarks: Path, name: str, out: Path) -> None:
    """Record an experiment's folder in MLflow with pictures of its people on a held-out scene."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting.figures import confident, pictures
    from selfpose3d.reporting.recording import record

    people = confident(read_poses3d(folder / "predictions.parquet"))
    shown = pictures(read_scene(scene), people)
    write_recorded(out, record(folder, Mlflow(experiment=name), benchmarks, shown))


def record_table(table: str, experiments: Sequence[Path], name: str, out: Path) -> None:
    """Tag the recorded runs of a table by its name in MLflow, and no others."""
    from selfpose3d.parameters import Mlflow
    from selfpose3d.reporting import recording

    runs = [read_recorded(folder) for folder in experiments]
    recording.record_table(table, runs, Mlflow(experiment=name))
    write_json(out, {"run_ids": runs})
