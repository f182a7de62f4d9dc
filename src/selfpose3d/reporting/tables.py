"""Results tables: one row per experiment, and below them published figures, marked as such.

A table is written three times from the same rows: CSV (plain numbers, what the report reads),
Markdown and LaTeX (rounded, the best of ours in bold where it is best beyond the spread of seeds).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.results import (
    HEADLINE,
    Description,
    better,
    has_diverged,
    is_length,
    read_description,
    read_metrics,
)
from selfpose3d.reporting.published import PUBLISHED, PUBLISHED_DATA, read_published

METRICS: tuple[str, ...] = tuple(sorted(HEADLINE, key=is_length))
"""The columns of the paper's table 1: first what is in percent, then what is in mm."""

EXTENT: tuple[str, ...] = ("sequences", "frames", "people")
"""The counts on which a row was measured; people are summed over the frames."""

PAIRED = "MPJPE_paired"
"""A row's MPJPE minus the first row's, seed by seed, which removes what a seed does to both."""
PAIRED_NOTE = "Paired: MPJPE minus the first row's, seed by seed."

OURS_NOTE = "this run, held-out sequences"
PUBLISHED_NOTE = (
    "Published rows are of another data set (CMU Panoptic with five views, unless said otherwise): "
    "compare how methods rank, not the figures."
)
PUBLISHED_ON_NAMED = "Published rows are of the data sets that they name, whole."
SEEN_IN = "seen in "
ALIGNED_NOTE = (
    "Aligned: without each joint's constant offset in the body's frame, learnt on other frames."
)
VIEWS_NOTE = "Views: in how many the 2D people show a person of the truth."


_COUNTS = dict.fromkeys(("seeds", *EXTENT), "Int64")
_NO_METRICS = ("method", "data", *_COUNTS, "source")


@dataclass(frozen=True)
class Row:
    """One row of a table: the same experiment with one or several seeds.

    Args:
        title: printed name.
        experiments: their folders, one per seed.
        data: the name of the data set, and of the part of it that the row shows.
        seeds: training seeds of ``metrics``.
        group: the keys of the part of ``metrics.json`` that the row shows; none: the whole.
    """

    title: str
    experiments: tuple[Path, ...]
    data: str
    seeds: tuple[int, ...]
    group: tuple[str, ...] = ()


def row_of(experiments: Sequence[Path]) -> Row:
    """The row of an experiment, from its folders, one per seed.

    The title says where a training stage diverged and its last weights were kept.
    """
    if not experiments:
        raise InputError("a row of a table needs at least one experiment folder")
    described = [read_description(folder) for folder in experiments]
    title = described[0].title + _diverged(described)
    seeds = tuple(each.seed for each in described)
    return Row(title, tuple(experiments), described[0].tested_on.title, seeds)


def _diverged(described: Sequence[Description]) -> str:
    runs = [[each.stage for each in run.stages if has_diverged(each.folder)] for run in described]
    stages = ", ".join(dict.fromkeys(stage for run in runs for stage in run))
    return f" ({stages} diverged, {sum(map(bool, runs))} of {len(runs)} seeds)" if stages else ""


def group_rows(row: Row, groups: Sequence[str]) -> list[Row]:
    """A row for each group: a sequence, the frames with a number of people, or the people whom a
    number of views see.

    Args:
        row: row of all test frames.
        groups: "per_sequence", "per_people", "per_views".
    """
    metrics: Any = read_metrics(row.experiments[0])
    return [
        replace(row, data=f"{row.data}, {_group_title(kind, name, part)}", group=(kind, name))
        for kind in groups
        for name, part in metrics[kind].items()
    ]


def _group_title(kind: str, name: str, part: Mapping[str, Any]) -> str:
    if kind == "per_people":
        return f"{name} people in the frame"
    if kind == "per_views":
        return f"{SEEN_IN}{name} views ({part['people']} people)"
    return f"{name} ({part['people'] / part['frames']:.1f} people per frame)"


