"""An SVG of figures against their bars, all on one scale: 1 is the bar, to the right is better."""

from html import escape

LABELS, BARS, ROW, TOP = 540, 330, 22, 34  # pixels
REACH = 2.0  # right end of the scale, in bars
MET, NOT_MET, INK = "#2f7d4f", "#b5532f", "#222"


def reached(figure):
    """How much of its bar a figure is; of an upper bar, the bar over the figure."""
    return figure.bar / figure.value if figure.at_most else figure.value / figure.bar


def row(figure, y):
    share, colour = reached(figure), MET if figure.met else NOT_MET
    width = min(share, REACH) / REACH * BARS
    upper = "at most " if figure.at_most else ""
    unit = figure.unit
    yield f'<text x="{LABELS - 8}" y="{y + 15}" text-anchor="end">{escape(figure.work)}</text>'
    yield f'<rect x="{LABELS}" y="{y + 4}" width="{width:.1f}" height="14" fill="{colour}"/>'
    yield (
        f'<text x="{LABELS + BARS + 8}" y="{y + 15}">{figure.value:.3g}{unit} '
        f"(bar {upper}{figure.bar:g}{unit})</text>"
    )


def svg(figures):
    height, middle = TOP + ROW * len(figures) + 8, LABELS + BARS / REACH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + BARS + 170}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<g fill="{INK}">',
        f'<text x="{middle}" y="18" text-anchor="middle">bar</text>',
    ]
    for i, figure in enumerate(figures):
        parts += row(figure, TOP + ROW * i - 8)
    parts += [
        "</g>",
        f'<path d="M{middle} 24V{height - 6}" stroke="{INK}" stroke-dasharray="3 3"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
