"""Tiles of published polygons: nothing vanishes at any zoom, no tile is too large, the bytes are the same."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from pmtiles.reader import MemorySource, Reader, all_tiles
from shapely.geometry import shape
from support.mining_districts import mining_districts

from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.publication.tiles.archive import TileFacts
from minemap_assets.publication.tiles.build import build_tiles
from minemap_assets.publication.tiles.mercator import degrees, places

Key = tuple[int, int, int]


@dataclass(frozen=True)
class Opened:
    """A file that was read back: tiles by zoom, column and row."""

    facts: TileFacts
    data: bytes
    tiles: dict[Key, dict[str, Any]]

    def features(self, zoom: int, layer: str) -> Iterator[tuple[Key, dict[str, Any]]]:
        for key, tile in self.tiles.items():
            if key[0] == zoom:
                yield from ((key, feature) for feature in tile.get(layer, {"features": []})["features"])

    def known(self, zoom: int, layer: str) -> list[dict[str, Any]]:
        return [feature["properties"] for _, feature in self.features(zoom, layer)]

    def km2_by_year(self, zoom: int, outlines: str = "polygons", dots: str = "points") -> dict[int, float]:
        """Every outline once, and every dot."""
        told = {(one["id"]): one for one in self.known(zoom, outlines)}
        found: dict[int, float] = defaultdict(float)
        for one in (*told.values(), *self.known(zoom, dots)):
            found[one["year"]] += one["km2"]
        return dict(found)

    def on_the_ground(self, zoom: int, layer: str) -> gpd.GeoDataFrame:
        """Features cut to their tiles without the buffer, in EPSG:4326."""
        rows = []
        for (_, x, y), feature in self.features(zoom, layer):
            inside = shapely.clip_by_rect(shape(feature["geometry"]), 0.0, 0.0, 4096.0, 4096.0)
            corner = np.array([x, y]) * 4096.0
            at = shapely.transform(inside, lambda xy, corner=corner: degrees((xy + corner) / (4096 << zoom)))
            rows.append({**feature["properties"], "geometry": at})
        return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


def opened(facts: TileFacts, path: Path) -> Opened:
    data = path.read_bytes()
    found = {
        key: dict(mapbox_vector_tile.decode(gzip.decompress(tile), default_options={"y_coord_down": True}))
        for key, tile in all_tiles(MemorySource(data))
    }
    return Opened(facts, data, found)


def made(polygons: gpd.GeoDataFrame, folder: Path, **settings: Any) -> Opened:
    path = folder / "mines.pmtiles"
    return opened(build_tiles(polygons, path, **settings), path)


def mines(outlines: list[shapely.Geometry], years: list[int] | None = None) -> gpd.GeoDataFrame:
    """Polygons drawn by hand, with all that tiles ask for."""
    count = len(outlines)
    return gpd.GeoDataFrame(
        {
            "polygon_id": [f"p{n}" for n in range(count)],
            "site_ids": [[f"m{n}"] for n in range(count)],
            "region": "here",
            "year": years or [2019] * count,
            "country_iso3": "",
            "area_km2": areas_km2(gpd.GeoSeries(outlines, crs=WGS84)),
            "mean_probability": 0.8125,
            "status": "final",
            "first_year": None,
        },
        geometry=outlines,
        crs=WGS84,
    )


def square(longitude: float, latitude: float, side_km: float) -> shapely.Geometry:
    half = side_km / 222.64
    return shapely.box(longitude - half, latitude - half, longitude + half, latitude + half)


@pytest.fixture(scope="module")
def scene() -> gpd.GeoDataFrame:
    return mining_districts(900, seed=3)


@pytest.fixture(scope="module")
def of_scene(scene: gpd.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made(scene, tmp_path_factory.mktemp("tiles"), attribution="A & B", verdict="weak: IoU 0.41")


def test_no_square_kilometre_is_lost_at_any_zoom(scene: gpd.GeoDataFrame, of_scene: Opened) -> None:
    expected = scene.groupby("year")["area_km2"].sum().to_dict()
    for zoom in range(13):
        assert of_scene.km2_by_year(zoom) == pytest.approx(expected, rel=1e-5)


def test_every_polygon_is_there_at_the_last_zoom_with_all_that_is_known(
    scene: gpd.GeoDataFrame, of_scene: Opened
) -> None:
    rows = scene.set_index("polygon_id")
    told = {one["id"]: one for one in of_scene.known(12, "polygons")}
    assert sorted(told) == sorted(rows.index)
    for name, one in list(told.items())[:50]:
        row = rows.loc[name]
        assert (one["year"], one["region"], one["iso3"], one["site"], one["first"], one["status"]) == (
            *(row["year"], row["region"], row["country_iso3"], row["site_ids"][0], row["first_year"], row["status"]),
        )
        assert one["km2"] == pytest.approx(row["area_km2"], rel=1e-6)
        assert one["p"] == pytest.approx(row["mean_probability"], abs=6e-4)


def test_areas_drawn_are_the_areas_of_the_polygons(scene: gpd.GeoDataFrame, of_scene: Opened) -> None:
    drawn = of_scene.on_the_ground(12, "polygons")
    by_polygon = drawn.assign(drawn=areas_km2(drawn.geometry)).groupby("id")["drawn"].sum()
    true = scene.assign(true=areas_km2(scene.geometry)).set_index("polygon_id")["true"]
    assert by_polygon.sum() == pytest.approx(true.sum(), rel=0.002)
    large = true[true > 0.05]
    assert (by_polygon[large.index] / large).to_numpy() == pytest.approx(1.0, abs=0.04)


def test_outlines_that_readers_get_are_valid(of_scene: Opened) -> None:
    for zoom in range(13):
        shapes = [shape(feature["geometry"]) for _, feature in of_scene.features(zoom, "polygons")]
        assert all(one.is_valid and one.area > 0.0 for one in shapes)


def test_dots_lie_where_their_polygons_are(scene: gpd.GeoDataFrame, of_scene: Opened) -> None:
    middle = scene.set_index("polygon_id").geometry
    for zoom in (4, 8):
        alone = of_scene.on_the_ground(zoom, "points").query("n == 1")
        assert len(alone) > 10
        centres = shapely.centroid(middle[alone["id"]].to_numpy())
        apart = shapely.distance(centres, alone.geometry.to_numpy())
        assert float(apart.max()) < 360.0 / (1 << zoom) / 4096 * 1.5


def test_a_small_mine_is_seen_from_the_first_zoom(tmp_path: Path) -> None:
    found = made(mines([square(10.0, 5.0, 0.05)]), tmp_path)
    for zoom in range(12):
        assert [(one["n"], one["id"], one["site"]) for one in found.known(zoom, "points")] == [(1, "p0", "m0")]
    assert [one["id"] for one in found.known(12, "polygons")] == ["p0"]
    assert (found.facts.min_zoom, found.facts.max_zoom) == (0, 12)


def test_dots_of_one_year_in_one_place_are_one(tmp_path: Path) -> None:
    near = [square(10.0 + 0.0004 * n, 5.0, 0.02) for n in range(4)]
    polygons = mines(near, [2019, 2019, 2020, 2019]).assign(first_year=[2018, None, 2020, 2017])
    dots = sorted(made(polygons, tmp_path).known(4, "points"), key=lambda one: one["year"])
    assert [(one["year"], one["n"], one["first"], one.get("id")) for one in dots] == [
        (2019, 3, 2017, None),
        (2020, 1, 2020, "p2"),
    ]
    assert dots[0]["km2"] == pytest.approx(polygons.loc[[0, 1, 3], "area_km2"].sum(), rel=1e-6)


def test_what_is_thinner_than_a_unit_is_still_drawn(tmp_path: Path) -> None:
    thread = shapely.box(10.0, 5.00001, 10.00002, 5.2)
    for zoom in (8, 12):
        found = made(mines([thread]), tmp_path, max_zoom=zoom)
        assert [one["id"] for one in found.known(zoom, "polygons")][:1] == ["p0"]


def test_a_tile_that_would_be_too_large_shows_less_and_loses_nothing(scene: gpd.GeoDataFrame, tmp_path: Path) -> None:
    found = made(scene, tmp_path, max_zoom=9, largest_tile=3_000)
    expected = scene.groupby("year")["area_km2"].sum().to_dict()
    assert found.facts.largest_tile_bytes <= 3_000
    assert found.facts.coarser_tiles >= 3
    for zoom in range(10):
        assert found.km2_by_year(zoom) == pytest.approx(expected, rel=1e-5)


def test_the_same_polygons_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    polygons = mining_districts(200, seed=5)
    found = made(polygons, tmp_path, max_zoom=9)
    assert made(polygons.sample(frac=1.0, random_state=1), tmp_path, max_zoom=9).data == found.data


def test_the_file_says_what_it_holds(scene: gpd.GeoDataFrame, of_scene: Opened) -> None:
    reader = Reader(MemorySource(of_scene.data))
    header, told = reader.header(), reader.metadata()
    assert (told["attribution"], told["verdict"]) == ("A & B", "weak: IoU 0.41")
    assert [layer["id"] for layer in told["vector_layers"]] == ["polygons", "points"]
    for layer in told["vector_layers"]:
        names = {name for zoom in range(13) for one in of_scene.known(zoom, layer["id"]) for name in one}
        assert names == set(layer["fields"])
    west, _, _, north = scene.total_bounds
    assert header["min_lon_e7"] / 1e7 == pytest.approx(west)
    assert header["max_lat_e7"] / 1e7 == pytest.approx(north)
    assert (header["min_zoom"], header["max_zoom"], header["clustered"]) == (0, 12, True)
    assert of_scene.facts.tiles == len(of_scene.tiles)
    assert of_scene.facts.bytes == len(of_scene.data)


def test_a_mine_across_the_antimeridian_is_drawn_on_both_sides(tmp_path: Path) -> None:
    cut = shapely.MultiPolygon([shapely.box(179.95, -17.0, 180.0, -16.9), shapely.box(-180.0, -17.0, -179.97, -16.9)])
    going_on = shapely.box(179.95, -17.3, 180.03, -17.2)
    found = made(mines([cut, going_on]), tmp_path, max_zoom=10)
    assert len([key for key in found.tiles if key[0] == 10]) < 12
    drawn = found.on_the_ground(10, "polygons")
    by_polygon = drawn.assign(drawn=areas_km2(drawn.geometry)).groupby("id")["drawn"].sum()
    elsewhere = mines([shapely.box(9.95, -17.0, 10.03, -16.9), shapely.box(9.95, -17.3, 10.03, -17.2)])
    assert by_polygon.to_numpy() == pytest.approx(elsewhere["area_km2"].to_numpy(), rel=0.02)
    for _, sides in drawn.groupby("id"):
        assert {round(one.bounds[0]) for one in sides.geometry} == {180, -180}
    assert all(feature["geometry"]["coordinates"][0] == 4095 for _, feature in found.features(0, "points"))


def test_without_polygons_there_is_one_empty_tile(tmp_path: Path) -> None:
    found = made(mines([]), tmp_path)
    assert found.tiles == {(0, 0, 0): {}}
    assert found.facts.tiles == 1


@pytest.mark.parametrize("place", [(0.0, 0.0), (179.9, 84.0), (-60.25, -3.5)])
def test_places_in_the_square_lead_back(place: tuple[float, float]) -> None:
    there = places(np.array([place]))
    assert degrees(there)[0].tolist() == pytest.approx(place, abs=1e-9)
