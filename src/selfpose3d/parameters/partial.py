"""The parts of the parameters that one step reads, and parameters that hold only those."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selfpose3d.errors import InputError
from selfpose3d.parameters.loading import load_parameters
from selfpose3d.parameters.section import Section, refusal
from selfpose3d.parameters.whole import Parameters


def select(parameters: Parameters, reads: Iterable[str]) -> dict[str, Any]:
    """The parts of the parameters that ``reads`` (dotted keys) names, nested as in the whole."""
    whole = parameters.model_dump(mode="json")
    selected: dict[str, Any] = {}
    for dotted in reads:
        source, target = whole, selected
        *path, last = dotted.split(".")
        for part in path:
            source = source[part]
            target = target.setdefault(part, {})
        target[last] = source[last]
    return selected


def partial(selected: Mapping[str, Any]) -> Parameters:
    """Parameters that hold only the given parts.

    Reading another part raises ``NotGivenError``, an ``AttributeError``: a stage can't depend on a
    parameter that its key does not cover.

    Raises:
        InputError: a key is unknown, or a value is wrong.
    """
    parameters: Parameters = _partial(Parameters, selected, ())
    return parameters


def _partial(model: type[Any], values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        key = (*path, name)
        if name not in model.model_fields:
            known = sorted(model.model_fields)
            raise InputError(f"--parameters: {'.'.join(key)}: there is no such key; known: {known}")
        annotation = model.model_fields[name].annotation
        nested = isinstance(annotation, type) and issubclass(annotation, Section)
        section = annotation if nested else None
        try:
            if section is None:
                fields[name] = _validated(model, name, value)
            elif isinstance(value, Mapping) and set(value) != set(section.model_fields):
                fields[name] = _partial(section, value, key)
            else:
                fields[name] = section.model_validate(value)
        except ValidationError as error:
            where = path if section is None else key
            raise refusal(error, section or model, "--parameters", where) from error
    instance = object.__new__(model)
    object.__setattr__(instance, "__dict__", fields)
    object.__setattr__(instance, "__pydantic_fields_set__", set(fields))
    object.__setattr__(instance, "__pydantic_extra__", None)
    object.__setattr__(instance, "__pydantic_private__", None)
    return instance


def _validated(model: type[Any], name: str, value: Any) -> Any:
    instance = model.__pydantic_validator__.validate_assignment(
        model.model_construct(), name, value
    )
    return instance[0][name] if isinstance(instance, tuple) else getattr(instance, name)


def parse_selected(text: str) -> Parameters:
    """Partial parameters from a stage's JSON, as a rule passes it, or from a YAML file's path."""
    if not text.lstrip().startswith("{"):
        return load_parameters([Path(text)])
    try:
        selected = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--parameters: not valid JSON ({error})") from error
    return partial(selected)
