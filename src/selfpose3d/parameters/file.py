"""``params.yaml`` written out in full: every key, its value, and what it means beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from selfpose3d.files.atomic import write_json, write_text
from selfpose3d.parameters import Parameters, load_parameters

HEADER = """\
# Every parameter, at the demo's values. Overlays in config/ are laid over this file:
#   snakemake --cores all --configfile config/smoke.yaml
# After a change of the types in selfpose3d/config.py, bring it up to date, values kept, with:
#   selfpose3d parameters
"""
WIDTH = 100


def update_parameters_file(path: Path, schema: Path) -> None:
    """Rewrite ``params.yaml`` with all keys, its values kept, and the JSON schema beside it."""
    write_text(path, parameters_text(load_parameters([path])))
    write_json(schema, Parameters.model_json_schema())


def parameters_text(parameters: Parameters) -> str:
    """YAML of all parameters, each with its description as a comment."""
    return HEADER + "\n".join(_lines(parameters, 0)) + "\n"


def _lines(section: BaseModel, depth: int) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if depth == 0:
            yield ""
        if isinstance(value, BaseModel):
            yield from _with_comment(f"{'  ' * depth}{name}:", _about(value))
            yield from _lines(value, depth + 1)
        elif isinstance(value, dict) and any(
            isinstance(item, BaseModel) for item in value.values()
        ):
            yield f"{'  ' * depth}{name}:"
            yield from _named(value, depth + 1)
        else:
            yield from _entry(name, value, field.description, depth)


def _named(sections: dict[str, Any], depth: int) -> Iterator[str]:
    """Experiments and tables: only what differs from their defaults."""
    for key, section in sections.items():
        yield f"{'  ' * depth}{key}:"
        for name in type(section).model_fields:
            if name in section.model_fields_set:
                yield from _entry(name, getattr(section, name), None, depth + 1)


def _entry(name: str, value: Any, description: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    line = f"{indent}{name}: {_plain(value)}"
    if isinstance(value, dict) and value:
        yield f"{indent}{name}:"
        yield from (f"{indent}  {key}: {_plain(item)}" for key, item in value.items())
    elif isinstance(value, tuple) and len(line) > WIDTH:
        yield from _with_comment(f"{indent}{name}:", description)
        yield from (f"{indent}  - {_plain(item)}" for item in value)
    else:
        yield from _with_comment(line, description)


def _with_comment(line: str, comment: str | None) -> Iterator[str]:
    """The comment behind the line, or above it where there is no room."""
    if not comment:
        yield line
    elif len(line) + len(comment) + 4 <= WIDTH:
        yield f"{line}  # {comment}"
    else:
        yield f"{line[: len(line) - len(line.lstrip())]}# {comment}"
        yield line


def _about(section: BaseModel) -> str | None:
    text = type(section).__doc__
    return text.strip().splitlines()[0].rstrip(".") if text else None


def _plain(value: Any) -> str:
    """YAML in one line; JSON is YAML, but for numbers such as 5e-05, which it takes for text."""
    if isinstance(value, float):
        return yaml.safe_dump(value).splitlines()[0]
    if (
        isinstance(value, str)
        and value[:1].isalpha()
        and value.replace("_", "").replace("-", "").isalnum()
    ):
        return (
            value if value not in ("null", "true", "false", "yes", "no", "none") else f'"{value}"'
        )
    return json.dumps(value if not isinstance(value, tuple) else list(value), ensure_ascii=False)
