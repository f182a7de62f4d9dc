"""From parameters to the plan: an experiment is the base parameters with named overrides; here it
becomes its chain of nodes. Nothing here writes a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from selfpose3d.detection import ESTIMATORS
from selfpose3d.errors import InputError
from selfpose3d.fetch import WEIGHTS
from selfpose3d.methods import Stage
from selfpose3d.parameters import UNKEYED, Parameters, leaves, select, with_settings
from selfpose3d.plan.keys import node_id
from selfpose3d.plan.nodes import (
    DetectionsNode,
    ExperimentNode,
    LabelsNode,
    Node,
    Plan,
    ReconstructionsNode,
    RigCheckNode,
    SceneNode,
    StageNode,
    WeightsNode,
)
from selfpose3d.plan.study import (
    Chosen,
    check_names,
    described,
    everything,
    method_name,
    method_of,
    parts_of,
    seeds_of,
    with_likes,
)
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import Split
from selfpose3d.tables import known

_NOT_OF_DATA = {
    *("seed", "seeds", "space", "heatmaps", "networks", "augmentation", "train", "compute"),
    *("inference", "mlflow", "run", "experiments", "tables"),
}
"""Sections that no label depends on."""


class UnavailableError(InputError):
    """An experiment can't be run with these data."""


def make_plan(parameters: Parameters, chosen: Chosen | None = None) -> Plan:
    """The graph of experiments.

    Args:
        parameters: all of them.
        chosen: which experiments and tables; none: all, but for those that these data do not
            allow, which ``Plan.refused`` names with the reason.

    Raises:
        InputError: a table names an experiment that is not there, an override is wrong, or a
            chosen experiment can't be run with these data.
    """
    check_names(parameters)
    _check_estimator(parameters)
    parameters = with_likes(parameters)
    plan, wanted = Plan(), chosen or everything(parameters)
    _refuse_unkeyed(parameters, wanted.experiments)
    joining = [name for name in wanted.experiments if parts_of(parameters, name)]
    alone = [name for name in wanted.experiments if name not in joining]
    for name in (*alone, *joining):
        add = _joined_runs if name in joining else _runs
        try:
            seeds = seeds_of(parameters, name, wanted.tables)
            plan.by_name[name] = tuple(add(plan, parameters, name, seeds))
        except UnavailableError as problem:
            if chosen:
                raise
            plan.refused[name] = str(problem)
    for name in wanted.tables:
        plan.tables[name] = _table_rows(plan, parameters, name)
    if parameters.footage.name != "none":
        plan.footage = _add_footage(plan, parameters)
    plan.rig_checks = {check.id: check for check in _rig_checks(plan, parameters)}
    return plan


def _check_estimator(parameters: Parameters) -> None:
    name, files = parameters.estimator.name, parameters.estimator.files
    if known(ESTIMATORS, name, "estimator.name").reads_files and not files:
        raise InputError(
            f"estimator.files: {files!r}: the estimator {name!r} reads one; give its path, "
            "with {sequence} in the place of the sequence's name"
        )


def _runs(
    plan: Plan, parameters: Parameters, name: str, seeds: Iterable[int]
) -> Iterable[ExperimentNode]:
    settings = described(parameters, name).set
    only = {"experiments": {name: parameters.experiments[name]}, "tables": {}}
    alone = parameters.model_copy(update=only)  # the others would be checked again for each seed
    for seed in seeds:
        run = with_settings(alone, {**settings, "seed": seed}, f"experiments.{name}")
        yield _add_experiment(plan, run, name)


def _refuse_unkeyed(parameters: Parameters, experiments: Iterable[str]) -> None:
    """An experiment that sets what can't change a result would be the same one."""
    idle = {".".join(path) for path, _, marks in leaves(parameters) if UNKEYED in marks}
    for name in experiments:
        own = described(parameters, name)
        for key, settings in (("set", own.set), ("test_on", own.test_on)):
            if wrong := sorted(idle & set(settings)):
                raise InputError(
                    f"experiments.{name}.{key}: {wrong} can't change a result; "
                    "set them for all experiments"
                )


