"""`minemap sample`, and what is made of the labels: a person's way from maps to areas with intervals."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84, areas_km2, read_geoparquet, write_geoparquet
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.lake.manifests import Outcome
from minemap_assets.polygons.assets import MINING_POLYGONS
from minemap_assets.reference.assets import VALIDATION_POINTS
from minemap_assets.reference.registered import series_asset
from minemap_assets.sites.assets import OWNED_GROUND
from minemap_assets.validation.assets import AREA_ESTIMATES, REFERENCE_VALIDATION
from terminal import Terminal
from tiny import WORLD, YEARS, Chain

FIRST, LAST = YEARS[0], YEARS[-1]


def publish_maps(chain: Chain, years: tuple[int, ...], off: float = 2e-4, regions: tuple[str, ...] = ()) -> None:
    """Maps of the tiny world in the lake: its truth, some 20 m off."""
    project = chain.project
    for slug, region in project.active_regions().items():
        if regions and slug not in regions:
            continue
        for year in years:
            mapped = shapely.intersection(shapely.transform(truth(year), lambda xy: xy + off), region.geometry)
            polygons = gpd.GeoDataFrame(geometry=list(shapely.get_parts(mapped)), crs=WGS84)
            with project.lake.writer(MINING_POLYGONS.ref((slug, str(year))), "a test") as writer:
                writer.write("mining_polygons.parquet", lambda path, frame=polygons: write_geoparquet(frame, path))
                nothing = polygons.iloc[:0]
                writer.write("unobserved_ground.parquet", lambda path, frame=nothing: write_geoparquet(frame, path))
                writer.commit("1", {}, Outcome({}))


def truth(year: int) -> shapely.Geometry:
    """All mines of a year (EPSG:4326)."""
    return shapely.union_all(list(WORLD.truth(year).to_crs(WGS84).geometry))


def make(chain: Chain, asset: object, keys: tuple[str, ...] = ()) -> None:
    project = chain.project
    states = PartitionStates(Graph(chain.registry.rooms, project), project)
    assert not states.make(asset, keys).failures


def owned(chain: Chain) -> None:
    for slug in chain.project.active_regions():
        make(chain, OWNED_GROUND, (slug,))


def label(path: Path) -> None:
    """Fill in the file as somebody would who knows the truth."""
    frame = pd.read_csv(path, dtype=str)
    points = gpd.GeoSeries(
        gpd.points_from_xy(frame["longitude"].astype(float), frame["latitude"].astype(float)), crs=WGS84
    )
    for column, year in (("start_label", FIRST), ("end_label", LAST)):
        frame[column] = np.where(points.intersects(truth(year)), "mine", "not mine")
    frame.to_csv(path, index=False)


def test_from_maps_to_areas_with_intervals(chain: Chain, minemap: Terminal) -> None:
    asked = ("sample", "draw", "--year", str(FIRST), "--to", str(LAST), "--size", "300")
    assert "No sample yet" in minemap("sample", "list").out
    assert f"has no mining polygons of {FIRST}; make them with `minemap run" in minemap(*asked).sentence
    owned(chain)
    publish_maps(chain, (FIRST, LAST))
    assert "points are too few for" in minemap(*asked[:-1], "20").sentence
    assert "neither a .csv nor a .geojson" in minemap(*asked, "--out", "points.shp").sentence
    drawn = minemap(*asked, "--out", "points.csv")
    assert drawn.code == 0, drawn.err
    assert "300 points in points.csv" in drawn.out
    assert "points.csv exists, and may hold labels" in minemap(*asked, "--out", "points.csv").sentence
    assert "holds no label" in minemap("sample", "add", "points.csv").sentence
    label(minemap.folder / "points.csv")
    added = minemap("sample", "add", "points.csv")
    assert "300 of 300 points have labels" in added.out
    (listed,) = json.loads(minemap("sample", "list", "--json").out)
    assert (listed["points"], listed["labelled"], listed["start_year"]) == (300, 300, FIRST)
    make(chain, AREA_ESTIMATES)
    rows = pd.read_parquet(chain.open("validation", "area_estimates").file("area_estimates.parquet"))
    every = rows[rows["iso3"].isna()].set_index(["quantity", "year"])
    frames = [
        read_geoparquet(chain.open("sites", "owned_ground", s).file("owned_ground.parquet"))
        for s in chain.project.active_regions()
    ]
    regions = shapely.union_all([region.geometry for region in chain.project.active_regions().values()])
    ground = shapely.union_all([g for frame in frames for g in frame.geometry]).intersection(regions)
    for year in (FIRST, LAST):
        inside = truth(year).intersection(ground)
        found = every.loc[("area", year)]
        assert found["verdict"] == "estimated"
        assert found["low_km2"] <= areas_km2(gpd.GeoSeries([inside], crs=WGS84))[0] <= found["high_km2"]
    assert every.loc[("area", LAST), "frame_km2"] > every.loc[("area", LAST), "high_km2"]


def test_reference_validation_of_a_project_with_one_region_unmapped(chain: Chain, minemap: Terminal) -> None:
    make(chain, VALIDATION_POINTS)
    owned(chain)
    slugs = tuple(chain.project.active_regions())
    publish_maps(chain, (LAST,), off=0.0)
    make(chain, REFERENCE_VALIDATION)
    keys = ["map", "frame", "year"]
    whole = table(chain).set_index(keys)
    publish_maps(chain, (FIRST,), off=0.0, regions=slugs[:1])
    theirs = gpd.GeoDataFrame({"year": [FIRST]}, geometry=[truth(FIRST)], crs=WGS84)
    theirs.to_file(minemap.folder / "theirs.gpkg")
    assert minemap("series", "add", "theirs", "theirs.gpkg", "--licence", "unknown", "--rule", "none").code == 0
    (series,) = (a for a in Graph(chain.registry.rooms, chain.project).assets if a.name == series_asset("theirs"))
    make(chain, series)
    make(chain, REFERENCE_VALIDATION)
    part = table(chain).set_index(keys)
    both, one = whole.loc[("mapped", "all", LAST)], part.loc[("mapped", "all", FIRST)]
    assert both["accuracy"] > 0.9
    assert one["accuracy"] > 0.9
    assert (both["missing"], one["missing"] > 10) == (0, True)
    of_series = part.loc[series_asset("theirs")]
    assert of_series.loc[("all", FIRST), "accuracy"] == 1.0  # the truth itself
    assert set(of_series.index.get_level_values("year")) == {FIRST}
    names = set(part.index.get_level_values("map"))
    assert {"mapped", "ground truth", "simulated_broad", "simulated_precise"} <= names


def table(chain: Chain) -> pd.DataFrame:
    return pd.read_parquet(chain.open("validation", "reference_validation").file("reference_validation.parquet"))
