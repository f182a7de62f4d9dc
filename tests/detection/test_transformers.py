"""transformers itself, with tiny networks of random weights of the same kinds as the real ones."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from coloured_people import colours, picture, places
from hosts import Host
from selfpose3d.detection import ESTIMATORS
from selfpose3d.detection.transformers import DetectorAndViTPose, fetch_weights
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import skeleton_of
from selfpose3d.files.scenes import Scene, write_image, write_scene
from selfpose3d.parameters import Parameters, Transformers, part_of, with_settings
from selfpose3d.skeletons import COCO_17
from selfpose3d.synthetic.scenes import ring

DETECTOR, POSE = "somebody/tiny_detector", "somebody/tiny_pose"
SIZE = (480, 360)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tiny_detector() -> transformers.PreTrainedModel:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.RTDetrV2Config(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 8, 8],
        encoder_ffn_dim=16, encoder_attention_heads=2, d_model=16, num_queries=6,
        decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=2,
        decoder_attention_heads=2, id2label={0: "person", 1: "chair"},
        label2id={"person": 0, "chair": 1},
    )  # fmt: skip
    return transformers.RTDetrV2ForObjectDetection(config)


def tiny_pose(experts: int, joints: int = 17) -> transformers.PreTrainedModel:
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2, part_features=4,
        num_experts=experts, out_indices=[1],
    )  # fmt: skip
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=joints)
    return transformers.VitPoseForPoseEstimation(config)


def save(folder: Path, detector: object, pose: object) -> None:
    """Both as their repositories on the host have them."""
    torch.manual_seed(0)
    for repository, network, kind in (
        (DETECTOR, detector, "RTDetrImageProcessor"),
        (POSE, pose, "VitPoseImageProcessor"),
    ):
        place = folder / repository / "resolve" / "main"
        network.save_pretrained(place)
        processor = {"image_processor_type": kind, "do_rescale": True}
        if repository == DETECTOR:
            processor |= {"size": {"height": 64, "width": 64}, "do_normalize": False}
        (place / "preprocessor_config.json").write_text(json.dumps(processor))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    torch.manual_seed(0)
    save(folder, tiny_detector(), tiny_pose(experts=6))
    return folder


def chosen(url: str, **settings: object) -> Parameters:
    named = {"detector": DETECTOR, "pose": POSE, "source": url, "person_score": 0.0, **settings}
    of_estimator = {f"estimator.transformers.{key}": value for key, value in named.items()}
    whole = with_settings(Parameters(), {"estimator.name": "transformers", **of_estimator}, "test")
    return part_of(whole, ESTIMATORS["transformers"].reads(whole))


@pytest.fixture
def weights(served: Path, tmp_path: Path) -> Path:
    with Host(served) as host:
        fetch_weights(tmp_path / "weights", chosen(host.url), tmp_path / "cache")
    return tmp_path / "weights"


def own(parameters: Parameters) -> Transformers:
    return parameters.estimator.transformers


def test_the_files_of_both_repositories_are_fetched(weights: Path) -> None:
    found = sorted(str(path.relative_to(weights)) for path in weights.rglob("*") if path.is_file())
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    folders = ("tiny_detector", "tiny_pose")
    assert found == ["SHA256SUMS", *(f"{folder}/{name}" for folder in folders for name in names)]


def test_random_networks_give_the_people_of_a_scene(weights: Path, tmp_path: Path) -> None:
    cameras = ring(2, 96, 64)
    scene = Scene.calibrated(tmp_path / "s", "walk", "test", cameras, [0, 1], [0, 0.1], (64, 48))
    write_scene(scene)
    rng = np.random.default_rng(0)
    for frame in scene.frames:
        for camera in cameras:
            image = rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)
            write_image(scene.image_path(camera.name, frame), image)

    views = ESTIMATORS["transformers"].detect.load()(scene, chosen("http://x"), weights, 1)

    assert list(views) == [(f, c.name) for f in scene.frames for c in scene.cameras]
    assert skeleton_of(views, "people") == COCO_17
    scores = np.concatenate([people.scores for people in views.values()])
    assert len(scores) and ((scores >= 0) & (scores <= 1)).all()


def test_joints_come_out_where_they_are_and_in_their_order(weights: Path) -> None:
    """Through the real preparation of images and decoding, with heatmaps of coloured dots."""
    truth = places(17, (130, 80), 50)
    look = DetectorAndViTPose(own(chosen("http://x")), weights)
    boxes = np.array([[100.0, 40.0, 210.0, 290.0]], np.float32)
    look._boxes = lambda image: (boxes, np.array([0.8], np.float32))
    look._pose = constructed(look._pose.config)

    people = look(picture(truth, SIZE, 9.0))

    assert len(people) == 1 and people.person_scores[0] == pytest.approx(0.8)
    assert np.abs(people.points[0] - truth).max() < 1
    assert (people.scores > 0.5).all()


def constructed(config: object):
    """Of crops (N, 3, 256, 192) as ViTPose gets them, heatmaps (N, 17, 64, 48) of the dots."""

    class Constructed:
        def __init__(self) -> None:
            self.config = config

        def __call__(self, pixel_values: torch.Tensor, dataset_index: torch.Tensor) -> object:
            assert dataset_index.tolist() == [0]
            crops = pixel_values.numpy() * STD[:, None, None] + MEAN[:, None, None]
            likeness = np.einsum("jc,nchw->njhw", colours(17), crops).clip(0, 1)
            # UDP: the corners' centres of crop and heatmap lie on each other
            rows, columns = (np.linspace(0, n - 1, n // 4).round().astype(int) for n in (256, 192))
            maps = likeness[:, :, rows][..., columns] ** 8
            return SimpleNamespace(heatmaps=torch.from_numpy(maps.astype(np.float32)))

    return Constructed()


def test_boxes_are_those_of_persons_in_the_pixels_of_the_image(weights: Path) -> None:
    look = DetectorAndViTPose(own(chosen("http://x", person_score=0.3)), weights)
    config = look._detector.config

    def fixed(pixel_values: torch.Tensor) -> object:
        assert pixel_values.shape == (1, 3, 64, 64)
        logits = torch.tensor([[[3.0, -9], [-9, 3], [-3, -9]]])
        centres = torch.tensor([[[0.5, 0.5, 0.25, 0.5], [0.2, 0.2, 0.1, 0.1], [0.5, 0.5, 1, 1]]])
        return SimpleNamespace(logits=logits, pred_boxes=centres, config=config)

    look._detector = fixed
    boxes, scores = look._boxes(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    np.testing.assert_allclose(boxes, [[180, 90, 120, 180]], atol=1e-3)
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-3))], atol=1e-6)


def test_a_plain_vitpose_has_no_experts(tmp_path: Path) -> None:
    save(tmp_path / "served", tiny_detector(), tiny_pose(experts=1))
    parameters = chosen((tmp_path / "served").as_uri())
    fetch_weights(tmp_path / "weights", parameters, tmp_path / "cache")
    look = DetectorAndViTPose(own(parameters), tmp_path / "weights")
    assert len(look(np.full((64, 96, 3), 90, np.uint8)))


def test_networks_of_another_kind_are_refused(served: Path, tmp_path: Path) -> None:
    save(tmp_path / "served", tiny_detector(), tiny_pose(experts=1, joints=133))
    parameters = chosen((tmp_path / "served").as_uri())
    fetch_weights(tmp_path / "weights", parameters, tmp_path / "cache")
    with pytest.raises(InputError, match=r"somebody/tiny_pose must give 17 joints"):
        DetectorAndViTPose(own(parameters), tmp_path / "weights")
    with pytest.raises(
        InputError, match=r"tiny_pose: it can't be loaded as AutoModelForObjectDetection"
    ):
        wrong = chosen("http://x", detector=POSE)
        DetectorAndViTPose(own(wrong), tmp_path / "weights")


def test_a_damaged_file_is_refused_by_the_record(weights: Path, tmp_path: Path) -> None:
    (weights / "tiny_pose" / "model.safetensors").write_bytes(b"cut off")
    cameras = ring(2, 96, 64)
    scene = Scene.calibrated(tmp_path / "s", "walk", "test", cameras, [0], [0], (64, 48))
    with pytest.raises(InputError, match=r"model.safetensors: missing, or not the file with"):
        ESTIMATORS["transformers"].detect.load()(scene, chosen("http://x"), weights, 1)


def test_without_its_package_it_names_the_extra(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'pip install "selfpose3d\[transformers\]"'):
        DetectorAndViTPose(own(chosen("http://x")), weights)
