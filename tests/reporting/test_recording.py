"""What MLflow is given, and what its pages show of it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import open_browser
from invented_results import (
    invented_data,
    invented_description,
    write_agreement,
    write_experiment,
    write_invented_scene,
    write_stage,
    write_truth,
)
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.results import (
    prediction_benchmark,
    read_description,
    read_metrics,
    training_benchmark,
    write_description,
    write_metrics,
)
from selfpose3d.parameters import Mlflow
from selfpose3d.reporting.recording import (
    VIEW,
    flat_metrics,
    flat_params,
    prepare_store,
    record,
    record_table,
    store_uri,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ABLATION = Mlflow(experiment="ablation")
MPJPE = {"labels=soft": 52.25, "labels=hard": 54.75, "labels=soft_hard": 51.5}
STAGE = "pose_l2-12ab"
TRAINED_AT, PREDICTED_AT = 1_700_000_000.0, 1_700_000_100.0
"""When the invented stage ended, after 20 s, and the invented predictions, after 12 s (s)."""
PICTURES = {"studio_test_00 cam00": np.full((20, 30, 3), 90, np.uint8)}
RECORD = """
import sys
from pathlib import Path
from selfpose3d.parameters import Mlflow
from selfpose3d.reporting.recording import record
folder = Path(sys.argv[1])
print(record(folder, Mlflow(experiment="ablation"), folder.parent / "benchmarks"))
"""


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three experiments with one seed, and one with two."""
    folder = tmp_path_factory.mktemp("recorded")
    scene = write_invented_scene(folder / "scene", "studio_test_00", "studio")
    write_truth(folder / "truth.parquet", scene)
    write_stage(folder / "stages" / STAGE)
    os.utime(folder / "stages" / STAGE / "curves.csv", (TRAINED_AT, TRAINED_AT))
    head = "s\th:m:s\tmax_rss\tcpu_time\n"
    jobs = {training_benchmark(STAGE): "24.0\t0:00:24\t1500.5\t41.0"}
    for name, mpjpe in MPJPE.items():
        make_experiment(folder, name, mpjpe)
        jobs[prediction_benchmark(name)] = "12.0\t0:00:12\t700.0\t11.0"
    for name, row in jobs.items():
        write_text(folder / "benchmarks" / name, head + row + "\n")
    return folder


@pytest.fixture
def results(invented: Path, tmp_path: Path) -> Path:
    """A copy of the invented results, to be changed at will."""
    folder = tmp_path / "results"
    shutil.copytree(invented, folder)
    for name in MPJPE:
        write_description(
            folder / name / "experiment.json", invented_description(folder / name, name)
        )
    return folder


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without experiments: to make its tables takes longer than a test."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose default store is used; nothing is recorded yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path)
    return tmp_path


def make_experiment(results: Path, folder: str, mpjpe: float, seed: int = 0) -> None:
    truth = read_poses3d(results / "truth.parquet")
    made = write_experiment(results / folder, folder.split("-seed")[0], truth, mpjpe, seed)
    os.utime(made / "predictions.parquet", (PREDICTED_AT, PREDICTED_AT))


def recorded(results: Path, name: str) -> str:
    return record(results / name, ABLATION, results / "benchmarks", PICTURES)


def client() -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store_uri())


def runs(kind: str) -> dict[str, "Run"]:
    """The runs of a kind by name, which must not be there twice."""
    found = client().search_runs([prepare_store(ABLATION)], f"tags.kind = '{kind}'")
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found)
    return by_name


def parent(run: "Run") -> str:
    return str(run.data.tags["mlflow.parentRunId"])


def test_a_store_is_made_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    prepare_store(ABLATION)
    assert client().get_experiment_by_name("ablation") and (tmp_path / "mlflow.db").is_file()


