"""Drawings that belong into a page: its letters, its colours in light and dark, no name used twice."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Drawn in these, then replaced by what the page's theme says.
INK, MUTED, GOOD, BAD = "#010203", "#040506", "#070809", "#0a0b0c"
_THEME = {  # and what stands in for it elsewhere, in a notebook
    INK: "var(--ink, currentColor)",
    MUTED: "var(--line, #9aa0a8)",
    GOOD: "var(--good, #1f9e77)",
    BAD: "var(--bad, #d1583b)",
}
# Told apart by most eyes and visible on black and white (after Okabe and Ito 2008), then dashed.
COLOURS = ("#2f81d0", "#e08a1e", "#1f9e77", "#cc6aa0", "#8a6fd1", "#a38a00", "#2aa5bd", "#d1583b")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "giftune", "font.size": 10, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": MUTED,
    "grid.linewidth": 0.5, "grid.alpha": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "axes.formatter.useoffset": False, "text.parse_math": False,
}  # fmt: skip


class Canvas:
    """A figure of one drawing; `svg` is there when the `with` block has ended."""

    svg: str = ""

    @classmethod
    @contextmanager
    def draw(cls, name: str, width: float, height: float) -> Iterator[tuple["Canvas", Axes]]:
        """Axes of a figure of so many inches; `name` must be unique on the page."""
        canvas = cls()
        with rc_context(_STYLE):
            figure = Figure(figsize=(width, height), layout="constrained")
            FigureCanvasSVG(figure)
            yield canvas, figure.add_subplot()
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        canvas.svg = _adopt(buffer.getvalue(), name)


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def dashes(index: int) -> str | tuple[int, tuple[float, ...]]:
    return DASHES[index // len(COLOURS) % len(DASHES)]


def _adopt(svg: str, name: str) -> str:
    """Only the drawing, as wide as there is room, with identifiers of its own and the page's look."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(
        r' id="(?:figure|axes|patch|text|line2d|PathCollection|LineCollection|matplotlib)[^"]*"', "", svg
    )
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("DejaVu Sans", "inherit").replace("'inherit'", "inherit")
    for drawn, themed in _THEME.items():
        svg = svg.replace(drawn, themed)
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1).strip()
