"""Schemas: the columns of this room's tables, their types and origins; and writing tables that keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from minemap_assets.errors import PermanentError
from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet, write_parquet

ColumnType = Literal["string", "int32", "float64", "bool", "list<string>", "list<float64>", "geometry"]

_NESTED = ("list<string>", "list<float64>", "geometry")

_ARROW: dict[str, Any] = {
    "string": pa.large_string(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "list<string>": pa.list_(pa.string()),
    "list<float64>": pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class Lineage:
    """One upstream column: asset name and column name."""

    asset: str
    column: str


@dataclass(frozen=True)
class Column:
    """One column: its type, one sentence, the columns it is made from, and whether it may be null."""

    name: str
    type: ColumnType
    description: str
    lineage: tuple[Lineage, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One table: the asset that holds it, its file, its columns in order and the columns that name a row."""

    name: str
    asset: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def file(self) -> str:
        """File name inside the partition."""
        return f"{self.name}.parquet"

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    @property
    def spatial(self) -> bool:
        """True where the table has a geometry column."""
        return any(c.type == "geometry" for c in self.columns)


def came_from(asset: str, *columns: str) -> tuple[Lineage, ...]:
    """Lineage to some columns of one asset."""
    return tuple(Lineage(asset, column) for column in columns)


class _OfType(Protocol):
    def __call__(self, name: str, description: str, asset: str = "", *columns: str, nullable: bool = False) -> Column:
        """A column: its name and sentence, and the asset with the columns it is made from."""


def _of_type(kind: ColumnType) -> _OfType:
    def column(name: str, description: str, asset: str = "", *columns: str, nullable: bool = False) -> Column:
        return Column(name, kind, description, came_from(asset, *columns), nullable)

    return column


text, texts, reals = _of_type("string"), _of_type("list<string>"), _of_type("list<float64>")
whole, real, shape = _of_type("int32"), _of_type("float64"), _of_type("geometry")


