"""Where mines can be outlined: on the windows of sites, or on squares of scanned ground, where no site need be.

Labels describe the reference year of a region, so that a place is one that has an image of that year. Its images of
other years, on the same pixels, are there to be compared with.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.detection.assets import DETECTIONS, SCAN_IMAGERY
from minemap_assets.detection.ground import Square
from minemap_assets.detection.schemas import DETECTIONS as DETECTION_TABLE
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.reader import ImagerySet, SiteImage, open_imagery
from minemap_assets.imagery.rules import reference_year_of, training_products
from minemap_assets.polygons.schemas import read_table
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.ground_views import METRES_A_DEGREE, REACH, GroundViews, square_at
from minemap_assets.sites.assets import GROUND_TRUTH, SITES

SQUARE = 5000.0
"""Metres of scanned ground on a side that are shown around a place; around a wide detection more."""

WIDEST = 20_000.0

MOST_DETECTIONS = 2000
"""As many are listed, the surest ones."""

_DECIMALS = 5
"""Of a degree, in the name of a place that is given by its coordinates: a metre."""

_KEPT_PLACES = 64
"""Places by coordinates that need not be looked up again."""


@dataclass(frozen=True, eq=False)
class Place:
    """Ground to outline on: its region, the id of a site or detection or its coordinates, the year whose image is drawn
    on, its outline (EPSG:4326), and whether ground truth meets it already. Of scanned ground, the `square` that is
    shown, and the highest score of a detection.
    """

    region: str
    name: str
    year: int
    ground: BaseGeometry
    labelled: bool
    square: Square | None = None
    score: float | None = None


class Places(Protocol):
    """Places of one kind, in the regions that were chosen."""

    kind: Literal["sites", "scan"]
    regions: Sequence[str]

    @property
    def listed(self) -> Sequence[Place]:
        """Places that are offered, in their order."""

    def find(self, region: str, name: str) -> Place:
        """A place by its name. Raises `NotFoundError` where there is none."""

    def images_of(self, place: Place) -> dict[int, SiteImage]:
        """Its images by year, all on the same ground; that of the place's own year is among them."""


class SitePlaces:
    """Sites that have an image of their region's reference year."""

    kind: Literal["sites", "scan"] = "sites"

    def __init__(self, project: Project, regions: Sequence[str]) -> None:
        self._project, self.regions = project, regions

    @cached_property
    def listed(self) -> tuple[Place, ...]:
        """Those without any ground truth first."""
        found = [place for slug in self.regions for place in self._places(slug)]
        return tuple(sorted(found, key=lambda one: (one.labelled, one.region, one.name)))

    def find(self, region: str, name: str) -> Place:
        """A site by its id. Raises `NotFoundError` where there is none."""
        found = next((one for one in self.listed if (one.region, one.name) == (region, name)), None)
        if found is None:
            raise NotFoundError(f"there is no site {name!r} to outline on in {region!r}; reload the page")
        return found

    def images_of(self, place: Place) -> dict[int, SiteImage]:
        """Images of every year, all of the same window."""
        found = {}
        for year in sorted({*self._project.years(), place.year}):
            images = self._images(place.region, year)
            if images is not None and place.name in images:
                found[year] = images.read(place.name)
        return found

    def _places(self, slug: str) -> list[Place]:
        year = reference_year_of(self._project, self._project.region(slug))
        made, images = self._project.lake.find(SITES.ref((slug,))), self._images(slug, year)
        if made is None or images is None:
            return []
        sites = read_geoparquet(made.file("sites.parquet"))
        shown = sites[sites["site_id"].isin(images.site_ids)]
        grounds = shown.geometry.to_numpy()
        rows = zip(shown["site_id"], grounds, _labelled(self._project, slug, grounds), strict=True)
        return [Place(slug, str(site), year, ground, bool(has)) for site, ground, has in rows]

    def _images(self, slug: str, year: int) -> ImagerySet | None:
        """Images of a year; those of the reference year may have been fetched for training alone."""
        lake = self._project.lake
        refs = [COMPOSITES.ref((slug, str(year)))]
        if year == reference_year_of(self._project, self._project.region(slug)):
            refs += [REFERENCE_COMPOSITES.ref((product, slug)) for product in training_products(self._project)]
        made = next((one for ref in refs if (one := lake.find(ref)) is not None), None)
        return None if made is None else open_imagery(made)


