"""Parts that an installed package adds: a method with one stage, a source, a calibration format.

The package is made here in a temporary folder with nothing but its modules and its metadata; no
file of the project knows of it.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, run_snakemake
from selfpose3d.files.poses3d import read_poses3d

ENTRY_POINTS = """
[selfpose3d.methods]
toy = toy_parts.entries:METHOD
[selfpose3d.sources]
toy_data = toy_parts.entries:SOURCE
[selfpose3d.calibrations]
Toy = toy_parts.entries:CALIBRATION
[selfpose3d.parameters]
train.toy_stage = toy_parts.settings:ToySettings
toy_data = toy_parts.settings:ToyData
"""

ENTRIES = '''
"""The entries of the tables."""
from selfpose3d.calibrations.entry import Calibration
from selfpose3d.methods.entry import Method, Stage
from selfpose3d.sources.entry import Source
from selfpose3d.tables import Step

METHOD = Method(
    stages=(
        Stage(
            "toy_stage",
            "Learn the mean height of the reconstructed people",
            Step("toy_parts.code:train"),
            reads=lambda parameters: ("seed", "compute", "space", "train.toy_stage"),
            start=lambda parameters, earlier: (),
            labels=lambda parameters: "soft",
            needs_people=lambda parameters, earlier: True,
        ),
    ),
    predict=Step("toy_parts.code:predict"),
    given=("checkpoints", "scenes", "reconstructions"),
)
SOURCE = Source(
    title="Toy data",
    sequences=lambda parameters: (parameters.toy_data.train, parameters.toy_data.test),
    reads=lambda parameters, sequence, split: ("data.source", "toy_data.frames"),
    prepare=Step("toy_parts.code:prepare"),
    has_truth=True,
)
CALIBRATION = Calibration("*.toy", Step("toy_parts.code:read_toy"))
'''

SETTINGS = '''
"""What params.yaml may say of the toy's parts."""
from selfpose3d.parameters.section import Section
from selfpose3d.parameters.train import StageSettings

class ToySettings(StageSettings):
    """The toy's one stage."""

    iterations: int | None = 3
    factor: float = 1.0

class ToyData(Section):
    """Drawn people."""

    frames: int = 3
    train: tuple[str, ...] = ("toy_0",)
    test: tuple[str, ...] = ("toy_1",)
'''

CODE = '''
"""What the entries do."""
import json
from dataclasses import replace
import numpy as np
import torch
from selfpose3d.files.checkpoints import merged_checkpoint, write_checkpoint
from selfpose3d.files.poses3d import People3D, read_people_of, write_poses3d
from selfpose3d.files.scenes import read_scene, write_image
from selfpose3d.synthetic.scenes import make_scene, ring

def prepare(inputs):
    seed = int(inputs.sequence[-1])
    frames = inputs.parameters.toy_data.frames
    made = make_scene(inputs.scene, inputs.sequence, seed, ring(4), frames)
    for f, frame in enumerate(made.scene.frames):
        for v, camera in enumerate(made.scene.cameras):
            path = made.scene.image_path(camera.name, frame)
            write_image(path, np.asarray(made.scene.network_frames[f, v]))
    write_poses3d(inputs.truth, made.truth)

def train(inputs):
    people = [p for frames in inputs.reconstructions for p in frames.values()]
    height = float(np.mean([p.joints[..., 2].max() for p in people if len(p)]))
    factor = inputs.parameters.train.toy_stage.factor
    networks = {"toy": {"height": torch.tensor(factor * height)}}
    inputs.out.mkdir(parents=True, exist_ok=True)
    (inputs.out / "curves.csv").write_text("iteration,seconds,toy\\n1,0.1,0.5\\n")
    skeleton = people[0].skeleton
    write_checkpoint(inputs.out / "checkpoint.pt", networks, skeleton, {"stage": "toy_stage"})

def predict(inputs):
    height = float(merged_checkpoint(inputs.checkpoints).networks["toy"]["height"])
    names = [read_scene(path).name for path in inputs.scenes]
    found = read_people_of(inputs.reconstructions, names)
    moved = {}
    for key, people in found.items():
        scale = height / max(people.joints[..., 2].max(), 1.0) if len(people) else 1.0
        moved[key] = replace(people, joints=people.joints * [1, 1, scale])
    return moved

def read_toy(path):
    cameras = ring(3)
    names = json.loads(path.read_text())
    return tuple(cameras[: len(names)])
'''


OVERLAY = {
    "data": {"source": "toy_data"},
    "footage": {"name": "none"},
    "estimator": {
        "name": "ground_truth",
        "files": "data/truth/{dataset}/{sequence}.parquet",
    },
    "train": {"toy_stage": {"factor": 2.0}},
    "run": {"tables": [], "experiments": ["toy"]},
    "experiments": {"toy": {"title": "Toy", "method": "toy"}},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on PYTHONPATH with the package, as pip would have laid it."""
    site = tmp_path_factory.mktemp("site")
    package, metadata = site / "toy_parts", site / "toy_parts-1.0.dist-info"
    for folder in (package, metadata):
        folder.mkdir()
    (package / "__init__.py").write_text("")
    for name, text in {"entries": ENTRIES, "settings": SETTINGS, "code": CODE}.items():
        (package / f"{name}.py").write_text(text)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_parts\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


def python_path(site: Path) -> str:
    return os.pathsep.join([str(REPOSITORY / "src"), str(site)])


def test_a_toy_method_runs_through_plan_rules_and_prediction_on_a_toy_source(
    installed: Path, tmp_path: Path
) -> None:
    overlay = tmp_path / "toy.yaml"
    overlay.write_text(yaml.safe_dump(OVERLAY))
    work = tmp_path / "work"

    status, output = run_snakemake(
        "results/metrics.json", "--configfile", str(overlay),
        workdir=work, PYTHONPATH=python_path(installed),
    )  # fmt: skip

    assert status == 0, output
    (predictions,) = work.glob("results/experiments/toy-seed0-*/predictions.parquet")
    (checkpoint,) = work.glob("results/stages/toy_stage-*/checkpoint.pt")
    (rebuilt,) = work.glob("data/reconstructions/*/toy_1.parquet")
    assert checkpoint.stat().st_size > 0
    found, before = read_poses3d(predictions), read_poses3d(rebuilt)
    assert found.keys() == before.keys()
    for key, people in found.items():
        np.testing.assert_allclose(people.joints[..., :2], before[key].joints[..., :2])
        assert people.joints[..., 2].max() > 1.5 * before[key].joints[..., 2].max()


def test_a_toy_calibration_format_is_found_beside_videos(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "rig.toy").write_text('["a", "b"]')
    script = (
        "import sys; from pathlib import Path;"
        "from selfpose3d.calibrations import read_calibration_of;"
        "print([camera.name for camera in read_calibration_of(Path(sys.argv[1]))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": python_path(installed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == "['cam0', 'cam1']"


def test_without_the_package_its_parts_are_unknown(tmp_path: Path) -> None:
    overlay = tmp_path / "toy.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"source": "toy_data"}}))

    status, output = run_snakemake(
        "--dry-run", "--configfile", str(overlay), workdir=tmp_path / "work"
    )

    assert status != 0
    known = "['campus', 'keypoints', 'keypoints_with_truth', 'mvor'"
    assert f"data.source: 'toy_data' is unknown; known: {known}" in output
