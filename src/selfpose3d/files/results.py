"""The small files that a run leaves: each kind's one reader and one writer.

========================  =====================================================================
``experiment.json``       what an experiment is (``Description``)
``metrics.json``          how good its predictions are; the first to look at are ``HEADLINE``,
                          or ``AGREEMENT`` where there is no truth
``mlflow.json``           the id of its run in MLflow
``curves.csv``            a training stage's losses over its iterations
``diverged.json``         where a training stage broke off and kept the weights it had
``benchmarks/**/*.tsv``   what Snakemake measured of a job: time, memory, processor time
========================  =====================================================================
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json, write_text

HEADLINE: tuple[str, ...] = ("MPJPE", "AP25", "AP50", "AP100", "AP150", "Recall@500")
"""The metrics to look at first, the most telling one first: mm for MPJPE, percent for the rest."""

AGREEMENT: tuple[str, ...] = (
    "reprojection_mm",
    "reprojection_px",
    "explained",
    "people_per_frame",
)
"""The headline metrics of data without 3D truth, in mm at the people's distance, px, percent and a
number; ``evaluation.reprojection.agreement`` defines them."""

DESCRIPTION, METRICS, RECORDED = "experiment.json", "metrics.json", "mlflow.json"
"""Names of the files in an experiment's folder."""
CURVES, DIVERGED = "curves.csv", "diverged.json"
"""Names of the files in a training stage's folder."""
NO_TERMS: tuple[str, ...] = ("iteration", "seconds")
"""The columns of curves that are no loss terms."""
_MEASURES = {"s": "seconds", "max_rss": "max_rss_mb", "cpu_time": "cpu_seconds"}
"""Our names of Snakemake's measures."""


@dataclass(frozen=True)
class TrainedStage:
    """A training stage of an experiment.

    Args:
        stage: its name.
        folder: with its checkpoint and its curves.
    """

    stage: str
    folder: Path


@dataclass(frozen=True)
class Data:
    """Sequences that an experiment learnt from or is tested on.

    Args:
        title: of the data, for readers.
        scenes: the folders of the sequences, whose names hold the keys of all they depend on.
    """

    title: str
    scenes: tuple[Path, ...]


@dataclass(frozen=True)
class Description:
    """The description of an experiment with one seed.

    Args:
        id: its name, seed and key; also its folder's name.
        name: as in the parameters.
        seed: of its training.
        title: as printed in tables.
        method: the name of the method that made its predictions.
        settings: the dotted settings that make it.
        test_on: the dotted settings of the data that it is tested on, where they are others.
        parameters: all parameters with its settings.
        stages: its training stages, in order.
        trained_on: the data it learnt from, if it learnt.
        tested_on: the data it is tested on.
    """

    id: str
    name: str
    seed: int
    title: str
    method: str
    settings: Mapping[str, Any]
    test_on: Mapping[str, Any]
    parameters: Mapping[str, Any]
    stages: tuple[TrainedStage, ...]
    trained_on: tuple[Data, ...]
    tested_on: Data


_DESCRIPTION = TypeAdapter(Description)


def description_text(description: Description) -> str:
    """A description as one line of JSON, as the command that writes it takes it."""
    return _DESCRIPTION.dump_json(description).decode()


def parse_description(text: str, where: object) -> Description:
    """The description in a JSON text.

    Args:
        text: of ``description_text``, or of a file.
        where: the text is from, for messages.

    Raises:
        InputError: the text is no description of an experiment.
    """
    try:
        return _DESCRIPTION.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{where}: not the description of an experiment ({place}: {first['msg']}); remove it, "
            "and the workflow writes it again"
        ) from error


def write_description(path: Path, description: Description) -> None:
    """Write ``experiment.json``."""
    write_json(path, _DESCRIPTION.dump_python(description, mode="json"))


