"""Mines that several regions hold: their parts add up, ground counts once, and what no region maps is told."""

import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.tables.counted import count_regions
from minemap_assets.tables.panel import site_grid, site_panel
from minemap_assets.tables.parts import RegionPart
from minemap_assets.tables.summaries import country_summary, region_summary
from region_parts import COUNTRIES, Box, area, borders, part, site

KM = 0.009
"""About a kilometre in degrees at the equator."""


def panel_of(parts) -> pd.DataFrame:
    return site_panel(2019, parts, borders(), "weak").set_index("site_id")


def countries_of(parts) -> pd.DataFrame:
    return country_summary(2019, parts, panel_of(parts).reset_index(), COUNTRIES, "weak", borders).set_index("iso3")


def km2(*boxes: Box) -> float:
    return area(shapely.union_all([shapely.box(*box) for box in boxes]))


OWNED = (4.99, 1.0, 5.01, 1.02)
LEFT, RIGHT = (4.995, 1.005, 5.0, 1.01), (5.0, 1.005, 5.012, 1.01)
"""One mine on both sides of longitude 5."""


def adjacent(**more) -> list[RegionPart]:
    """Regions that meet at longitude 5, each with its part of the mine m1."""
    left = part("a", (0, 0, 5, 5), [LEFT], [site("m1", 5, 1.01, 1.0, km2(LEFT), owned=OWNED, clipped=RIGHT)])
    right = part("b", (5, 0, 9, 5), [RIGHT], [site("m1", 5, 1.01, 1.0, km2(RIGHT), owned=OWNED, clipped=LEFT)], **more)
    return [right, left]


def test_a_mine_across_two_adjacent_regions_adds_its_parts() -> None:
    """Neither part is clipped ground, as the other region observes it."""
    row = panel_of(adjacent()).loc["m1"]
    assert row["area_km2"] == pytest.approx(km2(LEFT, RIGHT), rel=1e-9)
    assert (row["region"], row["observed_share"], row["status"], row["product"]) == ("a", 1.0, "final", "planet-nicfi")
    # the east end lies on ground that the site does not own: nobody's window speaks for it in region a
    outside = km2((5.01, 1.005, 5.012, 1.01))
    assert row["clipped_km2"] == pytest.approx(outside, rel=1e-6)
    assert countries_of(adjacent())["area_km2"].sum() == pytest.approx(row["area_km2"], rel=1e-9)


def test_what_no_region_maps_beyond_a_border_is_told() -> None:
    parts = adjacent(made=False)
    row = panel_of(parts).loc["m1"]
    assert row["area_km2"] == pytest.approx(km2(LEFT))
    assert row["clipped_km2"] == pytest.approx(km2(RIGHT))
    regions = region_summary(2019, parts, "weak").set_index("region")
    assert regions.loc["a", "clipped_km2"] == pytest.approx(km2(RIGHT))
    assert pd.isna(regions.loc["b", "clipped_km2"])
    countries = countries_of(parts)
    assert countries.loc["XWA", "clipped_km2"] == pytest.approx(km2(RIGHT))
    assert countries.loc["", "clipped_km2"] == 0.0


def test_a_status_is_that_of_all_regions_that_were_made() -> None:
    assert panel_of(adjacent(status="provisional")).loc["m1", "status"] == "provisional"
    assert panel_of(adjacent(made=False)).loc["m1", "status"] == "final"


MINE = (4.0, 1.0, 4.02, 1.01)
SITE = {"owned": (3.99, 0.99, 4.03, 1.03)}


def overlapping(first: RegionPart) -> list[RegionPart]:
    """A region with the mine, behind one that overlaps it."""
    return [first, part("b", (3, 0, 9, 5), [MINE], [site("m1", 4.01, 1.01, 1.0, km2(MINE), **SITE)])]


def test_ground_is_taken_only_where_the_earlier_region_observed_it() -> None:
    """That nobody looked there, or only at a half of it, leaves the later region the rest."""
    half = (4.01, 0.99, 4.03, 1.03)
    blind = overlapping(part("a", (0, 0, 5, 5), sites=[site("m9", 1, 1, 1.0, 0.0)]))
    assert countries_of(blind)["area_km2"].sum() == pytest.approx(km2(MINE), rel=1e-9)
    clouded = overlapping(part("a", (0, 0, 5, 5), sites=[site("m1", 4.01, 1.01, 0.0, **SITE)]))
    assert countries_of(clouded)["area_km2"].sum() == pytest.approx(km2(MINE), rel=1e-9)
    seen = site("m1", 4.01, 1.01, 0.5, 0.0, **SITE, hidden=half)
    partly = overlapping(part("a", (0, 0, 5, 5), sites=[seen]))
    assert countries_of(partly)["area_km2"].sum() == pytest.approx(km2((4.01, 1.0, 4.02, 1.01)), rel=1e-9)
    row = panel_of(partly).loc["m1"]
    assert row["area_km2"] == pytest.approx(km2((4.01, 1.0, 4.02, 1.01)), rel=1e-9)
    assert (row["region"], row["observed_share"]) == ("a", 1.0)
    whole = overlapping(part("a", (0, 0, 5, 5), sites=[site("m1", 4.01, 1.01, 1.0, 0.0, **SITE)]))
    assert countries_of(whole)["area_km2"].sum() == 0.0
    assert panel_of(whole).loc["m1", "area_km2"] == 0.0


