"""What a plain run chooses, and which names of experiments and tables are refused."""

from pathlib import Path
from typing import Any

import pytest

from selfpose3d.errors import InputError
from selfpose3d.parameters import Parameters, load_parameters, merge, parse_parameters
from selfpose3d.plan.planning import make_plan
from selfpose3d.plan.study import everything, plain_run

REPOSITORY = Path(__file__).parents[2]
OWN_VIDEOS = {"data": {"source": "videos"}, "videos": {"train": {"a": "x"}, "test": {"b": "y"}}}
STUDY: dict[str, Any] = {
    "footage": {"name": "none"},
    "run": {"tables": ["plain"]},
    "experiments": {
        "free": {"title": "Free", "method": "training_free"},
        "changed": {"title": "C", "like": "free", "set": {"training_free.iterations": 1}},
        "learnt": {"title": "Learnt"},
        "both": {"title": "Both", "method": "joined", "of": ["free", "learnt"]},
        "voxelpose": {"title": "V", "method": "voxelpose"},
        "loose": {"title": "Loose", "method": "trust"},
    },
    "tables": {
        "plain": {"title": "Plain", "rows": ["both", "free"]},
        "asked": {"title": "Asked for", "rows": ["voxelpose"], "seeds": [3]},
    },
}


def study(*changes: dict[str, Any]) -> Parameters:
    values = STUDY
    for change in changes:
        values = merge(values, change)
    return parse_parameters(values, "study")


def test_the_chosen_tables_bring_their_experiments_and_what_these_join() -> None:
    chosen = plain_run(study())
    assert chosen.tables == ("plain",)
    assert chosen.experiments == ("free", "learnt", "both")


def test_experiments_are_chosen_besides() -> None:
    chosen = plain_run(study({"run": {"experiments": ["loose", "learnt"]}}))
    assert chosen.experiments == ("free", "learnt", "both", "loose")
    alone = plain_run(study({"run": {"tables": [], "experiments": ["both"]}}))
    assert (alone.experiments, alone.tables) == (("free", "learnt", "both"), ())


def test_another_table_is_chosen_with_its_seeds() -> None:
    parameters = study({"run": {"tables": ["asked"]}})
    plan = make_plan(parameters, plain_run(parameters))
    assert list(plan.by_name) == ["voxelpose"]
    assert [run.seed for run in plan.by_name["voxelpose"]] == [3]
    assert plan.tables == {"asked": (plan.by_name["voxelpose"],)}


def test_what_is_not_chosen_is_still_made_by_name() -> None:
    parameters = study()
    whole = make_plan(parameters)
    assert set(whole.by_name) == set(parameters.experiments)
    assert set(whole.tables) == {"plain", "asked"}
    chosen = make_plan(parameters, plain_run(parameters))
    assert set(chosen.experiments) < set(whole.experiments)


def test_own_videos_run_the_training_free_experiment_alone() -> None:
    parameters = study(OWN_VIDEOS)
    chosen = plain_run(parameters)
    assert (chosen.experiments, chosen.tables) == (("free",), ())
    plan = make_plan(parameters, chosen)
    assert not plan.stages and {scene.sequence for scene in plan.scenes.values()} == {"b"}


def test_own_videos_run_what_is_chosen_for_them() -> None:
    parameters = study(OWN_VIDEOS, {"run": {"experiments": ["loose"]}})
    plan = make_plan(parameters, plain_run(parameters))
    assert [stage.stage for stage in plan.stages.values()] == ["trust"]
    (stage,) = plan.by_name["loose"][0].stages
    assert [scene.sequence for scene in stage.labels.scenes] == ["a"]


@pytest.mark.parametrize("source", [{}, OWN_VIDEOS], ids=["studio", "videos"])
@pytest.mark.parametrize(
    ("section", "known"), [("tables", "'asked', 'plain'"), ("experiments", "'both', 'changed'")]
)
def test_unknown_names_are_refused(source: dict[str, Any], section: str, known: str) -> None:
    parameters = study(source, {"run": {section: ["nobody"]}})
    with pytest.raises(InputError, match=rf"run\.{section}: 'nobody' is unknown; known: .{known}"):
        plain_run(parameters)


@pytest.mark.parametrize("section", ["experiments", "tables"])
@pytest.mark.parametrize("name", ["a/b", "..", "two words", "a-b", "é", ""])
def test_names_that_would_break_a_path_are_refused(section: str, name: str) -> None:
    own = {"title": "Mine"} | ({"rows": ["free"]} if section == "tables" else {})
    with pytest.raises(
        InputError, match=rf"{section}: the names \['{name}'\] are to be of letters"
    ):
        make_plan(study({section: {name: own}}))


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match=r"experiments\.mine\.method: 'magic' .*'voxelpose'"):
        make_plan(study({"experiments": {"mine": {"title": "M", "method": "magic"}}}))


@pytest.mark.parametrize("key", ["compute.checkpoint_every", "panoptic.retries"])
def test_an_experiment_that_sets_what_changes_nothing_is_refused(key: str) -> None:
    mine = {"title": "Mine", "method": "trust", "set": {key: 7, "labels.min_joints": 3}}
    with pytest.raises(
        InputError, match=rf"experiments\.mine\.set: \['{key}'\] can't change a res"
    ):
        make_plan(study({"experiments": {"mine": mine}}))


def test_voxelpose_alone_on_videos_is_told_what_it_lacks() -> None:
    parameters = study(OWN_VIDEOS, {"run": {"experiments": ["voxelpose"]}})
    with pytest.raises(
        InputError, match=r"experiments\.voxelpose learns from 3D truth.*run\.experiments"
    ):
        make_plan(parameters, plain_run(parameters))


def test_a_run_of_nothing_is_told() -> None:
    with pytest.raises(InputError, match=r"run: no experiment is chosen; name tables in run\.tab"):
        plain_run(study({"run": {"tables": []}}))
    with pytest.raises(InputError, match=r"run: no experiment is chosen.*known experiments: \[\]"):
        plain_run(parse_parameters({"run": {"tables": []}}, "nothing"))
    learnt = {"experiments": {"learnt": {"title": "Learnt"}}, "run": {"tables": []}}
    with pytest.raises(InputError, match=r"run: no experiment is chosen.*\['learnt'\]"):
        plain_run(parse_parameters(OWN_VIDEOS | learnt, "videos"))


def test_the_whole_of_the_published_study_has_names_that_are_allowed() -> None:
    parameters = load_parameters([REPOSITORY / "params.yaml", REPOSITORY / "config/study.yaml"])
    whole = everything(parameters)
    assert set(plain_run(parameters).tables) < set(whole.tables)
    assert set(plain_run(parameters).experiments) < set(whole.experiments)
