"""The check of a rig before its data are used: what is wrong is told, and nothing is stopped.

Faults do not stop a run, as 3D people come out of most rigs, and only their user knows whether they
will do. Where nobody can come out, the reconstruction refuses the data, after what is told here.
"""

from collections.abc import Mapping, Sequence

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views
from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.examination import Examination, examine, unexamined
from selfpose3d.rig.sentences import Space, sentences


def check(
    cameras: Sequence[Camera],
    views: Views,
    times: Mapping[int, float],
    space: Space | None = None,
) -> tuple[Examination, list[str]]:
    """The check of a rig by its 2D people, and the same in sentences.

    Args:
        cameras: of the rig.
        views: people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.
        space: in which people are looked for, where that is known.

    Returns:
        what was found, or that nothing can be told, with the reason.
    """
    try:
        found = examine(cameras, views, times)
    except InputError as error:
        found = unexamined(cameras, str(error))
    return found, sentences(found, space)