def make_table(
    rows: Sequence[Row], columns: Sequence[str] = METRICS, published: Sequence[Path] = ()
) -> pd.DataFrame:
    """The table's numbers, unrounded.

    Args:
        rows: rows in the order of the table.
        columns: keys of ``metrics.json``, nested keys with a dot; percent, and mm for MPJPE. A
            column that only published figures have stays empty in ours.
        published: files of published figures, appended in their order.

    Returns:
        columns ``method, data, seeds, sequences, frames, people``, the metrics (means over the
        seeds), one ``<metric>_sd`` each (sample standard deviation) and the difference ``PAIRED``
        with its own when a row has several seeds, and ``source``.
    """
    theirs = [_published_rows(path, columns) for path in published]
    foreign = {name for part in theirs for name in columns if part[name].notna().any()}
    foreign -= {name for row in rows for name in columns if _has(row, name)}
    ours = pd.DataFrame(
        [{**_our_row(row, columns, foreign), **_paired(row, rows[0])} for row in rows]
    )
    parts = [ours, *theirs]
    spread = [f"{column}_sd" for column in columns] if (ours["seeds"] > 1).any() else []
    if ours[PAIRED].notna().any():
        spread += [PAIRED, f"{PAIRED}_sd"]
    order = ["method", "data", *_COUNTS, *columns, *spread, "source"]
    records = [record for part in parts for record in part.to_dict("records")]
    return pd.DataFrame(records).reindex(columns=order).astype(_COUNTS)


def write_table(
    experiments: Sequence[Sequence[Path]],
    title: str,
    out_stem: Path,
    columns: Sequence[str] = METRICS,
    published: Sequence[Path] = (),
    groups: Sequence[str] = (),
) -> None:
    """Write ``<out_stem>.csv``, ``.md`` and ``.tex``.

    Args:
        experiments: for each row the experiment's folders, one per seed.
        title: heading of the table.
        out_stem: path without suffix (``results/tables/methods``).
        columns: see ``make_table``.
        published: see ``make_table``.
        groups: see ``group_rows``; the rows of an experiment's groups follow its own.
    """
    rows = []
    for row in map(row_of, experiments):
        rows += [row, *group_rows(row, groups)]
    table = make_table(rows, columns, published)
    stem = str(out_stem)
    write_text(Path(f"{stem}.csv"), table.to_csv(index=False))
    write_text(Path(f"{stem}.md"), as_markdown(table, title))
    write_text(Path(f"{stem}.tex"), as_latex(table, title))


def read_table(path: Path) -> pd.DataFrame:
    """Read the CSV of a table, as ``make_table`` made it."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from error
    missing = {*_NO_METRICS} - set(table.columns)
    if missing:
        raise InputError(
            f"{path}: not a results table; it lacks the columns {sorted(missing)}; "
            "if it is of an older version, delete it and run the workflow again"
        )
    return table.astype(_COUNTS)


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The metrics of a table, in its order, without the spreads."""
    others = (*_NO_METRICS, PAIRED)
    return [name for name in table.columns if name not in others and not name.endswith("_sd")]


def is_published(table: pd.DataFrame) -> pd.Series:
    """Which rows of a table are published figures."""
    return table["data"].str.endswith(PUBLISHED)


def best_cells(table: pd.DataFrame) -> set[tuple[int, str]]:
    """(row, metric) of the best of our rows on the same data.

    The best row is better than each other by more than the larger standard deviation of the two.

    There is none with only one row, or with a single seed, whose spread is not known.
    """
    best = set()
    for _, ours in table[~is_published(table)].groupby("data"):
        for name in metric_columns(table):
            known = ours[ours[name].notna()]
            if len(known) < 2 or f"{name}_sd" not in known or not better(name):
                continue
            means = known[name].to_numpy(float) * better(name)
            spreads, winner = known[f"{name}_sd"].to_numpy(float), int(means.argmax())
            beyond = means[winner] - means > np.fmax(spreads, spreads[winner])
            if np.delete(beyond, winner).all():
                best.add((int(known.index[winner]), name))
    return best


