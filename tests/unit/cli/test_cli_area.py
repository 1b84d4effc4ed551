"""`minemap area`: the ground of a file in any CRS, its areas for people and scripts, and one sentence for mistakes."""

import json
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from region_parts import area, part, site
from terminal import AREA, Terminal

WEST, SOUTH = AREA.bounds[:2]
MINE = (WEST + 0.1, SOUTH + 0.1, WEST + 0.12, SOUTH + 0.11)
WINDOW = (WEST + 0.09, SOUTH + 0.09, WEST + 0.13, SOUTH + 0.13)
MIDDLE = (WEST + 0.11, SOUTH + 0.11)
KM2 = area(box(*MINE))


def publish(terminal: Terminal, room: str, asset: str, keys: tuple[str, ...], files: dict[str, bytes]) -> None:
    lake = Lake.at(str(terminal.lake), terminal.folder / "minemap-data" / "state")

    def build(writer: PartitionWriter) -> Outcome:
        for name, data in files.items():
            writer.write(name, lambda path, data=data: path.write_bytes(data))
        return Outcome()

    build_partition(lake, PartitionRef(room, asset, keys), code_version="1", config={}, inputs={}, build=build)


@pytest.fixture
def mapped(project: Terminal, tmp_path: Path) -> Terminal:
    """A mine that was mapped in two years, and seen in one of them."""
    project.widen(220)
    for year, seen in ((2018, 0.0), (2019, 1.0)):
        told = site("m1", *MIDDLE, seen, KM2 if seen else None, owned=WINDOW)
        made = part("area", AREA.bounds, [MINE] if seen else [], [told], year=year)
        assert made.mining is not None
        folder = made.mining.path.parent
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        publish(project, "polygons", "mining_polygons", ("area", str(year)), files)
    places = gpd.GeoDataFrame(made.sites, geometry=list(made.ground.geometry), crs=WGS84)
    for asset, frame in (("sites", places), ("owned_ground", made.ground)):
        write_geoparquet(frame, tmp_path / "x.parquet")
        publish(project, "sites", asset, ("area",), {f"{asset}.parquet": (tmp_path / "x.parquet").read_bytes()})
    return project


def reserves(terminal: Terminal, *shapes: BaseGeometry, crs: str = "EPSG:32630", **columns: list[object]) -> str:
    """A file in metres."""
    frame = gpd.GeoDataFrame(columns, geometry=list(shapes), crs=WGS84).to_crs(crs)
    frame.to_file(terminal.folder / "reserves.gpkg")
    return "reserves.gpkg"


def test_areas_of_every_feature_and_year(mapped: Terminal) -> None:
    half = box(WEST + 0.11, SOUTH + 0.05, WEST + 0.2, SOUTH + 0.2)
    name = reserves(mapped, half, box(WEST, SOUTH, WEST + 0.01, SOUTH + 0.01), Name=["Ankasa", None])
    said = mapped("area", "--within", name, "--json")
    assert said.code == 0, said.err
    rows = json.loads(said.out)
    assert [(row["name"], row["year"], row["sites_observed"]) for row in rows] == [
        ("Ankasa", 2018, 0), ("Ankasa", 2019, 1), ("2", 2018, 0), ("2", 2019, 0),
    ]  # fmt: skip
    assert rows[0]["area_km2"] is None
    assert rows[1]["area_km2"] == pytest.approx(KM2 / 2, rel=1e-4)
    assert rows[3]["reason"] == "no known site has ground there"
    table = mapped("area", "--within", name, "--year", "2019").out
    assert f"{rows[1]['area_km2']:.3f}" in table
    assert "2, 2019: no known site has ground there." in table
    assert "2018" not in table


MISTAKES = {
    ("--within", "nowhere.gpkg"): "nowhere.gpkg does not exist",
    ("--within", "points.geojson"): "feature 1 ('1') of points.geojson is no polygon",
    ("--within", "plain.geojson", "--year", "2030"): "nothing was mapped in 2030; years that were are 2018, 2019",
    ("--within", "plain.geojson", "--name-column", "park"): "has no column 'park'",
    ("--within", "lost.shp"): "does not say which CRS",
}


def test_what_is_wrong_is_told_in_a_sentence(mapped: Terminal) -> None:
    mapped.draw("points.geojson", Point(WEST, SOUTH))
    mapped.draw("plain.geojson", AREA)
    mapped.draw("lost.shp", AREA, crs=None)
    for words, sentence in MISTAKES.items():
        said = mapped("area", *words)
        assert said.code == 2
        assert sentence in said.sentence


def test_a_project_without_a_map_says_so(project: Terminal) -> None:
    project.draw("plain.geojson", AREA)
    assert "has no mining polygons yet" in project("area", "--within", "plain.geojson").sentence
