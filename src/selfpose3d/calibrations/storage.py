"""OpenCV's FileStorage, YAML or XML, as nested dicts, lists, texts and matrices."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from selfpose3d.calibrations.entry import OtherFormatError
from selfpose3d.calibrations.values import array, numbers
from selfpose3d.errors import InputError
from selfpose3d.files.text import read_text, read_xml_text

SUFFIXES = (".yml", ".yaml", ".xml")
"""Suffixes of such files."""
_MATRIX = {"rows", "cols", "data"}


def read_storage(path: Path) -> dict[str, Any]:
    """The nodes of a file; matrices are arrays, other values texts.

    Raises:
        OtherFormatError: not such a file.
        InputError: a broken one.
    """
    if path.suffix.lower() == ".xml":
        root = read_xml_text(path)
        content = {child.tag: _from_xml(child) for child in root}
    else:
        content = _read_yaml(path)
    if not isinstance(content, dict):
        raise OtherFormatError(f"{path}: no nodes with names, as OpenCV's FileStorage has them")
    return {str(key): _with_matrices(value, f"{path}: {key}") for key, value in content.items()}


def first_node(nodes: Any, keys: Sequence[str]) -> Any:
    """The first of some nodes that is there; None if none is."""
    if not isinstance(nodes, Mapping):
        return None
    return next((nodes[key] for key in keys if key in nodes), None)


def _read_yaml(path: Path) -> Any:
    """YAML 1.0 as OpenCV writes it; every scalar stays text, so that a name 01 does."""
    lines = read_text(path).splitlines()
    text = "\n".join(line for line in lines if not line.startswith("%YAML"))
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML ({error}); export it again") from error


def _from_xml(node: ElementTree.Element) -> Any:
    children = list(node)
    if not children:
        return (node.text or "").strip().strip('"')
    if all(child.tag == "_" for child in children):
        return [_from_xml(child) for child in children]
    return {child.tag: _from_xml(child) for child in children}


def _with_matrices(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_with_matrices(each, where) for each in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) >= {"sizes", "data"}:
        return numbers(_words(value["data"]), where)
    if not set(value) >= _MATRIX:
        return {str(key): _with_matrices(each, f"{where}.{key}") for key, each in value.items()}
    rows, cols = array([value["rows"], value["cols"]], (2,), f"{where}: rows and cols")
    found = numbers(_words(value["data"]), where)
    if rows < 1 or rows % 1 or cols % 1 or rows * cols != found.size:
        raise InputError(f"{where}: {found.size} numbers in a matrix of {rows:g} x {cols:g}")
    return found.reshape(int(rows), int(cols))


def _words(data: Any) -> Any:
    return data.split() if isinstance(data, str) else data


def yaml_text(content: Mapping[str, Any]) -> str:
    """The file's text of nested dicts, lists, numbers, texts and matrices."""
    return "\n".join(["%YAML:1.0", "---", *_yaml_lines(content, ""), ""])


def _yaml_lines(content: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for plain, value in content.items():
        key = plain if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", plain) else json.dumps(plain)
        if isinstance(value, np.ndarray):
            matrix = np.atleast_2d(value)
            lines += [
                f"{indent}{key}: !!opencv-matrix",
                f"{indent}   rows: {matrix.shape[0]}",
                f"{indent}   cols: {matrix.shape[1]}",
                f"{indent}   dt: d",
                f"{indent}   data: {matrix.ravel().tolist()}",
            ]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}:")
            for each in value:
                lines += _yaml_item(each, f"{indent}   ")
        else:
            lines.append(f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}")
    return lines


def _yaml_item(item: Any, indent: str) -> list[str]:
    if not isinstance(item, Mapping):
        return [f"{indent}- {json.dumps(item, ensure_ascii=False)}"]
    return [f"{indent}-", *_yaml_lines(item, f"{indent}   ")]


def xml_text(content: Mapping[str, Any]) -> str:
    """The file's text, XML."""
    root = ElementTree.Element("opencv_storage")
    for key, value in content.items():
        _add_xml(root, key, value)
    ElementTree.indent(root)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_xml(parent: ElementTree.Element, key: str, value: Any) -> None:
    node = ElementTree.SubElement(parent, key)
    if isinstance(value, np.ndarray):
        matrix = np.atleast_2d(value)
        node.set("type_id", "opencv-matrix")
        for tag, text in (
            ("rows", str(matrix.shape[0])),
            ("cols", str(matrix.shape[1])),
            ("dt", "d"),
            ("data", " ".join(map(repr, matrix.ravel().tolist()))),
        ):
            ElementTree.SubElement(node, tag).text = text
    elif isinstance(value, list):
        for each in value:
            _add_xml(node, "_", each)
    elif isinstance(value, Mapping):
        for inner, each in value.items():
            _add_xml(node, inner, each)
    else:
        node.text = f'"{value}"' if isinstance(value, str) else str(value)
