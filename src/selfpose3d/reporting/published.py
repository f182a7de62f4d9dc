"""Published figures of others, to be printed beside ours.

The files ``results/reference/*.csv`` have the columns ``method, supervision``, one column per
metric (empty where the source gives none), ``source``, and ``data`` where the data set is not CMU
Panoptic. All figures are of another data set than the studio, and are marked as such wherever they
are shown.
"""

from pathlib import Path

import pandas as pd

from selfpose3d.errors import InputError

PUBLISHED = "(published)"
"""The end of the column ``data`` in published rows of a results table."""
PUBLISHED_DATA = f"CMU Panoptic {PUBLISHED}"
"""The data set of published rows whose file names none."""


def read_published(path: Path) -> pd.DataFrame:
    """Read published figures: one row per method, in percent and mm.

    Raises:
        InputError: the file is missing, or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from error
    missing = {"method", "supervision", "source"} - set(table.columns)
    if missing:
        raise InputError(f"{path}: not published figures; it lacks the columns {sorted(missing)}")
    return table if "data" in table else table.assign(data=PUBLISHED_DATA)
