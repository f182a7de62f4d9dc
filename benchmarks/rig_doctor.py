"""How well the rig doctor finds faults that were put in: the tables of docs/rig.md.

Walking people are recorded by rigs of four and five cameras, with the errors of an estimator (1.5 %
of the height, missing joints, missing people, wild joints). Every fault is put in with three sizes
and several seeds, alone and in pairs; sound rigs count false alarms; rigs of which every camera is
off are refined; cameras that start late are timed. What was found is written as JSON lines, so that
a run that was cut short goes on where it stopped, and as a table.

    python benchmarks/rig_doctor.py --out /somewhere --seeds 3 --sound 100
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from selfpose3d.files.atomic import write_text
from selfpose3d.rig.examination import examine
from selfpose3d.rig.refinement import align, refine
from selfpose3d.synthetic.faulty_rigs import FAULTS, Planted, Recording, record, turned

SEEN_PX = 3.0
"""Faults that move the image less at the people need not be found."""
MIRRORED = ("mirrored image", "sides exchanged", "handedness")
"""What the three sizes of the fault "mirrored" are called."""
OF_ALL = {"undistorted twice", "inverted"}
OF_THE_WORLD = {"units", "gravity", "handedness"}
PAIRABLE = ("pose", "bumped", "time offset", "principal point", "focal length", "exchanged",
            "mirrored", "units", "gravity", "inverted")  # fmt: skip

Row = dict[str, Any]
Case = tuple[str, Callable[[], Row]]


def main() -> None:
    arguments = parsed()
    lines = arguments.out / "rig_doctor.jsonl"
    lines.parent.mkdir(parents=True, exist_ok=True)
    rows = {row["case"]: row for row in read_lines(lines)}
    for name, measure in cases(arguments):
        if name not in rows:
            rows[name] = {"case": name, **measure()}
            with lines.open("a") as stream:
                stream.write(json.dumps(rows[name]) + "\n")
    text = table(list(rows.values()))
    write_text(arguments.out / "rig_doctor.md", text)
    print(text)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--seeds", type=int, default=3, help="for each fault; default: 3")
    parser.add_argument("--sound", type=int, default=100, help="sound rigs; default: 100")
    parser.add_argument("--pairs", type=int, default=30, help="pairs of faults; default: 30")
    parser.add_argument("--refined", type=int, default=10, help="refined rigs; default: 10")
    parser.add_argument("--timed", type=int, default=10, help="rigs out of step; default: 10")
    return parser.parse_args()


def read_lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """All measurements by name; the first of each part come first."""
    parts: tuple[tuple[str, Callable[[int], Row], int], ...] = (
        ("refined", refined, arguments.refined),
        ("timed", timed, arguments.timed),
        ("sound", sound, arguments.sound),
        ("pair", pair, arguments.pairs),
    )
    for seed in range(arguments.seeds):
        for kind, size in product(FAULTS, range(3)):
            yield f"single {kind} {size} {seed}", partial(single, kind, size, seed)
        for name, measure, count in parts:
            for number in range(
                seed * count // arguments.seeds, (seed + 1) * count // arguments.seeds
            ):
                yield f"{name} {number}", partial(measure, number)


def n_cameras(seed: int) -> int:
    return 4 + seed % 2


def examined(recording: Recording) -> tuple[list[list[Any]], Row]:
    """The findings as pairs of kind and cameras, and what else is kept."""
    found = examine(recording.cameras, recording.views, recording.times)
    named = [[one.kind, sorted(one.cameras)] for one in found.findings]
    kept = {
        "moved_px": min(recording.moved_px, 1e4),
        "found_px": [one.px for one in found.findings],
        "amounts": [dict(one.amount) for one in found.findings],
        "explained": [found.explained, found.explained_after],
    }
    return named, kept


def expected(fault: Planted, recording: Recording) -> list[Any]:
    """The kind and the cameras that are to be named."""
    names = [camera.name for camera in recording.cameras]
    kind = MIRRORED[fault.size] if fault.kind == "mirrored" else fault.kind
    if kind in OF_THE_WORLD:
        return [kind, []]
    if kind in OF_ALL:
        return [kind, sorted(names)]
    if kind == "exchanged":
        other = (fault.camera + 1 + fault.size) % len(names)
        return [kind, sorted([names[fault.camera], names[other]])]
    return [kind, [names[fault.camera]]]


def single(kind: str, size: int, seed: int) -> Row:
    count = n_cameras(seed)
    rng = np.random.default_rng((seed, size, list(FAULTS).index(kind)))
    fault = Planted(kind, size, int(rng.integers(count)))
    recording = record(int(rng.integers(1 << 30)), [fault], cameras=count)
    named, kept = examined(recording)
    wanted = expected(fault, recording)
    return {
        "part": "single",
        "kind": kind,
        "size": size,
        "wanted": [wanted],
        "named": named,
        **kept,
    }


def pair(seed: int) -> Row:
    """Two faults of different kinds, of different cameras where they are of one."""
    count = n_cameras(seed)
    rng = np.random.default_rng((seed, 77))
    kinds = rng.choice(len(PAIRABLE), 2, replace=False)
    cameras = rng.choice(count, 2, replace=False)
    faults = [
        Planted(PAIRABLE[kind], int(rng.integers(3)), int(camera))
        for kind, camera in zip(kinds, cameras, strict=True)
    ]
    recording = record(int(rng.integers(1 << 30)), faults, cameras=count)
    named, kept = examined(recording)
    wanted = [expected(fault, recording) for fault in faults]
    return {"part": "pair", "sizes": [f.size for f in faults], "wanted": wanted, "named": named,
            **kept}  # fmt: skip


def sound(seed: int) -> Row:
    named, kept = examined(record(5_000_000 + seed, cameras=n_cameras(seed)))
    return {"part": "sound", "named": named, **kept}


def refined(seed: int) -> Row:
    """Every camera off by 3 degrees and 100 mm: errors after refinement, up to the gauge."""
    recording = record(6_000_000 + seed, cameras=n_cameras(seed), seconds=12.0)
    rng = np.random.default_rng((seed, 78))
    off = [turned(camera, 3.0, 100.0, rng) for camera in recording.cameras]
    found = refine(off, recording.views, recording.times)
    aligned = align(found.cameras, recording.right)
    turns = [cv2.Rodrigues(a.R @ b.R.T)[0] for a, b in zip(aligned, recording.right, strict=True)]
    gaps = [a.centre - b.centre for a, b in zip(aligned, recording.right, strict=True)]
    same = refine(recording.cameras, recording.views, recording.times)
    return {
        "part": "refined",
        "degrees": [float(np.degrees(np.linalg.norm(turn))) for turn in turns],
        "mm": [float(np.linalg.norm(gap)) for gap in gaps],
        "held_out_px": [found.held_out_before, found.held_out_after],
        "right_held_out_px": [same.held_out_before, same.held_out_after],
        "right_kept": same.kept_given,
    }


def timed(seed: int) -> Row:
    """One camera out of step by up to ten frames for 20 s: error of all cameras' offsets."""
    count = n_cameras(seed)
    rng = np.random.default_rng((seed, 79))
    camera, frames = int(rng.integers(count)), float(rng.uniform(-10, 10))
    recording = record(7_000_000 + seed, cameras=count, seconds=20.0, late={camera: frames})
    found = examine(recording.cameras, recording.views, recording.times)
    offsets = np.array(list(found.offsets.values()))
    true = np.zeros(count)
    true[camera] = frames
    errors = np.abs((offsets - np.median(offsets)) - (true - np.median(true)))
    return {"part": "timed", "frames": frames, "errors": errors.tolist()}