def test_the_named_server_is_honoured(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_uri() == f"sqlite:///{store / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert store_uri() == "http://mlflow:5000"


def test_headline_metrics_sort_first_and_missing_ones_are_left_out(results: Path) -> None:
    metrics = flat_metrics(read_metrics(results / "labels=soft"))
    assert sorted(metrics)[:2] == ["1_MPJPE_mm", "2_AP25"] and metrics["1_MPJPE_mm"] == 52.25
    assert metrics["joints/neck"] == 30.0
    assert "root/MPJPE" not in metrics and not any("@" in name for name in metrics)


def test_without_truth_the_agreement_sorts_first(results: Path, tmp_path: Path) -> None:
    folder = write_agreement(
        tmp_path / "own", "Training-free", read_poses3d(results / "truth.parquet")
    )
    metrics = flat_metrics(read_metrics(folder))
    assert sorted(metrics)[:4] == [
        "1_reprojection_mm",
        "2_reprojection_px",
        "3_explained",
        "4_people_per_frame",
    ]
    assert metrics["cameras/left_1/reprojection_px"] == 3.25
    assert "cameras/right/reprojection_mm" not in metrics and "warnings" not in metrics


def test_parameters_are_dotted(results: Path) -> None:
    params = flat_params(read_description(results / "labels=soft"))
    assert params["train.pose_l2.learning_rate"] == "0.001" and params["method"] == "selfpose3d"


def test_stages_stand_below_their_seed_and_seeds_below_the_mean(results: Path, store: Path) -> None:
    run_id = recorded(results, "labels=soft")
    assert recorded(results, "labels=soft") == run_id
    (mean,), (seed,), (stage,) = (runs(kind).values() for kind in ("mean", "seed", "stage"))
    assert (mean.info.run_name, seed.info.run_name) == ("labels=soft", "labels=soft seed=0")
    assert parent(stage) == run_id == seed.info.run_id and parent(seed) == mean.info.run_id
    assert seed.data.tags["dataset"] == "studio ring5" and seed.data.tags["dvc"] == "none"
    assert seed.data.tags["git"]
    assert "seed" in seed.data.params and "seed" not in mean.data.params
    assert mean.data.metrics == seed.data.metrics and mean.data.metrics["1_MPJPE_mm"] == 52.25
    artifacts = {item.path for item in client().list_artifacts(run_id)}
    files = {"experiment.json", "metrics.json", "parameters.yaml", "predictions.parquet"}
    assert artifacts == files | {"images"}


def test_runs_last_as_long_as_what_they_record(results: Path, store: Path) -> None:
    recorded(results, "labels=soft")
    (stage,), (seed,), (mean,) = (runs(kind).values() for kind in ("stage", "seed", "mean"))
    trained = (TRAINED_AT - 20, TRAINED_AT)
    assert (stage.info.start_time, stage.info.end_time) == tuple(1000 * t for t in trained)
    for run in (seed, mean):
        assert run.info.start_time == 1000 * (TRAINED_AT - 20)
        assert run.info.end_time == 1000 * PREDICTED_AT
    losses = client().get_metric_history(stage.info.run_id, "loss")
    assert len(losses) == 40
    assert {loss.timestamp - 500 * loss.step for loss in losses} == {stage.info.start_time}


def test_memory_and_processor_time_are_those_of_the_jobs(results: Path, store: Path) -> None:
    recorded(results, "labels=soft")
    (stage,), (seed,) = (runs(kind).values() for kind in ("stage", "seed"))
    job = {"job/seconds": 24.0, "job/max_rss_mb": 1500.5, "job/cpu_seconds": 41.0}
    assert job.items() <= stage.data.metrics.items()
    cost = {"training/cpu_seconds": 41.0, "training/max_rss_mb": 1500.5}
    cost |= {"prediction/seconds": 12.0, "prediction/cpu_seconds": 11.0}
    assert cost.items() <= seed.data.metrics.items()


def test_results_from_elsewhere_are_recorded_without_measures(results: Path, store: Path) -> None:
    shutil.rmtree(results / "benchmarks")
    recorded(results, "labels=soft")
    (seed,) = runs("seed").values()
    assert seed.data.metrics["1_MPJPE_mm"] == 52.25
    assert not any(name.startswith(("training/", "prediction/")) for name in seed.data.metrics)


def test_data_are_inputs_and_checkpoints_models_with_metrics(results: Path, store: Path) -> None:
    recorded(results, "labels=soft")
    (stage,), (seed,) = (runs(kind).values() for kind in ("stage", "seed"))
    used = {each.tags[0].value: each.dataset for each in seed.inputs.dataset_inputs}
    assert used.keys() == {"train", "test"} and used["train"].digest != used["test"].digest
    assert used["test"].name == "studio ring5" and "studio-12ab" in used["test"].source
    (made,) = stage.outputs.model_outputs
    given = client().get_run(seed.info.run_id).inputs.model_inputs
    assert [each.model_id for each in given] == [made.model_id]
    model = client().get_logged_model(made.model_id)
    assert model.name == "pose_l2" and str(model.status) == "READY"
    assert model.tags["checkpoint"] == str(results / "stages" / STAGE / "checkpoint.pt")
    measured = {metric.key: metric for metric in model.metrics}
    assert measured["1_MPJPE_mm"].value == 52.25
    assert measured["1_MPJPE_mm"].dataset_digest == used["test"].digest
    assert measured["loss"].dataset_digest == used["train"].digest


def test_pictures_are_images_of_the_run(results: Path, store: Path) -> None:
    run_id = recorded(results, "labels=soft")
    names = [Path(item.path).name for item in client().list_artifacts(run_id, "images")]
    assert {name.split("+step+0+")[0] for name in names} == {"studio_test_00 cam00"}


def test_the_mean_follows_its_seeds(results: Path, store: Path) -> None:
    for seed in (0, 1):
        make_experiment(results, f"soft-seed{seed}", 50.0 + 2 * seed, seed)
        recorded(results, f"soft-seed{seed}")
    (mean,) = runs("mean").values()
    seeds = runs("seed")
    assert seeds.keys() == {"soft seed=0", "soft seed=1"}
    assert {parent(run) for run in seeds.values()} == {mean.info.run_id}
    assert mean.data.tags["seeds"] == "0, 1"
    assert mean.data.metrics["1_MPJPE_mm"] == pytest.approx((50 + 53) / 2)
    assert mean.data.metrics["1_MPJPE_mm_sd"] == pytest.approx(np.std([50, 53], ddof=1))
    write_metrics(results / "soft-seed1/metrics.json", {"MPJPE": None, "AP25": 3.0})
    recorded(results, "soft-seed1")
    (again,) = runs("mean").values()
    assert again.info.run_id == mean.info.run_id and len(runs("seed")) == 2
    assert np.isnan(again.data.metrics["1_MPJPE_mm"]), "one seed has none"
    assert again.data.metrics["2_AP25"] == pytest.approx(2.5)


def test_other_parameters_have_a_mean_of_their_own(results: Path, store: Path) -> None:
    recorded(results, "labels=soft")
    described = read_description(results / "labels=soft")
    changed = replace(described, id="other", parameters={**described.parameters, "labels": {}})
    write_description(results / "labels=soft" / "experiment.json", changed)
    recorded(results, "labels=soft")
    found = client().search_runs([prepare_store(ABLATION)], "tags.kind = 'mean'")
    assert [run.info.run_name for run in found] == ["labels=soft"] * 2
    assert len({run.data.tags["group"] for run in found}) == 2


def test_what_was_measured_anew_replaces_what_was_recorded(results: Path, store: Path) -> None:
    before = recorded(results, "labels=soft")
    make_experiment(results, "labels=soft", 40.0)
    now = recorded(results, "labels=soft")
    (seed,), (mean,), (stage,) = (runs(kind).values() for kind in ("seed", "mean", "stage"))
    assert now != before and seed.info.run_id == now == parent(stage)
    assert mean.data.metrics["1_MPJPE_mm"] == 40.0
    assert len(client().search_logged_models([seed.info.experiment_id])) == 1


def test_a_run_that_was_broken_off_is_replaced(results: Path, store: Path) -> None:
    broken = recorded(results, "labels=soft")
    client().update_run(broken, status="RUNNING")
    again = recorded(results, "labels=soft")
    assert again != broken
    assert [run.info.run_id for run in runs("seed").values()] == [again]
    assert len(runs("stage")) == 1


def test_a_table_s_tag_finds_its_runs_and_no_earlier_ones(results: Path, store: Path) -> None:
    soft, hard = recorded(results, "labels=soft"), recorded(results, "labels=hard")
    record_table("table_4", [soft, hard], ABLATION)

    def tagged() -> set[str]:
        found = client().search_runs([prepare_store(ABLATION)], "tags.table_4 = 'yes'")
        return {str(run.info.run_name) for run in found}

    assert tagged() == {*MPJPE} - {"labels=soft_hard"} | {
        "labels=soft seed=0",
        "labels=hard seed=0",
    }
    record_table("table_4", [hard], ABLATION)
    assert tagged() == {"labels=hard", "labels=hard seed=0"}
    with pytest.raises(InputError, match=r"has no run 0123.*--forcerun record"):
        record_table("table_4", ["0123"], ABLATION)


def test_a_missing_checkpoint_is_named(results: Path, store: Path) -> None:
    (results / "stages" / STAGE / "checkpoint.pt").unlink()
    with pytest.raises(InputError, match=r"pose_l2-12ab/checkpoint\.pt: can't be read"):
        recorded(results, "labels=soft")


def test_what_was_trained_on_several_data_names_all(results: Path, store: Path) -> None:
    described = read_description(results / "labels=soft")
    several = (invented_data("a"), invented_data("b"))
    write_description(
        results / "labels=soft" / "experiment.json", replace(described, trained_on=several)
    )
    recorded(results, "labels=soft")
    (seed,) = runs("seed").values()
    contexts = [each.tags[0].value for each in seed.inputs.dataset_inputs]
    assert sorted(contexts) == ["test", "train", "train"]


def test_processes_may_record_at_the_same_time(results: Path, store: Path) -> None:
    prepare_store(ABLATION)
    with ThreadPoolExecutor() as threads:
        seeds = list(threads.map(lambda name: _record_apart(results / name), MPJPE))
    found = client().search_runs([prepare_store(ABLATION)])
    assert len(set(seeds)) == 3 and len(found) == 9
    assert {run.info.status for run in found} == {"FINISHED"}


def test_a_data_set_added_by_another_process_meanwhile_is_no_error(
    results: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    log_inputs = MlflowClient.log_inputs
    refused = []

    def late(self: "MlflowClient", run_id: str, **inputs: Any) -> None:
        if len(refused) < 2:
            refused.append(run_id)
            raise MlflowException("UNIQUE constraint failed: datasets.name")
        log_inputs(self, run_id, **inputs)

    monkeypatch.setattr(MlflowClient, "log_inputs", late)
    recorded(results, "labels=soft")
    (seed,) = runs("seed").values()
    assert len(seed.inputs.dataset_inputs) == 2 and len(refused) == 2


def test_the_pages_show_the_headline_first(results: Path, store: Path) -> None:
    experiment_id = prepare_store(ABLATION)
    for name in MPJPE:
        recorded(results, name)
    means = [run.info.run_id for run in runs("mean").values()]
    with _mlflow_ui(store) as address, open_browser(1600, 1200) as browser:

        def page() -> str:
            return str(browser.find_element(By.TAG_NAME, "body").text)

        def complete(_: object) -> bool:
            text = page()
            return all(name in text and str(value) in text for name, value in MPJPE.items())

        browser.get(f"{address}/#/experiments/{experiment_id}/runs?viewStateShareKey={VIEW}")
        WebDriverWait(browser, 120).until(complete)
        wanted = f"runs={json.dumps(means)}&experiments={json.dumps([experiment_id])}"
        browser.get(f"{address}/#/compare-runs?{wanted}")
        WebDriverWait(browser, 120).until(complete)
        assert page().index("1_MPJPE_mm") < page().index("2_AP25")


def _record_apart(experiment: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RECORD, str(experiment)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@contextmanager
def _mlflow_ui(store: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--backend-store-uri", store_uri(), "--host", "127.0.0.1"]
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
    for _ in range(720):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"mlflow ui did not answer: {log.read_text()}")
