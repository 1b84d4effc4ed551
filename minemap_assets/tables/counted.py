"""Ground that lies in several regions counts once: for the first of them, by slug, whose windows observed it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.polygons.countries import Borders, largest_share
from minemap_assets.tables.parts import MiningFiles, RegionPart, by_slug

NOTHING_KM2 = 1e-9
"""Areas up to this are rounding."""

Shapes = npt.NDArray[np.object_]
Rows = npt.NDArray[np.int64]

_POLYGON_COLUMNS = ["polygon_id", "country_iso3", "area_km2", "status"]
_AREA_COLUMNS = ["polygon_id", "iso3", "area_km2"]


@dataclass(frozen=True, eq=False)
class Counted:
    """A made region's polygons without the ground that regions before it observed.

    `rows` are the numbers of the polygons that lose ground, `left` what is left of each (None for nothing), `lost` what
    it loses, and `taken` all the ground that was observed before where this region has polygons.
    """

    part: RegionPart
    mining: MiningFiles
    rows: Rows
    left: Shapes
    lost: Shapes
    earlier: tuple[RegionPart, ...]

    @property
    def lost_km2(self) -> npt.NDArray[np.float64]:
        """Area that each of `rows` loses."""
        return measured(self.lost)


@dataclass(frozen=True, eq=False)
class CountedOnce:
    """Mapped ground of a year without what regions share.

    `polygons` has [polygon_id, country_iso3, area_km2, status], a row for each polygon that still has ground; `areas`
    has [polygon_id, iso3, area_km2]: its split at borders, which adds up to the same total.
    """

    polygons: pd.DataFrame
    areas: pd.DataFrame


def count_regions(parts: Iterable[RegionPart]) -> list[Counted]:
    """The regions that were made, in the order of slugs, each without what those before it observed."""
    made = [(part, part.mining) for part in by_slug(parts) if part.mining is not None]
    bounds = shapely.bounds([part.region.geometry for part, _ in made])
    return [_counted(part, mining, _near(made, bounds, place)) for place, (part, mining) in enumerate(made)]


def count_once(counted: Sequence[Counted], borders: Callable[[], Borders]) -> CountedOnce:
    """The polygons of all regions and their split at borders; `borders` is asked only where a polygon was cut."""
    polygons: list[pd.DataFrame] = []
    areas: list[pd.DataFrame] = []
    for one in counted:
        frame, split = one.mining.polygons, one.mining.country_areas
        if len(one.rows):
            cut = _measured_anew(one, borders())
            ids = set(frame["polygon_id"].iloc[one.rows])
            split = split[~split["polygon_id"].isin(ids)]
            frame = frame.drop(index=frame.index[one.rows])
            polygons.append(cut.polygons)
            areas.append(cut.areas)
        polygons.append(frame[_POLYGON_COLUMNS])
        areas.append(split[_AREA_COLUMNS])
    return CountedOnce(_stacked(polygons, _POLYGON_COLUMNS), _stacked(areas, _AREA_COLUMNS))


def measured(shapes: Shapes) -> npt.NDArray[np.float64]:
    """Areas in square kilometres (EPSG:6933) of geometries in EPSG:4326, 0 for None."""
    if not len(shapes):
        return np.zeros(0)
    return np.nan_to_num(areas_km2(gpd.GeoSeries(list(shapes), crs=WGS84)))


def areal(shapes: Shapes) -> Shapes:
    """The areal part of each geometry; None where it has none."""
    found = np.empty(len(shapes), dtype=object)
    found[:] = [None if shape is None else polygons_only(shape) for shape in shapes]
    return found


def _near(
    made: Sequence[tuple[RegionPart, MiningFiles]], bounds: npt.NDArray[np.float64], place: int
) -> tuple[RegionPart, ...]:
    """The regions before one whose bounds meet its bounds."""
    west, south, east, north = bounds[place]
    before = bounds[:place]
    meet = (before[:, 0] <= east) & (before[:, 2] >= west) & (before[:, 1] <= north) & (before[:, 3] >= south)
    return tuple(made[other][0] for other in np.flatnonzero(meet).tolist())


def _counted(part: RegionPart, mining: MiningFiles, earlier: tuple[RegionPart, ...]) -> Counted:
    nothing = np.zeros(0, dtype=object)
    whole = Counted(part, mining, np.zeros(0, dtype=np.int64), nothing, nothing, earlier)
    if not earlier or not len(mining.bounds):
        return whole
    boxes = np.asarray(shapely.box(*mining.bounds.T), dtype=object)
    taken: list[BaseGeometry] = []
    asked: list[Rows] = []
    for other in earlier:
        rows = np.flatnonzero(meets(other.region.geometry, boxes))
        ground = other.observed_ground(shapely.union_all(boxes[rows])) if len(rows) else None
        if ground is not None:
            taken.append(ground)
            asked.append(rows)
    if not taken:
        return whole
    rows = np.unique(np.concatenate(asked))
    ground = shapely.union_all(taken)
    shapes = mining.geometries(rows)
    lost = areal(shapely.intersection(shapes, ground))
    real = measured(lost) > NOTHING_KM2
    left = areal(shapely.difference(shapes[real], ground))
    left[measured(left) <= NOTHING_KM2] = None
    return Counted(part, mining, rows[real].astype(np.int64), left, lost[real], earlier)


def meets(area: BaseGeometry, shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Whether each geometry and an area, which is prepared for it, have a point in common."""
    shapely.prepare(area)
    return np.asarray(shapely.intersects(area, shapes), dtype=bool)


def _measured_anew(one: Counted, borders: Borders) -> CountedOnce:
    kept = np.array([shape is not None for shape in one.left], dtype=bool)
    shapes = one.left[kept]
    size = measured(shapes)
    rows = one.mining.polygons.iloc[one.rows[kept]].reset_index(drop=True)
    split = borders.split(shapes)
    number = split["polygon"].to_numpy(dtype=np.int64)
    return CountedOnce(
        rows.assign(country_iso3=largest_share(split, len(rows)), area_km2=size)[_POLYGON_COLUMNS],
        pd.DataFrame(
            {
                "polygon_id": rows["polygon_id"].to_numpy(dtype=object)[number],
                "iso3": split["iso3"].to_numpy(dtype=object),
                "area_km2": split["share"].to_numpy(dtype=np.float64) * size[number],
            }
        ),
    )


def _stacked(frames: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
