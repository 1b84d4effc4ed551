"""The real services, over one kilometre of the example mine: sane reflectance, dates within the season, provenance.

Accounts come from the environment as in any run; a service without one is skipped. Planet counts every download, so
its quad is fetched only where MINEMAP_LIVE_DOWNLOADS is set.
"""

import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite

pytestmark = pytest.mark.live

Reach = Callable[[str], None]

BANDS = ("blue", "green", "red", "nir")
DRY_2023 = Season(2023, date(2023, 7, 1), date(2023, 9, 1))
DRY_2019 = Season(2019, date(2019, 7, 1), date(2019, 9, 1))
"""Lies in the gap of Earth Search's first collection."""

DOWNLOADS = "MINEMAP_LIVE_DOWNLOADS"


def assert_sane(composite: Composite, grid: GeoBox, season: Season, bands: Sequence[str] = BANDS) -> None:
    """Tropical ground: not black, not cloud, greener in the near infrared than in the red somewhere."""
    assert composite.grid == grid
    assert composite.bands == tuple(bands)
    seen = composite.pixels[0] > 0
    assert seen.mean() > 0.3
    medians = dict(zip(bands, (float(np.median(band[seen])) for band in composite.pixels), strict=True))
    assert all(50 < value < 6000 for value in medians.values()), medians
    assert medians["nir"] > medians["red"], medians
    assert composite.clear_count[seen].min() >= 1
    provenance = composite.provenance
    assert provenance.acquisitions
    assert season.start.isoformat() <= provenance.first_date <= provenance.last_date < season.end.isoformat()
    assert provenance.terms
    assert provenance.bytes_read > 0


@pytest.mark.parametrize(("number", "season"), [(0, DRY_2023), (1, DRY_2019), (2, DRY_2023)])
def test_open_catalogues(reach: Reach, pit: GeoBox, tmp_path: Path, number: int, season: Season) -> None:
    from minemap_assets.imagery.sources.stac.config import StacConfig
    from minemap_assets.imagery.sources.stac.source import StacSource

    collection = StacConfig().collections[number]
    reach(collection.endpoint)
    source = StacSource("sentinel-2-l2a", StacConfig(collections=(collection,), attempts=3), tmp_path)
    composite = source.read(pit, season, BANDS)
    assert_sane(composite, pit, season)
    assert composite.provenance.source == "stac"
    assert composite.provenance.redistributable


def test_the_default_fills_the_gap_of_2019(reach: Reach, pit: GeoBox, tmp_path: Path) -> None:
    from minemap_assets.imagery.sources.stac.config import StacConfig
    from minemap_assets.imagery.sources.stac.source import StacSource

    for collection in StacConfig().collections:
        reach(collection.endpoint)
    source = StacSource("sentinel-2-l2a", StacConfig(attempts=3), tmp_path)
    assert_sane(source.read(pit, DRY_2019, BANDS), pit, DRY_2019)
    newest = source.latest().newest
    assert newest is not None
    assert newest.year >= 2025


@pytest.mark.parametrize("product", ["sentinel-2-l2a", "sentinel-2-l1c"])
def test_earth_engine(reach: Reach, pit: GeoBox, product: str) -> None:
    from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
    from minemap_assets.imagery.sources.earth_engine.credentials import find_account
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    config = EarthEngineConfig(attempts=3)
    reach(config.url)
    try:
        find_account(config)
    except AuthenticationError as error:
        pytest.skip(str(error))
    composite = EarthEngineSource(product, config).read(pit, DRY_2023, BANDS)
    assert_sane(composite, pit, DRY_2023)
    assert composite.provenance.product == product


def test_earth_engine_says_who_may_read_the_basemaps(reach: Reach) -> None:
    from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
    from minemap_assets.imagery.sources.earth_engine.credentials import find_account
    from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource

    config = EarthEngineConfig(attempts=3)
    reach(config.url)
    try:
        find_account(config)
    except AuthenticationError as error:
        pytest.skip(str(error))
    for one in EarthEngineSource("planet-nicfi", config).access():
        assert one.granted or "ask for access to the NICFI" in one.reason


def test_planet_basemaps(reach: Reach, pit: GeoBox, tmp_path: Path) -> None:
    from minemap_assets.imagery.sources.planet.config import PlanetConfig
    from minemap_assets.imagery.sources.planet.source import PlanetSource

    config = PlanetConfig(attempts=3)
    reach(config.base_url)
    source = PlanetSource("planet-nicfi", config, tmp_path)
    try:
        latest = source.latest()
    except AuthenticationError as error:
        pytest.skip(str(error))
    assert latest.newest is not None, "the account sees no NICFI mosaic"
    year = max(latest.revisions)
    season = Season(year, date(year, 1, 1), date(year + 1, 1, 1))
    there = source.available(footprint_wgs84(pit), season)
    assert there.images > 0
    assert there.covered_share == pytest.approx(1.0)
    if not os.environ.get(DOWNLOADS):
        pytest.skip(f"mosaics and quads are seen; set {DOWNLOADS}=1 to fetch quads, which count as downloads")
    assert_sane(source.read(pit, season, BANDS), pit, season)
