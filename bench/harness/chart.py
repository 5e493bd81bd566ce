"""The speeds as an SVG chart: a bar from 1 (the reference) to the right when faster, to the left
when slower, on a logarithmic axis."""

import math
from html import escape

from .report import TITLES

COLOURS = ["#2563a8", "#d9772b", "#4a8f4a", "#8f4a8f", "#a8323e", "#6b6b6b"]
WIDTH, LEFT, RIGHT = 900, 170, 60
BAR, GAP = 11, 8


def rows(results, kind, engines):
    """(label, [speed of each engine]), the geometric mean first."""
    yield "geometric mean", [results.mean_speed(kind, engine)[0] for engine in engines]
    for workload in results.of_kind(kind):
        yield workload.name, [results.speed(workload, engine) for engine in engines]


class Axis:
    """Powers of two from a half of the reference's speed, or what the data need, upwards."""

    def __init__(self, speeds):
        self.low = min(-1, math.floor(math.log2(min(speeds))))
        self.high = max(1, math.ceil(math.log2(max(speeds))))

    def x(self, speed):
        share = (math.log2(speed) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        return [2.0**power for power in range(self.low, self.high + 1)]


def text(x, y, content, **attributes):
    extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(content)}</text>'


def bar(axis, y, speed, colour):
    one, end = axis.x(1), axis.x(speed)
    left, width = min(one, end), max(abs(end - one), 1)
    label = {"text_anchor": "start"} if end >= one else {"text_anchor": "end"}
    return [
        f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
        text(end + (4 if end >= one else -4), y + BAR - 1.5, f"{speed:.2f}", font_size=10,
             **label),
    ]


def panel(results, kind, engines, axis, top):
    """One group of rows; returns its elements and where it ends."""
    parts = [text(LEFT, top + 14, TITLES[kind], font_weight="bold", font_size=14)]
    y = start = top + 26
    for label, speeds in rows(results, kind, engines):
        height = BAR * len(engines)
        weight = "bold" if label == "geometric mean" else "normal"
        parts.append(text(LEFT - 8, y + height / 2 + 4, label, text_anchor="end",
                          font_weight=weight))
        for number, speed in enumerate(speeds):
            place = y + BAR * number
            if speed is None:
                parts.append(text(axis.x(1) + 4, place + BAR - 1.5, "failed", font_size=10,
                                  fill="#777"))
            else:
                parts += bar(axis, place, speed, COLOURS[number % len(COLOURS)])
        y += height + GAP
    grid = []
    for tick in axis.ticks():
        x, colour = axis.x(tick), "#222" if tick == 1 else "#ddd"
        grid.append(f'<path d="M{x:.1f} {start - 4}V{y}" stroke="{colour}"/>')
        grid.append(text(x, y + 12, f"{tick:g}×", text_anchor="middle", font_size=10))
    return grid + parts, y + 30


def svg(results):
    """The whole chart, or None when there is nothing to compare."""
    engines = [engine for engine in results.engines if engine is not results.reference]
    speeds = [results.speed(workload, engine) for workload in results.workloads
              for engine in engines]
    speeds = [speed for speed in speeds if speed is not None]
    if not speeds:
        return None
    axis = Axis(speeds)
    title = f"Speed as a multiple of {results.reference.name}'s (longer to the right is faster)"
    parts = [text(16, 22, title, font_weight="bold", font_size=15)]
    for number, engine in enumerate(engines):
        x = 16 + 150 * number
        parts.append(f'<rect x="{x}" y="34" width="12" height="12" '
                     f'fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(text(x + 17, 44, engine.name))
    y = 60
    for kind in results.kinds():
        elements, y = panel(results, kind, engines, axis, y)
        parts += elements
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'height="{y}" font-family="sans-serif" font-size="12" fill="#222">\n'
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
