"""The parts of the parameters that one step reads, and parameters that hold only those."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from selfpose3d.errors import InputError
from selfpose3d.parameters.loading import load_parameters, merge
from selfpose3d.parameters.section import UNKEYED, Mark, Section, marks_of, refusal
from selfpose3d.parameters.whole import Parameters

ALSO_VARIABLE = "SELFPOSE3D_ALSO"
"""Environment variable by which jobs of the workflow get the parameters that can't change a
result."""
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
            found = [(path + list(leaf), each) for leaf, each, marks in leaves(value) if not marks]
        else:
            found = [] if _marks_at(parameters, path) else [(path, value)]
        for place, each in found:
            _put(selected, place, each)
    return to_plain(selected)


def part_of(parameters: Parameters, reads: Iterable[str]) -> Parameters:
    """Parameters that hold what ``reads`` names and what can't change a result, and no more."""
    return partial(merge(unkeyed(parameters), select(parameters, reads)))


def unkeyed(parameters: Parameters) -> dict[str, Any]:
    """All fields that can't change a result, nested as in the whole."""
    selected: dict[str, Any] = {}
    for path, value, marks in leaves(parameters):
        if UNKEYED in marks:
            _put(selected, list(path), value)
    return to_plain(selected)


def leaves(section: Section) -> Iterator[tuple[tuple[str, ...], Any, set[Mark]]]:
    """The path, the value and the marks of every field that is no section."""
    for name, field in type(section).model_fields.items():
        value = section.__dict__[name]
        if isinstance(value, Section):
            yield from (((name, *path), each, marks) for path, each, marks in leaves(value))
        else:
            yield (name,), value, marks_of(field)


def to_plain(value: Any) -> Any:
    """Values as JSON has them."""
    plain: Any = _ANYTHING.dump_python(value, mode="json")
    return plain


def _at(parameters: Any, path: Sequence[str]) -> Any:
    value = parameters
    for part in path:
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def _marks_at(parameters: Any, path: Sequence[str]) -> set[Mark]:
    """The marks of a leaf; an entry of a mapping has none."""
    section = _at(parameters, path[:-1])
    return set() if isinstance(section, Mapping) else marks_of(type(section).model_fields[path[-1]])


def _put(nested: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *sections, last = path
    for part in sections:
        nested = nested.setdefault(part, {})
    nested[last] = value


def partial(selected: Mapping[str, Any]) -> Parameters:
    """Parameters that hold only the given parts.

    Reading another part raises ``NotGivenError``, an ``AttributeError``: a stage can't depend on a
    parameter that its key does not cover.

    Raises:
        InputError: a key is unknown, or a value is wrong.
    """
    parameters: Parameters = _partial(Parameters, selected, ())
    return parameters


def _partial(model: Any, values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    fields: dict[str, Any] = {}
    hashable: Any = model
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
                fields[name] = _type_of(hashable, name).validate_python(value)
            elif isinstance(value, Mapping) and not _complete(section, value):
                fields[name] = _partial(section, value, key)
            else:
                fields[name] = section.model_validate(value)
        except ValidationError as error:
            raise refusal(error, section or model, "--parameters", key) from error
    instance = object.__new__(model)
    object.__setattr__(instance, "__dict__", fields)
    object.__setattr__(instance, "__pydantic_fields_set__", set(fields))
    object.__setattr__(instance, "__pydantic_extra__", None)
    object.__setattr__(instance, "__pydantic_private__", None)
    return instance


def _complete(section: type[Any], values: Mapping[str, Any]) -> bool:
    """Whether no field is missing, of the section and of those in it."""
    if set(values) != set(section.model_fields):
        return False
    inner = {name: section.model_fields[name].annotation for name in values}
    sections = {n: a for n, a in inner.items() if isinstance(a, type) and issubclass(a, Section)}
    return all(
        not isinstance(values[name], Mapping) or _complete(each, values[name])
        for name, each in sections.items()
    )


@cache
def _type_of(model: Any, name: str) -> TypeAdapter[Any]:
    """The type of a field with its limits, without the model's own checks: a part may be given
    alone."""
    field = model.model_fields[name]
    annotated: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotated)


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
