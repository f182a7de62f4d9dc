"""Dotted settings, as experiments make them, laid over parameters."""

from collections.abc import Mapping
from typing import Any

from selfpose3d.errors import InputError
from selfpose3d.parameters.loading import parse_parameters
from selfpose3d.parameters.whole import Parameters

OTHER_LENGTH = {"epochs": "iterations", "iterations": "epochs"}
"""A stage has exactly one of them."""


def with_settings(parameters: Parameters, settings: Mapping[str, Any], where: str) -> Parameters:
    """The parameters with ``{"dotted.key": value}`` laid over them, checked again.

    A stage's length in epochs replaces that in iterations, and the other way round; null leaves
    its length as it is, so that a setting fits overlays of either kind.
    """
    values = parameters.model_dump(mode="json")
    for dotted, value in settings.items():
        stage, _, last = dotted.rpartition(".")
        is_length = stage.startswith("train.") and last in OTHER_LENGTH
        if is_length and value is None:
            continue
        if is_length:
            _set(values, f"{stage}.{OTHER_LENGTH[last]}", None, where)
        _set(values, dotted, value, where)
    return parse_parameters(values, where)


def _set(values: dict[str, Any], dotted: str, value: Any, where: str) -> None:
    *path, last = dotted.split(".")
    for part in path:
        if not isinstance(values.get(part), dict):
            raise InputError(f"{where}: {dotted}: there is no section '{part}'")
        values = values[part]
    if last not in values:
        raise InputError(f"{where}: {dotted}: there is no such key; known: {sorted(values)}")
    values[last] = value
