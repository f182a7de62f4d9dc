"""What MLflow is given, and what its compare page shows of it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import open_browser
from invented_results import write_experiment, write_invented_scene, write_stage, write_truth
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.parameters import Tracking
from selfpose3d.reporting.recording import (
    flat_metrics,
    flat_params,
    log_experiment,
    prepare_store,
    run_name,
    tracking_uri,
)

MPJPE = {"labels=soft": 52.25, "labels=hard": 54.75, "labels=soft_hard": 51.5}
TRACKING = Tracking(experiment="ablation")
LOG = """
import sys
from pathlib import Path
from selfpose3d.parameters import (Tracking)
from selfpose3d.reporting.recording import log_experiment
folder = Path(sys.argv[1])
tracking = Tracking(experiment="ablation")
print(log_experiment(folder, [folder.parent / "stages/pose_l2-12ab"], tracking, []))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked")
    scene = write_invented_scene(folder / "scene", "studio_test_00", "studio")
    truth = write_truth(folder / "truth.parquet", scene)
    for name, mpjpe in MPJPE.items():
        write_experiment(folder / name, name, truth, mpjpe, inside_box=name != "labels=soft")
    write_stage(folder / "stages" / "pose_l2-12ab")
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory whose default store is used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def _log(results: Path, name: str) -> str:
    stages = [results / "stages" / "pose_l2-12ab"]
    return log_experiment(results / name, stages, TRACKING, [results / "truth.parquet"])


def test_the_tracking_uri_is_honoured(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri() == f"sqlite:///{store / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert tracking_uri() == "http://tracking:5000"


def test_headline_metrics_sort_first_and_missing_ones_are_left_out(results: Path) -> None:
    metrics = flat_metrics(read_json(results / "labels=soft" / "metrics.json"))
    assert sorted(metrics)[0] == "1_MPJPE_mm" and metrics["1_MPJPE_mm"] == 52.25
    assert metrics["joints/neck"] == 30.0
    assert "root/MPJPE" not in metrics and not any("@" in name for name in metrics)


def test_run_names_tell_the_seeds_of_what_was_trained_apart(results: Path) -> None:
    described = read_json(results / "labels=soft" / "experiment.json")
    described["parameters"] |= {"seed": 2}
    assert run_name(described) == "labels=soft seed=2"
    assert run_name(described | {"stages": []}) == "labels=soft"
    assert flat_params(described)["train.pose_l2.learning_rate"] == "0.001"


def test_a_run_with_its_stages_logged_once(results: Path, store: Path) -> None:
    from mlflow import MlflowClient

    prepare_store(TRACKING)
    run_id = _log(results, "labels=soft")
    assert _log(results, "labels=soft") == run_id
    client = MlflowClient(tracking_uri=tracking_uri())
    runs = client.search_runs([prepare_store(TRACKING)])
    by_name = {run.info.run_name: run for run in runs}
    assert sorted(by_name) == ["labels=soft seed=0", "pose_l2"] and len(runs) == 2
    parent, child = by_name["labels=soft seed=0"], by_name["pose_l2"]
    assert child.data.tags["mlflow.parentRunId"] == run_id == parent.info.run_id
    assert parent.data.tags["dataset"] == "studio ring5" and parent.data.tags["dvc"] == "none"
    assert parent.data.tags["git"]
    assert len(client.get_metric_history(child.info.run_id, "loss")) == 40
    artifacts = {item.path for item in client.list_artifacts(run_id)}
    expected = {"experiment.json", "metrics.json", "parameters.yaml", "pictures"}
    assert expected | {"predictions.parquet"} == artifacts
    assert (store / "mlflow.db").is_file()


def test_a_run_is_found_by_its_tables_and_a_new_table_makes_no_new_run(
    results: Path, store: Path
) -> None:
    from mlflow import MlflowClient

    store_id = prepare_store(TRACKING)
    run_id = _log(results, "labels=soft")
    path = results / "labels=soft" / "experiment.json"
    described = read_json(path)
    write_json(path, described | {"tables": ["methods", "table_4"]})
    try:
        assert _log(results, "labels=soft") == run_id
    finally:
        write_json(path, described)
    client = MlflowClient(tracking_uri=tracking_uri())
    (found,) = client.search_runs([store_id], "tags.table_4 = 'yes'")
    assert found.info.run_id == run_id
    assert found.data.tags["tables"] == "methods, table_4"


def test_a_run_that_was_broken_off_is_replaced(results: Path, store: Path) -> None:
    from mlflow import MlflowClient

    broken = _log(results, "labels=soft")
    client = MlflowClient(tracking_uri=tracking_uri())
    client.update_run(broken, status="RUNNING")
    again = _log(results, "labels=soft")
    kept = {run.info.run_id for run in client.search_runs([prepare_store(TRACKING)])}
    assert again != broken and again in kept and len(kept) == 2


def test_a_folder_that_is_no_stage_of_the_experiment_is_refused(results: Path, store: Path) -> None:
    stage = write_stage(store / "other")
    with pytest.raises(InputError, match="no stage of the experiment labels=soft"):
        log_experiment(results / "labels=soft", [stage], TRACKING)


def test_processes_may_log_at_the_same_time(results: Path, store: Path) -> None:
    store_id = prepare_store(TRACKING)
    with ThreadPoolExecutor() as threads:
        runs = list(threads.map(lambda name: _log_apart(results / name), MPJPE))
    from mlflow import MlflowClient

    found = MlflowClient(tracking_uri=tracking_uri()).search_runs([store_id])
    assert len(set(runs)) == 3 and len(found) == 6
    assert {run.info.status for run in found} == {"FINISHED"}


def test_the_compare_page_shows_the_ablation(results: Path, store: Path) -> None:
    experiment_id = prepare_store(TRACKING)
    runs = [_log(results, name) for name in MPJPE]
    with _mlflow_ui(store) as address, open_browser(1600, 1200) as browser:
        wanted = f"runs={json.dumps(runs)}&experiments={json.dumps([experiment_id])}"
        browser.get(f"{address}/#/compare-runs?{wanted}")

        def page() -> str:
            return str(browser.find_element(By.TAG_NAME, "body").text)

        def complete(_: object) -> bool:
            text = page()
            return all(name in text and str(value) in text for name, value in MPJPE.items())

        WebDriverWait(browser, 40).until(complete)
        assert page().index("1_MPJPE_mm") < page().index("2_AP25")


def _log_apart(experiment: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(experiment)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@contextmanager
def _mlflow_ui(store: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--backend-store-uri", tracking_uri(), "--host", "127.0.0.1"]
    command = [sys.executable, "-m", "mlflow", "ui", *options, "--port", str(port)]
    with (store / "ui.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--workers", "1"],
            cwd=store,
            stdout=log,
            stderr=log,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, store / "ui.log")
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"mlflow ui did not answer: {log.read_text()}")