def right(row: Row) -> bool:
    """Whether all faults, and nothing else, were named."""
    return sorted(map(str, row["named"])) == sorted(map(str, row["wanted"]))


def table(rows: list[Row]) -> str:
    """Markdown of all parts."""
    of = {part: [row for row in rows if row["part"] == part] for part in
          ("single", "sound", "pair", "refined", "timed")}  # fmt: skip
    lines = ["| fault put in | moves the image by | cases | named | named, and nothing else |"]
    lines += ["|---|---|---:|---:|---:|"]
    seen = [row for row in of["single"] if row["moved_px"] > SEEN_PX or row["kind"] == "mirrored"]
    for kind in [*FAULTS, "all"]:
        own = [row for row in seen if kind in (row["kind"], "all")]
        px = sorted({round(row["moved_px"]) for row in own})
        hit = sum(any(one in row["named"] for one in row["wanted"]) for row in own)
        exact = sum(right(row) for row in own)
        spread = f"{px[0]} to {px[-1]} px" if own and kind not in ("mirrored", "all") else ""
        lines.append(f"| {kind} | {spread} | {len(own)} | {hit} | {exact} |")
    lines += ["", *rest(of)]
    return "\n".join(lines) + "\n"


def rest(of: dict[str, list[Row]]) -> list[str]:
    """Sentences about the other parts."""
    lines = []
    if of["sound"]:
        alarms = [row["named"] for row in of["sound"] if row["named"]]
        lines.append(f"- Sound rigs: {len(of['sound'])}, false alarms: {len(alarms)}.")
        lines += [f"  - {alarm}" for alarm in alarms]
    if of["pair"]:
        both = sum(all(one in row["named"] for one in row["wanted"]) for row in of["pair"])
        exact = sum(right(row) for row in of["pair"])
        lines.append(
            f"- Pairs of faults: {len(of['pair'])}, both named: {both}, and nothing else: {exact}."
        )
    if of["refined"]:
        degrees = np.concatenate([row["degrees"] for row in of["refined"]])
        mm = np.concatenate([row["mm"] for row in of["refined"]])
        held = np.array([row["held_out_px"] for row in of["refined"]])
        kept = np.array([row["right_held_out_px"] for row in of["refined"]])
        lines.append(
            f"- Refined, every camera off by 3 degrees and 100 mm: {len(of['refined'])} rigs; "
            f"{np.median(degrees):.2f} degrees and {np.median(mm):.1f} mm off (median), "
            f"{degrees.max():.2f} and {mm.max():.1f} at worst; held-out error from "
            f"{np.median(held[:, 0]):.1f} to {np.median(held[:, 1]):.2f} px. Right rigs kept as "
            f"they were: {sum(row['right_kept'] for row in of['refined'])}; their refined held-out "
            f"error is {np.median(kept[:, 1] / kept[:, 0]):.3f} times the given one."
        )
    if of["timed"]:
        errors = np.concatenate([row["errors"] for row in of["timed"]])
        lines.append(
            f"- Time offsets up to 10 frames, 20 s: {len(of['timed'])} rigs; error "
            f"{np.median(errors):.3f} frames (median), {errors.max():.3f} at worst; within 0.1 "
            f"frame: {(errors <= 0.1).mean():.0%}."
        )
    return lines


if __name__ == "__main__":
    main()
