"""The search for what is wrong with a rig.

1. What moves all cameras: extrinsics in another direction, people of another image size.
2. What moves one camera, or exchanges two, so far that its people are not matched: each camera is
   left out, the people are reconstructed from the others, and its own 2D people are compared with
   the projections under every reading of the camera (``readings``).
3. What moves the image by pixels: with everybody matched, the quantities of one fault at a time are
   fitted together with all points (``bundle``). The fault that explains most is taken, and the
   search goes on beside it until nothing explains more.

Letters: V views, K knots, N points.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.bundle import (
    CENTRE,
    ENOUGH_GAIN,
    EVERYTHING,
    FOCAL,
    POSE,
    ROBUST,
    STEPS,
    TIME,
    TURN,
    Adjusted,
    Sightings,
    adjust,
    gather,
    triangulated,
)
from selfpose3d.rig.matching import Group, match, support
from selfpose3d.rig.readings import (
    FACTORS,
    Body,
    Reading,
    agreements,
    best_lag,
    best_pose,
    bodies,
    discrete,
    fit,
    inverted,
    of_part,
    scaled,
    spread,
    undistorted,
)
from selfpose3d.rig.views import View, of_camera

CLEARLY = 1.25
"""Ratio of supports from which one reading of the whole rig is better than another."""
LEAST_SUPPORT_GAIN = 0.02
AS_WELL = 0.8
"""Share of the support with cameras exchanged from which one change to all cameras goes before."""
FEWEST_CAMERAS = 3
"""Fewest cameras of which one can be said to be off: of two that disagree, either may be."""
SUSPECT = 0.85
"""Fit of a camera, over the best camera's, below which costly readings are tried."""
LOW_FIT = 0.3
"""Fit below which every camera is suspected."""
BREAK = 0.35
"""Drop of a camera's agreement at one time that tells of a change, over the best camera's fit."""
LEAST_GAIN = 0.1
"""Cost that a fault must explain, per sighting of its camera."""
LEAST_SHARE = 0.8
"""Share of the people, each over a window, of whom a fault must explain something. An estimator's
mistakes are those of some people, in some places."""
LEAST_EVIDENCE = 2.7
"""Least evidence for a fault: what it explains of all people together, over the root of the sum of
its squares."""
MOST_EVIDENCE = 0.78
"""The lower threshold where people are few, divided by the root of their number."""
PENALTY = 8.0
"""Cost that each fitted quantity must explain."""
MOST_BODIES = 16
"""People, each over a window, with whom readings of a camera are compared."""
MOST_POINTS = 450
"""About how many points the search looks at; where two kinds of fault are alike, three times as
many."""
_LIKELY = 2
"""How many cameras all kinds of small faults are tried with."""
_NEARLY = 0.4
"""Share of the most likely camera's gain from which another one is tried as well."""
_ROUGH = 6
_ROUNDS = 3
_FIRST_NOISE = 0.01
_FEWEST_KNOTS = 8
_MEDIAN_SQUARED = 1.386
"""Median of the squared length of a 2D normal error."""

CONTINUOUS = {
    "pose": (TURN, POSE),
    "principal point": (CENTRE,),
    "focal length": (FOCAL,),
    "time offset": (TIME,),
    "bumped": (TURN, POSE),
    "frames lost": (TIME,),
}
"""The quantities of each kind of fault that is fitted, in one variant or two."""

ALIKE = ("pose", "principal point", "focal length")
"""Kinds that move the image in much the same way."""

RARE = {"principal point": 6.0, "focal length": 6.0, "bumped": 16.0, "frames lost": 16.0}
"""Further cost that a kind of fault must explain before it is believed rather than another kind."""


