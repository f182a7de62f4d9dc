import numpy as np
import pytest
import torch

from selfpose3d.detection.scene_people import scene_people
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import Frames
from selfpose3d.geometry.people import distinct_people, project_into
from selfpose3d.methods import METHODS
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.methods.voxels import refine
from selfpose3d.methods.voxels.heatmap_sources import people_heatmaps
from selfpose3d.methods.voxels.predict import ready_predictor
from selfpose3d.parameters import Parameters, with_settings
from selfpose3d.reconstruction.assignment import assign_people
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic, make_scene, random_people, ring
from stage_runs import of_prediction, run_stage, write_labels

SMALL = {
    "data.network_size": [224, 160],
    "heatmaps.source": "estimator",
    "networks.root_grid": [20, 20, 12],
    "networks.v2v_width": 4,
    "networks.pose_v2v_width": 4,
    "networks.cuboid_grid": 12,
    "networks.root_threshold": 0.2,
    "space.size": [4400.0, 4400.0, 2000.0],
    "train.root.iterations": 120,
    "train.root.batch_size": 2,
    "train.root.people": [1, 4],
    "train.bodies.iterations": 80,
    "train.bodies.batch_size": 1,
    "compute.accelerator": "cpu",
}


def parameters(**settings) -> Parameters:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return with_settings(Parameters(), {**SMALL, **dotted}, "test")


def predicted(made: Synthetic, checkpoints, views=None, **settings) -> Frames:
    """The people of a scene, by default from its own labels."""
    with ready_predictor(of_prediction(parameters(**settings)), checkpoints) as predictor:
        return predictor.predict(made.scene, made.views if views is None else views)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    return make_scene(folder / "a", "a", 5, ring(5), frames=6)


