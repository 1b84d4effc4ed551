"""Charts of scores against thresholds (paper, figure 5), and of scores with their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from minemap_assets.publication.report.style import BREAK, INK, LOOKS, WIDTH, drawn, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWEPT = (
    ("accuracy", "Accuracy"),
    ("matthews", "Matthews correlation"),
    ("users_accuracy", "Precision (user's accuracy)"),
    ("false_positive_rate", "False positive rate"),
)
"""Measures of the sweep, as in the paper's figure 5."""

_POINT_LINES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (2, 2)))
_LEGEND_COLUMNS = 3

_ALONE = 4.6
"""Inches of a chart with a single panel."""

Points = Mapping[str, Sequence[float]]
"""Thresholds by the name of their operating point: one for each product."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores at each threshold (`threshold`, then a column for each score), named after a product."""

    name: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Score:
    """One score with its interval; None where there is too little ground for one."""

    name: str
    group: str
    value: float
    low: float | None
    high: float | None


def sweep_chart(swept: pd.DataFrame, others: Mapping[str, Mapping[str, float]], points: Points) -> bytes:
    """SVG: a panel for each measure; dots are the masks at each threshold, level lines the other maps (the ground truth
    and its parts), vertical lines the operating points.
    """
    with drawn(WIDTH, 4.3) as drawing:
        axes = drawing.subplots(2, 2).ravel()
        for (column, title), axis in zip(SWEPT, axes, strict=True):
            axis.set_title(title)
            axis.plot(
                swept["threshold"],
                swept[column],
                color=INK,
                marker="o",
                markersize=3.2,
                linewidth=0.8,
                label="masks at each threshold",
            )
            for (name, scores), look in zip(others.items(), LOOKS[1:], strict=False):
                if column in scores and scores[column] == scores[column]:
                    axis.axhline(scores[column], color=look.colour, linestyle=look.line, label=name, linewidth=1.6)
            _mark(axis, points)
            axis.set_xlim(0.0, 1.0)
        for axis in axes[2:]:
            axis.set_xlabel("Probability from which a pixel is mine")
        handles, labels = axes[0].get_legend_handles_labels()
        if handles:
            drawing.legend(handles, labels, loc="outside lower center", ncols=_LEGEND_COLUMNS, fontsize=7.5)
        return svg(drawing)


def held_out_chart(curves: Sequence[Curve], points: Mapping[str, Points]) -> bytes:
    """SVG: precision, recall and IoU at each threshold, a panel for each product, with its operating
    points.
    """
    with drawn(WIDTH if len(curves) > 1 else _ALONE, 2.7) as drawing:
        axes = drawing.subplots(1, len(curves), squeeze=False, sharey=True)[0]
        for curve, axis in zip(curves, axes, strict=False):
            axis.set_title(curve.name)
            for (column, label), look in zip(
                (("iou", "IoU"), ("precision", "Precision"), ("recall", "Recall")), LOOKS, strict=False
            ):
                axis.plot(
                    curve.rows["threshold"],
                    curve.rows[column],
                    color=look.colour,
                    linestyle=look.line,
                    marker=look.mark,
                    markevery=25,
                    label=label,
                )
            _mark(axis, points.get(curve.name, {}))
            axis.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xlabel="Probability from which a pixel is mine")
        columns = 5 if len(curves) > 1 else _LEGEND_COLUMNS
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
        return svg(drawing)


def scores_chart(
    scores: Sequence[Score], label: str, equal: float | None = None, ends: tuple[float, float] | None = None
) -> bytes:
    """SVG: a dot for each score with its 95 % interval, below each other; groups by colour and mark.

    `equal` draws a vertical line there, and `ends` are those of the axis.
    """
    groups = list(dict.fromkeys(score.group for score in scores))
    names = list(dict.fromkeys(score.name for score in scores))
    looks = dict(zip(groups, (LOOKS[n % len(LOOKS)] for n in range(len(groups))), strict=True))
    spread = 0.6 / max(len(groups), 1)
    with drawn(WIDTH, 0.9 + 0.28 * len(names) * max(1.0, 0.6 * len(groups))) as drawing:
        axis = drawing.subplots()
        for group in groups:
            look, told = looks[group], group or None
            for score in (one for one in scores if one.group == group):
                place = names.index(score.name) + (groups.index(group) - (len(groups) - 1) / 2.0) * spread
                if score.low is not None and score.high is not None:
                    axis.plot([score.low, score.high], [place, place], color=look.colour, linewidth=1.6)
                axis.plot([score.value], [place], look.mark, color=look.colour, label=told)
                told = None
        if equal is not None:
            axis.axvline(equal, color=BREAK, linestyle=(0, (4, 2)), linewidth=1.0)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xlabel(label)
        if ends is not None:
            axis.set_xlim(*ends)
        axis.grid(axis="y", visible=False)
        if any(groups):
            drawing.legend(loc="outside lower center", ncols=_LEGEND_COLUMNS)
        return svg(drawing)


def _mark(axis: "Axes", points: Points) -> None:
    """Vertical lines at the operating points, a style for each."""
    for (name, thresholds), line in zip(sorted(points.items()), _POINT_LINES, strict=False):
        for place, threshold in enumerate(thresholds):
            axis.axvline(threshold, color=BREAK, linewidth=1.3, linestyle=line, label=None if place else name)
