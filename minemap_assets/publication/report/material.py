"""What the report is made from, read once: tables of all years, and what is known of the model, its accuracy and the
ground truth. What a project does not have is an empty table or None.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from minemap_assets.graph.context import InputContext
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.history_schemas import SITE_HISTORY as MINES
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.publication.attribution import Attribution, attributions
from minemap_assets.publication.published import one_of, table
from minemap_assets.publication.report.config import ReportConfig
from minemap_assets.publication.report.gaps import Gaps, gaps_of
from minemap_assets.publication.report.truth import TruthArea, truth_areas
from minemap_assets.publication.standing import Standing, standing_of
from minemap_assets.segmentation.artefact import ModelCard, read_card
from minemap_assets.segmentation.assets import MODEL_EVALUATION, PROMOTED_MODEL
from minemap_assets.segmentation.metrics import METRICS
from minemap_assets.tables import assets as table_assets
from minemap_assets.tables import schemas
from minemap_assets.validation.area_estimation import ACCURACY, FILE
from minemap_assets.validation.assets import AREA_ESTIMATES, REFERENCE_VALIDATION, SERIES_BREAK, SOURCE_CONTINUITY
from minemap_assets.validation.continuity import SUMMARY
from minemap_assets.validation.points import ESTIMATES, SWEEP
from minemap_assets.validation.points import FILE as SCORES
from minemap_assets.validation.series_breaks import FILE as BREAKS

if TYPE_CHECKING:
    import geopandas as gpd

VIEWS = ("yearly_totals", "published_comparison", "sites_not_observed", "corrected_areas", "series_comparison")
"""Questions that the project's database answers, and the report asks in the same words."""

_TABLES: tuple[tuple[Asset, TableSpec], ...] = (
    (table_assets.COUNTRY_SUMMARY, schemas.COUNTRY_SUMMARY),
    (table_assets.REGION_SUMMARY, schemas.REGION_SUMMARY),
    (table_assets.SITE_PANEL, schemas.SITE_PANEL),
    (table_assets.IMAGERY_CLARITY, schemas.IMAGERY_CLARITY),
    (table_assets.PUBLISHED_COUNTRY_AREA, schemas.PUBLISHED_COUNTRY_AREA),
    (table_assets.PUBLISHED_COUNTRY_AREA, schemas.PUBLISHED_COVERAGE),
)


