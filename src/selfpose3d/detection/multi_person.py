"""Many people with BlazePose: its detector on overlapping tiles, landmarks in two passes.

BlazePose's detector was made for one large person. On tiles of the image the people are larger;
the same person is then found several times, and duplicates are suppressed twice: candidates
before the landmark passes, to save them, and people after.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.blazepose import (
    DETECTOR,
    LANDMARKS,
    Body,
    Detector,
    Landmarker,
    Roi,
    weight_paths,
)
from selfpose3d.files.poses2d import People2D
from selfpose3d.geometry.cameras import in_frame
from selfpose3d.parameters import BlazePose
from selfpose3d.skeletons import BLAZEPOSE_33, COCO_17

LIMBS_AND_TRUNK = list(range(5, len(COCO_17)))
TRUNK = [5, 6, 11, 12]
MIN_RADIUS_PX = 6.0
"""Radius below which a candidate is too small for a pose, px."""


class MultiPersonBlazePose:
    """The people in an image.

    Args:
        parameters: tiles, thresholds, suppression.
        weights: folder of the two weight files.
    """

    def __init__(self, parameters: BlazePose, weights: Path) -> None:
        paths = weight_paths(weights)
        self._parameters = parameters
        self._detect = Detector(paths[DETECTOR])
        self._landmarks = Landmarker(paths[LANDMARKS])

    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """BlazePose-33 people in an (H, W, 3) RGB image."""
        candidates = distinct_rois(*self._candidates(image), self._parameters.candidate_distance)
        firsts = [self._landmarks(image, roi) for roi in candidates[: self._parameters.max_people]]
        firsts = self._distinct_present(firsts)
        mirrored = self._parameters.mirrored
        seconds = [self._landmarks(image, body.next_roi(), mirrored) for body in firsts]
        return as_people(self._distinct_present(seconds), image.shape)

    def look_again(self, image: NDArray[np.uint8], roi: Roi) -> list[Body]:
        """The person in a given region, as found by up to two landmark passes; none if absent."""
        bodies: list[Body] = []
        for mirrored in (False, self._parameters.mirrored):
            body = self._landmarks(image, roi, mirrored)
            if not self._present(body):
                break
            bodies.append(body)
            roi = body.next_roi()
        return bodies

    def _candidates(self, image: NDArray[np.uint8]) -> tuple[list[Roi], NDArray[np.float64]]:
        rois: list[Roi] = []
        scores: list[NDArray[np.float64]] = []
        height, width = image.shape[:2]
        for x, y, w, h in tiles(width, height, self._parameters.tiles, self._parameters.overlap):
            tile = np.ascontiguousarray(image[y : y + h, x : x + w])
            found, found_scores = self._detect(tile, self._parameters.detector_score)
            rois += [Roi(roi.centre + np.array([x, y]), roi.up) for roi in found]
            scores.append(found_scores)
        return rois, np.concatenate(scores)

    def _distinct_present(self, bodies: Sequence[Body]) -> list[Body]:
        present = [body for body in bodies if self._present(body)]
        return distinct_bodies(present, self._parameters.duplicate_distance)

    def _present(self, body: Body) -> bool:
        return (
            body.presence >= self._parameters.presence and body.next_roi().radius >= MIN_RADIUS_PX
        )


def tiles(
    width: int, height: int, shares: Sequence[float], overlap: float
) -> list[tuple[int, int, int, int]]:
    """Overlapping tiles (x, y, width, height) of an image, px.

    Args:
        width: width of the image, px.
        height: height of the image, px.
        shares: sides of square tiles over the image's longer side, no longer than the shorter
            side; 1 stands for the whole image.
        overlap: least share that neighbouring tiles have in common.
    """
    found = []
    for share in shares:
        if share == 1:
            found.append((0, 0, width, height))
            continue
        side = max(1, min(round(max(width, height) * share), width, height))
        xs, ys = (_starts(length, side, overlap) for length in (width, height))
        found += [(x, y, side, side) for y in ys for x in xs]
    return found


def _starts(length: int, side: int, overlap: float) -> list[int]:
    step = max(1.0, side * (1 - overlap))
    count = int(np.ceil((length - side) / step)) + 1
    return [int(start) for start in np.linspace(0, length - side, count)]


def distinct_rois(rois: Sequence[Roi], scores: NDArray[np.float64], distance: float) -> list[Roi]:
    """Candidates without duplicates, best first.

    Two candidates are one person when both their key points are nearer than ``distance`` times
    the smaller one's radius; people behind each other differ in size and pass.
    """
    kept: list[Roi] = []
    for index in np.argsort(-scores, kind="stable"):
        roi = rois[index]
        if roi.radius >= MIN_RADIUS_PX and not any(_same_roi(roi, k, distance) for k in kept):
            kept.append(roi)
    return kept


def _same_roi(a: Roi, b: Roi, distance: float) -> bool:
    reach = distance * min(a.radius, b.radius)
    rims = np.hypot(*(a.centre + a.up - b.centre - b.up))
    return bool(np.hypot(*(a.centre - b.centre)) < reach and rims < 2 * reach)


def distinct_bodies(bodies: Sequence[Body], distance: float) -> list[Body]:
    """People without duplicates (see ``same_body``), best first."""
    kept: list[Body] = []
    for body in sorted(bodies, key=clearness, reverse=True):
        if not any(same_body(body, k, distance) for k in kept):
            kept.append(body)
    return kept


def same_body(a: Body, b: Body, distance: float) -> bool:
    """Whether two bodies are the same person.

    They are when the median distance of their joints from shoulders to ankles, or the mean
    distance of their shoulders and hips, is less than ``distance`` times the smaller one's extent
    (the longer side of the box around its joints).
    """
    points_a, points_b = a.coco()[0], b.coco()[0]
    gaps = np.hypot(*(points_a - points_b).T)
    extent = min(float(np.ptp(points, axis=0).max()) for points in (points_a, points_b))
    nearest = min(float(np.median(gaps[LIMBS_AND_TRUNK])), float(gaps[TRUNK].mean()))
    return nearest < distance * extent


def clearness(body: Body) -> float:
    """The quality by which the better of two duplicates is kept: presence times mean confidence."""
    return body.presence * float(body.coco()[1][LIMBS_AND_TRUNK].mean())


def as_people(bodies: Sequence[Body], shape: tuple[int, ...]) -> People2D:
    """People in BlazePose-33.

    A joint's score is its confidence, 0 outside an image of ``shape`` (H, W, ...); a person's
    score is its presence. Both tell right from wrong (docs/pseudo_labels.md).
    """
    if not bodies:
        return People2D.nobody(BLAZEPOSE_33)
    found = zip(*(body.landmarks() for body in bodies), strict=True)
    points, scores = (np.stack(values) for values in found)
    presence = np.array([body.presence for body in bodies])
    inside = in_frame(points, width=shape[1], height=shape[0])
    return People2D(points, scores * inside, presence, BLAZEPOSE_33)


def joined(people: People2D, more: People2D) -> People2D:
    """The people of both."""
    return People2D(
        np.concatenate([people.points, more.points]),
        np.concatenate([people.scores, more.scores]),
        np.concatenate([people.person_scores, more.person_scores]),
        people.skeleton,
    )
