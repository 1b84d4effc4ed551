"""Source continuity on masks drawn by hand: every ground once, held-out sites apart, and what equals the areas."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine, to_stored
from minemap_assets.sites.cells import site_cells
from minemap_assets.validation.comparison import Place, RegionMasks, SitePair, compare_regions
from minemap_assets.validation.continuity import (
    ALL_GROUND,
    EVERYTHING,
    FILE,
    HELD_OUT,
    SUMMARY,
    build_source_continuity,
    matching_threshold,
    summary_frame,
)
from minemap_assets.validation.step_drawing import step_picture

Stored = npt.NDArray[np.uint8]
ONE, TWO = "planet-nicfi", "sentinel-2-l2a"
SIDE = 80
"""Pixels of 5 m of a window: 400 m."""
PIXEL_KM2 = 25e-6
NORTH = 9_300_000.0
WORLD = shapely.box(-180, -90, 180, 90)
NO_BASELINES: Mapping[str, Mapping[str, str]] = MappingProxyType({})


def sites(eastings: Mapping[str, float]) -> gpd.GeoDataFrame:
    rows = []
    for name, easting in eastings.items():
        grid = square_grid(easting, NORTH, SIDE, 32721)
        rows.append({"site_id": name, **vars(to_columns(grid)), "geometry": footprint_wgs84(grid)})
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


def published(lake: Lake, product: str, region: str, frame: gpd.GeoDataFrame, masks: Mapping[str, Stored]) -> Partition:
    ref = PartitionRef("segmentation", "reference_masks", (product, region))

    def build(writer: PartitionWriter) -> Outcome:
        rows = []
        for row in frame.itertuples():
            grid = site_cells(frame)[row.site_id].grid
            write_cog(writer.path(f"{row.site_id}.tif"), masks[row.site_id][None], grid, ("probability",), nodata=255)
            writer.add(f"{row.site_id}.tif")
            facts = {"threshold": 0.5, "operating_point": "match_area", "model_version": "m", "product": product}
            rows.append({"site_id": row.site_id, "file": f"{row.site_id}.tif", **facts, "geometry": row.geometry})
        write_geoparquet(gpd.GeoDataFrame(rows, crs=WGS84), writer.path("index.parquet"))
        writer.add("index.parquet")
        return Outcome()

    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def region(
    lake: Lake,
    slug: str,
    eastings: Mapping[str, float],
    masks: Mapping[str, Mapping[str, Stored]],
    boundary: BaseGeometry = WORLD,
    places: Mapping[str, Place] = MappingProxyType({}),
) -> RegionMasks:
    frame = sites(eastings)
    return RegionMasks(
        slug,
        boundary,
        site_cells(frame),
        {name: places.get(name, Place(name, held_out=False, outline_km2=0.01)) for name in eastings},
        {product: published(lake, product, slug, frame, by_site) for product, by_site in masks.items()},
        NO_BASELINES,
    )


def stored_threshold(row: Mapping[str, Any]) -> float:
    return float(row["threshold"])


def compared(*regions: RegionMasks) -> list[SitePair]:
    return list(compare_regions(regions, (ONE, TWO), stored_threshold))


def on_ground(easting: float, west: float, east: float, value: int = 254) -> Stored:
    """A window's mask that is mine between two eastings, over all of its height."""
    left = easting - SIDE * 2.5
    middles = left + 5.0 * (np.arange(SIDE) + 0.5)
    row = np.where((middles > west) & (middles < east), value, 0).astype(np.uint8)
    return np.broadcast_to(row, (SIDE, SIDE)).copy()


def test_ground_that_two_windows_show_counts_once(lake: Lake) -> None:
    """A mine of 60 columns lies in both windows for the most part: they see it once, by who owns the ground."""
    eastings = {"a": 500_000.0, "b": 500_100.0}
    both = {name: on_ground(at, 499_900, 500_200) for name, at in eastings.items()}
    half = {name: on_ground(at, 499_900, 500_050) for name, at in eastings.items()}
    pairs = compared(region(lake, "north", eastings, {ONE: both, TWO: half}))
    assert [pair.site_id for pair in pairs] == ["a", "b"]
    assert sum(pair.area_km2 for pair in pairs) == pytest.approx(60 * SIDE * PIXEL_KM2)
    assert sum(pair.other_km2 for pair in pairs) == pytest.approx(30 * SIDE * PIXEL_KM2)
    assert sum(pair.observed_km2 for pair in pairs) == pytest.approx(100 * SIDE * PIXEL_KM2)


def test_ground_outside_the_region_and_of_an_earlier_region_is_left_out(lake: Lake) -> None:
    eastings = {"a": 500_000.0}
    whole = {"a": np.full((SIDE, SIDE), 254, dtype=np.uint8)}
    west, south, east, north = sites(eastings).total_bounds
    left = shapely.box(west - 1, south - 1, (west + east) / 2, north + 1)
    first = region(lake, "alder", eastings, {ONE: whole, TWO: whole}, left)
    twin = region(lake, "birch", eastings, {ONE: whole, TWO: whole})
    areas = {pair.region: pair.area_km2 for pair in compared(twin, first)}
    assert areas["alder"] == pytest.approx(0.08, rel=0.02)
    assert sum(areas.values()) == pytest.approx(0.16, abs=PIXEL_KM2)


