"""Writing ``params.yaml`` in full: every key with its value and its meaning."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from selfpose3d.files.atomic import write_json, write_text
from selfpose3d.parameters import Parameters, Train, load_parameters

HEADER = """\
# Every parameter, with the values of the demo. An overlay in config/ is laid over this file:
#   snakemake --cores all --configfile config/smoke.yaml
# The types in src/selfpose3d/parameters say what each key means. After a change there, this command
# rewrites the file and keeps its values:
#   selfpose3d parameters
"""
WIDTH = 100


def update_parameters_file(path: Path, schema: Path) -> None:
    """Rewrite ``params.yaml`` with all keys and unchanged values, and write the JSON schema."""
    write_text(path, parameters_text(load_parameters([path])))
    write_json(schema, Parameters.model_json_schema())


def parameters_text(parameters: Parameters) -> str:
    """The YAML of all parameters, each with its description as a comment.

    Of pose_l1 and finetune it holds the keys in which they do not follow pose_l2.
    """
    return HEADER + "\n".join(_lines(parameters, 0)) + "\n"


def _lines(section: BaseModel, depth: int, left_out: frozenset[str] = frozenset()) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        if name in left_out:
            continue
        value = getattr(section, name)
        if depth == 0:
            yield ""
        if isinstance(value, BaseModel):
            yield from _with_comment(f"{'  ' * depth}{name}:", _about(value))
            yield from _lines(value, depth + 1, _followed(section, name))
        elif isinstance(value, dict) and any(
            isinstance(item, BaseModel) for item in value.values()
        ):
            yield from _with_comment(f"{'  ' * depth}{name}:", field.description)
            yield from _named(value, depth + 1)
        else:
            yield from _entry(name, value, field.description, depth)


def _followed(section: BaseModel, name: str) -> frozenset[str]:
    """The keys in which a later pose stage is as pose_l2."""
    if not isinstance(section, Train):
        return frozenset()
    keys = type(getattr(section, name)).model_fields
    return frozenset(key for key in keys if section.follows_pose_l2(name, key))


def _named(sections: dict[str, Any], depth: int) -> Iterator[str]:
    """The lines of experiments or tables, of which only the keys that were given are written."""
    for key, section in sections.items():
        yield f"{'  ' * depth}{key}:"
        for name in type(section).model_fields:
            if name in section.model_fields_set:
                yield from _entry(name, getattr(section, name), None, depth + 1)


def _entry(name: str, value: Any, description: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    line = f"{indent}{name}: {_plain(value)}"
    if isinstance(value, dict) and value:
        yield from _with_comment(f"{indent}{name}:", description)
        yield from (f"{indent}  {key}: {_plain(item)}" for key, item in value.items())
    elif isinstance(value, tuple) and len(line) > WIDTH:
        yield from _with_comment(f"{indent}{name}:", description)
        yield from (f"{indent}  - {_plain(item)}" for item in value)
    else:
        yield from _with_comment(line, description)


def _with_comment(line: str, comment: str | None) -> Iterator[str]:
    """The line with its comment behind it, or above it where the line would get too long."""
    if not comment:
        yield line
    elif len(line) + len(comment) + 4 <= WIDTH:
        yield f"{line}  # {comment}"
    else:
        above = f"{line[: len(line) - len(line.lstrip())]}# "
        yield from textwrap.wrap(
            comment, WIDTH, initial_indent=above, subsequent_indent=above, break_on_hyphens=False
        )
        yield line


def _about(section: BaseModel) -> str | None:
    text = type(section).__doc__
    return text.strip().splitlines()[0].rstrip(".") if text else None


def _plain(value: Any) -> str:
    """YAML in one line: JSON, except for numbers such as 5e-05, which YAML would read as text."""
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
