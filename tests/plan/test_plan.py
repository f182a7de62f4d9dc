"""The plan: which experiments share what, and what a table is made of."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from selfpose3d.errors import InputError
from selfpose3d.parameters import Parameters, load_parameters, merge, with_settings
from selfpose3d.plan import keys
from selfpose3d.plan.nodes import ExperimentNode, Plan, StageNode
from selfpose3d.plan.planning import make_plan
from selfpose3d.plan.study import Chosen, everything, plain_run

REPOSITORY = Path(__file__).parents[2]
FILES = [REPOSITORY / "params.yaml", REPOSITORY / "config/study.yaml"]
LENGTHS = {"smoke": (4, None), "cpu": (120, None), "paper": (None, 5), "paper trial": (2, None)}
"""Iterations and epochs of the study's L2 stage under overlays."""


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return load_parameters(FILES)


@pytest.fixture(scope="module")
def plan(parameters: Parameters) -> Plan:
    return make_plan(parameters)


def of_table(plan: Plan, table: str) -> list[ExperimentNode]:
    return [run for row in plan.tables[table] for run in row]


def stages_of(runs: Iterable[ExperimentNode]) -> dict[str, StageNode]:
    return {stage.id: stage for run in runs for stage in run.stages}


def counted(plan: Plan, table: str) -> dict[str, int]:
    """How many stages of each kind a table has trained."""
    return dict(Counter(stage.stage for stage in stages_of(of_table(plan, table)).values()))


def test_the_study_changes_nothing_of_a_plain_run(parameters: Parameters) -> None:
    plain = make_plan(load_parameters(FILES[:1]))
    chosen = plain_run(parameters)
    tables = {name: parameters.tables[name] for name in chosen.tables}
    assert make_plan(parameters.model_copy(update={"tables": tables}), chosen) == plain
    assert set(tables) == {"methods", "soft_and_hard"}


