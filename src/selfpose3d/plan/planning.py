"""From parameters to the plan: an experiment is the base parameters with named overrides; here it
becomes its chain of nodes. Nothing here touches a file."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from selfpose3d.errors import InputError
from selfpose3d.parameters import Parameters, PoseStage, select, with_settings
from selfpose3d.parameters import Stage as StageSettings
from selfpose3d.plan.keys import READS, node_id
from selfpose3d.plan.nodes import (
    SUPERVISED_STAGES,
    Dataset,
    Detections,
    Experiment,
    Labels,
    Node,
    Plan,
    Reconstructions,
    Stage,
)

POSE_STAGES: tuple[str, ...] = ("pose_l2", "pose_l1", "finetune")
STAGES_OF: dict[str, tuple[str, ...]] = {
    "selfpose3d": ("backbone", "root", "bodies", *POSE_STAGES),
    "voxelpose": ("backbone", *SUPERVISED_STAGES),
    "trust": ("trust",),
    "training_free": (),
}
"""The training stages of each method, in order."""
PREDICTION_OF: dict[str, str] = {
    "selfpose3d": "predict",
    "voxelpose": "predict",
    "trust": "predict_trust",
}
"""The step that makes 3D people with each method's networks."""


def make_plan(parameters: Parameters) -> Plan:
    """The graph of the experiments in the parameters.

    What learns from the 3D truth is left out where the data come without.

    Raises:
        InputError: a table names an experiment that is not there, or an override is wrong.
    """
    plan = Plan()
    joined = [name for name in parameters.experiments if parameters.parts_of(name)]
    for name in parameters.experiments:
        if name not in joined:
            supervised = parameters.method_of(name) == "voxelpose"
            runs = [run for run in _runs(parameters, name) if has_truth(run) or not supervised]
            plan.by_name[name] = tuple(_add_experiment(plan, run, name) for run in runs)
    for name in joined:
        plan.by_name[name] = _add_joined(plan, parameters, name)
    for name in parameters.tables:
        plan.tables[name] = _table_rows(plan, parameters, name)
    if parameters.footage.name != "none":
        plan.footage = _add_footage(plan, parameters)
    return plan


def has_truth(parameters: Parameters) -> bool:
    """Whether there is 3D truth to measure against: own videos come without."""
    return parameters.data.source != "videos"


def _runs(parameters: Parameters, name: str) -> Iterable[Parameters]:
    settings = parameters.described(name).set
    for seed in parameters.seeds_of(name):
        yield with_settings(parameters, {**settings, "seed": seed}, f"experiments.{name}")


def _table_rows(
    plan: Plan, parameters: Parameters, name: str
) -> tuple[tuple[Experiment, ...], ...]:
    """A table's experiments, row by row, with the table's seeds."""
    table = parameters.tables[name]
    unknown = [row for row in table.rows if row not in plan.by_name]
    if unknown:
        raise InputError(
            f"tables.{name}.rows: {unknown} are no experiments; known: {sorted(plan.by_name)}"
        )
    seeds = table.seeds or parameters.seeds
    return tuple(
        tuple(run for run in plan.by_name[row] if run.seed in seeds or not run.stages)
        for row in table.rows
    )


def _add_experiment(plan: Plan, parameters: Parameters, name: str) -> Experiment:
    described, method = parameters.described(name), parameters.method_of(name)
    tested = with_settings(parameters, described.test_on, f"experiments.{name}.test_on")
    labels, reconstructions = _add_labelled(plan, tested)
    enabled = _enabled_stages(parameters, method)
    _check_sequences(parameters, tested, f"experiments.{name}" if enabled else None)
    stages = _add_stages(plan, parameters, enabled, *_add_labelled(plan, parameters))
    step = PREDICTION_OF.get(method, "reconstructions")
    reads = select(tested, READS[step]) if stages else {}
    used = [stage.id for stage in stages] or [reconstructions.id]
    experiment = Experiment(
        id=node_id(step, f"{name}-seed{parameters.seed}", reads, used, labels.id),
        parameters=reads,
        name=name,
        seed=parameters.seed,
        title=described.title,
        method=method,
        settings=described.set,
        test_on=described.test_on,
        labels=labels,
        reconstructions=reconstructions,
        stages=stages,
        resolved=parameters.model_dump(mode="json", exclude={"experiments", "tables", "seeds"}),
    )
    plan.experiments[experiment.id] = experiment
    return experiment


