"""How good the pseudo labels are on rendered people: the studio table of docs/pseudo_labels.md.

Renders sequences of a studio of its own seed, which no experiment uses, finds their people once
without and once with the second look, makes consensus labels of the latter, and prints all as
Markdown. What was rendered is kept.

    python benchmarks/pseudo_labels.py --out /somewhere --sequences 8 --frames 6
"""

import argparse
import time
from pathlib import Path
from typing import Any

from selfpose3d.detection.blazepose import fetch_weights
from selfpose3d.detection.estimator import detect_blazepose
from selfpose3d.detection.filters import make_labels
from selfpose3d.detection.quality import label_quality
from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.parameters import Parameters
from selfpose3d.pipeline import prepare_scene
from selfpose3d.reconstruction.consensus import consensus_labels
from selfpose3d.reconstruction.training_free import reconstruct_scene
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.studio import bake_bodies, render_sequence

REPOSITORY = Path(__file__).parents[1]
COLUMNS = (
    "| | views | people | found | false (doubled) | median error | mean error | CPU s per view |"
)


def main() -> None:
    arguments = parsed(__doc__)
    parameters = chosen(arguments)
    scenes = rendered(parameters, arguments.out)
    truths = [read_poses3d(truth_file(arguments.out, parameters, scene.name)) for scene in scenes]
    weights = arguments.out / "weights"
    fetch_weights(weights)
    print(COLUMNS)
    print("|---" * COLUMNS.count(" |") + "|")
    for name, second_look in (("first look", False), ("and second look", True)):
        estimator = parameters.estimator.model_copy(update={"second_look": second_look})
        looking = parameters.model_copy(update={"estimator": estimator})
        started = time.process_time()
        labels = []
        for scene in scenes:
            detections = detect_blazepose(scene, looking, weights)
            labels.append(make_labels(detections, parameters.labels, "soft"))
        seconds = time.process_time() - started
        print(row(name, label_quality(labels, truths, scenes), seconds))
    started = time.process_time()
    agreed = [
        in_consensus(scene, views, parameters) for scene, views in zip(scenes, labels, strict=True)
    ]
    seconds = time.process_time() - started
    print(row("consensus of these", label_quality(agreed, truths, scenes), seconds))


def in_consensus(scene: Scene, labels: Views, parameters: Parameters) -> Views:
    """Consensus labels of a scene."""
    people = reconstruct_scene(scene, labels, parameters.training_free)
    return consensus_labels(scene, labels, people, parameters.labels.agreement)


def parsed(what: str | None) -> argparse.Namespace:
    """The options of a command of that description."""
    parser = argparse.ArgumentParser(
        description=what, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for what is rendered")
    parser.add_argument("--sequences", type=int, default=2, help="default: 2")
    parser.add_argument("--frames", type=int, default=4, help="a sequence; default: 4")
    parser.add_argument("--seed", type=int, default=4711, help="of the studio; default: 4711")
    return parser.parse_args()


def chosen(arguments: argparse.Namespace) -> Parameters:
    """The default parameters with a studio of the given size and seed."""
    parameters = Parameters()
    studio = parameters.studio.model_copy(
        update={
            "train_sequences": arguments.sequences,
            "train_frames": arguments.frames,
            "seed": arguments.seed,
        }
    )
    return parameters.model_copy(update={"studio": studio})


def rendered(parameters: Parameters, out: Path) -> list[Scene]:
    """The studio's training sequences as scenes; one folder per seed and length, made once."""
    studio, bodies = parameters.studio, out / "bodies.npz"
    names, _ = SOURCES["studio"].sequences(parameters)
    host = out / f"host-{studio.seed}-{studio.train_frames}"
    made = out / f"scenes-{studio.seed}-{studio.train_frames}"
    if not bodies.exists():
        bake_bodies(bodies)
    for name in names:
        if not (made / name).exists():
            render_sequence(studio, name, REPOSITORY / studio.rig, bodies, host)
            truth = truth_file(out, parameters, name)
            inputs = PrepareInputs(parameters, name, "train", made / name, truth, host)
            prepare_scene("studio", inputs)
    return [read_scene(made / name) for name in names]


def truth_file(out: Path, parameters: Parameters, sequence: str) -> Path:
    """Where the truth of a sequence lies, apart from the scenes."""
    studio = parameters.studio
    return out / f"truth-{studio.seed}-{studio.train_frames}" / f"{sequence}.parquet"


def row(name: str, quality: dict[str, Any], seconds: float) -> str:
    """One line of the table."""
    false = f"{quality['false_positives']} ({quality['duplicates']})"
    errors = [quality["median_error"], quality["mean_error"]]
    shown = ["—" if error is None else f"{error:.2f} %" for error in errors]
    cells = [
        name,
        str(quality["images"]),
        str(quality["people"]),
        "—" if quality["recall"] is None else f"{quality['recall']:.3f}",
        false,
        *shown,
        f"{seconds / quality['images']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
