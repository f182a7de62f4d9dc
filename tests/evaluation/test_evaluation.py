"""The published protocol: worked by hand, and against a plain loop."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.errors import InputError
from selfpose3d.evaluation import evaluate, evaluate_files
from selfpose3d.evaluation.metrics import THRESHOLDS_MM
from selfpose3d.files.poses3d import Frames, People3D, write_poses3d
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import random_people

KEY = ("studio", 0)


def bodies_at(*positions: tuple[float, float, float]) -> People3D:
    """Bodies whose 15 joints all lie in one point, valid, score 1."""
    joints = np.tile(np.array(positions, dtype=float).reshape(-1, 1, 3), (1, 15, 1))
    return People3D.predicted(joints, np.ones(len(joints)), PANOPTIC_15)


def predicted_at(*positions_and_scores: tuple[float, float, float, float]) -> People3D:
    values = np.array(positions_and_scores, dtype=float).reshape(-1, 4)
    return People3D.predicted(np.tile(values[:, None, :3], (1, 15, 1)), values[:, 3], PANOPTIC_15)


def plain_protocol(predictions: Frames, truth: Frames) -> dict[str, float | None]:
    """The protocol as one would write it down: a loop over frames, people and thresholds."""
    matches = []
    n_bodies = 0
    for key in sorted(truth):
        bodies = [(j, v) for j, v in zip(truth[key].joints, truth[key].valid, strict=True)]
        bodies = [(j, v) for j, v in bodies if v.any()]
        people = predictions.get(key)
        if bodies and people is not None:
            for joints, score in zip(people.joints, people.scores, strict=True):
                errors = [np.linalg.norm(joints[v] - j[v], axis=1).mean() for j, v in bodies]
                matches.append((score, min(errors), n_bodies + int(np.argmin(errors))))
        n_bodies += len(bodies)
    matches.sort(key=lambda match: -match[0])
    result: dict[str, float | None] = {}
    for threshold in THRESHOLDS_MM:
        result[f"AP{threshold}"] = 100 * plain_ap(matches, n_bodies, threshold)
    found: dict[int, float] = {}
    for _, error, body in matches:
        if error < 500 and body not in found:
            found[body] = error
    result["Recall@500"] = 100 * len(found) / n_bodies
    result["MPJPE"] = float(np.mean(list(found.values()))) if found else None
    return result


def plain_ap(matches: list[tuple[float, float, int]], n_bodies: int, threshold: float) -> float:
    taken: set[int] = set()
    recalls, precisions = [0.0], [0.0]
    hits = 0
    for count, (_, error, body) in enumerate(matches, start=1):
        if error < threshold and body not in taken:
            taken.add(body)
            hits += 1
        recalls.append(hits / (n_bodies + 1e-5))
        precisions.append(hits / (count + 1e-5))
    for i in range(len(precisions) - 2, -1, -1):
        precisions[i] = max(precisions[i], precisions[i + 1])
    return sum(
        (recalls[i] - recalls[i - 1]) * precisions[i]
        for i in range(1, len(recalls))
        if recalls[i] != recalls[i - 1]
    )


class TestWorkedByHand:
    def test_two_bodies_one_missed_one_false(self) -> None:
        truth = {KEY: bodies_at((0, 0, 0), (1000, 0, 0))}
        # falling scores: 30 mm from the first; 40 mm from the first again; 600 mm from the second
        predictions = {
            KEY: predicted_at((30, 0, 0, 0.9), (0, 40, 0, 0.8), (1600, 0, 0, 0.7)),
        }
        metrics = evaluate(predictions, truth)
        assert metrics["AP25"] == 0
        recall, precision = 1 / (2 + 1e-5), 1 / (1 + 1e-5)
        for threshold in (50, 75, 100, 125, 150):
            assert metrics[f"AP{threshold}"] == pytest.approx(100 * recall * precision, rel=1e-12)
        assert metrics["mAP"] == pytest.approx(100 * recall * precision * 5 / 6, rel=1e-12)
        assert metrics["Recall@500"] == 50
        assert metrics["MPJPE"] == pytest.approx(30)
        assert (metrics["frames"], metrics["people"], metrics["predictions"]) == (1, 2, 3)

    def test_the_envelope_lifts_an_early_miss(self) -> None:
        truth = {KEY: bodies_at((0, 0, 0), (1000, 0, 0))}
        predictions = {
            KEY: predicted_at((300, 0, 0, 0.9), (0, 10, 0, 0.8), (1010, 0, 0, 0.7)),
        }
        # hits after 1, 2, 3 predictions: 0, 1, 2; the envelope is 2/3 throughout
        expected = 100 * (2 / (2 + 1e-5)) * (2 / (3 + 1e-5))
        metrics = evaluate(predictions, truth)
        assert metrics["AP25"] == pytest.approx(expected, rel=1e-12)
        # the highest-scored match below 500 mm counts, not the best one
        assert metrics["MPJPE"] == pytest.approx((300 + 10) / 2)

    def test_an_error_at_the_threshold_is_a_miss(self) -> None:
        truth = {KEY: bodies_at((0, 0, 0))}
        assert evaluate({KEY: predicted_at((25, 0, 0, 1))}, truth)["AP25"] == 0
        assert evaluate({KEY: predicted_at((500, 0, 0, 1))}, truth)["Recall@500"] == 0

    def test_nothing_below_500_has_no_mpjpe(self) -> None:
        metrics = evaluate({KEY: predicted_at((900, 0, 0, 1))}, {KEY: bodies_at((0, 0, 0))})
        assert metrics["MPJPE"] is None
        assert metrics["joints"]["neck"] is None
        json.dumps(metrics, allow_nan=False)

    def test_only_valid_joints_count(self) -> None:
        body = bodies_at((0, 0, 0))
        valid = body.valid.copy()
        valid[0, 1:] = False
        body = replace(body, valid=valid)
        prediction = predicted_at((900, 0, 0, 1))
        prediction.joints[0, 0] = (20, 0, 0)
        metrics = evaluate({KEY: prediction}, {KEY: body})
        assert metrics["MPJPE"] == pytest.approx(20)
        assert metrics["joints"]["neck"] == pytest.approx(20)
        assert metrics["joints"]["nose"] is None
        assert metrics["root"] is None

    def test_roots_alone(self) -> None:
        prediction = predicted_at((200, 0, 0, 1))
        prediction.joints[0, PANOPTIC_15.index("mid_hip")] = (0, 0, 10)
        metrics = evaluate({KEY: prediction}, {KEY: bodies_at((0, 0, 0))})
        assert metrics["AP150"] == 0
        assert metrics["root"]["AP25"] == pytest.approx(100, abs=0.01)
        assert metrics["root"]["MPJPE"] == pytest.approx(10)

    def test_per_joint_errors_use_the_matches_of_the_body(self) -> None:
        prediction = predicted_at((0, 0, 0, 1))
        prediction.joints[0, :, 0] = np.arange(15)
        metrics = evaluate({KEY: prediction}, {KEY: bodies_at((0, 0, 0))})
        assert list(metrics["joints"].values()) == pytest.approx(list(range(15)))
        assert list(metrics["joints"]) == list(PANOPTIC_15.joints)


class TestWhichFramesCount:
    def test_predictions_without_truth_are_left_out(self) -> None:
        truth = {("a", 0): bodies_at((0, 0, 0)), ("a", 1): bodies_at()}
        right = {("a", 0): predicted_at((10, 0, 0, 0.5))}
        crowd = predicted_at((0, 0, 0, 0.9), (9, 9, 9, 0.8))
        noisy = {**right, ("a", 1): crowd, ("a", 2): crowd, ("b", 0): crowd}
        assert evaluate(noisy, truth) == evaluate(right, truth)

    def test_frames_without_predictions_are_missed(self) -> None:
        truth = {("a", 0): bodies_at((0, 0, 0)), ("b", 7): bodies_at((0, 0, 0))}
        metrics = evaluate({("a", 0): predicted_at((10, 0, 0, 1))}, truth)
        assert metrics["Recall@500"] == 50
        assert metrics["per_sequence"]["a"]["Recall@500"] == 100
        assert metrics["per_sequence"]["b"]["Recall@500"] == 0
        assert metrics["per_sequence"]["b"]["MPJPE"] is None

    def test_grouped_by_the_number_of_people(self) -> None:
        truth = {
            ("a", 0): bodies_at((0, 0, 0)),
            ("a", 1): bodies_at((0, 0, 0), (1000, 0, 0)),
        }
        predictions = {
            ("a", 0): predicted_at((0, 0, 5, 1)),
            ("a", 1): predicted_at((0, 0, 15, 1)),
        }
        groups = evaluate(predictions, truth)["per_people"]
        assert {key: group["people"] for key, group in groups.items()} == {"1": 1, "2": 2}
        assert {key: group["frames"] for key, group in groups.items()} == {"1": 1, "2": 1}
        assert groups["1"]["MPJPE"] == pytest.approx(5)
        assert groups["2"]["Recall@500"] == 50

    def test_nobody_predicted_is_a_result(self) -> None:
        metrics = evaluate({KEY: predicted_at()}, {KEY: bodies_at((0, 0, 0))})
        assert (metrics["mAP"], metrics["Recall@500"], metrics["MPJPE"]) == (0, 0, None)


class TestAgainstThePlainLoop:
    @settings(max_examples=120, deadline=None)
    @given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 8), levels=st.integers(1, 5))
    def test_equal_on_random_people(self, seed: int, n_frames: int, levels: int) -> None:
        rng = np.random.default_rng(seed)
        truth = {("s", frame): random_bodies(rng) for frame in range(n_frames)}
        truth[("s", n_frames)] = bodies_at((0, 0, 0))
        predictions = {
            key: noisy(rng, bodies, levels) for key, bodies in truth.items() if rng.random() < 0.9
        }
        predictions[("s", n_frames)] = predicted_at()
        metrics = evaluate(predictions, truth)
        for key, value in plain_protocol(predictions, truth).items():
            assert metrics[key] == (None if value is None else pytest.approx(value, rel=1e-9)), key

    def test_linear_in_the_frames(self) -> None:
        rng = np.random.default_rng(0)
        joints = rng.normal(0, 1000, (2000, 4, 15, 3))
        truth = {
            ("s", i): People3D.predicted(j, np.ones(4), PANOPTIC_15) for i, j in enumerate(joints)
        }
        predictions = {
            ("s", i): People3D.predicted(j + rng.normal(0, 30, j.shape), rng.random(4), PANOPTIC_15)
            for i, j in enumerate(joints)
        }
        spent = []
        for _ in range(5):
            start = time.process_time()
            evaluate(predictions, truth)
            spent.append(time.process_time() - start)
        assert min(spent) < 0.3, "2000 frames of 4 people take about 0.05 s on an idle core"


def random_bodies(rng: np.random.Generator) -> People3D:
    count = int(rng.integers(0, 4))
    joints = rng.normal(0, 400, (count, 1, 3)) + rng.normal(0, 100, (count, 15, 3))
    valid = rng.random((count, 15)) < rng.choice([1.0, 0.7])
    return People3D(joints, np.ones(count), valid, np.arange(count), PANOPTIC_15)


def noisy(rng: np.random.Generator, bodies: People3D, levels: int) -> People3D:
    chosen = rng.integers(0, max(len(bodies), 1), int(rng.integers(0, 5)))
    base = bodies.joints[chosen] if len(bodies) else rng.normal(0, 400, (len(chosen), 15, 3))
    spread = rng.choice([5, 30, 60, 300], (len(chosen), 1, 1))
    joints = base + rng.normal(0, 1, base.shape) * spread
    return People3D.predicted(joints, rng.integers(0, levels, len(chosen)) / levels, PANOPTIC_15)


class TestFiles:
    def test_several_files_are_joined(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write_poses3d(tmp_path / f"p_{name}.parquet", {(name, 0): predicted_at((9, 0, 0, 1))})
            write_poses3d(tmp_path / f"t_{name}.parquet", {(name, 0): bodies_at((0, 0, 0))})
        metrics, _ = evaluate_files(sorted(tmp_path.glob("p_*")), sorted(tmp_path.glob("t_*")))
        assert metrics["people"] == 2
        assert metrics["MPJPE"] == pytest.approx(9)

    def test_json_in_place_of_parquet(self, tmp_path: Path) -> None:
        rows = [{"frame": 3, "people": [{"joints": [[0, 0, 0]] * 15}]}]
        path = tmp_path / "people.json"
        path.write_text(json.dumps(rows))
        assert evaluate_files([path], [path])[0]["MPJPE"] == 0

    def test_another_data_set_is_refused(self, tmp_path: Path) -> None:
        write_poses3d(tmp_path / "p.parquet", {("walk", 0): predicted_at((0, 0, 0, 1))})
        write_poses3d(tmp_path / "t.parquet", {("dance", 0): bodies_at((0, 0, 0))})
        with pytest.raises(InputError, match=r"p\.parquet.*in common.*'walk'.*'dance'"):
            evaluate_files([tmp_path / "p.parquet"], [tmp_path / "t.parquet"])

    def test_a_frame_given_twice_is_refused(self, tmp_path: Path) -> None:
        write_poses3d(tmp_path / "t.parquet", {KEY: bodies_at((0, 0, 0))})
        with pytest.raises(InputError, match="in another of the given files"):
            evaluate_files([tmp_path / "t.parquet"] * 2, [tmp_path / "t.parquet"])

    def test_empty_sides_are_refused(self) -> None:
        with pytest.raises(InputError, match="holds nobody"):
            evaluate({KEY: bodies_at()}, {KEY: bodies_at()})
        with pytest.raises(InputError, match="hold no frame"):
            evaluate({}, {KEY: bodies_at((0, 0, 0))})


def people_of_size(size: float) -> People3D:
    """One person of 15 joints in a line up from the floor, 2 m from the world's origin."""
    joints = np.zeros((1, 15, 3))
    joints[..., 0], joints[..., 2] = 2000, np.linspace(0, 1700, 15)
    return People3D.predicted(joints * size, np.ones(1), PANOPTIC_15)