class ScanPlaces:
    """Detections in the scan of their region's reference year, and any coordinates that it holds."""

    kind: Literal["sites", "scan"] = "scan"

    def __init__(self, project: Project, regions: Sequence[str]) -> None:
        self._project, self.regions = project, regions
        self._views = GroundViews(project)
        self._at: LoadingCache[str, Place] = LoadingCache(_KEPT_PLACES)

    @cached_property
    def scanned(self) -> dict[str, tuple[int, ...]]:
        """Years of which each region has a scan with its images."""
        refs = list(self._project.lake.manifests(SCAN_IMAGERY.room, SCAN_IMAGERY.name))
        return {slug: tuple(sorted(int(one.keys[1]) for one in refs if one.keys[0] == slug)) for slug in self.regions}

    @cached_property
    def offered(self) -> tuple[str, ...]:
        """Regions whose reference year was scanned."""
        return tuple(slug for slug in self.regions if self._year(slug) in self.scanned[slug])

    def _year(self, slug: str) -> int:
        return reference_year_of(self._project, self._project.region(slug))

    @cached_property
    def listed(self) -> tuple[Place, ...]:
        """The surest detections first."""
        found = [place for slug in self.offered for place in self._detections(slug)]
        found.sort(key=lambda one: (-(one.score or 0.0), one.region, one.name))
        return tuple(found[:MOST_DETECTIONS])

    def _detections(self, slug: str) -> list[Place]:
        year = self._year(slug)
        made = self._project.lake.find(DETECTIONS.ref((slug, str(year))))
        if made is None:
            return []
        frame = read_table(made.file(DETECTION_TABLE.file), DETECTION_TABLE)
        squares = [_square_of(one) for one in frame.geometry]
        grounds = np.array([_ground(one) for one in squares], dtype=object)
        labelled = _labelled(self._project, slug, grounds)
        return [
            Place(slug, str(name), year, grounds[row], bool(labelled[row]), squares[row], float(score))
            for row, (name, score) in enumerate(zip(frame["detection_id"], frame["score_max"], strict=True))
        ]

    def find(self, region: str, name: str) -> Place:
        """A detection by its id, or a place by its coordinates. Raises `NotFoundError` where there is none."""
        found = next((one for one in self.listed if (one.region, one.name) == (region, name)), None)
        if found is not None:
            return found
        try:
            longitude, latitude = map(float, name.split(","))
        except ValueError:
            raise NotFoundError(f"there is no detection {name!r} in {region!r}; reload the page") from None
        return self._at.get(name, lambda: self.at(longitude, latitude))

    def at(self, longitude: float, latitude: float) -> Place:
        """The place around a point (EPSG:4326). Raises `BadInputError` where it is not on scanned ground."""
        if not (abs(longitude) <= 180.0 and abs(latitude) <= 84.0):
            raise BadInputError(
                f"{longitude:g}, {latitude:g} is no place to look at; give the longitude first, then the latitude, in "
                "degrees"
            )
        name = f"{longitude:.{_DECIMALS}f},{latitude:.{_DECIMALS}f}"
        longitude, latitude = map(float, name.split(","))
        square, point = square_at(longitude, latitude, SQUARE), shapely.Point(longitude, latitude)
        ground = _ground(square)
        for slug in self.offered:
            year, near = self._year(slug), shapely.dwithin(self._project.region(slug).geometry, point, REACH)
            if near and self._views.scanned(square, year) is not None:
                (has,) = _labelled(self._project, slug, np.array([ground]))
                return Place(slug, name, year, ground, bool(has), square)
        raise BadInputError(f"no scan shows the ground at {name}; the scans hold {_and(self.offered)}")

    def images_of(self, place: Place) -> dict[int, SiteImage]:
        """Images of every year that was scanned there, all of the same square."""
        if place.square is None:
            return {}
        shown = {year: self._views.scanned(place.square, year) for year in self.scanned[place.region]}
        return {year: image for year, image in shown.items() if image is not None}

    def refusal(self) -> str:
        """Why there is nothing to draw on, and what to do."""
        slug = self.regions[0]
        year = self._year(slug)
        others = sorted({year for years in self.scanned.values() for year in years})
        if not others:
            return f"there is no scan to outline mines on; make one with `minemap scan run --years {year}`"
        return (
            f"the scans are of {_and(map(str, others))}, and the model learns from outlines of {year} alone: what is "
            f"seen in another year may not have been there. Scan that year with `minemap scan run --years {year}`, or "
            "make sites of what was found with `minemap scan promote`; they are mapped, and train nothing"
        )


def labels_of(project: Project, slug: str) -> Any:
    """Ground truth of a region as it was made last (EPSG:4326)."""
    made = project.lake.find(GROUND_TRUTH.ref((slug,)))
    if made is None:
        return np.zeros(0, dtype=object)
    frame: gpd.GeoDataFrame = read_geoparquet(made.file("ground_truth.parquet"))
    return frame[frame["layer"] == "labels"].geometry.to_numpy()


def _labelled(project: Project, slug: str, grounds: Any) -> npt.NDArray[np.bool_]:
    """Whether ground truth meets each ground."""
    met = shapely.STRtree(labels_of(project, slug)).query(grounds, predicate="intersects")[0]
    return np.isin(np.arange(len(grounds)), met)


def _square_of(detection: BaseGeometry) -> Square:
    """The square around a detection, with a fifth more ground on all sides where it is wide."""
    west, south, east, north = detection.bounds
    longitude, latitude = (west + east) / 2.0, (south + north) / 2.0
    wide = (east - west) * math.cos(math.radians(latitude))
    return square_at(longitude, latitude, min(max(SQUARE, 1.4 * METRES_A_DEGREE * max(wide, north - south)), WIDEST))


def _ground(square: Square) -> BaseGeometry:
    """A square in degrees."""
    return footprint_wgs84(square.grid)


def _and(names: Iterable[str]) -> str:
    """Names for people."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
