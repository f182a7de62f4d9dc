"""The networks: sizes, shapes, starts and what their outputs mean."""

import math
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from selfpose3d.errors import InputError
from selfpose3d.geometry.voxels import RootGrid
from selfpose3d.methods.voxels.attention import build_attention
from selfpose3d.methods.voxels.backbone import Backbone, build_backbone, normalise
from selfpose3d.methods.voxels.pose_net import PoseNet, soft_argmax
from selfpose3d.methods.voxels.root_net import RootNet, proposals
from selfpose3d.networks.folding import folded
from selfpose3d.networks.layout import channels_last_3d
from selfpose3d.networks.mobilenet import FILE_NAME, MobileNetV2
from selfpose3d.networks.resnet import PoseResNet
from selfpose3d.networks.v2v import V2V, WideConv3d
from selfpose3d.parameters import Networks
from selfpose3d.skeletons import PANOPTIC_15

torch.set_num_threads(1)


def millions(network: nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def test_sizes_are_the_papers() -> None:
    assert millions(V2V(1, 1, 16)) == pytest.approx(3.24, abs=0.005)
    assert millions(V2V(15, 15, 16)) == pytest.approx(3.32, abs=0.005)
    assert millions(PoseResNet(50, 15)) == pytest.approx(34.0, abs=0.05)
    assert millions(PoseResNet(18, 15, sigmoid=True)) == pytest.approx(15.4, abs=0.05)


def test_v2v_keeps_the_grid_and_does_not_mind_the_memory_order() -> None:
    torch.manual_seed(0)
    network = V2V(2, 3, 4).eval()
    volumes = torch.rand(2, 2, 8, 12, 4)
    plain = network(volumes)
    assert plain.shape == (2, 3, 8, 12, 4)
    channels_last = volumes.contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(network(channels_last), plain)


def test_a_wide_convolution_learns_the_same_with_and_without_avx512() -> None:
    torch.manual_seed(0)
    convolution = channels_last_3d(WideConv3d(3, 4, 7, padding=3))
    volumes = torch.rand(2, 3, 12, 8, 10, requires_grad=True)
    outward, results = torch.randn(2, 4, 12, 8, 10), []
    for capability in ("AVX512", "AVX2"):
        with mock.patch("torch.backends.cpu.get_cpu_capability", lambda said=capability: said):
            maps = convolution(volumes)
            learnt = torch.autograd.grad(maps, [volumes, *convolution.parameters()], outward)
        results.append([maps, *learnt])
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-4)
    assert results[1][0].is_contiguous(memory_format=torch.channels_last_3d)
    assert results[0][0].grad_fn.name() != results[1][0].grad_fn.name()


def gaussians(grid: RootGrid, roots: list[list[Tensor]], sigma: float = 200.0) -> Tensor:
    volumes = [
        torch.stack([torch.exp(-((grid.points - r) ** 2).sum(-1) / (2 * sigma**2)) for r in of])
        .amax(0)
        .reshape(grid.bins)
        for of in roots
    ]
    return torch.stack(volumes)


def test_proposals_find_roots_between_the_voxels() -> None:
    grid = RootGrid((6000.0, 6000.0, 2000.0), (40, 40, 12), (100.0, -50.0, 900.0), 4)
    first = [torch.tensor([1000.0, 250, 930]), torch.tensor([-1500.0, -700, 870])]
    second = [torch.tensor([40.0, 2000, 1000])]
    volume = gaussians(grid, [first, second])
    centres, scores, counts = proposals(volume, grid, 0.3, 10)
    assert counts == (2, 1)
    assert (scores > 0.7).all() and scores[0] >= scores[1]
    for centre, own in zip(centres, (0, 0, 1), strict=True):
        assert min((centre - root).norm() for root in (first, second)[own]) < 40