def test_a_new_version_of_a_step_gives_new_ids_downstream_and_nowhere_else(
    parameters: Parameters, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {**keys.code_versions(), "labels": 99}
    monkeypatch.setattr(keys, "code_versions", lambda: versions)
    newer = make_plan(parameters)
    assert newer.detections.keys() == plan.detections.keys()
    assert newer.scenes.keys() == plan.scenes.keys()
    for kind in ("labels", "reconstructions", "stages", "experiments"):
        assert not getattr(newer, kind).keys() & getattr(plan, kind).keys()


def test_without_a_second_look_detections_do_not_depend_on_the_reconstruction() -> None:
    """With one they do: it looks for people whom the reconstruction places in a view."""
    kept = {}
    for looks in (False, True):
        settings = {"estimator.second_look": looks, "training_free.max_ray_distance": 50.0}
        base = load_parameters([REPOSITORY / "params.yaml"])
        before = make_plan(with_settings(base, {"estimator.second_look": looks}, "test"))
        after = make_plan(with_settings(base, settings, "test"))
        kept[looks] = before.detections.keys() == after.detections.keys()
        assert not before.reconstructions.keys() & after.reconstructions.keys()
    assert kept == {False: True, True: False}


def test_shared_stages_are_trained_once(plan: Plan) -> None:
    assert counted(plan, "table_4") == {"root": 3, "pose_l2": 9}
    assert counted(plan, "table_5") == {"root": 3, "pose_l2": 12, "pose_l1": 15}
    assert counted(plan, "table_6") == {"root": 3, "pose_l2": 6, "pose_l1": 12}
    assert counted(plan, "table_11") == {"root": 1, "pose_l2": 1, "pose_l1": 4}
    assert counted(plan, "table_12") == {"root": 1, "pose_l2": 3}
    tables = ("table_1", "table_4", "table_5", "table_6", "table_16", "beyond")
    together = stages_of(run for table in tables for run in of_table(plan, table))
    of_recipe_and_of_default = 3 + 3  # seeds; the published recipe reads the space as published
    assert sum(id_.startswith("root-estimator") for id_ in together) == of_recipe_and_of_default


def test_a_row_has_the_seeds_of_its_table(plan: Plan) -> None:
    seeds = {
        table: [run.seed for run in plan.tables[table][row]]
        for table, row in {"table_5": 2, "table_7": 0, "table_1": 2}.items()
    }
    assert seeds == {"table_5": [0, 1, 2], "table_7": [0], "table_1": [0]}


@pytest.mark.parametrize("overlays", LENGTHS)
def test_overlays_reach_what_all_rows_share(overlays: str) -> None:
    files = [REPOSITORY / "config" / f"{name}.yaml" for name in overlays.split()]
    chosen = load_parameters([*FILES, *files])
    for run in of_table(make_plan(chosen), "table_11"):
        stage = run.resolved["train"]["pose_l2"]
        assert (stage["iterations"], stage["epochs"]) == LENGTHS[overlays]


def test_another_rig_in_the_test_changes_the_data_and_not_the_training(plan: Plan) -> None:
    (moved,) = plan.by_name["ring_to_hall"]
    (there,) = plan.by_name["hall"]
    stayed = next(run for run in plan.by_name["study"] if run.seed == 0)
    assert moved.stages == stayed.stages != there.stages
    assert moved.scenes == there.scenes != stayed.scenes
    assert (stayed.labels.data_title, moved.labels.data_title) == ("studio ring5", "studio hall5")
    assert moved.labels == there.labels
    assert moved.reconstructions.labels == moved.labels
    back = plan.by_name["hall_to_ring"][0]
    assert (back.stages, back.scenes) == (there.stages, stayed.scenes)


def test_exact_labels_are_learnt_from_and_not_tested_on(plan: Plan) -> None:
    (exact,) = plan.by_name["exact_labels"]
    learnt = [each for stage in exact.stages for each in stage.labels.detections]
    assert {each.scene.split for each in learnt} == {"train"}
    for each in learnt:
        files = f"data/truth/{each.scene.id}/{{sequence}}.parquet"
        assert each.parameters["estimator"] == {"name": "ground_truth", "files": files}
    tested = {each.parameters["estimator"]["name"] for each in exact.labels.detections}
    assert tested == {"blazepose"}
    assert not {each.id for each in learnt} & {each.id for each in exact.labels.detections}


def test_noise_makes_other_labels_of_the_same_detections(plan: Plan) -> None:
    runs = [plan.by_name[name][0] for name in ("study", "noise_1", "noise_4")]
    assert len({run.labels.id for run in runs}) == 3
    study, *others = (run.labels.detections for run in runs)
    assert study == others[0] == others[1]


def test_a_joined_experiment_takes_what_two_others_predict_seed_by_seed(plan: Plan) -> None:
    joined = plan.by_name["together"]
    assert [run.seed for run in joined] == [0, 1, 2]
    for run, ours, images in zip(joined, plan.by_name["ours"], plan.by_name["images"], strict=True):
        assert run.parts == (ours, images)
        assert run.stages == (*ours.stages, *images.stages)
        assert run.scenes == ours.scenes and not run.runs_networks
    assert len({run.id for run in joined}) == 3


def joined_with(of: Any, **over: Any) -> Parameters:
    experiments = {
        "free": {"title": "Free", "method": "training_free"},
        "learnt": {"title": "Learnt"},
        "both": {"title": "Both", "method": "joined", "of": of} | over,
    }
    tables = {"mine": {"title": "Mine", "rows": ["both"], "seeds": [3, 4]}}
    run = {"tables": ["mine"]}
    return Parameters.model_validate({"experiments": experiments, "tables": tables, "run": run})


def test_what_is_joined_is_made_with_the_seeds_of_the_join() -> None:
    parameters = joined_with(["free", "learnt"])
    plan = make_plan(parameters)
    assert [run.seed for run in plan.by_name["learnt"]] == [3, 4]
    (free,) = plan.by_name["free"]
    assert plan.tables["mine"] == (plan.by_name["both"],)
    assert [run.parts for run in plan.by_name["both"]] == [
        (free, learnt) for learnt in plan.by_name["learnt"]
    ]
    assert [run.resolved["seed"] for run in plan.by_name["both"]] == [3, 4]
    assert set(plain_run(parameters).experiments) == {"free", "learnt", "both"}


def test_what_learns_nothing_is_joined_once() -> None:
    parameters = joined_with(["free", "learnt"])
    other = parameters.experiments["free"].model_copy(
        update={"set": {"training_free.iterations": 1}}
    )
    both = parameters.experiments | {"learnt": other}
    ((run,),) = make_plan(parameters.model_copy(update={"experiments": both})).tables["mine"]
    assert not run.stages


@pytest.mark.parametrize(
    ("of", "over"),
    [
        (None, {}),
        (["free", "nobody"], {}),
        (["free", "both"], {}),
        (["free", "learnt"], {"set": {"inference.refine": False}}),
        (["free", "learnt"], {"test_on": {"studio.rig": "config/rigs/hall5.yaml"}}),
    ],
)
def test_a_join_of_what_can_not_be_joined_is_refused(of: Any, over: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"experiments\.both: a joined experiment names two"):
        make_plan(joined_with(of, **over))


def test_only_a_joined_experiment_is_of_others() -> None:
    with pytest.raises(InputError, match=r"experiments\.both\.of: only a joined"):
        make_plan(joined_with(["free", "learnt"], method="training_free"))


def test_experiments_on_different_data_are_not_joined() -> None:
    parameters = joined_with(["free", "learnt"])
    other = {"studio.rig": "config/rigs/hall5.yaml"}
    learnt = parameters.experiments["learnt"].model_copy(update={"test_on": other})
    moved = parameters.model_copy(
        update={"experiments": parameters.experiments | {"learnt": learnt}}
    )
    with pytest.raises(InputError, match=r"experiments\.both\.of: .* tested on different data"):
        make_plan(moved)


def test_a_table_of_what_is_not_there_is_refused() -> None:
    tables = {"mine": {"title": "Mine", "rows": ["nobody"]}}
    with pytest.raises(InputError, match=r"tables\.mine\.rows: \['nobody'\] are no experiments"):
        make_plan(Parameters.model_validate({"tables": tables}))


def own_videos(train: dict[str, str], test: dict[str, str], **over: Any) -> Parameters:
    data = {"data": {"source": "videos"}, "videos": {"train": train, "test": test}}
    return Parameters.model_validate(data | over)


def test_own_videos_need_sequences_to_learn_from_and_to_test_on(parameters: Parameters) -> None:
    described = {name: method.model_dump() for name, method in parameters.experiments.items()}
    untested = own_videos({"a": "x"}, {}, experiments=described)
    with pytest.raises(InputError, match=r"videos\.test: it names no sequence.*name one or more"):
        make_plan(untested, everything(untested))
    unlearnt = own_videos({}, {"b": "y"}, experiments=described)
    with pytest.raises(InputError, match=r"videos\.train: it names no .*experiments\.\w+ learns"):
        make_plan(unlearnt, everything(unlearnt))


def test_what_the_data_do_not_allow_is_left_out_of_the_whole_and_told(
    parameters: Parameters,
) -> None:
    own = {"data": {"source": "videos"}, "videos": {"test": {"b": "y"}}}
    plan = make_plan(parameters.model_validate(parameters.model_dump() | own))
    assert plan.refused.keys() | plan.by_name.keys() == parameters.experiments.keys()
    on_these = [run for run in plan.experiments.values() if run.scenes[0].source == "videos"]
    assert on_these and not any(run.stages for run in on_these)
    assert "experiments.ours learns from them" in plan.refused["ours"]
    assert "experiments.voxelpose learns from" in plan.refused["voxelpose"]
    assert plan.refused["together"].startswith("experiments.together.of: ")
    assert {run.name for row in plan.tables["table_1"] for run in row} == {"training_free"}


def without_pictures(parameters: Parameters, **over: Any) -> Parameters:
    """2D people to learn from and to test on."""
    own = {
        "data": {"source": "keypoints"},
        "keypoints": {"calibration": "c.toml", "train": ["a"], "test": ["b"]},
        "estimator": {"name": "file", "files": "{sequence}.json"},
    }
    return Parameters.model_validate(merge(parameters.model_dump(), merge(own, over)))


NO_PICTURES = r"data\.source: keypoints comes without; set "


@pytest.mark.parametrize(
    ("experiment", "remedy"),
    [
        ("images", r"heatmaps\.source: estimator, train\.pose_l2\.soft_attention: false, "),
        ("estimator", r"train\.pose_l2\.soft_attention: false, train\.pose_l1\.soft_attention: f"),
        ("voxelpose_images", r"heatmaps\.source: estimator; or choose a data\.source with images"),
    ],
)
def test_an_experiment_on_images_is_refused_of_data_without(
    parameters: Parameters, experiment: str, remedy: str
) -> None:
    voxelpose = {"title": "V", "method": "voxelpose", "set": {"heatmaps.source": "backbone"}}
    own = without_pictures(
        parameters,
        data={"source": "keypoints_with_truth"},
        keypoints={"truth": "{sequence}.json"},
        experiments={"voxelpose_images": voxelpose},
    )
    said = rf"experiments\.{experiment} looks at images, and data\.source: keypoints_with_truth "
    with pytest.raises(InputError, match=rf"{said}comes without; set {remedy}"):
        make_plan(own, Chosen((experiment,), ()))


def test_what_looks_at_no_image_is_planned_of_data_without(parameters: Parameters) -> None:
    blind = {stage: {"soft_attention": False} for stage in ("pose_l2", "pose_l1", "finetune")}
    plan = make_plan(without_pictures(parameters, train=blind))
    assert {"training_free", "ours", "estimator", "hard"} <= plan.by_name.keys()
    assert {"images", "together", "study_images"} <= plan.refused.keys()
    assert re.search(rf"{NO_PICTURES}heatmaps\.source: estimator; or", plan.refused["images"])


def test_an_estimator_that_looks_at_images_is_refused_of_data_without() -> None:
    free = {"free": {"title": "Free", "method": "training_free"}}
    given = Parameters.model_validate({"experiments": free})
    own = without_pictures(given, estimator={"name": "blazepose"})
    with pytest.raises(
        InputError, match=rf"experiments\.free .*{NO_PICTURES}estimator\.name: file"
    ):
        make_plan(own, everything(own))


@pytest.mark.parametrize("source", ["backbone", "estimator"])
def test_trained_on_images_it_is_tested_on_data_without_where_it_predicts_from_people(
    parameters: Parameters, source: str
) -> None:
    own = {
        "data.source": "keypoints",
        "keypoints.calibration": "c.toml",
        "keypoints.test": ["b"],
        "estimator.name": "file",
        "estimator.files": "people.json",
    }
    moved = {"title": "Moved", "set": {"heatmaps.source": source}, "test_on": own}
    given = parameters.model_dump() | {"experiments": {"moved": moved}, "tables": {}}
    plan = make_plan(Parameters.model_validate(given))
    assert plan.by_name.keys() == ({"moved"} if source == "estimator" else set())
    assert re.search(rf"^$|{NO_PICTURES}heatmaps\.source: e", plan.refused.get("moved", ""))


def test_own_videos_without_training_sequences_do_where_nothing_learns() -> None:
    free = {"free": {"title": "Free", "method": "training_free"}}
    plan = make_plan(own_videos({}, {"b": "y"}, experiments=free))
    (run,) = plan.by_name["free"]
    assert [scene.sequence for scene in run.scenes] == ["b"]


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("data", {"source": "coco"}, r"data\.source: 'coco' is .*'panoptic', .*'studio', 'videos'"),
        ("estimator", {"name": "eyes"}, r"estimator\.name: 'eyes' is unknown.*'blazepose'"),
        ("estimator", {"name": "file"}, r"estimator\.files: None: .*'file' reads one; give its p"),
        ("estimator", {"name": "ground_truth", "files": ""}, r"estimator\.files: '': .*its path"),
    ],
)
def test_names_that_no_table_has_are_refused(
    section: str, values: dict[str, Any], message: str
) -> None:
    free = {"free": {"title": "Free", "method": "training_free"}}
    parameters = Parameters.model_validate({"experiments": free, section: values})
    with pytest.raises(InputError, match=message):
        make_plan(parameters)


