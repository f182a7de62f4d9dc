"""The plan: which experiments share what, and what a table is made of."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from selfpose3d.errors import InputError
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.plan import keys
from selfpose3d.plan.nodes import Experiment, Plan, Stage
from selfpose3d.plan.planning import make_plan

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


def of_table(plan: Plan, table: str) -> list[Experiment]:
    return [run for row in plan.tables[table] for run in row]


def stages_of(runs: Iterable[Experiment]) -> dict[str, Stage]:
    return {stage.id: stage for run in runs for stage in run.stages}


def counted(plan: Plan, table: str) -> dict[str, int]:
    """How many stages of each kind a table has trained."""
    return dict(Counter(stage.stage for stage in stages_of(of_table(plan, table)).values()))


def test_the_study_changes_nothing_of_a_plain_run(parameters: Parameters) -> None:
    plain = make_plan(load_parameters(FILES[:1]))
    assert make_plan(parameters.by_default()) == plain
    assert {table for table in parameters.tables if parameters.tables[table].by_default} == {
        "methods",
        "labels",
    }


def test_a_new_version_of_a_step_gives_new_ids_downstream_and_nowhere_else(
    parameters: Parameters, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {**keys.code_versions(), "labels": 99}
    monkeypatch.setattr(keys, "code_versions", lambda: versions)
    newer = make_plan(parameters)
    assert newer.detections.keys() == plan.detections.keys()
    assert newer.datasets.keys() == plan.datasets.keys()
    for kind in ("labels", "reconstructions", "stages", "experiments"):
        assert not getattr(newer, kind).keys() & getattr(plan, kind).keys()


def test_shared_stages_are_trained_once(plan: Plan) -> None:
    assert counted(plan, "table_4") == {"root": 3, "pose_l2": 9}
    assert counted(plan, "table_5") == {"root": 3, "pose_l2": 12, "pose_l1": 15}
    assert counted(plan, "table_6") == {"root": 3, "pose_l2": 6, "pose_l1": 12}
    assert counted(plan, "table_11") == {"root": 1, "pose_l2": 1, "pose_l1": 4}
    assert counted(plan, "table_12") == {"root": 1, "pose_l2": 3}
    tables = ("table_1", "table_4", "table_5", "table_6", "table_16", "beyond")
    together = stages_of(run for table in tables for run in of_table(plan, table))
    assert sum(id_.startswith("root-estimator") for id_ in together) == 3


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
    assert moved.dataset == there.dataset != stayed.dataset
    assert (stayed.dataset.title, moved.dataset.title) == ("studio ring5", "studio hall5")
    assert moved.labels == there.labels
    assert moved.reconstructions.labels == moved.labels
    back = plan.by_name["hall_to_ring"][0]
    assert (back.stages, back.dataset) == (there.stages, stayed.dataset)


def test_exact_labels_are_learnt_from_and_not_tested_on(plan: Plan) -> None:
    (exact,) = plan.by_name["exact_labels"]
    learnt = {stage.labels.detections.parameters["estimator"]["files"] for stage in exact.stages}
    assert learnt == {f"data/truth/{exact.dataset.id}/{{sequence}}.parquet"}
    assert exact.labels.detections.parameters["estimator"]["name"] == "blazepose"


def test_noise_makes_other_labels_of_the_same_detections(plan: Plan) -> None:
    runs = [plan.by_name[name][0] for name in ("study", "noise_1", "noise_4")]
    assert len({run.labels.id for run in runs}) == 3
    assert len({run.labels.detections.id for run in runs}) == 1


def test_a_joined_experiment_takes_what_two_others_predict_seed_by_seed(plan: Plan) -> None:
    joined = plan.by_name["together"]
    assert [run.seed for run in joined] == [0, 1, 2]
    for run, ours, images in zip(joined, plan.by_name["ours"], plan.by_name["images"], strict=True):
        assert run.parts == (ours, images)
        assert run.stages == (*ours.stages, *images.stages)
        assert run.dataset == ours.dataset and not run.runs_networks
    assert len({run.id for run in joined}) == 3


def joined_with(of: Any, **over: Any) -> Parameters:
    experiments = {
        "free": {"title": "Free", "method": "training_free"},
        "learnt": {"title": "Learnt"},
        "both": {"title": "Both", "method": "joined", "of": of} | over,
    }
    tables = {"mine": {"title": "Mine", "rows": ["both"], "seeds": [3, 4]}}
    return Parameters.model_validate({"experiments": experiments, "tables": tables})


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
    assert set(parameters.by_default().experiments) == {"free", "learnt", "both"}


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
    with pytest.raises(InputError, match=r"videos\.test: it names no sequence.*name one or more"):
        make_plan(own_videos({"a": "x"}, {}, experiments=described))
    with pytest.raises(InputError, match=r"videos\.train: it names no .*experiments\.\w+ learns"):
        make_plan(own_videos({}, {"b": "y"}, experiments=described))


def test_own_videos_without_training_sequences_do_where_nothing_learns() -> None:
    free = {"free": {"title": "Free", "method": "training_free"}}
    plan = make_plan(own_videos({}, {"b": "y"}, experiments=free))
    assert plan.by_name["free"][0].dataset.sequences == ("b",)


def test_shared_attention_needs_learnt_heatmaps(parameters: Parameters) -> None:
    wrong = with_settings(parameters, {"networks.attention": "shared"}, "test")
    with pytest.raises(InputError, match=r"networks\.attention: shared.*heatmaps\.source"):
        make_plan(wrong)
