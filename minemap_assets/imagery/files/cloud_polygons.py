"""Cloud masks that are outlines rather than pixels: `MSK_CLOUDS_B00.gml` of Level-1C before baseline 04.00.

Source: Sentinel-2 Products Specification Document, vector masks: polygons of the types OPAQUE and CIRRUS in the tile's
own UTM zone; a tile without cloud has none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.addresses import shown
from minemap_assets.imagery.files.plain_xml import read_xml
from minemap_assets.imagery.files.zip_members import open_bytes

SUFFIX = ".gml"

_EPSG = re.compile(r"EPSG:(?:[\d.]*:)?(\d{4,6})$")
_DIMENSIONS = (2, 3)

Ring = npt.NDArray[np.float64]
"""x and y of the corners (corner, 2)."""


@dataclass(frozen=True, eq=False)
class CloudPolygons:
    """Outlines of clouds, each with its holes behind it, in the CRS of an EPSG code; None where there are none."""

    epsg: int | None
    polygons: tuple[tuple[Ring, ...], ...]


def read_polygons(path: str) -> CloudPolygons:
    """The outlines in a file, given by GDAL's address for it. Raises `BadInputError` naming it."""
    name = shown(path)
    with open_bytes(path) as handle:
        root = read_xml(handle, name)
    if root.tag != "Mask":
        raise BadInputError(f"{name} is no cloud mask of a Sentinel-2 product; fetch it again")
    polygons = tuple(tuple(_rings(polygon, name)) for polygon in root.iter("Polygon"))
    codes = {match[1] for element in root.iter() if (match := _EPSG.search(element.get("srsName", "")))}
    if polygons and len(codes) != 1:
        raise BadInputError(f"{name} does not say in which CRS its clouds lie; fetch it again")
    return CloudPolygons(int(codes.pop()) if polygons else None, polygons)


def hidden_by_polygons(path: str, grid: GeoBox) -> npt.NDArray[np.bool_]:
    """Where the outlines in a file cover the centre of a pixel of a grid. Raises `BadInputError` naming the file."""
    from pyproj import Transformer
    from rasterio.features import rasterize

    found = read_polygons(path)
    hidden = np.zeros(grid.shape, dtype=np.uint8)
    if found.epsg is None:
        return hidden.astype(np.bool_)
    onto = Transformer.from_crs(f"EPSG:{found.epsg}", str(grid.crs), always_xy=True)
    bounds = grid.boundingbox
    shapes = []
    for polygon in found.polygons:
        rings = [np.stack(onto.transform(ring[:, 0], ring[:, 1]), axis=1) for ring in polygon]
        low, high = rings[0].min(axis=0), rings[0].max(axis=0)
        if low[0] <= bounds.right and high[0] >= bounds.left and low[1] <= bounds.top and high[1] >= bounds.bottom:
            shapes.append({"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]})
    if shapes:
        rasterize(shapes, out=hidden, transform=grid.affine, default_value=1)
    return hidden.astype(np.bool_)


def _rings(polygon: Element, name: str) -> Iterator[Ring]:
    """The outline, and the holes behind it."""
    positions = [*_positions(polygon, "exterior"), *_positions(polygon, "interior")]
    if not positions:
        raise BadInputError(f"{name} has a cloud without an outline; fetch it again")
    for element in positions:
        yield _ring(element, name)


def _positions(polygon: Element, side: str) -> Sequence[Element]:
    return [position for part in polygon.iter(side) for position in part.iter("posList")]


def _ring(element: Element, name: str) -> Ring:
    text: Any = element.get("srsDimension", "2")
    size = int(text) if text.isdecimal() else 0
    try:
        numbers = np.array((element.text or "").split(), dtype=np.float64)
    except ValueError:
        numbers = np.empty(0)
    if size not in _DIMENSIONS or numbers.size < 4 * size or numbers.size % size or not np.isfinite(numbers).all():
        raise BadInputError(f"{name} has an outline of a cloud that is none; fetch it again")
    return numbers.reshape(-1, size)[:, :2]
