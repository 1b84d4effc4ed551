"""Mining polygons: one year's outlines, confirmed by neighbouring years, merged, filled, corrected and named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.confirmation import Confirmed, OutlinedYear, Window, confirm
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.countries import Borders, CountryName, country_names, largest_share
from minemap_assets.polygons.finishing import Finished, corrected, finished, site_areas
from minemap_assets.polygons.preview import PREVIEW, polygon_sheet
from minemap_assets.polygons.schemas import (
    CLIPPED_GROUND,
    MINING_POLYGONS,
    POLYGON_COUNTRY_AREA,
    SITE_AREA,
    UNOBSERVED_GROUND,
    TableSpec,
    write_table,
)
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell
from minemap_assets.sites.geohash import position_ids

_PASSED_ON = (UNOBSERVED_GROUND, CLIPPED_GROUND)
"""Tables of the year's raw polygons that the yearly tables need too."""


@dataclass(frozen=True, eq=False)
class _RegionYear:
    """The year at hand, and what of it was observed by site."""

    region: Region
    year: int
    cells: Mapping[str, SiteCell]
    observation: pd.DataFrame
    status: str


def build_mining_polygons(
    region: Region,
    year: int,
    *,
    cells: Mapping[str, SiteCell],
    raw: Mapping[int, Partition],
    masks: Mapping[int, Partition],
    imagery_index: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    corrections: Sequence[Correction],
    first_year: int,
    last_year: int | None,
    config: PolygonsConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write mining_polygons, polygon_country_area and site_area, and the ground that was not observed or is clipped.

    `raw` holds the published raw polygons of the years around `year`, which must be among them, and `masks` the masks
    of these years, which the rule hmm reads; before `first_year` and after `last_year` of the project there are none.
    Raises `BadInputError` without raw polygons of `year`.
    """
    if year not in raw:
        raise BadInputError(
            f"{region.slug} has no raw polygons for {year}; make raw_polygons of that year, then run this again"
        )
    years = {y: OutlinedYear(partition) for y, partition in raw.items()}
    window = Window(region, year, cells, years, masks)
    status = window_status(year, config.window, first_year, set(raw), last_year)
    of_year = _RegionYear(region, year, cells, window.own.observation.set_index("site_id", drop=False), status)
    confirmed = confirm(window, config)
    before = finished(confirmed, cells, config)
    after = corrected(before, corrections, region, year, confirmed.outlines, config)
    tables = _tables(before, after, confirmed, of_year, imagery_index, boundaries, config)
    for spec, frame in tables.items():
        write_table(frame, spec, writer.path(spec.file))
        writer.add(spec.file)
    for spec in _PASSED_ON:
        content = raw[year].file(spec.file).read_bytes()
        writer.path(spec.file).write_bytes(content)
        writer.add(spec.file)
    picture = polygon_sheet(after.polygons, cells)
    writer.write(PREVIEW, lambda path: path.write_bytes(picture))
    facts = _summary(tables[MINING_POLYGONS], tables[SITE_AREA], before, status)
    return Outcome(facts | dict(confirmed.facts) | dict(after.facts))


def window_status(year: int, window: int, first_year: int, present: set[int], last_year: int | None) -> str:
    """`final` where every year of the window that lies in the project's years is present, else `provisional`."""
    last = year + window if last_year is None else min(year + window, max(last_year, year))
    wanted = range(max(year - window, min(first_year, year)), last + 1)
    return "final" if all(y in present for y in wanted) else "provisional"


def _tables(
    before: Finished,
    after: Finished,
    confirmed: Confirmed,
    of_year: _RegionYear,
    imagery: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    config: PolygonsConfig,
) -> dict[TableSpec, pd.DataFrame]:
    split = Borders(boundaries, config.border_tolerance_km).split(after.polygons)
    polygons = _polygons(after, of_year, confirmed.outlines, imagery, config)
    _name_countries(polygons, split, country_names(boundaries))
    return {
        MINING_POLYGONS: polygons.sort_values("polygon_id"),
        POLYGON_COUNTRY_AREA: _country_areas(polygons, split),
        SITE_AREA: _site_area(before, after, of_year),
    }


def _polygons(
    done: Finished, of_year: _RegionYear, outlines: gpd.GeoDataFrame, imagery: pd.DataFrame, config: PolygonsConfig
) -> pd.DataFrame:
    """Rows of mining_polygons but for their country, in the order of `done`."""
    points = shapely.point_on_surface(done.polygons)
    prefix = f"{of_year.region.slug}-{of_year.year}-"
    frame = pd.DataFrame(
        {
            "polygon_id": position_ids(prefix, shapely.get_x(points), shapely.get_y(points), done.area_km2),
            "site_ids": list(done.site_ids),
            "region": of_year.region.slug,
            "year": of_year.year,
            "area_km2": done.area_km2,
            "mean_probability": _mean_probability(done.members, outlines),
            "operating_point": config.operating_point,
            "temporal_rule": config.rule_name,
            "correction": list(done.corrections),
            "status": of_year.status,
            "geometry": done.polygons,
        }
    )
    return pd.concat([frame, _provenance(done, imagery, of_year.observation)], axis=1)


def _name_countries(polygons: pd.DataFrame, split: pd.DataFrame, names: Mapping[str, CountryName]) -> None:
    codes = largest_share(split, len(polygons))
    polygons["country_iso3"] = codes
    polygons["country_name"] = [names[code].name for code in codes]
    polygons["continent"] = [names[code].continent for code in codes]


def _country_areas(polygons: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Rows of polygon_country_area, sorted; those of one polygon add up to its area."""
    number = split["polygon"].to_numpy(dtype=np.int64)
    frame = pd.DataFrame(
        {
            "polygon_id": polygons["polygon_id"].to_numpy(dtype=object)[number],
            "iso3": split["iso3"].to_numpy(dtype=object),
            "area_km2": split["share"].to_numpy() * polygons["area_km2"].to_numpy()[number],
        }
    )
    return frame.sort_values(["polygon_id", "iso3"])


def _mean_probability(members: Sequence[npt.NDArray[np.int64]], outlines: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    """Mean over the pixels that are mine: filled holes have no say. Not a number where a person drew on bare ground."""
    weight, mean = outlines["area_km2"].to_numpy(float), outlines["mean_probability"].to_numpy(float)
    number = np.repeat(np.arange(len(members)), [len(rows) for rows in members])
    rows = np.concatenate([*members, np.zeros(0, dtype=np.int64)])
    total = np.bincount(number, weight[rows], len(members))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(number, weight[rows] * mean[rows], len(members)) / total, dtype=np.float64)


def _provenance(done: Finished, imagery: pd.DataFrame, observation: pd.DataFrame) -> pd.DataFrame:
    """Product, model, sources, acquisitions and clear fraction of each polygon, from its sites."""
    known = imagery.drop_duplicates("site_id").set_index("site_id")
    clear = dict(zip(known.index, known["clear_fraction"].astype(float), strict=True))
    sources = dict(zip(known.index, known["source"].astype(str), strict=True))
    acquisitions = dict(zip(known.index, known["acquisitions"], strict=True))
    products, models = (dict(zip(observation.index, observation[c], strict=True)) for c in ("product", "model_version"))
    rows = []
    for site_ids in done.site_ids:
        seen = [s for s in site_ids if s in clear]
        rows.append(
            {
                "product": _joined(products, site_ids),
                "model_version": _joined(models, site_ids),
                "sources": sorted({sources[s] for s in seen}),
                "acquisitions": sorted({str(a) for s in seen for a in acquisitions[s]}),
                "clear_fraction": float(np.mean([clear[s] for s in seen])) if seen else np.nan,
            }
        )
    columns = ["product", "model_version", "sources", "acquisitions", "clear_fraction"]
    return pd.DataFrame(rows, columns=columns)


def _joined(values: Mapping[str, str | None], site_ids: Sequence[str]) -> str:
    """The sites' common value; where they differ, all of them."""
    return "+".join(sorted({str(value) for s in site_ids if not pd.isna(value := values.get(s))}))


def _site_area(before: Finished, after: Finished, of_year: _RegionYear) -> pd.DataFrame:
    """A row for every site; the areas add up to those of the polygons."""
    sites = sorted(of_year.cells)
    facts = of_year.observation.loc[sites]
    seen = facts["observed_share"].to_numpy(float) > 0.0
    first = site_areas(before, of_year.cells)
    last = first if after is before else site_areas(after, of_year.cells)
    mapped = np.array([last[s] for s in sites], dtype=np.float64)
    # what a person drew is known, whether or not the year shows it
    drawn = mapped > 0.0
    return pd.DataFrame(
        {
            "site_id": sites,
            "region": of_year.region.slug,
            "year": of_year.year,
            "observed_share": facts["observed_share"].to_numpy(float),
            "area_km2": np.where(seen | drawn, mapped, np.nan),
            "uncorrected_km2": np.where(seen, [first[s] for s in sites], np.nan),
            "not_observed_reason": facts["not_observed_reason"].to_numpy(dtype=object),
            "status": of_year.status,
            "product": facts["product"].to_numpy(dtype=object),
        }
    )


def _summary(polygons: pd.DataFrame, panel: pd.DataFrame, before: Finished, status: str) -> dict[str, object]:
    seen = int((panel["observed_share"] > 0.0).sum())
    return {
        "rows": len(polygons),
        "area_km2": round(float(polygons["area_km2"].sum()), 6),
        "uncorrected_km2": round(float(before.area_km2.sum()), 6),
        "status": status,
        "sites_expected": len(panel),
        "sites_observed": seen,
        "sites_not_observed": len(panel) - seen,
        "covered_share": round(float(panel["observed_share"].mean()), 6) if len(panel) else None,
    }
