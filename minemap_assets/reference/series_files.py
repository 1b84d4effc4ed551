"""Series: yearly polygons that were made elsewhere, registered as files and read one year at a time."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector import WGS84, repair
from minemap_assets.geo.vector_files import Rows, read_vector
from minemap_assets.lake.manifests import digest, file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.messages import shown
from minemap_assets.reference.catalogue import (
    FOLDER,
    ReferenceEntry,
    SeriesFacts,
    SeriesFile,
    entry_damage,
    read_catalogue,
)
from minemap_assets.reference.polygon_sets import has_area, text_of
from minemap_assets.reference.registration import Registration, check_name, enter, single_file, told

EARLIEST_SERIES_YEAR = 1972
"""The first Landsat flew then: nobody mapped mines from space before."""

ID_COLUMNS = ("polygon_id", "uid", "id")
"""Columns that are taken for ids where none is named, in this order."""

YEAR_COLUMN = "year"
"""The column that is taken for the year where none is named, in letters of any size."""

_YEAR_IN_NAME = re.compile(r"(?<!\d)(19[7-9]\d|20\d\d)(?!\d)")


@dataclass(frozen=True)
class SeriesColumns:
    """How the files of a series are to be read: which column says the year and which the id, or the `year` of all.

    What is not said is looked for: a column `year`, a year in the file's name, and one of `ID_COLUMNS`.
    """

    year_column: str | None = None
    year: int | None = None
    id_column: str | None = None
    layer: str | None = None
    crs: str | None = None


@dataclass(frozen=True)
class _Looked:
    """A file of a series as it was found."""

    years: Mapping[int, tuple[Any, ...]]
    features: int
    year_column: str
    id_column: str
    notes: tuple[str, ...]


def register_series(
    store: Store,
    sources: Sequence[Path],
    *,
    name: str,
    licence: str,
    columns: SeriesColumns,
    rules: Mapping[str, Any],
    citation: str = "",
    origin: str = "",
    reserved: Collection[str] = (),
) -> Registration:
    """Check the files of a series, copy them into the lake and describe them in the catalogue as one entry.

    `rules` are fields of `SeriesFacts`. Registering again replaces what the series was: all its files are given each
    time. Raises `BadInputError`: for a file without a CRS, without polygons or without a year, a year that cannot be,
    one of which no polygon has an area, and a licence that is not said.
    """
    check_name(read_catalogue(store), name, "series", reserved)
    if not licence.strip():
        raise BadInputError(f"{name} has no licence; give the one its authors chose, or 'unknown'")
    if len({source.absolute() for source in sources}) < len(sources):
        raise BadInputError(f"{name} is given the same file twice; give each once")
    looked = [_look(source, columns) for source in sources]
    _check_same(sources, looked)
    with store.writing(), ExitStack() as stack:
        files = [
            _stored(store, name, single_file(source, stack.enter_context(workspace(store.staging()))), found)
            for source, found in zip(sources, looked, strict=True)
        ]
        facts = SeriesFacts.model_validate({**rules, "files": [one.model_dump() for one in files]})
        own = {"id": looked[0].id_column, "year": looked[0].year_column}
        entry = ReferenceEntry(
            name=name,
            kind="series",
            file=files[0].file,
            sha256=files[0].sha256 if len(files) == 1 else digest([one.sha256 for one in files]),
            bytes=sum(one.bytes for one in files),
            features=sum(one.features for one in files),
            licence=licence.strip(),
            citation=citation,
            source=origin,
            layer=columns.layer,
            crs=columns.crs,
            columns={ours: theirs for ours, theirs in own.items() if theirs},
            series=facts,
        )
    notes = tuple(note for found in looked for note in found.notes)
    return told(enter(store, entry, reserved), entry, notes + _gaps(facts.years))


def series_years(entry: ReferenceEntry, store: Store) -> dict[int, Callable[[], gpd.GeoDataFrame]]:
    """For each year of a series a function that reads it: [source_id, geometry], valid areas in EPSG:4326.

    A polygon without an id of its own is called after its row within its file and year. Raises `BadInputError` where a
    file went missing or changed.
    """
    damage = entry_damage(entry, store)
    if damage is not None:
        raise BadInputError(damage)
    facts = _facts(entry)

    def reader(year: int) -> Callable[[], gpd.GeoDataFrame]:
        return lambda: _read_year(entry, store, year)

    return {year: reader(year) for year in facts.years}


def _facts(entry: ReferenceEntry) -> SeriesFacts:
    if entry.series is None:
        raise BadInputError(f"{entry.name} is registered as {entry.kind}, not as a series; register it again")
    return entry.series


def _read_year(entry: ReferenceEntry, store: Store, year: int) -> gpd.GeoDataFrame:
    parts = []
    files = [one for one in _facts(entry).files if year in one.years]
    for one in files:
        path = store.fetch(one.file)
        only = Rows(entry.columns["year"], one.years[year]) if one.years[year] else None
        frame = read_vector(path, layer=entry.layer, crs=entry.crs, only=only)
        ids = _ids(frame, entry.columns.get("id"), f"{path.stem.split('.')[0]}-" if len(files) > 1 else "")
        shapes = _repaired(np.asarray(frame.geometry.array, dtype=object))
        filled = np.array([shape is not None for shape in shapes], dtype=bool)
        kept = {"source_id": np.asarray(ids, dtype=object)[filled]}
        parts.append(gpd.GeoDataFrame(kept, geometry=shapes[filled], crs=WGS84))
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs=WGS84)


def _ids(frame: gpd.GeoDataFrame, column: str | None, prefix: str) -> list[str]:
    rows = [f"{prefix}row-{number}" for number in range(1, len(frame) + 1)]
    if column is None:
        return rows
    return [text_of(value) or row for value, row in zip(frame[column], rows, strict=True)]


def _repaired(shapes: np.ndarray[Any, np.dtype[np.object_]]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Valid areas, cut where they cross the antimeridian; None for what has no area."""
    found = short_way(shapes).copy()
    kinds = shapely.get_type_id(found)
    areal = (kinds == shapely.GeometryType.POLYGON) | (kinds == shapely.GeometryType.MULTIPOLYGON)
    for number in np.flatnonzero(~areal | ~shapely.is_valid(found) | shapely.is_empty(found)):
        found[number] = repair(found[number])
    return np.asarray(found, dtype=object)


