"""The command that times everything, at its smallest."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import REPOSITORY
from invented_results import invented_description
from selfpose3d.errors import InputError
from selfpose3d.files.results import TrainedStage, write_description

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import measured_tables
import schedule
import speed


def timed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "benchmarks" / "speed.py")),
            *("--sizes", "tiny", "--stages", "root", "--threads", "1"),
            *("--no-operations", "--no-memory"),
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_speed_is_kept_and_falling_back_fails(tmp_path: Path) -> None:
    out = tmp_path / "here.json"
    done = timed("--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "| tiny: root, an iteration |" in done.stdout
    kept = json.loads(out.read_text())
    assert {"torch", "processor", "threads"} <= set(kept["machine"])
    row = kept["rows"]["tiny: root, an iteration"]
    assert row["against_seconds"] > 0 and row["ratio"] > 0
    row["ratio"] /= 100
    out.write_text(json.dumps(kept))
    again = timed("--out", str(tmp_path / "again.json"), "--check", str(out))
    assert again.returncode == 1
    assert "fell back against the reference" in again.stderr and "root" in again.stderr


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"ratio": 1.24, "met": None}, None),
        ({"ratio": 1.26, "met": None}, "1.26, the reference has 1"),
        ({"ratio": 1.2, "met": False, "limit": "x 1.1"}, "promised x 1.1"),
    ],
)
def test_a_check_fails_on_ratios_on_promises_and_on_rows_nobody_knows(row, words):
    reference = {"a": {"ratio": 1.0, "met": True}}
    worse = speed.fallen_back({"a": row}, reference, tolerance=0.25)
    assert (words is None and not worse) or words in worse[0]
    assert "not in the reference" in speed.fallen_back({"b": row}, reference, 0.25)[0]


def test_threads_are_compared_stage_by_stage(tmp_path: Path) -> None:
    out = tmp_path / "threads.md"
    done = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "benchmarks" / "threads.py"), "--size", "tiny"),
            *("--stages", "root", "trust", "prediction", "--repeats", "2", "--out", str(out)),
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, _, *rows = out.read_text().splitlines()
    assert head.startswith("| | 1 thread, ms | 2 threads, ms |")
    names = [row.split("|")[1].strip() for row in rows if row.startswith("|")]
    assert names == ["root, an iteration", "trust, an iteration", "prediction of 4 frames"]
    assert "tiny: as small as can be" in rows[-1]


def trained(
    results: Path, name: str, seconds: float, error: float | None, recall: float = 99.0
) -> None:
    """What the workflow leaves of an experiment of two stages."""
    for stage in ("root", "pose_l2"):
        folder, measured = results / f"stages/{stage}-{name}", results / f"benchmarks/train_{stage}"
        folder.mkdir(parents=True)
        measured.mkdir(parents=True, exist_ok=True)
        (folder / "curves.csv").write_text(f"iteration,seconds,loss\n1,1,3\n2,{seconds / 2},2\n")
        (measured / f"{name}.tsv").write_text(f"s\tcpu_time\n{seconds}\t{seconds / 4}\n")
    folder = results / "experiments" / f"{name}-seed0-0123abcd"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"MPJPE": error, "Recall@500": recall}))
    stages = tuple(
        TrainedStage(stage, Path(f"results/stages/{stage}-{name}")) for stage in ("root", "pose_l2")
    )
    described = replace(invented_description(folder, name), stages=stages)
    write_description(folder / "experiment.json", described)


@pytest.mark.parametrize(
    ("errors", "options", "words"),
    [
        (
            (None, None),
            [],
            [
                "not find the people in 16.0 minutes",
                "8.0 times as long (it does not find",
                "| published_8th | 16.0 | - | 0.0 |",
                "| images | 2.0 | 62.0 | 99.0 |",
            ],
        ),
        (
            (120.0, 60.0),
            ["--cpu-time"],
            [
                "60.0 mm: the default has not come",
                "takes 8.0 times as long",
                "| images | 1.0 | 62.0 | 99.0 |",
            ],
        ),
        (
            (120.0, 90.0),
            [],
            [
                "90.0 mm: 16.0 minutes by the published recipe, 0.5 or less by the default, 32.0",
                "62.0 mm: the published recipe has not come so far in 8.0 times as long (best 90.0",
                "| images | 2.0 | 62.0 | 99.0 |",
            ],
        ),
    ],
)
def test_time_to_accuracy_says_how_many_times_longer(tmp_path, errors, options, words) -> None:
    results = tmp_path / "results"
    trained(results, "default_8th", 30, 85.0)
    trained(results, "default_16th", 15, 95.0)
    trained(results, "default_4th", 20, 50.0, recall=41.0)
    trained(results, "default_half", 10, None, recall=0.0)
    trained(results, "images", 120, 62.0)
    recall = 0.0 if errors[1] is None else 99.0
    trained(results, "published_16th", 240, errors[0], recall)
    trained(results, "published_8th", 960, errors[1], recall)
    script = REPOSITORY / "benchmarks" / "time_to_accuracy.py"
    chart = tmp_path / "chart.svg"
    done = subprocess.run(
        [sys.executable, script, "--results", results, "--chart", chart, *options],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(each in done.stdout for each in words)
    assert chart.read_text().startswith("<svg")


def test_the_page_shows_the_measured_tables() -> None:
    page = measured_tables.PAGE.read_text()
    kept = {path.stem for path in measured_tables.MEASURED.glob("*.csv")}
    assert kept <= set(measured_tables.places(page))
    for name in kept:
        table = (measured_tables.MEASURED / f"{name}.md").read_text()
        assert measured_tables.with_table(page, name, table) == page, name


def test_a_measured_table_takes_the_place_of_the_last() -> None:
    page = "a\n<!-- table_4 -->\n\nold\n\n<!-- end -->\nb\n<!-- beyond -->\n<!-- end -->\nc\n"
    assert measured_tables.places(page) == ["table_4", "beyond"]
    changed = measured_tables.with_table(page, "beyond", "### Heading\n\n| a |\n")
    assert changed == page.replace("beyond -->\n", "beyond -->\n\n| a |\n\n")
    again = measured_tables.with_table(page, "table_4", "### Heading\n\nnew\n")
    assert again == page.replace("old", "new")
    with pytest.raises(InputError, match="no place <!-- table_5 -->"):
        measured_tables.with_table(page, "table_5", "")


def test_jobs_are_scheduled_by_rank_on_the_cores_there_are() -> None:
    """A chain of 5 + 5 s, and three jobs of 4 s that nothing waits for."""
    jobs = {"a": (), "b": (), "c": (), "first": (), "second": ("first",)}
    seconds = {"a": 4.0, "b": 4.0, "c": 4.0, "first": 5.0, "second": 5.0}
    listed, by_chain = dict.fromkeys(jobs, 0.0), {**seconds, "first": 10.0}
    assert schedule.makespan(jobs, seconds, 1, listed) == 22.0
    assert schedule.makespan(jobs, seconds, 2, listed) == 14.0
    assert schedule.makespan(jobs, seconds, 2, by_chain) == 12.0
    assert schedule.makespan(jobs, seconds, 8, listed) == 10.0
    page = schedule.table(jobs, seconds, by_chain, [2])
    assert "| 2 | 0.2 | 0.2 |" in page and "Longest chain: 0.2 min of 0.4 min." in page
