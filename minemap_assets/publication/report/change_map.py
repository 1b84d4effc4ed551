"""The change map (paper, figure 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from minemap_assets.publication.report.style import FAINT, GAIN, GROUND, INK, LOSS, WIDTH, drawn, svg

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes

MOST_PANELS = 9
_ACROSS = 3

_ALONE = 4.4
"""Inches of a map of one region."""
_SIMPLER = 400.0
"""Outlines are drawn with so many steps across the map at most."""

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Panel:
    """A region's map: its title, its outline, and the change of its cells from the first to the last year, in square
    kilometres (NaN where no site of the cell was observed in two years that follow each other). `seen` is the part of
    each cell inside the region.
    """

    title: str
    outline: Any
    cells: "gpd.GeoDataFrame"


def change_map(panels: Sequence[Panel], boundaries: "gpd.GeoDataFrame | None") -> bytes:
    """SVG: a map for each region. A cell's triangle points up where mining grew and down where it shrank, and its area
    is in proportion to the change, with one scale for all; a small cross is a cell of which nothing can be said.
    """
    shown = panels[:MOST_PANELS]
    largest = max((float(np.nanmax(np.abs(p.cells["change_km2"]), initial=0.0)) for p in shown), default=0.0)
    rows = -(-len(shown) // _ACROSS)
    across = min(len(shown), _ACROSS)
    wide = WIDTH if across > 1 else _ALONE
    with drawn(wide, 0.6 + rows * (wide / across) * (0.78 if across > 1 else 0.7)) as drawing:
        axes = drawing.subplots(rows, across, squeeze=False).ravel()
        for panel, axis in zip(shown, axes, strict=False):
            _region(axis, panel, boundaries, largest)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        drawing.legend(handles=_legend(largest), loc="outside lower center", ncols=5 if across > 1 else 3, fontsize=7.5)
        return svg(drawing)


def _region(axis: "Axes", panel: Panel, boundaries: "gpd.GeoDataFrame | None", largest: float) -> None:
    from matplotlib.collections import LineCollection

    _ground(axis, panel.outline, boundaries)
    axis.set_title(panel.title)
    change = panel.cells["change_km2"].to_numpy(dtype=float)
    places = shapely.centroid(np.asarray(panel.cells["seen"], dtype=object))
    x, y = shapely.get_x(places), shapely.get_y(places)
    outlines = [shapely.get_coordinates(shape.exterior) for shape in panel.cells.geometry]
    axis.add_collection(LineCollection(outlines, colors=FAINT, linewidths=0.3))
    unknown = np.isnan(change)
    axis.scatter(x[unknown], y[unknown], marker="x", s=14, color=FAINT, linewidths=0.9)
    for more, mark, colour in ((change > 0.0, "^", GAIN), (change < 0.0, "v", LOSS)):
        sizes = _size(change[more], largest)
        axis.scatter(x[more], y[more], marker=mark, s=sizes, color=colour, edgecolors=INK, linewidths=0.5, zorder=3)
    still = change == 0.0
    axis.scatter(x[still], y[still], marker=".", s=10, color=INK)


def _size(change: Any, largest: float) -> Any:
    """Areas of marks in points squared."""
    return 8.0 + 170.0 * np.abs(change) / max(largest, 1e-9)


def _ground(axis: "Axes", outline: Any, boundaries: "gpd.GeoDataFrame | None") -> None:
    """Countries and the region, at the scale of the region; degrees along the edges."""
    west, south, east, north = view_of(outline)
    step = max(east - west, north - south) / _SIMPLER
    if boundaries is not None:
        frame = shapely.box(west, south, east, north)
        for shape in boundaries.geometry[boundaries.geometry.intersects(frame)]:
            _lines(axis, shapely.intersection(shape, frame).simplify(step), FAINT, 0.7, fill=GROUND)
    _lines(axis, outline.simplify(step), INK, 0.9)
    axis.set(xlim=(west, east), ylim=(south, north))
    axis.set_aspect(1.0 / max(np.cos(np.radians((south + north) / 2.0)), 0.05))
    axis.grid(visible=False)
    axis.locator_params(nbins=3)
    axis.tick_params(labelsize=6.5)
    axis.xaxis.set_major_formatter(lambda value, _: degrees_told(value, "W", "E"))
    axis.yaxis.set_major_formatter(lambda value, _: degrees_told(value, "S", "N"))


def degrees_told(value: float, below: str, above: str) -> str:
    """Degrees with the side of the world that they count to."""
    return f"{abs(value):.6g}°{below if value < 0.0 else above if value > 0.0 else ''}"


def _lines(axis: "Axes", shape: Any, colour: str, width: float, fill: str | None = None) -> None:
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        if fill is not None:
            axis.fill(*shapely.get_coordinates(part.exterior).T, color=fill, linewidth=0.0, alpha=0.5)
        for ring in shapely.get_rings(part):
            axis.plot(*shapely.get_coordinates(ring).T, color=colour, linewidth=width)


def view_of(outline: Any) -> Bounds:
    """Bounds with room around them, and never thinner than a third of their length."""
    west, south, east, north = outline.bounds
    side = max(east - west, north - south)
    wide, high = (max(length, side / 3.0) * 0.56 for length in (east - west, north - south))
    x, y = (west + east) / 2.0, (south + north) / 2.0
    return x - wide, y - high, x + wide, y + high


def _legend(largest: float) -> list[object]:
    from matplotlib.lines import Line2D

    def mark(kind: str, colour: str, label: str, change: float | None = None) -> Line2D:
        size = 6.0 if change is None else float(np.sqrt(_size(np.array(change), largest)))
        edge = FAINT if kind == "x" else INK
        style = {"marker": kind, "color": colour, "markeredgecolor": edge, "markersize": size, "markeredgewidth": 0.6}
        return Line2D([], [], linestyle="none", label=label, **style)  # type: ignore[arg-type]

    half = largest / 2.0
    return [
        mark("^", GAIN, f"+{largest:.3g} km²", largest),
        mark("^", GAIN, f"+{half:.3g} km²", half),
        mark("v", LOSS, f"\N{MINUS SIGN}{half:.3g} km²", half),
        mark(".", INK, "no change"),
        mark("x", FAINT, "not compared"),
    ]
