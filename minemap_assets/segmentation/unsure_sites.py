"""Unsure sites: where the model in use is least sure, among those that nobody has outlined."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minemap_assets.geo.pictures import evenly
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.segmentation.masks import INDEX
from minemap_assets.segmentation.metrics import Histogram

MASKS = ("segmentation", "raw_masks")
TAUGHT = ("chips", "training_chips")

MOST_READ = 500
"""Masks of a region that are looked at: of more, so many spread evenly over their ids."""


@dataclass(frozen=True)
class UnsureSite:
    """A site without labels, in degrees; `doubt` is the mean of p (1 - p) over what was observed, 0.25 at most."""

    site_id: str
    region: str
    year: str
    longitude: float
    latitude: float
    doubt: float


def unsure_sites(project: Project, most: int) -> list[UnsureSite]:
    """At most so many sites without labels, the least sure first, from the latest masks of each region.

    Empty where no masks were made. Raises `DamagedError` where a mask is not what was published.
    """
    labelled = _labelled(project)
    found = [site for partition in _latest(project) for site in _of_partition(partition, labelled)]
    return sorted(found, key=lambda site: (-site.doubt, site.site_id))[:most]


def doubt(path: Path) -> float:
    """Mean of p (1 - p) over the observed pixels of a mask; 0 where there is none."""
    stored = read_raster(path).pixels[0]
    value = Histogram.of(stored, np.zeros_like(stored)).doubt
    return 0.0 if math.isnan(value) else value


def _labelled(project: Project) -> set[str]:
    """Sites that were taught or scored, in any region and product."""
    found: set[str] = set()
    for ref in project.lake.refs(*TAUGHT):
        partition = project.lake.find(ref)
        if partition is not None:
            index = read_geoparquet(partition.file(INDEX))
            found |= set(index.loc[index["mine_fraction"] > 0, "site_id"].astype(str))
    return found


def _latest(project: Project) -> Iterator[Partition]:
    """The masks of the last year that each active region has."""
    refs: dict[str, PartitionRef] = {}
    for ref in project.lake.refs(*MASKS):
        region, year = ref.keys
        if region not in refs or year > refs[region].keys[1]:
            refs[region] = ref
    active = set(project.active_regions())
    for region, ref in sorted(refs.items()):
        partition = project.lake.find(ref)
        if partition is not None and region in active:
            yield partition


def _of_partition(partition: Partition, labelled: Collection[str]) -> Iterator[UnsureSite]:
    region, year = partition.manifest.keys
    index = read_geoparquet(partition.file(INDEX))
    rows = {str(row.site_id): row for row in index.itertuples(index=False) if str(row.site_id) not in labelled}
    for site_id in evenly(sorted(rows), MOST_READ):
        centre = rows[site_id].geometry.centroid
        value = doubt(partition.file(rows[site_id].file))
        yield UnsureSite(site_id, region, year, round(centre.x, 5), round(centre.y, 5), value)
