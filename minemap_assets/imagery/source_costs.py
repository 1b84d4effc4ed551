"""What each source needs for a job: one small model a source, from its documentation and from measurements.

What belongs here: numbers of requests, bytes and compute units, each with its reason. What does not: adding up
(`costs.py`) and replacing assumed rates by measured ones (`minemap_assets/estimates.py`).

None of these asks a service. Rates are assumptions until a run has been measured.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path

from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.costs import QUAD_BYTES, Cost, Job, pixels, raw_bytes, stored_bytes
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.archive import ArchiveSource
from minemap_assets.imagery.sources.earth_engine_config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine_tiles import parts
from minemap_assets.imagery.sources.planet_cache import QuadRecord
from minemap_assets.imagery.sources.planet_config import NICFI_NAMES, PlanetConfig
from minemap_assets.imagery.sources.planet_mosaics import Mosaic, choose
from minemap_assets.imagery.sources.planet_quads import QuadGrid
from minemap_assets.imagery.sources.stac_config import StacConfig

BYTES_PER_SECOND = 10_000_000
"""Assumed speed of a connection."""

_TROPICS = 30.1
"""Degrees: how far north and south the NICFI basemaps reach."""

_QUADS = QuadGrid(2048)
_FIRST_TWO_SATELLITES = date(2017, 7, 1)
"""From here on there are two Sentinel-2 satellites: images every 5 days instead of every 10."""

_USABLE_SHARE = 0.68
"""Of 37 scenes of a season in the tropics about 25 have less than 75 % cloud."""

_BLOCK = 1024
"""Pixels on a side of a block in the open Sentinel-2 files."""

_BLOCK_BYTES = 1_450_000
_CLASSES_BYTES = 200_000
"""Compressed size of a block of reflectance, and of scene classes."""

_TWENTY_METRES = ("rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22")
_CELL = 0.25
"""Degrees: neighbouring sites share a search of a cell of this size."""

_EECU_SECONDS = 0.5
"""Assumed compute units, in seconds, for a million pixels of one band of one image."""

_SECONDS_PER_SITE = {"simulated": 1.0, "archive": 2.0, "earth-engine": 20.0}
"""Assumed time for a site and season, where a connection's speed does not decide it."""


def sentinel2_scenes(season: Season) -> int:
    """Scenes of a place in a season with less than 75 % cloud, as expected in the tropics."""
    days = (season.end - season.start).days
    return max(1, round(days / (5 if season.start >= _FIRST_TWO_SATELLITES else 10) * _USABLE_SHARE))


def nicfi_calendar(config: PlanetConfig) -> tuple[Mosaic, ...]:
    """Mosaics as their publisher announced them: half-years, one quarter, months since September 2020.

    The programme's last ones are of April 2025; for other names and series no end is assumed.
    """
    ends = config.name_contains == NICFI_NAMES and not config.series
    return tuple(
        Mosaic(first, after, f"{first:%Y-%m}", f"{first:%Y-%m}", _QUADS, (-180.0, -_TROPICS, 180.0, _TROPICS), True, "")
        for first, after in _periods(date(2025, 5, 1) if ends else date(2100, 1, 1))
    )


@cache
def nicfi_mosaics(config: PlanetConfig, season: Season) -> tuple[Mosaic, ...]:
    """Those that belong to a season."""
    return choose(nicfi_calendar(config), season)


@dataclass(frozen=True)
class PlanetCosts:
    """Whole quads, each fetched once; `cache` is where they are kept."""

    config: PlanetConfig
    cache: Path
    name: str = "planet-basemaps"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True in the tropics for seasons with mosaics; anywhere for other series than NICFI's."""
        if not nicfi_mosaics(self.config, season):
            return False
        _, south, _, north = footprint_wgs84(grid).bounds
        return self.config.name_contains != NICFI_NAMES or bool(max(abs(south), abs(north)) <= _TROPICS)

    def cost(self, job: Job) -> Cost:
        """All mosaics of the season in each quad where pixels rank them, else the one that metadata rank first."""
        months = [m.name for m in nicfi_mosaics(self.config, job.season)]
        places = sorted({str(quad) for grid in job.grids for quad in _QUADS.touching(grid)})
        kept = self._kept
        if self.config.clarity == "metadata":
            quads = {f"{job.season.year}/{p}" for p in places if not any(f"{m}/{p}" in kept for m in months)}
        else:
            quads = {f"{m}/{p}" for m in months for p in places} - kept
        asked = len(quads) * 3 + (0 if self.config.clarity == "pixels" else 2 * len(places) * len(months))
        return Cost(
            site_years=len(job.grids),
            requests=asked + 1,
            quads=frozenset(quads),
            stored_bytes=stored_bytes(job),
            seconds=len(quads) * QUAD_BYTES / BYTES_PER_SECOND + len(job.grids),
        )

    @cached_property
    def _kept(self) -> frozenset[str]:
        """Quads that need not be fetched, by the month in which their mosaic begins."""
        found = set()
        for path in sorted(self.cache.glob("*/*.json")):
            try:
                record = QuadRecord.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            found.add(f"{record.mosaic_revision[:7]}/{path.stem}")
        return frozenset(found)


