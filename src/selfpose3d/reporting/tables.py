"""Results tables: one row an experiment, with the published figures below, marked as such.

A table is written three times from the same rows: CSV (plain numbers, what the report reads),
Markdown and LaTeX (rounded, best of ours in bold).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_text
from selfpose3d.reporting.published import PUBLISHED_DATA, read_published

METRICS: tuple[str, ...] = ("AP25", "AP50", "AP100", "AP150", "Recall@500", "MPJPE")
"""The columns of the paper's table 1: percent, and mm for MPJPE."""

OURS_NOTE = "this run, held-out sequences"
PUBLISHED_NOTE = (
    "Published rows are of another data set, CMU Panoptic with five views: "
    "compare how methods rank, not the figures."
)


@dataclass(frozen=True)
class Row:
    """One row of a table: the same experiment with one or several seeds.

    Args:
        title: as printed.
        metrics: one ``metrics.json`` a seed.
        data: the name of the data set.
    """

    title: str
    metrics: tuple[Path, ...]
    data: str


def row_of(experiments: Sequence[Path]) -> Row:
    """The row of an experiment: its folders, one a seed."""
    if not experiments:
        raise InputError("a row of a table needs at least one experiment folder")
    described = read_json(experiments[0] / "experiment.json")
    data = described.get("parameters", {}).get("data", {}).get("source", "")
    return Row(described["title"], tuple(path / "metrics.json" for path in experiments), data)


def make_table(
    rows: Sequence[Row], columns: Sequence[str] = METRICS, published: Sequence[Path] = ()
) -> pd.DataFrame:
    """The table's numbers, unrounded.

    Args:
        rows: in the order of the table.
        columns: keys of ``metrics.json``; percent, and mm for MPJPE.
        published: files of published figures, appended in their order.

    Returns:
        columns ``method, data, seeds``, the metrics (means over the seeds), one ``<metric>_sd``
        each (sample standard deviation) when a row has several seeds, and ``source``.
    """
    ours = pd.DataFrame([_our_row(row, columns) for row in rows])
    parts = [ours, *(_published_rows(path, columns) for path in published)]
    spread = [f"{column}_sd" for column in columns] if (ours["seeds"] > 1).any() else []
    order = ["method", "data", "seeds", *columns, *spread, "source"]
    records = [record for part in parts for record in part.to_dict("records")]
    return pd.DataFrame(records).reindex(columns=order).astype({"seeds": "Int64"})


def write_table(
    experiments: Sequence[Sequence[Path]],
    title: str,
    out_stem: Path,
    columns: Sequence[str] = METRICS,
    published: Sequence[Path] = (),
) -> None:
    """Write ``<out_stem>.csv``, ``.md`` and ``.tex``.

    Args:
        experiments: one row each: the experiment's folders, one a seed.
        title: of the table.
        out_stem: path without suffix (``results/tables/methods``).
        columns: see ``make_table``.
        published: see ``make_table``.
    """
    table = make_table([row_of(folders) for folders in experiments], columns, published)
    stem = str(out_stem)
    write_text(Path(f"{stem}.csv"), table.to_csv(index=False))
    write_text(Path(f"{stem}.md"), as_markdown(table, title))
    write_text(Path(f"{stem}.tex"), as_latex(table, title))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table's CSV as ``make_table`` gave it."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from error
    missing = {"method", "data", "seeds", "source"} - set(table.columns)
    if missing:
        raise InputError(f"{path}: not a results table; it lacks the columns {sorted(missing)}")
    return table.astype({"seeds": "Int64"})


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The metrics of a table, in its order, without the spreads."""
    other = {"method", "data", "seeds", "source"}
    return [name for name in table.columns if name not in other and not name.endswith("_sd")]


def is_published(table: pd.DataFrame) -> pd.Series:
    """Which rows of a table are published figures."""
    return table["data"] == PUBLISHED_DATA


def best_cells(table: pd.DataFrame) -> set[tuple[int, str]]:
    """(row, metric) of the best of our rows, equals as printed included.

    Nothing where there is but one row, or where all are equal.
    """
    ours = table[~is_published(table)]
    best = set()
    for name in metric_columns(table):
        values = ours[name].astype(float).round(1).to_numpy()
        known = values[np.isfinite(values)]
        if len(np.unique(known)) > 1:
            winner = known.min() if name == "MPJPE" else known.max()
            best |= {(int(index), name) for index in np.flatnonzero(values == winner)}
    return best


def cell(table: pd.DataFrame, index: int, column: str, plus_minus: str = " ± ") -> str:
    """A metric as printed: one decimal, with its spread where there are several seeds."""
    value = _number(table, index, column)
    if np.isnan(value):
        return "–"
    spread = _number(table, index, f"{column}_sd")
    return f"{value:.1f}" if np.isnan(spread) else f"{value:.1f}{plus_minus}{spread:.1f}"


def text_of(table: pd.DataFrame, index: int, column: str) -> str:
    """A text cell; an empty one is ""."""
    value: Any = table[column].iloc[index]
    return "" if pd.isna(value) else str(value)


def header(column: str) -> str:
    """How a metric's column is headed: with its unit where that is not percent."""
    return "MPJPE [mm]" if column == "MPJPE" else column