@dataclass(frozen=True)
class Fault:
    """A fault that was found, and the view or views in which it is undone.

    Args:
        kind: one of ``findings.KINDS``.
        cameras: indices; all cameras of the rig if it is of all.
        first: first knot of the part it holds for.
        end: the knot after its last.
        what: variant, in words.
        amount: what is known of its size without a fit.
    """

    kind: str
    cameras: tuple[int, ...]
    first: int
    end: int
    what: str = ""
    amount: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Searched:
    """A rig that fits its people, and the faults undone for that.

    Args:
        faults: that were found.
        start: one view of each camera, with those faults undone that no fit finds.
        views: of the rig without any fault.
        groups: the people over windows.
        sightings: of the people's joints.
        fitted: the views with the points, as fitted.
        noise: error of a sighted joint, in body heights.
    """

    faults: tuple[Fault, ...]
    start: tuple[View, ...]
    views: tuple[View, ...]
    groups: list[Group]
    sightings: Sightings
    fitted: Adjusted
    noise: float


def search(views: Sequence[View], knots: NDArray[np.float64]) -> Searched:
    """Find the faults of a rig.

    Args:
        views: one of each camera, as calibrated.
        knots: (K,) times, s.
    """
    given, whole = tuple(views), list[Fault]()
    as_given = support(match(given, len(knots)), given, len(knots))
    score, changed, fault = _best_of_all(given, len(knots))
    if score > CLEARLY * as_given + LEAST_SUPPORT_GAIN:
        given, whole = changed, [fault]
    if len(views) < FEWEST_CAMERAS:
        groups = match(given, len(knots))
        sightings = gather(given, groups)
        fitted = adjust(given, sightings, {}, _FIRST_NOISE)
        return Searched(tuple(whole), given, given, groups, sightings, fitted, _FIRST_NOISE)
    coarse, large = _large_faults(given, knots)
    instead = not whole and score > as_given + LEAST_SUPPORT_GAIN
    if instead and _as_well_as_exchanged(score, coarse, large, len(knots)):
        given, whole = changed, [fault]
        coarse, large = _large_faults(given, knots)
    kept = [fault for fault in large if fault.kind not in CONTINUOUS]
    groups = match(coarse, len(knots))
    start = _without_continuous(given, coarse, large)
    starts = _starts(coarse, large)
    small = _SmallFaults(start, coarse, starts, groups, knots).found()
    return replace(small, faults=(*whole, *kept, *small.faults))


def _best_of_all(views: tuple[View, ...], n_knots: int) -> tuple[float, tuple[View, ...], Fault]:
    """The one change to all cameras that the people support most, with this support."""
    options = [
        (support(match(changed, n_knots), changed, n_knots), changed, fault)
        for changed, fault in _changes_of_all(views, n_knots)
    ]
    return max(options, key=lambda option: option[0])


def _as_well_as_exchanged(
    score: float, coarse: tuple[View, ...], large: Sequence[Fault], n_knots: int
) -> bool:
    """Whether cameras seem exchanged, and one change to all of them explains about as much."""
    exchanged = any(fault.kind == "exchanged" for fault in large)
    return exchanged and score > AS_WELL * support(match(coarse, n_knots), coarse, n_knots)


def _changes_of_all(
    views: tuple[View, ...], n_knots: int
) -> Iterator[tuple[tuple[View, ...], Fault]]:
    """The rig with extrinsics of another direction, and with images of another size."""
    everyone = tuple(view.index for view in views)
    for world in _worlds(views):
        variants = [list(inverted(view.camera, world)) for view in views]
        for place, (what, _) in enumerate(variants[0]):
            turned = (options[place][1] for options in variants)
            yield _taken_by(views, turned), Fault("inverted", everyone, 0, n_knots, what)
    for factor in FACTORS:
        resized = tuple(scaled(view.camera, factor) for view in views)
        sizes = {f"{camera.width}x{camera.height}" for camera in resized}
        what = sizes.pop() if len(sizes) == 1 else ""
        fault = Fault("people's image size", everyone, 0, n_knots, what, {"factor": factor})
        yield _taken_by(views, resized), fault


def _worlds(views: Sequence[View]) -> Iterator[NDArray[np.float64] | None]:
    """Worlds in which the extrinsics may have been given, as rotations of ours.

    They are ours, and that of the camera in our origin: a first camera's world is turned when it is
    read, so that z points up.
    """
    yield None
    lengths = [float(np.linalg.norm(view.camera.t)) for view in views]
    if min(lengths) < 1e-6 * max(lengths):
        yield views[int(np.argmin(lengths))].camera.R


