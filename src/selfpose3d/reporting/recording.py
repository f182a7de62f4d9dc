"""Recording in MLflow: what a run left in files is recorded after the fact.

An experiment is a run that shows the mean over its seeds. Below it stand the runs of the seeds, and
below each of these its training stages. Their times are those of the training itself. What was
recorded before with the same content is left unchanged.

Runs go to ``MLFLOW_TRACKING_URI``, or to ``mlflow.db`` (SQLite) in the working directory.
``import mlflow`` takes seconds, so only the functions that record import it.
"""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.results import (
    AGREEMENT,
    CURVES,
    DESCRIPTION,
    HEADLINE,
    METRICS,
    NO_TERMS,
    Data,
    Description,
    description_text,
    is_length,
    prediction_benchmark,
    read_benchmark,
    read_curves,
    read_description,
    read_metrics,
    training_benchmark,
)
from selfpose3d.parameters import Mlflow
from selfpose3d.reporting.provenance import git_revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, LoggedModel, Run

DEFAULT_STORE = "mlflow.db"
"""SQLite file in the working directory, where no tracking server is named."""
VIEW = "headline"
"""The key of the saved view: ``.../runs?viewStateShareKey=headline`` opens it."""
VIEWS = {
    VIEW: ("Headline metrics", HEADLINE),
    "agreement": ("Agreement with the 2D people, for data without truth", AGREEMENT),
}
"""The saved views by their keys: title and metrics."""
PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a child run."""

Measures = Mapping[str, float]
"""Snakemake's measures of a job: ``seconds``, ``max_rss_mb``, ``cpu_seconds``."""
Point = tuple[str, float, int, int]
"""A metric's name, its value, its step and its time in ms."""

_BATCH_METRICS, _BATCH_PARAMS = 1000, 100
"""MLflow's limits of one ``log_batch``."""
_LONGEST_PARAM = 6000
_TRIES = 5
"""Attempts at logging what another process may log at the same time."""


@dataclass(frozen=True)
class _Span:
    """When something began and ended, in ms since 1970."""

    start: int
    end: int

    @classmethod
    def before(cls, end: float, seconds: float) -> "_Span":
        """What ended at a time (s since 1970) after so many seconds."""
        return cls(round(1000 * (end - seconds)), round(1000 * end))

    @classmethod
    def over(cls, spans: Sequence["_Span"]) -> "_Span":
        """The span from the first beginning to the last end."""
        return cls(min(span.start for span in spans), max(span.end for span in spans))


@dataclass(frozen=True)
class _Stage:
    """What a training stage left."""

    name: str
    folder: Path
    curves: pd.DataFrame
    measures: Measures

    @property
    def span(self) -> _Span:
        """Its training: it writes its curves when it ends, and they know how long it took."""
        seconds = self.curves["seconds"].max() if len(self.curves) else 0.0
        return _Span.before((self.folder / CURVES).stat().st_mtime, float(seconds))

    @cached_property
    def checkpoint(self) -> str:
        """The digest of its weights."""
        path = self.folder / "checkpoint.pt"
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error.strerror}); train again") from error


@dataclass(frozen=True)
class _Results:
    """What an experiment with one seed left."""

    folder: Path
    described: Description
    metrics: Mapping[str, Any]
    stages: Sequence[_Stage]
    prediction: Measures

    @classmethod
    def read(cls, folder: Path, benchmarks: Path) -> "_Results":
        """Read an experiment's folder and those of its stages."""
        described = read_description(folder)
        stages = [
            _Stage(
                row.stage,
                row.folder,
                read_curves(row.folder),
                _measures(benchmarks / training_benchmark(row.folder.name)),
            )
            for row in described.stages
        ]
        prediction = _measures(benchmarks / prediction_benchmark(described.id))
        return cls(folder, described, read_metrics(folder), stages, prediction)

    @property
    def predictions(self) -> Path:
        """The file of its 3D people."""
        return self.folder / "predictions.parquet"

    @property
    def span(self) -> _Span:
        """The time from the first stage's start to the end of the prediction."""
        ended = self.predictions.stat().st_mtime
        predicted = _Span.before(ended, self.prediction.get("seconds", 0.0))
        return _Span.over([predicted, *(stage.span for stage in self.stages)])

    @property
    def digest(self) -> str:
        """A digest of the experiment's description and of its results."""
        stages = [
            [stage.checkpoint, stage.curves.to_csv(index=False), stage.measures]
            for stage in self.stages
        ]
        parts = [description_text(self.described), self.metrics, stages, self.prediction]
        return _digest(parts)

    @property
    def cost(self) -> dict[str, float]:
        """What its training and its prediction took, where Snakemake measured all of it."""
        training = pd.DataFrame([stage.measures for stage in self.stages])
        known = training.dropna(axis=1)
        whole = {
            str(name): float(known[name].max() if name == "max_rss_mb" else known[name].sum())
            for name in known
        }
        return _prefixed("training", whole) | _prefixed("prediction", self.prediction)


