"""Charts as SVG: speeds as geometric means beside a reference, and times to load modules."""

import math
from html import escape

# A hue for each engine; its variants are lighter.
KNOWN_HUES = {"catnap": "#2563a8", "wasmi": "#4a8f4a", "wasm3": "#6b6b6b"}
OTHER_HUES = ["#d9772b", "#8f4a8f", "#a8323e", "#2a8c8c", "#8a6d1f"]
GREY, GRID = "#666", "#ddd"
ROW = 18


def lighter(colour, step):
    """The colour of an engine's variant number `step`, which is 0 for the engine itself."""
    share = min(0.35 * step, 0.7)
    return "#" + "".join(f"{round(int(colour[i:i + 2], 16) * (1 - share) + 255 * share):02x}"
                         for i in (1, 3, 5))


def text(x, y, content, **attributes):
    extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(content)}</text>'


def line(x, top, bottom, colour, width=1):
    return f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def bar(x, y, width, height, colour):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" '
            f'fill="{colour}"/>')


def document(width, height, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}" font-family="sans-serif" font-size="12" '
        f'fill="#222">\n<rect width="{width}" height="{height:.0f}" fill="white"/>\n'
        + "\n".join(parts) + "\n</svg>\n"
    )


def variants(names):
    """The colour of each name: names with the same first word are one engine."""
    colours, hues, steps, others = {}, dict(KNOWN_HUES), {}, iter(OTHER_HUES * len(names))
    for name in names:
        engine = name.split()[0].rstrip(",").lower()
        if engine not in hues:
            hues[engine] = next(others)
        step = steps[engine] = steps.get(engine, -1) + 1
        colours[name] = lighter(hues[engine], step)
    return colours


class LogAxis:
    def __init__(self, left, width, low, high):
        self.left, self.width, self.low, self.high = left, width, math.log2(low), math.log2(high)

    def x(self, value):
        value = max(math.log2(value), self.low)
        return self.left + (value - self.low) / (self.high - self.low) * self.width


# ---- Speeds ----

WIDTH, PANEL, LABEL = 760, 364, 110


def fraction(power):
    return str(2**power) if power >= 0 else f"1/{2**-power}"


def speed_panel(left, top, title, means, colours):
    """Bars from 1 to the mean of each engine, on a range that the panel's own means need."""
    speeds = [speed for _, speed, _ in means]
    low = min(-1, math.floor(math.log2(min(speeds))))
    high = max(1, math.ceil(math.log2(max(speeds))))
    axis = LogAxis(left + LABEL, PANEL - LABEL - 40, 2.0**low, 2.0**high)
    first, bottom = top + 24, top + 24 + ROW * len(means)
    parts = [text(left, top + 10, title, font_weight="bold")]
    for power in range(low, high + 1):
        x = axis.x(2.0**power)
        parts.append(line(x, first - 4, bottom, "#222" if power == 0 else GRID,
                          1.5 if power == 0 else 1))
        parts.append(text(x, bottom + 13, f"{fraction(power)}×", text_anchor="middle",
                          font_size=10))
    for number, (name, speed, note) in enumerate(means):
        y = first + ROW * number
        one, end = axis.x(1), axis.x(speed)
        parts.append(text(left + LABEL - 8, y + 10, name, text_anchor="end"))
        parts.append(bar(min(one, end), y, abs(end - one), 13, colours[name]))
        parts.append(text(max(one, end) + 4, y + 10.5, f"{speed:.2f}{note}", font_size=10))
    return parts, bottom + 24


def time_panel(top, title, rows, colours):
    """Bars of milliseconds: for each (program, [(engine, milliseconds)]) a group."""
    most = max(time for _, times in rows for _, time in times)
    left, width = LABEL + 80, WIDTH - LABEL - 80 - 70
    parts, y = [text(0, top + 10, title, font_weight="bold")], top + 22
    for program, times in rows:
        parts.append(text(LABEL - 8, y + 10, program, text_anchor="end"))
        for name, time in times:
            parts.append(text(left - 8, y + 10, name, text_anchor="end"))
            parts.append(bar(left, y, time / most * width, 13, colours[name]))
            parts.append(text(left + max(time / most * width, 1) + 4, y + 10.5, f"{time:g} ms",
                              font_size=10))
            y += ROW
        y += 6
    return parts, y