def cell(table: pd.DataFrame, index: int, column: str, plus_minus: str = " ± ") -> str:
    """A metric as printed: one decimal, with its spread where there are several seeds."""
    value = _number(table, index, column)
    if np.isnan(value):
        return "–"
    spread = _number(table, index, f"{column}_sd")
    sign = "+" if column == PAIRED else ""
    return f"{value:.1f}" if np.isnan(spread) else f"{value:{sign}.1f}{plus_minus}{spread:.1f}"


def text_of(table: pd.DataFrame, index: int, column: str) -> str:
    """A text cell; an empty one is ""."""
    value: Any = table[column].iloc[index]
    return "" if pd.isna(value) else str(value)


def header(column: str) -> str:
    """The heading of a metric's column, with its unit where that is not percent."""
    if column == PAIRED:
        return "paired [mm]"
    named, _, unit = column.replace(".", " ").rpartition("_")
    if unit in ("mm", "px"):
        return f"{named} [{unit}]"
    named = _spoken(column.split("."))
    return f"{named} [mm]" if is_length(column) else named


def _spoken(keys: Sequence[str]) -> str:
    """Nested keys as a heading: what is measured first, then on what."""
    if keys[0] == "per_views":
        return f"{_spoken(keys[2:])}, {keys[1]} views"
    if keys[0] == "aligned":
        return f"{_spoken(keys[1:])}, aligned"
    return " ".join(keys).replace("_", " ")


def as_markdown(table: pd.DataFrame, title: str) -> str:
    """The table as GitHub Markdown, ours first, then the published rows, marked."""
    columns = _printed_columns(table)
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
    columns = _printed_columns(table)
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


def _printed_columns(table: pd.DataFrame) -> list[str]:
    return [*metric_columns(table), *([PAIRED] if PAIRED in table else [])]


def _paired(row: Row, first: Row) -> dict[str, float]:
    """``PAIRED`` and its sample standard deviation; NaN for the first row, for rows of other data,
    and for fewer than two seeds that both have."""
    differences = []
    if row is not first and row.data == first.data:
        of_first = dict(zip(first.seeds, first.experiments, strict=True))
        differences = [
            _error(folder, row.group) - _error(of_first[seed], first.group)
            for seed, folder in zip(row.seeds, row.experiments, strict=True)
            if seed in of_first
        ]
    if len(differences) < 2:
        return {PAIRED: np.nan, f"{PAIRED}_sd": np.nan}
    return {
        PAIRED: float(np.mean(differences)),
        f"{PAIRED}_sd": float(np.std(differences, ddof=1)),
    }


def _error(experiment: Path, group: Sequence[str]) -> float:
    [error] = _metrics(experiment, group, ["MPJPE"], ["MPJPE"])
    return error


def _our_row(row: Row, columns: Sequence[str], foreign: Container[str]) -> dict[str, Any]:
    values = np.array([_metrics(path, row.group, columns, foreign) for path in row.experiments])
    several = len(values) > 1
    means = dict(zip(columns, values.mean(axis=0), strict=True))
    sd = values.std(axis=0, ddof=1) if several else np.full(len(columns), np.nan)
    spreads = {f"{column}_sd": value for column, value in zip(columns, sd, strict=True)}
    named = {"method": row.title, "data": row.data, "seeds": len(values), "source": OURS_NOTE}
    return {**named, **_extent(row), **means, **spreads}


def _extent(row: Row) -> dict[str, int | None]:
    """The counts of a row; none where its part of ``metrics.json`` lacks them."""
    metrics: Any = read_metrics(row.experiments[0])
    for key in row.group:
        metrics = metrics[key]
    counts = {name: metrics.get(name) for name in ("frames", "people")}
    return {"sequences": len(metrics.get("per_sequence", ())) or None, **counts}


