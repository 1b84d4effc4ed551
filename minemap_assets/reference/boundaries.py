"""Country boundaries: one valid geometry for each ISO code."""

import re
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only, write_geoparquet
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry
from minemap_assets.reference.polygon_sets import text_of

FILE = "boundaries.parquet"

ISO3_COLUMNS = (
    "iso_a3_eh",
    "iso_a3",
    "isoa3",
    "adm0_a3",
    "adm0a3",
    "iso3",
    "iso3_code",
    "iso3cd",
    "shapegroup",
    "gid_0",
)
"""Spellings of the code, best first (lower case). Natural Earth says -99 in ISO_A3 for France and Norway, among others,
and has codes of its own in ADM0_A3 (SDS for South Sudan), so the first valid one of each row counts.
"""

NAME_COLUMNS = ("name_long", "namelong", "name", "name_en", "admin", "country_name", "shapename", "country")
CONTINENT_COLUMNS = ("continent",)

_CODE = re.compile(r"[A-Z]{3}")


def build_boundaries(entry: ReferenceEntry, store: Store, writer: PartitionWriter) -> Outcome:
    """Write `boundaries.parquet` [iso3, name, continent, geometry] in EPSG:4326, sorted by iso3.

    Raises `BadInputError` where no column holds country codes.
    """
    source = read_entry(entry, store)
    countries = country_table(source, columns=entry.columns)
    writer.write(FILE, lambda path: write_geoparquet(countries, path))
    codes = _codes(source, entry.columns.get("iso3"))
    names = _first_text(source, _columns(source, entry.columns.get("name"), NAME_COLUMNS))
    return Outcome(
        summary={
            "features": len(source),
            "countries": len(countries),
            "repaired": int((~source.geometry.is_valid).sum()),
            "without_code": sorted(names[codes == ""]),
            "without_continent": int((countries["continent"] == "").sum()),
            "area_km2": round(float(areas_km2(countries.geometry).sum()), 1),
        }
    )


def country_table(source: gpd.GeoDataFrame, *, columns: dict[str, str] | None = None) -> gpd.GeoDataFrame:
    """Countries [iso3, name, continent, geometry] of a frame in EPSG:4326.

    Features of one code are united and named after the largest. `columns` overrides the spellings that are known.
    A feature without a code is left out. Raises `BadInputError` where no feature has one.
    """
    named = columns or {}
    parts, origin = areal_parts(np.asarray(source.geometry.array, dtype=object))
    rows = gpd.GeoDataFrame(
        {
            "iso3": _codes(source, named.get("iso3"))[origin],
            "name": _first_text(source, _columns(source, named.get("name"), NAME_COLUMNS))[origin],
            "continent": _first_text(source, _columns(source, named.get("continent"), CONTINENT_COLUMNS))[origin],
        },
        geometry=parts,
        crs=WGS84,
    )
    rows["area"] = areas_km2(rows.geometry)
    rows = rows[rows["iso3"] != ""]
    if rows.empty:
        raise BadInputError(
            f"no column holds ISO 3166 codes of three letters; it has {', '.join(map(str, source.columns))}, "
            "say which one is iso3"
        )
    largest_first = rows.sort_values(["iso3", "area"], ascending=[True, False], kind="stable")
    first = largest_first.groupby("iso3", sort=True).first()
    united = [polygons_only(shapely.union_all(np.asarray(g.array))) for _, g in rows.groupby("iso3")["geometry"]]
    return gpd.GeoDataFrame(
        {"iso3": first.index.to_numpy(), "name": first["name"].to_numpy(), "continent": first["continent"].to_numpy()},
        geometry=united,
        crs=WGS84,
    )


def _codes(source: gpd.GeoDataFrame, own: str | None) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return _first_text(source, _columns(source, own, ISO3_COLUMNS), code=True)


def _columns(source: pd.DataFrame, own: str | None, spellings: Sequence[str]) -> list[str]:
    if own is not None:
        return [own]
    by_lower = {str(c).lower(): str(c) for c in source.columns}
    return [by_lower[s] for s in spellings if s in by_lower]


def _first_text(
    source: pd.DataFrame, columns: Sequence[str], *, code: bool = False
) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """For each row the first filled value among columns (the first valid code, where asked), else an empty text."""
    found = np.full(len(source), "", dtype=object)
    for column in columns:
        for row in np.flatnonzero(found == ""):
            text = text_of(source[column].iloc[row])
            if not code or _CODE.fullmatch(text):
                found[row] = text
    return found