def performance(reference, panels, startup):
    """The chart of speeds. `panels`: (title, [(engine, speed, note)]); `startup`: (program,
    [(engine, milliseconds)])."""
    names = [name for _, means in panels for name, _, _ in means]
    names += [name for _, times in startup for name, _ in times]
    colours = variants(dict.fromkeys(names))
    parts = [text(0, 14, "Speed, geometric means", font_weight="bold", font_size=15),
             line(236, 3, 17, "#222", 1.5),
             text(244, 14, f"{reference} = 1×; bars to the right are faster")]
    bottom = 30
    for number, (title, means) in enumerate(panels):
        drawn, end = speed_panel(number % 2 * (PANEL + 26), 30, title, means, colours)
        parts += drawn
        bottom = max(bottom, end)
    if startup:
        drawn, bottom = time_panel(bottom + 8, "Start-up, milliseconds (shorter is better)",
                                   startup, colours)
        parts += drawn
    return document(WIDTH + 24, bottom + 20, ['<g transform="translate(12 10)">', *parts, "</g>"])


def of_results(results):
    """The chart of what bench/run measured, or None when there is nothing to compare."""
    others = [engine for engine in results.engines if engine is not results.reference]
    panels, startup = [], []
    for kind, title in (("kernel", "Kernels"), ("program", "Real programs")):
        means = []
        for engine in others:
            speed, count = results.mean_speed(kind, engine)
            total = len(results.of_kind(kind))
            if speed is not None:
                note = "" if count == total else f" ({count} of {total})"
                means.append((engine.name, speed, note))
        if means:
            panels.append((title, means))
    for workload in results.of_kind("startup"):
        times = [(engine.name, round(results.time(workload, engine) * 1000))
                 for engine in results.engines if results.time(workload, engine) is not None]
        if times:
            startup.append((workload.name, times))
    return performance(results.reference.name, panels, startup) if panels else None


# ---- Loading ----


def duration(microseconds):
    value, unit = (microseconds, "µs") if microseconds < 1000 else (microseconds / 1000, "ms")
    return f"{round(value, 1 if unit == 'ms' and value < 10 else 0):g} {unit}"


def loading(names, rows):
    """The chart of times to load: (module, [microseconds or None for each name]) on one logarithmic
    axis."""
    colours, width, left, step = variants(names), 800, 165, 12
    times = [time for _, values in rows for time in values if time]
    low = 10.0 ** math.floor(math.log10(min(times)))
    high = max(times) * 2
    axis = LogAxis(left, width - left - 70, low, high)
    parts = [text(0, 14, "Time to load a module, one thread", font_weight="bold", font_size=15)]
    for number, name in enumerate(names):
        x, y = number % 3 * 200, 28 + number // 3 * 18
        parts += [bar(x, y, 12, 12, colours[name]), text(x + 18, y + 10, name)]
    top = y = 28 + (len(names) + 2) // 3 * 18 + 22
    bars = []
    for module, values in rows:
        middle = y + step * len(names) / 2 + 4
        bars.append(text(left - 8, middle, module, text_anchor="end"))
        for name, time in zip(names, values):
            end = axis.x(time) if time else left
            bars.append(bar(left, y, end - left, step - 2, colours[name]))
            bars.append(text(end + 4, y + 9, duration(time) if time else "failed", font_size=10))
            y += step
        y += 10
    tick = low
    while tick <= high:
        x = axis.x(tick)
        parts += [line(x, top - 4, y, GRID)]
        parts += [text(x, place, duration(tick), text_anchor="middle", font_size=10)
                  for place in (top - 8, y + 12)]
        tick *= 10
    parts.append(text(left, y + 28, "processor time, logarithmic axis; shorter is better",
                      fill=GREY))
    return document(width + 24, y + 56, ['<g transform="translate(12 12)">', *parts, *bars, "</g>"])
