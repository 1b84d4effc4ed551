"""The two small charts of a site's page, written as SVG by hand: a report may have thousands of them, and a drawing by
matplotlib takes a hundred times as long.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import shapely

from minemap_assets.publication.report.change_map import degrees_told, view_of
from minemap_assets.publication.report.style import BREAK, FAINT, GROUND, INK, LOOKS, LOSS

if TYPE_CHECKING:
    import geopandas as gpd

_FONT = 11
_MOST_YEARS = 9
"""Years that are written below the axis."""

_STEPS = 250.0
"""Outlines are drawn with so many steps across the map at most."""

_STAR = tuple(
    (math.sin(math.pi * n / 5.0) * radius, -math.cos(math.pi * n / 5.0) * radius)
    for n, radius in enumerate([9.0, 3.8] * 5)
)


@dataclass(frozen=True)
class _Frame:
    """A chart of `wide` x `high` pixels, whose axes lie in the box `left` to `right`, `top` to `bottom`, and what they
    span.
    """

    wide: int
    high: int
    left: float
    top: float
    right: float
    bottom: float
    x_span: tuple[float, float]
    y_span: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_span
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_span
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


def area_chart(areas: Mapping[int, float | None], provisional: Collection[int], breaks: Sequence[int]) -> bytes:
    """SVG: mapped area (square kilometres) by year, a gap where nothing was observed.

    Open marks are provisional, dashed lines stand before a year in which the source or product changed.
    """
    years = sorted(areas)
    known = {year: area for year in years if (area := areas[year]) is not None}
    first, last = (years[0], years[-1]) if years else (0, 1)
    ticks = _ticks(max(known.values(), default=0.0))
    frame = _Frame(430, 185, 46.0, 24.0, 422.0, 160.0, (first - 0.5, last + 0.5), (0.0, ticks[-1]))
    return _svg(frame, [*_area_axes(frame, years, ticks), *_area_line(frame, years, known, provisional, breaks)])


class Locator:
    """Draws where in its region and among the countries a site lies; the ground is drawn once for the region."""

    def __init__(self, outline: Any, boundaries: "gpd.GeoDataFrame | None") -> None:
        west, south, east, north = view_of(outline)
        stretch = 1.0 / max(math.cos(math.radians((south + north) / 2.0)), 0.05)
        scale = 150.0 / max(east - west, (north - south) * stretch)
        right, bottom = 58.0 + (east - west) * scale, 8.0 + (north - south) * stretch * scale
        span = (west, east), (south, north)
        self._frame = _Frame(round(right) + 14, round(bottom) + 24, 58.0, 8.0, right, bottom, *span)
        self._ground = list(self._drawn(outline, boundaries))

    def svg(self, longitude: float, latitude: float) -> bytes:
        """The map with a star at the site (EPSG:4326)."""
        x, y = self._frame.x(longitude), self._frame.y(latitude)
        star = " ".join(f"{x + right:.1f},{y + down:.1f}" for right, down in _STAR)
        return _svg(self._frame, [*self._ground, f'<polygon points="{star}" fill="{LOSS}" stroke="{INK}"/>'])

    def _drawn(self, outline: Any, boundaries: "gpd.GeoDataFrame | None") -> Iterator[str]:
        frame = self._frame
        (west, east), (south, north) = frame.x_span, frame.y_span
        step = max(east - west, north - south) / _STEPS
        if boundaries is not None:
            seen = shapely.box(west, south, east, north)
            for shape in boundaries.geometry[boundaries.geometry.intersects(seen)]:
                path = self._path(shapely.intersection(shape, seen).simplify(step))
                yield f'<path d="{path}" fill="{GROUND}" fill-opacity="0.5" fill-rule="evenodd" stroke="{FAINT}"/>'
        yield f'<path d="{self._path(outline.simplify(step))}" fill="none" stroke="{INK}"/>'
        yield f'<path d="M{frame.left:.1f},{frame.top:.1f}V{frame.bottom:.1f}H{frame.right:.1f}" class="a"/>'
        for value in _inside(west, east):
            yield _text(frame.x(value), frame.bottom + 15.0, degrees_told(value, "W", "E"), "middle")
        for value in _inside(south, north):
            yield _text(frame.left - 5.0, frame.y(value) + 4.0, degrees_told(value, "S", "N"), "end")

    def _path(self, shape: Any) -> str:
        rings = [ring for part in shapely.get_parts(shape) if part.geom_type == "Polygon" for ring in _rings(part)]
        drawn = ["L".join(f"{self._frame.x(x):.1f},{self._frame.y(y):.1f}" for x, y in ring[:-1]) for ring in rings]
        return "".join(f"M{ring}Z" for ring in drawn)


def _rings(part: Any) -> list[Any]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(part)]


def _area_axes(frame: _Frame, years: Sequence[int], ticks: Sequence[float]) -> Iterator[str]:
    yield _text(frame.left, 13.0, "Area (km²)", "start", "b")
    for value in ticks:
        y = frame.y(value)
        yield f'<path d="M{frame.left:.1f},{y:.1f}H{frame.right:.1f}" class="g"/>'
        yield _text(frame.left - 6.0, y + 4.0, f"{value:g}", "end")
    yield f'<path d="M{frame.left:.1f},{frame.top:.1f}V{frame.bottom:.1f}H{frame.right:.1f}" class="a"/>'
    for year in years[:: max(1, -(-len(years) // _MOST_YEARS))]:
        yield _text(frame.x(year), frame.bottom + 16.0, str(year), "middle")


def _area_line(
    frame: _Frame,
    years: Sequence[int],
    known: Mapping[int, float],
    provisional: Collection[int],
    breaks: Sequence[int],
) -> Iterator[str]:
    for year in breaks:
        if years and years[0] < year <= years[-1]:
            x = frame.x(year - 0.5)
            yield f'<path d="M{x:.1f},{frame.top:.1f}V{frame.bottom:.1f}" stroke="{BREAK}" stroke-dasharray="5 3"/>'
    colour = LOOKS[0].colour
    for before, after in pairwise(years):
        if before in known and after in known:
            ends = [f"{frame.x(year):.1f},{frame.y(known[year]):.1f}" for year in (before, after)]
            yield f'<path d="M{ends[0]}L{ends[1]}" stroke="{colour}" stroke-width="1.6"/>'
    for year, area in known.items():
        fill = "#fff" if year in provisional else colour
        at = f'cx="{frame.x(year):.1f}" cy="{frame.y(area):.1f}"'
        yield f'<circle {at} r="3.4" fill="{fill}" stroke="{colour}" stroke-width="1.4"/>'


def _ticks(top: float, about: int = 4) -> list[float]:
    """Round numbers from zero to above `top`."""
    if top <= 0.0:
        return [0.0, 1.0]
    step = _step(top / about)
    return [round(n * step, 9) for n in range(math.floor(top * 1.02 / step) + 2)]


def _inside(low: float, high: float) -> list[float]:
    """One to three round numbers between both."""
    step = _step((high - low) / 3.0)
    return [round(n * step, 9) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _step(size: float) -> float:
    """The round number next above a size: 1, 2 or 5 of a power of ten."""
    power = 10.0 ** math.floor(math.log10(size))
    return float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= size * (1.0 - 1e-9)))


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    bold = ' class="b"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{bold}>{words}</text>'


def _svg(frame: _Frame, parts: Sequence[str]) -> bytes:
    size = f'width="{frame.wide}" height="{frame.high}" viewBox="0 0 {frame.wide} {frame.high}"'
    style = (
        f"text{{font:{_FONT}px DejaVu Sans,Helvetica,Arial,sans-serif;fill:{INK}}}.b{{font-weight:bold}}"
        f".a{{stroke:{INK};fill:none}}.g{{stroke:{GROUND}}}path{{stroke-linejoin:round}}"
    )
    body = "".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{body}</svg>'.encode()
