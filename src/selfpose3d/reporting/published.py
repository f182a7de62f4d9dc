"""Figures that others published, as they are printed beside ours.

``results/reference/*.csv``: ``method, supervision``, one column a metric (empty where the source
gives none), ``source``, and ``data`` where they are not of CMU Panoptic. All of them are of another
data set than the studio's, and marked as such wherever they are shown.
"""

from pathlib import Path

import pandas as pd

from selfpose3d.errors import InputError

PUBLISHED = "(published)"
"""How the column ``data`` of a results table ends in published rows."""
PUBLISHED_DATA = f"CMU Panoptic {PUBLISHED}"
"""What it says unless their file says otherwise."""


def read_published(path: Path) -> pd.DataFrame:
    """Read published figures: one row a method, percent and mm.

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
