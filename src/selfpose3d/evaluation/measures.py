"""All that is measured of predictions against a truth: the metrics of Panoptic, those that were
published for the truth's joints, and both by views and with joint definitions aligned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfpose3d.evaluation.alignment import can_align, cross_aligned, offset_table
from selfpose3d.evaluation.metrics import Metrics, Seen, evaluate, in_common
from selfpose3d.evaluation.parts import in_shelf_joints, pcp
from selfpose3d.evaluation.upper_bodies import upper_bodies
from selfpose3d.files.poses3d import Frames, skeleton_of
from selfpose3d.skeletons import MVOR_10, SHELF_14, Skeleton


@dataclass(frozen=True)
class Protocol:
    """A protocol by which predictions are measured against a truth of some data sets.

    Args:
        name: of its part of the metrics.
        compared: predictions and truth in the joints that it compares.
        measure: ``(predictions, truth, seen) -> Metrics``, ``per_views`` among them.
    """

    name: str
    compared: Callable[[Frames, Frames], tuple[Frames, Frames]]
    measure: Callable[[Frames, Frames, Seen | None], Metrics]


def _by_name(predictions: Frames, truth: Frames) -> tuple[Frames, Frames]:
    return in_common(predictions, truth)[:2]


def _as_shelf(predictions: Frames, truth: Frames) -> tuple[Frames, Frames]:
    return {key: in_shelf_joints(people) for key, people in predictions.items()}, truth


PROTOCOLS: Mapping[Skeleton, Protocol] = {
    SHELF_14: Protocol("PCP", _as_shelf, pcp),
    MVOR_10: Protocol("MVOR", _by_name, upper_bodies),
}
"""The published protocols for a truth of these joints, beside AP, recall and MPJPE."""


def measure(
    predictions: Frames, truth: Frames, seen: Seen | None = None, align: bool = False
) -> Metrics:
    """The metrics of predictions against the truth.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, of the ground truth.
        seen: by how many views each person of the truth is seen, if that is known.
        align: also with the joints' constant offsets taken off (``alignment``).

    Returns:
        those of ``metrics.evaluate``. ``PCP`` (``parts.pcp``) of a truth in Shelf's joints,
        ``MVOR`` (``upper_bodies``) of one in MVOR's, in ``per_views`` as well. ``aligned``: the
        same once more, and ``offsets`` by joint (``alignment.offset_table``); None where the joints
        that are compared give a body no frame.

    Raises:
        InputError: see ``metrics.evaluate``.
    """
    protocol = PROTOCOLS.get(skeleton_of(truth, "the truth"))
    metrics = evaluate(predictions, truth, seen)
    if protocol:
        own = protocol.measure(*protocol.compared(predictions, truth), seen)
        metrics = _with_protocol(metrics, protocol.name, own)
    aligned = {"aligned": _aligned(predictions, truth, metrics, protocol)} if align else {}
    return {**metrics, **aligned}


def _with_protocol(metrics: Metrics, name: str, own: Metrics) -> Metrics:
    """Metrics with those of a protocol, whole and by views."""
    by_views: Mapping[str, Any] = own.get("per_views", {})
    whole = {key: value for key, value in own.items() if key != "per_views"}
    parts = {
        views: {**part, name: by_views[views]} if views in by_views else part
        for views, part in metrics.get("per_views", {}).items()
    }
    return {**metrics, name: whole, **({"per_views": parts} if parts else {})}


def _aligned(
    predictions: Frames, truth: Frames, before: Metrics, protocol: Protocol | None
) -> Metrics | None:
    own, true, skeleton = in_common(predictions, truth)
    if not can_align(skeleton):
        return None
    moved, offsets = cross_aligned(own, true)
    metrics = evaluate(moved, true)
    kept = {key: value for key, value in metrics.items() if not isinstance(value, dict)}
    if protocol:
        own, true = protocol.compared(predictions, truth)
        kept[protocol.name] = protocol.measure(cross_aligned(own, true)[0], true, None)
    return {**kept, "offsets": offset_table(before, metrics, offsets)}
