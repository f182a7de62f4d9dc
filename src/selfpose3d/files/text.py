"""Text files of other programs, in whatever encoding their editors left them."""

import codecs
import json
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selfpose3d.errors import InputError

Parsed = TypeVar("Parsed")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, UTF-16 or, where it is neither, Latin-1, without its mark.

    Raises:
        InputError: there is no such file, or it can't be read.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    for encoding in (*(name for mark, name in _MARKS if data.startswith(mark)), _unmarked(data)):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _unmarked(data: bytes) -> str:
    """UTF-16 has a zero byte in every second place of plain text."""
    return {(0, 1): "utf-16-be", (1, 0): "utf-16-le"}.get(
        (int(data[:1] != b"\0"), int(data[1:2] != b"\0")), "utf-8"
    )


def read_toml_text(path: Path) -> dict[str, Any]:
    """TOML of any encoding; a broken file is an ``InputError`` with the place."""
    return _parsed(path, "TOML", tomllib.loads)


def read_json_text(path: Path) -> Any:
    """JSON of any encoding; a broken file is an ``InputError`` with the place."""
    return _parsed(path, "JSON", json.loads)


def read_xml_text(path: Path) -> ElementTree.Element:
    """The root of XML of any encoding; a broken file is an ``InputError`` with the place."""
    return _parsed(path, "XML", lambda text: ElementTree.fromstring(text.strip()))


def _parsed(path: Path, kind: str, parse: Callable[[str], Parsed]) -> Parsed:
    text = read_text(path)
    try:
        return parse(text)
    except (ValueError, ElementTree.ParseError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(
            f"{path}: not valid {kind} ({what}); correct or export it again"
        ) from error
