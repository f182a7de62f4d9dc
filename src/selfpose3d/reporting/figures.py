"""Figures made from result files: overlays, data of the 3D viewer, curves, and times.

Letters: V views, P people, J joints.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfpose3d.chains import Jobs, longest_chain
from selfpose3d.files.poses3d import Frames, People3D, skeleton_of
from selfpose3d.files.results import curve_terms, read_benchmark
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, letterboxed, project
from selfpose3d.reporting.charts import line_chart

PERSON_COLOURS = ("#ff5a4f", "#2fb4ff", "#ffd23f", "#3ddc84", "#c98bff", "#ff9f43", "#2ee6d6")
"""Colours of people in overlays by their number in the frame, bright enough for photographs."""

TRUTH = "ground truth"
"""Name of the layer of the truth."""

SHOWN_SHARE = 0.5
"""Lowest score of a person who is drawn, relative to the frame's best."""
SHOWN_NOTE = (
    f"Predicted people who score less than {100 * SHOWN_SHARE:.0f} % of their frame's best are not "
    "drawn; all numbers count them."
)
"""The note that must accompany drawn predictions."""
OTHERS_SHARE = 0.01
"""Fraction of the time below which rules share one row."""
JPEG_QUALITY = 78
PICTURE_WIDTH = 960
"""Largest width of the pictures that are kept with a run, px."""
_MARGIN = 0.3
"""Largest distance outside the image, relative to its size, of a joint that is drawn."""


@dataclass(frozen=True)
class Overlay:
    """One camera's picture of one frame, with skeletons of several layers to lay over it.

    Args:
        camera: name.
        width: width of picture and skeletons, px.
        height: height of picture and skeletons, px.
        picture: data URI (JPEG).
        layers: SVG paths of the people, by the layer's name.
    """

    camera: str
    width: int
    height: int
    picture: str
    layers: Mapping[str, str]


@dataclass(frozen=True)
class OverlayFrame:
    """The overlays of all cameras of one frame."""

    sequence: str
    frame: int
    overlays: tuple[Overlay, ...]


def overlay_frame(
    scene: Scene, frame: int, layers: Mapping[str, Frames], width: int = 720
) -> OverlayFrame:
    """Skeletons of a frame over the pictures of every camera.

    Args:
        scene: whose stored frames and cameras are used.
        frame: its id.
        layers: 3D people by the layer's name (methods, ``TRUTH``).
        width: width of the pictures, px.
    """
    overlays = []
    for camera in scene.cameras:
        height = round(camera.height * width / camera.width)
        stored = scene.picture(camera, frame)
        image = cv2.resize(stored, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        small = letterboxed(camera, width, height)
        drawn = {
            name: skeleton_svg(small, frames[scene.name, frame], truth=name == TRUTH)
            for name, frames in layers.items()
            if (scene.name, frame) in frames
        }
        overlays.append(Overlay(camera.name, width, height, jpeg_uri(image), drawn))
    return OverlayFrame(scene.name, frame, tuple(overlays))


def visible_joints(camera: Camera, people: People3D) -> NDArray[np.float64]:
    """(P, J, 2) pixels of people's joints; NaN where not valid or well outside the picture."""
    pixels, _ = project(camera, people.joints)
    size = np.array([camera.width, camera.height])
    with np.errstate(invalid="ignore"):
        near = ((pixels > -_MARGIN * size) & (pixels < (1 + _MARGIN) * size)).all(axis=-1)
    return np.where((near & people.valid)[..., None], pixels, np.nan)


def skeleton_svg(camera: Camera, people: People3D, truth: bool = False) -> str:
    """The people of a frame as SVG paths in a camera's pixels, one path per person."""
    paths = []
    for index, joints in enumerate(visible_joints(camera, people)):
        strokes = [
            f"M{joints[a, 0]:.1f} {joints[a, 1]:.1f}L{joints[b, 0]:.1f} {joints[b, 1]:.1f}"
            for a, b in people.skeleton.bones
            if np.isfinite(joints[[a, b]]).all()
        ]
        colour = "" if truth else f' stroke="{PERSON_COLOURS[index % len(PERSON_COLOURS)]}"'
        if strokes:
            paths.append(f'<path d="{"".join(strokes)}"{colour}/>')
    return "".join(paths)


def confident(frames: Frames) -> dict[tuple[str, int], People3D]:
    """The people who are drawn: those who score at least half of the frame's best.

    A method exports everybody it considers, as average precision wants it; in a picture the
    doubtful ones would hide the rest.
    """
    return {key: _confident(people) for key, people in frames.items()}


def _confident(people: People3D) -> People3D:
    keep = people.scores >= SHOWN_SHARE * people.scores.max(initial=0.0)
    return people.where(keep)


def draw_people(
    image: NDArray[np.uint8], camera: Camera, people: People3D, thickness: int = 2
) -> NDArray[np.uint8]:
    """A copy of an (H, W, 3) RGB image with the people drawn into it."""
    drawn = image.copy()
    for index, joints in enumerate(visible_joints(camera, people)):
        code = PERSON_COLOURS[index % len(PERSON_COLOURS)]
        colour = tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))
        for bone in people.skeleton.bones:
            ends = joints[list(bone)]
            if np.isfinite(ends).all():
                start, end = ends.round().astype(int).tolist()
                cv2.line(drawn, start, end, colour, thickness, cv2.LINE_AA)
    return drawn


