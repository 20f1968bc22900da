# SPDX-License-Identifier: Apache-2.0
"""bench.svg: what recording adds to a pair of calls over the depth of the stack, and the CPU of
programs as a multiple of what they need bare. Logarithmic; a whisker reaches from the least round
to the greatest."""
import html
import math

from figures import number_text

COLOURS = {"development": "#0b6e4f", "analysis": "#45a17a", "production": "#96d1b4",
           "off": "#9a9a9a", "heaptrack": "#c8553d", "lttng": "#3d6fb6", "helgrind": "#8a4fbf",
           "dhat": "#c58b1b", "tsan": "#5a4a42"}
LEFT, WIDTH, PANEL_HEIGHT, BAR = 70, 860, 230, 11
LEAST_ADDED = 0.1


class Axis:
    """Logarithmic from `low` to `high`, drawn from `start` to `end`."""

    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def place(self, value):
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, steps=(1,)):
        exponent = math.floor(math.log10(self.low))
        while 10 ** exponent <= self.high:
            for step in steps:
                if self.low <= step * 10 ** exponent <= self.high * 1.0001:
                    yield step * 10 ** exponent
            exponent += 1


def text(x, y, words, anchor="start", size=11, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}">{html.escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"/>')


def depths(results, loop):
    """[(depth, variant)] of the loop in one thread."""
    return [(int(variant.split()[1].rstrip(",")), variant) for name, variant in results.samples
            if name == loop and variant.endswith("1 thread")]


def curve(results, recorder, loop, across, axis):
    parts, points, colour = [], [], COLOURS[recorder.name]
    for x, (_, variant) in zip(across, depths(results, loop)):
        spread = results.spread(loop, variant, recorder.name, "cpu_added")
        if spread:
            y = axis.place(spread.median)
            points.append(f"{x:.1f},{y:.1f}")
            parts.append(line(x, axis.place(spread.low), x, axis.place(spread.high), colour))
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
    if points:
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" '
                     'stroke-width="1.5"/>')
    return parts


def loop_panel(results, used, loop, limit, left, top, width):
    """CPU added to a pair over the depth; a dashed line where the budget is."""
    axis = Axis(LEAST_ADDED, 30000, top + PANEL_HEIGHT - 40, top + 25)
    found = depths(results, loop)
    across = [left + width * (number + 0.5) / max(1, len(found)) for number in range(len(found))]
    parts = [text(left, top + 12, f"{loop}: CPU added to a pair, ns (one thread)", weight="bold")]
    for tick in axis.ticks():
        y = axis.place(tick)
        parts += [line(left, y, left + width, y, "#dddddd"),
                  text(left - 6, y + 4, number_text(tick), "end", 10)]
    y = axis.place(limit)
    parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" '
                 'stroke="#0b6e4f" stroke-dasharray="5 4"/>')
    parts.append(text(left + 4, y - 4, f"budget {limit} ns", size=10))
    for x, (depth, _) in zip(across, found):
        parts.append(text(x, top + PANEL_HEIGHT - 22, f"depth {depth}", "middle", 10))
    for recorder in used:
        if recorder.name in COLOURS:
            parts += curve(results, recorder, loop, across, axis)
    return parts


def bar(results, place, recorder, axis, y):
    """The program's own CPU in full colour, that of the writer behind it."""
    spread = results.spread(*place, recorder.name, "cpu_ratio")
    if not spread:
        return []
    whole = results.spread(*place, recorder.name, "total_ratio") or spread
    zero, own, total = axis.place(1), axis.place(spread.median), axis.place(whole.median)
    parts = []
    for end, opacity in ((total, 0.35), (own, 1)):
        parts.append(f'<rect x="{min(zero, end):.1f}" y="{y}" width="{abs(end - zero) + 0.5:.1f}" '
                     f'height="{BAR - 2}" fill="{COLOURS[recorder.name]}" opacity="{opacity}"/>')
    middle = y + BAR / 2 - 1
    parts.append(line(axis.place(spread.low), middle, axis.place(spread.high), middle, "#222222"))
    label = f"{spread.median:.2f}" + (f" ({whole.median:.2f})" if whole is not spread else "")
    right = max(zero, own, total, axis.place(spread.high))
    parts.append(text(right + 5, y + BAR - 3, label, size=9))
    return parts


def program_panel(results, used, top):
    """A group of bars for each program; gives the parts and the height."""
    shown = [recorder for recorder in used if recorder.name in COLOURS and not recorder.micro_only]
    places = [place for place in results.samples if place[0] not in ("malloc", "mutex")]
    axis, parts = Axis(0.8, 20, LEFT + 60, LEFT + WIDTH - 60), []
    height = sum(BAR * len(shown) + 12 for _ in places)
    if not places:
        return [], 0
    parts.append(text(LEFT, top + 12, "Programs: CPU as a multiple of bare "
                      "(pale, in brackets: with the writer)", weight="bold"))
    for tick in axis.ticks((1, 2, 5)):
        x = axis.place(tick)
        parts += [line(x, top + 22, x, top + 26 + height, "#dddddd"),
                  text(x, top + 40 + height, f"x{tick:g}", "middle", 10)]
    y = top + 28
    for place in places:
        parts.append(text(LEFT + 52, y + BAR * len(shown) / 2 + 4, " ".join(place).strip(), "end"))
        for recorder in shown:
            parts += bar(results, place, recorder, axis, y)
            y += BAR
        y += 12
    return parts, height + 60


def legend(used, top):
    parts, x = [], LEFT
    for recorder in used:
        if recorder.name in COLOURS:
            parts.append(f'<rect x="{x}" y="{top}" width="10" height="10" '
                         f'fill="{COLOURS[recorder.name]}"/>')
            parts.append(text(x + 14, top + 9, recorder.title, size=10))
            x += 24 + 5.2 * len(recorder.title)
    return parts


def write(path, results, used):
    parts, top = legend(used, 12), 40
    half = WIDTH / 2 - 40
    if any(depths(results, loop) for loop in ("malloc", "mutex")):
        parts += loop_panel(results, used, "malloc", 20, LEFT, top, half)
        parts += loop_panel(results, used, "mutex", 15, LEFT + WIDTH / 2 + 30, top, half)
        top += PANEL_HEIGHT + 10
    programs, height = program_panel(results, used, top)
    parts += programs
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" '
                   f'height="{top + height}" font-family="sans-serif" fill="#222222">\n'
                   '<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts)
                   + "\n</svg>\n")
