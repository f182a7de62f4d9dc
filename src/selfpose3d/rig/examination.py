"""The examination of a rig: what is wrong with it, by the 2D people that its cameras see.

Letters: V views, K knots, N points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views, skeleton_of
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import STATURE_MM
from selfpose3d.rig.bundle import TIME, Adjusted, Sightings, adjust, gather, moved_px
from selfpose3d.rig.findings import Finding
from selfpose3d.rig.matching import Group, match
from selfpose3d.rig.search import CONTINUOUS, Fault, Searched, search
from selfpose3d.rig.tracks import Tracks, follow, knots, sample
from selfpose3d.rig.views import View, focal, of_camera
from selfpose3d.rig.world import World, unknown_world, world_of

MOST_FRAMES = 1500
"""Frames that are looked at; a longer take is looked at in pieces."""
PIECES = 30
EXPLAINED = 0.06
"""Largest median distance of a 2D person from the projected 3D person, in body heights."""
LEAST_MOVE = 0.007
"""Least median shift of the image at the people that is told, in body heights."""
TALLEST, SHORTEST = 2050.0, 1350.0
"""Median statures, mm, beyond which units are doubted."""
LEAST_TILT = 12.0
"""Angle between the people's up and z that is told, degrees."""
LEAST_UPRIGHT = 0.8
"""Length of the mean of people's up vectors below which they tell nothing of gravity."""
LEAST_FACING = 0.35
"""Share of people who look forwards, below which left is right."""
FEW_EXPLAINED = 0.4
"""Share of the 2D people whom two cameras explain in the end, below which they do not agree."""
FEWEST_EXPLAINED = 0.15
"""Share of the 2D people whom three cameras explain, below which the cameras do not agree. It is
low, as people may be hidden from most cameras."""
OF_THE_PEOPLE = ("mirrored image", "image upside down", "sides exchanged")
"""Faults of the images or the 2D people, which leave the camera where it is."""
_NOISE = 0.01
_ROUNDS = 3
_MANY_STEPS, _LITTLE = 30, 1e-6


@dataclass(frozen=True)
class CameraFigures:
    """Figures of one camera: how well its 2D people fit the 3D people, as calibrated.

    Args:
        explained: share of the 2D people whom a 3D person explains who is seen by three cameras;
            by two, if no more than three see anybody.
        people: number of 2D people at the knots.
        px: median distance of their joints from the projections, px; NaN without any.
        mm: the same at the people's distance, mm if the world is in mm.
    """

    explained: float
    people: int
    px: float
    mm: float


@dataclass(frozen=True)
class Examination:
    """The result of an examination.

    Args:
        findings: faults, the whole rig's first; none if the rig is sound.
        figures: by the cameras' names, as calibrated.
        world: by the people, with the faults of cameras undone.
        cameras: as calibrated.
        corrected: the cameras with the faults undone that a calibration can hold; of a camera that
            was bumped, its longer part.
        offsets: by the cameras' names, how many frames later they show what the others show.
        people: (B, J, 3) joints of some of the people, for pictures, with the faults undone.
        explained: share of all 2D people, as calibrated.
        explained_after: the same with the faults undone.
    """

    findings: tuple[Finding, ...]
    figures: Mapping[str, CameraFigures]
    world: World
    cameras: tuple[Camera, ...]
    corrected: tuple[Camera, ...]
    offsets: Mapping[str, float]
    points: NDArray[np.float64]
    explained: float
    explained_after: float


