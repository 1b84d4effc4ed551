"""The simulated world: countries, regions, rivers, towns and mines, and the exact truth of every year.

Everything lies in one equal-area frame (metres east and north of 1.5 degrees N, 0 degrees E: open ocean in reality),
so areas in the frame are true areas.
"""

from dataclasses import dataclass
from functools import lru_cache

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84
from minemap_assets.simulation.mines import Mine
from minemap_assets.simulation.noise import noise_key
from minemap_assets.simulation.rivers import River

FRAME = "+proj=laea +lat_0=1.5 +lon_0=0 +datum=WGS84 +units=m +no_defs"


@dataclass(frozen=True)
class Country:
    """A fictional country under an ISO 3166 user-assigned code (XAA to XZZ); the border is in the world's frame."""

    iso3: str
    name: str
    continent: str
    geometry: Polygon


@dataclass(frozen=True)
class SimRegion:
    """A region of interest; the geometry is in the world's frame."""

    slug: str
    title: str
    geometry: Polygon


@dataclass(frozen=True)
class Town:
    """A town of some radius around (x, y), metres in the world's frame."""

    name: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True, eq=False)
class World:
    """A world and the years for which it is defined. Worlds compare by identity; `revision` compares their contents.

    Mines that are `hidden` by their ids are there as any others, but in no file that a project gets.
    """

    name: str
    seed: int
    years: tuple[int, ...]
    reference_year: int
    countries: tuple[Country, ...]
    regions: tuple[SimRegion, ...]
    rivers: tuple[River, ...]
    towns: tuple[Town, ...]
    mines: tuple[Mine, ...]
    hidden: frozenset[str] = frozenset()

    @property
    def land(self) -> BaseGeometry:
        """All countries together, in the world's frame."""
        return shapely.union_all([c.geometry for c in self.countries])

    @property
    def revision(self) -> str:
        """Changes when the world's description changes."""
        shapes = [c.geometry for c in self.countries] + [r.geometry for r in self.regions]
        outlines = [shapely.to_wkt(shape, rounding_precision=2) for shape in shapes]
        parts = (self.seed, self.years, self.reference_year, self.rivers, self.towns, self.mines, outlines)
        return f"{noise_key(*parts):08x}"

    def outlines(self, year: int) -> dict[Mine, Polygon | MultiPolygon]:
        """Mines at work in a year and their outlines in the world's frame. Raises `BadInputError`."""
        self.check_year(year)
        found = ((mine, mine.outline(year)) for mine in self.mines)
        return {mine: outline for mine, outline in found if outline is not None}

    def known(self, year: int) -> dict[Mine, Polygon | MultiPolygon]:
        """The outlines of a year that somebody knows of."""
        return {mine: outline for mine, outline in self.outlines(year).items() if mine.mine_id not in self.hidden}

    def truth(self, year: int) -> gpd.GeoDataFrame:
        """Exact mine outlines of a year in EPSG:4326 with columns mine_id, kind, region, area_km2 (true area)."""
        outlines = self.outlines(year)
        return gpd.GeoDataFrame(
            {
                "mine_id": [m.mine_id for m in outlines],
                "kind": [m.kind for m in outlines],
                "region": [m.region for m in outlines],
                "area_km2": [g.area / 1e6 for g in outlines.values()],
            },
            geometry=[to_wgs84(g) for g in outlines.values()],
            crs=WGS84,
        )

    def check_year(self, year: int) -> None:
        """Raise `BadInputError` for a year outside the world."""
        if year not in self.years:
            raise BadInputError(f"the {self.name} world runs from {self.years[0]} to {self.years[-1]}, not {year}")


@lru_cache(maxsize=16)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """A cached transformer, x before y."""
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def reproject(geometry: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """A geometry in another CRS, vertex by vertex."""
    convert = transformer(source, target).transform

    def moved(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(convert(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, moved)


def to_wgs84(geometry: BaseGeometry) -> BaseGeometry:
    """A geometry of the world's frame in EPSG:4326."""
    return reproject(geometry, FRAME, WGS84)


def from_wgs84(geometry: BaseGeometry) -> BaseGeometry:
    """A geometry in EPSG:4326 in the world's frame."""
    return reproject(geometry, WGS84, FRAME)
