"""The chart of series: area, number and mean size of mining polygons by year (paper, figures 3 and S1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from minemap_assets.publication.report.style import BREAK, INK, LOOKS, MOST, WIDTH, Look, drawn, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

PANELS = (("area_km2", "Area (km²)"), ("polygons", "Polygons"), ("mean_polygon_km2", "Mean size (km²)"))
"""Columns and titles of the panels."""


@dataclass(frozen=True)
class Truth:
    """What the ground truth holds of a series in the year that it describes, by panel."""

    year: int
    values: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Line:
    """One series: its name, its values by panel, indexed by year and NaN where nothing was observed, the years that may
    still change, and the ground truth. `low` and `high` are intervals of the first panel by year.
    """

    name: str
    values: pd.DataFrame
    provisional: frozenset[int] = frozenset()
    truth: Truth | None = None
    low: Mapping[int, float] = field(default_factory=dict)
    high: Mapping[int, float] = field(default_factory=dict)
    estimate: Mapping[int, float] = field(default_factory=dict)


def series_chart(lines: Sequence[Line], breaks: Sequence[int]) -> bytes:
    """SVG: a panel for each measure, a line for each series (`MOST` of them at most), and a legend below.

    Open marks are provisional. A cross is the ground truth. Grey vertical lines stand before a year in which the source
    or product changed. Bars are the 95 % intervals of estimates from labelled points.
    """
    shown = list(zip(lines[:MOST], LOOKS, strict=False))
    with drawn(WIDTH, 2.75) as drawing:
        axes = drawing.subplots(1, len(PANELS))
        for place, axis in zip(PANELS, axes, strict=True):
            _panel(axis, place, shown, breaks)
        drawing.legend(handles=_legend(shown, breaks), loc="outside lower center", ncols=4, fontsize=7.5)
        return svg(drawing)


def _panel(axis: "Axes", panel: tuple[str, str], shown: Sequence[tuple[Line, Look]], breaks: Sequence[int]) -> None:
    column, title = panel
    axis.set_title(title)
    years = sorted(
        {int(year) for line, _ in shown for year in line.values.index}
        | {line.truth.year for line, _ in shown if line.truth is not None}
    )
    for line, look in shown:
        _draw(axis, line, look, column)
    for year in breaks:
        axis.axvline(year - 0.5, color=BREAK, linewidth=1.0, linestyle=(0, (4, 2)))
    axis.set_ylim(bottom=0.0)
    top = axis.get_ylim()[1]
    axis.set_ylim(top=top * 1.06 if top > 0.0 else 1.0)
    if years:
        step = max(1, -(-len(years) // 6))
        axis.set_xticks(years[::step], [str(year) for year in years[::step]])
        axis.set_xlim(years[0] - 0.6, years[-1] + 0.6)


def _draw(axis: "Axes", line: Line, look: Look, column: str) -> None:
    values = line.values[column].astype(float)
    years = np.asarray(values.index, dtype=float)
    axis.plot(years, values.to_numpy(), color=look.colour, linestyle=look.line)
    open_ = np.array([int(year) in line.provisional for year in values.index], dtype=bool)
    for mask, fill in ((~open_, look.colour), (open_, "white")):
        axis.plot(
            years[mask],
            values.to_numpy()[mask],
            linestyle="none",
            marker=look.mark,
            markerfacecolor=fill,
            markeredgecolor=look.colour,
        )
    if line.truth is not None and column in line.truth.values:
        place = (line.truth.year, line.truth.values[column])
        axis.plot(*place, marker="x", markersize=8, markeredgewidth=3.4, color="white", linestyle="none", zorder=4)
        axis.plot(*place, marker="x", markersize=7, markeredgewidth=1.8, color=look.colour, linestyle="none", zorder=5)
    if column == PANELS[0][0]:
        for year, middle in line.estimate.items():
            ends = [[middle - line.low[year]], [line.high[year] - middle]]
            axis.errorbar([year + 0.15], [middle], yerr=ends, color=look.colour, capsize=3, marker="_", linewidth=1.2)


def _legend(shown: Sequence[tuple[Line, Look]], breaks: Sequence[int]) -> list[object]:
    from matplotlib.lines import Line2D

    handles: list[object] = [
        Line2D([], [], color=look.colour, linestyle=look.line, marker=look.mark, label=line.name)
        for line, look in shown
    ]
    if any(line.provisional for line, _ in shown):
        handles.append(_mark("o", "open: provisional", "white"))
    if any(line.truth is not None for line, _ in shown):
        handles.append(_mark("x", "ground truth"))
    if any(line.estimate for line, _ in shown):
        handles.append(_mark("|", "estimate, 95 % interval"))
    if breaks:
        handles.append(Line2D([], [], color=BREAK, linestyle=(0, (4, 2)), label="the source changes"))
    return handles


def _mark(kind: str, label: str, fill: str = INK) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=INK,
        linestyle="none",
        marker=kind,
        markersize=6,
        markeredgewidth=1.4,
        markerfacecolor=fill,
        label=label,
    )
