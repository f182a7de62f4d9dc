"""torchvision itself, with a tiny Keypoint R-CNN of random weights.

torchvision's compiled operations need the torch of the same index. Where the two do not fit, or no
torchvision is installed, its wheel is laid beside for the tests of this file alone, and the one
operation that has no plain form in torchvision, ``nms``, is written here in Python.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from hosts import Host
from selfpose3d.detection import ESTIMATORS
from selfpose3d.detection.torchvision import NAME, KeypointRCNN, fetch_weights
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import skeleton_of
from selfpose3d.files.scenes import Scene, write_image, write_scene
from selfpose3d.parameters import Parameters, TorchVision, part_of, with_settings
from selfpose3d.skeletons import COCO_17
from selfpose3d.synthetic.scenes import ring

REPOSITORY = Path(__file__).parents[2]
SIZE = (160, 120)


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """torchvision, for the tests of this file alone."""
    before, threads = set(sys.modules), torch.get_num_threads()
    fits = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        if fits.returncode:
            patch.syspath_prepend(str(laid_beside(tmp_path_factory.mktemp("torchvision"))))
            for name in ("nms", "qnms"):  # both are expected when torchvision is imported
                LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            LIBRARY.impl("nms", plain_nms, "CPU")
            import torchvision

            patch.setattr(torch, "compile", lambda function, **settings: function)
            patch.setattr(torchvision.ops.boxes, "_assert_has_ops", lambda: None)
        yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "torchvision":
            del sys.modules[name]
    torch.set_num_threads(threads)


LIBRARY = torch.library.Library("torchvision", "FRAGMENT")


def laid_beside(folder: Path) -> Path:
    """The wheel that the constraints name, without what it needs."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    pinned = ["-c", str(REPOSITORY / "constraints.txt"), "torchvision"]
    subprocess.run([*command, str(folder), *pinned], check=True)
    return folder


def plain_nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    from torchvision.ops import box_iou

    kept: list[int] = []
    overlaps = box_iou(boxes, boxes)
    for index in scores.argsort(descending=True, stable=True).tolist():
        if not (overlaps[index, kept] > iou_threshold).any():
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64)