def _add_joined(plan: Plan, parameters: Parameters, name: str) -> tuple[Experiment, ...]:
    """The runs of an experiment that joins two others, seed by seed."""
    first, second = (plan.by_name[part] for part in parameters.parts_of(name))
    pairs = [
        (a, b) for a in first for b in second if a.seed == b.seed or not (a.stages and b.stages)
    ]
    seeds = parameters.seeds_of(name)
    runs = [
        _joined(parameters, name, a, b)
        for a, b in pairs
        if _seed_of(a, b) in seeds or not (a.stages or b.stages)
    ]
    plan.experiments.update({run.id: run for run in runs})
    return tuple(runs)


def _seed_of(*parts: Experiment) -> int:
    """The seed of what was trained; of the first, where nothing was."""
    return next((part.seed for part in parts if part.stages), parts[0].seed)


def _joined(parameters: Parameters, name: str, *parts: Experiment) -> Experiment:
    if len({part.dataset.id for part in parts}) > 1:
        raise InputError(
            f"experiments.{name}.of: {[part.name for part in parts]} are tested on different data; "
            "join experiments that are tested on the same"
        )
    described, seed = parameters.described(name), _seed_of(*parts)
    stages = {stage.id: stage for part in parts for stage in part.stages}
    return replace(
        parts[0],
        id=node_id("join", f"{name}-seed{seed}", [part.id for part in parts]),
        parameters={},
        name=name,
        seed=seed,
        title=described.title,
        method="joined",
        settings={},
        stages=tuple(stages.values()),
        resolved={**parts[0].resolved, "seed": seed},
        parts=parts,
    )


def _check_sequences(trained: Parameters, tested: Parameters, learner: str | None) -> None:
    """Refuse an experiment without test sequences, and one that learns without training ones.

    Args:
        trained: the parameters that it learns with.
        tested: those that it is tested with.
        learner: what learns from the training sequences, if it does.
    """
    needs = [(tested, "test", "predictions are made of them")]
    if learner:
        needs.append((trained, "train", f"{learner} learns from them"))
    for parameters, split, reason in needs:
        source = parameters.data.source
        if source != "studio" and not getattr(getattr(parameters, source), split):
            raise InputError(
                f"{source}.{split}: it names no sequence, and {reason}; "
                f"name one or more there, as data.source is {source}"
            )


def _add_labelled(plan: Plan, parameters: Parameters) -> tuple[Labels, Reconstructions]:
    """The data with its soft labels, and what is reconstructed from them."""
    detections = _add_detections(plan, parameters, _add_dataset(plan, parameters))
    labels = _add_labels(plan, parameters, detections, "soft")
    return labels, _add_reconstructions(plan, parameters, labels)


def _add_dataset(plan: Plan, parameters: Parameters) -> Dataset:
    source = parameters.data.source
    reads = select(parameters, READS["scenes"])
    if source == "studio":
        studio = select(parameters, READS["studio"])
        host = Node(node_id("studio", "studio", studio), studio)
        plan.hosts[host.id] = host
        train = _numbered("studio_train", parameters.studio.train_sequences)
        test = _numbered("studio_test", parameters.studio.test_sequences)
        dataset = Dataset(
            node_id("panoptic", source, reads, host.id), reads, source, train, test, host
        )
    else:
        reads |= select(parameters, READS[source])
        section = getattr(parameters, source)
        train, test = tuple(section.train), tuple(section.test)
        dataset = Dataset(node_id(source, source, reads), reads, source, train, test, None)
    plan.datasets[dataset.id] = dataset
    return dataset


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{index:02d}" for index in range(count))


def _add_footage(plan: Plan, parameters: Parameters) -> Reconstructions:
    """The footage's reconstruction; once more with refitted cameras where that is asked for."""
    reads = select(parameters, (*READS["scenes"], *READS["footage"]))
    name = parameters.footage.name
    dataset = Dataset(node_id("footage", name, reads), reads, name, (), (name,), None)
    people = _add_people(plan, parameters, dataset)
    if not parameters.footage.centre_refinement:
        return people
    id_ = node_id("refined", f"{name}_refined", people.id)
    refined = Dataset(id_, reads, name, (), (name,), None, refined_from=people.id)
    return _add_people(plan, parameters, refined)


