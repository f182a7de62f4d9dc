"""What the order of jobs and the number of cores give: a run's jobs, scheduled again on paper.

    python benchmarks/schedule.py --run FOLDER      # a finished run's; default: this folder
    python benchmarks/schedule.py --run FOLDER --cores 2 8 --overlay config/cpu.yaml --seeds 0 1 2

Each job takes the processor seconds that Snakemake measured of it, on a core of its own; jobs that
were not measured take none. Two orders are compared: jobs start in the order of the graph, or the
job with the longest remaining chain starts first, as the workflow estimates it from the sizes in
the parameters. The time to start jobs, tables, the report and MLflow are left out.
"""

import argparse
import heapq
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "workflow"), str(REPOSITORY / "src")]

import jobs as graph  # noqa: E402
from selfpose3d.chains import Jobs, followers_of, seconds_to_the_end  # noqa: E402
from selfpose3d.parameters import load_parameters, with_settings  # noqa: E402
from selfpose3d.plan.planning import make_plan  # noqa: E402
from selfpose3d.plan.study import plain_run  # noqa: E402
from selfpose3d.reporting.figures import read_benchmarks  # noqa: E402


def makespan(
    jobs: Jobs, seconds: Mapping[str, float], cores: int, rank: Mapping[str, float]
) -> float:
    """Seconds until the last job ends. Of the jobs that are ready, the one of the highest rank
    starts first; of two of the same rank, the earlier one in the order of the graph.

    Args:
        jobs: which each waits for, without circles.
        seconds: that jobs take on one core.
        cores: how many run side by side.
        rank: of the jobs.
    """
    place = {job: number for number, job in enumerate(jobs)}
    awaited = {job: len(earlier) for job, earlier in jobs.items()}
    followers = followers_of(jobs)

    def entry(job: str) -> tuple[float, int, str]:
        return -rank[job], place[job], job

    ready = [entry(job) for job, count in awaited.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < cores:
            job = heapq.heappop(ready)[2]
            heapq.heappush(running, (now + seconds.get(job, 0.0), job))
        now, ended = heapq.heappop(running)
        for job in followers[ended]:
            awaited[job] -= 1
            if not awaited[job]:
                heapq.heappush(ready, entry(job))
    return now


def table(
    jobs: Jobs, seconds: Mapping[str, float], expected: Mapping[str, float], cores: Sequence[int]
) -> str:
    """The Markdown table of minutes by cores and order."""
    left = seconds_to_the_end(jobs, seconds)
    orders = {"order of the graph": dict.fromkeys(jobs, 0.0), "longest chain first": expected}
    lines = ["| cores | " + " | ".join(orders) + " |", "|---:" * 3 + "|"]
    for number in cores:
        minutes = [makespan(jobs, seconds, number, rank) / 60 for rank in orders.values()]
        lines.append(f"| {number} | " + " | ".join(f"{each:.1f}" for each in minutes) + " |")
    total = sum(seconds.get(job, 0.0) for job in jobs)
    return "\n".join(
        [*lines, "", f"Longest chain: {max(left.values()) / 60:.1f} min of {total / 60:.1f} min."]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--run", type=Path, default=Path(), help="folder in which the workflow ran")
    add("--overlay", type=Path, nargs="*", default=[], help="overlays that it ran with")
    add("--seeds", type=int, nargs="*", help="training seeds that it ran with")
    add("--cores", type=int, nargs="*", default=[1, 2, 4, 8], help="default: 1 2 4 8")
    arguments = parser.parse_args()
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config" / "study.yaml", *arguments.overlay]
    parameters = load_parameters(files)
    if arguments.seeds:
        parameters = with_settings(parameters, {"seeds": arguments.seeds}, "--seeds")
    plan = make_plan(parameters, plain_run(parameters))
    measured = read_benchmarks(arguments.run / "results" / "benchmarks")
    names = measured["rule"] + "/" + measured["job"]
    seconds = dict(zip(names, measured["cpu_seconds"].fillna(0.0), strict=True))
    waiting = graph.jobs_of(plan)
    missing = [job for job in waiting if job not in seconds]
    if missing:
        print(f"not measured: {len(missing)} jobs, such as {missing[0]}", file=sys.stderr)
    print(table(waiting, seconds, graph.priorities(parameters, plan), arguments.cores))


if __name__ == "__main__":
    main()
