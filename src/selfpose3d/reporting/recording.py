"""Recording in MLflow: one run per experiment, with its stages as child runs.

Runs go to ``MLFLOW_TRACKING_URI``, or to ``mlflow.db`` (SQLite) in the working directory.
``import mlflow`` takes seconds, so only the functions that log import it.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json
from selfpose3d.parameters import Tracking
from selfpose3d.reporting.provenance import git_revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DEFAULT_STORE = "mlflow.db"
"""SQLite file in the working directory, where no tracking server is named."""

HEADLINE: Mapping[str, str] = {
    "MPJPE": "1_MPJPE_mm",
    "AP25": "2_AP25",
    "AP50": "3_AP50",
    "AP100": "4_AP100",
    "AP150": "5_AP150",
    "Recall@500": "6_Recall_500",
}
"""MLflow's names of the headline metrics: it sorts by name, and allows no @."""

DIGEST_TAG = "selfpose3d.digest"
_BATCH_METRICS, _BATCH_PARAMS = 1000, 100
"""MLflow's limits of one ``log_batch``."""
_LONGEST_PARAM = 6000


def tracking_uri() -> str:
    """The address to which runs are logged."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / DEFAULT_STORE}"


def prepare_store(tracking: Tracking) -> str:
    """Create or migrate the store and create the experiment; needed once, before anything logs.

    Returns:
        MLflow's id of the experiment.
    """
    return _experiment_id(_client(), tracking.experiment)


def log_experiment(
    experiment: Path,
    stages: Sequence[Path],
    tracking: Tracking,
    pictures: Sequence[Path] = (),
) -> str:
    """Log an experiment's folder as a run, with a child run for each of its stages.

    A run that was logged before with the same content is left unchanged. A run that was interrupted
    is replaced.

    Args:
        experiment: folder with ``experiment.json``, ``metrics.json``, ``predictions.parquet``.
        stages: folders of the experiment's training stages in their order, each with
            ``curves.csv``.
        tracking: the MLflow experiment to record in.
        pictures: images to keep with the run.

    Returns:
        the id of the run.

    Raises:
        InputError: a file is missing or broken.
    """
    described, metrics = (
        read_json(experiment / f"{name}.json") for name in ("experiment", "metrics")
    )
    curves = {_stage_name(stage, described): _read_curves(stage) for stage in stages}
    digest = _digest(described, metrics, stages)
    client = _client()
    store = _experiment_id(client, tracking.experiment)
    tags = _tags(described) | {DIGEST_TAG: digest, "kind": "experiment"}
    logged = _logged(client, store, digest)
    if logged is not None:
        for tag, value in _table_tags(described).items():
            client.set_tag(logged, tag, value)
        return logged
    run = client.create_run(store, run_name=run_name(described), tags=tags)
    _log_params(client, run, flat_params(described))
    _log_metrics(client, run, [(key, value, 0) for key, value in flat_metrics(metrics).items()])
    _log_artifacts(client, run, experiment, described, pictures)
    for stage, (name, table) in zip(stages, curves.items(), strict=True):
        section = described["parameters"].get("train", {}).get(name, {})
        _log_stage(client, run, stage, name, table, dict(_flat(section)))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def run_name(described: Mapping[str, Any]) -> str:
    """The experiment's name, with its seed if it was trained."""
    named = str(described["name"])
    return f"{named} seed={described['parameters']['seed']}" if described["stages"] else named


def flat_params(described: Mapping[str, Any]) -> dict[str, str]:
    """The resolved parameters as dotted keys and text, the same keys for every experiment."""
    return {"method": described["method"]} | dict(_flat(described["parameters"]))


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of ``metrics.json`` by MLflow's names, the headline first and without None."""
    headline = {
        name: float(metrics[key]) for key, name in HEADLINE.items() if metrics.get(key) is not None
    }
    rest = {key: value for key, value in metrics.items() if key not in HEADLINE}
    return headline | dict(_numbers(rest))


def _client() -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri())


