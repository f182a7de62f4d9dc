"""The training data, the bodies they hold, and the labels that synthetic bodies get."""

import numpy as np
import pytest

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.training import body_pool, label_errors, seen_bodies
from selfpose3d.training.data import training_data
from stage_runs import reconstructions
from tiny_stages import two_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return two_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def given(scenes):
    return [s.scene for s in scenes], [s.views for s in scenes]


@pytest.fixture(scope="module")
def rebuilt(scenes):
    return reconstructions(scenes)


def test_labels_of_other_scenes_or_of_nobody_are_refused(given):
    scenes, views = given
    with pytest.raises(InputError, match="another data set"):
        training_data(scenes, list(reversed(views)))
    nobody = [{key: People2D.nobody(PANOPTIC_15) for key in view} for view in views]
    with pytest.raises(InputError, match="no person in any view"):
        training_data(scenes, nobody)


def test_the_bank_gives_back_the_errors_it_was_made_of(given, rebuilt):
    data = training_data(*given)
    bank = label_errors.error_bank(data, rebuilt)
    assert 0.0 <= bank.missing.mean() < 0.5
    spread = np.linalg.norm(bank.residuals[~bank.missing], axis=-1)
    assert 0.005 < np.median(spread) < 0.03
    pool = body_pool.body_pool(data, rebuilt)
    rng = np.random.default_rng(0)
    space = (np.array([-3000.0, -3000, 0]), np.array([3000.0, 3000, 2000]))
    drawn = body_pool.sample_bodies(pool, PANOPTIC_15, 3, data.scenes[0].cameras, space, rng)
    seen = seen_bodies.see_bodies(data.scenes[0].cameras, drawn, PANOPTIC_15)
    points, scores = label_errors.corrupt_like_bank(seen, bank, (1.0, 1.0), rng)
    off = np.linalg.norm(points[:, :3] - seen.projected.pixels, axis=-1)
    relative = (off / seen.projected.heights[..., None])[scores[:, :3] > 0]
    assert 0.005 < np.median(relative) < 0.03


def test_a_body_of_two_people_is_not_learnt(given, rebuilt):
    pool = body_pool.body_pool(training_data(*given), rebuilt)
    one, merged, lost = pool[[0, 0, 0]].copy()
    merged[3:6] += [600.0, 0, 0]
    lost[14] -= [0, 0, 1500.0]
    assert body_pool.usual_bodies(np.stack([one, merged, lost]), pool, PANOPTIC_15).tolist() == [
        True,
        False,
        False,
    ]


def test_frames_of_different_rigs_never_share_a_batch(given):
    data = training_data(*given)
    batches = data.epoch(np.random.default_rng(0), 2)
    assert sorted(frame for batch in batches for frame in batch) == data.frames
    assert all(len({s for s, _ in batch}) == 1 for batch in batches)
    assert len(batches) == data.batches_per_epoch(2) == 3
