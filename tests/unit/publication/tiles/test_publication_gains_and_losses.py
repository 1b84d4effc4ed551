"""What was gained and lost from year to year, on sites that both years saw."""

import gzip
import math
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import pandas as pd
import pytest
import shapely
from pmtiles.reader import MemorySource, Reader, all_tiles

from house import ROOT
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.publication.tiles.build import build_tiles
from minemap_assets.publication.tiles.gains_and_losses import SMALLEST_PIECE_KM2, gained_and_lost


def polygons(*rows: tuple[int, list[str], shapely.Geometry], region: str = "here") -> gpd.GeoDataFrame:
    years, sites, outlines = zip(*rows, strict=True)
    frame = {
        "polygon_id": [f"{region}{n}" for n in range(len(rows))],
        "site_ids": list(sites),
        "region": region,
        "year": years,
        "country_iso3": "XAA",
        "area_km2": areas_km2(gpd.GeoSeries(outlines, crs=WGS84)),
        "mean_probability": 0.9,
        "status": "final",
        "first_year": years,
    }
    return gpd.GeoDataFrame(frame, geometry=list(outlines), crs=WGS84)


def panel(**shares: list[float | None]) -> pd.DataFrame:
    """The observed share of sites in 2018, 2019 and so on; None where nothing was made."""
    rows = [(site, 2018 + n, share) for site, every in shares.items() for n, share in enumerate(every)]
    return pd.DataFrame(rows, columns=["site_id", "year", "observed_share"]).astype({"observed_share": float})


def box(west: float, east: float, north: float = 0.01) -> shapely.Geometry:
    return shapely.box(west, 0.0, east, north)


def told(found: gpd.GeoDataFrame) -> list[tuple[int, str, str]]:
    return list(zip(found["year"], found["kind"], found["site"], strict=True))


def test_ground_that_moves_is_gained_on_one_side_and_lost_on_the_other() -> None:
    found = gained_and_lost(
        polygons((2018, ["a"], box(0.0, 0.02)), (2019, ["a"], box(0.01, 0.04))), panel(a=[1.0, 1.0])
    )
    assert told(found) == [(2019, "gain", "a"), (2019, "loss", "a")]
    assert found.geometry.iloc[0].equals(box(0.02, 0.04))
    assert found.geometry.iloc[1].equals(box(0.0, 0.01))
    assert found["km2"].tolist() == pytest.approx(areas_km2(found.geometry).tolist())
    assert found["region"].tolist() == ["here", "here"]


def test_small_pieces_count_and_are_not_drawn_beside_larger_ones() -> None:
    speck = shapely.box(0.05, 0.0, 0.0501, 0.0001)
    before, grown = box(0.0, 0.01), shapely.MultiPolygon([box(0.0, 0.02), speck])
    found = gained_and_lost(polygons((2018, ["a"], before), (2019, ["a"], grown)), panel(a=[1.0, 1.0]))
    assert found.geometry.iloc[0].equals(box(0.01, 0.02))
    whole = areas_km2(gpd.GeoSeries([box(0.01, 0.02), speck], crs=WGS84))
    assert 0.0 < whole[1] < SMALLEST_PIECE_KM2
    assert found["km2"].iloc[0] == pytest.approx(whole.sum())
    assert found["drawn_km2"].iloc[0] == pytest.approx(whole[0])
    alone = gained_and_lost(
        polygons((2018, ["a"], before), (2019, ["a"], shapely.MultiPolygon([before, speck]))), panel(a=[1.0, 1.0])
    )
    assert alone.geometry.iloc[0].equals(speck)
    assert alone["drawn_km2"].iloc[0] == 0.0


@pytest.mark.parametrize("latitude", [0.0, 60.0])
@pytest.mark.parametrize("along", ["meridian", "parallel"])
@pytest.mark.parametrize(("width_m", "drawn"), [(9.0, False), (11.0, True)])
def test_strips_along_an_edge_are_drawn_from_half_a_pixel_of_the_map(
    latitude: float, along: str, width_m: float, drawn: bool
) -> None:
    tall, wide = 1.0 / 110_574.0, 1.0 / (111_320.0 * math.cos(math.radians(latitude)))
    if latitude:
        tall = 1.0 / 111_412.0
    sides = (width_m * wide, 2_000.0 * tall) if along == "meridian" else (2_000.0 * wide, width_m * tall)
    mine = shapely.box(-0.05, latitude - 0.05, 0.0, latitude)
    strip = shapely.box(0.0, latitude, sides[0], latitude + sides[1])
    found = gained_and_lost(
        polygons((2018, ["a"], mine), (2019, ["a"], shapely.MultiPolygon([mine, strip]))), panel(a=[1.0, 1.0])
    )
    assert found["km2"].iloc[0] == pytest.approx(width_m * 2e-3, rel=0.01)
    assert found["drawn_km2"].iloc[0] == (found["km2"].iloc[0] if drawn else 0.0)


def test_every_change_is_an_outline_or_in_a_dot_at_every_zoom(tmp_path: Path) -> None:
    edge = shapely.box(0.01, 0.0, 0.01003, 0.01)
    rows = polygons(
        (2018, ["a"], box(0.0, 0.01)),
        (2019, ["a"], shapely.union_all([box(0.0, 0.01), edge])),
        (2018, ["b"], box(0.2, 0.23)),
        (2019, ["b"], box(0.21, 0.26)),
        (2018, ["c"], shapely.box(0.5, 0.5, 0.5012, 0.5012)),
    )
    found = gained_and_lost(rows, panel(a=[1.0, 1.0], b=[1.0, 1.0], c=[1.0, 1.0]))
    build_tiles(rows, tmp_path / "mines.pmtiles", changes=found)
    expected = dict(found.groupby("kind")["km2"].sum().items())
    for zoom in range(13):
        outlines, dots = changes_at(tmp_path / "mines.pmtiles", zoom)
        sums = {kind: sum(one["km2"] for one in (*outlines, *dots) if one["kind"] == kind) for kind in ("gain", "loss")}
        assert sums == pytest.approx(expected, rel=1e-6), zoom
    assert {(one["site"], one["kind"]) for one in outlines} == {("b", "gain"), ("b", "loss"), ("c", "loss")}
    assert [(one["site"], one["kind"], one["n"]) for one in dots] == [("a", "gain", 1)], "an edge has no outline"


