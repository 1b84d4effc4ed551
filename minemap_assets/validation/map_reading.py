"""What a year's maps say at points, and where they say nothing.

A map says something of a point in a made region on observed ground: mine, or no mine. On land of a made region that is
in no window of a site it says no mine by construction, since only known sites are looked at: such points are kept
apart. What is in no region, in a region that was not made, or on ground that was not observed is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.geo.vector import WGS84
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.scale import NOT_OBSERVED

Points = npt.NDArray[np.object_]
Frame = Literal["all", "inside windows", "outside windows", "outside regions"]

ALL: Frame = "all"
INSIDE: Frame = "inside windows"
OUTSIDE: Frame = "outside windows"
ELSEWHERE: Frame = "outside regions"
FRAMES: tuple[Frame, ...] = (ALL, INSIDE, OUTSIDE, ELSEWHERE)


@dataclass(frozen=True, eq=False)
class RegionGround:
    """A region: its outline, and the ground that each of its sites owns (EPSG:4326)."""

    slug: str
    outline: shapely.Geometry
    site_ids: Sequence[str]
    grounds: Points


@dataclass(frozen=True, eq=False)
class RegionMap:
    """A region's map of a year: its polygons, and the ground that was not observed (EPSG:4326)."""

    polygons: Points
    unobserved: Points


@dataclass(frozen=True, eq=False)
class Judged:
    """What a map says of points (n,): mine or not, and whether it says anything."""

    mapped: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]

    @classmethod
    def nowhere(cls, count: int) -> "Judged":
        """A map that says nothing."""
        return cls(np.zeros(count, dtype=bool), np.zeros(count, dtype=bool))


@dataclass(frozen=True, eq=False)
class Places:
    """Points (EPSG:4326), the part of the frame that each is in (n,), and the regions and sites it belongs to.

    `members` has a row for each point and active region it lies in, in order of slugs: [point (its number), region,
    site_id]; the site is empty outside all windows.
    """

    points: Points
    frame: npt.NDArray[np.object_]
    members: pd.DataFrame

    @classmethod
    def of(cls, points: Points, regions: Sequence[RegionGround]) -> "Places":
        """Look up points in the active regions."""
        tree = shapely.STRtree(points)
        rows: list[tuple[int, str, str]] = []
        for region in sorted(regions, key=lambda r: r.slug):
            shapely.prepare(region.outline)
            inside = np.sort(tree.query(region.outline, predicate="covers"))
            owner = _first_hit(points[inside], region.grounds)
            sites = np.append(np.asarray(region.site_ids, dtype=object), "")
            rows += zip(inside.tolist(), [region.slug] * len(inside), sites[owner].tolist(), strict=True)
        members = pd.DataFrame(rows, columns=["point", "region", "site_id"])
        frame = np.full(len(points), ELSEWHERE, dtype=object)
        frame[members["point"].to_numpy(dtype=np.int64)] = OUTSIDE
        frame[members.loc[members["site_id"] != "", "point"].to_numpy(dtype=np.int64)] = INSIDE
        return cls(points, frame, members)

    def __len__(self) -> int:
        return len(self.points)

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Places":
        """Some of the points (n,)."""
        number = np.cumsum(chosen) - 1
        members = self.members[chosen[self.members["point"].to_numpy(dtype=np.int64)]]
        moved = members.assign(point=number[members["point"].to_numpy(dtype=np.int64)])
        return Places(self.points[chosen], self.frame[chosen], moved.reset_index(drop=True))

    def judge(self, maps: Mapping[str, RegionMap]) -> Judged:
        """What the maps of a year say, by region; regions that are not among them were not made.

        Where windows of several regions show a point, the first region in the alphabet that observed it decides.
        """
        found = Judged.nowhere(len(self))
        empty = np.zeros(len(self), dtype=bool)
        for slug, rows in self.members.groupby("region", sort=True):
            if slug not in maps:
                continue
            number = rows["point"].to_numpy(dtype=np.int64)
            own = self.points[number]
            windowed = rows["site_id"].to_numpy(dtype=object) != ""
            seen = windowed & ~hit(own, maps[str(slug)].unobserved) & ~found.known[number]
            mine = hit(own, maps[str(slug)].polygons)
            found.known[number[seen]] = True
            found.mapped[number[seen]] = mine[seen]
            empty[number[~windowed]] = True
        found.known[empty & (self.frame == OUTSIDE)] = True
        return found

    def within(self, slugs: Sequence[str]) -> npt.NDArray[np.bool_]:
        """True for each point in one of these regions."""
        found = np.zeros(len(self), dtype=bool)
        found[self.members.loc[self.members["region"].isin(list(slugs)), "point"].to_numpy(dtype=np.int64)] = True
        return found


def hit(points: Points, polygons: Points) -> npt.NDArray[np.bool_]:
    """True for each point that meets a polygon."""
    found = np.zeros(len(points), dtype=bool)
    if len(polygons) and len(points):
        found[shapely.STRtree(points).query(polygons, predicate="intersects")[1]] = True
    return found


def _first_hit(points: Points, polygons: Points) -> npt.NDArray[np.int64]:
    """Number of the first polygon that each point meets; as many as there are polygons where none."""
    found = np.full(len(points), len(polygons), dtype=np.int64)
    if len(polygons) and len(points):
        polygon, point = shapely.STRtree(points).query(polygons, predicate="intersects")
        np.minimum.at(found, point, polygon)
    return found


def stored_probabilities(places: Places, masks: Mapping[str, Partition]) -> npt.NDArray[np.uint8]:
    """Stored probability (0 to 254) of each point in a year's masks (raw_masks by region), 255 where not observed.

    One pixel a point is read. The first region in the alphabet that observed a point decides.
    """
    from minemap_assets.geo.vector import read_geoparquet

    found = np.full(len(places), NOT_OBSERVED, dtype=np.uint8)
    windowed = places.members[places.members["site_id"] != ""]
    for slug, rows in windowed.groupby("region", sort=True):
        if slug not in masks:
            continue
        index = read_geoparquet(masks[str(slug)].file("index.parquet"))
        files = dict(zip(index["site_id"], index["file"], strict=True))
        for site, own in rows.groupby("site_id", sort=True):
            number = own["point"].to_numpy(dtype=np.int64)
            number = number[found[number] == NOT_OBSERVED]
            if site in files and len(number):
                found[number] = _pixels(masks[str(slug)], str(files[site]), places.points[number])
    return found


def _pixels(masks: Partition, file: str, points: Points) -> npt.NDArray[np.uint8]:
    """Values of a raster at points; not observed beyond its edge, or where it cannot be read."""
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    found = np.full(len(points), NOT_OBSERVED, dtype=np.uint8)
    try:
        with alone(), open_raster(str(masks.file(file).absolute())) as source:
            local = gpd.GeoSeries(list(points), crs=WGS84).to_crs(str(source.crs))
            columns, rows = ~source.transform * (local.x.to_numpy(), local.y.to_numpy())
            places = zip(np.floor(columns).astype(int), np.floor(rows).astype(int), strict=True)
            for number, (column, row) in enumerate(places):
                if 0 <= column < source.width and 0 <= row < source.height:
                    found[number] = source.read(1, window=Window(column, row, 1, 1))[0, 0]
    except (RasterioError, BadInputError):
        # `raw_polygons` reports a mask that cannot be read
        return np.full(len(points), NOT_OBSERVED, dtype=np.uint8)
    return found
