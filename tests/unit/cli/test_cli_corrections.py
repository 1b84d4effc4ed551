"""`minemap corrections` and `minemap series`: what people hand over becomes an input, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from shapely.geometry import box

from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from terminal import AREA, Terminal

WEST, SOUTH = AREA.bounds[:2]
POND = box(WEST + 0.1, SOUTH + 0.1, WEST + 0.11, SOUTH + 0.11)
MINE = box(WEST + 0.2, SOUTH + 0.1, WEST + 0.21, SOUTH + 0.11)


def publish(terminal: Terminal, asset: str, year: int, **columns: list[Any]) -> None:
    lake = Lake.at(str(terminal.lake), terminal.folder / "minemap-data" / "state")
    frame = gpd.GeoDataFrame(columns, geometry=[POND, MINE], crs=WGS84)

    def build(writer: PartitionWriter) -> Outcome:
        writer.write(f"{asset}.parquet", lambda path: write_geoparquet(frame, path))
        return Outcome()

    ref = PartitionRef("polygons", asset, ("area", str(year)))
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)


@pytest.fixture
def mapped(project: Terminal) -> Terminal:
    """With a pond and a mine that were mapped in two years."""
    project.widen(220)
    for year in (2018, 2019):
        publish(project, "mining_polygons", year, polygon_id=[f"area-{year}-pond", f"area-{year}-mine"])
        publish(project, "raw_polygons", year, raw_id=["a", "b"])
    return project


def same(drawn: Any, shape: Any) -> bool:
    read = shapely.from_geojson(json.dumps(drawn))
    return bool(shapely.equals_exact(read, shape, tolerance=1e-7, normalize=True))


def entries(terminal: Terminal) -> list[dict[str, Any]]:
    return list(json.loads((terminal.lake / "inputs" / "corrections.geojson").read_text())["features"])


def test_polygons_are_rejected_and_redrawn_by_their_ids_and_taken_back(mapped: Terminal) -> None:
    said = mapped("corrections", "reject", "area-2018-pond", "--reason", "a fish pond", "--author", "Ada")
    assert said.code == 0
    assert "correction 1 (reject, Ada, " in said.out
    (entry,) = entries(mapped)
    assert same(entry["geometry"], POND)
    assert (entry["properties"]["polygon_id"], "years" in entry["properties"]) == ("area-2018-pond", False)
    again = mapped("corrections", "reject", "area-2019-pond", "--reason", "a fish pond")
    assert "1 correction stood there already." in again.out
    one_year = mapped(
        "corrections", "reject", "area-2019-mine", "--reason", "no", "--years", "2019", "--date", "2026-01-02"
    )
    assert "2026-01-02) holds for 2019." in one_year.out
    told = mapped("corrections", "list").out
    assert all(word in told for word in ("every year", "2019", "a fish pond", "area-2019-mine"))
    checked = mapped("corrections", "check").out
    assert "outlines by year 2018: 1, 2019: 1." in checked
    assert "outlines by year 2019: 1." in checked
    assert "2 corrections, each of them whole." in checked
    assert mapped("corrections", "withdraw", "1").code == 0
    assert [one["properties"]["polygon_id"] for one in entries(mapped)] == ["area-2019-mine"]
    assert mapped("inputs", "restore", "corrections.geojson").code == 0
    assert [row["number"] for row in json.loads(mapped("corrections", "list", "--json").out)] == [1, 2]

    (mapped.lake / "inputs" / "corrections.geojson").unlink()
    assert mapped("inputs", "forget", "corrections.geojson").code == 0
    smaller = mapped.draw("smaller.geojson", MINE.buffer(-0.003))
    assert mapped("corrections", "redraw", "area-2019-mine", smaller, "--reason", "the road ends it").code == 0
    (entry,) = entries(mapped)
    assert same(entry["properties"]["replaces"], MINE)
    far = mapped.draw("far.geojson", box(WEST, SOUTH, WEST + 0.01, SOUTH + 0.01))
    refused = mapped("corrections", "redraw", "area-2019-mine", far, "--reason", "x")
    assert (refused.code, "does not touch area-2019-mine" in refused.sentence) == (2, True)


def test_a_file_says_what_options_do_not_and_a_damaged_one_stops_everything(mapped: Terminal) -> None:
    frame = gpd.GeoDataFrame(
        {
            "action": ["reject", "redraw"],
            "author": ["Ada", None],
            "reason": ["a pond", "larger"],
            "date": pd.to_datetime(["2026-03-04", "2026-03-05"]),
            "years": ["2018-2019", None],
            "colour": ["red", "blue"],
        },
        geometry=[POND, MINE.buffer(0.001)],
        crs=WGS84,
    )
    frame.to_crs(32630).to_file(mapped.folder / "said.gpkg")
    assert mapped("corrections", "add", "said.gpkg", "--author", "Bo").code == 0
    first, second = (one["properties"] for one in entries(mapped))
    assert (first["author"], first["date"], first["years"]) == ("Ada", "2026-03-04", {"from": 2018, "to": 2019})
    assert (second["author"], second["action"], "years" in second) == ("Bo", "redraw", False)
    before = (mapped.lake / "inputs" / "corrections.geojson").read_bytes()
    bare = mapped.draw("bare.geojson", POND)
    for words, said in (
        (("corrections", "add", bare), "bare.geojson: correction 1 has no reason; say it as text"),
        (("corrections", "add", bare, "--reason", "x", "--action", "drop"), "has the action 'drop'"),
        (("corrections", "add", bare, "--reason", "x", "--date", "soon"), "has the date 'soon'"),
        (
            ("corrections", "add", mapped.draw("p.geojson", POND.centroid), "--reason", "x"),
            "feature 1 is not a polygon",
        ),
        (("corrections", "reject", "area-2018-lake", "--reason", "x"), "no polygon that is mapped now has the id"),
        (("corrections", "withdraw", "7"), "there is no correction 7"),
    ):
        answer = mapped(*words)
        assert (answer.code, said in answer.sentence) == (2, True), answer.err
    assert (mapped.lake / "inputs" / "corrections.geojson").read_bytes() == before

    far = mapped.draw("far.geojson", box(50, 50, 50.1, 50.1))
    assert mapped("corrections", "add", far, "--reason", "x").code == 0
    assert "correction 3 lies in no region of the project" in mapped("corrections", "check").err
    path = mapped.lake / "inputs" / "corrections.geojson"
    path.write_text(path.read_text().replace('"reject"', '"refuse"'))
    answer = mapped("corrections", "check")
    assert (answer.code, "correction 1 has the action 'refuse'; write reject or redraw" in answer.sentence) == (2, True)
    assert "minemap inputs restore corrections.geojson" in answer.sentence


def test_a_series_is_registered_and_made(project: Terminal, tmp_path: Path) -> None:
    project.widen(220)
    world = gpd.GeoDataFrame({"iso3": ["GHA"], "name": ["Ghana"], "continent": ["Africa"]}, geometry=[AREA], crs=WGS84)
    world.to_file(tmp_path / "countries.gpkg")
    assert project("reference", "add", "country_boundaries", "countries.gpkg", "--licence", "CC0").code == 0
    assert "No series yet" in project("series", "list").out
    frame = gpd.GeoDataFrame({"year": [2017, 2018, 2018]}, geometry=[MINE, MINE, POND], crs=WGS84)
    frame.to_file(tmp_path / "old.gpkg")
    added = project("series", "add", "old", "old.gpkg", "--licence", "CC0", "--citation", "A team 2018")
    assert added.code == 0, added.err
    assert "Its years are 2017, 2018; `minemap run --select +series_old` makes its tables." in added.out
    assert "2017 to 2018 (2)" in project("series", "list").out
    done = project("run", "--select", "+series_old")
    assert done.code == 0, done.out + done.err
    made = project.lake / "polygons" / "series_old"
    polygons = read_geoparquet(made / "polygons.parquet")
    assert polygons[["year", "country_iso3", "source_ids"]].to_numpy().tolist() == [
        [2017, "GHA", ["row-1"]],
        [2018, "GHA", ["row-1"]],
    ]
    for words, said in (
        (("series", "add", "old", "old.gpkg", "--licence", "CC0", "--rule", "hmm"), "'hmm' is not one of intersect"),
        (("series", "add", "Old", "old.gpkg", "--licence", "CC0"), "'Old' cannot name"),
        (("series", "remove", "new"), "no series is registered as new"),
    ):
        answer = project(*words)
        assert (answer.code, said in answer.sentence) == (2, True), answer.err
    assert project("verify").code == 0
    assert project("series", "remove", "old").code == 0