def changes_at(path: Path, zoom: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the outlines of a zoom say, each once, and what its dots say."""
    outlines: dict[tuple[str, str], dict[str, Any]] = {}
    dots = []
    for (z, _, _), data in all_tiles(MemorySource(path.read_bytes())):
        tile = mapbox_vector_tile.decode(gzip.decompress(data)) if z == zoom else {}
        known = {layer: [one["properties"] for one in tile[layer]["features"]] for layer in tile}
        outlines |= {(one["site"], one["kind"]): one for one in known.get("changes", [])}
        dots += known.get("change_points", [])
    return list(outlines.values()), dots


def test_a_mine_that_is_gone_is_lost_and_a_new_one_gained() -> None:
    rows = polygons((2018, ["a"], box(0.0, 0.02)), (2019, ["b"], box(0.1, 0.12)))
    found = gained_and_lost(rows, panel(a=[1.0, 1.0], b=[1.0, 1.0]))
    assert told(found) == [(2019, "loss", "a"), (2019, "gain", "b")]


@pytest.mark.parametrize("shares", [[1.0, None], [None, 1.0], [1.0, 0.3], [0.0, 1.0]])
def test_where_a_year_was_not_seen_nothing_changed(shares: list[float | None]) -> None:
    rows = polygons((2018, ["a"], box(0.0, 0.02)), (2019, ["a"], box(0.0, 0.01)))
    assert len(gained_and_lost(rows, panel(a=shares))) == 0


def test_a_polygon_of_two_sites_counts_only_where_both_were_seen() -> None:
    rows = polygons((2018, ["a", "b"], box(0.0, 0.02)), (2019, ["a"], box(0.0, 0.01)))
    assert len(gained_and_lost(rows, panel(a=[1.0, 1.0], b=[1.0, None]))) == 0
    found = gained_and_lost(rows, panel(a=[1.0, 1.0], b=[1.0, 1.0]))
    assert told(found) == [(2019, "loss", "a")]


def test_a_year_between_is_not_jumped_over() -> None:
    rows = polygons((2018, ["a"], box(0.0, 0.01)), (2020, ["a"], box(0.0, 0.02)))
    assert len(gained_and_lost(rows, panel(a=[1.0, None, 1.0]))) == 0


def test_regions_that_overlap_are_compared_each_with_itself() -> None:
    here = polygons((2018, ["a"], box(0.0, 0.02)), (2019, ["a"], box(0.0, 0.02)))
    there = polygons((2019, ["a"], box(0.0, 0.02)), region="there")
    found = gained_and_lost(pd.concat([here, there], ignore_index=True), panel(a=[1.0, 1.0]))
    assert list(zip(found["region"], found["kind"], strict=True)) == [("there", "gain")]


def test_gains_less_losses_are_the_change_of_the_area() -> None:
    before = [(2018, ["a"], box(0.0, 0.02)), (2018, ["a"], box(0.03, 0.04)), (2018, ["b"], box(0.1, 0.11))]
    after = [(2019, ["a"], box(0.01, 0.035)), (2019, ["b"], box(0.1, 0.115, 0.02))]
    rows = polygons(*before, *after)
    found = gained_and_lost(rows, panel(a=[1.0, 1.0], b=[0.9, 0.8]))
    km2 = found.groupby("kind")["km2"].sum()
    of_years = rows.groupby("year")["area_km2"].sum()
    assert km2["gain"] - km2["loss"] == pytest.approx(of_years[2019] - of_years[2018])


def test_tiles_hold_changes_beside_the_polygons_as_the_reference_says(tmp_path: Path) -> None:
    rows = polygons((2018, ["a"], box(0.0, 0.02)), (2019, ["a"], box(0.01, 0.04)))
    found, layer = gained_and_lost(rows, panel(a=[1.0, 1.0])), ""
    path = tmp_path / "mines.pmtiles"
    build_tiles(rows, path, changes=found, max_zoom=10)
    layers = Reader(MemorySource(path.read_bytes())).metadata()["vector_layers"]
    assert [layer["id"] for layer in layers] == ["polygons", "points", "changes", "change_points"]
    page = (ROOT / "docs" / "reference" / "tiles.md").read_text(encoding="utf-8")
    told: dict[str, set[str]] = {}
    for row in re.findall(r"^\|([^|]*)\|([^|]*)\|", page, re.MULTILINE)[2:]:
        layer = row[0].strip(" `") or layer
        told.setdefault(layer, set()).update(re.findall(r"`(\w+)`", row[1]))
    assert told == {one["id"]: set(one["fields"]) for one in layers}


def test_nothing_to_compare_gives_a_table_without_rows(tmp_path: Path) -> None:
    rows = polygons((2018, ["a"], box(0.0, 0.02)))
    found = gained_and_lost(rows, panel(a=[1.0]))
    assert found.columns.tolist() == ["year", "kind", "region", "site", "km2", "drawn_km2", "geometry"]
    build_tiles(rows, tmp_path / "mines.pmtiles", changes=found, max_zoom=4)
