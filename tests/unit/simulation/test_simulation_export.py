"""The input files of a world: what a person would bring, with known errors."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.export import WorldInputs, write_inputs
from minemap_assets.simulation.world import FRAME, World, from_wgs84


@pytest.fixture(scope="module")
def demo() -> World:
    return load_world("demo")


@pytest.fixture(scope="module")
def inputs(demo: World, tmp_path_factory: pytest.TempPathFactory) -> WorldInputs:
    return write_inputs(demo, tmp_path_factory.mktemp("inputs") / "new")


def test_broad_outlines_lie_20_to_35_m_outside(demo: World, inputs: WorldInputs) -> None:
    broad = read_geoparquet(inputs.broad)
    assert broad.crs.to_epsg() == 4326
    assert list(broad.columns) == ["polygon_id", "group", "geometry"]
    truth = {m.mine_id: o for m, o in demo.outlines(2019).items()}
    assert list(broad["polygon_id"]) == list(truth)
    for mine_id, geometry in zip(broad["polygon_id"], broad.to_crs(FRAME).geometry, strict=True):
        assert geometry.contains(truth[mine_id])
        assert 10.0 < geometry.boundary.distance(truth[mine_id]) < 32.0


def test_precise_outlines_stay_within_5_m(demo: World, inputs: WorldInputs) -> None:
    precise = read_geoparquet(inputs.precise)
    truth = {m.mine_id: o for m, o in demo.outlines(2019).items()}
    for mine_id, geometry in zip(precise["polygon_id"], precise.to_crs(FRAME).geometry, strict=True):
        assert geometry.is_valid
        assert shapely.hausdorff_distance(geometry.boundary, truth[mine_id].boundary) < 7.0
        assert geometry.symmetric_difference(truth[mine_id]).area / truth[mine_id].area < 0.05
        assert not geometry.equals(truth[mine_id])


def test_promoted_are_the_mines_that_open_later(demo: World, inputs: WorldInputs) -> None:
    promoted = gpd.read_file(inputs.promoted)
    later = [m.mine_id for m in demo.mines if m.opening > 2019]
    assert [note.split(",")[0] for note in promoted["note"]] == later
    known = read_geoparquet(inputs.broad).union_all()
    assert not promoted.intersects(known).any()


def test_promoted_of_a_world_that_ends_in_its_reference_year_is_empty(tmp_path: Path) -> None:
    written = write_inputs(load_world("tiny"), tmp_path)
    assert json.loads(written.promoted.read_text())["features"] == []


def test_points_know_the_truth(demo: World, inputs: WorldInputs) -> None:
    points = read_geoparquet(inputs.points)
    assert points["point_id"].is_unique
    assert points["label"].dtype == bool
    assert sorted(points["year"].unique()) == list(demo.years)
    for year in (2016, 2025):
        rows = points[points["year"] == year]
        truth = shapely.union_all(list(demo.outlines(year).values()))
        inside = [truth.contains(from_wgs84(p)) for p in rows.geometry]
        # A point may lie within the rounding of the projection (micrometres) of an outline.
        assert np.mean(np.asarray(inside) == rows["label"].to_numpy()) > 0.995
        assert 0.3 < rows["label"].mean() < 0.5


def test_boundaries_and_regions(demo: World, inputs: WorldInputs) -> None:
    boundaries = read_geoparquet(inputs.boundaries)
    assert list(boundaries["iso3"]) == ["XAA", "XBB"]
    assert set(boundaries.columns) == {"iso3", "name", "continent", "geometry"}
    assert sorted(inputs.regions) == sorted(r.slug for r in demo.regions)
    for region in demo.regions:
        frame = gpd.read_file(inputs.regions[region.slug])
        assert len(frame) == 1
        assert frame.to_crs(FRAME).geometry.iloc[0].symmetric_difference(region.geometry).area < 1_000.0


def test_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (write_inputs(load_world("tiny"), tmp_path / name) for name in ("a", "b"))
    for name in ("broad", "precise", "boundaries", "promoted", "points"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes(), name
