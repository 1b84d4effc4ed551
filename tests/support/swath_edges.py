"""Scenes drawn at random over ground that is known everywhere: swaths that end in the middle of a site, bands that end
apart from each other, tiles of two UTM zones that meet there, clouds, and files that tell what is missing or do not.

The ground is linear in easting and northing, so that what is interpolated or averaged must come out to the last digit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import ColorInterp

from minemap_assets.geo.grid import square_grid

ZONE = 32720
ZONE_BESIDE = 32721
CENTRE = Transformer.from_crs(4326, ZONE, always_xy=True).transform(-60.0, -9.95)
"""The middle of the site, where the two zones meet."""

GRID = square_grid(*CENTRE, 64, ZONE, 10.0)
"""The site: 64 x 64 pixels of 10 m."""

SIZES: Mapping[str, int] = {"blue": 10, "nir": 10, "swir16": 20, "coastal": 60}
"""Metres of a pixel of the bands that are drawn, by common name."""

LEVELS: Mapping[str, float] = {"blue": 800.0, "nir": 3000.0, "swir16": 2000.0, "coastal": 1200.0}
SLOPE = 0.05
"""Largest change of the ground in a metre."""

CLOUD = 9_000
CLEAR_CLASS, CLOUD_CLASS = 4, 9
AROUND_CLOUD = 90.0
"""Metres by which the mask is larger than the cloud: a pixel of 60 m that holds any of it is masked."""

Plane = npt.NDArray[np.float64]


def truth(band: str, x: Plane, y: Plane) -> Plane:
    """Reflectance x 10,000 of the ground at places of the first zone."""
    return np.asarray(LEVELS[band] + 0.6 * SLOPE * (x - CENTRE[0]) - 0.8 * SLOPE * (y - CENTRE[1]))


def places(grid: GeoBox) -> tuple[Plane, Plane]:
    """Easting and northing, in the first zone, of the centres of a grid's pixels."""
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    affine = grid.affine
    x, y = affine.a * columns + affine.b * rows + affine.c, affine.d * columns + affine.e * rows + affine.f
    x, y = Transformer.from_crs(str(grid.crs), f"EPSG:{ZONE}", always_xy=True).transform(x, y)
    return np.asarray(x), np.asarray(y)


@dataclass(frozen=True)
class Cloud:
    """A round cloud, by metres from the middle of the site."""

    east: float
    north: float
    radius: float

    def depth(self, x: Plane, y: Plane) -> Plane:
        """Metres inside of it; less than 0 outside."""
        return np.asarray(self.radius - np.hypot(x - CENTRE[0] - self.east, y - CENTRE[1] - self.north))


