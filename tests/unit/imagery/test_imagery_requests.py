"""Grids and fingerprints of composites before any pixel is read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import geopandas as gpd
import pytest
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.imagery.requests import imagery_grid, plan
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest

SEASON = SeasonRule().season(2021)
BANDS = ("blue", "nir")


class NamedSource(ImagerySource):
    """A source that is asked for nothing but its name."""

    def __init__(self, name: str = "a", product: str = "planet-nicfi", revision: str = "1") -> None:
        super().__init__(name, product, revision)

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        raise NotImplementedError

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        raise NotImplementedError

    def latest(self) -> Latest:
        raise NotImplementedError


def frame(*grids: GeoBox) -> gpd.GeoDataFrame:
    places = [to_columns(grid) for grid in grids]
    return gpd.GeoDataFrame(
        {
            "site_id": [f"m{i}" for i in range(len(grids))],
            "crs": [p.crs for p in places],
            "transform": [list(p.transform) for p in places],
            "width": [p.width for p in places],
            "height": [p.height for p in places],
        },
        geometry=[footprint_wgs84(g) for g in grids],
        crs="EPSG:4326",
    )


GRID = square_grid(500_000, 9_000_000, 64, 32720)
OTHER = square_grid(510_000, 9_000_000, 64, 32720)
ONE, TWO = NamedSource(), NamedSource("b")


def content_key(
    grid: GeoBox = GRID,
    sources: Sequence[ImagerySource] = (ONE,),
    season: Season = SEASON,
    bands: Sequence[str] = BANDS,
    minimum: float = 0.5,
) -> str:
    return next(iter(plan(frame(grid), sources, season, bands, minimum))).content_key


@pytest.mark.parametrize(
    "other",
    [
        content_key(grid=OTHER),
        content_key(grid=square_grid(500_000, 9_000_000, 64, 32719)),
        content_key(grid=square_grid(500_000, 9_000_000, 32, 32720, 10.0)),
        content_key(season=replace(SEASON, end=date(2021, 12, 2))),
        content_key(season=replace(SEASON, start=date(2021, 5, 1))),
        content_key(season=replace(SEASON, year=2020)),
        content_key(bands=("nir", "blue")),
        content_key(sources=(NamedSource(product="sentinel-2-l2a"),)),
        content_key(sources=(NamedSource(revision="2"),)),
        content_key(sources=(TWO,)),
        content_key(sources=(ONE, TWO)),
        content_key(sources=(TWO, ONE)),
    ],
)
def test_everything_a_file_depends_on_is_in_its_fingerprint(other: str) -> None:
    assert other != content_key()


def test_the_minimum_counts_where_it_chooses_between_sources() -> None:
    assert content_key(sources=(ONE, TWO), minimum=0.5) != content_key(sources=(ONE, TWO), minimum=0.6)


def test_neighbours_and_an_idle_minimum_are_not() -> None:
    alone = next(iter(plan(frame(GRID), (ONE,), SEASON, BANDS, 0.5)))
    beside = next(iter(plan(frame(GRID, OTHER), (ONE,), SEASON, BANDS, 0.9)))
    assert alone == beside


@pytest.mark.parametrize(
    ("own", "product", "stored"),
    [(5.0, 5.0, 5.0), (5.0, 10.0, 10.0), (78.125, 10.0, 78.125), (7.0, 10.0, 7.0), (7.0, 5.0, 7.0)],
)
def test_sites_are_stored_at_the_coarser_pixel_size(own: float, product: float, stored: float) -> None:
    site = square_grid(500_000, 9_000_000, 512, 32720, own)
    grid = imagery_grid(site, product)
    assert grid.affine.a == stored
    assert grid.boundingbox == site.boundingbox
