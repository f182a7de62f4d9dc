"""People whom one method finds, and those whom another one finds besides.

Geometry needs a person's labels in two views; a network that looks at all images at once does not,
and places joints less well. Together they miss nobody whom one of them finds.
"""

import numpy as np

from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.skeletons import N_JOINTS

SAME_PERSON_MM = 500.0
"""Two people whose joints lie nearer than this on average are one."""


def join_people(first: Frames, second: Frames) -> dict[tuple[str, int], People3D]:
    """The first method's people, and after them those of the second's who stand elsewhere.

    Args:
        first: people by (sequence, frame), kept as they are.
        second: likewise; a person nearer than ``SAME_PERSON_MM`` to one of the first's is left out.

    Returns:
        People by (sequence, frame) of either. The second's scores, which are of another kind, are
        scaled so that the highest is the lowest of the first's: in the whole ranking they come
        last.
    """
    lowest = min((people.scores.min() for people in first.values() if len(people)), default=1.0)
    highest = max((people.scores.max() for people in second.values() if len(people)), default=1.0)
    factor = lowest / highest if highest > 0 else 1.0
    nobody = People3D.predicted(np.zeros((0, N_JOINTS, 3)), np.zeros(0))
    return {
        frame: _joined(first.get(frame, nobody), second.get(frame, nobody), factor)
        for frame in sorted({*first, *second})
    }


def _joined(first: People3D, second: People3D, factor: float) -> People3D:
    gaps = np.linalg.norm(second.joints[:, None] - first.joints[None], axis=-1).mean(-1)
    elsewhere = (gaps >= SAME_PERSON_MM).all(1)
    return People3D.predicted(
        np.concatenate([first.joints, second.joints[elsewhere]]),
        np.concatenate([first.scores, second.scores[elsewhere] * factor]),
    )
