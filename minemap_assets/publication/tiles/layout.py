"""Which tile of a zoom holds what: outlines in every tile they reach, dots in the one they lie in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.antimeridian import crossing
from minemap_assets.publication.tiles.detail import Detail
from minemap_assets.publication.tiles.encoding import EXTENT
from minemap_assets.publication.tiles.ground import Ground
from minemap_assets.publication.tiles.mercator import Floats, places
from minemap_assets.publication.tiles.shapes import BUFFER

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Placed:
    """Rows of some ground by the number of the tile they are in, numbers never falling. `alone` is true for those that
    are in no other tile.
    """

    rows: Rows
    tiles: Ints
    alone: npt.NDArray[np.bool_]

    def within(self, first: int, last: int) -> "Placed":
        """Those in the tiles from number `first` to before `last`."""
        part = slice(*np.searchsorted(self.tiles, [first, last]))
        return Placed(self.rows[part], self.tiles[part], self.alone[part])

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Placed":
        """Those that are chosen."""
        return Placed(self.rows[chosen], self.tiles[chosen], self.alone[chosen])

    def and_also(self, others: "Placed") -> "Placed":
        """Both, by tile."""
        tiles = np.concatenate([self.tiles, others.tiles])
        order = np.argsort(tiles, kind="stable")
        rows, alone = np.concatenate([self.rows, others.rows]), np.concatenate([self.alone, others.alone])
        return Placed(rows[order], tiles[order], alone[order])


@dataclass(frozen=True)
class Layout:
    """One zoom: the ids of its tiles in the order of the file, their columns and rows (n, 2), and for each ground what
    is drawn with its outline, and what as a dot.
    """

    zoom: int
    ids: Ints
    at: Ints
    outlines: tuple[Placed, ...]
    dots: tuple[Placed, ...]

    def weights(self) -> Ints:
        """About how much there is to do for each tile."""
        counted = [np.bincount(one.tiles, minlength=len(self.ids)) for one in self.outlines]
        dotted = [np.bincount(one.tiles, minlength=len(self.ids)) // 16 for one in self.dots]
        return np.asarray(np.sum([*counted, *dotted], axis=0) + 1, dtype=np.int64)


def layout(grounds: Sequence[Ground], zoom: int, detail: Detail) -> Layout:
    """Where everything lies at a zoom."""
    drawn = [is_drawn(one, zoom, detail) for one in grounds]
    outlines = [_reached(one, np.flatnonzero(d), zoom) for one, d in zip(grounds, drawn, strict=True)]
    dots = [(np.flatnonzero(~d), _tile_of(one.centres[~d], zoom)) for one, d in zip(grounds, drawn, strict=True)]
    width = 1 << zoom
    different = np.unique(np.concatenate([tiles[:, 1] * width + tiles[:, 0] for _, tiles in (*outlines, *dots)]))
    at = np.column_stack([different % width, different // width])
    ids = _ids(at, zoom)
    order = np.argsort(ids)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))

    def placed(rows: Rows, tiles: Ints) -> Placed:
        numbers = rank[np.searchsorted(different, tiles[:, 1] * width + tiles[:, 0])]
        by_tile = np.lexsort((rows, numbers))
        alone = np.bincount(rows, minlength=1)[rows] == 1 if len(rows) else np.zeros(0, dtype=bool)
        return Placed(rows[by_tile], numbers[by_tile], alone[by_tile])

    return Layout(
        zoom, ids[order], at[order], tuple(placed(*one) for one in outlines), tuple(placed(*one) for one in dots)
    )


def is_drawn(ground: Ground, zoom: int, detail: Detail) -> npt.NDArray[np.bool_]:
    """Which polygons are large enough for an outline at a zoom."""
    return np.asarray(ground.shares * float(EXTENT << zoom) ** 2 >= detail.smallest)


def units_in_tile(centres: Floats, corners: Ints, zoom: int) -> Ints:
    """Places in the square of the map as units from the north-western corner (n, 2) of their tiles."""
    found = np.floor(centres * float(EXTENT << zoom)).astype(np.int64) - corners
    return np.asarray(np.clip(found, 0, EXTENT - 1), dtype=np.int64)


def _tile_of(centres: Floats, zoom: int) -> Ints:
    return np.asarray(np.clip(np.floor(centres * (1 << zoom)).astype(np.int64), 0, (1 << zoom) - 1), dtype=np.int64)


def _reached(ground: Ground, rows: Rows, zoom: int) -> tuple[Rows, Ints]:
    """Every tile that the bounds of each row reach, its buffer included, and the row."""
    owners, bounds = _local_bounds(ground, rows)
    margin = BUFFER / float(EXTENT << zoom)
    first, last = _tile_of(bounds[:, :2] - margin, zoom), _tile_of(bounds[:, 2:] + margin, zoom)
    across = last - first + 1
    counts = across[:, 0] * across[:, 1]
    owner = np.repeat(np.arange(len(owners)), counts)
    place = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    tiles = first[owner] + np.column_stack([place % across[owner, 0], place // across[owner, 0]])
    found = np.unique(np.column_stack([owners[owner], tiles]), axis=0) if len(owners) > len(rows) else None
    if found is None:
        return owners[owner], tiles
    return found[:, 0], found[:, 1:]


def _local_bounds(ground: Ground, rows: Rows) -> tuple[Rows, Floats]:
    """Bounds of each row; of what is cut at the antimeridian, those of each part."""
    cut = rows[crossing(ground.polygons[rows])] if len(rows) else rows
    plain = np.setdiff1d(rows, cut)
    parts, owners = shapely.get_parts(ground.polygons[cut], return_index=True)
    corners = shapely.bounds(parts).reshape(-1, 4)
    bounds = np.concatenate([places(corners[:, [0, 3]]), places(corners[:, [2, 1]])], axis=1)
    return np.concatenate([plain, cut[owners]]), np.concatenate([ground.bounds[plain], bounds])


def _ids(at: Ints, zoom: int) -> Ints:
    """Numbers of tiles in a PMTiles file."""
    from pmtiles.tile import zxy_to_tileid

    return np.array([zxy_to_tileid(zoom, x, y) for x, y in at.tolist()], dtype=np.int64)
