"""Overlays: what is registered, what is refused, and sums by area and distance."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.detection.overlays import Overlay, add_overlay, registered_overlays
from minemap_assets.detection.summing_up import summed
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import areas_km2
from projects import home_at


def file_of(folder: Path, shapes: list[shapely.Geometry], **columns: list[str]) -> Path:
    """A vector file."""
    path = folder / "shapes.geojson"
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_file(path)
    return path


def test_overlays_are_kept_by_name_and_added_anew(tmp_path: Path) -> None:
    home = home_at(tmp_path / "lake", tmp_path / "state")
    store = home.open().lake.store
    areas = file_of(tmp_path, [shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)], name=["A", "B"])
    assert add_overlay(store, "reserves", areas) == 2
    add_overlay(store, "airstrips", file_of(tmp_path, [shapely.Point(5, 5)], code=["X"]), column="code")
    add_overlay(store, "reserves", file_of(tmp_path, [shapely.box(0, 0, 1, 1)], title=["A again"]))
    airstrips, reserves = registered_overlays(home.open())
    assert (airstrips.name, airstrips.names, airstrips.areal) == ("airstrips", ("X",), False)
    assert (reserves.name, reserves.names, reserves.areal) == ("reserves", ("A again",), True)


@pytest.mark.parametrize(
    ("name", "shapes", "column", "says"),
    [
        ("country", [shapely.box(0, 0, 1, 1)], None, "'country' cannot name an overlay"),
        ("My Reserves", [shapely.box(0, 0, 1, 1)], None, "cannot name an overlay; use small letters"),
        ("a", [shapely.box(0, 0, 1, 1)], "nome", "has no column 'nome' .did you mean 'name'"),
        ("a", [shapely.box(0, 0, 1, 1), shapely.Point(0, 0)], None, "mixes areas with points or lines"),
    ],
)
def test_what_cannot_be_an_overlay_is_refused_in_one_sentence(
    tmp_path: Path, name: str, shapes: list[shapely.Geometry], column: str | None, says: str
) -> None:
    store = home_at(tmp_path / "lake", tmp_path / "state").open().lake.store
    with pytest.raises(BadInputError, match=says):
        add_overlay(store, name, file_of(tmp_path, shapes, name=["A"] * len(shapes)), column=column)


ONE, TWO = shapely.box(0.0, 0.0, 0.01, 0.01), shapely.box(0.1, 0.0, 0.11, 0.01)
TABLE = pd.DataFrame(
    {"detection_id": ["one", "two"], "country_iso3": ["XAA", "XBB"], "geometry": np.array([ONE, TWO], dtype=object)}
)


def area(*shapes: shapely.Geometry) -> float:
    """Square kilometres."""
    return float(areas_km2(gpd.GeoSeries(shapes, crs=4326)).sum())


def test_sums_by_region_country_area_and_distance() -> None:
    reserves = Overlay(
        "reserves", ("west", "all"), np.array([shapely.box(-1, -1, 0.005, 1), shapely.box(-1, -1, 1, 1)])
    )
    strips = Overlay("strips", ("x",), np.array([shapely.Point(0.0, 0.03)]))
    rows = summed("r", 2020, TABLE, 3.5, np.array([shapely.box(0.0, 0.0, 0.005, 0.01)]), (reserves, strips))
    found = rows.set_index(["by", "name"])
    assert found["detections"].to_dict() == {
        ("region", "r"): 2,
        ("country", "XAA"): 1,
        ("country", "XBB"): 1,
        ("reserves", "all"): 2,
        ("reserves", "west"): 1,
        ("strips", "1 to 5 km"): 1,
        ("strips", "5 to 20 km"): 1,
    }
    assert found.loc[("reserves", "west"), "patch_area_km2"] == pytest.approx(area(ONE) / 2, rel=1e-6)
    assert found.loc[("region", "r"), "patch_area_km2"] == pytest.approx(area(ONE, TWO), rel=1e-6)
    assert found.loc[("country", "XAA"), "outlined_km2"] == pytest.approx(area(ONE) / 2, rel=1e-6)
    assert found.loc[("country", "XBB"), "outlined_km2"] == 0.0
    assert found.loc[("region", "r"), "not_observed_km2"] == 3.5


def test_a_year_that_was_not_outlined_has_no_outlined_area_and_not_zero() -> None:
    assert summed("r", 2020, TABLE, 0.0, None, ())["outlined_km2"].isna().all()
    assert summed("r", 2020, TABLE.iloc[:0], 0.0, np.array([ONE]), ()).loc[0, "detections"] == 0
