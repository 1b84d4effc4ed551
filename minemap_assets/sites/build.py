"""Sites: one row for each known mine, with an id and a grid that other mines never change.

A site's id is the geohash of the centre of its outline's bounds. The outline is whole, not cut at the region's border,
so a mine that two regions share has the same id and the same grid in both; a new mine changes an id only by touching
the old one.
"""

import hashlib
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.antimeridian import short_way, sides
from minemap_assets.geo.grid import to_columns
from minemap_assets.geo.vector import WGS84, areas_km2, dissolve_touching, write_geoparquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.regions import Region
from minemap_assets.sites.config import RESOLUTION, SitesConfig
from minemap_assets.sites.geohash import position_ids
from minemap_assets.sites.ground_truth import GROUP_SEPARATOR
from minemap_assets.sites.spatial_blocks import split_groups
from minemap_assets.sites.windows import centres, window_grids, window_outlines

FILE = "sites.parquet"
ID_PREFIX = "m"


def build_sites(
    ground_truth: gpd.GeoDataFrame,
    promoted: gpd.GeoDataFrame | None,
    region: Region,
    config: SitesConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write `sites.parquet` (columns of `site_table`)."""
    whole = site_table(ground_truth, promoted, region, config)
    frame = _sampled(whole, config.sample)
    writer.write(FILE, lambda path: write_geoparquet(frame, path))
    pixels = frame["width"].to_numpy(dtype=np.int64)
    return Outcome(
        summary={
            "sites": len(frame),
            "left_out_of_the_pilot": len(whole) - len(frame),
            "promoted": int((frame["origin"] == "promoted").sum()),
            "promoted_given": 0 if promoted is None else len(promoted),
            "split_groups": int(frame["split_group"].nunique()),
            "larger_than_minimum": int((pixels > config.min_pixels).sum()),
            "squeezed": int((frame["ground_resolution"] > RESOLUTION).sum()),
            "largest_window_pixels": int(pixels.max()) if len(pixels) else 0,
            "pixels": int((pixels * frame["height"].to_numpy(dtype=np.int64)).sum()),
            "outline_km2": round(float(frame["outline_km2"].sum()), 6),
        }
    )


def site_table(
    ground_truth: gpd.GeoDataFrame,
    promoted: gpd.GeoDataFrame | None,
    region: Region,
    config: SitesConfig,
) -> gpd.GeoDataFrame:
    """Sites of a region, sorted by site_id.

    Columns: site_id, region, origin ("reference" or "promoted"), split_group, longitude, latitude (centre of the
    outline's bounds, degrees), crs, transform, width, height (the grid), ground_resolution (metres a pixel),
    outline_km2 (the whole outline), geometry (the window in EPSG:4326). `ground_truth` is the table of that name;
    `promoted` holds polygons or points, of which those in the region that meet no known outline become sites.
    """
    known = ground_truth[ground_truth["layer"] == "outlines"]
    reference = np.asarray(known.geometry.array, dtype=object)
    added = _promoted_outlines(promoted, reference, region)
    outlines = np.concatenate([reference, added])
    groups = [str(g).split(GROUP_SEPARATOR) for g in known["group"]] + [[] for _ in added]
    origins = ["reference"] * len(reference) + ["promoted"] * len(added)
    return _table(outlines, origins, groups, region, config)


def _sampled(frame: gpd.GeoDataFrame, sample: int | None) -> gpd.GeoDataFrame:
    """The first sites by the hash of their id: spread over the region, and the same ones in every run."""
    if sample is None or len(frame) <= sample:
        return frame
    chosen = sorted(frame["site_id"], key=lambda site: (hashlib.sha256(site.encode()).hexdigest(), site))[:sample]
    return frame[frame["site_id"].isin(chosen)].reset_index(drop=True)


def _table(
    outlines: npt.NDArray[np.object_],
    origins: Sequence[str],
    groups: Sequence[Sequence[str]],
    region: Region,
    config: SitesConfig,
) -> gpd.GeoDataFrame:
    middles = centres(outlines)
    areas = areas_km2(gpd.GeoSeries(outlines, crs=WGS84))
    ids = position_ids(ID_PREFIX, middles[:, 0], middles[:, 1], areas)
    grids = window_grids(outlines, config)
    columns = [to_columns(grid) for grid in grids]
    windows = window_outlines(grids)
    frame = gpd.GeoDataFrame(
        {
            "site_id": np.array(ids, dtype=object),
            "region": np.full(len(ids), region.slug, dtype=object),
            "origin": np.array(origins, dtype=object),
            "split_group": np.array(split_groups(ids, windows, groups), dtype=object),
            "longitude": middles[:, 0],
            "latitude": middles[:, 1],
            "crs": np.array([c.crs for c in columns], dtype=object),
            "transform": [list(c.transform) for c in columns],
            "width": np.array([c.width for c in columns], dtype=np.int64),
            "height": np.array([c.height for c in columns], dtype=np.int64),
            "ground_resolution": np.array([abs(grid.affine.a) for grid in grids], dtype=np.float64),
            "outline_km2": areas,
        },
        geometry=windows,
        crs=WGS84,
    )
    return frame.sort_values("site_id", ignore_index=True)


def _promoted_outlines(
    promoted: gpd.GeoDataFrame | None, reference: npt.NDArray[np.object_], region: Region
) -> npt.NDArray[np.object_]:
    """Outlines to add: in the region, each group of touching ones as one, none that meets a known outline."""
    nothing = np.zeros(0, dtype=object)
    if promoted is None or not len(promoted):
        return nothing
    given = np.asarray(promoted.to_crs(WGS84).geometry.array, dtype=object)
    given = shapely.force_2d(given[~(shapely.is_missing(given) | shapely.is_empty(given))])
    # one across the antimeridian is a site on either side of it: the middle of its bounds lies half the world away
    given = sides(short_way(shapely.make_valid(given)))
    given = np.array(sorted(given, key=lambda g: shapely.to_wkb(g, hex=True)), dtype=object)
    if not len(given):
        return nothing
    united = np.array(dissolve_touching(given), dtype=object)
    united = united[shapely.intersects(united, region.geometry)]
    if not len(united):
        return nothing
    met = shapely.STRtree(reference).query(united, predicate="intersects")[0] if len(reference) else []
    return np.delete(united, np.unique(np.asarray(met, dtype=np.int64)))
