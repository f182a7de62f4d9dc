"""params.yaml stays complete, and the schema stays that of the types."""

from pathlib import Path

from selfpose3d.files.atomic import read_json
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.parameters.file import parameters_text

REPOSITORY = Path(__file__).parents[2]
MEND = "bring both up to date with: selfpose3d parameters"


def test_params_yaml_lists_every_key() -> None:
    path = REPOSITORY / "params.yaml"
    assert path.read_text() == parameters_text(load_parameters([path])), MEND


def test_schema_is_that_of_the_types() -> None:
    schema = read_json(REPOSITORY / "workflow/schemas/parameters.schema.json")
    assert schema == Parameters.model_json_schema(), MEND


def test_written_parameters_read_back_the_same(tmp_path: Path) -> None:
    parameters = load_parameters([REPOSITORY / "params.yaml", REPOSITORY / "config/paper.yaml"])
    path = tmp_path / "params.yaml"
    path.write_text(parameters_text(parameters))
    assert load_parameters([path]) == parameters


def test_pose_stages_that_agree_in_what_is_their_own_read_back_the_same(tmp_path: Path) -> None:
    same = {f"train.{stage}.joint_weight": 0.5 for stage in ("pose_l2", "pose_l1", "finetune")}
    other = {"train.pose_l2.epochs": 3, "train.pose_l1.epochs": 2, "train.pose_l1.root_noise": 1.0}
    parameters = with_settings(Parameters(), {**same, **other}, "here")
    path = tmp_path / "params.yaml"
    path.write_text(parameters_text(parameters))
    assert load_parameters([path]) == parameters
    assert path.read_text().count("match_distance") == 1, "pose_l1 and finetune follow pose_l2"
