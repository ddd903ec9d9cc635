"""Plots as static SVG: without scripts, each with a title and a description, in the colours of the stylesheet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 880
_ROW = 26
_LETTER, _DIGIT = 7, 8
"""Width of a letter and of a digit: more than the average of the fonts that a browser may take."""
_WIDEST_LABELS = 540
_WORDS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a bar plot. ``low`` and ``high``: its interval, if any. ``kind``: CSS class of its colour."""

    label: str
    value: float
    words: str
    kind: str = "accent"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A stacked column for a point in time. ``parts``: CSS class of the colour and value of each part."""

    label: str
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A share at a point in time, with its interval; None if there was nothing to measure."""

    label: str
    value: float | None
    low: float | None
    high: float | None


def bars(title: str, lines: Sequence[Bar]) -> str:
    """Return a plot of horizontal bars with their numbers."""
    highest = max([*(max(bar.value, bar.high or 0) for bar in lines), 1e-9])
    labels = min(_WIDEST_LABELS, max((len(bar.label) for bar in lines), default=0) * _LETTER + 10)
    room = _WIDTH - labels - max((len(bar.words) for bar in lines), default=0) * _DIGIT - 8
    parts = []
    for number, bar in enumerate(lines):
        top = number * _ROW + 4
        middle = top + 9
        width = max(1.0, bar.value / highest * room) if bar.value else 0.0
        parts.append(
            f'<text x="{labels - 10}" y="{top + 14}" text-anchor="end">{escape(_cut(bar.label, labels))}</text>'
        )
        parts.append(f'<rect class="{bar.kind}" x="{labels}" y="{top}" width="{width:.1f}" height="18" rx="2"/>')
        end = width
        if bar.low is not None and bar.high is not None:
            left, right = (labels + edge / highest * room for edge in (bar.low, bar.high))
            ends = "".join(f"M{edge:.1f} {top + 4}v10" for edge in (left, right))
            parts.append(f'<path class="interval" d="M{left:.1f} {middle}H{right:.1f}{ends}"/>')
            end = right - labels
        parts.append(f'<text class="quiet" x="{labels + end + 8:.1f}" y="{top + 14}">{escape(bar.words)}</text>')
    return _svg(title, "; ".join(f"{bar.label}: {bar.words}" for bar in lines), parts, len(lines) * _ROW + 4)


def columns(title: str, points: Sequence[Column], unit: str) -> str:
    """Return a plot of stacked columns over time."""
    height, left, bottom = 230, 52, 190
    highest = max([*(sum(value for _, value in point.parts) for point in points), 1])
    ticks = _ticks(highest)
    room = _WIDTH - left - 8
    step = room / max(1, len(points))
    parts = _grid(ticks, ticks[-1], left, bottom, 14)
    for number, point in enumerate(points):
        x = left + number * step
        y = float(bottom)
        for kind, value in point.parts:
            tall = value / ticks[-1] * (bottom - 14)
            y -= tall
            if value:
                parts.append(
                    f'<rect class="{kind}" x="{x + step * 0.12:.1f}" y="{y:.1f}" width="{step * 0.76:.1f}" '
                    f'height="{tall:.1f}"><title>{escape(point.label)}: {value} {kind}</title></rect>'
                )
    parts += _labels([point.label for point in points], left, step, bottom)
    description = (
        f"{len(points)} weeks from {points[0].label} to {points[-1].label}; at most {highest} {unit}"
        if points
        else unit
    )
    return _svg(title, description, parts, height)


def dots(title: str, points: Sequence[Dot], kind: str) -> str:
    """Return a plot of shares over time with their intervals, in per cent."""
    height, left, bottom = 200, 52, 160
    ticks = _ticks(100 * max([*((point.high or 0) for point in points), 0.001]))
    room = _WIDTH - left - 8
    step = room / max(1, len(points))
    parts = _grid(ticks, ticks[-1], left, bottom, 14, " %")
    line: list[str] = []
    for number, point in enumerate(points):
        if point.value is None or point.low is None or point.high is None:
            continue
        x = left + (number + 0.5) * step
        y, low, high = (
            bottom - 100 * value / ticks[-1] * (bottom - 14) for value in (point.value, point.low, point.high)
        )
        parts.append(f'<path class="interval" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
            f"<title>{escape(point.label)}: {point.value * 100:.2f} %</title></circle>"
        )
        line.append(f"{x:.1f} {y:.1f}")
    if len(line) > 1:
        parts.insert(len(ticks) * 2, f'<path class="line {kind}-line" d="M{"L".join(line)}"/>')
    parts += _labels([point.label for point in points], left, step, bottom)
    description = "; ".join(
        f"{point.label}: {'none' if point.value is None else f'{point.value * 100:.2f} %'}" for point in points
    )
    return _svg(title, description, parts, height)


def funnel(title: str, steps: Sequence[tuple[str, int]]) -> str:
    """Return a funnel plot: each step with its count and its share of the first step."""
    first = max(1, steps[0][1]) if steps else 1
    room, labels = _WIDTH - 300 - 190, 300
    parts = []
    for number, (label, value) in enumerate(steps):
        top = number * 40 + 4
        width = max(2.0, value / first * room) if value else 0.0
        parts.append(f'<text x="{labels - 10}" y="{top + 20}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<rect class="step" x="{labels}" y="{top}" width="{room}" height="30" rx="3"/>')
        parts.append(f'<rect class="accent" x="{labels}" y="{top}" width="{width:.1f}" height="30" rx="3"/>')
        parts.append(
            f'<text class="strong" x="{labels + room + 10}" y="{top + 20}">{value:,} <tspan class="quiet">'
            f"({value / first * 100:.2f} %)</tspan></text>"
        )
    return _svg(title, "; ".join(f"{label}: {value:,}" for label, value in steps), parts, len(steps) * 40 + 4)


def _svg(title: str, description: str, parts: Sequence[str], height: int) -> str:
    name = f"plot-{'-'.join(_WORDS.findall(title.lower()))}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _grid(ticks: Sequence[float], highest: float, left: int, bottom: int, top: int, unit: str = "") -> list[str]:
    parts = []
    for tick in ticks:
        y = bottom - tick / highest * (bottom - top)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{_WIDTH - 8}"/>')
        parts.append(f'<text class="quiet" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:,.4g}{unit}</text>')
    return parts


def _labels(labels: Sequence[str], left: int, step: float, bottom: int) -> list[str]:
    """Return as many labels as there is room for."""
    each = max(1, -(-len(labels) * 90 // (_WIDTH - left)))
    return [
        f'<text class="quiet" x="{left + (number + 0.5) * step:.1f}" y="{bottom + 20}" '
        f'text-anchor="middle">{escape(label)}</text>'
        for number, label in enumerate(labels)
        if number % each == 0 and left + (number + 0.5) * step + len(label) * _DIGIT / 2 < _WIDTH
    ]


def _ticks(highest: float) -> list[float]:
    """Return round numbers from zero to at least ``highest``."""
    size = 10.0 ** (len(str(int(highest))) - 1) if highest >= 1 else 0.1
    step = next((size * part for part in (0.25, 0.5, 1, 2, 2.5) if size * part * 5 >= highest), size * 2.5)
    ticks = [0.0]
    while ticks[-1] < highest:
        ticks.append(round(ticks[-1] + step, 6))
    return ticks


def _cut(text: str, labels: int) -> str:
    """Return a label, shortened to the room that there is."""
    room = (labels - 10) // _LETTER
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}…"