def _taken_by(views: Sequence[View], cameras: Iterable[Camera]) -> tuple[View, ...]:
    """The views with other calibrations."""
    return tuple(replace(v, camera=camera) for v, camera in zip(views, cameras, strict=True))


def _large_faults(
    views: tuple[View, ...], knots: NDArray[np.float64]
) -> tuple[tuple[View, ...], list[Fault]]:
    """Undo faults one after the other as long as the rig's support grows."""
    found: list[Fault] = []
    best = support(match(views, len(knots)), views, len(knots))
    for _ in range(len(views)):
        options = [
            (support(match(changed, len(knots)), changed, len(knots)), number, changed, fault)
            for number, (changed, fault) in enumerate(_changes(views, knots, found))
        ]
        if not options:
            break
        score, _, changed, fault = max(options, key=lambda option: (option[0], -option[1]))
        if score < best + LEAST_SUPPORT_GAIN:
            break
        views, best = changed, score
        found.append(fault)
    return views, found


def _changes(
    views: tuple[View, ...], knots: NDArray[np.float64], found: Sequence[Fault]
) -> Iterator[tuple[tuple[View, ...], Fault]]:
    """The rig with one camera read in the way that fits best, and with two exchanged.

    A camera of which a fault was found that is to be fitted is left as it is.
    """
    people = {}
    for index in sorted({view.index for view in views}):
        others = [view for view in views if view.index != index]
        people[index] = spread(bodies(others, match(others, len(knots))), MOST_BODIES)
    fits = [fit(view, people[view.index]) for view in views]
    wanted = max(SUSPECT * max(fits), LOW_FIT)
    done = {index for fault in found if fault.kind in CONTINUOUS for index in fault.cameras}
    suspects = [p for p, one in enumerate(fits) if one < wanted and views[p].index not in done]
    for place in suspects:
        view, own = views[place], people[views[place].index]
        scores = [(fit(one.view, own), one) for one in discrete(view, knots)]
        score, reading = max(scores, key=lambda option: option[0])
        if score > fits[place]:
            yield _changed(views, place, reading)
        for reading in _costly(view, own, knots, BREAK * max(fits)):
            yield _changed(views, place, reading)
    for a, b in combinations(suspects, 2):
        yield _exchanged(views, a, b)


def _costly(
    view: View, people: Sequence[Body], knots: NDArray[np.float64], drop: float
) -> Iterator[Reading]:
    """Readings that are fitted: time offset and pose, of the whole view or of a part."""
    part, kinds = view, ("time offset", "pose")
    broken = _broken_part(view, people, drop)
    if broken is not None:
        part, kinds = broken, ("frames lost", "bumped")
    of_it = of_part(people, part.first, part.end)
    offset, _ = best_lag(part, of_it, knots)
    if offset != part.offset:
        yield Reading(kinds[0], part.delayed(offset, knots), {})
    posed = best_pose(part, of_it, lambda tried: fit(tried, of_it))
    if posed is not part:
        yield Reading(kinds[1], posed, {})


def _broken_part(view: View, people: Sequence[Body], drop: float) -> View | None:
    """The part of a view whose agreement is much lower than that of the rest, if there is one."""
    seen = [body for body in people if np.isfinite(body.points).any()]
    starts = sorted({body.first for body in seen if view.first <= body.first < view.end})
    if len(starts) < 3:
        return None
    agreement = agreements(view, seen)
    first_of = np.array([body.first for body in seen])
    by_start = np.array([agreement[first_of == start].mean() for start in starts])
    drops = [by_start[:i].mean() - by_start[i:].mean() for i in range(1, len(starts))]
    worst = int(np.abs(drops).argmax())
    if abs(drops[worst]) < drop:
        return None
    before, after = view.split(starts[worst + 1])
    return after if drops[worst] > 0 else before