def _experiment_id(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        made_meanwhile = client.get_experiment_by_name(name)
        if made_meanwhile is None:
            raise
        return str(made_meanwhile.experiment_id)


def _logged(client: "MlflowClient", store: str, digest: str) -> str | None:
    """The finished run of the same content; interrupted runs and their children are deleted."""
    found = client.search_runs([store], f"tags.`{DIGEST_TAG}` = '{digest}'")
    for run in found:
        if run.info.status == "FINISHED":
            return str(run.info.run_id)
    for run in found:
        parent = run.info.run_id
        for child in client.search_runs([store], f"tags.`mlflow.parentRunId` = '{parent}'"):
            client.delete_run(child.info.run_id)
        client.delete_run(parent)
    return None


def _digest(
    described: Mapping[str, Any], metrics: Mapping[str, Any], stages: Sequence[Path]
) -> str:
    """A digest of the run and its results, without the tables that show it, which may change."""
    run = {name: value for name, value in described.items() if name != "tables"}
    digest = hashlib.sha256(json.dumps([run, metrics], sort_keys=True).encode())
    for stage in stages:
        digest.update((stage / "curves.csv").read_bytes())
    return digest.hexdigest()[:16]


def _tags(described: Mapping[str, Any]) -> dict[str, str]:
    return {
        "experiment": str(described["name"]),
        "title": str(described["title"]),
        "settings": json.dumps(described["settings"], sort_keys=True),
        "test_on": json.dumps(described["test_on"], sort_keys=True),
        "dataset": str(described["data"]),
        "git": git_revision(),
        "dvc": _dvc_revision(),
        **_table_tags(described),
    }


def _table_tags(described: Mapping[str, Any]) -> dict[str, str]:
    """One tag with the run's tables, and one per table to search by: ``tags.table_4 = 'yes'``."""
    tables = described["tables"]
    return {"tables": ", ".join(tables), **dict.fromkeys(tables, "yes")}


def _dvc_revision() -> str:
    """The MD5 of ``dvc.lock``, as DVC itself names files; "none" without one."""
    lock = Path("dvc.lock")
    if not lock.is_file():
        return "none"
    return hashlib.md5(lock.read_bytes(), usedforsecurity=False).hexdigest()


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        name = f"{prefix}{key}".replace("@", "_")
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value)


def _read_curves(stage: Path) -> pd.DataFrame:
    path = stage / "curves.csv"
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); train again") from error


def _log_stage(
    client: "MlflowClient",
    parent: "Run",
    stage: Path,
    name: str,
    curves: pd.DataFrame,
    params: Mapping[str, str],
) -> None:
    tags = {"mlflow.parentRunId": parent.info.run_id, "kind": "stage", "stage": name}
    run = client.create_run(
        parent.info.experiment_id, run_name=name, tags=tags | {"folder": stage.name}
    )
    _log_params(client, run, params)
    terms = [column for column in curves.columns if column != "iteration"]
    points = [
        (term, float(value), int(iteration))
        for term in terms
        for iteration, value in zip(curves["iteration"], curves[term], strict=True)
        if math.isfinite(value)
    ]
    _log_metrics(client, run, points)
    client.log_artifact(run.info.run_id, str(stage / "curves.csv"))
    client.set_terminated(run.info.run_id)


def _stage_name(stage: Path, described: Mapping[str, Any]) -> str:
    """The stage's name by its folder's name, in ``experiment.json``."""
    for row in described["stages"]:
        if Path(row["folder"]).name == stage.name:
            return str(row["stage"])
    known = [row["folder"] for row in described["stages"]]
    raise InputError(f"{stage}: no stage of the experiment {described['name']}; it has {known}")


def _log_params(client: "MlflowClient", run: "Run", params: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    rows = [Param(key, value[:_LONGEST_PARAM]) for key, value in params.items()]
    for start in range(0, len(rows), _BATCH_PARAMS):
        client.log_batch(run.info.run_id, params=rows[start : start + _BATCH_PARAMS])


def _log_metrics(
    client: "MlflowClient", run: "Run", points: Sequence[tuple[str, float, int]]
) -> None:
    """Log (name, value, step) points."""
    from mlflow.entities import Metric

    time = run.info.start_time
    rows = [Metric(name, value, time, step) for name, value, step in points]
    for start in range(0, len(rows), _BATCH_METRICS):
        client.log_batch(run.info.run_id, metrics=rows[start : start + _BATCH_METRICS])


def _log_artifacts(
    client: "MlflowClient",
    run: "Run",
    experiment: Path,
    described: Mapping[str, Any],
    pictures: Sequence[Path],
) -> None:
    run_id = run.info.run_id
    for name in ("experiment.json", "metrics.json", "predictions.parquet"):
        client.log_artifact(run_id, str(experiment / name))
    client.log_dict(run_id, described["parameters"], "parameters.yaml")
    for picture in pictures:
        client.log_artifact(run_id, str(picture), "pictures")
