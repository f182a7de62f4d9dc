"""The jobs behind a plan: which wait for which, and which come first.

A job's name is its rule's, and its wildcards in the order of the rule's outputs. So are the files
named in which Snakemake keeps what it measured: ``results/benchmarks/<job>.tsv``.
"""

from collections.abc import Iterator

import resources as needs
from selfpose3d.chains import seconds_to_the_end
from selfpose3d.parameters import Parameters
from selfpose3d.plan.nodes import (
    DetectionsNode,
    ExperimentNode,
    LabelsNode,
    Plan,
    RigCheckNode,
    SceneNode,
    StageNode,
    WeightsNode,
)

BODIES_JOB = "studio_bake/bodies"
"""The job that makes the body model, once, before anything is rendered."""


def scene_job(scene: SceneNode) -> str:
    """The job that makes a sequence a scene, or refits its cameras."""
    rule = "refine_cameras" if scene.refined_from else f"prepare_{scene.source}"
    return f"{rule}/{scene.id}/{scene.sequence}"


def training_job(stage: str) -> str:
    """The job that trains a stage, by the stage's id."""
    name, _, variant = stage.partition("-")
    return f"train_{name}/{variant}"


def jobs_of(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The jobs that each job waits for, from what is fetched or made once to the predictions.

    Evaluations, tables and reports are left out: they are short, and the longest chains do not
    wait for them.
    """
    jobs: dict[str, tuple[str, ...]] = {_weights_job(each): () for each in plan.weights.values()}
    if plan.hosts:
        jobs[BODIES_JOB] = ()
    jobs |= dict(pair for scene in plan.scenes.values() for pair in _jobs_of_scene(scene))
    jobs |= {
        _detection_job(seen): (scene_job(seen.scene), *_weights_jobs(seen.weights))
        for seen in plan.detections.values()
    }
    checks = {check.detections.id: check for check in plan.rig_checks.values()}
    jobs |= {_check_job(each): (_detection_job(each.detections),) for each in checks.values()}
    for labels in plan.labels.values():
        if labels.people:
            jobs[_label_job(labels)] = (f"reconstruct/{labels.people.id}",)
            continue
        checked = [checks[each.id] for each in labels.detections if each.id in checks]
        jobs[_label_job(labels)] = (
            *map(_detection_job, labels.detections),
            *map(_check_job, checked),
        )
    for people in plan.reconstructions.values():
        jobs[f"reconstruct/{people.id}"] = (_label_job(people.labels),)
    jobs |= {training_job(stage.id): _awaited_by_stage(stage) for stage in plan.stages.values()}
    return jobs | {f"predict/{run.id}": _awaited_by(run) for run in plan.experiments.values()}


def _weights_job(weights: WeightsNode) -> str:
    return f"fetch_weights/{weights.id}"


def _weights_jobs(weights: WeightsNode | None) -> tuple[str, ...]:
    return (_weights_job(weights),) if weights else ()


def _label_job(labels: LabelsNode) -> str:
    return f"{'agree' if labels.people else 'label'}/{labels.id}"


def _detection_job(seen: DetectionsNode) -> str:
    return f"detect/{seen.id}/{seen.scene.sequence}"


def _check_job(check: RigCheckNode) -> str:
    return f"check_rig/{check.id}/{check.detections.scene.sequence}"


def _jobs_of_scene(scene: SceneNode) -> Iterator[tuple[str, tuple[str, ...]]]:
    awaited = [f"reconstruct/{scene.refined_from.id}"] if scene.refined_from else []
    if scene.host and not scene.refined_from:
        awaited.append(f"{scene.source}_render/{scene.host.id}/{scene.sequence}")
        yield awaited[0], (BODIES_JOB,)
    yield scene_job(scene), tuple(awaited)


def _awaited_by_stage(stage: StageNode) -> tuple[str, ...]:
    people = [f"reconstruct/{stage.reconstructions.id}"] if stage.reconstructions else []
    earlier = map(training_job, stage.start)
    return (_label_job(stage.labels), *people, *_weights_jobs(stage.weights), *earlier)


def _awaited_by(run: ExperimentNode) -> tuple[str, ...]:
    trained = [training_job(stage.id) for stage in run.stages]
    parts = [f"predict/{part.id}" for part in run.parts]
    return (_label_job(run.labels), f"reconstruct/{run.reconstructions.id}", *trained, *parts)


def priorities(parameters: Parameters, plan: Plan) -> dict[str, int]:
    """Priorities of jobs: the seconds from a job's start to the end of the longest chain that
    begins with it, as far as they can be estimated beforehand. The job with the longest chain comes
    first."""
    jobs = jobs_of(plan)
    expected = dict.fromkeys(jobs, needs.START_SECONDS)
    for stage in plan.stages.values():
        on_cpu, _ = needs.training_seconds(parameters, stage)
        expected[training_job(stage.id)] = on_cpu / stage.threads
    return {job: round(left) for job, left in seconds_to_the_end(jobs, expected).items()}