def tiny_network(weights: None, weights_backbone: None, **settings: object) -> torch.nn.Module:
    """In the place of ``keypointrcnn_resnet50_fpn``: the same class, small."""
    from torchvision.models.detection import faster_rcnn, keypoint_rcnn
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    backbone = torch.nn.Conv2d(3, 8, 3, stride=16, padding=1)
    backbone.out_channels = 8
    return keypoint_rcnn.KeypointRCNN(
        backbone,
        min_size=2 * SIZE[1],
        max_size=2 * SIZE[0],
        rpn_anchor_generator=AnchorGenerator(((64, 128),), ((0.5, 1.0),)),
        rpn_post_nms_top_n_test=8,
        box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        box_head=faster_rcnn.TwoMLPHead(8 * 49, 16),
        box_predictor=faster_rcnn.FastRCNNPredictor(16, 2),
        keypoint_roi_pool=MultiScaleRoIAlign(["0"], 14, 2),
        keypoint_head=keypoint_rcnn.KeypointRCNNHeads(8, (8,)),
        keypoint_predictor=keypoint_rcnn.KeypointRCNNPredictor(8, 17),
        **settings,
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import detection

    monkeypatch.setattr(detection, "keypointrcnn_resnet50_fpn", tiny_network)


@pytest.fixture
def served(tiny: None, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "served"
    folder.mkdir()
    torch.save(tiny_network(None, None).state_dict(), folder / NAME)
    return folder


def chosen(url: str, **settings: object) -> Parameters:
    named = {"estimator.name": "torchvision", "estimator.torchvision.source": url}
    own = {f"estimator.torchvision.{key}": value for key, value in settings.items()}
    whole = with_settings(Parameters(), {**named, **own}, "test")
    return part_of(whole, ESTIMATORS["torchvision"].reads(whole))


def told(served: Path) -> dict[str, str]:
    return {NAME: hashlib.sha256((served / NAME).read_bytes()).hexdigest()}


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def test_from_the_host_to_the_people_of_a_scene(served: Path, tmp_path: Path) -> None:
    cameras = ring(2, *SIZE)
    scene = Scene.calibrated(tmp_path / "s", "walk", "test", cameras, [0, 1], [0, 0.1], (64, 48))
    write_scene(scene)
    for frame in scene.frames:
        for number, camera in enumerate(cameras):
            write_image(scene.image_path(camera.name, frame), noise(2 * frame + number))
    with Host(served) as host:
        host.faults[NAME] = ["truncate"]
        parameters = chosen(host.url, sha256=told(served))
        fetch_weights(tmp_path / "weights", parameters, tmp_path / "cache")
        assert host.ranges
    views = ESTIMATORS["torchvision"].detect.load()(scene, parameters, tmp_path / "weights", 1)

    assert list(views) == [(f, c.name) for f in scene.frames for c in scene.cameras]
    assert skeleton_of(views, "people") == COCO_17
    scores = np.concatenate([people.scores for people in views.values()])
    assert len(scores) and ((scores >= 0) & (scores <= 1)).all()


def test_other_weights_than_the_authors_are_refused(served: Path, tmp_path: Path) -> None:
    with Host(served) as host, pytest.raises(InputError, match="and not fc266e953d2b302c"):
        fetch_weights(tmp_path / "weights", chosen(host.url), tmp_path / "cache")


class FixedHeatmaps(torch.nn.Module):
    """A joint's heatmap (56, 56) peaks in a cell of its own."""

    def __init__(self, cells: np.ndarray) -> None:
        super().__init__()
        self.maps = torch.full((17, 56, 56), -4.0)
        self.maps[torch.arange(17), cells[:, 1], cells[:, 0]] = 3.0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.maps.expand(len(features), -1, -1, -1)


def test_joints_come_out_where_they_are_and_in_their_order(served: Path) -> None:
    look = KeypointRCNN(TorchVision(), served)
    cells = np.random.default_rng(0).integers(3, 53, (17, 2))
    look._network.roi_heads.keypoint_predictor = FixedHeatmaps(cells)
    with torch.inference_mode():
        pixels = torch.from_numpy(noise(0)).permute(2, 0, 1) / 255
        boxes = look._network([pixels])[0]["boxes"].numpy()

    people = look(noise(0))

    assert len(people) == len(boxes) > 0
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    expected = boxes[:, None, :2] + (cells + 0.5) / 56 * sides
    assert np.abs(people.points - expected).max() < 1
    inside = ((expected > 1) & (expected < np.array(SIZE) - 2)).all(-1)
    assert inside.any() and (people.scores[inside] > 0.5).all()


def test_people_below_the_threshold_are_left_out(served: Path) -> None:
    all_of_them = KeypointRCNN(TorchVision(person_score=0.0), served)(noise(1))
    least = float(np.median(all_of_them.person_scores))
    some = KeypointRCNN(TorchVision(person_score=least), served)(noise(1))
    assert 0 < len(some) < len(all_of_them)
    assert some.person_scores.min() > least


def test_the_real_network_takes_weights_as_the_host_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's were saved with frozen normalisation, which counts no batches."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    network = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    monkeypatch.setattr("selfpose3d.detection.torchvision.read_weights", lambda path: state)
    KeypointRCNN(TorchVision(), tmp_path)


def test_weights_of_another_network_are_refused(tiny: None, tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / NAME)
    with pytest.raises(InputError, match="not the weights of keypointrcnn_resnet50_fpn"):
        KeypointRCNN(TorchVision(), tmp_path)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ModuleNotFoundError("No module named 'torchvision'", name="torchvision"), "the package t"),
        (RuntimeError("operator torchvision::nms does not exist"), "does not load .*one index"),
    ],
)
def test_without_its_package_it_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, said: str
) -> None:
    def fails(name: str) -> None:
        raise problem

    monkeypatch.setattr("selfpose3d.detection.extras.import_module", fails)
    with pytest.raises(InputError, match=rf'(?s){said}.*pip install "selfpose3d\[torchvision\]"'):
        KeypointRCNN(TorchVision(), tmp_path)
