"""Pictures of scans: scores as a map, detections on the imagery of their year, candidates through the years."""

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.detection.ground import Ground, Square, square_around
from minemap_assets.detection.patch_grid import PIXEL, STRIDE, TILE_PATCHES, tile_named
from minemap_assets.detection.schemas import CANDIDATES, DETECTIONS, PATCH_SCORES
from minemap_assets.geo.pictures import BESIDE, SIDE, TILES, Picture, Swatch, Tile, outlined, sampled, sheet
from minemap_assets.imagery.drawing import UNSEEN
from minemap_assets.imagery.preview import coloured
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.schemas import read_table
from minemap_assets.segmentation.drawing import LEGEND
from minemap_assets.segmentation.preview import coloured as coloured_probability
from minemap_assets.segmentation.scale import NOT_OBSERVED, to_stored

FOUND = (255, 214, 10)
OUTLINE = Swatch((FOUND,), "edge of the patches that were detected")
NO_IMAGE = (214, 214, 214)
WITHOUT = Swatch((NO_IMAGE,), "no image: not scanned then")
PAGE = 8
"""Candidates on a page, a row each."""

_PAGE_BYTES = 400_000
_LEAST_METRES = 2400.0
_AROUND = 1.6


def score_sheet(partition: Partition) -> bytes:
    """WebP of a map of scores, of the UTM zone that most patches lie in."""
    table = pd.read_parquet(partition.file(PATCH_SCORES.file), columns=["tile", "row", "column", "score"])
    title = (
        f"{' '.join(partition.manifest.keys)}: {len(table):,} patches, {int(table['score'].notna().sum()):,} observed"
    )
    if not len(table):
        return sheet(title, (), ())
    cells = score_map(table)
    across = max(cells.shape)
    square = np.full((across, across), NOT_OBSERVED, np.uint8)
    square[: cells.shape[0], : cells.shape[1]] = cells
    tile = Tile(coloured_probability(sampled(square)), "all of it", across * STRIDE * PIXEL)
    return sheet(title, [tile], LEGEND)


def score_map(table: pd.DataFrame) -> npt.NDArray[np.uint8]:
    """Stored scores of patches [tile, row, column, score], north up, a cell for each step of 240 m of the zone that
    most of them lie in.
    """
    names, tile = np.unique(table["tile"].to_numpy(str), return_inverse=True)
    tiles = [tile_named(str(name)) for name in names]
    zones = np.array([one.zone for one in tiles])[tile]
    chosen = zones == np.bincount(zones).argmax()
    east = np.array([one.column for one in tiles])[tile] * TILE_PATCHES + table["column"].to_numpy()
    south = -np.array([one.row for one in tiles])[tile] * TILE_PATCHES + table["row"].to_numpy()
    east, south = (axis[chosen] - axis[chosen].min() for axis in (east, south))
    score = table["score"].to_numpy(np.float64)[chosen]
    cells = np.full((south.max() + 1, east.max() + 1), NOT_OBSERVED, np.uint8)
    cells[south, east] = np.where(np.isnan(score), NOT_OBSERVED, to_stored(np.nan_to_num(score)))
    return cells


def detection_sheet(partition: Partition, ground: Ground | None) -> bytes:
    """WebP of up to `TILES` detections, those with the highest scores, on the imagery of their year."""
    table = read_table(partition.file(DETECTIONS.file), DETECTIONS)
    shown = table.sort_values(["score_max", "detection_id"], ascending=[False, True]).head(TILES)
    title = f"{' '.join(partition.manifest.keys)}: the surest {len(shown)} of {len(table)} detections"
    tiles = [
        _tile(row.geometry, float(row.longitude), float(row.latitude), ground, f"score {row.score_max:.2f}")
        for row in _placed(shown).itertuples(index=False)
    ]
    return sheet(title, tiles, [OUTLINE, UNSEEN])


def candidate_sheet(partition: Partition, grounds: Mapping[int, Ground]) -> bytes:
    """WebP of the surest candidates, a row each: before it was first detected, then, and in the last year."""
    table = read_table(partition.file(CANDIDATES.file), CANDIDATES)
    shown = table.head(TILES // BESIDE)
    title = f"{' '.join(partition.manifest.keys)}: the surest {len(shown)} of {len(table)} candidates"
    return sheet(title, _rows(shown, grounds), [OUTLINE, UNSEEN, WITHOUT])


def candidates_page(title: str, table: gpd.GeoDataFrame, grounds: Mapping[int, Ground]) -> bytes:
    """WebP of candidates, a row each: before it was first detected, then, and in the last year."""
    return sheet(title, _rows(table, grounds), [OUTLINE, UNSEEN, WITHOUT], _PAGE_BYTES)


def _placed(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """With the middle of each outline's extent."""
    bounds = table.geometry.bounds
    return table.assign(longitude=(bounds["minx"] + bounds["maxx"]) / 2, latitude=(bounds["miny"] + bounds["maxy"]) / 2)


def _rows(table: gpd.GeoDataFrame, grounds: Mapping[int, Ground]) -> list[Tile]:
    tiles: list[Tile] = []
    years = sorted(grounds)
    for row in table.itertuples(index=False):
        first = int(row.first_year)
        before = [year for year in years if year < first]
        captions = (row.candidate_id, f"first detected, {row.score_max:.2f}", "last year")
        for year, said in zip(
            (before[-1] if before else None, first, years[-1] if years else first), captions, strict=True
        ):
            ground = None if year is None else grounds.get(year)
            caption = f"{said} {'' if year is None else year}".strip()
            tiles.append(_tile(row.geometry, float(row.longitude), float(row.latitude), ground, caption))
    return tiles


def _tile(outline: BaseGeometry, longitude: float, latitude: float, ground: Ground | None, caption: str) -> Tile:
    """An outline (EPSG:4326) on what the ground looked like; grey where that is not kept."""
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    to_zone = pyproj.Transformer.from_crs(4326, 32600 + zone, always_xy=True)
    placed = shapely.transform(outline, lambda places: np.column_stack(to_zone.transform(*places.T)))
    left, bottom, right, top = placed.bounds
    square = square_around(longitude, latitude, zone, max(_LEAST_METRES, _AROUND * max(right - left, top - bottom)))
    return Tile(outlined(_natural(ground, square), [placed], square.bounds, FOUND), caption, square.metres)


def _natural(ground: Ground | None, square: Square) -> Picture:
    if ground is None:
        return np.full((SIDE, SIDE, 3), NO_IMAGE, np.uint8)
    return coloured(sampled(ground.pixels(square)), ground.bands, SIDE)