def store_uri() -> str:
    """The address to which runs are recorded."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / DEFAULT_STORE}"


def prepare_store(mlflow: Mlflow) -> str:
    """Create or migrate the store and create the experiment; needed once, before anything records.

    The experiment's list of runs gets saved views, ``VIEWS``, with the headline metrics as columns:
    by itself MLflow's list shows no metrics.

    Returns:
        MLflow's id of the experiment.
    """
    store = _Store(mlflow)
    for key, (title, metrics) in VIEWS.items():
        view = _view(title, [recorded_name(metric) for metric in metrics])
        store.client.set_experiment_tag(store.id, f"mlflow.sharedViewState.{key}", view)
    return store.id


def _view(title: str, metrics: Sequence[str]) -> str:
    """A saved view of the list of runs with these columns, as MLflow keeps it."""
    state = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"metrics.`{metric}`" for metric in metrics],
    }
    view = {"name": title, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)}
    return json.dumps(view)


def record(
    experiment: Path,
    mlflow: Mlflow,
    benchmarks: Path,
    pictures: Mapping[str, NDArray[np.uint8]] | None = None,
) -> str:
    """Record an experiment's folder as the run of its seed, its training stages below it.

    The run above it, which shows the mean over the experiment's seeds, is made or brought up to
    date: of each seed it counts the newest run with the same parameters. A run that was
    interrupted, and an earlier one of the same folder with another content, are replaced.

    Args:
        experiment: folder with ``experiment.json``, ``metrics.json``, ``predictions.parquet``.
        mlflow: the MLflow experiment to record in.
        benchmarks: folder of Snakemake's benchmarks; what is not there was not measured.
        pictures: (H, W, 3) RGB images to show with the run, by name.

    Returns:
        the id of the seed's run.

    Raises:
        InputError: a file is missing or broken.
    """
    results = _Results.read(experiment, benchmarks)
    digest = results.digest
    store = _Store(mlflow)
    run_id = _recorded(store, results.described.id, digest)
    if run_id is None:
        run_id = _record_seed(store, results, digest, pictures or {})
    _record_mean(store, results.described)
    return run_id


def record_table(table: str, runs: Sequence[str], mlflow: Mlflow) -> None:
    """Tag the runs in a table by its name, ``tags.table_4 = 'yes'``, and no others.

    Args:
        table: its name.
        runs: the ids of its rows' runs, one per seed; the runs with their means are tagged, too.
        mlflow: the MLflow experiment that they are recorded in.

    Raises:
        InputError: a run is not in the store.
    """
    store = _Store(mlflow)
    shown = {run.info.run_id: run for run in map(store.run, runs)}
    wanted = {*shown, *(run.data.tags[PARENT] for run in shown.values())}
    tagged = {run.info.run_id for run in store.runs({table: "yes"})}
    for run_id in tagged - wanted:
        store.client.delete_tag(run_id, table)
    for run_id in wanted - tagged:
        store.client.set_tag(run_id, table, "yes")


def recorded_name(metric: str) -> str:
    """MLflow's name of a metric of ``HEADLINE`` or ``AGREEMENT``: it sorts metrics by name, and
    allows no @."""
    unit = "_mm" if is_length(metric) else ""
    place = (HEADLINE if metric in HEADLINE else AGREEMENT).index(metric)
    return f"{place + 1}_{metric.replace('@', '_')}{unit}"


def flat_params(described: Description) -> dict[str, str]:
    """The parameters as dotted keys and text, the same keys for every experiment."""
    return {"method": described.method} | dict(_flat(described.parameters))


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of ``metrics.json`` by MLflow's names, the headline first and without None."""
    first = (*HEADLINE, *AGREEMENT)
    headline = {
        recorded_name(key): float(metrics[key]) for key in first if metrics.get(key) is not None
    }
    rest = {key: value for key, value in metrics.items() if key not in first}
    return headline | dict(_numbers(rest))


