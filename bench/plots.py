"""Line plots as SVG, with nothing but text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.results import Plot

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 172, 44, 56
COLOURS = ("#b45309", "#9333ea", "#64748b", "#0369a1", "#15803d")
BILL_E_COLOUR = "#dc2626"
TICKS = 5


def svg(plot: Plot) -> str:
    """Draw a plot: axes with ticks, a line with its points for each series, names at the right."""
    points = [point for _, line in plot.lines for point in line]
    across = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, log=plot.log_x)
    upward = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP, log=plot.log_y, from_zero=not plot.log_y)
    colours = iter(COLOURS)
    parts = [
        _text(LEFT, 24, plot.title, size=16, weight="bold"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, plot.x_label, anchor="middle"),
        _text(16, (TOP + HEIGHT - BOTTOM) / 2, plot.y_label, anchor="middle", turned=True),
        *(_tick_across(across.place(value), value) for value in across.ticks),
        *(_tick_upward(upward.place(value), value) for value in upward.ticks),
    ]
    # What is drawn last is on top.
    for row, (name, line) in sorted(enumerate(plot.lines), key=lambda each: each[1][0] == "Bill-E"):
        colour = BILL_E_COLOUR if name == "Bill-E" else next(colours)
        placed = [(across.place(x), upward.place(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in placed]
        parts.append(_text(WIDTH - RIGHT + 16, TOP + 16 + 20 * row, name, fill=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'role="img" aria-label="{escape(plot.title)}">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


class _Axis:
    """Maps values to pixels, and knows where its ticks are."""

    def __init__(
        self, values: Sequence[float], start: float, end: float, *, log: bool, from_zero: bool = False
    ) -> None:
        self._log, self._start, self._end = log, start, end
        low, high = min(values), max(values)
        if log:
            exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            self.ticks = [10.0**exponent for exponent in exponents]
            self._low, self._high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
        else:
            step = _round_step((high - (0 if from_zero else low)) / TICKS)
            first = 0 if from_zero else math.floor(low / step)
            self.ticks = [step * number for number in range(first, math.ceil(high / step) + 1)]
            self._low, self._high = self.ticks[0], self.ticks[-1]

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        position = math.log10(value) if self._log else value
        share = (position - self._low) / ((self._high - self._low) or 1)
        return self._start + share * (self._end - self._start)


def _round_step(rough: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough or 1))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= (rough or 1))


def _tick_across(x: float, value: float) -> str:
    line = f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e2e8f0"/>'
    return line + _text(x, HEIGHT - BOTTOM + 18, _label(value), anchor="middle")


def _tick_upward(y: float, value: float) -> str:
    line = f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e2e8f0"/>'
    return line + _text(LEFT - 8, y + 4, _label(value), anchor="end")


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 12,
    weight: str = "normal",
    fill: str = "#1e293b",
    turned: bool = False,
) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{fill}"{turn}>{escape(text)}</text>'
    )
