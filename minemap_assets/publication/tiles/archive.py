"""The container of the tiles: one PMTiles file (version 3), the same bytes for the same tiles."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minemap_assets.publication.tiles.mercator import LATITUDE


@dataclass(frozen=True)
class TileFacts:
    """What a file holds: tiles, its size and that of its largest tile in bytes (compressed, as stored), its zooms, and
    how many tiles were made coarser so as not to be too large.
    """

    tiles: int
    bytes: int
    largest_tile_bytes: int
    min_zoom: int
    max_zoom: int
    coarser_tiles: int = 0


@dataclass(frozen=True)
class PackedTile:
    """A tile as it is stored: its number in the file, its compressed bytes, and whether it was made coarser."""

    number: int
    data: bytes
    coarser: bool = False


def packed(tile: bytes) -> bytes:
    """A tile's bytes, compressed; without the time of day."""
    return gzip.compress(tile, 6, mtime=0)


def write_archive(
    tiles: Iterable[PackedTile], path: Path, metadata: dict[str, Any], bounds: tuple[float, float, float, float]
) -> TileFacts:
    """Write tiles, which come in rising order, with their metadata. `bounds` are degrees: west, south, east, north."""
    from pmtiles.tile import Compression, TileType, tileid_to_zxy
    from pmtiles.writer import write

    count = largest = coarser = 0
    first = last = None
    with write(str(path)) as writer:
        for tile in tiles:
            writer.write_tile(tile.number, tile.data)
            count, largest, coarser = count + 1, max(largest, len(tile.data)), coarser + tile.coarser
            first, last = (tile.number if first is None else first), tile.number
        header = {"tile_type": TileType.MVT, "tile_compression": Compression.GZIP, **_view(bounds)}
        writer.finalize(header, metadata)
    zooms = [tileid_to_zxy(number)[0] for number in (first or 0, last or 0)]
    return TileFacts(count, path.stat().st_size, largest, zooms[0], zooms[1], coarser)


def _view(bounds: tuple[float, float, float, float]) -> dict[str, int]:
    west, south, east, north = bounds
    south, north = max(south, -LATITUDE), min(north, LATITUDE)
    named = {"min_lon": west, "min_lat": south, "max_lon": east, "max_lat": north}
    middle = {"center_lon": (west + east) / 2.0, "center_lat": (south + north) / 2.0}
    return {**{f"{name}_e7": round(value * 1e7) for name, value in {**named, **middle}.items()}, "center_zoom": 4}