def test_only_ground_that_both_products_observed_counts(lake: Lake) -> None:
    full, gap = np.full((SIDE, SIDE), 254, dtype=np.uint8), np.full((SIDE, SIDE), 254, dtype=np.uint8)
    gap[:, :20] = NOT_OBSERVED
    (pair,) = compared(region(lake, "r", {"a": 500_000.0}, {ONE: {"a": full}, TWO: {"a": gap}}))
    assert pair.observed_km2 == pair.area_km2 == pair.other_km2 == pytest.approx(60 * SIDE * PIXEL_KM2)


def many(lake: Lake, held_out: Sequence[int], bias: float = 0.12, count: int = 24) -> tuple[RegionMasks, float]:
    """Round mines whose probability falls off with distance; the second product sees all of it `bias` lower."""
    rng = np.random.default_rng(7)
    eastings = {f"m{n:02d}": 500_000.0 + 1000.0 * n for n in range(count)}
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    first, second = {}, {}
    for name, radius in zip(eastings, rng.uniform(8, 25, count), strict=True):
        p = 1 / (1 + np.exp((np.hypot(rows, columns) - radius) / 2))
        first[name] = to_stored(p)
        second[name] = to_stored(np.clip(p - bias + rng.normal(0, 0.03, p.shape), 0, 1))
    places = {
        name: Place(f"g{n // 2}", n in held_out, 0.01 * (n + 1), "AAA" if n < 12 else "BBB")
        for n, name in enumerate(eastings)
    }
    made = region(lake, "r", eastings, {ONE: first, TWO: second}, places=places)
    return made, sum(np.count_nonzero(is_mine(m, 0.5)) for m in first.values()) * PIXEL_KM2


def written(lake: Lake, regions: Sequence[RegionMasks]) -> Partition:
    ref = PartitionRef("validation", "source_continuity")
    build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda w: build_source_continuity(regions, (ONE, TWO), stored_threshold, {ONE: 0.4}, w),
    )
    return lake.open(ref)


def test_a_biased_product_is_told_with_its_interval_and_the_threshold_that_equals_areas(lake: Lake) -> None:
    made, area = many(lake, held_out=range(4))
    partition = written(lake, [made])
    rows = pd.read_parquet(partition.file(SUMMARY))
    whole = rows[(rows["stratum"] == EVERYTHING) & (rows["ground"] == ALL_GROUND)].iloc[0]
    assert whole["area_km2"] == pytest.approx(area)
    assert whole["places"] == 12
    assert whole["area_ratio_low"] < whole["area_ratio"] < whole["area_ratio_high"] < 1.0
    (sentence,) = partition.manifest.summary["effect_of_a_swap"]
    change = 100 * (whole["area_ratio"] - 1)
    assert sentence.startswith(f"A swap from {ONE} to {TWO} changes mapped areas by {change:+.1f} % (95 % interval ")
    assert "24 sites in 12 places" in sentence
    assert whole["sentence"] == sentence
    line = f"product_thresholds = {{ {ONE} = 0.4, {TWO} = {whole['matching_threshold']:g} }}"
    assert partition.manifest.summary["correction"] == [line]
    pasted = tomllib.loads(line)["product_thresholds"]
    pairs = compare_regions([made], (ONE, TWO), lambda row: pasted[TWO] if row["product"] == TWO else 0.5)
    found = sum(pair.other_km2 for pair in pairs)
    assert abs(found / area - 1) < 0.005 < abs(whole["area_ratio"] - 1), "the pasted line equals both areas"
    assert step_picture(partition)[8:12] == b"WEBP"
    site_rows = pd.read_parquet(partition.file(FILE))
    assert set(site_rows.loc[site_rows["ground"] == HELD_OUT, "site_id"]) == {"m00", "m01", "m02", "m03"}


def test_held_out_sites_are_told_apart_and_speak_alone_where_they_are_enough(lake: Lake) -> None:
    made, _ = many(lake, held_out=range(0, 24, 2))
    pairs = compared(made)
    rows = summary_frame(pairs).set_index(["stratum", "ground", "group"]).sort_index()
    alone = rows.loc[(EVERYTHING, HELD_OUT, "")]
    assert (alone["sites"], alone["places"]) == (12, 12)
    assert "12 sites in 12 places that no model was trained on" in alone["sentence"]
    assert pd.isna(rows.loc[(EVERYTHING, ALL_GROUND, ""), "sentence"])
    unseen = [pair for pair in pairs if pair.place.held_out]
    assert alone["area_ratio"] == sum(p.other_km2 for p in unseen) / sum(p.area_km2 for p in unseen)
    for stratum, groups in {"country": {"AAA", "BBB"}, "size": {"< 2 ha", "2-5 ha", "5-20 ha", "20-100 ha"}}.items():
        some = rows.loc[(stratum, ALL_GROUND)]
        assert set(some.index) == groups
        assert some["area_km2"].sum() == pytest.approx(rows.loc[(EVERYTHING, ALL_GROUND, ""), "area_km2"])


def test_nothing_to_compare_is_said(lake: Lake) -> None:
    partition = written(lake, [])
    assert len(pd.read_parquet(partition.file(FILE))) == len(pd.read_parquet(partition.file(SUMMARY))) == 0
    assert partition.manifest.summary["effect_of_a_swap"] == []
    assert step_picture(partition)[8:12] == b"WEBP"
    empty = np.zeros((SIDE, SIDE), dtype=np.uint8)
    (pair,) = compared(region(lake, "r", {"a": 500_000.0}, {ONE: {"a": empty}, TWO: {"a": empty}}))
    assert math.isnan(summary_frame([pair])["area_ratio"].iloc[0])
    assert matching_threshold([pair]) is None
