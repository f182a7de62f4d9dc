"""Calibrations from one format into another, as the command line does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfpose3d.calibrations import CALIBRATIONS, read_as, read_folder
from selfpose3d.calibrations.entry import OtherFormatError, Size, World
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera


def read_calibration(
    path: Path, format_name: str | None, world: World
) -> tuple[str, tuple[Camera, ...]]:
    """A calibration of any format, told by its name and what it holds.

    Args:
        path: a file, or the folder of a format that has several.
        format_name: the format; None to find it out.
        world: what the user tells of it.

    Returns:
        the format's name, and the cameras in our convention.

    Raises:
        InputError: it is of no known format, or can't be used.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if format_name is not None:
        name = known_format(format_name)
        return name, read_as(CALIBRATIONS[name], path, world)
    if path.is_dir():
        return read_folder(path, world)
    reasons = []
    for name, entry in CALIBRATIONS.items():
        if path.suffix.lower() not in {Path(pattern).suffix for pattern in entry.patterns}:
            continue
        try:
            return name, read_as(entry, path, world)
        except OtherFormatError as error:
            reasons.append(f"{name}: {str(error).removeprefix(f'{path}: ')}")
    raise InputError(
        f"{path}: of no known format ({'; '.join(reasons) or 'by its suffix'}). selfpose3d "
        "calibration formats lists them"
    )


def write_calibration(path: Path, format_name: str | None, cameras: Sequence[Camera]) -> str:
    """Write a calibration in a format, or in that which the file's name tells.

    Returns:
        the format's name.

    Raises:
        InputError: the name tells none, or several; or the format can't hold a lens.
    """
    name = known_format(format_name) if format_name else _format_of(path)
    step = CALIBRATIONS[name].write
    if step is None:
        raise InputError(f"{name}: such files can be read, and not written")
    step.load()(path, cameras)
    return name


def known_format(format_name: str) -> str:
    """A format's name as the table has it, from one in any case.

    Raises:
        InputError: there is none.
    """
    for name in CALIBRATIONS:
        if name.lower() == format_name.lower():
            return name
    raise InputError(f"{format_name}: no format of calibrations; known are {list(CALIBRATIONS)}")


def _format_of(path: Path) -> str:
    fitting = [
        name
        for name, entry in CALIBRATIONS.items()
        if entry.write and any(path.match(pattern) for pattern in entry.patterns)
    ]
    if len(fitting) != 1:
        raise InputError(
            f"{path}: its name tells {'several formats' if fitting else 'no format'} to write; "
            f"say which with --to: {fitting or list(CALIBRATIONS)}"
        )
    return fitting[0]


def parse_size(text: str | None, option: str) -> Size | None:
    """Width and height of "1920x1080".

    Args:
        text: None if the option was not given.
        option: whose value it is, for the message.

    Raises:
        InputError: other text.
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise InputError(f"{option} {text}: WIDTHxHEIGHT is expected, such as 1920x1080")
    return int(width), int(height)


def summary(cameras: Sequence[Camera]) -> str:
    """A sentence on a rig: the number of its cameras, how far apart and how high they stand."""
    centres = np.stack([camera.centre for camera in cameras]) / 1000
    extent = np.linalg.norm(centres[:, None] - centres[None], axis=-1).max()
    low, high = centres[:, 2].min(), centres[:, 2].max()
    return (
        f"{len(cameras)} cameras, up to {extent:.2f} m apart, at heights from {low:.2f} to "
        f"{high:.2f} m"
    )


def format_table() -> str:
    """The table of formats, for people."""
    heads = ("format", "files", "program", "world in the file", "lenses", "use")
    rows = [
        (
            name,
            entry.pattern,
            entry.program,
            entry.world,
            entry.lenses,
            "read, write" if entry.write else "read",
        )
        for name, entry in CALIBRATIONS.items()
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return "\n".join(lines)
