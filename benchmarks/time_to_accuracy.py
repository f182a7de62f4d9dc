"""How long to the same held-out accuracy: the default against the published recipe.

Reads the runs that

    snakemake --cores all time_to_accuracy --configfile config/time_to_accuracy.yaml

has left in results/, prints each one's training time and error, and how many times longer the
published recipe takes: to its own best accuracy, which a shorter default training reaches too, and
to that of the whole default; what it needs, or at least, where even its longest run has not come so
far. Times are sums over the stages, by the clock or, where other work shared the machine, of their
processes (--cpu-time). Writes the two curves as a chart.

    python benchmarks/time_to_accuracy.py --chart docs/images/time_to_accuracy.svg
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.results import (
    read_benchmark,
    read_curves,
    read_description,
    read_metrics,
    training_benchmark,
)
from selfpose3d.reporting.charts import line_chart

RECIPES: Mapping[str, Sequence[str]] = {
    "default": ("default_16th", "default_8th", "default_4th", "default_half", "images"),
    "published": ("published_16th", "published_8th", "published_4th", "published_half"),
}
"""Experiments by recipe, the shortest first; the default's last one is the one to reach."""

FOUND = 90.0
"""Least Recall@500, in percent, for an error to count."""


@dataclass(frozen=True)
class Run:
    """A trained experiment.

    Args:
        title: of the experiment.
        seconds: of all its training stages.
        error: MPJPE on the held-out sequences, mm; infinite where fewer than ``FOUND`` percent of
            the people were found, as it is measured on those.
        recall: at 500 mm, in percent.
    """

    title: str
    seconds: float
    error: float
    recall: float


def main() -> None:
    arguments = parsed()
    recipes = {
        name: [run for run in (read_run(arguments, e) for e in experiments) if run]
        for name, experiments in RECIPES.items()
    }
    missing = [name for name, runs in recipes.items() if not runs]
    if missing:
        raise SystemExit(
            f"{arguments.results}: no run of {' or '.join(missing)}; make them with 'snakemake "
            "--cores all time_to_accuracy --configfile config/time_to_accuracy.yaml'"
        )
    clock = "processor minutes" if arguments.cpu_time else "minutes"
    print(f"| | training, {clock} | MPJPE | Recall@500 |\n|---|---:|---:|---:|")
    for run in (run for runs in recipes.values() for run in runs):
        error = f"{run.error:.1f}" if np.isfinite(run.error) else "-"
        print(f"| {run.title} | {run.seconds / 60:.1f} | {error} | {run.recall:.1f} |")
    print(f"\n{reached_sooner(recipes['default'], recipes['published'], clock)}")
    print(still_to_reach(recipes["default"][-1], recipes["published"]))
    curves = {
        name: (np.array([run.seconds / 60 for run in runs]), np.array([r.error for r in runs]))
        for name, runs in recipes.items()
    }
    write_text(arguments.chart, line_chart(curves, f"{clock} of training", "MPJPE, mm"))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--cpu-time", action="store_true", help="of the stages' processes")
    chart = Path("results/time_to_accuracy.svg")
    parser.add_argument("--chart", type=Path, default=chart, help=f"default: {chart}")
    return parser.parse_args()


def read_run(arguments: argparse.Namespace, experiment: str) -> Run | None:
    """The latest run of an experiment, or None."""
    results: Path = arguments.results
    found = sorted(
        results.glob(f"experiments/{experiment}-seed*/metrics.json"),
        key=lambda path: path.stat().st_mtime,
    )
    if not found:
        return None
    folder = found[-1].parent
    metrics, description = read_metrics(folder), read_description(folder)
    stages = [stage.folder.name for stage in description.stages]
    if not stages:
        raise InputError(f"{folder}: has no training stages")
    taken = processor_seconds if arguments.cpu_time else clock_seconds
    seconds = sum(taken(results, stage) for stage in stages)
    recall = float(metrics["Recall@500"])
    error = float(metrics["MPJPE"]) if recall >= FOUND else float("inf")
    return Run(description.title, seconds, error, recall)


def clock_seconds(results: Path, stage: str) -> float:
    """Of a stage's iterations, by the clock."""
    return float(read_curves(results / "stages" / stage)["seconds"].max())


def processor_seconds(results: Path, stage: str) -> float:
    """Of a stage's whole job on all processors, as Snakemake measured it: with its start, and, of a
    job that was killed and went on, the last part alone."""
    measured = read_benchmark(results / "benchmarks" / training_benchmark(stage))
    return float(measured["cpu_seconds"].iloc[-1])


def reached_sooner(default: Sequence[Run], published: Sequence[Run], clock: str) -> str:
    """How much sooner the default is where the published recipe's best run ends; ``clock`` says
    what is counted."""
    best = min(published, key=lambda run: run.error)
    if not np.isfinite(best.error):
        longest = max(run.seconds for run in published) / 60
        return f"The published recipe does not find the people in {longest:.1f} {clock}."
    reached = [run.seconds for run in default if run.error <= best.error]
    if not reached:
        return f"{best.error:.1f} mm: the default has not come so far."
    factor = best.seconds / min(reached)
    return (
        f"{best.error:.1f} mm: {best.seconds / 60:.1f} {clock} by the published recipe, "
        f"{min(reached) / 60:.1f} or less by the default, {factor:.1f} times sooner."
    )


def still_to_reach(goal: Run, published: Sequence[Run]) -> str:
    """How many times the goal's time the published recipe takes to the goal's error."""
    reached = [run.seconds for run in published if run.error <= goal.error]
    if reached:
        factor = min(reached) / goal.seconds
        return f"{goal.error:.1f} mm: the published recipe takes {factor:.1f} times as long."
    longest = max(run.seconds for run in published)
    best = min(run.error for run in published)
    where = f"best {best:.1f} mm" if np.isfinite(best) else "it does not find the people yet"
    return (
        f"{goal.error:.1f} mm: the published recipe has not come so far in "
        f"{longest / goal.seconds:.1f} times as long ({where})."
    )


if __name__ == "__main__":
    main()
