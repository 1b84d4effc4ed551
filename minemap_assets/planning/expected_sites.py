"""The sites that a region will have, before anything is made: from what is registered and promoted now."""

from collections import Counter
from collections.abc import Iterable, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.split import split_groups
from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.vector import WGS84
from minemap_assets.imagery.files.images import Image
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.reference.catalogue import read_entry
from minemap_assets.reference.polygon_sets import polygon_table
from minemap_assets.reference.registered import catalogue
from minemap_assets.sites.build import site_table
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.ground_truth import PolygonSet, unite_sets
from minemap_assets.sites.promotion import promoted_sites
from minemap_assets.sites.windows import site_grid

NOTHING = gpd.GeoDataFrame({"layer": [], "group": []}, geometry=[], crs=WGS84)


def registered_sets(project: Project) -> tuple[PolygonSet, ...]:
    """The polygon sets as they are registered. Raises `BadInputError` where a file went missing or changed."""
    store = project.lake.store
    return tuple(
        PolygonSet(
            entry.name,
            entry.role,
            polygon_table(
                read_entry(entry, store),
                id_column=entry.columns.get("id"),
                group_column=entry.columns.get("group"),
            ),
        )
        for entry in catalogue(project).entries
        if entry.kind == "polygons"
    )


def expected_sites(
    project: Project, region: Region, sets: Sequence[PolygonSet], config: SitesConfig | None = None
) -> gpd.GeoDataFrame:
    """The table of `sites.build.site_table` that these sets and the promoted outlines give; no pilot's sample.

    `config` is the project's own unless another one is given. A column `labelled` is true where a mine of a set with
    labels lies in the window.
    """
    config = config or project.section(SitesConfig)
    truth = unite_sets(sets, region, config).frame if sets else NOTHING
    sites = site_table(truth, promoted_sites(project), region, config)
    labels = np.asarray(truth[truth["layer"] == "labels"].geometry.array, dtype=object)
    windows = np.asarray(sites.geometry.array, dtype=object)
    labelled = np.zeros(len(sites), dtype=bool)
    if len(labels) and len(windows):
        labelled[shapely.STRtree(labels).query(windows, predicate="intersects")[0]] = True
    return sites.assign(labelled=labelled)


def labelled_groups(sites: Iterable[gpd.GeoDataFrame], config: ChipsConfig) -> Counter[str]:
    """How many places with labels, each kept whole, would train, choose and test a model: keys `train`, `validation`,
    `test`. `sites` are the tables of `expected_sites`, of all regions that train.
    """
    weights: Counter[str] = Counter()
    labelled: set[str] = set()
    for table in sites:
        known = table[table["origin"] == "reference"]
        for row in known.itertuples(index=False):
            grid = site_grid(row)
            weights[str(row.split_group)] += len(tiles(grid, config.size, config.overlap)) if fits(grid, config) else 1
        labelled |= set(known.loc[known["labelled"], "split_group"].astype(str))
    sides = split_groups(weights, config.seed, config.validation_share, config.test_share)
    return Counter(side for group, side in sides.items() if group in labelled)


def fits(grid: GeoBox, config: ChipsConfig) -> bool:
    """Whether a site's grid holds a chip."""
    return min(int(side) for side in grid.shape) >= config.size


def covered_shares(windows: gpd.GeoSeries, images: Sequence[Image]) -> npt.NDArray[np.float64]:
    """Share of each window (EPSG:4326) that the images' footprints cover, 0 to 1."""
    outlines = np.asarray(windows.array, dtype=object)
    footprints = np.array([image.geometry for image in images], dtype=object)
    shares = np.zeros(len(outlines))
    if not len(footprints):
        return shares
    tree = shapely.STRtree(footprints)
    for place, window in enumerate(outlines):
        found = tree.query(window, predicate="intersects")
        if len(found):
            shares[place] = shapely.union_all(footprints[found]).intersection(window).area / window.area
    return shares
