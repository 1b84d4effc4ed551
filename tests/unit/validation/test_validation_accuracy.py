"""Maps against labelled points: what counts, what is missing, and what is known of how points were drawn."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import square_grid
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, write_parquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.reference.points import check_points, point_table
from minemap_assets.validation.accuracy import wilson
from minemap_assets.validation.map_reading import (
    ALL,
    ELSEWHERE,
    INSIDE,
    OUTSIDE,
    Judged,
    Places,
    RegionGround,
    RegionMap,
    hit,
    stored_probabilities,
)
from minemap_assets.validation.points import LabelledPoints, YearMap, YearMasks, estimate_all, sweep, validate

NOTHING = np.zeros(0, dtype=object)


def boxes(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*c) for c in corners], dtype=object)


WEST = RegionGround("west", shapely.box(0, 0, 10, 10), ["w1", "w2"], boxes((1, 1, 4, 4), (5, 5, 9, 9)))
EAST = RegionGround("east", shapely.box(10, 0, 20, 10), ["e1"], boxes((12, 2, 18, 8)))
MAPS = {
    "west": RegionMap(boxes((2, 2, 3, 3), (6, 6, 8, 8)), NOTHING),
    "east": RegionMap(boxes((13, 3, 16, 6)), boxes((16, 3, 18, 8))),
}

POINTS: dict[str, tuple[float, float, bool]] = {
    "mine in the west": (2.5, 2.5, True),
    "no mine in a window": (1.5, 1.5, False),
    "a mine that no site knows": (0.5, 9.5, True),
    "land without a site": (4.5, 0.5, False),
    "mine in the east": (14.0, 4.0, True),
    "clouded mine": (17.0, 5.0, True),
    "beyond all regions": (40.0, 40.0, False),
}


def labelled(years: tuple[int, ...] = (2022,), **columns: list[object]) -> LabelledPoints:
    rows = [(name, year, *facts) for name, facts in POINTS.items() for year in years]
    frame = gpd.GeoDataFrame(
        {"point_id": [r[0] for r in rows], "year": [r[1] for r in rows], "label": [r[4] for r in rows], **columns},
        geometry=gpd.points_from_xy([r[2] for r in rows], [r[3] for r in rows]),
        crs=WGS84,
    )
    table = point_table(frame)
    return LabelledPoints(table, Places.of(np.asarray(table.geometry, dtype=object), [WEST, EAST]))


def mapped(points: LabelledPoints, maps: dict[str, RegionMap], year: int = 2022) -> YearMap:
    return YearMap("mapped", year, points.places.take(points.rows_of([year])).judge(maps))


def test_the_wilson_interval_of_a_textbook_case() -> None:
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I, method 3
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_a_region_that_was_not_mapped_is_missing_and_never_no_mine() -> None:
    points = labelled()
    whole = validate(points, [mapped(points, MAPS)]).set_index("frame")
    part = validate(points, [mapped(points, {"west": MAPS["west"]})]).set_index("frame")
    inside = whole.loc[INSIDE]
    assert (inside["points"], inside["missing"], inside["accuracy"]) == (3, 1, 1.0)
    assert (part.loc[INSIDE, "points"], part.loc[INSIDE, "missing"], part.loc[INSIDE, "accuracy"]) == (2, 2, 1.0)
    assert part.loc[ALL, "false_negative"] == whole.loc[ALL, "false_negative"] == 1
    nothing = validate(points, [mapped(points, {})]).set_index("frame")
    assert (nothing.loc[ALL, "points"], nothing.loc[ALL, "missing"]) == (0, len(POINTS))
    assert np.isnan(nothing.loc[ALL, "accuracy"])


def test_land_without_a_site_is_told_apart_from_what_was_looked_at() -> None:
    points = labelled()
    rows = validate(points, [mapped(points, MAPS)]).set_index("frame")
    outside, elsewhere = rows.loc[OUTSIDE], rows.loc[ELSEWHERE]
    assert (outside["points"], outside["false_negative"], outside["true_negative"]) == (2, 1, 1)
    assert (elsewhere["points"], elsewhere["missing"]) == (0, 1)
    assert rows.loc[ALL, "points"] == 5


def test_overlapping_regions_are_read_where_they_observed() -> None:
    point = np.array([shapely.Point(5.5, 5.5)], dtype=object)
    other = RegionGround("again", WEST.outline, ["a1"], boxes((5, 5, 6, 6)))
    places = Places.of(point, [WEST, other])
    mine, none = RegionMap(boxes((5, 5, 6, 6)), NOTHING), RegionMap(NOTHING, NOTHING)
    clouded = RegionMap(NOTHING, boxes((5, 5, 6, 6)))
    assert not places.judge({"again": none, "west": mine}).mapped[0]
    judged = places.judge({"again": clouded, "west": mine})
    assert (judged.mapped[0], judged.known[0]) == (True, True)
    assert not places.judge({"again": clouded}).known[0]


def test_years_are_averaged_and_other_sets_stand_beside_ours() -> None:
    points = labelled((2021, 2022))
    everywhere = boxes((0, 0, 50, 50))
    sets = [
        YearMap("set", year, Judged(hit(points.places.take(own).points, everywhere), np.ones(own.sum(), dtype=bool)))
        for year in (2021, 2022)
        for own in [points.rows_of([year])]
    ]
    maps = [mapped(points, MAPS, 2021), mapped(points, {"west": MAPS["west"]}), *sets]
    rows = validate(points, maps).set_index(["map", "frame", "year"])
    mean = rows.loc[("mapped", ALL, pd.NA)]
    yearly = [rows.loc[("mapped", ALL, year), "accuracy"] for year in (2021, 2022)]
    assert mean["accuracy"] == pytest.approx(np.mean(yearly))
    assert (mean["years"], mean["points"]) == (2, 5 + 4)
    assert rows.loc[("set", ALL, 2022), "points"] == len(POINTS)
    assert rows.loc[("set", ALL, 2022), "specificity"] == 0.0
    estimated = estimate_all(points, maps)
    pooled = estimated[(estimated["map"] == "mapped") & (estimated["frame"] == ALL) & estimated["year"].isna()]
    accuracy = pooled.set_index("measure").loc["accuracy"]
    assert accuracy["estimate"] == pytest.approx(7 / 9)  # both years' points together
    assert (accuracy["low"] < 0.6, accuracy["high"] > 0.9) == (True, True)  # a point is one unit in all its years


def test_strata_of_another_map_weigh_points_by_the_ground_they_stand_for() -> None:
    sites = ["site", "site", "land", "land", "site", "site", "land"]
    points = labelled(stratum=list(sites), stratum_area=[10.0 if s == "site" else 990.0 for s in sites])
    maps = {"west": MAPS["west"], "east": RegionMap(MAPS["east"].polygons, NOTHING)}
    rows = estimate_all(points, [mapped(points, maps)]).set_index(["frame", "measure"])
    accuracy = rows.loc[(ALL, "accuracy")]
    assert accuracy["describes"] == "the ground that was sampled"
    # 4 points of 2.5 km2, one of them wrong (a mine seen as none); of 3 points of 330 km2 one is wrong, one missing
    assert accuracy["estimate"] == pytest.approx((7.5 + 330.0) / (10.0 + 660.0))
    plain = estimate_all(labelled(), [mapped(labelled(), maps)]).set_index(["frame", "measure"])
    assert plain.loc[(ALL, "accuracy"), "describes"] == "the points only"
    assert plain.loc[(ALL, "accuracy"), "estimate"] == pytest.approx(4 / 6)


DESIGNS: dict[str, tuple[dict[str, list[object]], str]] = {
    "an area that is no number": (
        {"stratum": ["a", "a"], "stratum_area": ["big", 1]},
        "point p1 has the stratum_area 'big'; give a number above zero",
    ),
    "two areas of a stratum": (
        {"stratum": ["a", "a"], "stratum_area": [2, 1]},
        "stratum a has several areas (stratum_area); give all its points the same one",
    ),
    "a stratum for some": (
        {"stratum": ["a", None], "stratum_area": [2, 2]},
        "point p2 has no stratum where others have one; give every point one, or none",
    ),
    "areas of no stratum": (
        {"stratum_area": [2, 2]},
        "validation points have a stratum_area but no stratum; name its column stratum",
    ),
}


@pytest.mark.parametrize("case", DESIGNS)
def test_a_design_that_cannot_be_used_is_refused(case: str) -> None:
    columns, sentence = DESIGNS[case]
    frame = {"point_id": ["p1", "p2"], "year": [2020, 2020], "label": [1, 0], **columns}
    source = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy([0, 1], [0, 1]), crs=WGS84)
    with pytest.raises(BadInputError) as refusal:
        point_table(source)
    assert str(refusal.value) == sentence


def test_strata_without_areas_are_noted() -> None:
    frame = {"point_id": ["p1", "p2"], "year": [2020, 2020], "label": [1, 0], "stratum": ["a", "b"]}
    source = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy([0, 1], [0, 1]), crs=WGS84)
    (note,) = check_points(source)
    assert "describes the points only" in note.replace("describe ", "describes ")


def published(folder: Path, files: dict[str, Path]) -> Partition:
    lake = Lake.local(folder / "lake", folder / "state")
    ref = PartitionRef("segmentation", "raw_masks", ("west", "2022"))
    with lake.writer(ref, "print") as writer:
        for name, path in files.items():
            writer.write(name, lambda target, path=path: target.write_bytes(path.read_bytes()))
        writer.commit("1", {}, Outcome({}))
    return lake.open(ref)


def test_masks_are_read_at_the_points_and_swept_over_thresholds(tmp_path: Path) -> None:
    grid = square_grid(500_000.0, 100_000.0, 64, 32631)
    stored = np.full((1, 64, 64), 50, dtype=np.uint8)
    stored[0, :, 32:] = 200
    stored[0, 60:, :] = 255
    write_cog(tmp_path / "mask.tif", stored, grid, ["probability"], nodata=255)
    write_parquet(pd.DataFrame({"site_id": ["w1"], "file": ["mask.tif"]}), tmp_path / "plain.parquet")
    index = gpd.GeoDataFrame(pd.read_parquet(tmp_path / "plain.parquet"), geometry=[shapely.box(0, 0, 1, 1)], crs=WGS84)
    index.to_parquet(tmp_path / "index.parquet")
    masks = published(tmp_path, {"mask.tif": tmp_path / "mask.tif", "index.parquet": tmp_path / "index.parquet"})
    pixels = [(10, 10), (10, 31), (10, 32), (40, 60), (62, 5)]
    local = gpd.GeoSeries([shapely.Point(grid.affine * (c + 0.5, r + 0.5)) for r, c in pixels], crs=grid.crs)
    places_of = np.asarray(local.to_crs(WGS84), dtype=object)
    window = shapely.box(*gpd.GeoSeries([shapely.box(*grid.boundingbox.bbox)], crs=grid.crs).to_crs(WGS84).total_bounds)
    region = RegionGround("west", window.buffer(0.1), ["w1"], np.array([window], dtype=object))
    far = shapely.Point(window.bounds[0] - 0.05, window.centroid.y)
    geometry = np.append(places_of, np.array([far], dtype=object))
    places = Places.of(geometry, [region])
    found = stored_probabilities(places, {"west": masks})
    assert found.tolist() == [50, 50, 200, 200, 255, 255]
    table = point_table(
        gpd.GeoDataFrame(
            {"point_id": list("abcdef"), "year": 2022, "label": [0, 1, 1, 1, 1, 0]}, geometry=geometry, crs=WGS84
        )
    )
    made = np.ones(6, dtype=bool)
    rows = sweep(LabelledPoints(table, places), {2022: YearMasks(found, made)})
    inside = rows[rows["frame"] == INSIDE].set_index("threshold")
    # recall by hand: from 50/254 on all three observed mines, from there to 200/254 the two of 200, then none
    assert inside["producers_accuracy"][[0.15, 0.2, 0.55, 0.625, 0.8]].tolist() == pytest.approx(
        [1, 2 / 3, 2 / 3, 2 / 3, 0]
    )
    assert (inside["points"] == 4).all()
    assert (inside["missing"] == 1).all()
    everything = rows[rows["frame"] == ALL].set_index("threshold")
    assert everything.loc[0.8, "true_negative"] == 2