def pictures(scene: Scene, frames: Frames) -> dict[str, NDArray[np.uint8]]:
    """The people of a scene's middle frame, drawn into the picture of every camera.

    Args:
        scene: whose stored frames and cameras are used.
        frames: the people to draw.

    Returns:
        (H, W, 3) RGB images at most ``PICTURE_WIDTH`` wide, by sequence and camera; none where
        nothing was predicted for the frame.
    """
    shown = [frame for frame in middle_frames(scene, 1) if (scene.name, frame) in frames]
    return {
        f"{scene.name} {camera.name}": _small(
            draw_people(scene.picture(camera, frame), camera, frames[scene.name, frame])
        )
        for frame, camera in product(shown, scene.cameras)
    }


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if width <= PICTURE_WIDTH:
        return image
    size = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def middle_frames(scene: Scene, count: int) -> list[int]:
    """``count`` frames spread evenly over a scene, without its first and last."""
    count = min(count, len(scene.frames))
    places = (np.arange(count) + 0.5) / max(count, 1)
    return [scene.frames[int(place * len(scene.frames))] for place in places]


def jpeg_uri(image: NDArray[np.uint8]) -> str:
    """An (H, W, 3) RGB image as the data URI of a JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def viewer_data(
    scenes: Sequence[Scene], layers: Mapping[str, Frames], max_frames: int = 200
) -> dict[str, Any]:
    """The data of the 3D viewer, as JSON: cameras, and people in whole mm by frame and layer.

    Args:
        scenes: sequences to show.
        layers: 3D people by name.
        max_frames: most frames per sequence; a longer one shows evenly spread frames.
    """
    skeletons = [skeleton_of(frames, name) for name, frames in layers.items()]
    return {
        "bones": [[list(bone) for bone in skeleton.bones] for skeleton in skeletons],
        "noses": [skeleton.index("nose") for skeleton in skeletons],
        "layers": list(layers),
        "truth": TRUTH,
        "sequences": [
            {
                "name": scene.name,
                "cameras": [_camera_frustum(camera) for camera in scene.cameras],
                "frames": [
                    {
                        "frame": scene.frames[i],
                        "time": scene.times[i],
                        "people": _people((scene.name, scene.frames[i]), layers),
                    }
                    for i in _spread(len(scene.frames), max_frames)
                ],
            }
            for scene in scenes
        ],
    }


def curves_svg(curves: pd.DataFrame, points: int = 160) -> str:
    """Training curves as an SVG chart; each point is a mean over a part of the iterations."""
    bins = np.arange(len(curves)) * points // max(len(curves), points)
    means = curves.groupby(bins).mean(numeric_only=True)
    x = means["iteration"].to_numpy(dtype=float)
    series = {name: (x, means[name].to_numpy(dtype=float)) for name in curve_terms(means)}
    return line_chart(series, "iteration", "loss")


def read_benchmarks(folder: Path) -> pd.DataFrame:
    """Snakemake's benchmark files ``<rule>/<wildcards>.tsv``, one row per job.

    Returns:
        columns ``rule, job, seconds, max_rss_mb, cpu_seconds``, NaN where Snakemake measured
        nothing (jobs shorter than its sampling), and ``ended``, when the file was written (s).
    """
    jobs = [_jobs(path, path.relative_to(folder)) for path in sorted(folder.glob("**/*.tsv"))]
    columns = ["rule", "job", "seconds", "max_rss_mb", "cpu_seconds", "ended"]
    return pd.concat(jobs, ignore_index=True)[columns] if jobs else pd.DataFrame(columns=columns)


def _jobs(path: Path, inside: PurePath) -> pd.DataFrame:
    rule = inside.parts[0] if len(inside.parts) > 1 else inside.stem
    job = re.sub(r"\.tsv$", "", "/".join(inside.parts[1:]))
    return read_benchmark(path).assign(rule=rule, job=job, ended=path.stat().st_mtime)


def chain_of(jobs: pd.DataFrame, waiting: Jobs) -> pd.DataFrame:
    """The rows of ``read_benchmarks`` that are the longest chain of jobs waiting for one another,
    the first one first; a job that was not measured, or is not waited for, is in none."""
    named = jobs.set_index(jobs["rule"] + "/" + jobs["job"])
    seconds = dict(zip(named.index, named["seconds"].fillna(0.0), strict=True))
    chain = longest_chain(waiting, seconds)
    return named.loc[[job for job in chain if job in named.index]].reset_index(drop=True)


def time_by_rule(jobs: pd.DataFrame) -> pd.DataFrame:
    """``rule, jobs, seconds`` (sum), ``longest`` (s), ``max_rss_mb``, ``cores`` (mean in use).

    Sorted by seconds, most first; rules that took less than ``OTHERS_SHARE`` of the sum are
    together the last, "others".
    """
    short = jobs.groupby("rule")["seconds"].transform("sum") < OTHERS_SHARE * jobs["seconds"].sum()
    groups = jobs.groupby(jobs["rule"].mask(short, "others"))
    table = pd.DataFrame(
        {
            "jobs": groups.size(),
            "seconds": groups["seconds"].sum(),
            "longest": groups["seconds"].max(),
            "max_rss_mb": groups["max_rss_mb"].max(),
            "cores": groups["cpu_seconds"].sum(min_count=1) / groups["seconds"].sum(),
        }
    )
    last = table.index == "others"
    order = np.lexsort((-table["seconds"], last))
    return table.iloc[order].reset_index()


def _spread(length: int, most: int) -> NDArray[np.int64]:
    if length <= most:
        return np.arange(length)
    return np.linspace(0, length - 1, most).round().astype(np.int64)


def _people(key: tuple[str, int], layers: Mapping[str, Frames]) -> list[list[Any]]:
    return [
        [_joints(people, index) for index in range(len(people))] if people else []
        for people in (frames.get(key) for frames in layers.values())
    ]


def _joints(people: People3D, index: int) -> list[list[int] | None]:
    joints, valid = people.joints[index].round().astype(int), people.valid[index]
    return [joints[j].tolist() if valid[j] else None for j in range(len(joints))]


def _camera_frustum(camera: Camera, depth: float = 350.0) -> dict[str, Any]:
    """Name, centre and the four corners of the picture ``depth`` mm in front of it, in whole mm."""
    width, height = camera.width, camera.height
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=float)
    rays = corners @ np.linalg.inv(camera.K).T * depth
    world = (rays - camera.t) @ camera.R
    return {
        "name": camera.name,
        "centre": camera.centre.round().astype(int).tolist(),
        "corners": world.round().astype(int).tolist(),
    }