def _stored(store: Store, name: str, local: Path, found: _Looked) -> SeriesFile:
    """Copy a file into the lake, unless it lies there."""
    checksum, size = file_sha256(local), local.stat().st_size
    file = f"{FOLDER}/{name}/{checksum[:12]}/{local.name}"
    if store.size(file) != size or file_sha256(store.fetch(file)) != checksum:
        store.put(local, file)
    return SeriesFile(file=file, sha256=checksum, bytes=size, features=found.features, years=dict(found.years))


def _look(source: Path, columns: SeriesColumns) -> _Looked:
    """What years a file has polygons of. Raises `BadInputError` for one that a run could not work with."""
    frame = read_vector(source, layer=columns.layer, crs=columns.crs)
    year_column = _year_column(frame, columns, source)
    years = _by_value(frame[year_column], source, year_column) if year_column else {_year_of(source, columns): ()}
    area = has_area(frame)
    notes = []
    for year, values in years.items():
        _check_year(year, source)
        of_year = frame[year_column].isin(values).to_numpy() if values else np.ones(len(frame), dtype=bool)
        if not area[of_year].any():
            count = int(of_year.sum())
            raise BadInputError(f"{source}: none of the {count:,} features of {year} has an area; give its polygons")
    lost = int(np.count_nonzero(~area))
    if lost:
        notes.append(f"{source.name}: features without an area, left out: {lost:,} of {len(frame):,}")
    id_column = columns.id_column or next((name for name in ID_COLUMNS if name in frame.columns), "")
    if id_column and id_column not in frame.columns:
        raise BadInputError(f"{source} has no column {id_column}; it has {_columns(frame)}")
    return _Looked(years, len(frame), year_column, id_column, tuple(notes))


def _year_column(frame: gpd.GeoDataFrame, columns: SeriesColumns, source: Path) -> str:
    """The column that says the year; empty where the whole file is of one year."""
    if columns.year_column is not None:
        if columns.year_column not in frame.columns:
            raise BadInputError(f"{source} has no column {columns.year_column}; it has {_columns(frame)}")
        return columns.year_column
    if columns.year is not None:
        return ""
    return next((str(name) for name in frame.columns if str(name).lower() == YEAR_COLUMN), "")


def _year_of(source: Path, columns: SeriesColumns) -> int:
    """The year of a whole file."""
    if columns.year is not None:
        return columns.year
    found = sorted(set(_YEAR_IN_NAME.findall(source.stem)))
    if len(found) != 1:
        raise BadInputError(
            f"{source} does not say of which year its polygons are: it has no column `{YEAR_COLUMN}` and not one year "
            "in its name; name the column with --year-column, or the year with --year"
        )
    return int(found[0])


def _by_value(values: "pd.Series[Any]", source: Path, column: str) -> dict[int, tuple[Any, ...]]:
    """The distinct values of a year column by the year that they mean."""
    empty = int(values.isna().sum())
    if empty:
        raise BadInputError(
            f"{source} has {empty:,} of {len(values):,} features without a year in the column {column}; fill it in"
        )
    years: dict[int, list[Any]] = {}
    for value in values.unique():
        plain = value.item() if isinstance(value, np.generic) else value
        years.setdefault(_as_year(plain, source, column), []).append(plain)
    return {year: tuple(sorted(found, key=str)) for year, found in sorted(years.items())}


def _as_year(value: Any, source: Path, column: str) -> int:
    wrong = BadInputError(f"{source} has {shown(value)} in the column {column}, which is no year; write 2019")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        number = float(value)
    except ValueError as error:
        raise wrong from error
    if not number.is_integer():
        raise wrong
    return int(number)


def _check_year(year: int, source: Path) -> None:
    now = datetime.now(UTC).year
    if not EARLIEST_SERIES_YEAR <= year <= now:
        raise BadInputError(
            f"{source} has polygons of {year}, a year of which there can be none; years run from "
            f"{EARLIEST_SERIES_YEAR} to {now}"
        )


def _check_same(sources: Sequence[Path], looked: Sequence[_Looked]) -> None:
    """One entry names its columns once. Raises `BadInputError` where files differ in them."""
    for source, found in zip(sources[1:], looked[1:], strict=True):
        for what, own, first in (
            ("year", found.year_column, looked[0].year_column),
            ("id", found.id_column, looked[0].id_column),
        ):
            if own != first:
                raise BadInputError(
                    f"{source} has the {what} in {f'the column {own}' if own else 'no column'}, and {sources[0]} in "
                    f"{f'the column {first}' if first else 'none'}; name one that all files have with --{what}-column"
                )


def _gaps(years: Sequence[int]) -> tuple[str, ...]:
    """One sentence where years between the first and the last have no polygon."""
    absent = sorted(set(range(years[0], years[-1] + 1)) - set(years))
    if not absent:
        return ()
    named = ", ".join(map(str, absent))
    return (
        f"no polygon is of {named}: taken for not mapped, which neither confirms nor refutes the years beside; years "
        "next to it are provisional",
    )


def _columns(frame: gpd.GeoDataFrame) -> str:
    return ", ".join(str(name) for name in frame.columns if name != frame.geometry.name) or "none"
