"""How often an iteration waits for the device. The CPU stands in for one: what would wait beside
a card is counted, be it that the host must know a result, or that it hands over a few numbers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from golden_curves import CURVES, parameters, scene
from selfpose3d.files.checkpoints import write_checkpoint
from selfpose3d.methods.voxels.backbone import normalise
from selfpose3d.methods.voxels.lifting import build_lifting
from selfpose3d.parameters import with_settings
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic
from selfpose3d.training import step
from selfpose3d.training.devices import constant
from stage_runs import run_stage

RESULTS = {"_local_scalar_dense", "nonzero", "masked_select", "bincount", "_unique2", "equal"}
"""Operations whose result the host must know before it can go on."""


class Results(TorchDispatchMode):
    """Notes the operations that the host must wait for."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operation.overloadpacket.__name__
        masks = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in RESULTS or masks:
            self.found.append(name)
        return operation(*args, **(kwargs or {}))


def hands_over(method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a tensor's method would copy between the host and a device, and wait for it."""
    if method == "__getitem__":
        key = arguments[0] if isinstance(arguments[0], tuple) else arguments[:1]
        return any(isinstance(part, list) for part in key)
    if method == "to":
        named = [*arguments, options.get("device")]
        return not options.get("non_blocking") and any(isinstance(a, torch.device) for a in named)
    return True


@contextmanager
def waits() -> Iterator[list[str]]:
    """What waits within this block, by name."""
    found: list[str] = []

    def noting(name: str) -> Any:
        method = getattr(Tensor, name)

        def noted(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
            if hands_over(name, arguments, options):
                found.append(name)
            return method(tensor, *arguments, **options)

        return mock.patch.object(Tensor, name, noted)

    with ExitStack() as stack:
        for name in ("tolist", "cpu", "new_tensor", "to", "__getitem__"):
            stack.enter_context(noting(name))
        stack.enter_context(Results(found))
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    return scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize(
    ("stage", "allowed"), [("root", 0), ("bodies", 0), ("pose_l2", 1), ("pose_l1", 3)]
)
def test_an_iteration_waits_only_to_count_people_and_to_match_them(
    made: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, allowed: int
) -> None:
    counted, real = [], step.Step.forward

    def watched(self: step.Step, sealed: step.Sealed) -> dict[str, Tensor]:
        with waits() as found:
            losses = real(self, sealed)
        counted.append(found)
        return losses

    monkeypatch.setattr(step.Step, "forward", watched)
    chosen = with_settings(parameters(CURVES[stage]), {f"train.{stage}.iterations": 3}, "test")
    lifting = build_lifting(chosen, ("root", "pose"), PANOPTIC_15)
    torch.nn.init.ones_(lifting.root_net.v2v.head.bias)  # it sees people everywhere
    states = {"root": lifting.root_net.state_dict(), "pose": lifting.pose_net.state_dict()}
    write_checkpoint(tmp_path / "start.pt", states, PANOPTIC_15, {"stage": "test"})
    start = [tmp_path / "start.pt"] if stage.startswith("pose") else []
    run_stage(chosen, stage, [made], start, tmp_path / "out")
    _first, *others = counted  # the first brings to the device what stays there
    assert [len(found) for found in others] == [allowed] * 2, counted


def test_what_waits_is_seen() -> None:
    numbers, device = torch.arange(6.0).view(2, 3), torch.device("cpu")
    with waits() as found:
        numbers.to(device, non_blocking=True)
        numbers[:, 1:].to(torch.float64)
    assert not found
    for work in (
        lambda: numbers[:, [0, 2]],
        lambda: numbers[numbers > 2],
        lambda: numbers.to(device),
        lambda: numbers.new_tensor([1.0]),
        lambda: numbers.sum().item(),
        lambda: numbers.tolist(),
    ):
        with waits() as found:
            work()
        assert len(found) >= 1


def test_what_is_brought_to_the_device_once_serves_prediction_and_training() -> None:
    images = torch.randint(256, (2, 4, 17, 3), dtype=torch.uint8)
    with torch.inference_mode():
        kept, predicted = constant((1.0, 2.0), torch.device("cpu")), normalise(images)
    assert constant((1.0, 2.0), torch.device("cpu")) is kept
    weight = torch.ones(2, requires_grad=True)
    (weight * kept).sum().backward()
    assert weight.grad is not None and torch.equal(weight.grad, kept)
    with waits() as found:
        again = normalise(images)
    assert torch.equal(again, predicted) and not found
