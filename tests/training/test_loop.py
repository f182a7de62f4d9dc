"""The loop of every stage: it repeats, goes on where it was killed, and stops where it diverges."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import REPOSITORY
from selfpose3d import seeds
from selfpose3d.errors import TrainingDivergedError
from selfpose3d.files.checkpoints import read_state, write_state
from selfpose3d.files.poses3d import People3D
from selfpose3d.methods.voxels import steps
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.training import loop, runs
from stage_runs import run_stage
from tiny_stages import networks_of, same, tiny, two_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return two_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def bodies(scenes, tmp_path_factory):
    """The checkpoint of an undisturbed stage."""
    return run_stage(tiny(), "bodies", scenes, [], tmp_path_factory.mktemp("bodies"))


def test_a_stage_repeats_to_the_bit(scenes, bodies, tmp_path):
    assert same(run_stage(tiny(), "bodies", scenes, [], tmp_path), bodies)


def test_another_seed_gives_other_weights(scenes, tmp_path):
    first, other = (
        run_stage(tiny(seed=seed), "root", scenes, [], tmp_path / str(seed)) for seed in (0, 1)
    )
    assert not same(first, other)


BODIES = """
import pickle, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from stage_runs import run_stage
from tiny_stages import tiny
scenes = pickle.loads(Path(sys.argv[2]).read_bytes())
out = Path(sys.argv[3])
"""
"""A script that is given the folder of these modules, pickled scenes and where to write."""

KILLED = (
    BODIES
    + """
chosen = tiny(train__bodies__iterations=40, compute__checkpoint_every=3)
run_stage(chosen, "bodies", scenes, [], out)
"""
)


def run_until(job: Path, out: Path, kill: bool) -> None:
    """The bodies stage in a process of its own; killed when it has left a resumable state."""
    here = str(REPOSITORY / "tests")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, here, str(job), str(out)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if kill:
        while not (out / "resume.pt").exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_and_restarted_is_the_same_as_undisturbed(scenes, tmp_path):
    job = tmp_path / "job.pkl"
    job.write_bytes(pickle.dumps(scenes))
    run_until(job, tmp_path / "whole", kill=False)
    run_until(job, tmp_path / "killed", kill=True)
    assert not (tmp_path / "killed" / "checkpoint.pt").exists()
    assert (tmp_path / "killed" / "resume.pt").exists()
    run_until(job, tmp_path / "killed", kill=False)
    assert same(tmp_path / "whole" / "checkpoint.pt", tmp_path / "killed" / "checkpoint.pt")
    whole, killed = (pd.read_csv(tmp_path / name / "curves.csv") for name in ("whole", "killed"))
    assert whole["bodies"].tolist() == killed["bodies"].tolist()


TWO_PROCESSES = (
    BODIES
    + """
for devices in (2, 1):
    chosen = tiny(compute__devices=devices, train__bodies__iterations=2)
    run_stage(chosen, "bodies", scenes, [], out / str(devices))
