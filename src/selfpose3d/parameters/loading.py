"""Reading YAML files into checked parameters; an error names the key of the wrong value."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_yaml
from selfpose3d.parameters.section import refusal
from selfpose3d.parameters.whole import Parameters


def load_parameters(paths: Iterable[Path]) -> Parameters:
    """Read ``params.yaml`` and overlays, later ones winning, and check every value."""
    merged: dict[str, Any] = {}
    paths = list(paths)
    for path in paths:
        given = read_yaml(path) or {}
        if not isinstance(given, Mapping):
            raise InputError(f"{path}: expected sections with keys, not {given!r}")
        merged = merge(merged, given)
    return parse_parameters(merged, " + ".join(str(path) for path in paths))


def parse_parameters(values: Mapping[str, Any], where: str) -> Parameters:
    """Check plain values; a wrong one raises an ``InputError`` with its key and what is allowed."""
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        raise refusal(error, Parameters, where) from error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid over it, section by section; neither is changed."""
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result