class TestCommand:
    """What ``selfpose3d evaluate`` prints."""

    def told(self, folder: Path, predictions: Frames, truth: Frames) -> str:
        write_poses3d(folder / "p.parquet", predictions)
        write_poses3d(folder / "t.parquet", truth)
        files = ["--predictions", folder / "p.parquet", "--ground-truth", folder / "t.parquet"]
        done = CliRunner().invoke(app, list(map(str, ["evaluate", *files, "--out", folder / "o"])))
        assert done.exit_code == 0, done.output
        return done.output

    def test_how_much_was_evaluated_and_what_was_left_out(self, tmp_path: Path) -> None:
        one = people_of_size(1)
        truth = {("a", frame): one for frame in (0, 1, 2)} | {("a", 3): bodies_at()}
        told = self.told(tmp_path, {("a", frame): one for frame in (2, 3, 4, 5, 6)}, truth)
        assert "MPJPE 0.0" in told
        assert "3 frames and 3 people of the truth, 1 predictions" in told
        assert "2 of these frames are not among the predictions" in told
        assert "left out 4 predicted frames" in told
        whole = self.told(tmp_path, truth, truth)
        assert "left out 1 predicted frames" in whole
        assert "not among" not in whole

    def test_how_much_was_measured(self, tmp_path: Path) -> None:
        """Of two people of 15 joints, 9 joints were completed; of those of one person that were
        measured, five err by 10 mm and five by 30 mm, those of the other by 50 mm."""
        truth = {KEY: bodies_at((0, 0, 0), (3000, 0, 0))}
        views, errors = np.full((2, 15), 2), np.full((2, 15), 80.0)
        errors[0, :10] = [10] * 5 + [30] * 5
        views[0, 10:] = 0
        errors[1, 4:], views[1, :4] = 50, 0
        people = predicted_at((0, 0, 0, 0.9), (3000, 0, 0, 0.8))
        joints = people.joints + errors[..., None] * [1, 0, 0]
        people = replace(people, joints=joints, views=views)
        said = "30.0% of the predictions' joints were completed from the rest of the body; MPJPE of"
        assert f"{said} the measured joints alone is 35.0 mm" in self.told(
            tmp_path, {KEY: people}, truth
        )
        metrics = evaluate({KEY: people}, truth)
        assert metrics["measured"] == {"share": pytest.approx(0.7), "MPJPE": pytest.approx(35)}

    def test_where_nothing_is_told_nothing_is_said_of_what_was_measured(
        self, tmp_path: Path
    ) -> None:
        one = {KEY: people_of_size(1)}
        assert "completed" not in self.told(tmp_path, one, one)
        assert evaluate(one, one)["measured"] is None

    def test_an_undefined_mpjpe_is_a_dash(self, tmp_path: Path) -> None:
        told = self.told(tmp_path, {KEY: bodies_at()}, {KEY: people_of_size(1)})
        assert "Recall@500 0.0  MPJPE –\n" in told
        assert "warning" not in told

    @pytest.mark.parametrize(
        ("factor", "unit"), [(1000, "metres"), (100, "decimetres"), (10, "centimetres")]
    )
    def test_a_mistake_of_unit_is_named(self, tmp_path: Path, factor: int, unit: str) -> None:
        right, wrong = {KEY: people_of_size(1)}, {KEY: people_of_size(1.1 / factor)}
        said = rf"warning: nobody matches.* {factor} times .*is the (\w+) file in {unit}\?"
        found = [re.search(said, self.told(tmp_path, *sides)) for sides in
                 ((wrong, right), (right, wrong))]  # fmt: skip
        assert [match and match[1] for match in found] == ["predictions", "truth"]

    def test_people_in_another_place_are_no_mistake_of_unit(self, tmp_path: Path) -> None:
        elsewhere = People3D.predicted(people_of_size(1).joints + 5000, np.ones(1), PANOPTIC_15)
        told = self.told(tmp_path, {KEY: elsewhere}, {KEY: people_of_size(1)})
        assert "MPJPE –" in told
        assert "warning" not in told