def test_proposals_are_at_most_as_many_as_wanted_and_may_be_none() -> None:
    grid = RootGrid((6000.0, 6000.0, 2000.0), (40, 40, 12), (0.0, 0.0, 900.0), 4)
    roots = [torch.tensor([x, y, 900.0]) for x in (-2000.0, 0, 2000) for y in (-2000.0, 2000)]
    volume = gaussians(grid, [roots])
    assert len(proposals(volume, grid, 0.3, 4)[0]) == 4
    for empty in (torch.zeros(2, 40, 40, 12), torch.full((2, 40, 40, 12), torch.nan)):
        centres, scores, counts = proposals(empty, grid, 0.3, 4)
        assert centres.shape == (0, 3) and len(scores) == 0 and counts == (0, 0)


def test_proposals_at_the_edge_of_the_space_stay_inside() -> None:
    grid = RootGrid((1000.0, 1000.0, 1000.0), (8, 8, 8), (0.0, 0.0, 0.0), 4)
    volume = torch.zeros(1, 8, 8, 8)
    volume[0, 0, 7, 0] = 0.9
    centres, _, _ = proposals(volume, grid, 0.3, 4)
    torch.testing.assert_close(centres, torch.tensor([[-500.0, 500.0, -500.0]]))


@pytest.mark.parametrize("channels", [1, 15])
def test_root_net_gives_one_volume(channels: int) -> None:
    network = RootNet(4, channels)
    assert network(torch.rand(2, channels, 8, 8, 4)).shape == (2, 1, 8, 8, 4)


def test_soft_argmax_is_the_weighted_mean_and_differentiable() -> None:
    points = torch.tensor([[0.0, 0, 0], [100, 0, 0], [0, 200, 0]])
    logits = torch.tensor([[[0.0, 0, 0], [-1000, 0, -1000]]])
    torch.testing.assert_close(
        soft_argmax(logits, points), torch.tensor([[[100 / 3, 200 / 3, 0], [100, 0, 0]]])
    )
    double = torch.rand(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: soft_argmax(x, points.double()), double)
    assert soft_argmax(logits.bfloat16(), points).dtype == torch.float32


def test_residual_start_reads_the_evidence_before_any_training() -> None:
    torch.manual_seed(0)
    network = PoseNet(15, 4, 16, 2000.0, 150.0, residual_start=True).eval()
    true = torch.randint(0, 16**3, (2, 15))
    distance = (network.offsets[true][:, :, None] - network.offsets).norm(dim=-1)
    evidence = torch.exp(-(distance**2) / (2 * 120.0**2)).reshape(2, 15, 16, 16, 16)
    centres = torch.tensor([[1000.0, 0, 900], [-500.0, 300, 950]])
    joints = network(evidence, centres)
    expected = centres[:, None] + network.offsets[true]
    assert (joints - expected).norm(dim=-1).median() < 60
    plain = PoseNet(15, 4, 16, 2000.0, 0.0).eval()(evidence, centres)
    assert (plain - centres[:, None]).norm(dim=-1).max() < 300


def test_pose_net_learns_through_evidence_and_takes_no_people() -> None:
    network = PoseNet(15, 4, 8, 2000.0, 0.0, residual_start=True)
    evidence = torch.rand(2, 15, 8, 8, 8, requires_grad=True)
    network(evidence, torch.zeros(2, 3)).square().sum().backward()
    assert evidence.grad is not None and evidence.grad.abs().max() > 0
    assert all(p.grad is not None for p in network.parameters())
    assert network(torch.zeros(0, 15, 8, 8, 8), torch.zeros(0, 3)).shape == (0, 15, 3)


@pytest.mark.parametrize("name", ["mobilenet_v2", "pose_resnet18"])
@pytest.mark.parametrize("side_aware", [True, False])
def test_backbones_give_one_heatmap_a_joint(name: str, side_aware: bool) -> None:
    backbone = build_backbone(
        Networks.model_validate({"backbone": name, "side_aware": side_aware}), PANOPTIC_15
    )
    images = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    raw = backbone(normalise(images))
    heatmaps = backbone.heatmaps(raw)
    assert raw.shape == heatmaps.shape == (2, 15, 16, 24)
    assert heatmaps.min() >= 0 and heatmaps.max() <= 1
    loss = backbone.loss(raw, torch.rand(2, 15, 16, 24), 20.0)
    loss.backward()
    assert torch.isfinite(loss) and loss.shape == ()
    trunk = {id(parameter) for parameter in backbone.trunk.parameters()}
    assert 0 < len(trunk) < len(list(backbone.parameters()))


