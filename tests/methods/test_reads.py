"""What the table of methods says of the parameters that its steps read and look at images by."""

import json

import pytest
import yaml

from selfpose3d.methods import METHODS, STAGES
from selfpose3d.parameters import Parameters, select, with_settings
from tiny_stages import tiny


@pytest.mark.parametrize("parameters", [Parameters(), tiny("estimator"), tiny("backbone")])
def test_reads_name_real_parameters(parameters: Parameters) -> None:
    for stage in STAGES.values():
        assert json.dumps(select(parameters, stage.reads(parameters)))
    for method in METHODS.values():
        assert json.dumps(select(parameters, method.reads(parameters)))


LOOKING = {"backbone", "root", "bodies", "pose_l2", "pose_l1", "finetune"}


def test_the_settings_by_which_a_step_looks_at_images_can_end_it() -> None:
    parameters = tiny("backbone")
    steps = {**STAGES, **METHODS}
    looking = {name for name, step in steps.items() if step.images(parameters)}
    supervised = {"supervised_root", "supervised_pose"}
    assert looking == LOOKING | supervised | {"selfpose3d", "voxelpose"}
    for name in looking:
        settings = steps[name].images(parameters)
        over = {key: yaml.safe_load(value) for key, value in settings.items()}
        assert not steps[name].images(with_settings(parameters, over, "test"))


def test_attention_looks_at_images_whatever_heatmaps_are_made_of() -> None:
    parameters = with_settings(tiny("estimator"), {"train.pose_l2.soft_attention": True}, "test")
    looking = {name: stage.images(parameters) for name, stage in STAGES.items()}
    assert looking["pose_l2"] == {"train.pose_l2.soft_attention": "false"}
    assert not any(looking[name] for name in LOOKING - {"pose_l2", "pose_l1", "finetune"})
