"""The small files that a run leaves: read as written, and refused where they are something else."""

from pathlib import Path

import numpy as np
import pytest

from invented_results import invented_description
from selfpose3d.errors import InputError
from selfpose3d.files.results import (
    AGREEMENT,
    HEADLINE,
    better,
    curve_terms,
    description_text,
    forget_divergence,
    has_diverged,
    is_length,
    parse_description,
    read_benchmark,
    read_curves,
    read_description,
    read_metrics,
    read_recorded,
    training_benchmark,
    write_curves,
    write_description,
    write_divergence,
    write_metrics,
    write_recorded,
)


def test_a_description_is_read_as_written(tmp_path: Path) -> None:
    described = invented_description(tmp_path / "soft-seed1", "Soft", 1, {"labels.kind": "soft"})
    write_description(tmp_path / "experiment.json", described)
    assert read_description(tmp_path) == described
    assert parse_description(description_text(described), "the command") == described


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"id": 3}'])
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "experiment.json").write_text(text)
    with pytest.raises(InputError, match=r"experiment\.json: not the description"):
        read_description(tmp_path)
    with pytest.raises(InputError, match=r"nowhere/experiment\.json: can't be read"):
        read_description(tmp_path / "nowhere")


def test_curves_are_read_as_written(tmp_path: Path) -> None:
    rows = [{"iteration": i, "seconds": 0.5 * i, "loss": 1 / i, "unused": 0.0} for i in (1.0, 2.0)]
    write_curves(tmp_path, rows)
    assert (tmp_path / "curves.csv").read_text().splitlines()[1] == "1,0.5,1.0,0.0"
    curves = read_curves(tmp_path)
    assert curves.to_dict("records") == rows and curve_terms(curves) == ["loss"]


def test_a_stage_that_broke_off_at_once_has_curves_without_rows(tmp_path: Path) -> None:
    write_curves(tmp_path, [])
    assert read_curves(tmp_path).empty and curve_terms(read_curves(tmp_path)) == []


def test_other_tables_are_no_curves(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text("iteration,loss\n1,2\n")
    with pytest.raises(InputError, match=r"curves\.csv: not training curves.*\['seconds'\]"):
        read_curves(tmp_path)


def test_divergence_is_told_until_it_is_forgotten(tmp_path: Path) -> None:
    assert not has_diverged(tmp_path)
    write_divergence(tmp_path, 7, "the loss is not finite", 4)
    assert has_diverged(tmp_path)
    forget_divergence(tmp_path)
    assert not has_diverged(tmp_path)


def test_metrics_and_the_id_of_a_run_are_read_as_written(tmp_path: Path) -> None:
    metrics = dict.fromkeys(HEADLINE, 1.0) | {"MPJPE": None}
    write_metrics(tmp_path / "metrics.json", metrics)
    write_recorded(tmp_path / "mlflow.json", "0123")
    assert read_metrics(tmp_path) == metrics and read_recorded(tmp_path) == "0123"
    assert [name for name in HEADLINE if is_length(name)] == ["MPJPE"]
    assert [better(name) for name in HEADLINE] == [-1, 1, 1, 1, 1, 1]
    assert [better(name) for name in AGREEMENT] == [-1, -1, 1, 0]
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(InputError, match="not a file of metrics"):
        read_metrics(tmp_path)


def test_benchmarks_name_their_units_and_may_be_too_short_to_measure(tmp_path: Path) -> None:
    path = tmp_path / training_benchmark("pose_l2-estimator-0123abcd")
    assert path == tmp_path / "train_pose_l2" / "estimator-0123abcd.tsv"
    path.parent.mkdir()
    path.write_text("s\th:m:s\tmax_rss\tcpu_time\n0.3\t0:00:00\tNA\t-\n60\t0:01:00\t1500.5\t41\n")
    short, long = read_benchmark(path).to_dict("records")
    assert short["seconds"] == 0.3 and np.isnan([short["max_rss_mb"], short["cpu_seconds"]]).all()
    assert long == {"seconds": 60.0, "max_rss_mb": 1500.5, "cpu_seconds": 41.0}
    with pytest.raises(InputError, match="not a readable benchmark file"):
        read_benchmark(tmp_path / "none.tsv")