class _Store:
    """One experiment of an MLflow store."""

    def __init__(self, mlflow: Mlflow) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        self.client = MlflowClient(tracking_uri=store_uri())
        self.id = _experiment_id(self.client, mlflow.experiment)

    def run(self, run_id: str) -> "Run":
        """A run by its id."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run_id)
        except MlflowException as error:
            raise InputError(
                f"MLflow's store {store_uri()} has no run {run_id}; record the experiments again: "
                "snakemake --cores all --forcerun record"
            ) from error

    def runs(self, tags: Mapping[str, str]) -> list["Run"]:
        """The runs with these tags, the newest first."""
        clause = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        found: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs([self.id], clause, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def start(self, name: str, span: _Span, tags: Mapping[str, str]) -> "Run":
        """A new run that began when ``span`` does."""
        return self.client.create_run(self.id, span.start, dict(tags), name)

    def end(self, run: "Run", span: _Span) -> None:
        """The run is whole, and ended when ``span`` does."""
        self.client.set_terminated(run.info.run_id, end_time=span.end)

    def delete(self, run: "Run") -> None:
        """Delete a run, those below it and the models they made."""
        for child in self.runs({PARENT: run.info.run_id}):
            self.delete(child)
        for made in run.outputs.model_outputs if run.outputs else ():
            self.client.delete_logged_model(made.model_id)
        self.client.delete_run(run.info.run_id)

    def params(self, run: "Run", params: Mapping[str, str]) -> None:
        """Log parameters; a second time they must be the same."""
        from mlflow.entities import Param

        rows = [Param(key, value[:_LONGEST_PARAM]) for key, value in params.items()]
        for start in range(0, len(rows), _BATCH_PARAMS):
            self.client.log_batch(run.info.run_id, params=rows[start : start + _BATCH_PARAMS])

    def metrics(
        self,
        run: "Run",
        points: Sequence[Point],
        data: Data | None = None,
        model: "LoggedModel | None" = None,
    ) -> None:
        """Log points, and say of which model and on which data they are."""
        from mlflow.entities import Metric

        of = _dataset(data) if data else None
        about = (
            model.model_id if model else None,
            of.name if of else None,
            of.digest if of else None,
        )
        rows = [
            Metric(name, value, moment, step, *about, run_id=run.info.run_id)
            for name, value, step, moment in points
        ]
        for start in range(0, len(rows), _BATCH_METRICS):
            self.client.log_batch(run.info.run_id, metrics=rows[start : start + _BATCH_METRICS])

    def data(self, run: "Run", data: Mapping[str, Sequence[Data]]) -> None:
        """Log data sets as a run's inputs, by what they are for ("train", "test").

        MLflow looks whether the store has a data set and then adds it, so that another process
        may have added it meanwhile; MLflow then takes back the whole call, and it is made again.
        """
        from mlflow.entities import DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        inputs = [
            DatasetInput(_dataset(each), [InputTag("mlflow.data.context", context)])
            for context, sets in data.items()
            for each in sets
        ]
        for tries_left in reversed(range(_TRIES)):
            try:
                return self.client.log_inputs(run.info.run_id, datasets=inputs)
            except MlflowException:
                if not tries_left:
                    raise


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


def _recorded(store: _Store, id_: str, digest: str) -> str | None:
    """The whole run of an experiment's folder with this content; its other runs are deleted."""
    kept = None
    for run in store.runs({"id": id_, "kind": "seed"}):
        whole = run.info.status == "FINISHED" and run.data.tags["digest"] == digest
        if whole and kept is None:
            kept = str(run.info.run_id)
        else:
            store.delete(run)
    return kept


