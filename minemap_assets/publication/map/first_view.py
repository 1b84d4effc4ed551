"""The picture of the map for whoever looks at the asset: borders, and each site by its first year."""

import json
import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.map.building import BORDERS_JSON, MAP_JSON, SITES_JSON
from minemap_assets.publication.map.site_columns import places_of

if TYPE_CHECKING:
    from PIL import ImageDraw

WIDTH, HEIGHT = 540, 330

_RAMP = ((59, 15, 112), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
_INK, _LAND, _WATER, _BORDER, _UNKNOWN = "#1f2937", "#f6f4ef", "#dfe7ec", "#77808c", "#b6bcc4"
_MARGIN, _FOOT = 30, 44
_ROOM = 0.02
"""Degrees around a single site, at least."""


def first_view(partition: Partition) -> bytes:
    """WebP of the sites of a made map; the larger a dot, the more is mapped there in the last year."""
    from PIL import Image, ImageDraw

    told, borders = _read(partition, MAP_JSON), _read(partition, BORDERS_JSON)
    sites = _read(partition, SITES_JSON)
    places = places_of(sites)
    picture = Image.new("RGB", (WIDTH, HEIGHT), _WATER)
    draw = ImageDraw.Draw(picture)
    frame = _Frame(places)
    for feature in borders["features"]:
        for ring in _rings(feature["geometry"]):
            draw.polygon([frame.place(*point[:2]) for point in ring], fill=_LAND, outline=_BORDER)
    for place, first, km2 in zip(places, sites["first"], sites["km2"][-1], strict=True):
        x, y = frame.place(*place)
        size = 3.0 + 2.0 * math.sqrt(km2 or 0.0)
        colour = _UNKNOWN if first is None else _colour(first, told["years"])
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colour, outline=_INK)
    _legend(draw, told["years"], len(places))
    buffer = BytesIO()
    picture.save(buffer, format="WEBP", quality=85)
    return buffer.getvalue()


class _Frame:
    """Where places lie in the picture: all sites fit, and degrees are as wide as they are high on their latitude."""

    def __init__(self, places: list[tuple[float, float]]) -> None:
        xs, ys = [x for x, _ in places] or [-180.0, 180.0], [y for _, y in places] or [-60.0, 75.0]
        self._middle = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
        self._shrink = max(0.2, math.cos(math.radians(self._middle[1])))
        wide, high = max(max(xs) - min(xs), _ROOM) * self._shrink, max(max(ys) - min(ys), _ROOM)
        self._scale = min((WIDTH - 2 * _MARGIN) / wide, (HEIGHT - 2 * _MARGIN - _FOOT) / high)

    def place(self, longitude: float, latitude: float) -> tuple[float, float]:
        x = WIDTH / 2 + (longitude - self._middle[0]) * self._shrink * self._scale
        return x, (HEIGHT - _FOOT) / 2 - (latitude - self._middle[1]) * self._scale


def _rings(geometry: dict[str, Any]) -> list[list[list[float]]]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [polygon[0] for polygon in polygons]


def _colour(year: int, years: list[int]) -> tuple[int, int, int]:
    place = (min(max(year, years[0]), years[-1]) - years[0]) / max(1, years[-1] - years[0]) * (len(_RAMP) - 1)
    low = min(int(place), len(_RAMP) - 2)
    red, green, blue = (round(a + (b - a) * (place - low)) for a, b in zip(_RAMP[low], _RAMP[low + 1], strict=True))
    return red, green, blue


def _legend(draw: "ImageDraw.ImageDraw", years: list[int], sites: int) -> None:
    draw.rectangle((0, HEIGHT - _FOOT, WIDTH, HEIGHT), fill="white")
    draw.text((10, HEIGHT - _FOOT + 4), f"{sites} sites by their first year of mining", fill=_INK)
    step = min(54, (WIDTH - 20) // len(years))
    for place, year in enumerate(years):
        left, top = 10 + place * step, HEIGHT - 20
        draw.rectangle((left, top, left + 11, top + 11), fill=_colour(year, years), outline=_INK)
        draw.text((left + 15, top), str(year), fill=_INK)


def _read(partition: Partition, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(partition.file(name).read_text(encoding="utf-8"))
    return value