class TestFilesThatArePutTogetherWrongly:
    @staticmethod
    def told(tmp_path: Path, predictions: Frames, truth: Frames) -> str:
        paths = [tmp_path / "predictions.parquet", tmp_path / "truth.parquet"]
        for path, frames in zip(paths, (predictions, truth), strict=True):
            write_poses3d(path, frames)
        return "\n".join(evaluate_files([paths[0]], [paths[1]])[1])

    @staticmethod
    def people(seed: int = 3) -> Frames:
        joints = random_people(np.random.default_rng(seed), 3)
        return {KEY: People3D.predicted(joints, np.ones(3), PANOPTIC_15)}

    @pytest.mark.parametrize(
        ("order", "signs", "axis"), [((0, 2, 1), (1, 1, 1), "y"), ((0, 2, 1), (1, -1, 1), "-y")]
    )
    def test_exchanged_axes_are_told(
        self, tmp_path: Path, order: tuple, signs: tuple, axis: str
    ) -> None:
        truth = self.people()
        turned = truth[KEY].joints[..., list(order)] * signs
        said = self.told(tmp_path, {KEY: replace(truth[KEY], joints=turned)}, truth)
        assert (
            f"people of the predictions stand along {axis}, and those of the truth along z" in said
        )
        assert "warning" not in self.told(tmp_path, truth, truth)

    def test_people_who_are_there_twice_are_told(self, tmp_path: Path) -> None:
        truth = self.people()
        near = truth[KEY].joints[:2] + 10.0
        joints = np.concatenate([truth[KEY].joints, near])
        doubled = {KEY: People3D.predicted(joints, np.ones(5), PANOPTIC_15)}
        said = self.told(tmp_path, doubled, truth)
        assert "2 of 5 people of the predictions lie within" in said
        assert str(KEY) in said and "is somebody in the file twice?" in said
        said = self.told(tmp_path, truth, doubled)
        assert "2 of 5 people of the truth lie" in said