def _table_rows(
    plan: Plan, parameters: Parameters, name: str
) -> tuple[tuple[ExperimentNode, ...], ...]:
    """A table's experiments, row by row, with the table's seeds; rows that these data do not
    allow are left out."""
    table = parameters.tables[name]
    unknown = [row for row in table.rows if row not in parameters.experiments]
    if unknown:
        raise InputError(
            f"tables.{name}.rows: {unknown} are no experiments; "
            f"known: {sorted(parameters.experiments)}"
        )
    seeds = table.seeds or parameters.seeds
    return tuple(
        tuple(run for run in plan.by_name[row] if run.seed in seeds or not run.stages)
        for row in table.rows
        if row in plan.by_name
    )


def _add_experiment(plan: Plan, parameters: Parameters, name: str) -> ExperimentNode:
    own, method = described(parameters, name), method_of(parameters, name)
    tested = parameters
    if own.test_on:
        tested = with_settings(parameters, own.test_on, f"experiments.{name}.test_on")
    _check_estimator(tested)
    enabled = method.enabled(parameters)
    _check_data(parameters, tested, name, learns=bool(enabled), supervised=method.supervised)
    learnt = {key: value for each in enabled for key, value in each.images(parameters).items()}
    _check_images(parameters, name, learnt)
    _check_images(tested, name, method.images(tested))
    labels = _add_labels(plan, tested, "test", "soft")
    reconstructions = _add_reconstructions(plan, tested, labels)
    stages = _add_stages(plan, parameters, enabled)
    for kind in sorted({stage.labels.kind for stage in stages}):
        _add_labels(plan, parameters, "test", kind)  # to measure the quality of such labels
    reads = select(tested, method.reads(tested))
    used = [stage.id for stage in stages] or [reconstructions.id]
    method_id = method_name(parameters, name)
    experiment = ExperimentNode(
        id=node_id(f"predict_{method_id}", f"{name}-seed{parameters.seed}", reads, used, labels.id),
        parameters=reads,
        name=name,
        seed=parameters.seed,
        title=own.title,
        method=method_id,
        settings=own.set,
        test_on=own.test_on,
        labels=labels,
        reconstructions=reconstructions,
        stages=stages,
        resolved=parameters.model_dump(
            mode="json", exclude={"experiments", "tables", "seeds", "run"}
        ),
        has_truth=SOURCES[tested.data.source].has_truth,
    )
    plan.experiments[experiment.id] = experiment
    return experiment


def _joined_runs(
    plan: Plan, parameters: Parameters, name: str, seeds: Sequence[int]
) -> Iterable[ExperimentNode]:
    """The runs of an experiment that joins two others, seed by seed."""
    parts = parts_of(parameters, name)
    lacking = [part for part in parts if part not in plan.by_name]
    if lacking:
        raise UnavailableError(f"experiments.{name}.of: {plan.refused.get(lacking[0], lacking[0])}")
    first, second = (plan.by_name[part] for part in parts)
    for a, b in ((a, b) for a in first for b in second):
        together = a.seed == b.seed or not (a.stages and b.stages)
        if together and (_seed_of(a, b) in seeds or not (a.stages or b.stages)):
            run = _joined(parameters, name, a, b)
            plan.experiments[run.id] = run
            yield run


def _seed_of(*parts: ExperimentNode) -> int:
    """The seed of what was trained; of the first, where nothing was."""
    return next((part.seed for part in parts if part.stages), parts[0].seed)


def _joined(parameters: Parameters, name: str, *parts: ExperimentNode) -> ExperimentNode:
    if len({part.data_key for part in parts}) > 1:
        raise InputError(
            f"experiments.{name}.of: {[part.name for part in parts]} are tested on different data; "
            "join experiments that are tested on the same"
        )
    seed, method = _seed_of(*parts), method_name(parameters, name)
    stages = {stage.id: stage for part in parts for stage in part.stages}
    return replace(
        parts[0],
        id=node_id(f"predict_{method}", f"{name}-seed{seed}", [part.id for part in parts]),
        parameters={},
        name=name,
        seed=seed,
        title=described(parameters, name).title,
        method=method,
        settings={},
        stages=tuple(stages.values()),
        resolved={**parts[0].resolved, "seed": seed},
        parts=parts,
    )