def _add_people(plan: Plan, parameters: Parameters, dataset: Dataset) -> Reconstructions:
    plan.datasets[dataset.id] = dataset
    detections = _add_detections(plan, parameters, dataset)
    labels = _add_labels(plan, parameters, detections, "soft")
    return _add_reconstructions(plan, parameters, labels)


def _add_detections(plan: Plan, parameters: Parameters, dataset: Dataset) -> Detections:
    reads = select(parameters, READS["detections"])
    name, files = parameters.estimator.name, parameters.estimator.files
    if files:
        reads["estimator"]["files"] = files.replace("{dataset}", dataset.id)
    node = Detections(node_id("detections", name, reads, dataset.id), reads, dataset)
    plan.detections[node.id] = node
    return node


def _add_labels(plan: Plan, parameters: Parameters, detections: Detections, kind: str) -> Labels:
    reads = select(parameters, READS["labels"])
    node = Labels(node_id("labels", kind, reads, kind, detections.id), reads, kind, detections)
    plan.labels[node.id] = node
    return node


def _add_reconstructions(plan: Plan, parameters: Parameters, labels: Labels) -> Reconstructions:
    reads = select(parameters, READS["reconstructions"])
    node = Reconstructions(
        node_id("reconstructions", "training_free", reads, labels.id), reads, labels
    )
    plan.reconstructions[node.id] = node
    return node


def _add_stages(
    plan: Plan,
    parameters: Parameters,
    enabled: Iterable[str],
    soft: Labels,
    reconstructions: Reconstructions,
) -> tuple[Stage, ...]:
    chain: list[Stage] = []
    for stage in enabled:
        section = getattr(parameters.train, stage)
        kind = section.labels if isinstance(section, PoseStage) else "soft"
        labels = _add_labels(plan, parameters, soft.detections, kind)
        people = reconstructions if _needs_people(stage, section, parameters, chain) else None
        start = _start_of(stage, chain)
        reads = select(parameters, READS[stage])
        needed = [labels.id, people.id if people else None]
        node = Stage(
            id=node_id(stage, f"{stage}-{parameters.heatmaps.source}", reads, needed, start),
            parameters=reads,
            stage=stage,
            labels=labels,
            reconstructions=people,
            start=start,
            threads=section.threads,
        )
        plan.stages[node.id] = node
        chain.append(node)
    return tuple(chain)


def _needs_people(
    stage: str, section: StageSettings, parameters: Parameters, earlier: Sequence[Stage]
) -> bool:
    """Root, bodies and trust check the space with the reconstructed people, or learn from them; a
    pose stage needs them where it trains a root_net that sees whole bodies, or where pose_net
    starts in it and is to know a person's reach."""
    if not isinstance(section, PoseStage):
        return stage in ("root", "bodies", "trust")
    pose_starts = not {"bodies", *POSE_STAGES} & {node.stage for node in earlier}
    sees_bodies = section.train_root and parameters.networks.root_input == "all"
    return sees_bodies or (pose_starts and parameters.networks.limit_reach)


def _enabled_stages(parameters: Parameters, method: str) -> list[str]:
    """The stages that a method runs; there must be one for each of its networks."""
    learnt_heatmaps = parameters.heatmaps.source == "backbone"
    stages = [stage for stage in STAGES_OF[method] if learnt_heatmaps or stage != "backbone"]
    enabled = [stage for stage in stages if getattr(parameters.train, stage).enabled]
    one_of = {"bodies", *POSE_STAGES} & set(stages)
    missing = set(stages) - one_of - set(enabled)
    if parameters.networks.attention == "shared" and not learnt_heatmaps:
        raise InputError(
            "networks.attention: shared: the attention is to be a head on heatmap_net_2d, and "
            "heatmaps.source: estimator has none; set heatmaps.source: backbone"
        )
    if missing or (one_of and not one_of & set(enabled)):
        raise InputError(
            f"train: the stages {enabled} don't make a whole network; "
            f"enable {sorted(missing) or 'bodies or a pose stage'}"
        )
    return enabled


def _start_of(stage: str, chain: list[Stage]) -> tuple[str, ...]:
    """The pose stages by projection start from all before them, others from the backbone alone."""
    if stage not in POSE_STAGES:
        return tuple(earlier.id for earlier in chain if earlier.stage == "backbone")
    if stage in ("pose_l1", "finetune") and chain[-1].stage in POSE_STAGES:
        return (chain[-1].id,)
    return tuple(earlier.id for earlier in chain)
