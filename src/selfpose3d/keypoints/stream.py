"""JSON files piece by piece, so that an hour of people need not be in memory as one document."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import orjson

from selfpose3d.errors import InputError
from selfpose3d.keypoints.entry import Pair

CHUNK = 1 << 22
"""Characters read at once."""
_SPACE = " \t\r\n"
_AFTER = tuple(",:]}" + _SPACE)
"""What may follow a value; at the buffer's end there may be more of a number."""
_SCAN = json.JSONDecoder().raw_decode


class _Buffer:
    """The part of a file that was read and not yet used."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._at, self._chunk, self._ended = "", 0, CHUNK, False
        self._in_batches = True

    def _more(self) -> bool:
        read = self._file.read(self._chunk)
        self._ended = not read
        self._text, self._at = self._text[self._at :] + read, 0
        return not self._ended

    def peek(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, allowed: str) -> str:
        """The next character, which must be one of these."""
        found = self.peek()
        if not found or found not in allowed:
            raise ValueError(f"{found or 'its end'!r} where one of {list(allowed)} is expected")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value; a value that the buffer cuts off is read on."""
        self.peek()
        while True:
            try:
                value, end = _SCAN(self._text, self._at)
                if self._text[end : end + 1] in _AFTER or not self._more():
                    self._at, self._chunk = end, CHUNK
                    return value
            except json.JSONDecodeError:
                self._chunk *= 2
                if not self._more():
                    raise

    def batch(self) -> list[Any]:
        """The next objects of a list, up to the last one in the buffer that a comma follows; none
        where they can't be cut apart without being read. What parses as a list was cut rightly."""
        start = self.peek()
        end = self._text.rfind("},", self._at) + 1
        if start != "{" or end <= self._at or not self._in_batches:
            return []
        try:
            found: list[Any] = orjson.loads(f"[{self._text[self._at : end]}]")
        except ValueError:
            self._in_batches = False
            return []
        self._at = end + 1
        return found


def _elements(buffer: _Buffer) -> Iterator[Any]:
    """The elements of a list."""
    buffer.take("[")
    if buffer.peek() == "]":
        buffer.take("]")
        return
    while True:
        yield from buffer.batch()
        yield buffer.value()
        if buffer.take(",]") == "]":
            return


def _members(buffer: _Buffer) -> Iterator[Pair]:
    """The members of an object, a list among them element by element; an empty one as it is."""
    buffer.take("{")
    if buffer.peek() == "}":
        buffer.take("}")
        return
    while True:
        if buffer.peek() != '"':
            raise ValueError(f"{buffer.peek()!r} where a key in quotes is expected")
        key = buffer.value()
        buffer.take(":")
        if buffer.peek() == "[":
            empty = True
            for element in _elements(buffer):
                empty = False
                yield key, element
            if empty:
                yield key, []
        else:
            yield key, buffer.value()
        if buffer.take(",}") == "}":
            return


def _pieces(buffer: _Buffer) -> Iterator[Pair]:
    kind = buffer.peek()
    if kind == "[":
        yield from ((None, element) for element in _elements(buffer))
    elif kind == "{":
        yield from _members(buffer)
    else:
        raise ValueError("a list or an object is expected")
    if buffer.peek():
        raise ValueError("there is more after its end")


def pieces(path: Path) -> Iterator[Pair]:
    """The pieces of a JSON file, one after the other.

    Raises:
        InputError: there is no such file, or it is not JSON.
    """
    try:
        with path.open(encoding=_encoding(path)) as file:
            yield from _pieces(_Buffer(file))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (json.JSONDecodeError, UnicodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); write it again") from error


def pieces_of(path: str) -> Iterator[Pair]:
    """The pieces of a small JSON file, read at once."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (an hour has 720,000 of them)
            document = _document(file.read())
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); write it again") from error
    if isinstance(document, list):
        for element in document:
            yield None, element
    elif isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, list) and value:
                for element in value:
                    yield key, element
            else:
                yield key, value
    else:
        raise ValueError("a list or an object is expected")


def _document(text: bytes) -> Any:
    """A whole document; orjson is fast, and json reads NaN."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text.removeprefix(codecs.BOM_UTF8))


def _encoding(path: Path) -> str:
    """UTF-8, with or without a byte order mark, or UTF-16 by its mark."""
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"\x1f\x8b":
        raise InputError(
            f"{path}: packed by gzip; unpack it (gunzip --keep) and name the JSON file"
        )
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
