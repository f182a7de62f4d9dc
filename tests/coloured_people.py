"""Pictures of a person whose joints each have a colour, which constructed networks find."""

import numpy as np


def colours(count: int) -> np.ndarray:
    """(count, 3) directions in RGB without negative parts, far apart from each other."""
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, 25)] * 3), -1).reshape(-1, 3)[1:]
    candidates = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    chosen = [candidates[0]]
    while len(chosen) < count:
        nearest = (candidates @ np.array(chosen).T).max(1)
        chosen.append(candidates[nearest.argmin()])
    return np.array(chosen)


def places(count: int, corner: tuple[float, float], spacing: float) -> np.ndarray:
    """(count, 2) places of joints, px, in rows of four, none of them at a whole pixel."""
    grid = np.stack([np.arange(count) % 4, np.arange(count) // 4], axis=-1)
    return (
        np.array(corner) + spacing * grid + np.random.default_rng(count).uniform(-3, 3, (count, 2))
    )


def picture(
    points: np.ndarray, size: tuple[int, int], sigma: float, dots: np.ndarray | None = None
) -> np.ndarray:
    """An RGB image of ``size`` (width, height), black but for a soft dot at each point.

    The dots have the given colours (P, 3), or those of ``colours``.
    """
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    squared = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    shown = colours(len(points)) if dots is None else dots
    heights = np.exp(-squared.min(-1) / (2 * sigma**2))
    return np.round(255 * heights[..., None] * shown[squared.argmin(-1)]).astype(np.uint8)
