"""Tiny networks with the inputs and outputs of those that rtmlib runs, and the host's archives."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from coloured_people import colours
from selfpose3d.detection.rtmlib import MEMBER, networks
from selfpose3d.parameters import RtmLib

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
"""By which RTMPose's input is normalised, RGB."""


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray],
    size: tuple[int, int],
    outputs: Mapping[str, Sequence[int]],
) -> None:
    """An ONNX network of one image ``input`` (1, 3, height, width)."""
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size[1], size[0]])
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()]
    held = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in constants.items()]
    graph = helper.make_graph(list(nodes), "tiny", [given], made, held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def _constant(name: str, value: str) -> list[onnx.NodeProto]:
    """Nodes that give a constant, and depend on the image as a real network's outputs do."""
    return [
        helper.make_node("ReduceMean", ["input"], [f"{name}_mean"], keepdims=0),
        helper.make_node("Mul", [f"{name}_mean", "nothing"], [f"{name}_none"]),
        helper.make_node("Add", [value, f"{name}_none"], [name]),
    ]


def save_yolox(path: Path, boxes: np.ndarray, size: tuple[int, int]) -> None:
    """A detector that sees the given boxes (N, 5) in every image, px of its input."""
    labels = np.zeros((1, len(boxes)))
    constants = {"boxes": boxes[None], "zeros": labels, "nothing": np.zeros(1)}
    nodes = _constant("dets", "boxes") + _constant("labels", "zeros")
    save(path, nodes, constants, size, {"dets": (1, len(boxes), 5), "labels": labels.shape})


def save_rtmpose(path: Path, dots: np.ndarray, size: tuple[int, int], gain: float) -> None:
    """A pose network that finds dots of the given colours (J, 3), in the even one of a pixel's two
    bins; the peaks are ``gain`` high."""
    nodes = [
        helper.make_node("Conv", ["input", "weight", "bias"], ["maps"]),
        helper.make_node("ReduceMax", ["maps"], ["columns"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["maps"], ["rows"], axes=[3], keepdims=0),
        helper.make_node("MatMul", ["columns", "twice_x"], ["simcc_x"]),
        helper.make_node("MatMul", ["rows", "twice_y"], ["simcc_y"]),
    ]
    constants = {
        "weight": (gain * dots * STD / 255)[:, :, None, None],
        "bias": gain * dots @ MEAN / 255,
        "twice_x": _even_bins(size[0]),
        "twice_y": _even_bins(size[1]),
    }
    outputs = {"simcc_x": (1, len(dots), 2 * size[0]), "simcc_y": (1, len(dots), 2 * size[1])}
    save(path, nodes, constants, size, outputs)


def _even_bins(length: int) -> np.ndarray:
    matrix = np.zeros((length, 2 * length))
    matrix[np.arange(length), 2 * np.arange(length)] = 1
    return matrix


def save_rtmo(path: Path, boxes: np.ndarray, joints: np.ndarray) -> None:
    """A network that sees the given boxes (N, 5) and joints (N, 17, 3) in every image."""
    constants = {"boxes": boxes[None], "joints": joints[None], "nothing": np.zeros(1)}
    nodes = _constant("dets", "boxes") + _constant("keypoints", "joints")
    outputs = {"dets": (1, *boxes.shape), "keypoints": (1, *joints.shape)}
    save(path, nodes, constants, (640, 640), outputs)


def in_detector(boxes: Sequence[Sequence[float]], image: tuple[int, int], side: int) -> np.ndarray:
    """Boxes with scores (N, 5) of an image (width, height), in px of the detector's input."""
    scale = min(side / image[0], side / image[1])
    return np.array(boxes) * [scale, scale, scale, scale, 1]


def save_two_stages(
    folder: Path,
    parameters: RtmLib,
    boxes: Sequence[Sequence[float]],
    image: tuple[int, int],
    gain: float = 1.0,
    dots: np.ndarray | None = None,
) -> None:
    """The detector and the pose network that the parameters choose, for images (width, height) with
    dots of the given colours, or those of ``colours``."""
    detector, pose = networks(parameters)
    count = 26 if parameters.model == "body_with_feet" else 17
    seen = in_detector(boxes, image, detector.size[0])
    save_yolox(folder / detector.name, seen, detector.size)
    shown = colours(count) if dots is None else dots
    save_rtmpose(folder / pose.name, shown, pose.size, gain)


def packed(folder: Path, parameters: RtmLib, served: Path) -> dict[str, str]:
    """The host's archives of the networks in a folder, and the networks' SHA-256 by name."""
    told = {}
    for network in networks(parameters):
        data = (folder / network.name).read_bytes()
        archive = served / network.file.path
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(f"20230101/{network.name}/{MEMBER}", data)
        told[network.name] = hashlib.sha256(data).hexdigest()
    return told
