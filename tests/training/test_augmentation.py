"""Image augmentation."""

import numpy as np
import pytest
import torch

from selfpose3d.training import augmentation


@pytest.mark.parametrize("operation", augmentation.OPERATIONS)
def test_image_operations_keep_range_and_differ(operation):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.uniform(30, 200, (2, 3, 16, 20))).float()
    changed = operation(images, torch.full((2, 1, 1, 1), 1.4)).clamp(0, 255)
    assert changed.shape == images.shape
    assert not torch.allclose(changed, images)
    if operation not in (augmentation.autocontrast, augmentation.equalize):
        same_again = operation(images, torch.ones(2, 1, 1, 1))
        assert torch.allclose(same_again, images, atol=1e-3)


def test_equalize_flattens_the_histogram():
    images = torch.linspace(100, 140, 3 * 64 * 64).reshape(1, 3, 64, 64)
    flat = augmentation.equalize(images, torch.ones(1))
    counts = torch.histc(flat[0, 0], 4, 0, 255)
    assert (counts / counts.sum() - 0.25).abs().max() < 0.1


def test_cutout_puts_one_square_and_draws_from_its_generator():
    images = torch.zeros(1, 3, 64, 64)
    cut = augmentation.cut_out(images, np.random.default_rng(3), (20, 20))
    assert (cut[0, 0] == augmentation.GREY).sum() == 400 and not images.any()
    pixels = torch.full((3, 64, 48, 3), 50, dtype=torch.uint8)
    first, second, other = (
        augmentation.augment_images(pixels, np.random.default_rng(seed), (20, 40))
        for seed in (7, 7, 8)
    )
    assert first.shape == pixels.shape and first.dtype == torch.uint8 and (pixels == 50).all()
    assert torch.equal(first, second) and not torch.equal(first, other)
