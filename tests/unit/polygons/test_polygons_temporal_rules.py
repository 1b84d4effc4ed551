"""The default rule against the published one and MapBiomas' recipe, on truth that is known."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.mapbiomas import mapbiomas_recipe
from support.mine_series import Errors, Series, simulated
from support.real_series import bare_ground, flickering, lourenco
from support.temporal_scores import chain, interval_cover, mean_scores, parity, rules, yearly_areas

from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.temporal.hmm import Chances
from minemap_assets.polygons.temporal.window_rule import YearView, window_rule

CONFIG = PolygonsConfig()
CHANCES = Chances.of(CONFIG)
DATA = Path(os.environ.get("MINEMAP_TEST_DATA", "/nonexistent"))
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="MINEMAP_TEST_DATA names no folder")


def years(*rows: str) -> np.ndarray:
    """Years of a single row of pixels, `#` mine, drawn below each other."""
    return np.array([[[c == "#" for c in row]] for row in rows])


def test_default_beats_parity_and_mapbiomas_on_simulated_truth() -> None:
    made = [simulated(2_000 + n, Errors(), side=192, mines=6) for n in range(4)]
    found = mean_scores([(rules(one, CONFIG, 5.0, 30.0), one) for one in made])
    for goal in ("area_error", "ground_first_year", "ground_last_year"):
        assert found["default"][goal] < min(found["parity"][goal], found["mapbiomas"][goal]), goal
    assert found["default"]["iou"] > found["each_year_alone"]["iou"] + 0.1
    cover = interval_cover(made, CHANCES)
    assert 0.88 <= cover["cover"] <= 1.0
    assert cover["width"] < 6.0


@real_data
def test_published_areas_come_back_from_flicker() -> None:
    truth = lourenco(DATA / "mapbiomas-lourenco-1985-2020", 10)
    assert truth.sum(axis=(1, 2))[[0, 1, 9]].tolist() == [5149, 5440, 5788]
    for flicker in (0.05, 0.1):
        found = yearly_areas(rules(flickering(truth, flicker, 1), CONFIG, 30.0), truth)
        assert found["default"]["error"] < min(found["parity"]["error"], found["mapbiomas"]["error"])


@real_data
def test_a_gap_year_neither_removes_nor_invents() -> None:
    stored = bare_ground(DATA / "forestoolbox-madre-de-dios-pv")
    for gap in (1995, 2002):
        around = range(gap - 3, gap + 4)
        pixels = np.stack([stored[year] for year in around])
        answer = chain(Series(np.zeros(pixels.shape, dtype=bool), pixels, 0.5), CHANCES)
        before, year, after = answer[2:5]
        assert year.sum() == pytest.approx((before.sum() + after.sum()) / 2, rel=0.15)
        assert (year & before & after).sum() > 0.95 * (before & after).sum()
        assert (year & ~before & ~after).sum() < 0.03 * year.sum()


def test_parity_on_pixels_is_the_published_rule_on_polygons() -> None:
    series = simulated(7, Errors(clouded=0.4), side=64, years=4, mines=3)
    from odc.geo.geobox import GeoBox
    from rasterio.features import geometry_mask

    grid = GeoBox.from_bbox((0, 0, 64, 64), crs="EPSG:32630", shape=(64, 64))
    shapes = [outline(mask, grid).polygons for mask in series.masks]
    unseen = [outline(~seen, grid).polygons for seen in series.observed]
    for year, polygons in enumerate(shapes):

        def view(other: int) -> YearView | None:
            return YearView(shapes[other], unseen[other]) if 0 <= other < len(shapes) else None

        kept = polygons[window_rule(polygons, year, view, 1).keep]
        filled = [type(shape)(shape.exterior) for shape in kept]
        assert np.array_equal(parity(series)[year], geometry_mask(filled, (64, 64), grid.affine, invert=True))


def test_mapbiomas_recipe_follows_its_description() -> None:
    mine = years("##..", ".#..", "##..", "#.#.", "#...", "#..#")
    everything = np.ones_like(mine)
    smooth = years("##..", "##..", "##..", "#...", "#...", "#...")
    assert np.array_equal(mapbiomas_recipe(mine, everything, 100.0), smooth)
    seen = everything.copy()
    seen[0], seen[5] = False, False
    gaps = mapbiomas_recipe(np.repeat(mine, 2, axis=1), np.repeat(seen, 2, axis=1), 100.0)
    assert np.array_equal(gaps[0], gaps[1])
    rare = np.zeros((20, 1, 3), dtype=bool)
    rare[:2, 0, 0], rare[:3, 0, 2] = True, True
    assert mapbiomas_recipe(rare, np.ones_like(rare), 100.0).any(axis=0).tolist() == [[False, False, True]]
    assert not mapbiomas_recipe(mine, everything, 30.0).any()
