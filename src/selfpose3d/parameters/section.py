"""The base of every section of the parameters: typed, checked and immutable."""

import re
from collections.abc import Sequence
from datetime import date
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from selfpose3d.errors import InputError
from selfpose3d.tables import with_installed

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Variants = Annotated[
    int,
    Field(
        ge=0,
        description="number of affine variants per frame whose frozen-backbone heatmaps are kept "
        "in memory; 0: a new variant each time (paper)",
    ),
]
GridSide = Annotated[int, Field(ge=12, multiple_of=4)]
"""Voxels per side of a V2V's volume, which the V2V halves twice.

Below 12 the lowest level is narrower than a kernel, and on some processors the bfloat16 gradients
of such convolutions read beyond their memory."""
Size = tuple[Count, Count]
Vector = tuple[float, float, float]


_READ_AS: dict[type, tuple[str, ...]] = {
    bool: ("a truth value", "on", "off", "yes", "no"),
    int: ("a number", "00_03", "0x10", "007", "12:30"),
    float: ("a number", "1.0e+3", "1_0.5", "12:30.5"),
    date: ("a date", "2024-01-01", "2024-01-01 12:30:00"),
    NoneType: ("nothing", "null", "~"),
}
"""Values that YAML makes of texts without quotes, and examples of such texts. The first type that
fits counts: a truth value is an int as well."""


class Mark(Enum):
    """A property of a field beside its type: ``Annotated[..., UNKEYED]``."""

    UNKEYED = "can't change a result; steps are given it, keys do not hold it"
    CHOICE = "says whether a step runs, and nothing of how; neither steps nor keys hold it"


UNKEYED, CHOICE = Mark.UNKEYED, Mark.CHOICE

Retries = Annotated[int, Field(ge=0, description="number of retries per file"), UNKEYED]
Timeout = Annotated[
    Positive, Field(description="time without a byte after which a file is retried, s"), UNKEYED
]


def marks_of(field: FieldInfo) -> set[Mark]:
    """The marks of a field."""
    return {mark for mark in field.metadata if isinstance(mark, Mark)}


class NotGivenError(InputError, AttributeError):
    """A step reads a part of the parameters that it was not given (see ``partial``)."""


class Section(BaseModel):
    """A part of the parameters; it refuses unknown keys, and its values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise NotGivenError(
                    f"--parameters: {name!r} of {type(self).__name__} is not given, and this step "
                    "reads it; add it to the JSON, or give a YAML file with all parameters"
                )
            return super().__getattr__(name)


def check_placeholders(path: str | None, known: Sequence[str]) -> str | None:
    """A path in which nothing but the known names stands in braces.

    Raises:
        ValueError: something else does.
    """
    strange = sorted(set(re.findall(r"{([^{}]*)}", path or "")) - set(known))
    if strange:
        raise ValueError(
            f"{_braced(strange)} is not filled in, only {_braced(known)} may stand there; name the "
            "folder or the file of all cameras: which camera a file is of is told by its name "
            "(docs/people2d.md)"
        )
    return path


def _braced(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def check_names(names: Sequence[str]) -> None:
    """Refuse names of sequences that would break a path, or that are there twice."""
    strange = [name for name in names if not re.fullmatch("[A-Za-z0-9_]+", name)]
    if strange:
        raise ValueError(
            f"train, test: the names {strange} may contain only letters, digits and _; rename the "
            "sequences"
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"train, test: {doubled} are there twice; give every sequence one name")


def with_installed_sections(model: type[Section], prefix: str) -> type[Section]:
    """A section with those parts that installed packages add to it, with their defaults.

    They are entry points of the group ``selfpose3d.parameters``, named by their dotted place:
    ``train.mine = "my_package.parameters:MyStage"``.
    """
    fields: dict[str, Any] = {}
    installed: dict[str, type[Section]] = with_installed("parameters", {})
    for name, part in installed.items():
        place, _, last = name.rpartition(".")
        if f"{place}." == (prefix or "."):
            fields[last] = (part, part())
    extended: type[Section] = create_model(
        model.__name__, __base__=model, __doc__=model.__doc__, __module__=model.__module__, **fields
    )
    return extended if fields else model


def refusal(
    error: ValidationError, model: type[Section], where: str, path: Sequence[str] = ()
) -> InputError:
    """An ``InputError`` that says what is wrong with the section at a path of keys."""
    lines = [f"{where}: wrong parameters"]
    for problem in error.errors():
        key, said = problem["loc"], problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            known = sorted(_section_at(model, key[:-1]).model_fields)
            said = f"there is no such key; known: {known}"
        if problem["type"] == "string_type":
            said += _unquoted(problem["input"])
        parts = (part for part in (*path, *key) if part != "[key]")
        name = ".".join(map(str, parts)) or "(top level)"
        lines.append(f"  {name}: {said} (got {problem['input']!r})")
    return InputError("\n".join(lines))


def _unquoted(value: object) -> str:
    """What to do about a text that YAML has made something else of."""
    for kind, (said, *examples) in _READ_AS.items():
        if isinstance(value, kind):
            return (
                f"; YAML reads {', '.join(examples)} as {said} where they have no quotes: write "
                f'"{examples[0]}"'
            )
    return ""


def _section_at(model: type[Section], path: Sequence[int | str]) -> type[Section]:
    """The type of the section at a path of keys; experiments and tables are of one type each."""
    if not path:
        return model
    annotation = model.model_fields[str(path[0])].annotation
    if get_origin(annotation) is dict:
        return _section_at(get_args(annotation)[1], path[2:])
    return _section_at(cast(type[Section], annotation), path[1:])
