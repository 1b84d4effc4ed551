"""Country boundaries: one valid geometry for each ISO code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only, write_geoparquet
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.messages import shown
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry
from minemap_assets.reference.country_codes import is_known_code, is_written_as_code
from minemap_assets.reference.polygon_sets import has_area, text_of

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

Texts = npt.NDArray[np.object_]

_FEW = 0.1
"""A share of features with a code that shows that its column holds something else."""
_SUSPICIOUS = 0.1
"""More than this share of strange or repeated codes is worth a word; a good file has a few."""
_SHOWN = 6


def build_boundaries(entry: ReferenceEntry, store: Store, writer: PartitionWriter) -> Outcome:
    """Write `boundaries.parquet` [iso3, name, continent, geometry] in EPSG:4326, sorted by iso3.

    Raises `BadInputError` where no column holds country codes.
    """
    source = read_entry(entry, store)
    countries = country_table(source, columns=entry.columns)
    writer.write(FILE, lambda path: write_geoparquet(countries, path))
    codes = _codes(source, entry.columns.get("iso3"))
    names = name_of_countries(source, entry.columns)
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
            "name": name_of_countries(source, named)[origin],
            "continent": _first_text(source, _columns(source, named.get("continent"), CONTINENT_COLUMNS))[origin],
        },
        geometry=parts,
        crs=WGS84,
    )
    rows["area"] = areas_km2(rows.geometry)
    rows = rows[rows["iso3"] != ""]
    if rows.empty:
        raise _no_codes(source, named.get("iso3"))
    largest_first = rows.sort_values(["iso3", "area"], ascending=[True, False], kind="stable")
    first = largest_first.groupby("iso3", sort=True).first()
    united = [polygons_only(shapely.union_all(np.asarray(g.array))) for _, g in rows.groupby("iso3")["geometry"]]
    return gpd.GeoDataFrame(
        {"iso3": first.index.to_numpy(), "name": first["name"].to_numpy(), "continent": first["continent"].to_numpy()},
        geometry=united,
        crs=WGS84,
    )


def name_of_countries(source: gpd.GeoDataFrame, columns: Mapping[str, str] | None = None) -> Texts:
    """The name of each feature; empty where it has none."""
    return _first_text(source, _columns(source, (columns or {}).get("name"), NAME_COLUMNS))


def check_countries(source: gpd.GeoDataFrame, *, columns: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What a person who registers countries (EPSG:4326) should know of them.

    Raises `BadInputError` as a run would where no feature has a code, and where none has a name, or next to none a
    code: then another column holds them.
    """
    named = columns or {}
    codes = _codes(source, named.get("iso3"))
    _need_codes(source, codes[has_area(source)], named.get("iso3"))
    names = name_of_countries(source, columns)
    if not (names != "").any():
        raise BadInputError(
            f"no column holds the names of the countries; it has {_columns_of(source)}, say which one does with "
            "--column name=COLUMN"
        )
    return tuple(_notes(codes, names))


def _notes(codes: Texts, names: Texts) -> Iterator[str]:
    """Each about more features than a good file has of that kind, except for those that are left out."""
    without = [name or "one without a name" for name in names[codes == ""]]
    if without:
        has = "has" if len(without) == 1 else "have"
        yield f"{len(without):,} of its {len(codes):,} features {has} no ISO 3166 code: {_some(without)}; left out"
    given = codes[codes != ""]
    strange = sorted({code for code in given if not is_known_code(code)})
    if len(strange) > _SUSPICIOUS * len(set(given)):
        yield (
            f"{_some(strange)} are no codes of ISO 3166-1, whose codes the tables should name countries by; say which "
            "column holds them with --column iso3=COLUMN"
        )
    counts = Counter(given)
    more = sorted(code for code, count in counts.items() if count > 1)
    if sum(counts[code] for code in more) - len(more) > _SUSPICIOUS * len(given):
        yield f"several features have the code {_some(more)}; those of one code become one country"


def _some(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_SHOWN], "..."] if len(texts) > _SHOWN else texts)


def _need_codes(source: gpd.GeoDataFrame, codes: Texts, own: str | None) -> None:
    """Refuse a file in which next to no feature has a code. Raises `BadInputError`."""
    if (codes != "").sum() <= _FEW * len(codes):
        raise _no_codes(source, own)


def _no_codes(source: gpd.GeoDataFrame, own: str | None) -> BadInputError:
    looked_in = _columns(source, own, ISO3_COLUMNS)
    held = [text_of(value) for value in (source[looked_in[0]] if looked_in else ())]
    example = next((f" ({looked_in[0]} holds {shown(text)})" for text in held if not is_written_as_code(text)), "")
    return BadInputError(
        f"no column holds ISO 3166 codes of three letters{example}; it has {_columns_of(source)}, say which one does "
        "with --column iso3=COLUMN"
    )


def _columns_of(source: gpd.GeoDataFrame) -> str:
    return ", ".join(str(c) for c in source.columns if c != source.geometry.name) or "none"


def _codes(source: gpd.GeoDataFrame, own: str | None) -> Texts:
    return _first_text(source, _columns(source, own, ISO3_COLUMNS), code=True)


def _columns(source: pd.DataFrame, own: str | None, spellings: Sequence[str]) -> list[str]:
    if own is not None:
        return [own]
    by_lower = {str(c).lower(): str(c) for c in source.columns}
    return [by_lower[s] for s in spellings if s in by_lower]


def _first_text(source: pd.DataFrame, columns: Sequence[str], *, code: bool = False) -> Texts:
    """For each row the first filled value among columns (the first valid code, where asked), else an empty text."""
    found = np.full(len(source), "", dtype=object)
    for column in columns:
        for row in np.flatnonzero(found == ""):
            text = text_of(source[column].iloc[row])
            if not code or is_written_as_code(text):
                found[row] = text
    return found
