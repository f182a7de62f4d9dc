"""What everything costs, as ratios in one run: operations against their plain versions, training
iterations and predicted frames against the bare passes of their networks.

    python benchmarks/speed.py                                    # the table; about ten minutes
    python benchmarks/speed.py --check benchmarks/reference.json  # fails where it fell back
    python benchmarks/speed.py --sizes paper                      # the paper's full size: an hour

It prints the table and keeps it with machine and versions in ``benchmarks/results``; lines that a
later run leaves out stay as they are. What is compared is timed in turns, every figure is a median.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import timing  # noqa: E402
from operations import operations  # noqa: E402
from settings import SETTINGS, STAGES  # noqa: E402
from stage_costs import (  # noqa: E402
    inference_cost,
    print_own_memory,
    stage_cost,
    stage_memory,
)

MOST_OF_BARE = 1.3
"""An iteration may cost so many times the bare passes of its networks."""
TOLERANCE = 0.25
"""``--check``: a ratio may be larger than the reference's by this share; medians of a shared
machine vary by about half of it."""


@dataclass(frozen=True)
class Row:
    """One line of the table. ``met`` is None where nothing was promised."""

    name: str
    seconds: float
    against: str
    against_seconds: float
    ratio: float
    limit: str = ""
    met: bool | None = None


def main() -> None:
    arguments = parsed()
    if arguments.memory_of:
        size, stage = arguments.memory_of
        print_own_memory(SETTINGS[size], stage)
        return
    if arguments.cpu_time:
        timing.clock = time.process_time
    torch.set_num_threads(arguments.threads or 2)
    clock_name = f"{'process' if arguments.cpu_time else 'wall'}, load {os.getloadavg()[0]:.1f}"
    reference = json.loads(arguments.check.read_text())["rows"] if arguments.check else {}
    result: dict[str, Any] = {"machine": timing.machine(torch.get_num_threads())}
    print(HEADER)
    rows = []
    for row in timed_rows(arguments):
        rows.append(row)
        print(line(row), flush=True)
    out = arguments.out or HERE / "results" / f"{slug(result['machine']['processor'])}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(out.read_text()) if out.exists() else {"rows": {}, "memory": {}}
    measured = {row.name: {**asdict(row), "clock": clock_name} for row in rows}
    taken = {} if arguments.no_memory else memory(arguments.sizes)
    result["rows"] = {**known["rows"], **measured}
    result["memory"] = {**known["memory"], **taken}
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nkept in {out}")
    if arguments.check and (worse := fallen_back(measured, reference, arguments.tolerance)):
        raise SystemExit("\n".join(["fell back against the reference:", *worse]))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="*", choices=list(SETTINGS), default=["released", "demo"],
        help="sizes that stages are timed at; default: released demo")  # fmt: skip
    add("--stages", nargs="*", choices=STAGES, default=list(STAGES), help="default: all")
    add("--no-operations", action="store_true", help="stages alone")
    add("--no-memory", action="store_true", help="leave out the stages' memory")
    add("--threads", type=int, help="of everything; default: 2, and in the demo its own")
    add("--cpu-time", action="store_true",
        help="of the process instead of the clock on the wall, where other work shares the "
        "machine; with --threads 1")  # fmt: skip
    add("--out", type=Path, help="default: benchmarks/results/<machine>.json")
    add("--check", type=Path, help="a kept result: fail where a ratio is worse than there, a "
        "promise kept there is broken, or a line is not in it")  # fmt: skip
    add("--tolerance", type=float, default=TOLERANCE, help=f"default: {TOLERANCE}")
    add("--memory-of", nargs=2, metavar=("SIZE", "STAGE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def timed_rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure line by line."""
    if not arguments.no_operations:
        for timed in operations(small=arguments.sizes == ["tiny"]):
            yield operation_row(timed)
    for size in arguments.sizes:
        setting = SETTINGS[size]
        threads = arguments.threads or (None if size in ("demo", "tiny") else 2)
        for stage in arguments.stages:
            cost = stage_cost(setting, stage, threads)
            yield Row(
                f"{size}: {stage}, an iteration", cost.seconds, "bare passes", cost.bare,
                cost.ratio, f"x {MOST_OF_BARE}", cost.ratio <= MOST_OF_BARE,
            )  # fmt: skip
        cost = inference_cost(setting, threads)
        yield Row(f"{size}: inference, a frame", cost.seconds, "bare passes", cost.bare, cost.ratio)


def operation_row(timed: Any) -> Row:
    """The line of an operation, with what was promised of it."""
    ratio = timed.seconds / timed.against_seconds
    limits, met = [], []
    if timed.limit_seconds is not None:
        limits.append(f"{1000 * timed.limit_seconds:g} ms")
        met.append(timed.seconds <= timed.limit_seconds)
    if timed.limit_ratio is not None:
        limits.append(f"x {timed.limit_ratio:g}")
        met.append(ratio <= timed.limit_ratio)
    return Row(
        timed.name, timed.seconds, timed.against, timed.against_seconds, ratio,
        ", ".join(limits), all(met) if met else None,
    )  # fmt: skip


HEADER = "| | ms | against | ms | ratio | promised | met |\n|---|---:|---|---:|---:|---|---|"


def line(row: Row) -> str:
    """One line of the Markdown table."""
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    cells = [
        row.name, f"{1000 * row.seconds:.3g}", row.against, f"{1000 * row.against_seconds:.3g}",
        f"{row.ratio:.3g}", row.limit, met,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def memory(sizes: list[str]) -> dict[str, dict[str, float]]:
    """Peak MiB of each stage in a process of its own, printed on the way."""
    print("\n| peak MiB | " + " | ".join(STAGES) + " |\n|---" + "|---:" * len(STAGES) + "|")
    taken: dict[str, dict[str, float]] = {}
    for size in sizes:
        taken[size] = {
            stage: round(stage_memory(HERE / "speed.py", size, stage)) for stage in STAGES
        }
        print(f"| {size} | " + " | ".join(f"{value:.0f}" for value in taken[size].values()) + " |")
    return taken


def fallen_back(rows: dict[str, Any], known: dict[str, Any], tolerance: float) -> list[str]:
    """What is worse than the reference: ratios by more than the tolerance, promises that it keeps,
    and rows that it does not know."""
    worse = []
    for name, row in rows.items():
        before = known.get(name)
        if before is None:
            worse.append(f"  {name}: not in the reference; keep a new one")
        elif row["ratio"] > before["ratio"] * (1 + tolerance):
            worse.append(f"  {name}: {row['ratio']:.3g}, the reference has {before['ratio']:.3g}")
        elif row["met"] is False and before["met"]:
            worse.append(f"  {name}: promised {row['limit']}, which the reference keeps")
    return worse


def slug(text: str) -> str:
    """A file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


if __name__ == "__main__":
    main()
