"""An SVG of panels side by side, lines over a common x whose steps are even."""

import dataclasses
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 300, 190, 56, 40, 46  # pixels of a panel and around it
COLOURS = ["#222", "#b5532f", "#2f7d4f", "#3565a8", "#8a5aa8"]
TICKS = 4


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    x: str
    y: str
    lines: dict  # name: [(x, y), …], the same x in each


def nice(value):
    return f"{value:.3g}"


def panel_parts(panel, left):
    xs = sorted({x for line in panel.lines.values() for x, _ in line})
    top = max(y for line in panel.lines.values() for _, y in line) * 1.05
    step = WIDTH / max(1, len(xs) - 1)

    def at(x, y):
        return left + xs.index(x) * step, TOP + HEIGHT * (1 - y / top)

    yield f'<text x="{left + WIDTH / 2}" y="20" text-anchor="middle">{escape(panel.title)}</text>'
    for tick in range(TICKS + 1):
        y = TOP + HEIGHT * (1 - tick / TICKS)
        yield f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#ddd"/>'
        value = nice(top * tick / TICKS)
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>'
    for x in xs:
        across = left + xs.index(x) * step
        yield f'<text x="{across:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{x}</text>'
    below = TOP + HEIGHT + 34
    yield f'<text x="{left + WIDTH / 2}" y="{below}" text-anchor="middle">{escape(panel.x)}</text>'
    yield f'<text x="{left}" y="{TOP - 8}" text-anchor="middle">{escape(panel.y)}</text>'
    for colour, line in zip(COLOURS, panel.lines.values()):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (at(x, y) for x, y in sorted(line)))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def svg(panels):
    width = LEFT + len(panels) * (WIDTH + LEFT)
    height = TOP + HEIGHT + BOTTOM + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for i, panel in enumerate(panels):
        parts += panel_parts(panel, LEFT + i * (WIDTH + LEFT))
    across = LEFT
    for colour, name in zip(COLOURS, panels[0].lines):
        parts.append(f'<text x="{across}" y="{height - 8}" fill="{colour}">{escape(name)}</text>')
        across += 9 * len(name) + 24
    return "\n".join([*parts, "</svg>"]) + "\n"