def _check_data(
    trained: Parameters, tested: Parameters, name: str, learns: bool, supervised: bool
) -> None:
    """Refuse an experiment without test sequences, one that learns without training ones, one whose
    estimator has no images to look at, and one that learns from a truth that is not there."""
    needs = [(tested, "test", "predictions are made of them")]
    if learns:
        needs.append((trained, "train", f"experiments.{name} learns from them"))
    for parameters, split, reason in needs:
        source = parameters.data.source
        if not _sequences(parameters, "test" if split == "test" else "train"):
            raise UnavailableError(
                f"{source}.{split}: it names no sequence, and {reason}; "
                f"name one or more there, as data.source is {source}"
            )
        estimator = parameters.estimator.name
        if not known(ESTIMATORS, estimator, "estimator.name").reads_files:
            _check_images(parameters, name, {"estimator.name": "file"})
    if supervised and not SOURCES[trained.data.source].has_truth:
        raise UnavailableError(
            f"experiments.{name} learns from 3D truth, and data.source: {trained.data.source} "
            "comes without; choose other experiments (run.experiments)"
        )


def _check_images(parameters: Parameters, name: str, settings: Mapping[str, str]) -> None:
    """Refuse an experiment that looks at images, by some settings, of data that come without; each
    setting has a value by which it looks at none."""
    source = parameters.data.source
    if settings and not SOURCES[source].has_images:
        others = ", ".join(f"{key}: {value}" for key, value in settings.items())
        raise UnavailableError(
            f"experiments.{name} looks at images, and data.source: {source} comes without; set "
            f"{others}; or choose a data.source with images, or other experiments (run.tables, "
            "run.experiments)"
        )


def _sequences(parameters: Parameters, split: Split) -> Sequence[str]:
    source = known(SOURCES, parameters.data.source, "data.source")
    train, test = source.sequences(parameters)
    return train if split == "train" else test


def _add_labels(plan: Plan, parameters: Parameters, split: Split, kind: str) -> LabelsNode:
    """The labels of the sequences of a split; many experiments share them."""
    known_by = (_data_of(parameters), split, kind)
    if known_by not in plan.shared:
        source = parameters.data.source
        scenes = [
            _add_scene(plan, parameters, source, sequence, split)
            for sequence in _sequences(parameters, split)
        ]
        plan.shared[known_by] = _labels_of(plan, parameters, scenes, kind)
    return plan.shared[known_by]


def _data_of(parameters: Parameters) -> str:
    """All that labels may depend on: nothing of networks and training."""
    return parameters.model_dump_json(exclude=_NOT_OF_DATA)


def _add_scene(
    plan: Plan, parameters: Parameters, source: str, sequence: str, split: Split
) -> SceneNode:
    entry, host = SOURCES[source], None
    if entry.renders:
        rendered = select(parameters, entry.renders(parameters, sequence, split))
        host = Node(node_id(f"render_{source}", source, rendered, sequence), rendered)
        plan.hosts[host.id] = host
    reads = select(parameters, entry.reads(parameters, sequence, split))
    id_ = node_id(f"scene_{source}", source, reads, sequence, split, host.id if host else None)
    scene = SceneNode(id_, reads, sequence, split, source, host)
    plan.scenes[scene.id] = scene
    return scene


def _labels_of(
    plan: Plan, parameters: Parameters, scenes: Iterable[SceneNode], kind: str
) -> LabelsNode:
    if kind == "consensus":
        people = _people_of(plan, parameters, scenes)
        reads = select(parameters, ("labels.agreement",))
        id_ = node_id("consensus_labels", kind, reads, people.id)
        return _added(plan, LabelsNode(id_, reads, kind, people.labels.detections, people))
    detections = tuple(_add_detections(plan, parameters, scene) for scene in scenes)
    noise = ("labels.noise", "labels.noise_seed") if parameters.labels.noise else ("labels.noise",)
    hard = ("labels.joint_score",) if kind == "hard" else ()
    kept = ("labels.person_score", "labels.min_joints", "labels.skeleton")
    reads = select(parameters, (*kept, *noise, *hard))
    id_ = node_id("labels", kind, reads, kind, [each.id for each in detections])
    return _added(plan, LabelsNode(id_, reads, kind, detections))


def _added(plan: Plan, labels: LabelsNode) -> LabelsNode:
    plan.labels[labels.id] = labels
    return labels