def test_shared_attention_needs_learnt_heatmaps(parameters: Parameters) -> None:
    wrong = with_settings(parameters, {"networks.attention": "shared"}, "test")
    with pytest.raises(InputError, match=r"networks\.attention: shared.*heatmaps\.source"):
        make_plan(wrong)


def stage_ids(parameters: Parameters, **over: Any) -> set[str]:
    settings = {name.replace("__", "."): value for name, value in over.items()}
    return set(make_plan(with_settings(parameters, settings, "test")).stages)


def test_what_is_tested_on_leaves_what_was_learnt() -> None:
    plain = load_parameters(FILES[:1])
    before = stage_ids(plain)
    more = plain.studio.test_sequences + 1
    assert before == stage_ids(plain, studio__test_sequences=more)
    assert before == stage_ids(plain, studio__test_frames=plain.studio.test_frames + 1)
    assert before == stage_ids(plain, data__test_every=2)
    assert not before & stage_ids(plain, studio__train_frames=plain.studio.train_frames + 1)


def test_one_more_training_sequence_leaves_the_others_as_they_are() -> None:
    plain = load_parameters(FILES[:1])
    over = {"studio.train_sequences": plain.studio.train_sequences + 1}
    before, after = make_plan(plain), make_plan(with_settings(plain, over, "test"))
    for kind in ("scenes", "detections"):
        assert len(getattr(after, kind).keys() - getattr(before, kind).keys()) == 1
        assert not getattr(before, kind).keys() - getattr(after, kind).keys()
    assert not before.stages.keys() & after.stages.keys()


