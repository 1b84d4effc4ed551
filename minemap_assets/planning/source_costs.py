"""What each source needs for a job: one small model a source, from its documentation and from measurements.

What belongs here: numbers of requests, bytes and compute units, each with its reason. What does not: adding up
(`costs.py`) and replacing assumed rates by measured ones (`minemap_assets/estimates.py`).

A model that is given its `source` asks that one for what its service has (metadata, never pixels); without it, and in
every rate, the figures are assumptions on the high side.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from minemap_assets.errors import NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.basemaps.mosaics import Mosaic, choose
from minemap_assets.imagery.basemaps.quads import QuadGrid
from minemap_assets.imagery.costs import (
    ASKED,
    ASSUMED,
    KNOWN,
    QUAD_BYTES,
    Cost,
    Job,
    pixels,
    raw_bytes,
    stored_bytes,
)
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.tiles import parts
from minemap_assets.imagery.sources.planet.config import NICFI_NAMES, PlanetConfig
from minemap_assets.imagery.sources.planet.quad_cache import QuadRecord
from minemap_assets.imagery.sources.stac.config import StacConfig

if TYPE_CHECKING:
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
    from minemap_assets.imagery.sources.planet.source import PlanetSource
    from minemap_assets.imagery.sources.stac.source import StacSource

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

_GRIDS_ASKED = 3
"""Grids of a job whose images Earth Engine is asked for; their mean stands for all."""

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
    reach = _TROPICS if config.name_contains == NICFI_NAMES else 90.0
    return tuple(
        Mosaic(first, after, f"{first:%Y-%m}", f"{first:%Y-%m}", _QUADS, (-180.0, -reach, 180.0, reach), True, "")
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
    source: "PlanetSource | None" = None
    name: str = "planet-basemaps"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where a mosaic of the season shows a place, by the account's own list or the publisher's calendar."""
        outline = footprint_wgs84(grid)
        return any(mosaic.outline.intersects(outline) for mosaic in self._mosaics(season))

    def cost(self, job: Job) -> Cost:
        """All mosaics of the season in each quad where pixels rank them, else the one that metadata rank first.

        Which of both it is under `clarity = "auto"` only the account tells; without it the dearer one is assumed.
        """
        mosaics, kept = self._mosaics(job.season), self._kept
        shown = {f"{m.start:%Y-%m}/{quad}" for m in mosaics for grid in job.grids for quad in m.quads.touching(grid)}
        places = {name.partition("/")[2] for name in shown}
        ranked = self.config.clarity == "metadata" if self.source is None else self._ranked(self.source, job)
        if ranked:
            ready = {name.partition("/")[2] for name in shown & kept}
            quads = {f"{job.season.year}/{place}" for place in places - ready}
        else:
            quads = shown - kept
        scenes = self.config.clarity != "pixels" if self.source is None else ranked
        asked = len(shown - kept) + 2 * len(quads) + (2 * len(shown) if scenes else 0)
        return Cost(
            site_years=len(job.grids),
            requests=asked + 1,
            quads=frozenset(quads),
            stored_bytes=stored_bytes(job),
            seconds=len(quads) * QUAD_BYTES / BYTES_PER_SECOND + len(job.grids),
            kept_limit=self.config.cache_gb * 1e9,
            basis=frozenset({ASSUMED if self.source is None else ASKED}),
        )

    @staticmethod
    def _ranked(source: "PlanetSource", job: Job) -> bool:
        return len(source.mosaics_of(job.season)) > 1 and source.ranks_by_scenes(job.grids[0], job.season)

    def _mosaics(self, season: Season) -> tuple[Mosaic, ...]:
        if self.source is None:
            return nicfi_mosaics(self.config, season)
        try:
            return self.source.mosaics_of(season)
        except NotFoundError:
            return ()

    @cached_property
    def _kept(self) -> frozenset[str]:
        """Quads that need not be fetched, by the month in which their mosaic begins."""
        found = set()
        for path in sorted(self.cache.glob("*/*.json")):
            try:
                record = QuadRecord.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            if path.with_name(record.file).is_file():
                found.add(f"{record.mosaic_revision[:7]}/{path.stem}")
        return frozenset(found)


@dataclass(frozen=True)
class StacCosts:
    """Blocks of whole scenes' files, for each scene the bands and the classes."""

    config: StacConfig
    product: str
    source: "StacSource | None" = None
    name: str = "stac"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True for Level-2A where the catalogues have a scene, or worldwide where they are not asked."""
        return self.product == "sentinel-2-l2a" and (self.source is None or self.source.shows(grid, season))

    def cost(self, job: Job) -> Cost:
        """What the source would fetch, block by block; or as assumed."""
        if self.source is None:
            requests, size = self._assumed(job)
        else:
            load = self.source.would_fetch(job.grids, job.season, job.bands)
            requests, size = load.requests, load.size
        return Cost(
            site_years=len(job.grids),
            requests=math.ceil(requests),
            other_bytes=round(size),
            stored_bytes=stored_bytes(job),
            seconds=max(size / BYTES_PER_SECOND, requests / self.config.rate),
            basis=frozenset({ASSUMED if self.source is None else ASKED}),
        )

    def _assumed(self, job: Job) -> tuple[float, float]:
        """One request for a file's head and one for each row of blocks; and bytes."""
        scenes = sentinel2_scenes(job.season)
        requests = size = 0.0
        for grid in job.grids:
            for band in (*job.bands, "classes"):
                rows = _blocks_across(grid, 20.0 if band in (*_TWENTY_METRES, "classes") else 10.0)
                requests += scenes * (1 + rows)
                size += scenes * rows**2 * (_CLASSES_BYTES if band == "classes" else _BLOCK_BYTES)
        return requests + 2 * len({_cell(grid) for grid in job.grids}), size


@dataclass(frozen=True)
class EarthEngineCosts:
    """Composites that the service computes: a list of images and the pixels, in parts of at most 48 MB."""

    config: EarthEngineConfig
    product: str
    source: "EarthEngineSource | None" = None
    name: str = "earth-engine"

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True worldwide for Sentinel-2; where and when there are basemaps for those."""
        return self.product != "planet-nicfi" or PlanetCosts(PlanetConfig(), Path()).serves(grid, season)

    def cost(self, job: Job) -> Cost:
        """Compute units by images, bands and pixels."""
        images = self._images(job)
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
            basis=frozenset({ASSUMED if self.source is None else ASKED}),
        )

    def _images(self, job: Job) -> float:
        """Images of a grid, on average."""
        if self.source is not None:
            asked = job.grids[:: max(1, len(job.grids) // _GRIDS_ASKED)][:_GRIDS_ASKED]
            return sum(self.source.images(grid, job.season) for grid in asked) / len(asked)
        if self.product == "planet-nicfi":
            return len(nicfi_mosaics(PlanetConfig(), job.season))
        return sentinel2_scenes(job.season)


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
            basis=frozenset({KNOWN}),
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
        return Cost(
            site_years=len(job.grids), stored_bytes=stored_bytes(job), seconds=seconds, basis=frozenset({KNOWN})
        )


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
