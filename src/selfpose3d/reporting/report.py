"""The report: one HTML file that contains all it shows and opens offline."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from selfpose3d.chains import Jobs
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_text
from selfpose3d.files.poses3d import Frames, read_all_poses3d, read_poses3d
from selfpose3d.files.results import METRICS, read_curves, read_description, read_metrics
from selfpose3d.files.scenes import Scene, read_image, read_scene
from selfpose3d.reporting.charts import PALETTE, bar_chart
from selfpose3d.reporting.facts import agreement_tables, label_tables, reprojection_tables
from selfpose3d.reporting.figures import (
    SHOWN_NOTE,
    TRUTH,
    OverlayFrame,
    chain_of,
    confident,
    curves_svg,
    jpeg_uri,
    middle_frames,
    overlay_frame,
    read_benchmarks,
    time_by_rule,
    viewer_data,
)
from selfpose3d.reporting.provenance import git_revision, machine
from selfpose3d.reporting.tables import (
    PUBLISHED_NOTE,
    best_cells,
    cell,
    header,
    is_published,
    metric_columns,
    read_table,
    seeds_note,
    text_of,
)

OVERLAY_SCENES = 3
"""Most held-out sequences that are shown as overlays."""

Layers = dict[str, Frames]
"""3D people by the layer's name: an experiment's title, or ``TRUTH``."""


@dataclass(frozen=True)
class Footage:
    """Real footage run through the pipeline beside the data.

    Args:
        scene: folder of the scene.
        predictions: file of the 3D people.
        method: method that made the people.
        reprojection: JSON of ``reprojection_report``.
        note: what must be said wherever the footage is shown.
    """

    scene: Path
    predictions: Path
    method: str = "Training-free"
    reprojection: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class ReportInputs:
    """The result files that the report shows; sections without files are left out.

    Args:
        title: heading of the report.
        dataset: name of the data set for readers.
        tables: CSV files of ``write_table`` by title.
        experiments: experiment folders. Of several seeds of an experiment, the first is drawn.
        stages: folders of training stages, for their curves.
        scenes: held-out scene folders, for overlays and the 3D view.
        truth: 3D truth of these scenes, shown beside the predictions.
        footage: real footage.
        label_quality: JSON files of label or heatmap quality by title.
        rigs: folders of the checks of rigs, one per sequence and named like it, with ``rig.json``
            and ``rig.png``.
        benchmarks: folder of Snakemake's benchmarks, ``<rule>/<wildcards>.tsv``.
        jobs: ``<rule>/<wildcards>`` of all jobs, and which they wait for.
        settings: the parameters that differ from params.yaml, by dotted name.
    """

    title: str
    dataset: str
    tables: Mapping[str, Path] = field(default_factory=dict)
    experiments: Sequence[Path] = ()
    stages: Sequence[Path] = ()
    scenes: Sequence[Path] = ()
    truth: Sequence[Path] = ()
    footage: Footage | None = None
    label_quality: Mapping[str, Path] = field(default_factory=dict)
    rigs: Sequence[Path] = ()
    benchmarks: Path | None = None
    jobs: Jobs = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_report(inputs: ReportInputs, out: Path) -> None:
    """Write the report as one HTML file, whole or not at all.

    Raises:
        InputError: a named file is missing or not of its kind.
    """
    write_text(out, render_report(inputs))


def render_report(inputs: ReportInputs) -> str:
    """The report's HTML."""
    layers = read_layers(inputs.experiments, inputs.truth)
    scenes = [read_scene(folder) for folder in inputs.scenes]
    footage = _footage(inputs.footage) if inputs.footage else None
    viewer_scenes, viewer_layers = scenes, layers
    if footage:
        viewer_scenes = [*scenes, footage["scene"]]
        viewer_layers = _join(layers, footage["layers"])
    environment = _environment()
    return environment.get_template("report.html.j2").render(
        title=inputs.title,
        dataset=inputs.dataset,
        settings={name: json.dumps(value) for name, value in inputs.settings.items()},
        frames_title="Held-out frames" if inputs.stages else "Frames",
        machine=machine(),
        revision=git_revision(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tables=[_table(title, path) for title, path in inputs.tables.items()],
        rigs=[_rig(folder) for folder in inputs.rigs],
        agreement=list(_agreement(inputs.experiments)),
        published_note=PUBLISHED_NOTE,
        methods=[name for name in layers if name != TRUTH],
        truth=TRUTH if TRUTH in layers else None,
        overlays=held_out_overlays(scenes, layers),
        footage=footage,
        viewer=_json(viewer_data(viewer_scenes, viewer_layers)) if viewer_layers else None,
        held_out=len(scenes),
        shown_note=SHOWN_NOTE,
        label_quality=label_tables(
            {title: read_json(path) for title, path in inputs.label_quality.items()}
        ),
        curves=[
            (title, Markup(curves_svg(read_curves(stage))))
            for title, stage in zip(
                stage_titles(inputs.stages, inputs.experiments), inputs.stages, strict=True
            )
        ],
        time=_time(inputs.benchmarks, inputs.jobs) if inputs.benchmarks else None,
        palette=PALETTE,
    )


def read_layers(experiments: Iterable[Path], truth: Iterable[Path]) -> Layers:
    """The truth (first, where there is any) and each experiment's predictions, by title."""
    layers: Layers = {}
    merged = read_all_poses3d(truth)
    if merged:
        layers[TRUTH] = merged
    for folder in experiments:
        title = read_description(folder).title
        if title not in layers:
            layers[title] = confident(read_poses3d(folder / "predictions.parquet"))
    return layers


def held_out_overlays(scenes: Sequence[Scene], layers: Layers) -> list[OverlayFrame]:
    """The middle frame of the first few scenes, in every camera."""
    return [
        overlay_frame(scene, frame, layers)
        for scene in scenes[:OVERLAY_SCENES]
        for frame in middle_frames(scene, 1)
    ]


def stage_titles(stages: Sequence[Path], experiments: Sequence[Path]) -> list[str]:
    """The titles of stages: a stage's name, the experiments that use it, and their seeds where they
    have several.

    A stage that none of them uses keeps its folder's name.
    """
    described = [read_description(folder) for folder in experiments]
    several = len({each.seed for each in described if each.stages}) > 1
    titles = []
    for folder in stages:
        users = [
            (each, stage.stage)
            for each in described
            for stage in each.stages
            if stage.folder.name == folder.name
        ]
        seeds = ", ".join(dict.fromkeys(str(each.seed) for each, _ in users))
        names = "; ".join(dict.fromkeys(each.title for each, _ in users))
        seed = f" (seed {seeds})" if several else ""
        titles.append(f"{users[0][1]}: {names}{seed}" if users else folder.name)
    return titles


def _environment() -> jinja2.Environment:
    folder = Path(__file__).parent / "templates"
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _json(value: Any) -> Markup:
    """JSON that may stand inside a ``<script>`` element."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))


def _table(title: str, path: Path) -> dict[str, Any]:
    table = read_table(path)
    columns, best = metric_columns(table), best_cells(table)
    rows = [
        {
            **{name: text_of(table, index, name) for name in ("method", "source", "seeds")},
            "cells": [(cell(table, index, name), (index, name) in best) for name in columns],
        }
        for index in range(len(table))
    ]
    published = is_published(table)
    return {
        "title": title,
        "note": seeds_note(table),
        "columns": [header(column) for column in columns],
        "ours": [row for row, other in zip(rows, published, strict=True) if not other],
        "published": [row for row, other in zip(rows, published, strict=True) if other],
    }


def _rig(folder: Path) -> dict[str, Any]:
    """What the check of a sequence's rig found, and its drawing."""
    found = read_json(folder / "rig.json")
    count = len(found["findings"])
    bad = 1 + count if count else 0  # the first sentence says that there are faults
    return {
        "sequence": folder.name,
        "faults": found["sentences"][:bad],
        "sentences": found["sentences"][bad:],
        "picture": jpeg_uri(read_image(folder / "rig.png")),
    }


def _agreement(experiments: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """How well the people of each experiment without truth agree with the 2D people; of several
    seeds, the first's."""
    shown: dict[str, dict[str, Any]] = {}
    for folder in experiments:
        metrics = read_metrics(folder) if (folder / METRICS).exists() else {}
        if "cameras" in metrics:
            shown.setdefault(read_description(folder).title, metrics)
    for title, metrics in shown.items():
        yield {"title": title, "warnings": metrics["warnings"], "facts": agreement_tables(metrics)}


def _footage(footage: Footage) -> dict[str, Any]:
    scene = read_scene(footage.scene)
    frames = confident(read_poses3d(footage.predictions))
    if not any(sequence == scene.name for sequence, _ in frames):
        raise InputError(
            f"{footage.predictions}: holds no frame of the sequence {scene.name}; "
            f"give the predictions of {footage.scene}"
        )
    layers = {footage.method: frames}
    facts = read_json(footage.reprojection) if footage.reprojection else {}
    return {
        "scene": scene,
        "layers": layers,
        "method": footage.method,
        "size": f"{scene.views[0].width}x{scene.views[0].height}",
        "note": footage.note,
        "overlays": [overlay_frame(scene, frame, layers) for frame in middle_frames(scene, 2)],
        "facts": reprojection_tables(facts) if facts else [],
        "warnings": facts.get("warnings", ()),
    }


def _join(layers: Layers, more: Layers) -> Layers:
    return {
        name: {**layers.get(name, {}), **more.get(name, {})}
        for name in dict.fromkeys([*layers, *more])
    }


def _time(benchmarks: Path, waiting: Jobs) -> dict[str, Any] | None:
    jobs = read_benchmarks(benchmarks)
    if jobs.empty:
        return None
    rules: list[dict[str, Any]] = _records(time_by_rule(jobs))
    bars = [
        (row["rule"], row["seconds"], f"{_clock(row['seconds'])}, {_memory(row['max_rss_mb'])}")
        for row in rules
    ]
    return {
        "total": _clock(float(jobs["seconds"].sum())),
        "wall": _clock(float(jobs["ended"].max() - (jobs["ended"] - jobs["seconds"]).min())),
        "rules_count": jobs["rule"].nunique(),
        "memory": _memory(float(jobs["max_rss_mb"].max())),
        "jobs_count": len(jobs),
        "chart": Markup(bar_chart(bars)),
        "rules": [_rule_cells(row) for row in rules],
        "chain": _chain(chain_of(jobs, waiting)),
        "jobs": [
            [job["rule"], job["job"], f"{job['seconds']:.1f}", _memory(job["max_rss_mb"])]
            for job in _records(jobs.sort_values("seconds", ascending=False))
        ],
    }


def _chain(chain: pd.DataFrame) -> dict[str, Any]:
    """The longest chain: its time and processor time, and its jobs with theirs."""
    steps = [
        [job["rule"], job["job"], f"{job['seconds']:.1f}", _seconds(job["cpu_seconds"])]
        for job in _records(chain)
    ]
    return {
        "seconds": _clock(float(chain["seconds"].sum())),
        "cpu_seconds": _clock(float(chain["cpu_seconds"].sum())),
        "steps": steps,
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _rule_cells(row: Mapping[str, Any]) -> list[str]:
    times = [f"{row['seconds']:.1f}", f"{row['longest']:.1f}", _memory(row["max_rss_mb"])]
    cores = "–" if pd.isna(row["cores"]) else f"{row['cores']:.1f}"
    return [row["rule"], str(row["jobs"]), *times, cores]


def _seconds(seconds: float) -> str:
    return "–" if pd.isna(seconds) else f"{seconds:.1f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def _memory(megabytes: float) -> str:
    if pd.isna(megabytes):
        return "–"
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"