OVERLAYS = {
    "": (8, 15),
    "smoke": (8, 15),
    "cpu": (8, 15),
    "paper": (7, 12),
    "paper trial": (7, 12),
    "paper shelf": (7, 12),
    "shelf": (8, 15),
    "campus": (8, 15),
    "mvor": (1, 0),
    "time_to_accuracy": (8, 15),
}
"""Experiments and trainings of a plain run under overlays: what a user waits for."""


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_a_plain_run_is_as_large_as_it_says(overlays: str) -> None:
    files = [REPOSITORY / "config" / f"{name}.yaml" for name in overlays.split()]
    chosen = load_parameters([*FILES, *files])
    plan = make_plan(chosen, plain_run(chosen))
    assert (len(plan.experiments), len(plan.stages)) == OVERLAYS[overlays]
    assert not plan.refused


def test_every_overlay_is_counted() -> None:
    """``study`` lies under all of them."""
    names = {path.stem for path in (REPOSITORY / "config").glob("*.yaml")}
    assert names - {"study"} == {name for overlays in OVERLAYS for name in overlays.split()}


def test_two_takes_of_own_videos_train_nothing() -> None:
    own = {"data": {"source": "videos"}, "videos": {"test": {"one": "x", "two": "y"}}}
    given = load_parameters(FILES)
    parameters = given.model_validate(given.model_dump() | own)
    plan = make_plan(parameters, plain_run(parameters))
    (run,) = plan.experiments.values()
    assert run.name == "training_free" and not plan.stages and not plan.tables
    assert [scene.sequence for scene in run.scenes] == ["one", "two"]
    own_scenes = [scene for scene in plan.scenes.values() if scene.source == "videos"]
    assert len(own_scenes) == 2 and {scene.split for scene in own_scenes} == {"test"}