def test_a_polygon_over_the_line_is_cut_there_and_measured_anew() -> None:
    across = (9.98, 1.0, 10.02, 1.01)
    ground = {"owned": (9.9, 0.9, 10.1, 1.1)}
    west = part("a", (0, 0, 9.99, 5), sites=[site("m1", 10, 1, 1.0, 0.0, **ground)])
    later = part("b", (5, 0, 15, 5), [across], [site("m1", 10, 1, 1.0, km2(across), **ground)])
    by = countries_of([west, later])
    assert by.loc["XWA", "area_km2"] == pytest.approx(km2((9.99, 1.0, 10.0, 1.01)), rel=1e-9)
    assert by.loc["XEA", "area_km2"] == pytest.approx(km2((10.0, 1.0, 10.02, 1.01)), rel=1e-9)


@pytest.mark.parametrize("polygons", [[MINE], []])
def test_corrections_are_counted_once_too(polygons: list[Box]) -> None:
    """Both regions hold the whole site, and in both a person rejected 2 km2, also where that was all there was."""
    mapped = sum(km2(box) for box in polygons)
    told = site("m1", 4.01, 1.01, 1.0, mapped, uncorrected=mapped + 2.0, **SITE)
    parts = [part(slug, bounds, polygons, [told]) for slug, bounds in (("a", (0, 0, 5, 5)), ("b", (3, 0, 9, 5)))]
    row = panel_of(parts).loc["m1"]
    assert row["area_km2"] == pytest.approx(mapped, rel=1e-9)
    assert row["uncorrected_km2"] == pytest.approx(mapped + 2.0, rel=1e-9)
    country = countries_of(parts).loc["XWA"]
    assert country["uncorrected_km2"] == pytest.approx(mapped + 2.0, rel=1e-9)
    assert region_summary(2019, parts, "weak")["uncorrected_km2"].tolist() == pytest.approx([mapped + 2.0] * 2)


spans = st.tuples(st.integers(0, 18), st.integers(2, 12)).map(lambda s: (s[0], s[0] + s[1]))


@settings(max_examples=8, deadline=None)
@given(mine=spans, windows=st.lists(spans, min_size=1, max_size=3), regions=st.lists(spans, min_size=2, max_size=3))
def test_panel_grid_and_countries_agree_and_count_no_ground_twice(mine, windows, regions) -> None:
    """Any regions over a strip of sites, each of which maps what it observes of one mine: the sum is their union."""

    def box(span: tuple[int, int]) -> Box:
        return (9.9 + span[0] * KM, 1.0, 9.9 + span[1] * KM, 1.0 + KM)

    def meet(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int] | None:
        low, high = max(one[0], other[0]), min(one[1], other[1])
        return (low, high) if low < high else None

    owned = [(0, 10), (10, 20), (20, 30)]
    parts, mapped = [], []
    for number, region in enumerate(regions):
        seen = [window for window in windows if meet(window, region)]
        ground = [meet(w, c) for w in seen[:1] for c in owned]
        sites, polygons = [], []
        for name, cell in zip("xyz", ground, strict=False):
            if cell is None:
                continue
            inside = meet(cell, region)
            piece = meet(inside, mine) if inside else None
            polygons += [box(piece)] if piece else []
            size = km2(box(piece)) if piece else 0.0
            middle = (box(cell)[0] + box(cell)[2]) / 2
            sites.append(site(name, middle, 1.004, 1.0, size, owned=box(cell)))
        mapped += polygons
        parts.append(part(f"r{number}", (*box(region)[:1], 0.5, box(region)[2], 1.5), polygons, sites))
    truth = km2(*mapped) if mapped else 0.0
    panel = panel_of(parts)
    grid = site_grid(2019, count_regions(parts), panel.reset_index())
    assert countries_of(parts)["area_km2"].sum() == pytest.approx(truth, rel=1e-7, abs=1e-8)
    assert panel["area_km2"].sum() == pytest.approx(truth, rel=1e-7, abs=1e-8)
    by_site = grid.groupby("site_id")["area_km2"].sum()
    assert by_site.to_dict() == pytest.approx(panel["area_km2"].fillna(0.0).to_dict(), rel=1e-7, abs=1e-8)