def _changed(
    views: tuple[View, ...], place: int, reading: Reading
) -> tuple[tuple[View, ...], Fault]:
    """The rig with a view, or a part of it, read otherwise."""
    old, new = views[place], reading.view
    before = [replace(old, end=new.first)] if old.first < new.first else []
    after = [replace(old, first=new.end)] if new.end < old.end else []
    kind, _, what = reading.kind.partition(": ")
    fault = Fault(kind, (old.index,), new.first, new.end, what, reading.amount)
    return (*views[:place], *before, new, *after, *views[place + 1 :]), fault


def _exchanged(views: tuple[View, ...], a: int, b: int) -> tuple[tuple[View, ...], Fault]:
    changed = list(views)
    changed[a] = replace(views[a], camera=views[b].camera)
    changed[b] = replace(views[b], camera=views[a].camera)
    pair = (views[a].index, views[b].index)
    return tuple(changed), Fault("exchanged", pair, views[a].first, views[a].end)


def _without_continuous(
    given: Sequence[View], coarse: Sequence[View], large: Sequence[Fault]
) -> tuple[View, ...]:
    """The rig with only those faults undone that no fit finds again."""
    found = []
    for view in given:
        kinds = {fault.kind for fault in large if view.index in fault.cameras}
        kept = kinds - set(CONTINUOUS)
        found.append(of_camera(coarse, view.index)[0] if kept else view)
    return tuple(found)


def _starts(coarse: Sequence[View], large: Sequence[Fault]) -> dict[tuple[str, int], View]:
    """The views in which a large fault is undone that is to be fitted, by its kind and camera."""
    return {
        (fault.kind, view.index): view
        for fault in large
        for view in of_camera(coarse, fault.cameras[0])
        if fault.kind in CONTINUOUS and (view.first, view.end) == (fault.first, fault.end)
    }


@dataclass(frozen=True)
class _Candidate:
    fault: Fault
    views: tuple[View, ...]
    free: frozenset[int]
    sightings: Sightings
    fitted: Adjusted

    @property
    def score(self) -> float:
        """Mean cost of a sighting, what must be explained included."""
        due = PENALTY * len(self.free) + RARE.get(self.fault.kind, 0.0)
        return (self.fitted.cost + due) / max(_count(self.sightings), 1)


