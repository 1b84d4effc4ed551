"""What the years around leave of a year, by either rule; and what a person's corrections leave after that."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from mask_world import PIXEL_KM2, mine, square, table
from minemap_assets.geo.grid import square_grid
from minemap_assets.geo.vector import areas_km2
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.merge import merge_sites

HMM = PolygonsConfig()
MINE, DOUBT, SPECK = (slice(4, 14), slice(4, 14)), (slice(4, 14), slice(14, 16)), (slice(40, 50), slice(4, 14))


def drawn(world, *parts: tuple[tuple[slice, slice], int]) -> np.ndarray:
    mask = world.blank(2)
    for (rows, columns), value in parts:
        mask[rows, columns] = value
    return mask


def area(partition) -> float:
    return float(table(partition, "mining_polygons")["area_km2"].sum())


def test_chain_removes_what_flickers_and_adds_what_is_doubtful_for_a_year(world) -> None:
    sure = drawn(world, (MINE, 220), (DOUBT, 220))
    for year in (2017, 2018, 2020, 2021):
        world.masks(year, {"a": sure, "b": world.blank(2)})
    world.masks(2019, {"a": drawn(world, (MINE, 220), (DOUBT, 110), (SPECK, 150)), "b": world.blank(2)})
    made = mine(world, config=HMM)
    assert area(made) == pytest.approx(120 * PIXEL_KM2, rel=2e-3)
    facts = made.manifest.summary
    assert facts["added_by_the_temporal_rule_km2"] == pytest.approx(20 * PIXEL_KM2)
    assert facts["removed_by_the_temporal_rule_km2"] == pytest.approx(100 * PIXEL_KM2)
    row = table(made, "mining_polygons").iloc[0]
    assert (row["temporal_rule"], row["correction"]) == ("hmm-2", "")
    assert 220 / 254 < row["mean_probability"] < 1.0


def test_a_year_alone_is_what_its_mask_says(world) -> None:
    world.masks(2019, {"a": drawn(world, (MINE, 128), (DOUBT, 126)), "b": world.blank(2)})
    assert area(mine(world, config=HMM)) == pytest.approx(100 * PIXEL_KM2, rel=2e-3)


def test_hidden_ground_inside_a_mine_is_filled_and_a_hidden_site_has_no_area(world) -> None:
    for year in (2018, 2020):
        world.masks(year, {"a": drawn(world, (MINE, 240)), "b": drawn(world, ((slice(4, 14), slice(50, 60)), 240))})
    world.masks(2019, {"a": drawn(world, (MINE, 240), ((slice(6, 8), slice(6, 8)), 255)), "b": world.blank(255)})
    made = mine(world, config=HMM)
    assert area(made) == pytest.approx(100 * PIXEL_KM2, rel=2e-3)
    assert made.manifest.summary["filled_by_the_temporal_rule_km2"] == pytest.approx(4 * PIXEL_KM2)
    panel = table(made, "site_area").set_index("site_id")
    assert panel["area_km2"].isna().to_dict() == {"a": False, "b": True}
    assert panel["not_observed_reason"].isna().to_dict() == {"a": True, "b": False}


def test_chances_can_be_estimated(world) -> None:
    rng = np.random.default_rng(5)
    for year in (2017, 2018, 2019, 2020, 2021):
        flicker = np.where(rng.random((64, 64)) < 0.5, 230, 20).astype(np.uint8)
        world.masks(year, {"a": flicker, "b": world.blank(2)})
    estimated = PolygonsConfig(hmm_parameters="estimated")
    set_, found = (mine(world, config=c).manifest.summary["chances"] for c in (HMM, estimated))
    assert set_ == {"appear": HMM.appear, "disappear": HMM.disappear}
    assert found["appear"] > 1.5 * set_["appear"]
    assert found["appear"] / found["disappear"] == pytest.approx(HMM.appear / HMM.disappear, rel=1e-3)


def test_the_published_rule_reads_no_mask_of_any_year(world) -> None:
    here = square(world, *MINE)
    for year in (2018, 2019, 2020):
        world.masks(year, {"a": here, "b": world.blank()})
    with_masks = mine(world)
    years, world.written = tuple(world.written), {}
    refs = {year: PartitionRef("polygons", "raw_polygons", ("testland", str(year))) for year in years}
    raw = {year: world.lake.open(ref) for year, ref in refs.items()}
    assert mine(world, raw=raw).manifest.content == with_masks.manifest.content


def test_corrections_outlive_the_outlines_and_both_areas_are_told(world) -> None:
    now = square(world, *MINE) + square(world, *SPECK)
    for year in (2018, 2019, 2020):
        world.masks(year, {"a": now, "b": world.blank()})
    before = table(mine(world), "mining_polygons").sort_values("area_km2")
    assert len(before) == 2
    wrong = min(before.geometry, key=lambda g: g.centroid.y)
    rejected = Correction(1, "reject", "A. Person", "2026-01-02", "a quarry pond", wrong.buffer(1e-5))
    made = mine(world, corrections=(rejected,))
    assert area(made) == pytest.approx(100 * PIXEL_KM2, rel=2e-3)
    panel = table(made, "site_area").set_index("site_id")
    assert panel.loc["a", "uncorrected_km2"] == pytest.approx(200 * PIXEL_KM2, rel=2e-3)
    assert panel.loc["a", "area_km2"] == pytest.approx(area(made), rel=1e-9)
    assert made.manifest.summary["rejected"] == 1
    larger = shapely.box(*wrong.buffer(2e-4).bounds)
    redrawn = mine(world, corrections=(replace(rejected, action="redraw", geometry=larger),))
    frame = table(redrawn, "mining_polygons").set_index("correction")
    assert sorted(frame.index) == ["", "redrawn"]
    assert frame.loc["redrawn", "area_km2"] == pytest.approx(float(areas_km2(gpd.GeoSeries([larger], crs=4326))[0]))
    another_model = drawn(world, (MINE, 210), ((slice(41, 51), slice(5, 13)), 180))
    for year in (2018, 2019, 2020):
        world.masks(year, {"a": another_model, "b": world.blank()}, model_version="def")
    again = table(mine(world, corrections=(rejected,)), "mining_polygons")
    assert (again["model_version"].tolist(), again["area_km2"].to_numpy()) == (
        ["def"],
        pytest.approx([100 * PIXEL_KM2], rel=2e-3),
    )


def test_raw_areas_are_the_merged_ones_where_windows_of_two_zones_overlap(world) -> None:
    """At 6 degrees west pixels of one zone do not part the ground exactly: outlines are cut along the cells."""
    east = square_grid(166_500, 700_000, 64, 32630)
    west_shape = gpd.GeoSeries([shapely.box(*east.boundingbox.bbox)], crs=32630).to_crs(32629).iloc[0]
    x, y = west_shape.centroid.coords[0]
    both = replace(world, grids={"e": east, "w": square_grid(x - 180, y + 60, 64, 32629)})
    both = replace(both, region=replace(world.region, geometry=shapely.box(-8, 4, -4, 8)))
    both.masks(2019, {"e": both.blank(254), "w": both.blank(254)})
    raw = both.outlined().polygons
    merged = merge_sites(raw, {site: cell.crs for site, cell in both.cells.items()})
    united = float(areas_km2(gpd.GeoSeries([shapely.union_all(np.asarray(raw.geometry))], crs=4326))[0])
    ground = float(areas_km2(gpd.GeoSeries([c.cell for c in both.cells.values()], crs=4326)).sum())
    assert len(merged.polygons) == 1
    assert raw["area_km2"].sum() == pytest.approx(united, rel=1e-5)
    assert raw["area_km2"].sum() == pytest.approx(ground, rel=1e-4)
