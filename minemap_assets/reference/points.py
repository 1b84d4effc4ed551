"""Validation points: places labelled mine or not mine, year by year.

Maps are compared with them in `validation/points.py`. Points that were drawn in strata say so, or else they describe
only themselves: `stratum` names the stratum that a point was drawn from and `stratum_area` is the area of that whole
stratum, in any unit; or `weight` is the area that a point stands for.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.settings import EARLIEST_YEAR
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry
from minemap_assets.reference.polygon_sets import text_of

FILE = "points.parquet"

_AMOUNTS = ("stratum_area", "weight")
DESIGN = ("stratum", *_AMOUNTS)
"""Columns that say how points were drawn."""

_YES = {"1", "true", "yes", "y", "mine", "mining"}
_NO = {"0", "false", "no", "n", "not mine", "no mine", "non-mine", "not_mine", "no_mine"}
_YEAR_COLUMN = re.compile(r"(?:.*\D)?((?:19|20)\d\d)")


def build_points(entry: ReferenceEntry, store: Store, writer: PartitionWriter) -> Outcome:
    """Write `points.parquet` [point_id, year, label (bool), stratum, stratum_area, weight, geometry] in EPSG:4326,
    sorted by point and year; the three of the design are null where the file does not have them.

    Raises `BadInputError` where a label or a year cannot be read.
    """
    source = read_entry(entry, store)
    frame = point_table(source, columns=entry.columns, reference_year=entry.reference_year)
    writer.write(FILE, lambda path: write_geoparquet(frame, path))
    years = sorted(int(y) for y in frame["year"].unique())
    return Outcome(
        summary={
            "features": len(source),
            "points": int(frame["point_id"].nunique()),
            "labels": len(frame),
            "mines": int(frame["label"].sum()),
            "years": years,
            "unlabelled": int(frame["point_id"].nunique()) * len(years) - len(frame),
            "design": design_in_words(frame),
        }
    )


def check_points(
    source: gpd.GeoDataFrame, *, columns: Mapping[str, str] | None = None, reference_year: int | None = None
) -> tuple[str, ...]:
    """What a person who registers points (EPSG:4326) should know of them. Raises `BadInputError` as a run would."""
    table = point_table(source, columns=columns, reference_year=reference_year)
    if table.empty:
        raise BadInputError("no point has a label; use 1 for mine and 0 for not mine")
    notes = []
    if table["label"].nunique() == 1:
        only = "mine" if table["label"].iloc[0] else "not mine"
        notes.append(f"every point is labelled {only}, which says nothing of how often a map is wrong about the others")
    if table["stratum"].notna().any() and table["stratum_area"].isna().all() and table["weight"].isna().all():
        notes.append(
            "it has strata without their areas, so that its accuracies describe the points only; give the area of each "
            "stratum in a column stratum_area, or name it with --column stratum_area=COLUMN"
        )
    first, last = int(table["year"].min()), int(table["year"].max())
    if last < EARLIEST_YEAR or first > datetime.now(UTC).year:
        of = f"of {first}" if first == last else f"of {first} to {last}"
        notes.append(f"its labels are {of}, of which there are no images, so that they are compared with no map")
    return tuple(notes)


def point_table(
    source: gpd.GeoDataFrame, *, columns: Mapping[str, str] | None = None, reference_year: int | None = None
) -> gpd.GeoDataFrame:
    """Labels [point_id, year, label, stratum, stratum_area, weight, geometry] of a frame of points in EPSG:4326.

    Two shapes are read: a row for each point and year (columns `label` and `year`, or one reference year for all), and
    a row for each point with a column for each year, its name ending in the year. A missing label gives no row.
    Raises `BadInputError`.
    """
    named = {ours: (columns or {}).get(ours, ours) for ours in ("point_id", "year", "label", *DESIGN)}
    geometries = np.asarray(source.geometry.array, dtype=object)
    if (shapely.get_type_id(geometries) != shapely.GeometryType.POINT).any() or shapely.is_empty(geometries).any():
        raise BadInputError("validation points must all be points; remove the features that are not")
    rows = _long(source, named, reference_year) if named["label"] in source.columns else _wide(source, named)
    table = pd.DataFrame(rows, columns=["point_id", "year", "label", "row"])
    number = table.pop("row").to_numpy(dtype=np.int64)
    for ours in DESIGN:
        given = source[named[ours]].to_numpy()[number] if named[ours] in source.columns else [None] * len(number)
        read = _positive if ours in _AMOUNTS else _name
        table[ours] = [read(value, ours, str(table["point_id"].iloc[n])) for n, value in enumerate(given)]
    frame = gpd.GeoDataFrame(table, geometry=geometries[number], crs=WGS84)
    twice = frame.duplicated(["point_id", "year"])
    if twice.any():
        first = frame[twice].iloc[0]
        raise BadInputError(f"point {first['point_id']} has two labels for {first['year']}; keep one")
    _check_design(frame)
    typed = frame.astype({"year": "int64", "label": "bool", "stratum": "str", **dict.fromkeys(_AMOUNTS, "float64")})
    return typed.sort_values(["point_id", "year"], ignore_index=True)


def design_in_words(frame: pd.DataFrame) -> str:
    """How labels (`point_table`) were drawn, as far as they say."""
    if frame["weight"].notna().any():
        return "points with weights"
    if frame["stratum_area"].notna().any():
        return f"drawn in {frame['stratum'].nunique()} strata of known area"
    return "unknown: describes the points only"


def _check_design(frame: pd.DataFrame) -> None:
    for ours in DESIGN:
        lacking = frame[frame[ours].isna()]
        if 0 < len(lacking) < len(frame):
            point = lacking["point_id"].iloc[0]
            raise BadInputError(f"point {point} has no {ours} where others have one; give every point one, or none")
    if frame["stratum_area"].notna().any() and frame["stratum"].isna().all():
        raise BadInputError("validation points have a stratum_area but no stratum; name its column stratum")
    areas = frame.groupby(["stratum", "year"])["stratum_area"].nunique()
    if (areas > 1).any():
        stratum = areas[areas > 1].index[0][0]
        raise BadInputError(f"stratum {stratum} has several areas (stratum_area); give all its points the same one")


def _name(value: Any, _: str, __: str) -> str | None:
    return text_of(value) or None


def _positive(value: Any, column: str, point: str) -> float:
    text = text_of(value)
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0.0):
        raise BadInputError(f"point {point} has the {column} {text!r}; give a number above zero")
    return number


def _ids(source: pd.DataFrame, column: str) -> list[str]:
    """Given ids, or one for each place: rows at the same spot are the same point in several years."""
    if column in source.columns:
        return [text_of(value) or f"row-{row + 1}" for row, value in enumerate(source[column])]
    number = pd.factorize(pd.Series(shapely.to_wkb(source.geometry.array, hex=True)))[0]
    width = len(str(len(source)))
    return [f"p{n + 1:0{width}d}" for n in number]


def _long(source: gpd.GeoDataFrame, named: Mapping[str, str], reference_year: int | None) -> list[dict[str, Any]]:
    ids = _ids(source, named["point_id"])
    if named["year"] not in source.columns and reference_year is None:
        raise BadInputError(
            f"validation points have no year, only {_columns_of(source)}; name its column with --column year=COLUMN, "
            "or give one year for all with --reference-year"
        )
    rows: list[dict[str, Any]] = []
    for row, value in enumerate(source[named["label"]]):
        label = read_label(value, ids[row])
        if label is not None:
            year = _year(source[named["year"]].iloc[row], ids[row]) if named["year"] in source else reference_year
            rows.append({"point_id": ids[row], "year": year, "label": label, "row": row})
    return rows


def _wide(source: gpd.GeoDataFrame, named: Mapping[str, str]) -> list[dict[str, Any]]:
    years = {str(c): int(m[1]) for c in source.columns if (m := _YEAR_COLUMN.fullmatch(str(c)))}
    if not years:
        raise BadInputError(
            f"validation points have no column {named['label']!r} and none that ends in a year, only "
            f"{_columns_of(source)}; name the label's with --column label=COLUMN"
        )
    ids = _ids(source, named["point_id"])
    rows: list[dict[str, Any]] = []
    for column, year in years.items():
        for row, value in enumerate(source[column]):
            label = read_label(value, ids[row])
            if label is not None:
                rows.append({"point_id": ids[row], "year": year, "label": label, "row": row})
    return rows


def _columns_of(source: gpd.GeoDataFrame) -> str:
    return ", ".join(str(c) for c in source.columns if c != source.geometry.name) or "none"


def read_label(value: Any, point: str) -> bool | None:
    """What a label says: mine, not mine, or nothing. Raises `BadInputError` for another word."""
    text = text_of(value).lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    if not text:
        return None
    raise BadInputError(f"point {point} has the label {text!r}; use 1 for mine and 0 for not mine")


def _year(value: Any, point: str) -> int:
    text = text_of(value)
    if not re.fullmatch(r"(19|20)\d\d", text):
        raise BadInputError(f"point {point} has the year {text!r}; use four digits")
    return int(text)