@dataclass(frozen=True)
class Take:
    """A rig with the 2D people that it saw, followed over time.

    Args:
        cameras: as calibrated.
        tracks: of each camera.
        frames: ids of the frames that are looked at.
        times: of these frames, s.
        knots: (K,) times at which the cameras are compared, s.
    """

    cameras: tuple[Camera, ...]
    tracks: tuple[Tracks, ...]
    frames: tuple[int, ...]
    times: NDArray[np.float64]
    knots: NDArray[np.float64]

    @property
    def step(self) -> float:
        """Time from frame to frame, s."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0

    def views(self, cameras: Sequence[Camera] | None = None) -> tuple[View, ...]:
        """One view of each camera, as calibrated or with other calibrations."""
        return tuple(
            View(i, camera, tracks, sample(tracks, self.knots), 0.0, 0, len(self.knots))
            for i, (camera, tracks) in enumerate(
                zip(cameras or self.cameras, self.tracks, strict=True)
            )
        )

    def frame_at(self, knot: int) -> int:
        """The id of the frame at a knot."""
        return self.frames[int(np.abs(self.times - self.knots[knot]).argmin())]


def take_of(cameras: Sequence[Camera], views: Views, times: Mapping[int, float]) -> Take:
    """Follow the 2D people of a rig.

    Args:
        cameras: two or more.
        views: people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.

    Raises:
        InputError: joints without shoulders or hips, no frames, people of fewer than two cameras
            of the rig.
    """
    names = [camera.name for camera in cameras]
    seeing = sorted(name for name in names if _shows_people(views, name))
    if not times or len(seeing) < 2:
        raise InputError(
            f"there are 2D people of {len(seeing)} of the cameras {names} in {len(times)} frames, "
            "and two must see somebody; are the people's cameras named as the calibration's, and "
            "their frames counted alike?"
        )
    chosen = _chosen_frames(times)
    moments = np.array(list(chosen.values()))
    joints = skeleton_of(views, "the 2D people").joints
    tracks = tuple(follow(views, camera.name, joints, chosen) for camera in cameras)
    return Take(tuple(cameras), tracks, tuple(chosen), moments, knots(moments))


def _shows_people(views: Views, camera: str) -> bool:
    return any(name == camera and len(people) for (_, name), people in views.items())


def _chosen_frames(times: Mapping[int, float]) -> dict[int, float]:
    """All frames, or of a long take pieces that are spread evenly."""
    frames = sorted(times)
    if len(frames) > MOST_FRAMES:
        starts = np.linspace(0, len(frames) - MOST_FRAMES // PIECES, PIECES).astype(int)
        frames = [f for start in starts for f in frames[start : start + MOST_FRAMES // PIECES]]
    return {frame: times[frame] for frame in frames}


def examine(cameras: Sequence[Camera], views: Views, times: Mapping[int, float]) -> Examination:
    """Find what is wrong with a rig, by the 2D people that it sees.

    Args:
        cameras: two or more; with two it can only be told that they disagree.
        views: people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.

    Raises:
        InputError: see ``take_of``.
    """
    take = take_of(cameras, views, times)
    given = take.views()
    groups = match(given, len(take.knots))
    seeing = sum(bool(len(tracks.points)) for tracks in take.tracks)
    wanted = max(2, min(3, seeing - 1))
    figures, explained = _figures(take, given, groups, wanted)
    found = search(given, take.knots)
    full = gather(found.views, found.groups)
    fitted = adjust(found.views, full, {}, found.noise)
    world = world_of(fitted.points, full, take.tracks[0].joints)
    groups = match(found.views, len(take.knots))
    _, after = _figures(take, found.views, groups, wanted)
    _, agreed = _figures(take, found.views, groups, 2)
    small = [_finding(take, given, found, fitted, full, fault) for fault in found.faults]
    told = [one for one in small if one is not None]
    return Examination(
        findings=_all_findings(world, told, agreed, after, take),
        figures=figures,
        world=world,
        cameras=take.cameras,
        corrected=tuple(_longest(found.views, i).camera for i in range(len(take.cameras))),
        offsets=time_offsets(take, found),
        points=fitted.points,
        explained=explained,
        explained_after=after,
    )


def unexamined(cameras: Sequence[Camera], why: str) -> Examination:
    """The result for a rig whose people tell nothing."""
    return Examination(
        findings=(Finding("not examined", (), what=why),),
        figures={},
        world=unknown_world(),
        cameras=tuple(cameras),
        corrected=tuple(cameras),
        offsets={},
        points=np.zeros((0, 3)),
        explained=float("nan"),
        explained_after=float("nan"),
    )


def time_offsets(take: Take, found: Searched) -> dict[str, float]:
    """Time offsets by camera: the number of frames by which a camera shows the same later than the
    middle one.

    Offsets of all cameras are fitted together, from those that the search has found.
    """
    views = found.views
    for _ in range(_ROUNDS):
        sightings = gather(views, found.groups)
        free = dict.fromkeys(range(1, len(views)), TIME)
        fitted = adjust(
            views, sightings, free, found.noise, steps=_MANY_STEPS, enough_gain=_LITTLE
        ).views
        views = tuple(view.delayed(view.offset, take.knots) for view in fitted)
    offsets = np.array([_longest(views, i).offset for i in range(len(take.cameras))])
    frames = (offsets - np.median(offsets)) / take.step
    return dict(zip((camera.name for camera in take.cameras), frames.tolist(), strict=True))


def _longest(views: Sequence[View], index: int) -> View:
    return max(of_camera(views, index), key=lambda view: view.end - view.first)


def _figures(
    take: Take, views: Sequence[View], groups: Sequence[Group], wanted: int
) -> tuple[dict[str, CameraFigures], float]:
    """Figures by camera, and the share of all 2D people who are explained by so many cameras."""
    sightings = gather(views, [one for one in groups if one.size >= wanted])
    fitted = adjust(views, sightings, {}, _NOISE)
    by_camera, total, of_all = {}, 0, 0
    for index, camera in enumerate(take.cameras):
        places = [p for p, view in enumerate(views) if view.index == index]
        shown = int(np.isfinite(views[places[0]].samples.height).sum())
        explained, px, mm = _of_camera(views, places, sightings, fitted)
        by_camera[camera.name] = CameraFigures(explained / max(shown, 1), shown, px, mm)
        total, of_all = total + explained, of_all + shown
    return by_camera, total / max(of_all, 1)


def _of_camera(
    views: Sequence[View], places: Sequence[int], sightings: Sightings, fitted: Adjusted
) -> tuple[int, float, float]:
    """How many 2D people are explained, and the median distance of their joints in px and mm."""
    squared = fitted.squared[places]
    relative = _NOISE * np.sqrt(np.nan_to_num(squared, nan=0.0)).max(0)
    seen = np.isfinite(squared).any(0)
    if not seen.any():
        return 0, float("nan"), float("nan")
    _, body = np.unique(
        np.stack([sightings.person, sightings.knot])[:, seen], axis=1, return_inverse=True
    )
    gaps = relative[seen]
    medians = np.array([np.median(gaps[body.ravel() == one]) for one in range(int(body.max()) + 1)])
    height = np.nanmax(sightings.height[places][:, seen], axis=0)
    camera = views[places[0]].camera
    depth = fitted.points[seen] @ camera.R[2] + camera.t[2]
    px = gaps * height
    return (
        int((medians < EXPLAINED).sum()),
        float(np.median(px)),
        float(np.median(px * depth / focal(camera))),
    )


@dataclass(frozen=True)
class _Moved:
    """What a fault does to one camera: medians over the people's joints, None out of the image.

    Args:
        before: the view as calibrated.
        after: without the fault.
        px: how far the image moves at the people.
        mm: the same at the people's distance.
        share: the same in body heights.
    """

    before: View
    after: View
    px: float | None
    mm: float | None
    share: float


def _finding(
    take: Take,
    given: Sequence[View],
    found: Searched,
    fitted: Adjusted,
    sightings: Sightings,
    fault: Fault,
) -> Finding | None:
    """A fault with its amounts, in the camera that it moves most; none if it hardly moves it."""
    names = tuple(take.cameras[index].name for index in fault.cameras)
    if fault.kind in OF_THE_PEOPLE:
        return Finding(fault.kind, names)
    places = [
        place
        for place, view in enumerate(fitted.views)
        if view.index in fault.cameras and view.first <= fault.first < view.end
    ]
    before = found.start if fault.kind in CONTINUOUS else given
    moves = [_moved(before[fitted.views[p].index], fitted, sightings, p) for p in places]
    most = max(moves, key=lambda one: one.share)
    if most.share < LEAST_MOVE:
        return None
    amount = {**fault.amount, **_amounts(fault, most.before, most.after, take)}
    return Finding(fault.kind, names, most.px, most.mm, amount, fault.what)


def _moved(before: View, fitted: Adjusted, sightings: Sightings, place: int) -> _Moved:
    after = fitted.views[place]
    there = np.isfinite(sightings.px[place, :, 0])
    points = fitted.points[there]
    if not len(points):
        return _Moved(before, after, None, None, np.inf)
    gap, at = moved_px(after.camera, before.camera, points)
    speed = np.linalg.norm(sightings.velocity[place, there], axis=-1)
    late = (after.offset - before.offset) * speed
    depth = points @ after.camera.R[2] + after.camera.t[2]
    gap = np.hypot(np.nan_to_num(gap, nan=np.inf), late)
    at = np.hypot(np.nan_to_num(at, nan=np.inf), late * depth / focal(after.camera))
    share = float(np.median(gap / sightings.height[place, there]))
    if not np.isfinite(share):
        return _Moved(before, after, None, None, share)
    return _Moved(before, after, float(np.median(gap)), float(np.median(at)), share)


def _amounts(fault: Fault, before: View, after: View, take: Take) -> dict[str, float]:
    """The size of a fault in the quantities of its kind."""
    old, new = before.camera, after.camera
    amounts: dict[str, float] = {}
    if fault.kind in ("pose", "bumped"):
        turn = cv2.Rodrigues(new.R @ old.R.T)[0]
        amounts["degrees"] = float(np.degrees(np.linalg.norm(turn)))
        amounts["mm"] = float(np.linalg.norm(new.centre - old.centre))
    if fault.kind in ("time offset", "frames lost"):
        amounts["frames"] = (after.offset - before.offset) / take.step
    if fault.kind in ("bumped", "frames lost"):
        late = fault.first > 0
        name = "from_frame" if late else "until_frame"
        amounts[name] = float(take.frame_at(fault.first if late else fault.end - 1))
    if fault.kind == "principal point":
        amounts |= {"x_px": float(new.K[0, 2]), "y_px": float(new.K[1, 2])}
    if fault.kind in ("focal length", "another image size", "people's image size"):
        amounts["factor"] = focal(new) / focal(old)
    return amounts


def _of_world(world: World) -> list[Finding]:
    """Faults of the world's units and axes."""
    found = []
    if not SHORTEST <= world.stature <= TALLEST and np.isfinite(world.stature):
        amount = {"stature": world.stature, "factor": STATURE_MM / world.stature}
        found.append(Finding("units", (), amount=amount))
    tilt = float(np.degrees(np.arccos(np.clip(world.up[2], -1, 1))))
    if world.upright >= LEAST_UPRIGHT and tilt > LEAST_TILT:
        found.append(Finding("gravity", (), amount={"degrees": tilt}, what=_axis(world.up)))
    if world.facing < LEAST_FACING:
        found.append(Finding("handedness", (), amount={"share": 1 - world.facing}))
    return found


def _axis(up: NDArray[np.float64]) -> str:
    """The axis that points up, if one does: x, -y, ..."""
    axis = int(np.abs(up).argmax())
    if np.degrees(np.arccos(min(abs(up[axis]), 1.0))) > LEAST_TILT:
        return ""
    return ("" if up[axis] > 0 else "-") + "xyz"[axis]


def _all_findings(
    world: World, told: Sequence[Finding], agreed: float, after: float, take: Take
) -> tuple[Finding, ...]:
    """What is wrong, or that the cameras do not agree if nothing that was found makes them."""
    if agreed < FEW_EXPLAINED or after < FEWEST_EXPLAINED:
        return (Finding("no agreement", tuple(camera.name for camera in take.cameras)), *told)
    return (*_of_world(world), *told)
