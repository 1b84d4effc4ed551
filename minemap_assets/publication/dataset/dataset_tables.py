"""The tables of the dataset: which of the project's tables it holds, read over all their partitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from minemap_assets.geo.vector import WGS84, areas_km2, read_geoparquet
from minemap_assets.graph.column_words import ColumnWords, words_of
from minemap_assets.graph.context import InputContext
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import SITE_HISTORY
from minemap_assets.polygons.history_schemas import MINE_YEARS
from minemap_assets.polygons.history_schemas import SITE_HISTORY as HISTORY_TABLE
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.publication.published import table
from minemap_assets.reference.assets import VALIDATION_POINTS
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.assets import MODEL_EVALUATION
from minemap_assets.sites.assets import SITES
from minemap_assets.tables import assets as tables
from minemap_assets.tables import schemas
from minemap_assets.validation import assets as validation

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

POLYGONS, HISTORY, POINTS, SAMPLE_POINTS = "polygons", "site_history", "validation_points", "sample_points"


@dataclass(frozen=True)
class Table:
    """One table over all years and regions. `frame` is a `GeoDataFrame` in EPSG:4326 where it is `spatial`; `columns`
    tell what each column is, in order. `own_terms` says under which terms rows stay that came from elsewhere.
    """

    name: str
    description: str
    frame: "pd.DataFrame"
    columns: tuple[ColumnWords, ...]
    own_terms: str = ""

    @property
    def spatial(self) -> bool:
        """True where every row has a place."""
        return any(column.name == "geometry" for column in self.columns)


@dataclass(frozen=True)
class _Source:
    """Where a table of the dataset is read from; `file` matters where it has no spec."""

    name: str
    asset: Asset
    description: str = ""
    spec: TableSpec | None = None
    file: str = ""
    told: Mapping[str, str] = field(default_factory=dict)


def _stated(asset: Asset, spec: TableSpec, description: str = "") -> _Source:
    return _Source(
        spec.name,
        asset,
        description or spec.description,
        spec,
        spec.file,
        {c.name: c.description for c in spec.columns},
    )


def _plain(name: str, asset: Asset, file: str = "", description: str = "") -> _Source:
    return _Source(
        name, asset, description or asset.description, None, file or f"{name}.parquet", asset.columns.descriptions
    )


SPATIAL: tuple[_Source, ...] = (
    _stated(tables.POLYGON_TABLE, schemas.POLYGONS, "Mining polygons by region and year."),
    _stated(SITE_HISTORY, HISTORY_TABLE),
    _plain("sites", SITES),
    _plain(POINTS, VALIDATION_POINTS, "points.parquet"),
    _plain(
        SAMPLE_POINTS,
        validation.AREA_ESTIMATES,
        description="Points of the samples that areas are estimated from, with their labels.",
    ),
)
"""Tables whose rows have a place, in the order in which they are shown."""

PLAIN: tuple[_Source, ...] = (
    _stated(tables.COUNTRY_SUMMARY, schemas.COUNTRY_SUMMARY),
    _stated(tables.REGION_SUMMARY, schemas.REGION_SUMMARY),
    _stated(tables.SITE_PANEL, schemas.SITE_PANEL),
    _stated(SITE_HISTORY, MINE_YEARS),
    _stated(tables.POLYGON_TABLE, schemas.POLYGON_COUNTRY_AREA),
    _stated(tables.IMAGERY_CLARITY, schemas.IMAGERY_CLARITY),
    _plain("model_evaluation", MODEL_EVALUATION, "metrics.parquet"),
    _plain("area_estimates", validation.AREA_ESTIMATES),
    _plain("reference_validation", validation.REFERENCE_VALIDATION),
    _plain("source_continuity", validation.SOURCE_CONTINUITY),
    _plain(
        "continuity_summary",
        validation.SOURCE_CONTINUITY,
        description="Mapped area and overlap of the reference year between products, summed up.",
    ),
    _plain("series_break", validation.SERIES_BREAK),
)
"""Tables without places, those that most people want first."""


def spatial_tables(context: InputContext) -> Iterator[Table]:
    """Those of `SPATIAL` that were made and have rows, and the regions."""
    for one in (_read(context, source) for source in SPATIAL):
        if one is not None:
            yield replace(one, own_terms=terms_of(context.project, "points")) if one.name == POINTS else one
    regions = _regions(context.project)
    if len(regions):
        yield described("regions", "Regions that were mapped.", regions, _REGION_COLUMNS)


def plain_tables(context: InputContext) -> Iterator[Table]:
    """Those of `PLAIN` that were made and have rows."""
    yield from (one for source in PLAIN if (one := _read(context, source)) is not None)


def described(name: str, description: str, frame: "pd.DataFrame", told: Mapping[str, str], terms: str = "") -> Table:
    """A table that was put together here, with what its columns mean."""
    return Table(name, description, frame, tuple(words_of(one, told) for one in _schema(frame)), terms)


def terms_of(project: Project, kind: str, role: str = "labels") -> str:
    """Names and licences of what was registered of a kind and role."""
    held = (one for one in catalogue(project).entries if one.kind == kind and one.role == role)
    return "; ".join(f"{one.name}: {one.licence}" for one in held)


def _read(context: InputContext, source: _Source) -> Table | None:
    """A table over all its partitions, in the order of their keys; None where none was made or it has no rows."""
    import pyarrow.parquet as pq

    held = [one for one in context.inputs_of(source.asset).values() if source.file in one.names()]
    if not held:
        return None
    frame = table(context, source.asset, source.spec) if source.spec is not None else _stacked(held, source.file)
    if not len(frame):
        return None
    fields = [one for one in pq.read_schema(held[0].file(source.file)) if one.name in frame.columns]
    return Table(source.name, source.description, frame, tuple(words_of(one, source.told) for one in fields))


def _stacked(held: list[Partition], file: str) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow.parquet as pq

    paths = [one.file(file) for one in held]
    spatial = "geometry" in pq.read_schema(paths[0]).names
    frames = [read_geoparquet(path) if spatial else pd.read_parquet(path) for path in paths]
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _schema(frame: "pd.DataFrame") -> "list[pa.Field]":
    """Fields of a frame as Arrow names them; a geometry is bytes."""
    import pandas as pd
    import pyarrow as pa

    plain = pd.DataFrame({name: frame[name] for name in frame.columns if name != "geometry"})
    fields = list(pa.Schema.from_pandas(plain, preserve_index=False))
    return [*fields, pa.field("geometry", pa.binary())] if "geometry" in frame.columns else fields


_REGION_COLUMNS: Mapping[str, str] = {
    "region": "Slug of the region",
    "title": "Name of the region",
    "area_km2": "Area of the region in square kilometres, equal-area (EPSG:6933)",
    "geometry": "Outline in EPSG:4326",
}


def _regions(project: Project) -> "gpd.GeoDataFrame":
    import geopandas as gpd

    regions = list(project.active_regions().values())
    rows = {"region": [one.slug for one in regions], "title": [one.title for one in regions]}
    frame = gpd.GeoDataFrame(rows, geometry=[one.geometry for one in regions], crs=WGS84)
    frame.insert(2, "area_km2", areas_km2(frame.geometry))
    return frame