def test_images_are_normalised_as_imagenets() -> None:
    grey = torch.full((2, 4, 6, 3), 128, dtype=torch.uint8)
    normalised = normalise(grey)
    assert normalised.shape == (2, 3, 4, 6) and normalised.dtype == torch.float32
    expected = (128 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(normalised[0, :, 0, 0], expected)


def side_raw(targets: Tensor, confidence: float) -> Tensor:
    """The raw output of a side-aware head that says exactly what the targets say."""
    left, right = targets[:, 3:9], targets[:, 9:15]
    sides = torch.where(left > right, confidence, -confidence)
    return torch.cat([targets[:, :3], torch.maximum(left, right), sides], dim=1)


def test_side_aware_head_puts_each_joint_on_its_side() -> None:
    targets = torch.zeros(1, 15, 20, 20)
    for joint in range(15):
        row, column = divmod(joint, 4)
        targets[0, joint, 5 * row : 5 * row + 4, 5 * column : 5 * column + 4] = 0.9
    backbone = Backbone(MobileNetV2(15), True, PANOPTIC_15)
    raw = side_raw(targets, 12.0)
    heatmaps = backbone.heatmaps(raw)
    inside = targets > 0
    assert heatmaps[inside].mean() > 0.6
    swapped = targets[:, PANOPTIC_15.swapped]
    assert backbone.loss(raw, targets, 20.0) < 1e-4
    assert backbone.loss(raw, swapped, 20.0) > 5
    assert backbone.loss(side_raw(swapped, 12.0), swapped, 20.0) < 1e-4


def test_plain_heatmaps_loss_worked_out_by_hand() -> None:
    raw, targets = torch.zeros(1, 15, 1, 2), torch.zeros(1, 15, 1, 2)
    targets[0, 0, 0, 0], raw[0, 0, 0, 0] = 1.0, 0.5  # 0.25 * (1 + 20)
    raw[0, 1, 0, 1] = 0.2  # 0.04, nothing is there
    loss = Backbone(MobileNetV2(15), False, PANOPTIC_15).loss(raw, targets, positive_weight=20.0)
    assert loss.item() == pytest.approx((5.25 + 0.04) / 2)  # summed over joints, mean over pixels


def test_side_aware_loss_worked_out_by_hand() -> None:
    raw, targets = torch.zeros(1, 15, 1, 2), torch.zeros(1, 15, 1, 2)
    targets[0, 3, 0, 0], targets[0, 9, 0, 0] = 0.8, 0.2  # shoulders: the left one is higher
    raw[0, 3, 0, 0], raw[0, 9, 0, 0] = 0.5, 1.0  # merged: 0.3^2 * (1 + 20 * 0.8); side: left
    targets[0, 10, 0, 1] = 0.4  # a right elbow
    raw[0, 4, 0, 1], raw[0, 10, 0, 1] = 0.4, 1.0  # merged: right; side: left, which is wrong
    squared = 0.09 * 17 / 18 * 15
    sides = 0.6 * math.log(1 + math.exp(-1)) + 0.4 * math.log(1 + math.e)
    loss = Backbone(MobileNetV2(15), True, PANOPTIC_15).loss(raw, targets, positive_weight=20.0)
    assert loss.item() == pytest.approx(squared + 3 * sides / (0.6 + 0.4))


def test_loss_of_people_who_are_not_there_is_finite() -> None:
    for side_aware in (True, False):
        backbone = Backbone(MobileNetV2(15), side_aware, PANOPTIC_15)
        assert backbone.loss(torch.zeros(1, 15, 8, 8), torch.zeros(1, 15, 8, 8), 20.0) == 0


def test_trunk_starts_from_a_file_or_its_folder(tmp_path: Path) -> None:
    given = MobileNetV2(15).trunk.state_dict()
    torch.save({**given, "features.18.0.weight": torch.zeros(3)}, tmp_path / FILE_NAME)
    for path in (tmp_path, tmp_path / FILE_NAME):
        backbone = build_backbone(Networks(), PANOPTIC_15)
        backbone.load_imagenet(path)
        for name, value in backbone.trunk.state_dict().items():
            torch.testing.assert_close(value, given[name])


def test_pose_resnet_starts_from_a_simple_baseline_of_other_joints(tmp_path: Path) -> None:
    coco = PoseResNet(18, 17)
    weights = {f"module.{k.removeprefix('trunk.')}": v for k, v in coco.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "coco.pth")
    network = PoseResNet(18, 15)
    network.load_start(tmp_path / "coco.pth")
    torch.testing.assert_close(network.trunk.state_dict(), coco.trunk.state_dict())
    torch.testing.assert_close(network.deconv_layers.state_dict(), coco.deconv_layers.state_dict())


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    backbone = build_backbone(Networks(), PANOPTIC_15)
    with pytest.raises(InputError, match="there are no weights"):
        backbone.load_imagenet(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("not weights")
    with pytest.raises(InputError, match="not a PyTorch file of plain weights"):
        backbone.load_imagenet(tmp_path / "text.pt")
    torch.save(PoseResNet(18, 15).trunk.state_dict(), tmp_path / "resnet.pt")
    with pytest.raises(InputError, match=r"resnet.pt.*missing.*networks.backbone"):
        backbone.load_imagenet(tmp_path / "resnet.pt")


@pytest.mark.parametrize("name", ["small", "pose_resnet18", "pose_resnet34", "shared"])
def test_attention_is_one_map_a_joint_between_zero_and_one(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(Networks(), PANOPTIC_15)
    attention = build_attention(Networks.model_validate({"attention": name}), backbone, 15)
    maps = attention(torch.rand(2, 3, 64, 96))
    assert maps.shape == (2, 15, 16, 24)
    assert maps.min() > 0 and maps.max() < 1
    if name == "small":
        assert maps.mean() > 0.8


@pytest.mark.parametrize("name", ["mobilenet_v2", "pose_resnet18"])
def test_shared_attention_looks_through_the_backbones_trunk_and_keeps_its_own_head(
    name: str,
) -> None:
    backbone = build_backbone(Networks.model_validate({"backbone": name}), PANOPTIC_15)
    attention = build_attention(Networks(attention="shared"), backbone, 15)
    images = torch.rand(1, 3, 64, 64)
    attention(images).sum().backward()
    assert all(p.grad is not None for p in backbone.trunk.parameters())
    trunk = {id(parameter) for parameter in backbone.parameters()}
    assert trunk.isdisjoint(id(parameter) for parameter in attention.parameters())
    with pytest.raises(InputError, match=r"heatmaps\.source: backbone"):
        build_attention(Networks(attention="shared"), None, 15)


@pytest.mark.parametrize("name", ["mobilenet_v2", "pose_resnet18", "root_net", "pose_net"])
def test_folded_networks_give_the_same(name: str) -> None:
    torch.manual_seed(0)
    if name.endswith("_net"):
        network = {"root_net": RootNet(4), "pose_net": PoseNet(15, 4, 8)}[name]
        channels = {"root_net": 1, "pose_net": 15}[name]
        inputs = (torch.rand(2, channels, 8, 8, 8), torch.zeros(2, 3))[: 1 + (channels > 1)]
    else:
        network = build_backbone(Networks(backbone=name), PANOPTIC_15)
        inputs = (torch.rand(2, 3, 64, 96),)
    network.train()
    with torch.no_grad():
        network(*inputs)
        plain, cheap = network.eval()(*inputs), folded(network)(*inputs)
    assert not any(
        isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d) for m in folded(network).modules()
    )
    torch.testing.assert_close(cheap, plain, atol=1e-3, rtol=1e-4)