def _metrics(
    experiment: Path, group: Sequence[str], columns: Sequence[str], foreign: Container[str]
) -> list[float]:
    whole: Any = read_metrics(experiment)
    part = whole
    for key in group:
        part = part.get(key, {})
    found = {column: _nested(part, column.split(".")) for column in columns}
    missing = [
        name
        for name, value in found.items()
        if value is None
        and name not in foreign
        and not _of_nobody(name, whole)
        and (not group or _nested(whole, name.split(".")) is None)
    ]
    if missing:
        where = experiment / "metrics.json"
        raise InputError(f"{where}: lacks {missing}; evaluate the predictions again")
    return [np.nan if value is None else value for value in found.values()]


def _of_nobody(column: str, metrics: Mapping[str, Any]) -> bool:
    """Whether a column is of people whom a number of views see, and there are none."""
    first, *rest = column.split(".")
    return first == "per_views" and first in metrics and rest[0] not in metrics[first]


def _has(row: Row, column: str) -> bool:
    return _nested(read_metrics(row.experiments[0]), column.split(".")) is not None


def _nested(metrics: Any, keys: Sequence[str]) -> float | None:
    """The number below the keys; none where it is not there, NaN where nothing was matched."""
    for key in keys:
        if not isinstance(metrics, Mapping) or key not in metrics:
            return None
        metrics = metrics[key]
    return np.nan if metrics is None else float(metrics)


def _published_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = read_published(path).reindex(
        columns=["method", "supervision", "data", *columns, "source"]
    )
    named = table["method"] + " [" + table["supervision"] + "]"
    return table.drop(columns="supervision").assign(method=named)


def seeds_note(table: pd.DataFrame) -> str:
    """The line that says on what our rows were measured and what bold means."""
    most = table["seeds"].max()
    counts = {name: table[name].max() for name in EXTENT if table[name].notna().any()}
    extent = [f"{n} {name.removesuffix('s') if n == 1 else name}" for name, n in counts.items()]
    seeds = "one seed" if most == 1 else f"up to {most} seeds"
    ours = f"Ours: {', '.join([*extent, seeds])}"
    if most == 1:
        return f"{ours}: no spread known, so no best is marked."
    return f"{ours}: mean ± standard deviation. Bold: best by more than the larger deviation."


def _notes(table: pd.DataFrame) -> list[str]:
    columns, theirs = metric_columns(table), is_published(table)
    data = table["data"].astype(str)
    by_views = any(name.startswith("per_views.") for name in columns) or data.str.contains(SEEN_IN)
    notes = {
        PUBLISHED_NOTE: theirs.any() and not _comparable(table),
        PUBLISHED_ON_NAMED: theirs.any() and _comparable(table),
        seeds_note(table): True,
        PAIRED_NOTE: PAIRED in table,
        ALIGNED_NOTE: any(name.startswith("aligned.") for name in columns),
        VIEWS_NOTE: np.any(by_views),
    }
    return [note for note, holds in notes.items() if holds]


def _comparable(table: pd.DataFrame) -> bool:
    """Whether the published rows name their data, and ours have figures in columns of theirs."""
    ours, theirs = (table[is_published(table) == published] for published in (False, True))
    shared = [
        name
        for name in metric_columns(table)
        if theirs[name].notna().any() and ours[name].notna().any()
    ]
    return bool(shared) and not (theirs["data"] == PUBLISHED_DATA).any()


def _number(table: pd.DataFrame, index: int, column: str) -> float:
    return float(table[column].astype(float).iloc[index]) if column in table else np.nan


def _latex_cell(table: pd.DataFrame, index: int, column: str, best: set[tuple[int, str]]) -> str:
    text = cell(table, index, column, r" $\pm$ ").replace("–", "--")
    return rf"\textbf{{{text}}}" if (index, column) in best else text


def _tex(text: str) -> str:
    for plain in "&%_#$":
        text = text.replace(plain, f"\\{plain}")
    return text.replace("±", r"$\pm$").replace("–", "--")
