"""Our GeoParquet files read the same through our quick reader as through geopandas."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from minemap_assets.geo.vector import read_geoparquet, write_geoparquet


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32622", None])
@pytest.mark.parametrize("rows", [0, 3])
def test_the_quick_reader_gives_what_geopandas_gives(crs: str | None, rows: int, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "site_id": [f"m{n}" for n in range(rows)],
            "days": pd.array([None, *range(1, rows)][:rows], dtype="Int64"),
            "ids": [["a"] * n for n in range(rows)],
            "share": [n / 4 for n in range(rows)],
        },
        geometry=[shapely.box(n, 0, n + 1, 1) for n in range(rows)],
        crs=crs,
    )
    write_geoparquet(frame, tmp_path / "x.parquet")
    ours = read_geoparquet(tmp_path / "x.parquet")
    theirs = gpd.read_parquet(tmp_path / "x.parquet")
    assert_geodataframe_equal(ours, theirs)
    assert ours.crs == frame.crs
