"""Line charts as SVG, written by hand: logarithmic on the horizontal axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 44
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers, too

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        title: What it shows.
        across: What the horizontal axis means.
        lines: Points by what their line is called.
        top: Highest value of the vertical axis.
    """

    title: str
    across: str
    lines: Mapping[str, Points]
    top: float


def svg(charts: Sequence[Chart]) -> str:
    """Draw charts side by side."""
    drawn = (
        f'<g transform="translate({number * WIDTH} 0)">{_chart(chart)}</g>'
        for number, chart in enumerate(charts)
    )
    width = WIDTH * len(charts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" '
        f'width="{width}" height="{HEIGHT}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _chart(chart: Chart) -> str:
    """Draw one chart."""
    values = sorted({x for points in chart.lines.values() for x, _ in points})
    low, high = math.log10(values[0]), math.log10(values[-1])

    def across(x: float) -> float:
        return LEFT + (math.log10(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - y / chart.top * (HEIGHT - TOP - BOTTOM)

    parts = [_text(WIDTH / 2, 18, chart.title, anchor="middle", weight="bold")]
    for step in range(5):
        y = chart.top * step / 4
        parts.append(
            f'<path d="M{LEFT} {up(y):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            + _text(LEFT - 6, up(y) + 4, f"{y:g}", anchor="end")
        )
    parts += [_text(across(x), HEIGHT - 26, f"{x:,.0f}", anchor="middle") for x in values]
    parts.append(_text(WIDTH / 2, HEIGHT - 8, chart.across, anchor="middle"))
    for number, (name, points) in enumerate(chart.lines.items()):
        colour = COLOURS[number]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>'
            for x, y in points
        ]
        parts.append(_text(LEFT + 8, TOP + 4 + 14 * number, name, colour=colour))
    return "".join(parts)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "", colour: str = "#222"
) -> str:
    """Write a text."""
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{bold}>{text}</text>'
    )
