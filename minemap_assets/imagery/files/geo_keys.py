"""The ground that a GeoTIFF shows, from its tags.

Source: OGC GeoTIFF standard 1.1 (OGC 19-008r4), annexes A and B: the keys ProjectedCRS, GeodeticCRS and RasterType.
"""

from collections.abc import Mapping

from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.files.tiff_directories import DamagedError, Entry, Tiff, UnreadableError

_SCALE, _TIEPOINT, _MATRIX, _KEYS = 33550, 33922, 34264, 34735
GEO_TAGS = frozenset({_SCALE, _TIEPOINT, _MATRIX, _KEYS})
"""ModelPixelScale, ModelTiepoint, ModelTransformation and GeoKeyDirectory."""

_RASTER_TYPE, _GEODETIC, _PROJECTED = 1025, 2048, 3072
_POINT = 2
_USER_DEFINED = 32_767


def ground_of_tags(tiff: Tiff, entries: Mapping[int, Entry], shape: tuple[int, int]) -> GeoBox:
    """The ground of an image of `shape` (rows, columns).

    Raises `UnreadableError` for a CRS that has no EPSG code, and as `Tiff` does.
    """
    if _KEYS not in entries:
        raise DamagedError
    keys = _short_keys(tiff.values(entries[_KEYS]))
    code = keys.get(_PROJECTED, keys.get(_GEODETIC, 0))
    if code in (0, _USER_DEFINED):
        raise UnreadableError("it has a coordinate system without an EPSG code, which is not read")
    affine = _affine(tiff, entries)
    if keys.get(_RASTER_TYPE) == _POINT:
        affine = affine @ Affine.translation(-0.5, -0.5)
    if affine.determinant == 0:
        raise DamagedError
    return GeoBox(shape, affine, f"EPSG:{code}")


def _short_keys(values: tuple[int, ...]) -> dict[int, int]:
    """Keys whose value stands in the directory itself."""
    rows = zip(*(iter(values[4:]),) * 4, strict=False)
    return {key: value for key, location, _, value in rows if location == 0}


def _affine(tiff: Tiff, entries: Mapping[int, Entry]) -> Affine:
    if _MATRIX in entries:
        matrix = tiff.doubles(entries[_MATRIX])
        if len(matrix) < 8:
            raise DamagedError
        return Affine(matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    if _SCALE not in entries or _TIEPOINT not in entries:
        raise DamagedError
    scale, tie = tiff.doubles(entries[_SCALE]), tiff.doubles(entries[_TIEPOINT])
    if len(scale) < 2 or len(tie) < 6:
        raise DamagedError
    column, row, _, x, y, _ = tie[:6]
    return Affine(scale[0], 0.0, x - column * scale[0], 0.0, -scale[1], y + row * scale[1])