@dataclass(frozen=True)
class StacCosts:
    """Blocks of whole scenes' files, for each scene the bands and the classes."""

    config: StacConfig
    product: str
    name: str = "stac"

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        """True for Level-2A, worldwide."""
        return self.product == "sentinel-2-l2a"

    def cost(self, job: Job) -> Cost:
        """One request for a file's head and one for each row of blocks."""
        scenes = sentinel2_scenes(job.season)
        requests = size = 0.0
        for grid in job.grids:
            for band in (*job.bands, "classes"):
                rows = _blocks_across(grid, 20.0 if band in (*_TWENTY_METRES, "classes") else 10.0)
                requests += scenes * (1 + rows)
                size += scenes * rows**2 * (_CLASSES_BYTES if band == "classes" else _BLOCK_BYTES)
        searches = 2 * len({_cell(grid) for grid in job.grids})
        return Cost(
            site_years=len(job.grids),
            requests=math.ceil(requests) + searches,
            other_bytes=round(size),
            stored_bytes=stored_bytes(job),
            seconds=size / BYTES_PER_SECOND,
        )


@dataclass(frozen=True)
class EarthEngineCosts:
    """Composites that the service computes: a list of images and the pixels, in parts of at most 48 MB."""

    config: EarthEngineConfig
    product: str
    name: str = "earth-engine"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True worldwide for Sentinel-2; where and when there are basemaps for those."""
        return self.product != "planet-nicfi" or PlanetCosts(PlanetConfig(), Path()).serves(grid, season)

    def cost(self, job: Job) -> Cost:
        """Compute units by images, bands and pixels."""
        basemap = self.product == "planet-nicfi"
        images = len(nicfi_mosaics(PlanetConfig(), job.season)) if basemap else sentinel2_scenes(job.season)
        width = (len(job.bands) + 1) * 2
        asked = sum(1 + sum(1 for _ in parts(g, width, self.config.max_request_bytes)) for g in job.grids)
        work = sum(pixels(grid) for grid in job.grids) * len(job.bands) * images / 1e6
        return Cost(
            site_years=len(job.grids),
            requests=asked,
            other_bytes=raw_bytes(job),
            eecu_hours=work * _EECU_SECONDS / 3600.0,
            stored_bytes=stored_bytes(job),
            seconds=len(job.grids) * _SECONDS_PER_SITE[self.name],
        )


@dataclass(frozen=True)
class ArchiveCosts:
    """Files that are there already; only those behind an address are transferred."""

    source: ArchiveSource
    remote: bool
    name: str = "archive"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where the index has an image."""
        return self.source.available(footprint_wgs84(grid), season).images > 0

    def cost(self, job: Job) -> Cost:
        """Twice the grid's pixels for each image of the season, where files are remote."""
        images = [self.source.available(footprint_wgs84(grid), job.season).images for grid in job.grids]
        size = sum(n * pixels(g) * len(job.bands) * 2 * 2 for n, g in zip(images, job.grids, strict=True))
        return Cost(
            site_years=len(job.grids),
            requests=sum(images) * (len(job.bands) + 1) if self.remote else 0,
            other_bytes=size if self.remote else 0,
            stored_bytes=stored_bytes(job),
            seconds=len(job.grids) * _SECONDS_PER_SITE[self.name],
        )


@dataclass(frozen=True)
class SimulatedCosts:
    """Pixels by formula."""

    name: str = "simulated"

    def serves(self, grid: GeoBox, season: Season) -> bool:  # noqa: ARG002
        """True everywhere."""
        return True

    def cost(self, job: Job) -> Cost:
        """Only disk and time."""
        seconds = len(job.grids) * _SECONDS_PER_SITE[self.name]
        return Cost(site_years=len(job.grids), stored_bytes=stored_bytes(job), seconds=seconds)


def _periods(end: date) -> Iterator[tuple[date, date]]:
    first = date(2015, 12, 1)
    while first < end:
        months = 6 if first < date(2020, 6, 1) else 3 if first < date(2020, 9, 1) else 1
        after = (first + timedelta(days=31 * months)).replace(day=1)
        yield first, after
        first = after


def _blocks_across(grid: GeoBox, resolution: float) -> float:
    """Blocks along a side of a grid, on average over where the grid lies in a file."""
    across = max(grid.shape) * abs(float(grid.affine.a)) / resolution
    return 1.0 + (across - 1.0) / _BLOCK


def _cell(grid: GeoBox) -> tuple[int, int]:
    west, south, _, _ = footprint_wgs84(grid).bounds
    return math.floor(west / _CELL), math.floor(south / _CELL)