"""
)


def test_two_processes_train_together(scenes, tmp_path):
    job, script = tmp_path / "job.pkl", tmp_path / "train_by_two.py"
    job.write_bytes(pickle.dumps(scenes))
    script.write_text(TWO_PROCESSES)
    here = str(REPOSITORY / "tests")
    command = [sys.executable, str(script), here, str(job), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    two, one = (networks_of(tmp_path / n / "checkpoint.pt") for n in ("2", "1"))
    assert two.keys() == one.keys() and two["pose"].keys() == one["pose"].keys()
    assert any(not torch.equal(two["pose"][key], one["pose"][key]) for key in one["pose"])
    assert all(torch.isfinite(weights.float()).all() for weights in two["pose"].values())


def test_the_state_of_another_run_is_not_resumed(scenes, bodies, tmp_path):
    tmp_path.joinpath("resume.pt").write_bytes(b"half a file")
    assert same(run_stage(tiny(), "bodies", scenes, [], tmp_path), bodies)


def test_nan_stops_and_keeps_the_last_good_state(scenes, tmp_path, monkeypatch):
    real = steps.BodiesStep.losses
    count = iter(range(100))

    def spoilt(self, batch):
        terms = real(self, batch)
        return {k: v * (float("nan") if next(count) == 2 else 1) for k, v in terms.items()}

    monkeypatch.setattr(steps.BodiesStep, "losses", spoilt)
    with pytest.raises(TrainingDivergedError, match=r"iteration 2 .*not finite.*resume.pt"):
        run_stage(tiny(), "bodies", scenes, [], tmp_path)
    assert (tmp_path / "resume.pt").exists() and not (tmp_path / "checkpoint.pt").exists()


def test_weights_that_are_not_finite_are_not_kept(scenes, tmp_path, monkeypatch):
    real, count = steps.BodiesStep.losses, iter(range(100))

    def poisoned(self, batch):
        if next(count) == 2:
            with torch.no_grad():
                next(self.lifting.pose_net.parameters()).fill_(float("nan"))
        return real(self, batch)

    monkeypatch.setattr(steps.BodiesStep, "losses", poisoned)
    chosen = tiny(train__bodies__on_divergence="keep")
    weights = networks_of(run_stage(chosen, "bodies", scenes, [], tmp_path))["pose"]
    assert all(torch.isfinite(value.float()).all() for value in weights.values())
    told = json.loads((tmp_path / "diverged.json").read_text())
    assert (told["iteration"], told["kept"]) == (2, 2)  # saved after two iterations
    assert read_state(tmp_path / "checkpoint.pt")["facts"]["iterations"] == 2


@pytest.mark.parametrize("kind", ["damaged", "of another run"])
def test_a_saved_state_that_is_not_used_is_said_to_be_so(scenes, tmp_path, capsys, kind):
    if kind == "damaged":
        (tmp_path / "resume.pt").write_bytes(b"no zip file")
    else:
        write_state(tmp_path / "resume.pt", {"fingerprint": "another"})
    run_stage(tiny(), "bodies", scenes, [], tmp_path)
    said = capsys.readouterr().err
    assert "bodies: starts from iteration 0" in said
    assert kind in said and str(tmp_path / "resume.pt") in said


def test_the_state_of_a_run_on_other_people_is_another_runs():
    def of(x, valid=True):
        joints, there = np.full((1, 15, 3), x), np.full((1, 15), valid)
        people = People3D(joints, np.ones(1), there, np.zeros(1, int), PANOPTIC_15)
        return runs.fingerprint(Parameters().train, "data", [], [{("walk", 0): people}])

    assert of(1.0) == of(1.0)
    assert len({of(1.0), of(2.0), of(1.0, valid=False)}) == 3


def test_learning_rate_schedules():
    stage = Parameters().train.root.model_copy(update={"schedule": "step"})
    factors = [loop.learning_rate_factor(stage, i, 100) for i in (0, 49, 50, 75)]
    assert factors == pytest.approx([1, 1, 0.1, 0.01])
    stage = stage.model_copy(update={"schedule": "cosine"})
    assert loop.learning_rate_factor(stage, 0, 100) < 0.1
    assert loop.learning_rate_factor(stage, 99, 100) < 0.02


def test_batches_drawn_ahead_come_in_turn_and_their_errors_where_they_belong(monkeypatch):
    class Two:
        device, world_size, global_rank = torch.device("cpu"), 2, 1

    monkeypatch.setattr(loop, "_ahead", lambda device: True)
    run = runs.Run("root", tiny().train.root, None, 3, Path(), 6, "", PANOPTIC_15)
    made = []

    def draw(number, rng):
        made.append(number)
        if number == 7:
            raise DrawError
        return number, rng.integers(1000)

    class DrawError(Exception):
        pass

    batches = loop.drawn(run, Two, draw, range(1, 6))
    first = next(batches)
    assert first == (3, seeds.stage_rng(3, "root", 3).integers(1000))
    assert next(batches)[0] == 5
    with pytest.raises(DrawError):
        next(batches)
    assert made[:3] == [3, 5, 7]
