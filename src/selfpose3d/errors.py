"""The errors that the project raises on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """A file, a folder, a calibration or a parameter given by the user is wrong.

    The message names the file, the value and the remedy. The command line prints it without a
    traceback.
    """


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name before what is found wrong in it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


class TrainingDivergedError(RuntimeError):
    """A training stage can't continue: a loss is NaN, nobody is proposed, or attention is zero.

    The message says what was observed at which iteration, which parameters influence it, and where
    the last good checkpoint is.
    """