def as_markdown(table: pd.DataFrame, title: str) -> str:
    """The table as GitHub Markdown, ours first, then the published rows, marked."""
    columns = metric_columns(table)
    best = best_cells(table)
    lines = [f"### {title}", "", f"| method | data | {' | '.join(map(header, columns))} |"]
    lines.append("|---|---|" + "--:|" * len(columns))
    for index in range(len(table)):
        cells = [cell(table, index, column) for column in columns]
        marked = [
            f"**{text}**" if (index, column) in best else text
            for column, text in zip(columns, cells, strict=True)
        ]
        named = [text_of(table, index, name) for name in ("method", "data")]
        lines.append(f"| {' | '.join([*named, *marked])} |")
    return "\n".join([*lines, "", *_notes(table)]) + "\n"


def as_latex(table: pd.DataFrame, title: str) -> str:
    """The table as a LaTeX ``table`` (booktabs), a rule between ours and the published rows."""
    columns = metric_columns(table)
    best = best_cells(table)
    published = is_published(table)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(' '.join([title + '.', *_notes(table)]))}}}",
        rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["method", "data", *(_tex(header(column)) for column in columns)]) + r" \\",
        r"\midrule",
    ]
    for index in range(len(table)):
        if index and published[index] and not published[index - 1]:
            lines.append(r"\midrule")
        cells = [_latex_cell(table, index, column, best) for column in columns]
        named = [_tex(text_of(table, index, name)) for name in ("method", "data")]
        lines.append(" & ".join([*named, *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def _our_row(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    values = np.array([_metrics(path, columns) for path in row.metrics])
    several = len(values) > 1
    means = dict(zip(columns, values.mean(axis=0), strict=True))
    sd = values.std(axis=0, ddof=1) if several else np.full(len(columns), np.nan)
    spreads = {f"{column}_sd": value for column, value in zip(columns, sd, strict=True)}
    named = {"method": row.title, "data": row.data, "seeds": len(values), "source": OURS_NOTE}
    return {**named, **means, **spreads}


def _metrics(path: Path, columns: Sequence[str]) -> list[float]:
    metrics = read_json(path)
    missing = [column for column in columns if column not in metrics]
    if missing:
        raise InputError(f"{path}: lacks {missing}; evaluate the predictions again")
    return [np.nan if metrics[name] is None else float(metrics[name]) for name in columns]


def _published_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = read_published(path).reindex(columns=["method", "supervision", *columns, "source"])
    named = table["method"] + " [" + table["supervision"] + "]"
    return table.drop(columns="supervision").assign(method=named, data=PUBLISHED_DATA)


def _notes(table: pd.DataFrame) -> list[str]:
    notes = [PUBLISHED_NOTE] if is_published(table).any() else []
    most = table["seeds"].max()
    if pd.notna(most) and most > 1:
        notes.append(f"Ours: mean ± standard deviation over up to {most} seeds.")
    return notes


def _number(table: pd.DataFrame, index: int, column: str) -> float:
    return float(table[column].astype(float).iloc[index]) if column in table else np.nan


def _latex_cell(table: pd.DataFrame, index: int, column: str, best: set[tuple[int, str]]) -> str:
    text = cell(table, index, column, r" $\pm$ ").replace("–", "--")
    return rf"\textbf{{{text}}}" if (index, column) in best else text


def _tex(text: str) -> str:
    for plain in "&%_#$":
        text = text.replace(plain, f"\\{plain}")
    return text.replace("±", r"$\pm$").replace("–", "--")