def read_description(experiment: Path) -> Description:
    """Read ``experiment.json`` of an experiment's folder.

    Raises:
        InputError: it is missing or not of its kind.
    """
    path = Path(experiment) / DESCRIPTION
    try:
        return parse_description(path.read_text(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error})") from error


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write ``metrics.json``; what could not be measured is None."""
    write_json(path, metrics)


def read_metrics(experiment: Path) -> dict[str, Any]:
    """Read ``metrics.json`` of an experiment's folder.

    Raises:
        InputError: it is missing or not of its kind.
    """
    path = Path(experiment) / METRICS
    metrics = read_json(path)
    if not isinstance(metrics, dict):
        raise InputError(f"{path}: not a file of metrics; evaluate the predictions again")
    return metrics


def is_length(metric: str) -> bool:
    """Whether a metric is in mm, and less is better; of ``HEADLINE`` the others are percentages."""
    return metric.endswith("MPJPE")


def better(metric: str) -> int:
    """1 where more of a metric is better, -1 where less is, 0 where neither is."""
    if metric.endswith("people_per_frame"):
        return 0
    return -1 if metric.endswith(("MPJPE", "_mm", "_px")) else 1


def write_recorded(path: Path, run: str) -> None:
    """Write ``mlflow.json``: the id of an experiment's run in MLflow."""
    write_json(path, {"run_id": run})


def read_recorded(experiment: Path) -> str:
    """The id of an experiment's run in MLflow, from ``mlflow.json`` of its folder."""
    return str(read_json(Path(experiment) / RECORDED)["run_id"])


def write_curves(stage: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write ``curves.csv`` into a training stage's folder.

    Args:
        stage: the folder.
        rows: ``iteration``, ``seconds`` spent by then, and each loss term.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else NO_TERMS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "iteration": int(row["iteration"])} for row in rows)
    write_text(stage / CURVES, buffer.getvalue())


def read_curves(stage: Path) -> pd.DataFrame:
    """Read a training stage's ``curves.csv``.

    Returns:
        columns ``iteration``, ``seconds`` and each loss term; no rows where the stage broke off
        before its first one.

    Raises:
        InputError: it is missing or not of its kind.
    """
    path = Path(stage) / CURVES
    try:
        curves = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); train again") from error
    missing = [name for name in NO_TERMS if name not in curves.columns]
    if missing:
        raise InputError(f"{path}: not training curves; it lacks the columns {missing}")
    return curves


def curve_terms(curves: pd.DataFrame) -> list[str]:
    """The loss terms among the columns of curves, without those that are 0 throughout."""
    names = [name for name in curves.columns if name not in NO_TERMS]
    return [name for name in names if curves[name].fillna(0).any()]


def write_divergence(stage: Path, iteration: int, seen: str, kept: int) -> None:
    """Write ``diverged.json`` into a training stage's folder.

    Args:
        stage: the folder.
        iteration: in which it broke off.
        seen: why.
        kept: iterations after which the weights were as they are kept.
    """
    write_json(stage / DIVERGED, {"iteration": iteration, "seen": seen, "kept": kept})


def forget_divergence(stage: Path) -> None:
    """Remove ``diverged.json`` of an earlier run, if there is one."""
    (stage / DIVERGED).unlink(missing_ok=True)


def has_diverged(stage: Path) -> bool:
    """Whether a training stage broke off and kept the weights it had."""
    return (Path(stage) / DIVERGED).exists()


def training_benchmark(stage: str) -> str:
    """The file of Snakemake's measures of a stage's training, relative to the benchmarks' folder.

    Args:
        stage: its id, ``<stage>-<variant>-<key>``.
    """
    name, _, variant = stage.partition("-")
    return f"train_{name}/{variant}.tsv"


def prediction_benchmark(experiment: str) -> str:
    """The file of Snakemake's measures of an experiment's prediction, likewise, by its id."""
    return f"predict/{experiment}.tsv"


def read_benchmark(path: Path) -> pd.DataFrame:
    """Read what Snakemake measured of a job.

    Returns:
        columns ``seconds``, ``max_rss_mb`` and ``cpu_seconds``, one row per run; NaN
        where Snakemake measured nothing (jobs shorter than its sampling).

    Raises:
        InputError: it is missing or not of its kind.
    """
    try:
        measured = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable benchmark file ({error})") from error
    named = measured.reindex(columns=list(_MEASURES)).rename(columns=_MEASURES)
    return named.apply(pd.to_numeric, errors="coerce")
