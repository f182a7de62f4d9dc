"""The parts of the parameters that one step reads, and parameters that hold no others."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from selfpose3d.errors import InputError
from selfpose3d.parameters.loading import load_parameters, merge
from selfpose3d.parameters.section import UNKEYED, Section, refusal
from selfpose3d.parameters.whole import Parameters

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


def select(parameters: Parameters, reads: Iterable[str]) -> dict[str, Any]:
    """The parts of the parameters that ``reads`` (dotted keys) names, nested as in the whole.

    Left out are fields that can't change a result (``UNKEYED``): see ``unkeyed``.
    """
    selected: dict[str, Any] = {}
    for dotted in reads:
        path = dotted.split(".")
        value = _at(parameters, path)
        if isinstance(value, Section):
            found = [(path + list(leaf), each) for leaf, each, keyed in leaves(value) if keyed]
        else:
            found = [] if UNKEYED in _field(parameters, path) else [(path, value)]
        for place, each in found:
            _put(selected, place, each)
    return to_plain(selected)


def unkeyed(parameters: Parameters) -> dict[str, Any]:
    """All fields that can't change a result, nested as in the whole."""
    selected: dict[str, Any] = {}
    for path, value, keyed in leaves(parameters):
        if not keyed:
            _put(selected, list(path), value)
    return to_plain(selected)


def leaves(section: Section) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """The path, the value and whether it goes into keys, of every field that is no section."""
    for name, field in type(section).model_fields.items():
        value = section.__dict__[name]
        if isinstance(value, Section):
            yield from (((name, *path), each, keyed) for path, each, keyed in leaves(value))
        else:
            yield (name,), value, UNKEYED not in field.metadata


def to_plain(value: Any) -> Any:
    """Values as JSON has them."""
    plain: Any = _ANYTHING.dump_python(value, mode="json")
    return plain


def _at(parameters: Any, path: Sequence[str]) -> Any:
    value = parameters
    for part in path:
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def _field(parameters: Any, path: Sequence[str]) -> list[Any]:
    """What marks a leaf; an entry of a mapping has no marks."""
    section = _at(parameters, path[:-1])
    return [] if isinstance(section, Mapping) else type(section).model_fields[path[-1]].metadata


def _put(nested: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *sections, last = path
    for part in sections:
        nested = nested.setdefault(part, {})
    nested[last] = value


def partial(selected: Mapping[str, Any]) -> Parameters:
    """Parameters that hold only the given parts.

    Reading another part raises ``NotGivenError``, an ``AttributeError``: a stage can't depend on
    what its key does not cover.

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


def parse_selected(text: str, also: str = "{}") -> Parameters:
    """Partial parameters from a stage's JSON, as a rule passes it, or from a YAML file's path.

    Args:
        text: the JSON of the parts that the stage reads, or a path.
        also: JSON of fields that can't change a result, laid over the first.
    """
    if not text.lstrip().startswith("{"):
        return load_parameters([Path(text)])
    try:
        selected, besides = json.loads(text), json.loads(also)
    except json.JSONDecodeError as error:
        raise InputError(f"--parameters: not valid JSON ({error})") from error
    return partial(merge(besides, selected))
