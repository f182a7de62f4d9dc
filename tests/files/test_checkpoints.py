import pytest
import torch

from selfpose3d.errors import InputError
from selfpose3d.files.checkpoints import read_checkpoint, write_checkpoint
from selfpose3d.skeletons import COCO_17


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"net": {"weight": torch.arange(1000.0)}}, COCO_17, {"stage": "x"})
    assert torch.equal(read_checkpoint(path).networks["net"]["weight"], torch.arange(1000.0))
    assert read_checkpoint(path).skeleton == COCO_17
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged checkpoint.*delete it"):
        read_checkpoint(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged checkpoint"):
        read_checkpoint(path)
