"""Site history: the mines of a region through all years, each with one identity, its first and last year and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.components import components, rows_by_label
from minemap_assets.geo.grid import footprint
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.corrections import is_rejected
from minemap_assets.polygons.events import Measures, Span, measure, span, yearly
from minemap_assets.polygons.history_chain import SiteSeries, follow
from minemap_assets.polygons.history_schemas import MINE_YEARS, SITE_HISTORY
from minemap_assets.polygons.identity import Part, follow_parts
from minemap_assets.polygons.merge import merge_sites
from minemap_assets.polygons.mining import window_status
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.raw import Gathered, UnreadableError, mask_facts, read_mask
from minemap_assets.polygons.schemas import write_table
from minemap_assets.polygons.temporal.hmm import Chances
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell
from minemap_assets.sites.geohash import encode


@dataclass(frozen=True, eq=False)
class Record:
    """What a region's history is made from, by year: masks, and the rows of their index and of `site_observation`."""

    region: Region
    masks: Mapping[int, Partition]
    facts: Mapping[int, Mapping[str, Mapping[str, Any]]]
    observations: Mapping[int, Mapping[str, Mapping[str, Any]]]
    chances: Chances
    window: int

    @property
    def years(self) -> tuple[int, ...]:
        """Every year from the first mask to the last."""
        return tuple(range(min(self.masks), max(self.masks) + 1))

    def threshold(self, year: int, site: str) -> float | None:
        """The threshold that the outlines of a site follow in a year; None where it has no readable mask."""
        found = self.observations[year].get(site, {}).get("threshold")
        return None if found is None or np.isnan(found) else float(found)


@dataclass(frozen=True, eq=False)
class _Origin:
    """A part and the site that it is of."""

    site: str
    part: Part


@dataclass(frozen=True, eq=False)
class _SitePart(_Origin):
    """A part of one site with its measures."""

    measures: Measures


@dataclass(frozen=True, eq=False)
class _Mine:
    """Parts that are one mine, eldest first, and their ground (EPSG:4326)."""

    parts: tuple[_SitePart, ...]
    geometry: Any


def build_site_history(
    region: Region,
    cells: Mapping[str, SiteCell],
    masks: Mapping[int, Partition],
    observations: Mapping[int, pd.DataFrame],
    config: PolygonsConfig,
    writer: PartitionWriter,
    *,
    first_year: int,
    last_year: int | None = None,
    corrections: Sequence[Correction] = (),
) -> Outcome:
    """Write `site_history.parquet` and `mine_years.parquet` (`history_schemas.py`).

    `masks` are the region's raw masks of every year there is, and `observations` the `site_observation` of its raw
    polygons; years without either are left out. Before `first_year` and after `last_year` of the project
    there can be no mask. Chances are those that are set, also where the years of a window estimate their own: else each
    new year would move all the others. A mask that cannot be read counts as not observed. A mine whose ground a person
    rejected in all its years is left out. Raises `BadInputError` without any mask.
    """
    masks = {year: masks[year] for year in sorted(set(masks) & set(observations))}
    if not masks:
        raise BadInputError(f"{region.slug} has no raw masks of any year; make raw_masks, then run this again")
    facts = {year: mask_facts(partition) for year, partition in masks.items()}
    seen = {year: _by_site(observations[year]) for year in masks}
    record = Record(region, masks, facts, seen, Chances.of(config), config.window)
    parts: list[_SitePart] = []
    gathered = Gathered()
    for cell in cells.values():
        parts += _parts_of(cell, record, config, gathered, len(parts))
    mines = _mines(parts, gathered.frame(), cells)
    present = set(masks)
    status = {y: window_status(y, config.window, first_year, present, last_year) for y in record.years}
    ids = _ids([mine.parts[0] for mine in mines], cells, region)
    history, yearly_rows, rejected = [], [], 0
    for mine, mine_id in zip(mines, ids, strict=True):
        measures = reduce(add, (one.measures for one in mine.parts))
        when = span(measures, record.years, config.min_area_km2) if measures.ever >= config.min_area_km2 else None
        if when is None:
            continue
        if is_rejected(mine.geometry, range(when.first, when.last + 1), corrections):
            rejected += 1
            continue
        history.append(_history_row(mine, mine_id, measures, when, status[when.first], cells, record))
        for row in yearly(measures, record.years, config.min_area_km2):
            told = status[max(row.year, when.first)]
            yearly_rows.append({"mine_id": mine_id, "region": region.slug, **vars(row), "status": told})
    for spec, rows, order in (
        (SITE_HISTORY, history, ["mine_id"]),
        (MINE_YEARS, yearly_rows, ["mine_id", "year"]),
    ):
        frame = pd.DataFrame(rows, columns=list(spec.names)).sort_values(order)
        write_table(frame, spec, writer.path(spec.file))
        writer.add(spec.file)
    facts_of_all = _summary(history, yearly_rows, record, len(mines) - len(history) - rejected)
    return Outcome(facts_of_all | ({"rejected": rejected} if rejected else {}))