def conform(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """The frame with exactly the spec's columns, in order and typed; rows keep their order.

    Raises `PermanentError` where a column is missing, null against the spec, or the key is not unique.
    """
    absent = [name for name in spec.names if name not in frame.columns]
    if absent:
        raise PermanentError(f"the table {spec.name} lacks the column {absent[0]}; make its partition again")
    data = {column.name: _typed(frame[column.name], column, spec) for column in spec.columns}
    if len(frame) and frame.duplicated(list(spec.key)).any():
        raise PermanentError(f"the table {spec.name} has two rows with the same {', '.join(spec.key)}")
    table = pd.DataFrame(data, index=pd.RangeIndex(len(frame)))
    return gpd.GeoDataFrame(table, geometry="geometry", crs=WGS84) if spec.spatial else table


def empty_table(spec: TableSpec) -> pd.DataFrame:
    """A table without rows that still has its columns and types."""
    return conform(pd.DataFrame(columns=list(spec.names)), spec)


def _typed(values: "pd.Series[Any]", column: Column, spec: TableSpec) -> Any:
    if not column.nullable and column.type not in _NESTED and values.isna().any():
        raise PermanentError(f"the table {spec.name} has an empty {column.name}; make its partition again")
    match column.type:
        case "geometry":
            return gpd.GeoSeries(np.asarray(values, dtype=object), crs=WGS84)
        case "list<string>" | "list<float64>":
            item = str if column.type == "list<string>" else float
            lists = np.empty(len(values), dtype=object)
            lists[:] = [[item(v) for v in row] if row is not None else [] for row in values]
            return pd.Series(lists, dtype=object)
        case "string":
            return pd.Series(values.to_numpy(dtype=object), dtype="str")
        case "int32" if column.nullable:
            return pd.Series(values.to_numpy(dtype=object), dtype="Int32")
        case "bool" if column.nullable:
            return pd.Series(values.to_numpy(dtype=object), dtype="boolean")
        case kind:
            return pd.Series(values.to_numpy(), dtype=kind)


def write_table(frame: pd.DataFrame, spec: TableSpec, path: Path) -> int:
    """Conform and write a table; returns its rows. An empty table gets the same column types as a full one."""
    table = conform(frame, spec)
    if isinstance(table, gpd.GeoDataFrame):
        write_geoparquet(table, path)
    else:
        write_parquet(table, path)
    _fix_types(spec, path)
    return len(table)


def _fix_types(spec: TableSpec, path: Path) -> None:
    """Pandas has no type for lists: where all are empty, the file says `null`, and readers could not stack years."""
    written = pq.read_schema(path)
    wrong = [c for c in spec.columns if c.type != "geometry" and written.field(c.name).type != _ARROW[c.type]]
    if not wrong:
        return
    table = pq.read_table(path)
    for column in wrong:
        place = table.schema.get_field_index(column.name)
        kind = _ARROW[column.type]
        table = table.set_column(place, pa.field(column.name, kind), table.column(place).cast(kind))
    pq.write_table(table, path, compression="zstd")


def read_table(path: Path, spec: TableSpec) -> pd.DataFrame:
    """Read a table that `write_table` wrote, typed by its spec."""
    return conform(read_geoparquet(path) if spec.spatial else pd.read_parquet(path), spec)


def stack(frames: Sequence[pd.DataFrame], spec: TableSpec) -> pd.DataFrame:
    """Frames below each other; typed also where there are none."""
    filled = [conform(frame, spec) for frame in frames if len(frame)]
    if not filled:
        return empty_table(spec)
    return conform(pd.concat(filled, ignore_index=True), spec)


_RAW = "raw_polygons"
_MASKS = "raw_masks"

YEAR = whole("year", "Year of the imagery.")
_STATUS = text("status", "final, or provisional while years of the temporal window are missing.")

RAW_POLYGONS = TableSpec(
    "raw_polygons",
    "raw_polygons",
    "Outlines of one year's masks on pixel edges, before any rule.",
    (
        text("raw_id", "Id of the outline before postprocessing."),
        text("site_id", "Site whose pixels it is made of.", _MASKS, "site_id"),
        text("region", "Slug of the region."),
        YEAR,
        real("area_km2", "Equal-area (EPSG:6933) area in square kilometres."),
        real("mean_probability", "Mean calibrated probability of mining inside it, 0 to 1."),
        shape("geometry", "Outline in EPSG:4326.", _MASKS, "threshold", "file"),
    ),
    ("raw_id",),
)

_NOT_OBSERVED = text(
    "not_observed_reason", "Why nothing of the site was observed; null where some of it was.", _MASKS, nullable=True
)

SITE_OBSERVATION = TableSpec(
    "site_observation",
    "raw_polygons",
    "What a year's masks show of each site, and the threshold that outlines follow.",
    (
        text("site_id", "Id of the site.", "sites", "site_id"),
        text("region", "Slug of the region."),
        YEAR,
        real("observed_share", "Share of the ground the site owns that was observed, 0 to 1.", _MASKS, "file"),
        real(
            "window_share",
            "Share of the site's whole window that was observed, 0 to 1.",
            _MASKS,
            "observed_fraction",
        ),
        real("threshold", "Probability from which a pixel is mine; null without a mask.", _MASKS, nullable=True),
        text("product", "What the image looks like; null without a mask.", _MASKS, "product", nullable=True),
        text("model_version", "Content hash of the model; null without a mask.", _MASKS, nullable=True),
        _NOT_OBSERVED,
    ),
    ("site_id",),
)

UNOBSERVED_GROUND = TableSpec(
    "unobserved_ground",
    "raw_polygons",
    "Ground that a site owns and that was not observed in the year.",
    (
        text("site_id", "Id of the site.", _MASKS, "site_id"),
        text("region", "Slug of the region."),
        YEAR,
        shape("geometry", "Ground in EPSG:4326.", _MASKS, "file"),
    ),
    ("site_id",),
)

CLIPPED_GROUND = TableSpec(
    "clipped_ground",
    "raw_polygons",
    "What is mapped on a site's own ground beyond the border of its region, and counts nowhere in it.",
    (
        text("site_id", "Id of the site.", _MASKS, "site_id"),
        text("region", "Slug of the region."),
        YEAR,
        real("area_km2", "Equal-area (EPSG:6933) area in square kilometres."),
        shape("geometry", "Ground in EPSG:4326.", _MASKS, "file"),
    ),
    ("site_id",),
)

_IMAGERY = "imagery"
_COUNTRIES = "country_boundaries"

COUNTRY_OF_POLYGON = (
    text(
        "country_iso3",
        "ISO 3166-1 alpha-3 code of the country with the largest share; empty where unassigned.",
        _COUNTRIES,
        "iso3",
        "geometry",
    ),
    text("country_name", "Name of that country.", _COUNTRIES, "name"),
    text("continent", "Continent of that country.", _COUNTRIES, "continent"),
)

MINING_POLYGONS = TableSpec(
    "mining_polygons",
    "mining_polygons",
    "Mining polygons of a region and year, confirmed by neighbouring years, merged across sites.",
    (
        text("polygon_id", "Id of the polygon, unique in the project.", _RAW, "geometry"),
        texts("site_ids", "Sites whose pixels it is made of.", _RAW, "site_id"),
        text("region", "Slug of the region.", _RAW, "region"),
        whole("year", "Year of the imagery.", _RAW, "year"),
        *COUNTRY_OF_POLYGON,
        real("area_km2", "Equal-area (EPSG:6933) area in square kilometres.", _RAW, "geometry"),
        real(
            "mean_probability",
            "Mean calibrated probability of mining over the pixels that are mine, 0 to 1; with the rule hmm that given "
            "all years of the window.",
            _RAW,
            "mean_probability",
        ),
        text(
            "operating_point",
            "The purpose of the threshold: match_area, max_miou or the user's.",
            _MASKS,
            "operating_point",
        ),
        text("temporal_rule", "Rule, years on each side and buffer that confirm a polygon."),
        text(
            "correction",
            "redrawn where a person drew the outline anew, cut where it lost ground to a correction, else empty.",
        ),
        _STATUS,
        text("product", "What the images look like.", _MASKS, "product"),
        texts("sources", "Where the pixels come from.", _IMAGERY, "source"),
        texts("acquisitions", "Ids of the scenes or mosaics that gave pixels.", _IMAGERY, "acquisitions"),
        real(
            "clear_fraction",
            "Share of its sites' pixels that were observed, 0 to 1; null where the imagery index has no row.",
            _IMAGERY,
            "clear_fraction",
            nullable=True,
        ),
        text("model_version", "Content hash of the model that made the masks.", _MASKS, "model_version"),
        shape("geometry", "Outline in EPSG:4326.", _RAW, "geometry"),
    ),
    ("polygon_id",),
)

POLYGON_COUNTRY_AREA = TableSpec(
    "polygon_country_area",
    "mining_polygons",
    "Exact split of each polygon at country borders; the areas of one polygon add up to its own.",
    (
        text("polygon_id", "Id of the polygon.", _RAW, "geometry"),
        text("iso3", "ISO 3166-1 alpha-3 code; empty for ground of no country.", _COUNTRIES, "iso3", "geometry"),
        Column(
            "area_km2",
            "float64",
            "Area of the polygon inside the country, in square kilometres.",
            (*came_from(_RAW, "geometry"), *came_from(_COUNTRIES, "geometry")),
        ),
    ),
    ("polygon_id", "iso3"),
)

SITE_AREA = TableSpec(
    "site_area",
    "mining_polygons",
    "Mapped area on the ground that each site owns: zero where nothing was found, null where nothing was seen.",
    (
        text("site_id", "Id of the site.", "sites", "site_id"),
        text("region", "Slug of the region.", "sites", "region"),
        YEAR,
        real("observed_share", "Share of the ground the site owns that was observed, 0 to 1.", _MASKS, "file"),
        real(
            "area_km2",
            "Mapped area in square kilometres on the ground the site owns; null where nothing was observed.",
            _RAW,
            "geometry",
            nullable=True,
        ),
        real(
            "uncorrected_km2",
            "The same area before a person rejected or redrew polygons; null where nothing was observed.",
            _RAW,
            "geometry",
            nullable=True,
        ),
        _NOT_OBSERVED,
        _STATUS,
        text(
            "product", "What the site's image looks like; null where there is none.", _MASKS, "product", nullable=True
        ),
    ),
    ("site_id",),
)