def _record_seed(
    store: _Store, results: _Results, digest: str, pictures: Mapping[str, NDArray[np.uint8]]
) -> str:
    """The run of an experiment with one seed, and below it those of its stages."""
    described, span = results.described, results.span
    own = {"kind": "seed", "id": described.id, "seed": str(described.seed), "digest": digest}
    run = store.start(f"{described.name} seed={described.seed}", span, _tags(described) | own)
    store.params(run, flat_params(described))
    store.data(run, {"train": described.trained_on, "test": [described.tested_on]})
    models = [_record_stage(store, run, results, stage) for stage in results.stages]
    _use_models(store, run, models)
    of = models[-1] if models and described.method != "joined" else None
    measured = _points(flat_metrics(results.metrics), span.end)
    store.metrics(run, measured, described.tested_on, of)
    store.metrics(run, _points(results.cost, span.end))
    _keep_files(store, run, results)
    for name, image in pictures.items():
        store.client.log_image(
            run.info.run_id, image, key=re.sub(r"[^\w\-./ ]", "_", name, flags=re.ASCII)
        )
    store.end(run, span)
    return str(run.info.run_id)


def _record_stage(store: _Store, parent: "Run", results: _Results, stage: _Stage) -> "LoggedModel":
    """The run of a training stage, and the model that it made."""
    described, span = results.described, stage.span
    tags = {PARENT: parent.info.run_id, "kind": "stage", "stage": stage.name}
    run = store.start(stage.name, span, tags | {"folder": stage.folder.name})
    settings = dict(_flat(described.parameters.get("train", {}).get(stage.name, {})))
    store.params(run, settings)
    store.data(run, {"train": described.trained_on})
    model = _record_model(store, run, described, stage, settings)
    learnt_from = described.trained_on[0] if len(described.trained_on) == 1 else None
    store.metrics(run, list(_curve_points(stage)), learnt_from, model)
    store.metrics(run, _points(_prefixed("job", stage.measures), span.end))
    store.client.log_artifact(run.info.run_id, str(stage.folder / CURVES))
    store.end(run, span)
    return model


def _record_model(
    store: _Store, run: "Run", described: Description, stage: _Stage, params: Mapping[str, str]
) -> "LoggedModel":
    """A stage's checkpoint as a model: where it lies and its digest, not its bytes."""
    from mlflow.entities import LoggedModelOutput

    model = store.client.create_logged_model(
        store.id,
        name=stage.name,
        source_run_id=run.info.run_id,
        tags={
            "experiment": described.name,
            "seed": str(described.seed),
            "checkpoint": str(stage.folder / "checkpoint.pt"),
            "sha256": stage.checkpoint,
        },
        params=dict(params),
    )
    steps = int(stage.curves["iteration"].max()) if len(stage.curves) else 0
    store.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, steps)])
    return store.client.finalize_logged_model(model.model_id, "READY")


def _use_models(store: _Store, run: "Run", models: Sequence["LoggedModel"]) -> None:
    from mlflow.entities import LoggedModelInput

    if models:
        inputs = [LoggedModelInput(model.model_id) for model in models]
        store.client.log_inputs(run.info.run_id, models=inputs)


def _keep_files(store: _Store, run: "Run", results: _Results) -> None:
    run_id = run.info.run_id
    for name in (DESCRIPTION, METRICS):
        store.client.log_artifact(run_id, str(results.folder / name))
    store.client.log_artifact(run_id, str(results.predictions))
    store.client.log_dict(run_id, dict(results.described.parameters), "parameters.yaml")


def _record_mean(store: _Store, described: Description) -> None:
    """Make the run that stands above an experiment's seeds, or bring it up to date."""
    group = _group(described)
    seeds = _newest(store.runs({"group": group, "kind": "seed"}))
    span = _Span.over([_Span(run.info.start_time, run.info.end_time) for run in seeds.values()])
    tags = _tags(described) | {"kind": "mean", "seeds": ", ".join(sorted(seeds, key=int))}
    run = _mean_run(store, group, described.name, span, tags)
    params = flat_params(described)
    store.params(run, {key: value for key, value in params.items() if key != "seed"})
    store.data(run, {"train": described.trained_on, "test": [described.tested_on]})
    means = _means([each.data.metrics for each in seeds.values()], run.data.metrics)
    store.metrics(run, _points(means, round(1000 * time.time())))
    for each in seeds.values():
        store.client.set_tag(each.info.run_id, PARENT, run.info.run_id)
    store.end(run, span)


