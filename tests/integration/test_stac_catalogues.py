"""Composites of catalogues that hold a season only in part, or hold broken items: pixels are those of whole ones.

The catalogues are `rustac serve` on loopback, their files real COGs of known truth.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.stac.source import StacProvenance
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from servers.processes import stac_search
from stac_service import GROUND, World
from stac_world import TILE, Shot, item_of, write_scene

pytestmark = pytest.mark.integration

SEASON = Season(2022, date(2022, 6, 1), date(2022, 7, 1))
SITE = TILE[150:350, 250:450]
BANDS = ("blue", "red", "nir")
DAYS = ("2022-06-03", "2022-06-08", "2022-06-13", "2022-06-18", "2022-06-23", "2022-06-28")
CLOUDS = {2: ((slice(200, 260), slice(300, 380)),), 4: ((slice(150, 230), slice(330, 450)),)}
"""Over the middle one and over one at the end, so that a median over fewer dates would differ."""

GROUND_HERE = {band: GROUND[band] for band in BANDS}
DRIFTS = (-120, 40, -10, 90, -60, 15)


def shots(held: Sequence[int], baseline: str = "05.10") -> list[Shot]:
    return [Shot(DAYS[n], baseline, drift=DRIFTS[n], clouds=CLOUDS.get(n, ())) for n in held]


EVERY = range(len(DAYS))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def items(world: World, number: int, held: Sequence[int]) -> list[dict[str, Any]]:
    """Items of a collection, whose files are written."""
    collection, url = world.collections[number], world.files_url(number)
    return [write_scene(world.root, url, collection, shot, GROUND_HERE) for shot in shots(held)]


def facts(composite: Composite) -> StacProvenance:
    assert isinstance(composite.provenance, StacProvenance)
    return composite.provenance


def test_a_season_of_every_pass_asks_nobody_else(world: World) -> None:
    world.serve(items(world, 0, EVERY), items(world, 1, EVERY))
    composite = world.source().read(SITE, SEASON, BANDS)
    assert len(composite.provenance.acquisitions) == 6
    assert facts(composite).filled == 0
    assert not world.asked("/planetary-computer")
    assert not world.asked("/tokens")


@pytest.mark.parametrize("held", [(0, 3), (0, 1, 3, 4)])
def test_a_thinned_catalogue_gives_the_composite_of_a_whole_one(world: World, held: tuple[int, ...]) -> None:
    """A third of the scenes and two thirds, about as 2018 and 2019 were held."""
    theirs = items(world, 1, EVERY)
    world.serve(items(world, 0, EVERY), theirs)
    whole = world.source("whole").read(SITE, SEASON, BANDS)
    world.serve(items(world, 0, held), theirs)
    filled = world.source("filled").read(SITE, SEASON, BANDS)
    assert (filled.pixels == whole.pixels).all()
    assert (filled.clear_count == whole.clear_count).all()
    assert facts(filled).filled == len(EVERY) - len(held)
    assert filled.provenance.acquisition_days == whole.provenance.acquisition_days == DAYS
    assert facts(filled).collections[0].text == counted(len(held), len(EVERY) - len(held))
    alone = world.source("alone", collections=world.collections[:1]).read(SITE, SEASON, BANDS)
    assert (alone.pixels != whole.pixels).any()  # the scenes that were lacking matter


def counted(images: int, lacking: int) -> str:
    return f"{images} image{'s'[: images != 1]}, {lacking} pass{'es'[: 2 * (lacking != 1)]} without one"


def test_the_index_holds_how_many_scenes_were_filled(world: World) -> None:
    world.serve(items(world, 0, (0, 3)), items(world, 1, EVERY))
    lake = Lake.local(world.folder / "lake", world.folder / "state")
    row = asdict(to_columns(SITE)) | {"site_id": "m0"}
    frame = gpd.GeoDataFrame([row], geometry=[footprint_wgs84(SITE)], crs="EPSG:4326")

    def make(writer: PartitionWriter) -> Outcome:
        return build_imagery(frame, [world.source()], SEASON, BANDS, 0.5, writer, workers=1)

    ref = PartitionRef("imagery", "imagery", ("test", "2022"))
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=make)
    assert list(open_imagery(lake.open(ref)).index["filled"]) == [4]


def test_a_broken_item_costs_nothing_where_another_catalogue_has_the_image(world: World) -> None:
    theirs = items(world, 1, EVERY)
    world.serve(items(world, 0, EVERY), theirs)
    whole = world.source("whole").read(SITE, SEASON, BANDS)
    ours = items(world, 0, EVERY)
    del ours[3]["assets"]["nir"]
    ours[1]["assets"]["red"]["href"] = "s3://sentinel-s2-l2a/tiles/22/M/DB/2022/6/8/0/R10m/B04.tif"
    world.serve(ours, theirs)
    mended = world.source("mended").read(SITE, SEASON, BANDS)
    assert (mended.pixels == whole.pixels).all()
    assert facts(mended).filled == 2
    address, lacking = facts(mended).left_out
    assert address.collection == f"earth-search/sentinel-2-c1-l2a/{ours[1]['id']}"
    assert "s3://" in address.text
    assert "has no asset nir" in lacking.text
    world.serve(ours)
    alone = world.source("alone").read(SITE, SEASON, BANDS)
    assert len(alone.provenance.acquisitions) == 4  # two scenes, not the site


def test_a_scene_that_shows_no_ground_gives_way_to_its_good_copy(world: World) -> None:
    ours = items(world, 0, EVERY)
    world.serve(ours, items(world, 1, EVERY))
    whole = world.source("whole").read(SITE, SEASON, BANDS)
    assert facts(whole).left_out == ()
    corrupt = {band: np.broadcast_to(pixels[200], pixels.shape).copy() for band, pixels in GROUND_HERE.items()}
    write_scene(world.root, world.files_url(0), world.collections[0], shots([0])[0], corrupt)
    mended = world.source("mended").read(SITE, SEASON, BANDS)
    assert (mended.pixels == whole.pixels).all()
    assert facts(mended).filled == 1
    (left,) = facts(mended).left_out
    assert "smeared" in left.text
    assert left.collection == f"earth-search/sentinel-2-c1-l2a/{ours[0]['id']}"


def test_a_season_s_revision_changes_when_a_catalogue_fills_it(world: World, tmp_path: Path) -> None:
    rule = SeasonRule(first_month=6, last_month=6)
    today = item_of(world.collections[0], Shot("2022-12-01"), {})
    every = [item_of(world.collections[0], shot, {}) for shot in shots(EVERY)]
    with stac_search(tmp_path) as server:

        def revision(held: Sequence[int]) -> str:
            server.put("c1", [today, *(every[n] for n in held)])
            collection = world.collections[0].model_copy(update={"endpoint": f"{server.url}/c1"})
            return world.source(collections=(collection,)).latest_by_season(rule).revisions[2022]

        thin = revision((0, 3))
        assert revision((0, 3)) == thin
        assert revision(EVERY) != thin
