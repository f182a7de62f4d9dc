"""People whom one method finds, and further people whom only another method finds.

Geometry needs a person's labels in two views; a network that looks at all images at once does not,
and places joints less well. Together they find as many people as either of them.

Shapes: P people, Q others, J joints.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.files.poses3d import Frames, People3D, people_together, read_poses3d
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.skeletons import common_skeleton

SAME_PERSON_MM = 500.0
"""Two people whose joints lie nearer than this on average can be one."""


def predict(inputs: PredictionInputs) -> dict[tuple[str, int], People3D]:
    """The people of the first part, and those whom only the second finds."""
    first, second = inputs.parts
    return join_people(read_poses3d(first), read_poses3d(second))


def join_people(first: Frames, second: Frames) -> dict[tuple[str, int], People3D]:
    """The first method's people, followed by the people of the second whom the first lacks.

    A person of one method is at most one person of the other (Hungarian matching of mean
    distances).

    Args:
        first: people by (sequence, frame), kept as they are.
        second: likewise; a person who is one of the first's is left out.

    Returns:
        People by (sequence, frame) of either. The second's scores, which are of another kind, are
        lowered so that none is higher than the lowest of the first's: in the whole ranking they
        come last.
    """
    lowest = min((people.scores.min() for people in first.values() if len(people)), default=0.0)
    highest = max((people.scores.max() for people in second.values() if len(people)), default=0.0)
    skeleton = common_skeleton(
        [people.skeleton for frames in (first, second) for people in frames.values()],
        "the people of the two experiments",
    )
    nobody = People3D.nobody(skeleton)
    return {
        frame: _joined(first.get(frame, nobody), second.get(frame, nobody), lowest - highest)
        for frame in sorted({*first, *second})
    }


def _joined(first: People3D, second: People3D, shift: float) -> People3D:
    distances = np.minimum(_distances(second, first), SAME_PERSON_MM)
    matched, others = linear_sum_assignment(distances)
    elsewhere = np.ones(len(second), dtype=bool)
    elsewhere[matched[distances[matched, others] < SAME_PERSON_MM]] = False
    besides = replace(second, scores=second.scores + shift).where(elsewhere)
    together = people_together([first, besides])
    return replace(together, ids=np.arange(len(together)))


def _distances(people: People3D, others: People3D) -> NDArray[np.float64]:
    """(P, Q) mean distance of the joints that both have, mm; infinite where there is none."""
    both = people.valid[:, None] & others.valid[None]
    gaps = np.linalg.norm(people.joints[:, None] - others.joints[None], axis=-1)
    common = both.sum(-1)
    mean: NDArray[np.float64] = np.where(both, gaps, 0.0).sum(-1) / np.maximum(common, 1)
    return np.where(common > 0, mean, np.inf)
