"""The change grid: what every cell of the grid gained and lost from one year to the next, as a table and as rasters."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.errors import PermanentError
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import EQUAL_AREA
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import TableSpec, conform, empty_table, write_table
from minemap_assets.tables.equal_area_grid import CELL_METRES, outlines
from minemap_assets.tables.queries import CHANGE_GRID as QUERY
from minemap_assets.tables.queries import query
from minemap_assets.tables.schemas import CHANGE_GRID, SITE_GRID, SITE_PANEL

BANDS = ("change_km2", "area_km2", "previous_km2", "new_mines_km2", "expansion_km2", "loss_km2")
"""Bands of the rasters, named as the columns of the table."""


def build_change_grid(panels: Sequence[Path], grids: Sequence[Path], writer: PartitionWriter) -> Outcome:
    """Write `change_grid.parquet` and for each year that has a year before it `change_YEAR.tif`.

    `panels` and `grids` are the files of site_panel and site_grid. The rasters (EPSG:6933, 10 km) hold the table's
    areas as float32; a cell without a site that was observed in both years is NaN.
    """
    frame = change_grid(panels, grids)
    writer.write(CHANGE_GRID.file, lambda path: write_table(frame, CHANGE_GRID, path))
    years = sorted(int(year) for year in frame["year"].unique())
    for year in years:
        rows = frame[frame["year"] == year]
        writer.write(f"change_{year}.tif", partial(_write_raster, rows, frame))
    totals = frame.groupby("year")["change_km2"].sum(min_count=1)
    told = [{"year": y, "change_km2": None if np.isnan(totals[y]) else round(float(totals[y]), 6)} for y in years]
    return Outcome({"rows": len(frame), "cell_km": CELL_METRES / 1000.0, "changes": told})


def change_grid(panels: Sequence[Path], grids: Sequence[Path]) -> gpd.GeoDataFrame:
    """The rows of the table. Raises `PermanentError` where a file does not fit its schema."""
    import duckdb

    with duckdb.connect() as connection:
        # one thread adds numbers up in the same order every time
        connection.execute("SET threads = 1")
        try:
            for spec, paths in ((SITE_PANEL, panels), (SITE_GRID, grids)):
                connection.register(spec.name, _rows(spec, paths))
            found = connection.execute(query(QUERY).query).df()
        except duckdb.Error as error:
            raise PermanentError(f"the change grid could not be made: {error}") from error
    row, column = found["cell_row"].to_numpy(np.int64), found["cell_column"].to_numpy(np.int64)
    return conform(found.assign(geometry=np.asarray(outlines(row, column), dtype=object)), CHANGE_GRID)


def _rows(spec: TableSpec, paths: Sequence[Path]) -> pa.Table:
    """Rows of a table's files below each other; typed also where there are none."""
    tables = [pq.read_table(path, columns=list(spec.names)) for path in paths]
    found = tables or [pa.Table.from_pandas(empty_table(spec), preserve_index=False)]
    return pa.concat_tables([t.replace_schema_metadata(None) for t in found], promote_options="permissive")


def _write_raster(rows: pd.DataFrame, every: pd.DataFrame, path: Path) -> None:
    """One year's cells as bands; `every` says how far the rasters of all years reach."""
    north, west = int(every["cell_row"].max()), int(every["cell_column"].min())
    height, width = north - int(every["cell_row"].min()) + 1, int(every["cell_column"].max()) - west + 1
    pixels = np.full((len(BANDS), height, width), np.nan, dtype=np.float32)
    row, column = north - rows["cell_row"].to_numpy(np.int64), rows["cell_column"].to_numpy(np.int64) - west
    pixels[:, row, column] = rows[list(BANDS)].to_numpy(np.float32).T
    corner = Affine(CELL_METRES, 0.0, west * CELL_METRES, 0.0, -CELL_METRES, (north + 1) * CELL_METRES)
    write_cog(path, pixels, GeoBox((height, width), corner, EQUAL_AREA), BANDS, nodata=float("nan"))
