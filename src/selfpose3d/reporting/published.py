"""Figures that others published, as they are printed beside ours.

``results/reference/*.csv``: ``method, supervision``, one column a metric (empty where the source
gives none), ``source``. All of them are of CMU Panoptic, five views: another data set than the
studio's, and marked as such wherever they are shown.
"""

from pathlib import Path

import pandas as pd

from selfpose3d.errors import InputError

PUBLISHED_DATA = "CMU Panoptic (published)"
"""What the column ``data`` of a results table says of published rows."""


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
    return table