def _mean_run(store: _Store, group: str, name: str, span: _Span, tags: Mapping[str, str]) -> "Run":
    for run in store.runs({"group": group, "kind": "mean"}):
        for tag, value in tags.items():
            store.client.set_tag(run.info.run_id, tag, value)
        return run
    return store.start(name, span, tags)


def _newest(runs: Sequence["Run"]) -> dict[str, "Run"]:
    """The newest whole run of each seed."""
    whole = [run for run in runs if run.info.status == "FINISHED"]
    return {
        run.data.tags["seed"]: run for run in sorted(whole, key=lambda run: run.info.start_time)
    }


def _means(seeds: Sequence[Measures], before: Measures) -> dict[str, float]:
    """The mean of each metric over the seeds, NaN where one of them has no value; for the headline
    also the sample standard deviation, where there are several seeds.

    Args:
        seeds: the metrics of each.
        before: those that the run shows already. What has not changed is left out.
    """
    names = dict.fromkeys(name for metrics in seeds for name in metrics)
    means = {name: fmean(metrics.get(name, math.nan) for metrics in seeds) for name in names}
    if len(seeds) > 1:
        first = (*HEADLINE, *AGREEMENT)
        headline = [name for name in map(recorded_name, first) if name in names]
        means |= {f"{name}_sd": _spread([each.get(name) for each in seeds]) for name in headline}
    return {name: value for name, value in means.items() if before.get(name) != value}


def _spread(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return stdev(known) if len(known) == len(values) else math.nan


def _tags(described: Description) -> dict[str, str]:
    return {
        "group": _group(described),
        "experiment": described.name,
        "title": described.title,
        "settings": json.dumps(described.settings, sort_keys=True),
        "test_on": json.dumps(described.test_on, sort_keys=True),
        "dataset": described.tested_on.title,
        "git": git_revision(),
        "dvc": _dvc_revision(),
    }


def _group(described: Description) -> str:
    """What the seeds of an experiment have in common, as a digest."""
    told = json.loads(description_text(described))
    own = {"id", "seed", "stages", "parameters"}
    common = {key: value for key, value in told.items() if key not in own}
    parameters = {key: value for key, value in told["parameters"].items() if key != "seed"}
    return _digest([common, parameters, [stage["stage"] for stage in told["stages"]]])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _dvc_revision() -> str:
    """The MD5 of ``dvc.lock``, as DVC itself names files; "none" without one."""
    lock = Path("dvc.lock")
    if not lock.is_file():
        return "none"
    return hashlib.md5(lock.read_bytes(), usedforsecurity=False).hexdigest()


def _dataset(data: Data) -> "Dataset":
    """Sequences as MLflow names data; their folders' names hold the keys of all they depend on."""
    from mlflow.entities import Dataset

    folders = [scene.as_posix() for scene in data.scenes]
    return Dataset(
        name=data.title,
        digest=_digest(folders)[:8],
        source_type="local",
        source=json.dumps({"uri": os.path.commonpath(folders), "folders": folders}),
        profile=json.dumps({"sequences": len(folders)}),
    )


def _measures(path: Path) -> dict[str, float]:
    """What Snakemake measured of a job when it ran last; nothing of results from elsewhere."""
    if not path.exists():
        return {}
    return {str(name): float(x) for name, x in read_benchmark(path).iloc[-1].dropna().items()}


def _prefixed(prefix: str, measures: Measures) -> dict[str, float]:
    return {f"{prefix}/{name}": float(value) for name, value in measures.items()}


def _points(values: Measures, moment: int) -> list[Point]:
    return [(name, value, 0, moment) for name, value in values.items()]


def _curve_points(stage: _Stage) -> Iterator[Point]:
    """A stage's losses at the times at which it had them."""
    curves, start = stage.curves, stage.span.start
    steps = curves["iteration"].astype(int)
    moments = (start + 1000 * curves["seconds"]).round().astype(int)
    for term in (name for name in curves.columns if name not in NO_TERMS):
        for value, step, moment in zip(curves[term], steps, moments, strict=True):
            if math.isfinite(value):
                yield term, float(value), int(step), int(moment)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        name = prefix + re.sub(r"[^\w\-./: ]", "_", str(key), flags=re.ASCII)
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value)
