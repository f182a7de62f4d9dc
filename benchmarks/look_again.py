"""What looking again where the 3D says would gain: a table of docs/learning.md.

Renders sequences of a studio of its own seed, which no experiment uses, finds and reconstructs
their people, and looks at each person in each view once more, in the region that the reconstruction
says. The estimator's heatmaps are read about the places where the 3D joints are, or where they
would be by the truth (a bound, and no method), and triangulated again. What was rendered is kept.

    python benchmarks/look_again.py --out /somewhere --sequences 8 --frames 6

Letters: P people, V views, J joints, L the 33 landmarks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

import pseudo_labels as studio
from selfpose3d.detection import blazepose
from selfpose3d.detection.estimator import detect_blazepose
from selfpose3d.detection.filters import make_labels
from selfpose3d.detection.second_look import painted_over, region
from selfpose3d.evaluation.metrics import evaluate, mean_distances, one_to_one
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D, read_poses3d
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, project, ray_directions
from selfpose3d.geometry.people import MIN_JOINTS_IN_VIEW, project_people
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.parameters import Parameters, TrainingFree
from selfpose3d.reconstruction.training_free import (
    CERTAINTY,
    Association,
    associate,
    detections_by_frame,
)
from selfpose3d.skeletons import BLAZEPOSE_33, PANOPTIC_15

LANDMARK = {j: BLAZEPOSE_33.joints.index(n) for j, n in enumerate(PANOPTIC_15.joints)
            if n in BLAZEPOSE_33.joints}  # fmt: skip
"""The landmark of each joint that is one; the neck and the mid-hip are means of two."""
ROWS = (
    ("the labels'", "labels", 1),
    ("a new look's", "looks", 1),
    ("mean of both", "labels and looks", 1),
    ("heatmaps around the reconstructed joints", "reconstruction", 1),
    ("the same, four rounds", "reconstruction", 4),
    ("heatmaps around the true joints (a bound)", "truth", 1),
)
FARTHEST = 0.15
"""Median distance of a look from the projection, in body heights, up to which it is believed."""
SURE = 0.5
"""Lowest presence of a look that is believed."""


@dataclass(frozen=True)
class Look:
    """One look at a person: landmarks (L, 2) px, and the logits (64, 64, L) of their heatmaps."""

    roi: blazepose.Roi
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    presence: float
    visibility: NDArray[np.float64]
    logits: NDArray[np.float64]


class Eye(blazepose.Landmarker):
    """The landmark network that keeps its heatmaps: mean of the crop and its mirror image."""

    def look(self, image: NDArray[np.uint8], roi: blazepose.Roi) -> Look:
        crop = blazepose._crop(image, roi)
        found = [self._both(crop), self._both(np.ascontiguousarray(crop[:, ::-1]))]
        points, heights, visibility, presence, maps = zip(*found, strict=True)
        turned = np.column_stack([blazepose.CROP_SIDE - points[1][:, 0], points[1][:, 1]])
        own, other = slice(0, blazepose.N_BODY), blazepose.MIRRORED[: blazepose.N_BODY]
        merged = (points[0][own] + turned[other]) / 2
        confidence = (heights[0] * visibility[0])[own] + (heights[1] * visibility[1])[other]
        affine = roi.crop_to_image(blazepose.CROP_SIDE)
        return Look(
            roi,
            (merged - 0.5) @ affine[:, :2].T + affine[:, 2],
            confidence / 2,
            float(np.mean(presence)),
            (visibility[0][own] + visibility[1][other]) / 2,
            logit((maps[0][..., own] + maps[1][:, ::-1][..., other]) / 2),
        )

    def _both(self, crop: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
        n, side = blazepose.N_LANDMARKS, blazepose.HEATMAP_SIDE
        landmarks, presence, heatmaps = self._network(crop, n * 5, 1, side**2 * n)
        values = landmarks.reshape(n, 5).astype(np.float64)
        logits = heatmaps.reshape(side, side, n)
        points, heights = blazepose.drawn_to_heatmaps(values[:, :2], logits)
        return points, heights, expit(values[:, 3]), presence, expit(logits.astype(np.float64))


@dataclass(frozen=True)
class Frame:
    """A frame's people, the looks at them by (person, view), and the truth."""

    cameras: tuple[Camera, ...]
    found: Association
    looks: Mapping[tuple[int, int], Look]
    truth: People3D


def looked_at(eye: Eye, scene: Scene, number: int, found: Association, truth: People3D) -> Frame:
    """The look at each person in each view, people in front painted over or not, that is nearer to
    the projection."""
    looks = {}
    for v, camera in enumerate(scene.cameras):
        image, view = scene.read_image(camera.name, number), project_people(camera, found.joints)
        for p in np.flatnonzero(view.in_view.sum(1) >= MIN_JOINTS_IN_VIEW):
            nearer = np.flatnonzero(view.heights > view.heights[p])
            images = [image, painted_over(image, view.where(nearer))] if len(nearer) else [image]
            roi = region(view.pixels[p])
            closer = blazepose.Roi(roi.centre, 0.95 * roi.up)
            gaps = []
            for each in (eye.look(one, closer) for one in images):
                points, _ = as_joints(each.points, each.confidence)
                gap = np.median(np.linalg.norm(points - view.pixels[p], axis=-1))
                gaps.append((gap / view.heights[p], len(gaps), each))
            if min(gaps)[0] < FARTHEST and min(gaps)[2].presence > SURE:
                looks[int(p), v] = min(gaps)[2]
    return Frame(scene.cameras, found, looks, truth)


