"""The agreement of metrics with the truth as one picture."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from giftune.io.atomic import atomic_path
from giftune.report.agreement import Agreement

TITLES = {
    "edits": "among all edits",
    "clip": "within a clip",
    "prompt": "within a prompt",
    "methods": "among methods",
}
_COLOURS = "RdBu"  # red: disagrees, blue: agrees
_PALE = 0.6  # numbers on darker cells than this are white


def heat_map(agreement: Agreement, path: Path) -> None:
    """Write a PNG: metrics by truths, a panel for each kind of ranks; bold: the interval leaves out 0."""
    kinds = [kind for kind in TITLES if any(found == kind for found, _, _ in agreement.found)]
    rows, columns = len(agreement.metrics), len(agreement.truths)
    size = (2.4 + len(kinds) * (0.5 * columns + 0.25), 1.7 + 0.27 * rows)
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axes, kind in zip(panels, kinds, strict=True):
            drawn = _panel(axes, agreement, kind)
        figure.colorbar(drawn, ax=list(panels), label="rank correlation with the truth", shrink=0.8, pad=0.01)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})


def table(agreement: Agreement, kind: str) -> np.ndarray:
    """Metrics by truths, NaN where there is no number."""
    return np.array(
        [
            [
                found.rho if (found := agreement.found.get((kind, metric, truth))) else np.nan
                for truth in agreement.truths
            ]
            for metric in agreement.metrics
        ]
    )


def _panel(axes: Axes, agreement: Agreement, kind: str) -> AxesImage:
    values = table(agreement, kind)
    drawn = axes.imshow(values, cmap=_COLOURS, vmin=-1, vmax=1, aspect="auto")
    for row, metric in enumerate(agreement.metrics):
        for column, truth in enumerate(agreement.truths):
            if (found := agreement.found.get((kind, metric, truth))) is None:
                continue
            ink = "white" if abs(found.rho) > _PALE else "black"
            weight = "bold" if found.excludes_zero else "normal"
            axes.text(column, row, f"{found.rho:+.2f}".replace("-", "−"), ha="center", va="center",
                      color=ink, weight=weight, fontsize=7)  # fmt: skip
    axes.set_title(TITLES[kind], fontsize=9)
    axes.set_xticks(
        range(len(agreement.truths)), agreement.truths, rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(agreement.metrics)), agreement.metrics)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return drawn