@pytest.mark.parametrize(
    ("part", "key"), [("set", "compute.checkpoint_every"), ("test_on", "panoptic.retries")]
)
def test_an_experiment_that_sets_what_can_t_change_a_result_is_refused(part: str, key: str) -> None:
    idle = {"method": "training_free", "title": "Idle", part: {key: 7}}
    given = Parameters.model_validate({"experiments": {"idle": idle}})
    with pytest.raises(InputError, match=rf"experiments\.idle\.{part}: .* can't change a result"):
        make_plan(given)


def test_crops_that_a_pose_resnet_can_t_halve_are_refused(parameters: Parameters) -> None:
    settings = {"networks.backbone": "pose_resnet50", "train.backbone.crop": 144}
    with pytest.raises(InputError, match=r"train\.backbone\.crop: 144.*multiple of 32.*set 128"):
        make_plan(with_settings(parameters, settings, "test"))


def test_a_stage_that_does_not_read_where_heatmaps_come_from_has_one_id(
    parameters: Parameters,
) -> None:
    experiments = {
        f"{method}_{source}": {
            "title": method,
            "method": method,
            "set": {"heatmaps.source": source},
        }
        for method in ("selfpose3d", "voxelpose", "trust")
        for source in ("backbone", "estimator")
    }
    given = parameters.model_dump() | {"experiments": experiments, "tables": {}}
    plan = make_plan(Parameters.model_validate(given))
    names: dict[tuple[str, str], set[str]] = {}
    for stage in plan.stages.values():
        names.setdefault((stage.stage, stage.key), set()).add(stage.id)
    assert all(len(ids) == 1 for ids in names.values())
    assert plan.by_name["trust_backbone"][0].stages == plan.by_name["trust_estimator"][0].stages