def as_joints(
    points: NDArray[np.float64], confidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks (L, 2) and their confidences as the labels' joints."""
    people = People2D(points[None], confidence.clip(0, 1)[None], np.ones(1), BLAZEPOSE_33)
    joints = people.converted(PANOPTIC_15)
    return joints.points[0], joints.scores[0]


def read_about(
    look: Look, places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints and confidences, the heatmaps read about joints (J, 2) px as the estimator reads them
    about its own coordinates."""
    affine = look.roi.crop_to_image(blazepose.CROP_SIDE)
    points = look.points.copy()
    points[list(LANDMARK.values())] = places[list(LANDMARK)]
    in_crop = np.linalg.solve(affine[:, :2], (points - affine[:, 2]).T).T + 0.5
    drawn, heights = blazepose.drawn_to_heatmaps(in_crop, look.logits)
    seen = np.where(heights >= blazepose.LEAST_PEAK, heights * look.visibility, 0.0)
    return as_joints((drawn - 0.5) @ affine[:, :2].T + affine[:, 2], seen)


def rays(
    frame: Frame, reading: str, joints: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (V, P, J, 3) and confidences (V, P, J): the labels', or where there is a look what
    a reading makes of it."""
    directions = frame.found.directions.swapaxes(0, 1).copy()
    confidences = frame.found.confidences.swapaxes(0, 1).copy()
    for (p, v), look in frame.looks.items():
        if reading == "labels":
            continue
        if reading == "looks":
            points, seen = as_joints(look.points, look.confidence)
        else:
            points, seen = read_about(look, project(frame.cameras[v], joints[p])[0])
        new = ray_directions(frame.cameras[v], points)
        if reading == "labels and looks":
            old, share = directions[v, p], confidences[v, p] ** 2
            mixed = old * share[:, None] + new * (seen**2 + 1e-6)[:, None]
            new = mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
            seen = (seen + confidences[v, p]) / 2
        directions[v, p], confidences[v, p] = new, seen
    return directions, confidences


def triangulated(frame: Frame, reading: str, rounds: int) -> NDArray[np.float64]:
    """(P, J, 3) mm."""
    settings, found = TrainingFree(), frame.found
    joints = found.joints
    for _ in range(rounds):
        about = true_places(frame) if reading == "truth" else joints
        directions, confidences = rays(frame, reading, about)
        joints, _, _ = intersect_rays(
            found.detections.centres,
            directions,
            confidences**CERTAINTY,
            prior=found.joints,
            prior_weight=settings.prior_weight,
            scale_mm=settings.inlier_distance,
            iterations=settings.iterations,
        )
    return joints


def true_places(frame: Frame) -> NDArray[np.float64]:
    """(P, J, 3) mm: the true joints of whoever is somebody."""
    people = People3D.predicted(frame.found.joints, frame.found.scores, PANOPTIC_15)
    own, true = one_to_one(mean_distances(people, frame.truth))
    places = frame.found.joints.copy()
    places[own] = frame.truth.joints[true]
    return places


def frames(arguments: studio.argparse.Namespace, parameters: Parameters) -> Iterator[Frame]:
    """The frames of all sequences, looked at."""
    weights = arguments.out / "weights"
    blazepose.fetch_weights(weights)
    eye = Eye(blazepose.weight_paths(weights)[blazepose.LANDMARKS])
    for scene in studio.rendered(parameters, arguments.out):
        truth = read_poses3d(studio.truth_file(arguments.out, parameters, scene.name))
        seen = detect_blazepose(scene, parameters, weights)
        labels = make_labels(seen, parameters.labels, "soft")
        for number, detections in detections_by_frame(scene, labels).items():
            found = associate(detections, parameters.training_free)
            true = truth[scene.name, number].converted(PANOPTIC_15)
            yield looked_at(eye, scene, number, found, true)


def main() -> None:
    arguments = studio.parsed(__doc__)
    made = list(frames(arguments, studio.chosen(arguments)))
    truth = {("all", n): frame.truth for n, frame in enumerate(made)}
    print("| rays | MPJPE | AP25 |\n|---|---|---|")
    for name, reading, rounds in ROWS:
        people = {
            ("all", n): People3D.predicted(
                triangulated(frame, reading, rounds), frame.found.scores, PANOPTIC_15
            )
            for n, frame in enumerate(made)
        }
        found = evaluate(people, truth)
        print(f"| {name} | {found['MPJPE']:.2f} | {found['AP25']:.1f} |")


if __name__ == "__main__":
    main()
