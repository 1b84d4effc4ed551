"""The whole room on drawn masks: what stays, what it is called, and that the areas add up."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from mask_world import INTERSECT, PIXEL_KM2, country, mine, square, table
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import areas_km2
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.mining import window_status
from minemap_assets.polygons.quality import countries_known, positive_areas, valid_geometries

LEFT, TOP = slice(4, 14), slice(4, 14)


def test_confirmed_stays_and_unconfirmed_goes(world) -> None:
    now = square(world, TOP, LEFT) + square(world, slice(40, 50), LEFT)
    world.masks(2018, {"a": square(world, TOP, LEFT), "b": world.blank()})
    world.masks(2019, {"a": now, "b": world.blank()})
    world.masks(2020, {"a": world.blank(), "b": world.blank()})
    partition = mine(world)
    frame = table(partition, "mining_polygons")
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["area_km2"] == pytest.approx(100 * PIXEL_KM2, rel=2e-3)
    assert row["mean_probability"] == pytest.approx(200 / 254)
    assert (row["site_ids"].tolist(), row["sources"].tolist()) == (["a"], ["source-a"])
    assert row["acquisitions"].tolist() == ["mosaic", "quad-a"]
    assert (row["country_iso3"], row["country_name"], row["continent"]) == ("XWA", "West", "Testia")
    assert (row["operating_point"], row["temporal_rule"], row["status"]) == ("match_area", "intersect-2", "provisional")
    assert (row["product"], row["model_version"], row["clear_fraction"]) == ("planet-nicfi", "abc", 0.5)
    assert row["polygon_id"].startswith("testland-2019-")
    assert partition.manifest.summary["dropped_by_the_temporal_rule"] == 1


def test_a_polygon_over_two_sites_and_two_countries(world) -> None:
    """A band through both windows is one polygon; its areas by country and by site add up to its own."""
    band = square(world, slice(20, 30), slice(0, 64))
    for year in (2018, 2019):
        world.masks(year, {"a": band, "b": band})
    partition = mine(world)
    frame, split, panel = (table(partition, n) for n in ("mining_polygons", "polygon_country_area", "site_area"))
    assert len(frame) == 1
    area = frame["area_km2"].iloc[0]
    assert area == pytest.approx(96 * 10 * PIXEL_KM2, rel=2e-3)
    assert frame["site_ids"].iloc[0].tolist() == ["a", "b"]
    assert split["iso3"].tolist() == ["XEA", "XWA"]
    assert split["area_km2"].to_numpy() == pytest.approx([area / 2, area / 2], rel=2e-3)
    assert split["area_km2"].sum() == pytest.approx(area, rel=1e-12)
    assert panel["area_km2"].to_numpy() == pytest.approx([area / 2, area / 2], rel=2e-2)
    assert panel["area_km2"].sum() == pytest.approx(area, rel=1e-12)
    assert area == pytest.approx(areas_km2(frame.geometry)[0], rel=1e-12)


def test_missing_is_not_zero(world) -> None:
    world.masks(2019, {"a": world.blank()})
    panel = table(mine(world), "site_area").set_index("site_id")
    assert panel.loc["a", "area_km2"] == 0.0
    assert panel.loc["a", "observed_share"] == 1.0
    assert pd.isna(panel.loc["b", "area_km2"])
    assert panel.loc["b", "observed_share"] == 0.0
    assert panel["product"].isna().tolist() == [False, True]


def test_hidden_site_is_null(world) -> None:
    world.masks(2019, {"a": world.blank(), "b": world.blank(255)})
    assert table(mine(world), "site_area")["area_km2"].isna().tolist() == [False, True]


def test_a_year_that_did_not_see_the_ground_says_nothing(world) -> None:
    here = square(world, TOP, LEFT)
    world.masks(2018, {"a": world.blank(255), "b": world.blank()})
    world.masks(2019, {"a": here, "b": world.blank()})
    partition = mine(world)
    assert len(table(partition, "mining_polygons")) == 1
    assert partition.manifest.summary["kept_without_evidence"] == 1
    world.masks(2017, {"a": world.blank()})
    assert len(table(mine(world), "mining_polygons")) == 0
    assert len(table(mine(world, config=PolygonsConfig(preset="parity")), "mining_polygons")) == 1


def test_parity_fills_every_hole_and_keeps_specks(world) -> None:
    ring = square(world, slice(4, 60), slice(4, 44))
    ring[10:50, 10:40] = 0
    ring[20:22, 20:22] = 254
    for year in (2018, 2019):
        world.masks(year, {"a": ring, "b": world.blank()})
    ours = table(mine(world), "mining_polygons")
    theirs = table(mine(world, config=PolygonsConfig(preset="parity")), "mining_polygons")
    assert ours["area_km2"].to_numpy() == pytest.approx([(56 * 40 - 40 * 30) * PIXEL_KM2], rel=2e-3)
    assert theirs["area_km2"].to_numpy() == pytest.approx([56 * 40 * PIXEL_KM2], rel=2e-3)
    assert len(theirs.geometry.iloc[0].interiors) == 0


def test_status_follows_the_window() -> None:
    assert window_status(2019, 2, 2016, {2017, 2018, 2019, 2020, 2021}, None) == "final"
    assert window_status(2019, 2, 2016, {2018, 2019, 2020, 2021}, None) == "provisional"
    assert window_status(2019, 2, 2016, {2017, 2018, 2019, 2020}, None) == "provisional"
    assert window_status(2016, 2, 2016, {2016, 2017, 2018}, None) == "final"
    assert window_status(2019, 1, 2016, {2018, 2019, 2020}, None) == "final"
    assert window_status(2019, 2, 2016, {2017, 2018, 2019}, last_year=2019) == "final"
    assert window_status(2019, 2, 2016, {2017, 2018, 2019}, last_year=2020) == "provisional"


def test_an_empty_year_is_three_typed_tables(world) -> None:
    world.masks(2019, {"a": world.blank(), "b": world.blank()})
    empty = mine(world)
    assert len(table(empty, "mining_polygons")) == 0
    world.masks(2019, {"a": square(world, TOP, LEFT), "b": world.blank()})
    schema = {}
    for name in ("mining_polygons", "polygon_country_area", "site_area"):
        schema[name] = pq.read_schema(empty.file(f"{name}.parquet")).remove_metadata()
    full = mine(world)
    assert len(table(full, "mining_polygons")) == 1
    for name, before in schema.items():
        after = pq.read_schema(full.file(f"{name}.parquet"))
        assert [(f.name, f.type) for f in before] == [(f.name, f.type) for f in after]


def test_same_inputs_same_bytes(world) -> None:
    rng = np.random.default_rng(3)
    for year in (2018, 2019):
        noise = {s: (rng.random((64, 64)) < 0.3).astype(np.uint8) * 220 for s in world.grids}
        world.masks(year, noise)
    config = PolygonsConfig(min_area_km2=0.0, **INTERSECT)
    first, second = mine(world, config=config).manifest, mine(world, config=config).manifest
    assert first.content == second.content
    frame = table(world.lake.open(first.ref), "mining_polygons")
    assert len(frame) > 50
    assert frame["polygon_id"].is_unique
    assert frame["polygon_id"].is_monotonic_increasing
    inside = gpd.sjoin(frame[["geometry"]], frame[["geometry"]], predicate="overlaps")
    assert inside.empty


def test_a_year_without_outlines_is_refused(world) -> None:
    world.masks(2018, {"a": world.blank()})
    with pytest.raises(BadInputError, match="no raw polygons for 2019"):
        mine(world)


def test_quality_rules_can_fail(world) -> None:
    good = gpd.GeoDataFrame(
        {"polygon_id": ["p"], "area_km2": [1.0], "country_iso3": ["XWA"]}, geometry=[shapely.box(0, 0, 1, 1)]
    )
    borders = country(world)
    assert valid_geometries(good).passed
    assert positive_areas(good).passed
    assert countries_known(good, borders).passed
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    bad = good.assign(area_km2=0.0, country_iso3="ZZZ", geometry=[bow])
    for finding in (valid_geometries(bad), positive_areas(bad), countries_known(bad, borders)):
        assert not finding.passed
        assert finding.facts["examples"] == ["p"]
        assert finding.sentence.startswith("0 of 1 polygons")
    assert valid_geometries(replace_geometry(good, None)).passed is False


def replace_geometry(frame: gpd.GeoDataFrame, geometry) -> gpd.GeoDataFrame:
    return frame.assign(geometry=gpd.GeoSeries([geometry]))


def test_region_cuts_a_polygon_in_two_but_keeps_the_sum(world) -> None:
    """A region with a strip left out leaves two polygons, each inside it."""
    band = square(world, slice(20, 30), slice(0, 64))
    for year in (2018, 2019):
        world.masks(year, {"a": band, "b": world.blank()})
    west, south, east, north = world.sites.geometry.iloc[0].bounds
    strip = shapely.box(west + 0.3 * (east - west), south - 1, west + 0.4 * (east - west), north + 1)
    holed = replace(world, region=replace(world.region, geometry=world.region.geometry.difference(strip)))
    frame = table(mine(holed), "mining_polygons")
    assert len(frame) == 2
    assert all(holed.region.geometry.buffer(1e-9).covers(g) for g in frame.geometry)
