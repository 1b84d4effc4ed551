"""What basemaps need: whole quads, each downloaded once however many sites it shows."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from minemap_assets.errors import NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.nicfi import expected_mosaics
from minemap_assets.imagery.costs import BYTES_PER_SECOND, QUAD_BYTES, Cost, FetchRequest, basis_of
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig
from minemap_assets.imagery.sources.planet.quad_cache import QuadRecord
from minemap_assets.imagery.sources.planet.source import PlanetSource


@dataclass(frozen=True)
class PlanetCosts:
    """Whole quads, each fetched once; `cache` is where they are kept."""

    config: PlanetConfig
    cache: Path
    source: PlanetSource | None = None
    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where a mosaic of the season shows a place, by the account's own list or the publisher's calendar."""
        outline = footprint_wgs84(grid)
        return any(mosaic.outline.intersects(outline) for mosaic in self._mosaics(season))

    def cost(self, request: FetchRequest) -> Cost:
        """All mosaics of the season in each quad where pixels rank them, else the one that metadata rank first.

        Which of both it is under `clarity = "auto"` only the account tells; without it the dearer one is assumed.
        """
        mosaics, kept = self._mosaics(request.season), self._kept
        shown = {
            f"{m.start:%Y-%m}/{quad}" for m in mosaics for grid in request.grids for quad in m.quads.touching(grid)
        }
        places = {name.partition("/")[2] for name in shown}
        ranked = self.config.clarity == "metadata" if self.source is None else self._ranked(self.source, request)
        if ranked:
            ready = {name.partition("/")[2] for name in shown & kept}
            quads = {f"{request.season.year}/{place}" for place in places - ready}
        else:
            quads = shown - kept
        scenes = self.config.clarity != "pixels" if self.source is None else ranked
        asked = len(shown - kept) + 2 * len(quads) + (2 * len(shown) if scenes else 0)
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=asked + 1,
            quads=frozenset(quads),
            seconds=len(quads) * QUAD_BYTES / BYTES_PER_SECOND + len(request.grids),
            kept_limit=self.config.cache_gb * 1e9,
        )

    @staticmethod
    def _ranked(source: PlanetSource, request: FetchRequest) -> bool:
        return len(source.mosaics_of(request.season)) > 1 and source.ranks_by_scenes(request.grids[0], request.season)

    def _mosaics(self, season: Season) -> tuple[Mosaic, ...]:
        if self.source is None:
            return expected_mosaics(season, self.config.name_contains, self.config.series)
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
