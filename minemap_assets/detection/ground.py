"""Squares of scanned ground put together from the tiles under them, as pictures need them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from minemap_assets.detection.patch_grid import PIXEL, TILE_PIXELS, Tile, corner, crs_of, tile_named
from minemap_assets.imagery.preview import channels
from minemap_assets.imagery.reader import ImagerySet
from minemap_assets.lake.partitions import Partition


@dataclass(frozen=True)
class Square:
    """A square of a UTM zone: its north-western corner in metres (whole pixels), and its side in pixels."""

    zone: int
    west: float
    north: float
    side: int

    @property
    def metres(self) -> float:
        """Its side."""
        return self.side * PIXEL

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top in the zone's coordinates."""
        return self.west, self.north - self.metres, self.west + self.metres, self.north

    @property
    def crs(self) -> str:
        """The zone's coordinates."""
        return crs_of(self.zone)

    @property
    def grid(self) -> GeoBox:
        """Its pixels."""
        transform = Affine(PIXEL, 0.0, self.west, 0.0, -PIXEL, self.north)
        return GeoBox((self.side, self.side), transform, self.crs)


def square_around(longitude: float, latitude: float, zone: int, metres: float) -> Square:
    """The square around a point (EPSG:4326) on the pixels of a zone's grid, at least `metres` on a side."""
    side = int(np.ceil(metres / PIXEL / 2.0)) * 2
    east, north = pyproj.Transformer.from_crs(4326, crs_of(zone), always_xy=True).transform(longitude, latitude)
    half = side / 2 * PIXEL
    return Square(zone, round((east - half) / PIXEL) * PIXEL, round((north + half) / PIXEL) * PIXEL, side)


class Ground:
    """What one region and year looked like; only the pixels that are shown are read."""

    def __init__(self, images: ImagerySet) -> None:
        self._partition: Partition = images.partition
        names = [str(name) for name in images.index["site_id"]]
        self._files = dict(zip(map(tile_named, names), images.index["file"], strict=True))
        self._channels = channels(images.bands)
        self.bands = tuple(images.bands[band] for band in self._channels)

    def pixels(self, square: Square) -> npt.NDArray[np.uint16]:
        """uint16 (3, side, side) of the bands that pictures show; 0 where nothing was observed or fetched."""
        found = np.zeros((3, square.side, square.side), np.uint16)
        for tile in sorted(self._files):
            if tile.zone == square.zone:
                self._add(tile, square, found)
        return found

    def _add(self, tile: Tile, square: Square, found: npt.NDArray[np.uint16]) -> None:
        """Fill in what a tile shows of a square where nothing is yet; neighbours share their edges."""
        west, north = corner(tile)
        left, top = round((square.west - west) / PIXEL), round((north - square.north) / PIXEL)
        (c0, c1), (r0, r1) = ((max(0, s), min(TILE_PIXELS, s + square.side)) for s in (left, top))
        if c0 >= c1 or r0 >= r1:
            return
        with rasterio.open(self._partition.file(self._files[tile])) as source:
            read = source.read([band + 1 for band in self._channels], window=Window(c0, r0, c1 - c0, r1 - r0))
        part = found[:, r0 - top : r1 - top, c0 - left : c1 - left]
        np.copyto(part, read, where=part == 0)
