"""Small charts as inline SVG: they take the page's colours and need no script.

Colours are CSS variables with a fallback, so that a chart is right in a light or dark page and
as a file of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
"""x (N,) and y (N,)."""

PALETTE = ("#3b6fb6", "#d1603d", "#3f8f6b", "#8a63b8", "#b5892b", "#4b9db5", "#b8537f", "#6f7b87")
INK, FAINT = "var(--ink, #1d2530)", "var(--line, #d5dae1)"

_WIDTH, _HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 10, 10, 36
_LEGEND_LINE = 17
_LOG_FROM_RATIO = 20.0


@dataclass(frozen=True)
class _Axis:
    """A linear or logarithmic map from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high, at = self.low, self.high, np.asarray(values, dtype=np.float64)
        if self.log:
            low, high, at = np.log10(low), np.log10(high), np.log10(at)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> NDArray[np.float64]:
        """Round values within the axis."""
        if self.log:
            decades = np.arange(np.ceil(np.log10(self.low)), np.floor(np.log10(self.high)) + 1)
            if len(decades) >= 2:
                return 10.0 ** decades[:: max(1, len(decades) // 4)]
        return _round_values(self.low, self.high)


def line_chart(series: Mapping[str, Series], x_label: str, y_label: str) -> str:
    """Curves over one x axis; y is logarithmic when the values span more than a factor of 20, and
    says so.

    Args:
        series: curves by name; values that are not finite are left out.
        x_label: label of the x axis.
        y_label: label of the y axis.

    Returns:
        an ``<svg>`` element.
    """
    kept = {name: _finite(*curve) for name, curve in series.items()}
    kept = {name: curve for name, curve in kept.items() if len(curve[0])}
    if not kept:
        return ""
    x_axis, y_axis = _axes(list(kept.values()))
    body = [*_grid(x_axis, y_axis), *_curves(kept, x_axis, y_axis)]
    legend, legend_height = _legend(list(kept))
    y_text = f"{y_label} (logarithmic)" if y_axis.log else y_label
    labels = [
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 2}" text-anchor="middle">'
        f"{escape(x_label)}</text>",
        f'<text transform="translate(11 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_text)}</text>',
    ]
    return _svg(_WIDTH, _HEIGHT + legend_height, [*body, *labels, *legend])


def bar_chart(bars: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars.

    Args:
        bars: name, length and what is printed at its end, top to bottom.

    Returns:
        an ``<svg>`` element.
    """
    if not bars:
        return ""
    width, left, row, room = 760, 150, 24, 190
    longest = max(value for _, value, _ in bars) or 1.0
    parts = []
    for index, (name, value, text) in enumerate(bars):
        y, length = index * row, value / longest * (width - left - room)
        parts += [
            f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left}" y="{y + 4}" width="{max(length, 1):.1f}" height="{row - 8}" '
            f'rx="2" fill="{_colour(0)}"/>',
            f'<text x="{left + length + 6:.1f}" y="{y + 16}">{escape(text)}</text>',
        ]
    return _svg(width, len(bars) * row, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" '
        f'style="font:11px system-ui,sans-serif;fill:{INK}">{"".join(parts)}</svg>'
    )


def _colour(index: int) -> str:
    return f"var(--c{index % len(PALETTE)}, {PALETTE[index % len(PALETTE)]})"


def _finite(x: NDArray[np.float64], y: NDArray[np.float64]) -> Series:
    good = np.isfinite(x) & np.isfinite(y)
    return np.asarray(x)[good], np.asarray(y)[good]


def _axes(curves: Sequence[Series]) -> tuple[_Axis, _Axis]:
    x, y = (np.concatenate([curve[i] for curve in curves]) for i in range(2))
    log = bool(y.min() > 0 and y.max() / y.min() > _LOG_FROM_RATIO)
    low, high = float(y.min()), float(y.max())
    if not log:
        low = min(low, 0.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    x_high = float(x.max()) if x.max() > x.min() else float(x.min()) + 1
    x_axis = _Axis(float(x.min()), x_high, _LEFT, _WIDTH - _RIGHT, False)
    return x_axis, _Axis(low, high, _HEIGHT - _BOTTOM, _TOP, log)


def _round_values(low: float, high: float) -> NDArray[np.float64]:
    rough = (high - low) / 4
    magnitude = 10.0 ** np.floor(np.log10(rough))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough)
    values: NDArray[np.float64] = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return values


def _grid(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for value in y_axis.ticks():
        y = float(y_axis(value))
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{FAINT}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    for value in x_axis.ticks():
        parts.append(
            f'<text x="{float(x_axis(value)):.1f}" y="{_HEIGHT - _BOTTOM + 14}" '
            f'text-anchor="middle">{value:.6g}</text>'
        )
    return parts


def _curves(series: Mapping[str, Series], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for index, (x, y) in enumerate(series.values()):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x_axis(x), y_axis(y), strict=True))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{_colour(index)}" '
            'stroke-width="1.6" stroke-linejoin="round"/>'
        )
    return parts


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    parts = []
    for index, name in enumerate(names):
        x, y = _LEFT + (index % 2) * 160, _HEIGHT + 18 + (index // 2) * _LEGEND_LINE
        parts.append(
            f'<rect x="{x}" y="{y - 8}" width="12" height="4" rx="2" fill="{_colour(index)}"/>'
            f'<text x="{x + 18}" y="{y - 2}">{escape(name)}</text>'
        )
    return parts, (len(names) + 1) // 2 * _LEGEND_LINE + 8
