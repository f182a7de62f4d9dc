"""V2V: the 3D encoder-decoder of root_net and pose_net (Moon et al. 2018, as in VoxelPose)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD_STD = 1e-3
"""Spread of the head's first weights: the output starts near zero."""


class V2V(nn.Module):
    """A volume in, a volume of the same size out.

    A 7^3 convolution, a residual block, two levels of pooling with residual skips, a 1x1 head.
    Works in ``channels_last_3d``, which is several times faster on a CPU.

    Args:
        in_channels: of the input volume.
        out_channels: of the output volume.
        width: channels after the first convolution; 2, 4 and 8 times as many on the three levels.
            16 gives the paper's 3.24 M parameters from 1 to 1 and 3.32 M from 15 to 15.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int = 16) -> None:
        super().__init__()
        top, middle, bottom = 2 * width, 4 * width, 8 * width
        self.front = nn.Sequential(
            WideConv3d(in_channels, width, 7, padding=3),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            Residual3D(width, top),
        )
        self.skip_top = Residual3D(top, top)
        self.encode_middle = Residual3D(top, middle)
        self.skip_middle = Residual3D(middle, middle)
        self.encode_bottom = Residual3D(middle, bottom)
        self.bottom = Residual3D(bottom, bottom)
        self.decode_bottom = Residual3D(bottom, bottom)
        self.up_middle = _upsample(bottom, middle)
        self.decode_middle = Residual3D(middle, middle)
        self.up_top = _upsample(middle, top)
        self.head = nn.Conv3d(top, out_channels, 1)
        nn.init.normal_(self.head.weight, 0.0, HEAD_STD)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, volumes: Tensor) -> Tensor:
        """(N, in_channels, X, Y, Z) to (N, out_channels, X, Y, Z); sides divisible by 4."""
        volumes = volumes.contiguous(memory_format=torch.channels_last_3d)
        top = self.front(volumes)
        middle = self.encode_middle(F.max_pool3d(top, 2))
        bottom = self.encode_bottom(F.max_pool3d(middle, 2))
        bottom = self.decode_bottom(self.bottom(bottom))
        middle = self.decode_middle(self.up_middle(bottom) + self.skip_middle(middle))
        output: Tensor = self.head(self.up_top(middle) + self.skip_top(top))
        return output


class WideConv3d(nn.Conv3d):
    """A 3D convolution with a wide kernel, quick to train on a processor without AVX-512 too.

    For such a processor oneDNN has no kernel for the gradient of 3D weights in channels-last order,
    and its general one takes four times as long as the forward pass. Where weights learn there in
    float32, planes are convolved in 2D instead, with their neighbours along X as further channels.
    """

    def forward(self, volumes: Tensor) -> Tensor:
        """(N, in_channels, X, Y, Z) to (N, out_channels, X, Y, Z)."""
        if not (self._learns() and _lacks_gradient_in_3d(volumes)):
            return super().forward(volumes)
        kernel, size = self.kernel_size[0], volumes.shape[2:]
        padded = F.pad(volumes, (0, 0, 0, 0, kernel // 2, kernel // 2)).movedim(1, -1)
        beside = padded.unfold(1, kernel, 1).transpose(-1, -2)
        planes = beside.flatten(-2).flatten(0, 1).movedim(-1, 1)
        weight = self.weight.transpose(1, 2).flatten(1, 2)
        weight = weight.contiguous(memory_format=torch.channels_last)
        maps = F.conv2d(planes, weight, self.bias, padding=kernel // 2)
        return maps.unflatten(0, (-1, size[0])).transpose(1, 2)

    def _learns(self) -> bool:
        return torch.is_grad_enabled() and self.weight.requires_grad


def _lacks_gradient_in_3d(volumes: Tensor) -> bool:
    """Whether oneDNN computes the gradient of the weights for such volumes in its general way."""
    return (
        volumes.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
    )


class Residual3D(nn.Module):
    """Two 3^3 convolutions and a skip, which is a 1x1 convolution where the channels change."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv3d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv3d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm3d(out_channels),
        )
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1), nn.BatchNorm3d(out_channels)
            )

    def forward(self, volumes: Tensor) -> Tensor:
        """(N, in_channels, X, Y, Z) to (N, out_channels, X, Y, Z)."""
        return F.relu(self.convolutions(volumes) + self.skip(volumes))


def _upsample(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
    )
