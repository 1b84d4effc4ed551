"""The worlds keep what they promise: kinds, lives, borders and exact areas."""

import itertools
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.affinity import translate

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import geodesic_area_km2
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.mines import Blob, Life, part_outline
from minemap_assets.simulation.world import World, from_wgs84, to_wgs84


@pytest.fixture(scope="module")
def demo() -> World:
    return load_world("demo")


@pytest.fixture(scope="module")
def tiny() -> World:
    return load_world("tiny")


def final_outlines(world: World) -> dict[str, shapely.Geometry]:
    found = {}
    for mine in world.mines:
        outlines = [mine.outline(year) for year in world.years]
        found[mine.mine_id] = shapely.union_all([o for o in outlines if o is not None])
    return found


def test_demo_has_what_the_demo_promises(demo: World) -> None:
    assert len(demo.mines) >= 24
    assert {m.kind for m in demo.mines} == {"pit", "strip", "cluster"}
    assert len(demo.countries) >= 2
    assert [sum(m.region == r.slug for m in demo.mines) for r in demo.regions] == [12, 12]
    assert (demo.years[0], demo.years[-1], demo.reference_year) == (2016, 2025, 2019)
    assert all(c.iso3.startswith("X") and c.iso3[1] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in demo.countries)
    openings = [m.opening for m in demo.mines]
    assert 3 <= sum(o > demo.reference_year for o in openings) <= 5
    assert sum(o < 2016 for o in openings) >= 3


def test_tiny_is_small(tiny: World) -> None:
    assert tiny.years == (2017, 2018, 2019)
    assert [sum(m.region == r.slug for m in tiny.mines) for r in tiny.regions] == [2, 2]
    assert all(len(tiny.truth(year)) == 4 for year in tiny.years)


def test_total_area_changes_smoothly(demo: World) -> None:
    totals = np.array([demo.truth(year)["area_km2"].sum() for year in demo.years])
    assert totals.min() > 1.0
    assert np.all(np.abs(np.diff(totals)) / totals[:-1] < 0.35)


def test_some_mine_grows_merges_pauses_and_ends(demo: World) -> None:
    areas = {m.mine_id: [0.0 if (o := m.outline(y)) is None else o.area for y in demo.years] for m in demo.mines}
    parts = {
        m.mine_id: [0 if (o := m.outline(y)) is None else shapely.get_num_geometries(o) for y in demo.years]
        for m in demo.mines
    }
    assert any(a[0] > 0 and a[-1] > 1.5 * a[0] for a in areas.values()), "grows"
    assert any(p[0] > p[-1] >= 1 and areas[m][-1] > areas[m][0] for m, p in parts.items()), "merges"
    assert any(a[i] == a[i + 1] > 0 and a[-1] > a[i + 1] for a in areas.values() for i in range(len(a) - 2)), "pauses"
    assert any(a[0] > 0 and a[-1] == 0 for a in areas.values()), "is gone"
    assert any(a[-1] < max(a) * 0.8 and a[-1] > 0 for a in areas.values()), "is being grown over"


def test_outlines_are_valid_and_nested_until_closing(demo: World) -> None:
    for mine in demo.mines:
        for year in demo.years[:-1]:
            now, then = mine.outline(year), mine.outline(year + 1)
            if now is None or any(p.life.years_closed(year + 1) for p in mine.parts):
                continue
            assert now.is_valid
            assert then is not None
            lost = now.difference(then).area
            assert lost < 0.01 * now.area, f"{mine.mine_id} {year}"


def test_mines_lie_apart_and_inside_their_regions(demo: World, tiny: World) -> None:
    for world in (demo, tiny):
        outlines = final_outlines(world)
        regions = {r.slug: r.geometry for r in world.regions}
        for mine in world.mines:
            assert regions[mine.region].contains(outlines[mine.mine_id]), mine.mine_id
        for (a, left), (b, right) in itertools.combinations(outlines.items(), 2):
            assert left.distance(right) > 60.0, f"{a} and {b}"


def test_regions_are_disjoint_and_countries_share_an_exact_border(demo: World, tiny: World) -> None:
    for world in (demo, tiny):
        assert world.regions[0].geometry.disjoint(world.regions[1].geometry)
        west, east = (c.geometry for c in world.countries)
        assert west.is_valid
        assert east.is_valid
        assert west.intersection(east).area == pytest.approx(0.0, abs=1e-6)
        assert world.land.equals(shapely.box(*world.land.bounds)), "rendering takes the outer coasts for straight"
        assert all(world.land.contains(r.geometry.buffer(1_000.0)) for r in world.regions)


def test_a_mine_straddles_the_border(demo: World) -> None:
    outlines = demo.outlines(2019).values()
    assert any(all(outline.intersects(c.geometry) for c in demo.countries) for outline in outlines)
    assert all(demo.land.buffer(1e-6).contains(outline) for outline in outlines)


def test_areas_of_the_frame_are_true_areas(demo: World) -> None:
    truth = demo.truth(2022)
    measured = [geodesic_area_km2(g) for g in truth.geometry]
    np.testing.assert_allclose(measured, truth["area_km2"], rtol=2e-5)


def test_window_sizes_both_zones_and_the_sea(demo: World) -> None:
    sides = []
    for outline in demo.outlines(2019).values():
        west, south, east, north = outline.bounds
        sides.append(max(east - west, north - south))
    assert 2 <= sum(s > 1_280 for s in sides) <= 4
    assert max(sides) < 2_600
    middles = [to_wgs84(o.centroid) for o in demo.outlines(2019).values()]
    assert {utm_epsg(p.x, p.y) for p in middles} == {32630, 32631}
    # Open ocean in reality: no real ground is mapped by mistake.
    land = gpd.GeoSeries([to_wgs84(demo.land)], crs="EPSG:4326").total_bounds
    assert land[3] < 4.0
    assert abs(land[[0, 2]]).max() < 1.0


def test_frame_goes_there_and_back() -> None:
    square = shapely.box(-9_000.0, 2_000.0, -8_000.0, 3_000.0)
    back = from_wgs84(to_wgs84(square))
    np.testing.assert_allclose(shapely.get_coordinates(back), shapely.get_coordinates(square), atol=1e-5)


def test_life_of_a_part() -> None:
    life = Life(2017, 4, closing=2021, pauses=(2018,))
    assert life.size(2016) == 0.0
    assert life.size(2018) == life.size(2017)
    assert life.size(2020) > life.size(2019)
    assert life.size(2025) == life.size(2021)
    assert life.years_closed(2024) == 3
    blob = Blob(0.0, 0.0, 300.0, life)
    areas = [part_outline(blob, y).area for y in (2021, 2022, 2024)]
    assert areas == sorted(areas, reverse=True)
    assert part_outline(blob, 2031) is None


def test_unknown_world_and_year(tiny: World) -> None:
    with pytest.raises(BadInputError, match="the worlds are tiny, demo"):
        load_world("huge")
    with pytest.raises(BadInputError, match="2017 to 2019"):
        tiny.truth(2020)


def test_revision_follows_contents(tiny: World, demo: World) -> None:
    assert tiny.revision == load_world("tiny").revision
    moved = replace(tiny.regions[0], geometry=translate(tiny.regions[0].geometry, 5.0))
    others = [demo, replace(tiny, seed=8), replace(tiny, mines=tiny.mines[1:]), replace(tiny, regions=(moved,))]
    assert len({tiny.revision, *(w.revision for w in others)}) == 5
