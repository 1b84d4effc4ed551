"""What basemaps need: whole quads, each downloaded once however many sites it shows, or the tiles under each site.

Usable data masks are small and count as downloads of their own; whether there are any, only the service tells, so a
plan counts the question for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePath

from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from minemap_assets.errors import NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.basemaps.mosaics import TILE, Mosaic
from minemap_assets.imagery.basemaps.nicfi import expected_mosaics
from minemap_assets.imagery.basemaps.tiles import TileId, overview, under
from minemap_assets.imagery.costs import BYTES_PER_SECOND, QUAD_BYTES, Cost, FetchRequest, Otherwise, basis_of
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.planet.config import NAME, PlanetConfig
from minemap_assets.imagery.sources.planet.quad_cache import FOLDER, QuadRecord
from minemap_assets.imagery.sources.planet.source import PlanetSource
from minemap_assets.imagery.sources.planet.tile_cache import tile_path
from minemap_assets.lake.kept_files import KeptFiles

TILE_BYTES = round(QUAD_BYTES * (TILE / 4096) ** 2)
"""A tile of 256 x 256 pixels, as dense as a quad: its 256th part."""

_PER_SECOND = 10.0
"""Requests a second at most, by the service's limit."""


@dataclass(frozen=True)
class PlanetCosts:
    """Whole quads, each fetched once, or tiles (`reads` in the settings); `kept` are the files that lie here."""

    config: PlanetConfig
    kept: KeptFiles
    source: PlanetSource | None = None
    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """True where a mosaic of the season shows a place, by the account's own list or the publisher's calendar."""
        outline = footprint_wgs84(grid)
        return any(mosaic.outline.intersects(outline) for mosaic in self._mosaics(season))

    def cost(self, request: FetchRequest) -> Cost:
        """What the way of the settings needs, and the other way beside it.

        All mosaics of the season are seen in each quad where pixels rank them, else the one that metadata rank first;
        which of both it is under `clarity = "auto"` only the account tells, and without it the dearer one is assumed.
        """
        quads, tiles = self._quads(request), self._tiles(request)
        if self.config.reads == "tiles":
            return replace(tiles, otherwise=Otherwise('reads = "quads"', quads))
        return replace(quads, otherwise=Otherwise('reads = "tiles"', tiles))

    def _quads(self, request: FetchRequest) -> Cost:
        mosaics, kept = self._mosaics(request.season), self._kept_quads
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
        asked = len(shown - kept) + 2 * len(quads) + self._scene_requests(len(shown), ranked=ranked)
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=asked + 1 + (len(places) if self.config.masks else 0),
            quads=frozenset(quads),
            seconds=len(quads) * QUAD_BYTES / BYTES_PER_SECOND + len(request.grids),
            kept_limit=self.kept.limit,
        )

    def _tiles(self, request: FetchRequest) -> Cost:
        """One tile of each quad and mosaic tells its clarity, or only whether there is one; then one mosaic's tiles."""
        mosaics = [mosaic for mosaic in self._mosaics(request.season) if mosaic.zoom is not None]
        pictures = {(m, quad) for m in mosaics for grid in request.grids for quad in m.quads.touching(grid)}
        overviews = {(m.name, overview(m, quad)) for m, quad in pictures if not self._has([m], overview(m, quad))}
        chosen = {(mosaics[0].name, tile) for tile in self._under(mosaics, request.grids)}
        wanted = overviews | chosen
        ranked = self.config.clarity != "pixels"
        requests = len(wanted) + self._scene_requests(len(pictures), ranked=ranked) + 1
        size = len(wanted) * TILE_BYTES
        return replace(
            Cost.of(request, basis_of(self.source)),
            requests=requests,
            other_bytes=size,
            seconds=max(size / BYTES_PER_SECOND, requests / _PER_SECOND) + len(request.grids),
        )

    def _under(self, mosaics: Sequence[Mosaic], grids: Sequence[GeoBox]) -> set[TileId]:
        """Tiles of one mosaic under grids, without those that lie here from any of the mosaics."""
        blocks = [under(m, quad, grid) for m in mosaics[:1] for grid in grids for quad in m.quads.touching(grid)]
        tiles = {tile for block in blocks if block is not None for tile, _, _ in block.tiles}
        return {tile for tile in tiles if not self._has(mosaics, tile)}

    def _has(self, mosaics: Sequence[Mosaic], tile: TileId) -> bool:
        return any(tile_path(self.kept, mosaic, tile).is_file() for mosaic in mosaics)

    def _scene_requests(self, quads: int, *, ranked: bool) -> int:
        asked = self.config.clarity != "pixels" if self.source is None else ranked
        return 2 * quads if asked else 0

    @staticmethod
    def _ranked(source: PlanetSource, request: FetchRequest) -> bool:
        return len(source.mosaics_of(request.season)) > 1 and source.ranks_by_scenes(request.grids[0], request.season)

    def _mosaics(self, season: Season) -> tuple[Mosaic, ...]:
        if self.source is None:
            return expected_mosaics(season, self.config.names, self.config.series)
        try:
            return self.source.mosaics_of(season)
        except NotFoundError:
            return ()

    @cached_property
    def _kept_quads(self) -> frozenset[str]:
        """Quads that need not be fetched, by the month in which their mosaic begins."""
        found = set()
        for path in sorted((self.kept.root / FOLDER).glob("*/*.json")):
            try:
                record = QuadRecord.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            if path.with_name(record.file).is_file():
                found.add(f"{record.mosaic_revision[:7]}/{PurePath(path).stem}")
        return frozenset(found)
