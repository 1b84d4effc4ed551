"""The published postprocessing rule in plain geopandas, as one would write it down: the side to compare with.

Polygons without an intersecting one in the year before or after go; what is left of a year and intersects is merged;
every hole is filled; each polygon is asked against every country, and the last one that intersects it names it.
"""

from pathlib import Path

import geopandas as gpd
import pandas as pd
from shapely.geometry import Polygon

EQUAL_AREA = "EPSG:6933"


def postprocess_plainly(source: Path, countries: gpd.GeoDataFrame, target: Path) -> int:
    """Read a GeoPackage [uid, year, geometry], write another [year, iso3, country, area, geometry]; returns rows."""
    predictions = gpd.read_file(source)
    by_year = {int(year): frame.reset_index(drop=True) for year, frame in predictions.groupby("year")}
    finished = []
    for year in sorted(by_year):
        kept = _confirmed(by_year, year)
        merged = gpd.GeoDataFrame(geometry=[kept.geometry.union_all()], crs=kept.crs).explode(index_parts=False)
        merged["geometry"] = [Polygon(polygon.exterior) for polygon in merged.geometry]
        named = [_country(polygon, countries) for polygon in merged.geometry]
        merged["iso3"] = [code for code, _ in named]
        merged["country"] = [name for _, name in named]
        merged["year"] = year
        merged["area"] = merged.geometry.to_crs(EQUAL_AREA).area
        finished.append(merged)
    result = gpd.GeoDataFrame(pd.concat(finished, ignore_index=True), crs=predictions.crs)
    result.to_file(target, driver="GPKG")
    return len(result)


def _confirmed(by_year: dict[int, gpd.GeoDataFrame], year: int) -> gpd.GeoDataFrame:
    own = by_year[year]
    found: set[int] = set()
    for other in (year - 1, year + 1):
        if other in by_year:
            found |= set(gpd.sjoin(own, by_year[other][["geometry"]], predicate="intersects").index)
    return own.loc[sorted(found)]


def _country(polygon: Polygon, countries: gpd.GeoDataFrame) -> tuple[str, str]:
    """Code and name of the last country that intersects."""
    met = countries[countries.intersects(polygon)]
    return ("", "") if met.empty else (str(met.iloc[-1]["iso3"]), str(met.iloc[-1]["name"]))