def _add_detections(plan: Plan, parameters: Parameters, scene: SceneNode) -> DetectionsNode:
    name, files = parameters.estimator.name, parameters.estimator.files
    reads = select(parameters, ESTIMATORS[name].reads(parameters))
    if files and ESTIMATORS[name].reads_files:
        reads["estimator"]["files"] = files.replace("{dataset}", scene.id)
    weights = _add_weights(plan, parameters, ESTIMATORS[name].weights)
    node = DetectionsNode(node_id(f"detect_{name}", name, reads, scene.id), reads, scene, weights)
    plan.detections[node.id] = node
    return node


def _rig_checks(plan: Plan, parameters: Parameters) -> Iterable[RigCheckNode]:
    """Checks of the cameras as calibrated by whom they see: the user's own, and others' that come
    without truth. The space is that of the data; the footage beside them has none."""
    for seen in plan.detections.values():
        source = SOURCES[seen.scene.source]
        published = source.has_truth and (source.downloads or source.renders)
        if published or seen.scene.refined_from:
            continue
        own = seen.scene.source == parameters.data.source
        reads = select(parameters, ("space",) if own else ())
        yield RigCheckNode(node_id("rig_check", "rig", reads, seen.id), reads, seen)


def _add_weights(plan: Plan, parameters: Parameters, name: str | None) -> WeightsNode | None:
    """Weights by their name; those that parameters choose have a key of these."""
    if name is None:
        return None
    reads = select(parameters, known(WEIGHTS, name, "the weights").reads)
    id_ = node_id(f"weights_{name}", name, reads) if reads else name
    source = reads.get("estimator", {}).get(name, {}).get("source")
    plan.weights[id_] = WeightsNode(id_, reads, name, source)
    return plan.weights[id_]


def _add_reconstructions(
    plan: Plan, parameters: Parameters, labels: LabelsNode
) -> ReconstructionsNode:
    reads = select(parameters, ("training_free",))
    id_ = node_id("reconstructions", "training_free", reads, labels.id)
    node = ReconstructionsNode(id_, reads, labels)
    plan.reconstructions[node.id] = node
    return node


def _add_footage(plan: Plan, parameters: Parameters) -> ReconstructionsNode:
    """The footage's reconstruction; once more with refitted cameras where that is asked for."""
    name = parameters.footage.name
    _, sequences = known(SOURCES, name, "footage.name").sequences(parameters)
    scenes = [_add_scene(plan, parameters, name, sequence, "test") for sequence in sequences]
    people = _people_of(plan, parameters, scenes)
    if not parameters.footage.centre_refinement:
        return people
    refined = [_refined(plan, scene, people) for scene in scenes]
    return _people_of(plan, parameters, refined)


def _refined(plan: Plan, scene: SceneNode, people: ReconstructionsNode) -> SceneNode:
    id_ = node_id("refined_cameras", f"{scene.source}_refined", people.id, scene.sequence)
    node = replace(scene, id=id_, refined_from=people)
    plan.scenes[node.id] = node
    return node


def _people_of(
    plan: Plan, parameters: Parameters, scenes: Iterable[SceneNode]
) -> ReconstructionsNode:
    labels = _labels_of(plan, parameters, scenes, "soft")
    return _add_reconstructions(plan, parameters, labels)


def _add_stages(
    plan: Plan, parameters: Parameters, enabled: Sequence[Stage]
) -> tuple[StageNode, ...]:
    chain: dict[str, StageNode] = {}
    for stage in enabled:
        labels = _add_labels(plan, parameters, "train", stage.labels(parameters))
        people = None
        if stage.needs_people(parameters, list(chain)):
            soft = _add_labels(plan, parameters, "train", "soft")
            people = _add_reconstructions(plan, parameters, soft)
        start = tuple(chain[name].id for name in stage.start(parameters, list(chain)))
        space = ("space",) if people else ()  # which the people are checked against
        reads = select(parameters, (*stage.reads(parameters), *space))
        needed = [labels.id, people.id if people else None]
        name = f"{stage.name}-{stage.variant(parameters)}"
        chain[stage.name] = StageNode(
            id=node_id(f"train_{stage.name}", name, reads, needed, start),
            parameters=reads,
            stage=stage.name,
            labels=labels,
            reconstructions=people,
            start=start,
            threads=parameters.compute.threads,
            weights=_add_weights(plan, parameters, stage.weights(parameters)),
        )
    plan.stages.update({node.id: node for node in chain.values()})
    return tuple(chain.values())