@pytest.fixture(scope="module")
def checkpoints(scene, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    return [
        run_stage(parameters(), stage, [scene], [], out / stage) for stage in ("root", "bodies")
    ]


def errors(found, truth):
    """Mean joint error of the nearest prediction of every true person, mm."""
    return np.array(
        [
            np.linalg.norm(found[key].joints - body, axis=-1).mean(1).min(initial=9e3)
            for key, people in truth.items()
            for body in people.joints
        ]
    )


def test_a_short_training_finds_people_and_refinement_places_them(scene, checkpoints):
    plain = predicted(scene, checkpoints, inference__refine=False)
    refined = predicted(scene, checkpoints)
    assert set(refined) == {("a", frame) for frame in scene.scene.frames}
    assert (errors(plain, scene.truth) < 500).mean() > 0.9
    assert np.median(errors(refined, scene.truth)) < 40
    assert np.median(errors(refined, scene.truth)) < np.median(errors(plain, scene.truth))
    assert all((np.diff(people.scores) <= 0).all() for people in refined.values())


def test_roots_alone_are_where_root_net_sees_people(scene, checkpoints):
    found = predicted(scene, checkpoints, inference__roots_only=True, inference__refine=False)
    people = [people for people in found.values() if len(people)]
    assert people and all(np.ptp(each.joints, axis=1).max() == 0 for each in people)
    roots = {key: each.joints[:, [2]] for key, each in scene.truth.items()}
    off = [
        np.linalg.norm(found[key].joints[:, [2]] - root, axis=-1).min(initial=9e3)
        for key, here in roots.items()
        for root in here
    ]
    assert np.median(off) < 150


def test_another_rig_needs_no_training(tmp_path, checkpoints):
    other = make_scene(tmp_path / "b", "b", 6, ring(4, turn=0.5, radius=4000), frames=3)
    found = predicted(other, checkpoints)
    assert (errors(found, other.truth) < 150).mean() > 0.8


def test_the_people_of_all_scenes_are_found_from_their_files(scene, tmp_path, checkpoints):
    scenes = [scene, make_scene(tmp_path / "b", "b", 6, ring(4, turn=0.5), frames=2)]
    inputs = PredictionInputs(
        of_prediction(parameters()),
        [one.scene.folder for one in scenes],
        checkpoints,
        write_labels(tmp_path / "labels", scenes),
    )
    found = METHODS["selfpose3d"].predict.load()(inputs)
    each = [predicted(one, checkpoints) for one in scenes]
    assert list(found) == [key for people in each for key in people]
    for key, people in (each[0] | each[1]).items():
        assert found[key].joints == pytest.approx(people.joints, abs=0.5)
    assert any(len(people) for people in each[1].values())


def test_frames_do_not_depend_on_their_batch(scene, checkpoints):
    first = predicted(scene, checkpoints, inference__batch_size=1)
    second = predicted(scene, checkpoints, inference__batch_size=4)
    for key, people in first.items():
        assert people.joints == pytest.approx(second[key].joints, abs=0.5)


def test_nobody_seen_is_nobody_found(scene, checkpoints):
    nobody = {key: People2D.nobody(PANOPTIC_15) for key in scene.views}
    found = predicted(scene, checkpoints, nobody)
    assert all(len(people) == 0 for people in found.values())


def test_a_checkpoint_without_the_networks_is_refused(scene, checkpoints):
    with pytest.raises(InputError, match="no weights of pose"):
        predicted(scene, checkpoints[:1])
    with pytest.raises(InputError, match=r"do not fit the network.*'networks' parameters"):
        predicted(scene, checkpoints, networks__v2v_width=6)


def test_labels_come_in_network_pixels(scene):
    people = scene_people(scene.scene, scene.views)
    cameras = scene.scene.network_cameras()
    for f, number in enumerate(scene.scene.frames):
        seen = project_into(cameras, scene.truth["a", number].joints)
        assigned = assign_people(seen, people.points[f], people.scores[f], 0.1)
        view, person = np.nonzero(assigned >= 0)
        off = people.points[f][view, assigned[view, person]] - seen.pixels[view, person]
        present = people.scores[f][view, assigned[view, person]] > 0
        relative = np.linalg.norm(off, axis=-1) / seen.heights[view, person][:, None]
        assert len(view) > 5 and np.median(relative[present]) < 0.02


def test_people_whom_one_view_alone_supports_are_dropped(scene, checkpoints):
    nobody = People2D.nobody(PANOPTIC_15)
    seen = {key: people if key[1] == "cam0" else nobody for key, people in scene.views.items()}

    def found(min_views):
        settings = {"networks__root_threshold": 0.01, "inference__min_views": min_views}
        return sum(map(len, predicted(scene, checkpoints, seen, **settings).values()))

    assert found(1) > 0 and found(2) == 0


def test_heatmap_maxima_pull_joints_back():
    cameras = ring(4)
    rng = np.random.default_rng(0)
    bodies = random_people(rng, 2)
    seen = project_into(cameras, bodies)
    points = torch.from_numpy(seen.pixels).float()[None]
    maps = people_heatmaps(points, torch.ones(points.shape[:-1]), None, (224, 160), 4, 1.5)[0]
    off = bodies + rng.normal(0, 25, bodies.shape)
    evidence = refine.heatmap_evidence(cameras, off, maps, 4, 6.0)
    found = refine.refine_joints(cameras, off, evidence, 0.05)
    before = np.linalg.norm(off - bodies, axis=-1)
    after = np.linalg.norm(found.joints - bodies, axis=-1)
    assert np.median(after) < 0.5 * np.median(before)
    assert (found.support > 1).all()


def test_assigned_people_pull_joints_back_and_unseen_ones_stay():
    cameras = ring(4)
    rng = np.random.default_rng(1)
    bodies = random_people(rng, 2)
    seen = project_into(cameras, bodies)
    scores = np.ones(seen.pixels.shape[:-1])
    scores[:, :, 5] = 0
    off = bodies + rng.normal(0, 40, bodies.shape)
    evidence = refine.people_evidence(cameras, off, seen.pixels[:, ::-1], scores)
    found, _, views = refine.refine_joints(cameras, off, evidence, 0.01)
    assert (views[:, 5] == 0).all() and (views[:, :5] == 4).all()
    assert np.allclose(found[:, 5], off[:, 5])
    others = [j for j in range(15) if j != 5]
    assert np.linalg.norm(found - bodies, axis=-1)[:, others].max() < 5


def test_of_duplicates_the_best_is_kept():
    body = random_people(np.random.default_rng(2), 2)
    joints = np.concatenate([body, body[:1] + 30])
    keep = distinct_people(joints, np.array([0.5, 0.9, 0.8]), 250.0)
    assert keep.tolist() == [1, 2]
