"""Recall, AP and errors of upper bodies, as published for MVOR.

Seven joints count: neck, shoulders, elbows and wrists; the hips are defined otherwise by annotators
than by any estimator. People of the truth are matched one to one with predictions nearer than
500 mm on average (Srivastav et al., MVOR, 2018, and MV3DReg).
"""

import numpy as np
from numpy.typing import NDArray

from selfpose3d.evaluation.metrics import Metrics, Seen, evaluate, mean_distances, one_to_one
from selfpose3d.files.poses3d import Frames, People3D, converted_frames
from selfpose3d.skeletons import MVOR_10, Skeleton

SEVEN = Skeleton(tuple(j for j in MVOR_10.joints if j not in ("head", "left_hip", "right_hip")))
"""The joints that count."""
LEVELS = ("AP50", "AP100", "AP150")


def upper_bodies(predictions: Frames, truth: Frames, seen: Seen | None = None) -> Metrics:
    """Recall, AP and mean error of upper bodies.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, of the ground truth.
        seen: by how many views each person of the truth is seen, if that is known.

    Returns:
        ``Recall@500`` and ``AP50`` to ``AP150`` in percent, ``MPJPE`` in mm, None where nobody is
        matched. ``per_views``: ``Recall@500``, ``MPJPE`` and ``people`` by the number of views.
    """
    own, true = (converted_frames(each, SEVEN, partly=True) for each in (predictions, truth))
    precision = evaluate(own, true)
    nobody = People3D.nobody(SEVEN)
    errors = [_errors(own.get(key, nobody), true[key]) for key in sorted(true)]
    views = [seen[key][there(true[key])] for key in sorted(true)] if seen is not None else []
    of_bodies = np.concatenate(errors)
    whole = {
        "Recall@500": _summary(of_bodies)["Recall@500"],
        **{level: precision[level] for level in LEVELS},
        "MPJPE": _summary(of_bodies)["MPJPE"],
    }
    if seen is None:
        return whole
    counts = np.concatenate(views)
    return {
        **whole,
        "per_views": {str(n): _summary(of_bodies[counts == n]) for n in np.unique(counts)},
    }


def there(people: People3D) -> NDArray[np.bool_]:
    """(P,) who of the truth has any of the joints."""
    return np.asarray(people.valid.any(-1))


def _errors(predicted: People3D, true: People3D) -> NDArray[np.float64]:
    """(T,) mean errors of the people of the truth, mm; NaN where nobody is matched."""
    distances = mean_distances(predicted, true.where(there(true)))
    errors = np.full(distances.shape[1], np.nan)
    first, second = one_to_one(distances)
    errors[second] = distances[first, second]
    return errors


def _summary(errors: NDArray[np.float64]) -> Metrics:
    found = errors[np.isfinite(errors)]
    return {
        "Recall@500": 100 * len(found) / len(errors),
        "MPJPE": float(found.mean()) if len(found) else None,
        "people": len(errors),
    }