@dataclass(frozen=True, eq=False)
class Accuracy:
    """What is known of how right the maps are; None where it was not measured.

    `metrics` are scores on held-out ground, `points`, `estimates` and `sweep` those at labelled points, `areas` and
    `area_accuracy` what samples of labelled points say, `continuity` what a swap of products does, `breaks` every
    change of source in the series.
    """

    metrics: pd.DataFrame | None
    points: pd.DataFrame | None
    estimates: pd.DataFrame | None
    sweep: pd.DataFrame | None
    areas: pd.DataFrame | None
    area_accuracy: pd.DataFrame | None
    continuity: pd.DataFrame | None
    breaks: pd.DataFrame | None


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that the report tells of; `views` are those of the database by their names."""

    standing: Standing
    title: str
    restricted_pictures: bool
    years: tuple[int, ...]
    regions: Mapping[str, str]
    countries: pd.DataFrame
    by_region: pd.DataFrame
    panel: pd.DataFrame
    clarity: pd.DataFrame
    change: "gpd.GeoDataFrame"
    boundaries: "gpd.GeoDataFrame | None"
    mines: "gpd.GeoDataFrame"
    views: Mapping[str, pd.DataFrame]
    truth: tuple[TruthArea, ...]
    card: ModelCard | None
    accuracy: Accuracy
    inputs: tuple[Attribution, ...]
    gaps: Gaps

    @property
    def totals(self) -> pd.DataFrame:
        """Mapped area and coverage of each year."""
        return self.views["yearly_totals"]

    @property
    def mapped_years(self) -> tuple[int, ...]:
        """Years that have tables."""
        return tuple(int(year) for year in sorted(self.totals["year"]))

    @property
    def seen_years(self) -> tuple[int, ...]:
        """Those in which some site was observed."""
        seen = self.totals[self.totals["sites_observed"].fillna(0) > 0]
        return tuple(int(year) for year in sorted(seen["year"]))

    @property
    def shown_years(self) -> tuple[int, ...]:
        """Years that charts and tables show: from the first to the last in which anything was observed."""
        seen = self.seen_years
        return tuple(year for year in self.mapped_years if not seen or seen[0] <= year <= seen[-1])

    @property
    def provisional(self) -> frozenset[int]:
        """Years whose figures may still change, of those in which anything was observed."""
        open_ = self.totals[~self.totals["final"].astype(bool)]
        return frozenset(int(year) for year in open_["year"]) & frozenset(self.seen_years)


def material_of(context: InputContext, config: ReportConfig) -> Material:
    """Read everything."""
    from minemap_assets.geo.vector import read_geoparquet
    from minemap_assets.reference.assets import COUNTRY_BOUNDARIES

    project = context.project
    frames = {spec.name: table(context, asset, spec) for asset, spec in _TABLES}
    model, borders = one_of(context, PROMOTED_MODEL), one_of(context, COUNTRY_BOUNDARIES)
    from minemap_assets.polygons.assets import SITE_HISTORY

    boundaries = None if borders is None else read_geoparquet(borders.file("boundaries.parquet"))
    return Material(
        standing=standing_of(context),
        title=config.title,
        restricted_pictures=config.restricted_pictures,
        years=tuple(project.closed_years()),
        regions={slug: region.title for slug, region in project.active_regions().items()},
        countries=frames["country_summary"],
        by_region=frames["region_summary"],
        panel=frames["site_panel"],
        clarity=frames["imagery_clarity"],
        change=table(context, table_assets.CHANGE_GRID, schemas.CHANGE_GRID),
        boundaries=boundaries,
        mines=table(context, SITE_HISTORY, MINES),
        views=_views(context),
        truth=truth_areas(context, boundaries),
        card=None if model is None else read_card(model),
        accuracy=_accuracy(context),
        inputs=attributions(context),
        gaps=gaps_of(context),
    )


def _accuracy(context: InputContext) -> Accuracy:
    def held(asset: Asset, file: str) -> pd.DataFrame | None:
        found: Partition | None = one_of(context, asset)
        return None if found is None or file not in found.names() else pd.read_parquet(found.file(file))

    return Accuracy(
        metrics=held(MODEL_EVALUATION, METRICS),
        points=held(REFERENCE_VALIDATION, SCORES),
        estimates=held(REFERENCE_VALIDATION, ESTIMATES),
        sweep=held(REFERENCE_VALIDATION, SWEEP),
        areas=held(AREA_ESTIMATES, FILE),
        area_accuracy=held(AREA_ESTIMATES, ACCURACY),
        continuity=held(SOURCE_CONTINUITY, SUMMARY),
        breaks=held(SERIES_BREAK, BREAKS),
    )


def _views(context: InputContext) -> dict[str, pd.DataFrame]:
    """What the views of the database say, asked of a database of the tables that they need."""
    import duckdb

    from minemap_assets.polygons.assets import SERIES
    from minemap_assets.tables.database import build_database

    files: dict[str, list[Path]] = {}
    for asset, spec in _TABLES:
        held = [one for one in context.inputs_of(asset).values() if spec.file in one.names()]
        files[spec.name] = [one.file(spec.file) for one in held]
    series = [one for one in context.inputs_of(SERIES).values() if schemas.SERIES_SUMMARY.file in one.names()]
    files[schemas.SERIES_SUMMARY.name] = [one.file(schemas.SERIES_SUMMARY.file) for one in series]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.duckdb"
        build_database({name: paths for name, paths in files.items() if paths}, path)
        with duckdb.connect(str(path), read_only=True) as connection:
            # one thread adds numbers up in the same order every time
            connection.execute("SET threads = 1")
            return {name: connection.execute(f"FROM {name}").df() for name in VIEWS}