class _SmallFaults:
    """The search for faults that leave everybody matched."""

    def __init__(
        self,
        start: tuple[View, ...],
        coarse: tuple[View, ...],
        starts: dict[tuple[str, int], View],
        groups: list[Group],
        knots: NDArray[np.float64],
    ) -> None:
        self.start, self.starts, self.groups, self.knots = start, starts, groups, knots
        self.decisive = False
        sightings = gather(coarse, groups)
        self.noise = _noise_of(coarse, sightings)
        self.n_knots = len(knots)
        self.free: dict[tuple[int, int], frozenset[int]] = {}

    def found(self) -> Searched:
        faults: list[Fault] = []
        views = self.start
        sightings = self._gathered(views)
        best = self._fitted(views, sightings)
        for _ in range(2 * len(self.start)):
            taken = self._best_candidate(views, best, sightings, faults)
            if taken is None:
                break
            faults.append(taken.fault)
            key = (taken.fault.cameras[0], taken.fault.first)
            if taken.free:
                self.free[key] = taken.free
            views = taken.fitted.views
            best, sightings = taken.fitted, taken.sightings
        if any(free >= TIME for free in self.free.values()):
            views, sightings, best = self._settled(views)
        return Searched(tuple(faults), self.start, views, self.groups, sightings, best, self.noise)

    def _gathered(self, views: Sequence[View]) -> Sightings:
        """The sightings of the views, of a part of the joints where there are many."""
        gathered = gather(views, self.groups)
        most = (3 if self.decisive else 1) * MOST_POINTS
        every = max(1, round(len(gathered) / most))
        hashed = (gathered.knot * 7 + gathered.joint * 3 + gathered.person * 5) % every
        return gathered.where(hashed == 0)

    def _fitted(self, views: Sequence[View], sightings: Sightings) -> Adjusted:
        return adjust(views, sightings, self._known_free(views), self.noise)

    def _settled(self, views: tuple[View, ...]) -> tuple[tuple[View, ...], Sightings, Adjusted]:
        """The views with their offsets fitted to the end, people read at these offsets."""
        self.decisive = True
        for _ in range(_ROUNDS):
            sightings = self._gathered(views)
            best = self._adjusted(views, sightings, self._known_free(views))
            views = tuple(view.delayed(view.offset, self.knots) for view in best.views)
        return views, self._gathered(views), best

    def _known_free(self, views: Sequence[View]) -> dict[int, frozenset[int]]:
        keys = {place: (view.index, view.first) for place, view in enumerate(views)}
        return {place: self.free[key] for place, key in keys.items() if key in self.free}

    def _best_candidate(
        self,
        views: tuple[View, ...],
        best: Adjusted,
        seen: Sightings,
        faults: Sequence[Fault],
    ) -> _Candidate | None:
        known = {index for fault in faults for index in fault.cameras if len(fault.cameras) == 1}
        tried = [
            candidate
            for place in self._likely(views, best, known)
            for candidate in self._candidates(views, place)
            if self._explains(candidate, best, seen)
        ]
        if not known and (straight := self._all_straight(views)) is not None:
            tried += [straight] if self._explains(straight, best, seen) else []
        best_one = min(tried, key=lambda one: one.score, default=None)
        return best_one and self._decided(views, best_one)

    def _decided(self, views: tuple[View, ...], taken: _Candidate) -> _Candidate:
        """The candidate, or the other kind that explains more when more joints are looked at."""
        if taken.fault.kind not in ALIKE:
            return taken
        self.decisive = True
        place = next(p for p, v in enumerate(views) if v.index == taken.fault.cameras[0])
        faults = [replace(taken.fault, kind=kind) for kind in ALIKE]
        again = [one for fault in faults for one in self._from_starts(views, place, fault)]
        self.decisive = False
        best = min(again, key=lambda one: one.score)
        return self._candidate(
            _put(views, place, best.fitted.views[place]), place, best.fault, best.free
        )

    def _all_straight(self, views: tuple[View, ...]) -> _Candidate | None:
        """All cameras without distortion, if they have some."""
        if not all(np.any(view.camera.distortion) for view in views):
            return None
        straight = tuple(replace(view, camera=undistorted(view.camera)) for view in views)
        everyone = tuple(sorted({view.index for view in views}))
        fault = Fault("undistorted twice", everyone, 0, self.n_knots)
        return self._candidate(straight, 0, fault, frozenset())

    def _likely(self, views: tuple[View, ...], best: Adjusted, known: set[int]) -> list[int]:
        """The places of the views of which a fault might explain most, if it were of all kinds."""
        gains = {
            place: self._most_gain(views, place, best)
            for place, view in enumerate(views)
            if view.index not in known
        }
        hinted = [p for p in gains if any(i == views[p].index for _, i in self.starts)]
        most = max(gains.values(), default=0.0)
        gaining = [p for p, gain in gains.items() if gain > max(0.0, _NEARLY * most)]
        ordered = sorted(gaining, key=lambda p: -gains[p])
        return list(dict.fromkeys([*hinted, *ordered]))[:_LIKELY]

    def _most_gain(self, views: tuple[View, ...], place: int, best: Adjusted) -> float:
        """What all quantities of a view's two halves explain together, less what they must."""
        fitted, sightings = self._freed_halves(views, place)
        sighted = float(np.isfinite(sightings.px[place : place + 2, :, 0]).sum())
        return float(_mean_cost(best) * _count(sightings) - fitted.cost - LEAST_GAIN * sighted)

    def _freed_halves(self, views: tuple[View, ...], place: int) -> tuple[Adjusted, Sightings]:
        halves = views[place].split((views[place].first + views[place].end) // 2)
        split = (*views[:place], *halves, *views[place + 1 :])
        free = {**self._known_free(split), place: EVERYTHING, place + 1: EVERYTHING}
        sightings = self._gathered(split)
        return adjust(split, sightings, free, self.noise, steps=_ROUGH), sightings

    def _changes_on_the_way(self, views: tuple[View, ...], place: int) -> bool:
        """Whether a view's two halves ask for different quantities."""
        if self.n_knots < _FEWEST_KNOTS:
            return False
        if any(index == views[place].index for _, index in self.starts):
            return True
        halves, sightings = self._freed_halves(views, place)
        free = {**self._known_free(views), place: EVERYTHING}
        whole = adjust(views, self._gathered(views), free, self.noise, steps=_ROUGH)
        sighted = float(np.isfinite(sightings.px[place : place + 2, :, 0]).sum())
        return whole.cost - halves.cost > LEAST_GAIN / 2 * sighted

    def _explains(self, candidate: _Candidate, best: Adjusted, seen: Sightings) -> bool:
        """Whether a candidate explains enough, and something of nearly everybody."""
        sighted = np.isfinite(candidate.sightings.px[..., 0])
        places = [p for p, v in enumerate(candidate.views) if _concerned(v, candidate.fault)]
        gain = _mean_cost(best) - candidate.score
        if gain * sighted.sum() < LEAST_GAIN * sighted[places].sum():
            return False
        before = _cost_by_person(best, seen, len(self.groups))
        after = _cost_by_person(candidate.fitted, candidate.sightings, len(self.groups))
        shown = np.unique(candidate.sightings.person[sighted[places].any(0)])
        gains = (before - after)[shown]
        evidence = gains.sum() / max(float(np.sqrt((gains**2).sum())), 1e-9)
        enough = min(LEAST_EVIDENCE, MOST_EVIDENCE * float(np.sqrt(len(gains))))
        return bool((gains > 0).sum() >= LEAST_SHARE * max(len(gains), 1) and evidence >= enough)

    def _candidates(self, views: tuple[View, ...], place: int) -> Iterator[_Candidate]:
        view = views[place]
        whole = (view.first, view.end)
        for kind in ("pose", "principal point", "focal length", "time offset"):
            yield from self._from_starts(views, place, Fault(kind, (view.index,), *whole))
        if np.any(view.camera.distortion):
            straight = replace(view, camera=undistorted(view.camera))
            fault = Fault("undistorted twice", (view.index,), *whole)
            yield self._candidate(_put(views, place, straight), place, fault, frozenset())
        if self._changes_on_the_way(views, place):
            for kind in ("bumped", "frames lost"):
                yield from self._changed_on_the_way(views, place, kind)

    def _from_starts(
        self, views: tuple[View, ...], place: int, fault: Fault
    ) -> Iterator[_Candidate]:
        """Fits from the calibration, and from where the search for large faults had come."""
        for free in CONTINUOUS[fault.kind]:
            yield self._candidate(views, place, fault, free)
        found = self.starts.get((fault.kind, views[place].index))
        if found is not None:
            yield self._candidate(_put(views, place, found), place, fault, free)

    def _candidate(
        self, views: tuple[View, ...], place: int, fault: Fault, free: frozenset[int]
    ) -> _Candidate:
        all_free = {**self._known_free(views), **({place: free} if free else {})}
        sightings = self._gathered(views)
        fitted = self._adjusted(views, sightings, all_free)
        if free >= TIME and fitted.views[place].offset != views[place].offset:
            late = fitted.views[place].delayed(fitted.views[place].offset, self.knots)
            views = _put(fitted.views, place, late)
            sightings = self._gathered(views)
            fitted = self._adjusted(views, sightings, all_free)
        return _Candidate(fault, views, free, sightings, fitted)

    def _adjusted(
        self, views: Sequence[View], sightings: Sightings, free: Mapping[int, frozenset[int]]
    ) -> Adjusted:
        steps, gain = (STEPS, ENOUGH_GAIN) if not self.decisive else (4 * STEPS, ENOUGH_GAIN / 20)
        return adjust(views, sightings, free, self.noise, steps=steps, enough_gain=gain)

    def _changed_on_the_way(
        self, views: tuple[View, ...], place: int, kind: str
    ) -> Iterator[_Candidate]:
        """A fault from some knot on, or until some knot."""
        view = views[place]
        for parts, late in self._first_splits(view, kind):
            trial = self._split_candidates(views, place, parts, late, kind)[-1]
            changed = trial.fitted.views[place + late]
            knot = self._best_split(trial, place, view, changed, late)
            if view.first + 2 <= knot <= view.end - 2:
                before, after = view.split(knot)
                if late:
                    after = replace(changed, first=knot, end=view.end)
                else:
                    before = replace(changed, first=view.first, end=knot)
                yield from self._split_candidates(views, place, (before, after), late, kind)

    def _first_splits(self, view: View, kind: str) -> Iterator[tuple[tuple[View, View], bool]]:
        """Parts from which the knot of a change is found, and whether the later one is changed."""
        found = self.starts.get((kind, view.index))
        if found is not None:
            late = found.first > view.first
            before, after = view.split(found.first if late else found.end)
            yield ((before, found) if late else (found, after)), late
        quarter = max(2, (view.end - view.first) // 4)
        yield view.split(view.end - quarter), True
        yield view.split(view.first + quarter), False

    def _split_candidates(
        self, views: tuple[View, ...], place: int, parts: tuple[View, View], late: bool, kind: str
    ) -> list[_Candidate]:
        part = parts[late]
        fault = Fault(kind, (part.index,), part.first, part.end)
        split = (*views[:place], *parts, *views[place + 1 :])
        frees = CONTINUOUS[kind]
        return [self._candidate(split, place + late, fault, free) for free in frees]

    def _best_split(
        self, trial: _Candidate, place: int, view: View, changed: View, late: bool
    ) -> int:
        """The knot at which changing from one view to the other costs least."""
        pair = [view, replace(changed, first=view.first, end=view.end)]
        others = [v for p, v in enumerate(trial.fitted.views) if p not in (place, place + 1)]
        sightings = self._gathered([*pair, *others])
        points = triangulated(others, replace(sightings, px=sightings.px[2:]))
        enough = np.isfinite(sightings.px[2:, :, 0]).sum(0) >= 2
        judged = adjust(
            [*pair, *others], sightings.where(enough), {}, self.noise, points[enough], 0
        )
        costs = np.nan_to_num(np.log1p(judged.squared[:2] / ROBUST**2))
        per_knot = [np.bincount(sightings.knot[enough], cost, self.n_knots) for cost in costs]
        first, second = per_knot if late else per_knot[::-1]
        total = np.cumsum([0, *first]) + second.sum() - np.cumsum([0, *second])
        return int(total.argmin())


def _mean_cost(fitted: Adjusted) -> float:
    """The cost of a joint."""
    return float(fitted.cost / max(int(np.isfinite(fitted.squared).sum()), 1))


def _cost_by_person(fitted: Adjusted, sightings: Sightings, n_people: int) -> NDArray[np.float64]:
    """(G,) mean cost of a sighting of each person and window."""
    there = np.isfinite(fitted.squared)
    cost = 0.5 * ROBUST**2 * np.log1p(np.nan_to_num(fitted.squared) / ROBUST**2)
    total = np.bincount(sightings.person, cost.sum(0), n_people)
    return total / np.maximum(np.bincount(sightings.person, there.sum(0), n_people), 1)


def _concerned(view: View, fault: Fault) -> bool:
    return view.index in fault.cameras and view.first < fault.end and fault.first < view.end


def _count(sightings: Sightings) -> int:
    return int(np.isfinite(sightings.px[..., 0]).sum())


def _put(views: tuple[View, ...], place: int, view: View) -> tuple[View, ...]:
    return (*views[:place], view, *views[place + 1 :])


def _noise_of(views: Sequence[View], sightings: Sightings) -> float:
    """Error of a sighted joint, in body heights, if every camera's pose is fitted."""
    free = dict.fromkeys(range(len(views)), POSE)
    fitted = adjust(views, sightings, free, _FIRST_NOISE)
    middle = float(np.nanmedian(fitted.squared)) if len(sightings) else _MEDIAN_SQUARED
    return max(_FIRST_NOISE * float(np.sqrt(middle / _MEDIAN_SQUARED)), 1e-4)
