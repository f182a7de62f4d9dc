"""The typed parameters: merging, overlays, refusals that name the key, and partial parameters."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import Scene, write_scene
from selfpose3d.methods import METHODS
from selfpose3d.parameters import (
    UNKEYED,
    NotGivenError,
    Parameters,
    Section,
    leaves,
    load_parameters,
    merge,
    parse_parameters,
    parse_selected,
    part_of,
    partial,
    select,
    unkeyed,
    with_settings,
)
from selfpose3d.parameters.section import CHOICE
from selfpose3d.plan.study import described, method_name, method_of, plain_run, seeds_of
from selfpose3d.synthetic.scenes import ring

values = st.integers() | st.text(max_size=3) | st.none() | st.lists(st.integers(), max_size=2)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
trees = st.recursive(
    st.dictionaries(st.sampled_from("abc"), values, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | values, max_size=3),
    max_leaves=8,
)


class TestMerge:
    def test_section_by_section(self) -> None:
        base = {"a": {"x": 1, "y": 2}, "b": [1, 2]}
        assert merge(base, {"a": {"y": 3}, "b": [9]}) == {"a": {"x": 1, "y": 3}, "b": [9]}

    @unhurried
    @given(base=trees, over=trees)
    def test_neither_side_is_changed_and_the_later_wins(self, base: dict, over: dict) -> None:
        before = json.dumps([base, over])
        merged = merge(base, over)
        assert json.dumps([base, over]) == before
        assert merge(merged, over) == merged
        assert set(merged) == set(base) | set(over)

    @unhurried
    @given(tree=trees)
    def test_nothing_laid_over_changes_nothing(self, tree: dict) -> None:
        assert merge(tree, {}) == tree
        assert merge({}, tree) == tree

    def test_the_result_shares_nothing_with_its_sources(self) -> None:
        over = {"a": {"x": [1]}}
        merged = merge({}, over)
        merged["a"]["x"].append(2)
        assert over == {"a": {"x": [1]}}


class TestFiles:
    def test_later_files_win(self, tmp_path: Path) -> None:
        base, overlay = tmp_path / "params.yaml", tmp_path / "overlay.yaml"
        base.write_text("seed: 1\nstudio: {train_frames: 7, test_frames: 8}\n")
        overlay.write_text("studio: {test_frames: 9}\n")
        parameters = load_parameters([base, overlay])
        assert (parameters.seed, parameters.studio.train_frames) == (1, 7)
        assert parameters.studio.test_frames == 9

    def test_an_empty_file_says_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text("")
        assert load_parameters([path]) == Parameters()

    def test_broken_yaml_names_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text("seed: [1")
        with pytest.raises(InputError, match=r"params\.yaml: not valid YAML"):
            load_parameters([path])

    def test_a_list_is_no_file_of_parameters(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text("- seed\n")
        with pytest.raises(
            InputError, match=r"params\.yaml: expected sections with keys.*\['seed'\]"
        ):
            load_parameters([path])

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"nowhere\.yaml: there is no such file"):
            load_parameters([tmp_path / "nowhere.yaml"])

    def test_a_wrong_value_names_file_and_key(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text("training_free: {iterations: 0}\n")
        with pytest.raises(
            InputError, match=r"params\.yaml.*\n.*training_free\.iterations: .*1.*0"
        ):
            load_parameters([path])


UNQUOTED = {
    "data: {cameras: [00_03, 00_06]}": (r"data\.cameras\.0: .*as a number.*\"00_03\".*got 3", 2),
    "data: {cameras: [left, 12:30]}": (r"data\.cameras\.1: .*12:30.*as a number.*got 750", 1),
    "data: {cameras: [0x10, 007, 1_2]}": (r"data\.cameras\.2: .*as a number.*got 12", 3),
    "data: {cameras: [1.0e+3]}": (r"data\.cameras\.0: .*as a number.*\"1\.0e\+3\".*1000\.0", 1),
    "data: {cameras: [on, no]}": (r"data\.cameras\.1: .*as a truth value.*\"on\".*False", 2),
    "data: {cameras: [2024-01-01]}": (r"data\.cameras\.0: .*as a date.*\"2024-01-01\"", 1),
    "data: {cameras: [~]}": (r"data\.cameras\.0: .*as nothing.*\"null\".*None", 1),
    "videos: {test: {01: take}}": (r"videos\.test\.1: .*as a number", 1),
    "videos: {test: {yes: take}}": (r"videos\.test\.\w+: .*as a truth value", 1),
    "videos: {test: {take: 2024-01-01}}": (r"videos\.test\.take: .*as a date", 1),
    "keypoints: {test: [1_2]}": (r"keypoints\.test\.0: .*as a number", 1),
    "experiments: {007: {title: A}}": (r"experiments\.7: .*as a number", 1),
}
"""Texts without quotes that YAML reads as something else: what is said, and how often."""


@pytest.mark.parametrize("text", UNQUOTED)
def test_a_name_without_quotes_that_is_none_to_yaml_is_to_be_quoted(
    text: str, tmp_path: Path
) -> None:
    message, times = UNQUOTED[text]
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        load_parameters([tmp_path / "params.yaml"])
    assert str(refused.value).count("where they have no quotes") == times


def test_names_that_yaml_leaves_alone_need_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("data: {cameras: [1e3, left, '00_03', 00_0A]}")
    parameters = load_parameters([tmp_path / "params.yaml"])
    assert parameters.data.cameras == ("1e3", "left", "00_03", "00_0A")


def test_a_setting_of_an_experiment_is_to_be_quoted_likewise() -> None:
    with pytest.raises(InputError, match=r'data\.cameras\.0: .*write "00_03" \(got 3\)'):
        with_settings(Parameters(), {"data.cameras": [3, 6]}, "experiments.few")


@pytest.mark.parametrize(
    ("section", "key", "path", "known"),
    [
        ("estimator", "files", "pose/{sequence}/{camera}.json", r"\{sequence\}, \{dataset\}"),
        ("estimator", "files", "pose/{}", r"\{sequence\}, \{dataset\}"),
        ("keypoints", "calibration", "{camera}/intri.yml", r"\{sequence\}"),
    ],
)
def test_what_is_not_filled_in_is_told(section: str, key: str, path: str, known: str) -> None:
    said = rf"{section}\.{key}: \{{\w*\}} is not filled in, only {known} may .*people2d\.md"
    with pytest.raises(InputError, match=said):
        parse_parameters({section: {key: path}}, "test")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": "one"}, r"seed: .*integer.*'one'"),
        ({"data": {"source": 3}}, r"data\.source: .*string.*3"),
        ({"data": {"network_size": [481, 288]}}, r"data: .*divisible by 32"),
        ({"networks": {"cuboid_grid": 18}}, r"networks\.cuboid_grid: .*multiple of 4"),
        (
            {"networks": {"root_grid": [40, 40, 8]}},
            r"networks\.root_grid\.2: .*greater than or equal",
        ),
        ({"labels": {"person_score": 1.5}}, r"labels\.person_score: .*less than or equal to 1"),
        (
            {"labels": {"persn_score": 0.5}},
            r"labels\.persn_score: there is no such key; known: .*'person_score'.*0\.5",
        ),
        ({"nonsense": 1}, r"nonsense: there is no such key; known: .*'labels'"),
        (
            {"estimator": {"blazepose": {"tile": 1}}},
            r"estimator\.blazepose\.tile: there is no such key; known: .*'tiles'",
        ),
        (
            {"experiments": {"tables": {"title": "A", "seed": 1}}},
            r"experiments\.tables\.seed: there is no such key; known: .*'set'",
        ),
        ({"seed": -1}, r"seed: .*greater than or equal to 0.*-1"),
        ({"seeds": [0, -1]}, r"seeds\.1: .*greater than or equal to 0.*-1"),
        ({"studio": {"seed": -1}}, r"studio\.seed: .*greater than or equal to 0"),
        (
            {"videos": {"train": {"a": "x", "b": "y"}, "test": {"a": "z"}}},
            r"videos: train, test: \['a'\] are in both; give .*other names",
        ),
        (
            {"videos": {"train": {"take 1": "x", "b": "y"}, "test": {"take-2": "z"}}},
            r"videos: .*\['take 1', 'take-2'\] may contain only letters, digits and _.*rename",
        ),
        ({"estimator": {"name": None}}, r"estimator\.name: .*string.*None"),
        ({"estimator": {"files": 3}}, r"estimator\.files: .*string.*3"),
        ({"training_free": {"min_views": 1}}, r"training_free\.min_views: .*equal to 2"),
        ({"train": {"root": {"epochs": 2}}}, r"train\.root: .*exactly one of epochs"),
        ({"space": {"size": [1, 2]}}, r"space\.size"),
        ({"space": {"size": [6, 6, 2]}}, r"space\.size: .*in metres; .*size: \[6000, 6000, 2000\]"),
        ({"space": {"size": [600, 600, 200]}}, r"in centimetres; .*size: \[6000, 6000, 2000\]"),
    ],
)
def test_refusals_name_the_key_and_what_is_allowed(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_parameters(values, "params.yaml")


class TestSettings:
    def test_dotted_keys_are_laid_over(self) -> None:
        changed = with_settings(Parameters(), {"labels.person_score": 0.5, "seed": 3}, "here")
        assert (changed.labels.person_score, changed.seed) == (0.5, 3)
        assert changed.labels.joint_score == Parameters().labels.joint_score

    def test_unknown_keys_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"here: labels\.score: .*no such key.*person_score"):
            with_settings(Parameters(), {"labels.score": 0.5}, "here")
        with pytest.raises(InputError, match=r"here: lables\.x: there is no section 'lables'"):
            with_settings(Parameters(), {"lables.x": 0.5}, "here")

    def test_one_length_of_a_stage_replaces_the_other_and_null_leaves_it(self) -> None:
        epochs = with_settings(Parameters(), {"train.root.epochs": 2}, "here").train.root
        assert (epochs.epochs, epochs.iterations) == (2, None)
        same = with_settings(Parameters(), {"train.root.iterations": None}, "here").train.root
        assert same == Parameters().train.root

    def test_values_are_checked_again(self) -> None:
        with pytest.raises(InputError, match=r"labels\.person_score"):
            with_settings(Parameters(), {"labels.person_score": 7}, "here")


def given_leaves(section: Section) -> dict[tuple[str, ...], Any]:
    """The fields that were given, by path, of a section that may hold only a part."""
    found: dict[tuple[str, ...], Any] = {}
    for name in type(section).model_fields:
        try:
            value = getattr(section, name)
        except NotGivenError:
            continue
        inner = given_leaves(value) if isinstance(value, Section) else {(): value}
        found |= {(name, *path): each for path, each in inner.items()}
    return found


def unmarked(section: Section) -> dict[tuple[str, ...], Any]:
    """The fields that a result may depend on, by path."""
    return {path: value for path, value, marks in leaves(section) if not marks}


class TestPoseStages:
    def test_later_stages_follow_the_first_in_what_is_not_their_own(self) -> None:
        given = {"train": {"pose_l2": {"root_noise": 7.0, "joint_weight": 0.5, "iterations": 9}}}
        train = parse_parameters(given, "here").train
        assert (train.pose_l1.root_noise, train.finetune.root_noise) == (7.0, 7.0)
        assert train.pose_l1.joint_weight == Parameters().train.pose_l1.joint_weight
        assert train.pose_l1.iterations == 9
        assert train.finetune.iterations == Parameters().train.finetune.iterations

    def test_what_a_later_stage_states_wins(self) -> None:
        given = {"train": {"pose_l2": {"root_noise": 7.0}, "pose_l1": {"root_noise": 3.0}}}
        train = parse_parameters(given, "here").train
        assert (train.pose_l1.root_noise, train.finetune.root_noise) == (3.0, 7.0)

    def test_they_follow_a_setting_as_they_follow_a_file(self) -> None:
        set_ = {"train.pose_l2.root_noise": 7.0, "train.finetune.root_noise": 3.0}
        train = with_settings(Parameters(), set_, "here").train
        assert (train.pose_l1.root_noise, train.finetune.root_noise) == (7.0, 3.0)

    def test_a_wrong_value_is_told_once(self) -> None:
        with pytest.raises(InputError, match=r"train\.pose_l2\.root_noise") as refused:
            parse_parameters({"train": {"pose_l2": {"root_noise": -1.0}}}, "here")
        assert "pose_l1" not in str(refused.value)


class TestPartial:
    def test_only_what_was_selected_can_be_read(self) -> None:
        parameters = partial(select(Parameters(), ["labels", "data.network_size"]))
        assert parameters.labels == Parameters().labels
        assert parameters.data.network_size == Parameters().data.network_size
        with pytest.raises(AttributeError):
            _ = parameters.data.stored_size
        with pytest.raises(AttributeError):
            _ = parameters.studio

    def test_survives_json(self) -> None:
        selected = select(Parameters(), ["train.root", "space", "heatmaps.sigma", "seed"])
        parameters = parse_selected(json.dumps(selected))
        assert given_leaves(parameters.train.root) == unmarked(Parameters().train.root)
        assert parameters.space.size == Parameters().space.size
        assert parameters.heatmaps.sigma == Parameters().heatmaps.sigma
        assert parameters.seed == 0

    def test_the_whole_is_a_part(self) -> None:
        whole = Parameters()
        parameters = partial(select(whole, list(Parameters.model_fields)))
        assert given_leaves(parameters) == unmarked(whole)

    def test_a_part_has_what_can_not_change_a_result_beside_what_is_read(self) -> None:
        whole = Parameters()
        parameters = part_of(whole, list(Parameters.model_fields))
        choices = {path for path, _, marks in leaves(whole) if CHOICE in marks}
        assert choices == {("train", stage, "enabled") for stage in type(whole.train).model_fields}
        every = {path: value for path, value, _ in leaves(whole) if path not in choices}
        assert given_leaves(parameters) == every
        assert part_of(whole, ["seed"]).compute.checkpoint_every == whole.compute.checkpoint_every

    def test_what_can_not_change_a_result_is_in_no_selection(self) -> None:
        whole = Parameters()
        selected = partial(select(whole, ["compute", "panoptic.retries", "panoptic.url"]))
        idle = {path for path, _, marks in leaves(whole) if UNKEYED in marks}
        assert ("compute", "checkpoint_every") in idle and ("panoptic", "retries") in idle
        assert not idle & given_leaves(selected).keys()
        assert selected.panoptic.url == whole.panoptic.url
        assert given_leaves(partial(unkeyed(whole))).keys() == idle

    def test_what_can_not_change_a_result_is_given_beside_the_selection(self) -> None:
        also = json.dumps(unkeyed(Parameters()))
        selected = json.dumps(select(Parameters(), ["compute"]))
        assert parse_selected(selected, also).compute == Parameters().compute

    def test_values_of_parts_are_checked(self) -> None:
        with pytest.raises(ValueError, match="person_score"):
            parse_selected('{"labels": {"person_score": 3}}')

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"labels": {"person_score": 3}}', r"labels\.person_score: .*less than or equal to 1"),
            ('{"labels": {"persn": 3}}', r"labels\.persn: there is no such key; known: .*person_"),
            ('{"estimator": {"blazepose": {"tile": 1}}}', r"estimator\.blazepose\.tile: there is"),
            ('{"lables": {}}', "lables: there is no such key; known: .*'labels'"),
            ('{"labels": 3}', "labels: Input should be .*LabelSettings"),
            ('{"seed": "one"}', "seed: .*integer"),
            ('{"seed": 3', "not valid JSON"),
        ],
    )
    def test_wrong_json_is_refused_as_a_file_is(self, text: str, message: str) -> None:
        with pytest.raises(InputError, match=rf"(?s)--parameters: .*{message}"):
            parse_selected(text)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["prepare", "videos", "--sequence", "a"], "'videos' of Parameters is not given"),
            (["detect", "--scene", "SCENE", "--weights", "w"], "'estimator' of Parameters is not"),
        ],
    )
    def test_a_command_names_the_part_that_it_lacks(
        self, tmp_path: Path, arguments: list[str], message: str
    ) -> None:
        cameras = ring(2)
        write_scene(Scene.calibrated(tmp_path, "a", "test", cameras, [0], [0.0], (64, 48)))
        arguments = [str(tmp_path) if word == "SCENE" else word for word in arguments]
        out = ["--scene" if arguments[0] == "prepare" else "--out", str(tmp_path / "out")]
        done = CliRunner().invoke(app, [*arguments, *out, "--parameters", '{"data": {}}'])
        assert done.exit_code == 1
        assert f"--parameters: {message}" in done.output

    @pytest.mark.parametrize(("split", "own", "other"), [("train", "a", "b"), ("test", "b", "a")])
    def test_an_unknown_sequence_is_named(
        self, tmp_path: Path, split: str, own: str, other: str
    ) -> None:
        videos = '{"videos": {"train": {"a": "x"}, "test": {"b": "y"}}, "data": {}}'
        for sequence in ("c", other):
            asked = ["--sequence", sequence, "--split", split, "--scene", str(tmp_path / "c")]
            done = CliRunner().invoke(app, ["prepare", "videos", *asked, "--parameters", videos])
            assert done.exit_code == 1
            assert f"--sequence {sequence}: videos.{split} names ['{own}']" in done.output

    @pytest.mark.parametrize(
        ("source", "option"), [("studio", "--truth"), ("panoptic", "--truth"), ("studio", "--host")]
    )
    def test_a_folder_that_a_source_needs_is_asked_for(
        self, tmp_path: Path, source: str, option: str
    ) -> None:
        given = {"--truth": str(tmp_path / "t"), "--host": str(tmp_path / "h")}
        others = [word for name, path in given.items() if name != option for word in (name, path)]
        asked = ["--sequence", "a", "--scene", str(tmp_path / "s"), *others]
        done = CliRunner().invoke(app, ["prepare", source, *asked, "--parameters", "{}"])
        assert done.exit_code == 1
        assert f"the source '{source}' needs {option}" in done.output

    def test_an_unknown_source_is_told(self, tmp_path: Path) -> None:
        asked = ["--sequence", "a", "--scene", str(tmp_path / "s"), "--parameters", "{}"]
        done = CliRunner().invoke(app, ["prepare", "coco", *asked])
        assert done.exit_code == 1
        assert "'coco' is unknown; known: ['campus', 'keypoints', 'keypoints_with" in done.output

    def test_a_path_is_read_as_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text("seed: 5\n")
        assert parse_selected(str(path)).seed == 5


def study(**changes: object) -> Parameters:
    """Two tables, one made by name alone, that share an experiment."""
    given = {
        "run": {"tables": ["plain"], "experiments": ["loose"]},
        "seeds": [5],
        "experiments": {
            "free": {"title": "Free", "method": "training_free"},
            "base": {"title": "Base", "set": {"labels.min_joints": 3, "heatmaps.sigma": 2.0}},
            "more": {"title": "More", "like": "base", "set": {"heatmaps.sigma": 3.0}},
            "loose": {"title": "In no table"},
        },
        "tables": {
            "plain": {"title": "Plain", "rows": ["free", "base"]},
            "asked": {
                "title": "Asked for",
                "rows": ["free", "base", "more"],
                "seeds": [1, 0],
            },
        },
    }
    return parse_parameters(merge(given, changes), "study")


class TestStudy:
    def test_seeds_are_those_of_all_tables(self) -> None:
        parameters = study()
        tables = tuple(parameters.tables)
        seeds = {name: seeds_of(parameters, name, tables) for name in parameters.experiments}
        assert seeds == {"free": (5,), "base": (0, 1, 5), "more": (0, 1), "loose": (5,)}

    def test_a_plain_run_leaves_out_what_only_tables_made_by_name_ask_for(self) -> None:
        parameters = study()
        plain = plain_run(parameters)
        assert set(plain.experiments) == {"free", "base", "loose"}
        assert set(plain.tables) == {"plain"}
        assert seeds_of(parameters, "base", plain.tables) == (5,)

    def test_a_plain_run_may_be_like_what_it_leaves_out(self) -> None:
        like = {"title": "Loose", "like": "more", "set": {"labels.noise": 1.0}}
        parameters = study(experiments={"loose": like})
        assert "more" not in plain_run(parameters).experiments
        expected = {"labels.min_joints": 3, "heatmaps.sigma": 3.0, "labels.noise": 1.0}
        assert described(parameters, "loose").set == expected

    def test_an_experiment_starts_from_what_it_is_like(self) -> None:
        assert described(study(), "more").set == {"labels.min_joints": 3, "heatmaps.sigma": 3.0}
        over = study(experiments={"base": {"set": {"labels.min_joints": 6}}})
        assert described(over, "more").set["labels.min_joints"] == 6

    def test_the_method_is_that_of_what_it_is_like(self) -> None:
        like = {"title": "As free", "like": "free"}
        parameters = study(experiments={"as_free": like})
        methods = {name: method_name(parameters, name) for name in ("free", "as_free", "more")}
        assert methods == {
            "free": "training_free",
            "as_free": "training_free",
            "more": "selfpose3d",
        }
        assert all(method_of(parameters, name) is METHODS[methods[name]] for name in methods)
        free, as_free = (seeds_of(parameters, name, ["plain"]) for name in ("free", "as_free"))
        assert free == as_free == (5,)

    @pytest.mark.parametrize(
        ("like", "message"), [("nobody", "'nobody' is no experiment"), ("more", "is like itself")]
    )
    def test_what_it_is_like_must_be_there(self, like: str, message: str) -> None:
        with pytest.raises(InputError, match=rf"experiments\.base\.like: .*{message}"):
            described(study(experiments={"base": {"like": like}}), "more")

    def test_the_networks_stay_the_same_in_the_test(self) -> None:
        with pytest.raises(InputError, match=r"test_on: \['networks\.backbone'\].*'studio'"):
            study(experiments={"more": {"test_on": {"networks.backbone": "pose_resnet18"}}})


def test_parameters_are_fixed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Parameters().seed = 3  # type: ignore[misc]


def test_defaults_survive_json() -> None:
    dumped = Parameters().model_dump(mode="json")
    assert Parameters.model_validate(json.loads(json.dumps(dumped))) == Parameters()
