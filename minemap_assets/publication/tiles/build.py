"""The tiles: published polygons of all years at every zoom, none of which ever vanishes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.publication.tiles.archive import PackedTile, TileFacts, packed, write_archive
from minemap_assets.publication.tiles.commands import point_commands, polygon_commands
from minemap_assets.publication.tiles.content import changes_ground, described_layers, polygons_ground
from minemap_assets.publication.tiles.detail import Detail, detail_of
from minemap_assets.publication.tiles.dots import merged_dots
from minemap_assets.publication.tiles.encoding import EXTENT, layers
from minemap_assets.publication.tiles.ground import Ground
from minemap_assets.publication.tiles.layout import Layout, Placed, is_drawn, layout, units_in_tile
from minemap_assets.publication.tiles.shapes import pieces, whole_shapes

LARGEST_TILE = 500_000
"""Bytes, compressed: a tile that would be larger shows less detail."""

_AT_ONCE = 4_000
_COARSEST = 10
_WORKERS = 2


def build_tiles(
    polygons: gpd.GeoDataFrame,
    path: Path,
    *,
    changes: gpd.GeoDataFrame | None = None,
    attribution: str = "",
    verdict: str = "",
    max_zoom: int = 12,
    largest_tile: int = LARGEST_TILE,
    progress: Callable[[str], None] = lambda _: None,
) -> TileFacts:
    """Write one PMTiles file (version 3, vector tiles) of polygons of all years, from zoom 0 to `max_zoom`.

    `polygons` (EPSG:4326) has the columns of the table `polygons` and `first_year` (null where it is not known);
    `changes` is what `gained_and_lost` gives. The layers are `polygons` and `points`, `changes` and `change_points`:
    what is too small for an outline at a zoom is a dot there, and dots that would lie on each other are one, with the
    sum of their areas. A tile that would be larger than `largest_tile` bytes is drawn with less detail; nothing is
    left out of it. The same polygons give the same bytes, in whatever order they come.
    """
    grounds = [polygons_ground(polygons)]
    grounds += [] if changes is None else [changes_ground(changes)]
    metadata = {
        "name": "Mining areas by year",
        "description": f"Mining areas mapped by year. The model: {verdict}" if verdict else "Mining areas by year",
        "attribution": attribution,
        "verdict": verdict,
        "version": "1",
        "type": "overlay",
        "vector_layers": described_layers(grounds, max_zoom),
    }
    held = [one.polygons for one in grounds if len(one)]
    west, south, east, north = shapely.total_bounds(np.concatenate(held)) if held else (-180.0, -85.0, 180.0, 85.0)
    found = _tiles(grounds, max_zoom, largest_tile, progress)
    return write_archive(found, path, metadata, (float(west), float(south), float(east), float(north)))


def _tiles(
    grounds: Sequence[Ground], max_zoom: int, largest: int, progress: Callable[[str], None]
) -> Iterator[PackedTile]:
    """All tiles in the order of the file; one empty tile where there is nothing at all."""
    if not any(len(one) for one in grounds):
        yield PackedTile(0, packed(b""))
        return
    with ThreadPoolExecutor(_WORKERS) as pool:
        for zoom in range(max_zoom + 1):
            detail = detail_of(zoom, max_zoom)
            plan = layout(grounds, zoom, detail)
            progress(f"zoom {zoom}: {len(plan.ids)} tiles")
            waiting: list[Future[list[PackedTile]]] = []
            for first, last in _batches(plan):
                waiting.append(pool.submit(_batch, grounds, plan, first, last, detail, largest))
                if len(waiting) > _WORKERS:
                    yield from waiting.pop(0).result()
            for one in waiting:
                yield from one.result()


def _batches(plan: Layout) -> Iterator[tuple[int, int]]:
    """Ranges of tiles that are made at once."""
    done = np.cumsum(plan.weights())
    first = 0
    while first < len(done):
        before = done[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(done, before + _AT_ONCE, side="right")))
        yield first, last
        first = last


def _batch(
    grounds: Sequence[Ground], plan: Layout, first: int, last: int, detail: Detail, largest: int
) -> list[PackedTile]:
    """The tiles from number `first` to before `last`."""
    made = _encoded(grounds, plan, first, last, detail)
    return [_fitting(grounds, plan, first + place, tile, detail, largest) for place, tile in enumerate(made)]


def _fitting(
    grounds: Sequence[Ground], plan: Layout, number: int, tile: bytes, detail: Detail, largest: int
) -> PackedTile:
    """A tile as it is stored, with as much detail as fits."""
    data, tries = packed(tile), 0
    while len(data) > largest and tries < _COARSEST:
        detail, tries = detail.coarser(), tries + 1
        data = packed(_encoded(grounds, plan, number, number + 1, detail)[0])
    return PackedTile(int(plan.ids[number]), data, tries > 0)


def _encoded(grounds: Sequence[Ground], plan: Layout, first: int, last: int, detail: Detail) -> list[bytes]:
    """Tiles before compression."""
    tiles: list[list[bytes]] = [[] for _ in range(first, last)]
    for ground, every_outline, every_dot in zip(grounds, plan.outlines, plan.dots, strict=True):
        outlines, dots = every_outline.within(first, last), every_dot.within(first, last)
        # what reaches into other tiles is drawn there with its outline, and so has to be here
        small = outlines.alone & ~is_drawn(ground, plan.zoom, detail)[outlines.rows]
        drawn = _outlines(ground, plan, outlines.where(~small), detail)
        dotted = _dots(ground, plan, dots.and_also(outlines.where(small)), detail)
        for found in (drawn, dotted):
            for number, layer in found.items():
                tiles[number - first].append(layer)
    return [b"".join(parts) for parts in tiles]


def _outlines(ground: Ground, plan: Layout, placed: Placed, detail: Detail) -> dict[int, bytes]:
    rows, inverse = np.unique(placed.rows, return_inverse=True)
    shapes = whole_shapes(ground.polygons[rows], plan.zoom, detail.tolerance)
    cut = pieces(shapes[inverse], _corners(plan, placed.tiles))
    kept: npt.NDArray[np.bool_] = ~shapely.is_empty(cut)
    described = ground.described.take(placed.rows[kept])
    return layers(ground.layer, placed.tiles[kept], polygon_commands(cut[kept]), described)


def _dots(ground: Ground, plan: Layout, placed: Placed, detail: Detail) -> dict[int, bytes]:
    if not len(placed.rows):
        return {}
    xy = units_in_tile(ground.centres[placed.rows], _corners(plan, placed.tiles), plan.zoom)
    dots = merged_dots(ground, placed.rows, placed.tiles, xy, detail.cell)
    return layers(ground.dots, dots.tiles, point_commands(dots.xy), dots.described)


def _corners(plan: Layout, tiles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(plan.at[tiles] * EXTENT, dtype=np.int64)
