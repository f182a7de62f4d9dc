"""What jobs ask a cluster for, held to what they were measured to need."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from conftest import REPOSITORY
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.plan.nodes import Plan, StageNode
from selfpose3d.plan.planning import make_plan
from selfpose3d.plan.study import plain_run

sys.path.insert(0, str(REPOSITORY / "workflow"))

import resources as needs
import wiring

FULL_GRID = {"networks.v2v_width": 16, "networks.root_grid": [80, 80, 20]}
PUBLISHED_NETWORKS = {
    "networks.backbone": "pose_resnet50",
    "networks.side_aware": False,
    "networks.attention": "pose_resnet18",
    "networks.pose_v2v_width": 16,
    "networks.cuboid_grid": 32,
    "train.backbone.weights": "none",
    "train.backbone.crop": 0,
    "train.backbone.batch_size": 2,
    "train.pose_l2.train_backbone": True,
    "train.pose_l2.train_root": True,
}
MEASURED_MB = [
    ((), {}, "root-estimator", 732),
    (("smoke",), {}, "backbone-backbone", 701),
    (("smoke",), {}, "root-backbone", 578),
    (("smoke",), {}, "root-estimator", 524),
    (("smoke",), {}, "bodies-backbone", 588),
    (("smoke",), {}, "pose_l2-backbone", 602),
    (("smoke",), {}, "pose_l2-estimator", 558),
    (("smoke",), {}, "trust-estimator", 485),
    (("smoke",), FULL_GRID, "root-estimator", 2526),
    (("smoke",), PUBLISHED_NETWORKS, "backbone-backbone", 1145),
    (("smoke",), PUBLISHED_NETWORKS, "root-backbone", 1034),
    (("smoke",), PUBLISHED_NETWORKS, "bodies-backbone", 1051),
    (("smoke",), PUBLISHED_NETWORKS, "pose_l2-backbone", 2577),
    (("paper", "trial"), {"train.backbone.batch_size": 2}, "backbone-backbone", 2688),
]
"""Overlays, settings, stage and heatmaps, and the peak of its process, MB (on CPUs, in float32)."""

H100 = REPOSITORY / "benchmarks/results/nvidia-h100-80gb-hbm3.json"
"""Seconds of an iteration on a card, which ``benchmarks/gpu.py`` measured."""

SECONDS_AN_ITERATION = {"backbone-backbone": 122, "root-backbone": 84, "pose_l2-backbone": 127}
"""Of the published sizes, on one core."""


def parameters_of(*overlays: str, **settings: Any) -> Parameters:
    names = ["params.yaml", *(f"config/{overlay}.yaml" for overlay in ("study", *overlays))]
    parameters = load_parameters([REPOSITORY / name for name in names])
    return with_settings(parameters, settings, "test")


def plan_of(parameters: Parameters) -> Plan:
    """The plan of a plain run."""
    return make_plan(parameters, plain_run(parameters))


def stage_of(plan: Plan, name: str) -> StageNode:
    return next(stage for id_, stage in plan.stages.items() if id_.startswith(f"{name}-"))


@pytest.mark.parametrize(("overlays", "settings", "name", "measured"), MEASURED_MB)
def test_training_asks_for_what_it_needs_and_not_for_much_more(
    overlays: tuple[str, ...], settings: Mapping[str, Any], name: str, measured: int
) -> None:
    parameters = parameters_of(*overlays, **settings)

    asked = needs.training_memory_mb(parameters, stage_of(plan_of(parameters), name))

    assert 1.05 * measured <= asked <= max(2.1 * measured, 1500)


@pytest.mark.parametrize(("name", "measured"), SECONDS_AN_ITERATION.items())
def test_time_is_of_the_order_of_what_iterations_took(name: str, measured: float) -> None:
    parameters = parameters_of("paper", "trial")
    stage = stage_of(plan_of(parameters), name)
    two, _ = needs.training_seconds(parameters, stage)
    assert 0.6 < (two - needs.START_SECONDS) / 2 / measured < 2
    assert needs.training_runtime_minutes(parameters, stage) * 60 > 2 * measured


@pytest.mark.parametrize("stage", ["backbone", "root", "pose_l2", "pose_l1"])
def test_time_on_a_card_is_of_the_order_of_what_an_h100_took(stage: str) -> None:
    """What is asked for suffices for cards of half its speed, and hardly for less."""
    parameters = parameters_of("paper", "trial")
    measured = json.loads(H100.read_text())["tables"]["stages"][f"overlay: {stage}"]["seconds"]
    _, two = needs.training_seconds(parameters, stage_of(plan_of(parameters), f"{stage}-backbone"))
    assert 2 < (two - needs.START_SECONDS) / 2 / measured < 3.5


def test_the_published_sizes_fit_into_what_they_ask_for() -> None:
    parameters = parameters_of("paper", "trial")
    plan = plan_of(parameters)
    stage = stage_of(plan, "pose_l2-backbone")
    assert needs.training_memory_mb(parameters, stage) > 21_000


def test_memory_grows_with_the_sizes() -> None:
    def memory(name: str, **settings: Any) -> int:
        parameters = parameters_of("paper", "trial", **settings)
        return needs.training_memory_mb(parameters, stage_of(plan_of(parameters), name))

    assert memory("backbone-backbone", **{"train.backbone.batch_size": 32}) > 1.7 * memory(
        "backbone-backbone"
    )
    assert memory("root-backbone", **{"networks.root_grid": [40, 40, 20]}) < memory("root-backbone")
    assert memory("pose_l2-backbone", **{"networks.cuboid_grid": 32}) < memory("pose_l2-backbone")
    assert memory("pose_l2-backbone", **{"data.network_size": [480, 256]}) < memory(
        "pose_l2-backbone"
    )


def test_gpus_are_the_devices_unless_these_are_cpus() -> None:
    for accelerator, devices, expected in (("auto", 1, 1), ("cuda", 2, 2), ("cpu", 2, 0)):
        settings = {"compute.accelerator": accelerator, "compute.devices": devices}
        parameters = parameters_of("smoke", **settings)
        plan = plan_of(parameters)
        assert {needs.gpus(parameters, stage) for stage in plan.stages.values()} == {expected}
        predicting = [each for each in plan.experiments.values() if each.runs_networks]
        asked = {needs.prediction_gpus(parameters, each) for each in predicting}
        assert asked == {min(expected, 1)}


def test_on_a_gpu_the_host_does_not_hold_what_is_learnt_from() -> None:
    on_gpu = parameters_of("paper", **{"compute.accelerator": "gpu"})
    plan = plan_of(on_gpu)
    asked = {needs.training_memory_mb(on_gpu, stage) for stage in plan.stages.values()}
    assert max(asked) < 8_000


def test_no_job_asks_for_less_than_half_an_hour_or_more_than_two_days() -> None:
    for overlays in (("smoke",), (), ("paper",)):
        parameters = parameters_of(*overlays)
        plan = plan_of(parameters)
        asked = [
            *(needs.training_runtime_minutes(parameters, each) for each in plan.stages.values()),
            *(
                needs.prediction_runtime_minutes(parameters, each)
                for each in plan.experiments.values()
            ),
            *(
                needs.detection_runtime_minutes(parameters, each, 1)
                for each in plan.detections.values()
            ),
            needs.people_runtime_minutes(parameters),
        ]
        assert min(asked) >= 30 and max(asked) <= 2880
    assert max(asked) == 2880


def test_a_stage_that_nobody_has_counted_asks_for_a_plain_process() -> None:
    parameters = parameters_of("smoke")
    trust = stage_of(plan_of(parameters), "trust-estimator")
    assert trust.stage not in needs.WORK
    assert needs.training_memory_mb(parameters, trust) == 1000


def test_larger_estimators_ask_for_more() -> None:
    asked = {}
    for name in ("blazepose", "rtmlib", "torchvision", "transformers"):
        parameters = with_settings(parameters_of(), {"estimator.name": name}, "test")
        longest = max(plan_of(parameters).detections.values(), key=lambda each: each.scene.sequence)
        minutes = needs.detection_runtime_minutes(parameters, longest, 1)
        asked[name] = (needs.detection_memory_mb(longest, 2), minutes)
    memory, minutes = asked.pop("blazepose")
    assert all(more > memory and longer >= minutes for more, longer in asked.values())


def test_an_experiments_own_sizes_count() -> None:
    parameters = parameters_of("smoke")
    resolved = needs.resolved(parameters, {"networks": {"cuboid_grid": 64}})
    assert resolved.networks.cuboid_grid == 64
    assert resolved.networks.root_grid == parameters.networks.root_grid
    assert parameters.networks.cuboid_grid == 16


def test_memory_grows_with_the_joints() -> None:
    asked = []
    for skeleton in ("panoptic15", "coco17", "estimator"):
        parameters = parameters_of("paper", "trial", **{"labels.skeleton": skeleton})
        asked.append(needs._cuboids(parameters, 4).kept)
    assert asked[0] < asked[1] < asked[2]


def test_disk_and_hours_are_told_in_a_line() -> None:
    smoke, demo = (parameters_of(*overlays) for overlays in (("smoke",), ()))
    line = needs.estimate(demo, plan_of(demo))
    assert "GB of disk; 15 training stages of together 0." in line and "\n" not in line
    ratio = needs.disk_bytes(demo, plan_of(demo)) / needs.disk_bytes(smoke, plan_of(smoke))
    assert ratio > 10
    assert 1.0e9 < needs.disk_bytes(demo, plan_of(demo)) < 1.7e9  # 1.15 GB were measured


def test_few_sequences_share_the_cores_and_many_have_one_each() -> None:
    plan = plan_of(parameters_of("smoke", **{"footage.name": "none"}))
    assert len(plan.detections) == 3
    given = {cores: wiring.processes_a_sequence(plan, cores) for cores in (1, 2, 3, 4, 12)}
    assert given == {1: 1, 2: 1, 3: 1, 4: 2, 12: 4}
    assert wiring.processes_a_sequence(Plan(), 8) == 8


def test_published_frames_are_counted() -> None:
    shelf, mvor = parameters_of("shelf"), parameters_of("mvor")
    assert needs.frames(shelf, "test") == 301
    assert needs.frames(shelf, "train") == 580
    assert needs.frames(mvor, "train") == 0
