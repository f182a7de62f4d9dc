"""Dotted settings, as experiments give them, laid over parameters."""

from collections.abc import Mapping
from typing import Any

from selfpose3d.errors import InputError
from selfpose3d.parameters.loading import parse_parameters
from selfpose3d.parameters.whole import Parameters

OTHER_LENGTH = {"epochs": "iterations", "iterations": "epochs"}
"""The two lengths of a stage, of which it has exactly one."""


def with_settings(parameters: Parameters, settings: Mapping[str, Any], where: str) -> Parameters:
    """The parameters with ``{"dotted.key": value}`` laid over them, checked again.

    A stage's length in epochs replaces its length in iterations, and the reverse. Null leaves the
    length unchanged, so that a setting fits overlays of either kind. What a setting changes in
    pose_l2, the later pose stages follow, as they do in a file.

    Raises:
        InputError: a key is unknown, or a value is wrong.
    """
    known = parameters.model_dump(mode="json")
    values = _stated(parameters)
    for dotted, value in settings.items():
        stage, _, last = dotted.rpartition(".")
        is_length = stage.startswith("train.") and last in OTHER_LENGTH
        if is_length and value is None:
            continue
        if is_length:
            _set(values, known, f"{stage}.{OTHER_LENGTH[last]}", None, where)
        _set(values, known, dotted, value, where)
    return parse_parameters(values, where)


def _stated(parameters: Parameters) -> dict[str, Any]:
    """All values but those in which a later pose stage follows pose_l2."""
    values = parameters.model_dump(mode="json")
    train = parameters.train
    values["train"] = {
        stage: {key: v for key, v in of_stage.items() if not train.follows_pose_l2(stage, key)}
        for stage, of_stage in values["train"].items()
    }
    return values


def _set(
    values: dict[str, Any], known: dict[str, Any], dotted: str, value: Any, where: str
) -> None:
    *path, last = dotted.split(".")
    for part in path:
        if not isinstance(known.get(part), dict):
            raise InputError(f"{where}: {dotted}: there is no section '{part}'")
        values, known = values[part], known[part]
    if last not in known:
        raise InputError(f"{where}: {dotted}: there is no such key; known: {sorted(known)}")
    values[last] = value
