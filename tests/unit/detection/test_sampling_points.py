"""Sampling points: what counts as a class, what is refused, and points from known outlines."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minemap_assets.detection.sampling_points import points_from_truth, read_points
from minemap_assets.errors import BadInputError


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


def test_points_from_outlines_lie_inside_and_the_others_far_from_all() -> None:
    mines = gpd.GeoDataFrame(geometry=[shapely.box(0.2, 0.2, 0.21, 0.21), shapely.box(0.7, 0.7, 0.72, 0.71)], crs=4326)
    points = points_from_truth(mines, shapely.box(0, 0, 1, 1), 3, 50, seed=4, away_degrees=0.05)
    xy = shapely.points(points.longitudes, points.latitudes)
    known = shapely.union_all(mines.geometry.to_numpy())
    assert points.mine.sum() == 6
    assert shapely.intersects(known, xy[points.mine]).all()
    assert (shapely.distance(known, xy[~points.mine]) >= 0.05 - 1e-12).all()
    again = points_from_truth(mines, shapely.box(0, 0, 1, 1), 3, 50, seed=4, away_degrees=0.05)
    assert np.array_equal(points.longitudes, again.longitudes)