@dataclass(frozen=True)
class Scene:
    """One overpass over one tile: its ground in pixels of 10 m, the direction in which the swath ends and how far from
    the middle of the site (metres), by how much each band ends elsewhere, and a cloud.
    """

    tile: GeoBox
    angle: float
    reach: float
    shifts: Mapping[str, float] = field(default_factory=dict)
    cloud: Cloud | None = None

    def ground(self, size: int) -> GeoBox:
        """The tile in pixels of so many metres."""
        count = (int(self.tile.shape[0]) * 10 // size, int(self.tile.shape[1]) * 10 // size)
        return self.tile.zoom_to(count)

    def within(self, band: str, x: Plane, y: Plane) -> Plane:
        """Metres inside of the swath of a band; less than 0 beyond its end."""
        along = np.cos(self.angle) * (x - CENTRE[0]) + np.sin(self.angle) * (y - CENTRE[1])
        return np.asarray(self.reach + self.shifts.get(band, 0.0) - along)

    def within_tile(self, x: Plane, y: Plane) -> Plane:
        """Metres inside of the tile; less than 0 outside."""
        x, y = Transformer.from_crs(f"EPSG:{ZONE}", str(self.tile.crs), always_xy=True).transform(x, y)
        left, bottom, right, top = self.tile.boundingbox.bbox
        inside = [np.asarray(x) - left, right - np.asarray(x), np.asarray(y) - bottom, top - np.asarray(y)]
        return np.asarray(np.minimum.reduce(inside))

    def numbers(self, band: str, shift: int = 0) -> npt.NDArray[np.uint16]:
        """Raw numbers (row, column) of a band in its own pixels, larger by `shift`; 0 beyond the end of the swath."""
        x, y = places(self.ground(SIZES[band]))
        values = truth(band, x, y)
        if self.cloud is not None:
            # any part of a pixel may be cloud
            values = np.where(self.cloud.depth(x, y) > -SIZES[band] * 0.7, CLOUD, values)
        return np.where(self.within(band, x, y) > 0, np.rint(values) + shift, 0).astype(np.uint16)

    def classes(self) -> npt.NDArray[np.uint8]:
        """Scene classes (row, column) in pixels of 20 m: clear ground, and cloud with what lies close to it."""
        x, y = places(self.ground(20))
        masked = np.zeros(x.shape, dtype=np.bool_)
        if self.cloud is not None:
            masked = self.cloud.depth(x, y) > -AROUND_CLOUD
        return np.where(masked, CLOUD_CLASS, CLEAR_CLASS).astype(np.uint8)


@dataclass(frozen=True)
class Telling:
    """How a file says which pixels are missing, and which colours it names its bands after.

    `nodata` is the tag's number (None without a tag); `alpha` adds a band that is 0 there; `photometric` is that of
    TIFF; `overviews` are made by averaging, as GDAL does, over missing pixels too where nothing tells them.
    """

    nodata: int | None = None
    alpha: bool = False
    photometric: str = "MINISBLACK"
    overviews: bool = False


TELLINGS = st.builds(
    Telling,
    nodata=st.sampled_from([None, None, 0, 65535]),
    alpha=st.booleans(),
    photometric=st.sampled_from(["MINISBLACK", "RGB"]),
    overviews=st.booleans(),
)


def write_bands(
    path: Path, bands: npt.NDArray[Any], ground: GeoBox, telling: Telling = Telling(), names: tuple[str, ...] = ()
) -> Path:
    """Write (band, row, column) as a GeoTIFF that tells what is missing, a 0 in its bands, as it is told to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = bands.shape[0] + int(telling.alpha)
    colours = telling.photometric if count >= 3 else "MINISBLACK"
    profile: dict[str, Any] = {"driver": "GTiff", "count": count, "height": bands.shape[1], "width": bands.shape[2]}
    profile |= {"tiled": True, "blockxsize": 64, "blockysize": 64, "photometric": colours}
    seen = (bands > 0).all(axis=0)
    with rasterio.open(
        path, "w", **profile, dtype=bands.dtype, crs=str(ground.crs), transform=ground.affine, nodata=telling.nodata
    ) as target:
        if telling.alpha:
            target.colorinterp = [*target.colorinterp[:-1], ColorInterp.alpha]
        target.write(bands, list(range(1, bands.shape[0] + 1)))
        if telling.alpha:
            target.write(np.where(seen, np.iinfo(bands.dtype).max, 0).astype(bands.dtype), count)
        if names:
            target.descriptions = (*names, *([None] * int(telling.alpha)))
        if telling.overviews:
            target.build_overviews([2, 4], rasterio.enums.Resampling.average)
    return path


@st.composite
def scenes(draw: st.DrawFn, *, zones: tuple[int, ...] = (ZONE, ZONE_BESIDE)) -> tuple[Scene, ...]:
    """One scene of each zone, of one overpass: tiles that end near the site, and a swath that ends in it."""
    metres = st.integers(-300, 300)
    angle, reach = draw(st.integers(0, 359)) * np.pi / 180.0, float(draw(st.integers(-200, 300)))
    shifts = {band: float(draw(st.integers(-40, 40))) for band in SIZES}
    cloud = draw(st.none() | st.builds(Cloud, metres.map(float), metres.map(float), st.floats(15.0, 120.0)))
    return tuple(Scene(draw(tiles(zone)), angle, reach, shifts, cloud) for zone in zones)


@st.composite
def tiles(draw: st.DrawFn, zone: int) -> GeoBox:
    """A tile of a zone, 1,800 m wide, that ends at most 300 m before the middle of the site or as much behind it."""
    x, y = Transformer.from_crs(ZONE, zone, always_xy=True).transform(*CENTRE)
    end = draw(st.integers(-30, 90)) * 10
    phase = draw(st.sampled_from([0, 10, 30, 50])), draw(st.sampled_from([0, 20, 40]))
    left = x + end - 1_800 if zone == ZONE else x - end
    corner = np.floor(left / 60) * 60 + phase[0], np.floor((y + 900) / 60) * 60 + phase[1]
    return GeoBox((180, 180), Affine(10, 0, corner[0], 0, -10, corner[1]), f"EPSG:{zone}")