def _by_site(observation: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = observation.to_dict("records")
    return {str(row["site_id"]): {str(name): value for name, value in row.items()} for row in rows}


def _parts_of(
    cell: SiteCell, record: Record, config: PolygonsConfig, gathered: Gathered, first: int
) -> list[_SitePart]:
    """The parts of one site; their outlines go into `gathered` with their numbers from `first` on as means."""
    read = _read(cell, record)
    if read is None:
        return []
    grid, series, owned = read
    chain = follow(series, record.years, record.chances, record.window)
    if not len(chain.index):
        return []
    width = int(grid.shape[1])
    pixel = float(areas_km2(gpd.GeoSeries([footprint(grid)], crs=cell.crs))[0]) / owned.size
    least = max(1, int(np.ceil(config.min_area_km2 / pixel - 1e-6)))
    found: list[_SitePart] = []
    numbers = np.zeros(owned.shape, dtype=np.float32)
    for part in follow_parts(chain.ever, chain.index, width, least, _edge(series.ground).ravel()[chain.index]):
        own = chain.take(part.pixels)
        numbers.ravel()[own.index] = len(found) + 1
        found.append(_SitePart(cell.site_id, part, measure(own, np.where(owned.ravel()[own.index], pixel, 0.0))))
    shapes = outline(numbers > 0.0, grid, numbers)
    gathered.add(cell, shapes.polygons, np.rint(shapes.means) + (first - 1))
    return found


def _edge(ground: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """True for each pixel of the ground beside one that is not."""
    padded = np.pad(ground, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return ground & ~inner


def _read(cell: SiteCell, record: Record) -> tuple[GeoBox, SiteSeries, npt.NDArray[np.bool_]] | None:
    """A site's grid, its series and the pixels that it owns; None where no year saw anything that may be a mine."""
    if not _may_have_mines(cell, record):
        return None
    stored, thresholds, clarity = {}, {}, {}
    grid = None
    for year, facts in record.facts.items():
        threshold = record.threshold(year, cell.site_id)
        if cell.site_id not in facts or threshold is None:
            continue
        try:
            raster = read_mask(record.masks[year], str(facts[cell.site_id]["file"]))
        except (UnreadableError, NotFoundError):
            # raw_polygons reports it
            continue
        stored[year], grid = raster.pixels[0], raster.grid
        thresholds[year] = threshold
        clarity[year] = float(record.observations[year][cell.site_id]["window_share"])
    if grid is None:
        return None
    if len({mask.shape for mask in stored.values()}) > 1:
        raise BadInputError(
            f"the masks of site {cell.site_id} in {record.region.slug} have another size in some years; make raw_masks "
            "of all its years again"
        )
    inside = _inside(cell, grid, record.region)
    return grid, SiteSeries(stored, thresholds, clarity, cell.met(grid) & inside), cell.owned(grid) & inside


def _may_have_mines(cell: SiteCell, record: Record) -> bool:
    """False where no mask has a pixel at its threshold."""
    for year, facts in record.facts.items():
        row, threshold = facts.get(cell.site_id), record.threshold(year, cell.site_id)
        if row is None or threshold is None:
            continue
        if row.get("mine_fraction", 1.0) > 0.0 or threshold < float(row["threshold"]):
            return True
    return False


def _inside(cell: SiteCell, grid: GeoBox, region: Region) -> npt.NDArray[np.bool_]:
    """True for each pixel whose centre lies in the region."""
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    if shapely.covers(region.geometry, cell.cell):
        return np.ones(shape, dtype=bool)
    area = polygons_only(shapely.intersection(region.geometry, cell.cell))
    if area is None:
        return np.zeros(shape, dtype=bool)
    from rasterio.features import geometry_mask

    local = gpd.GeoSeries([area], crs=WGS84).to_crs(cell.crs)
    return np.asarray(geometry_mask(local, shape, grid.affine, invert=True), dtype=bool)


def _mines(parts: Sequence[_SitePart], outlines: gpd.GeoDataFrame, cells: Mapping[str, SiteCell]) -> list[_Mine]:
    """Parts that touch across sites as one mine; `outlines` say in mean_probability which part each is of."""
    if not parts:
        return []
    number = outlines["mean_probability"].to_numpy().round().astype(np.int64)
    merged = merge_sites(outlines, {site: cell.crs for site, cell in cells.items()})
    left = np.concatenate([number[rows] for rows in merged.members])
    piece = np.repeat(np.arange(len(merged.members)), [len(rows) for rows in merged.members])
    labels = components(len(parts) + len(merged.members), left, piece + len(parts))
    found = []
    for rows in rows_by_label(labels):
        own = sorted((parts[row] for row in rows if row < len(parts)), key=lambda one: (one.part.rank, one.site))
        shapes = [merged.polygons[row - len(parts)] for row in rows if row >= len(parts)]
        if own and shapes:
            found.append(_Mine(tuple(own), shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)))
    return found


def _ids(parts: Sequence[_Origin], cells: Mapping[str, SiteCell], region: Region) -> list[str]:
    """The id of each part: region, and the geohash of the pixel in the middle of what was first found of it."""
    points = np.zeros((len(parts), 2))
    zones = np.array([cells[one.site].crs for one in parts], dtype=object)
    for zone in sorted(set(zones)):
        chosen = np.flatnonzero(zones == zone)
        middles = [_middle(cells[parts[n].site].grid, parts[n].part.seed) for n in chosen.tolist()]
        degrees = gpd.GeoSeries(shapely.points(middles), crs=zone).to_crs(WGS84)
        points[chosen] = shapely.get_coordinates(degrees.array)
    hashes = encode(points[:, 0], points[:, 1]) if len(parts) else []
    again = [f"-{one.part.ordinal}" if one.part.ordinal > 1 else "" for one in parts]
    return [f"{region.slug}-mine-{text}{suffix}" for text, suffix in zip(hashes, again, strict=True)]


def _middle(grid: GeoBox, seed: int) -> tuple[float, float]:
    row, column = divmod(seed, int(grid.shape[1]))
    x, y = grid.affine * (column + 0.5, row + 0.5)
    return float(x), float(y)


def _history_row(
    mine: _Mine,
    mine_id: str,
    measures: Measures,
    seen: Span,
    status: str,
    cells: Mapping[str, SiteCell],
    record: Record,
) -> dict[str, Any]:
    region = record.region
    taken = [_Origin(one.site, part) for one in mine.parts for part in one.part.taken]
    taken += [one for one in mine.parts[1:] if one.part.born < len(record.years)]
    return {
        "mine_id": mine_id,
        "site_ids": sorted({one.site for one in mine.parts}),
        "region": region.slug,
        "first_year": seen.first,
        "first_year_low": seen.first_low,
        "first_year_high": seen.first_high,
        "first_year_posterior": seen.first_posterior,
        "last_year": seen.last,
        "last_year_posterior": seen.last_posterior,
        "still_visible": seen.still_visible,
        "ever_mined_km2": measures.ever,
        "peak_km2": seen.peak_km2,
        "peak_year": seen.peak,
        "years_observed": seen.years_observed,
        "merged_ids": sorted(_ids(taken, cells, region)),
        "status": status,
        "geometry": mine.geometry,
    }


def _summary(
    history: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], record: Record, small: int
) -> dict[str, Any]:
    events = pd.Series([row["event"] for row in rows], dtype=object).value_counts()
    return {
        "rows": len(history),
        "years": f"{record.years[0]} to {record.years[-1]}",
        "ever_mined_km2": round(float(sum(row["ever_mined_km2"] for row in history)), 6),
        "still_visible": sum(bool(row["still_visible"]) for row in history),
        "below_least_area": small,
        **{f"mines_{name.replace(' ', '_')}": int(events.get(name, 0)) for name in _TOLD},
    }


_TOLD = ("appeared", "expanded", "contracted", "no longer visible")
