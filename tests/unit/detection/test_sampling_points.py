"""Sampling points: what counts as a class, what is refused, and points from known outlines."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minemap_assets.detection.sampling_points import (
    FromTruth,
    SamplingPoints,
    check_inside,
    points_by_region,
    points_from_truth,
    read_points,
    unique,
)
from minemap_assets.errors import BadInputError
from minemap_assets.project.regions import Region


def written(path: Path, *properties: dict[str, object]) -> Path:
    """Points a degree apart."""
    features = [
        {"type": "Feature", "properties": one, "geometry": {"type": "Point", "coordinates": [n + 0.1, 0.1]}}
        for n, one in enumerate(properties)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("pair", [("mine", "other"), (1, 0), (True, False), ("Positive", "negative"), (1.0, 0.0)])
def test_classes_are_read_in_words_and_numbers(tmp_path: Path, pair: tuple[object, object]) -> None:
    points = read_points(written(tmp_path / "p.geojson", {"class": pair[0]}, {"class": pair[1]}))
    assert points.mine.tolist() == [True, False]
    assert len(set(points.places)) == 2


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ([{"name": "a"}], "has no column of classes .its columns: name."),
        ([{"class": "mine"}, {"class": None}], "point 2 has no class"),
        ([{"class": "mine"}, {"class": "river"}], "point 2 has the class 'river'"),
    ],
)
def test_points_without_a_class_are_refused_in_one_sentence(
    tmp_path: Path, properties: list[dict[str, object]], says: str
) -> None:
    with pytest.raises(BadInputError, match=says):
        read_points(written(tmp_path / "p.geojson", *properties))


def test_areas_are_no_points(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    gpd.GeoDataFrame({"class": ["mine"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(path)
    with pytest.raises(BadInputError, match="every feature has to be a point"):
        read_points(path)


MINES = np.array([shapely.box(0.2, 0.2, 0.21, 0.21), shapely.box(0.7, 0.7, 0.72, 0.71)], dtype=object)
AVOIDED = np.array([shapely.box(0.4, 0.4, 0.5, 0.5)], dtype=object)
WANTED = FromTruth(per_mine=3, others=50, away_degrees=0.05, place_degrees=0.1, seed=4)


def test_points_from_outlines_lie_inside_and_the_others_far_from_all() -> None:
    points = points_from_truth(MINES, AVOIDED, shapely.box(0, 0, 1, 1), WANTED)
    xy = shapely.points(points.longitudes, points.latitudes)
    assert points.mine.sum() == 6
    assert len(points) == 56
    assert shapely.intersects(shapely.union_all(MINES), xy[points.mine]).all()
    known = shapely.union_all([*MINES, *AVOIDED])
    assert (shapely.distance(known, xy[~points.mine]) >= 0.05 - 1e-12).all()
    assert set(np.array(points.places)[points.mine]) == {"2_2", "7_7"}
    again = points_from_truth(MINES, AVOIDED, shapely.box(0, 0, 1, 1), WANTED)
    assert np.array_equal(points.longitudes, again.longitudes)


def test_one_place_is_not_a_mine_and_none() -> None:
    path = Path("points.geojson")
    points = SamplingPoints(np.zeros(2), np.zeros(2), np.array([True, False]), ("a", "a"))
    with pytest.raises(BadInputError, match="points 1 and 2 are the same place, once mine, once other"):
        unique(points, path)
    same = SamplingPoints(np.zeros(2), np.zeros(2), np.array([True, True]), ("a", "a"))
    assert len(unique(same, path)) == 1


def test_a_point_in_two_regions_belongs_to_the_first_and_one_in_none_is_refused() -> None:
    regions = {
        "east": Region("east", "East", shapely.box(0, 0, 2, 1)),
        "all": Region("all", "All", shapely.box(-2, 0, 1, 1)),
    }
    points = SamplingPoints(
        np.array([0.5, 1.5, -1.0]), np.full(3, 0.5), np.array([True, False, False]), ("a", "b", "c")
    )
    found = points_by_region(points, regions)
    assert {slug: one.places for slug, one in found.items()} == {"all": ("a", "c"), "east": ("b",)}
    with pytest.raises(BadInputError, match="1 of 3 points lie in no region"):
        check_inside(points, {"east": regions["east"]}, Path("p.geojson"))
