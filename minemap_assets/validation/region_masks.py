"""What source continuity looks at, gathered region by region from published partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.countries import Borders
from minemap_assets.project.regions import Region
from minemap_assets.segmentation.training_set import assemble
from minemap_assets.sites.cells import site_cells
from minemap_assets.validation.comparison import Place, RegionMasks

ByRegion = Mapping[str, Partition]
ByProduct = Mapping[tuple[str, str], Partition]
"""Partitions by (product, region)."""

HELD_OUT_SPLIT = "test"


@dataclass(frozen=True, eq=False)
class Published:
    """The partitions that exist: sites and the ground they own by region; masks, training chips and images of the
    reference year by (product, region). `borders` is None where no country is known.
    """

    sites: ByRegion
    owned: ByRegion
    masks: ByProduct
    chips: ByProduct
    imagery: ByProduct
    borders: Borders | None


@dataclass(frozen=True)
class _Side:
    """On which side of the split a site lies, and the ground that stays on it together."""

    group: str
    held_out: bool


def region_masks(regions: Mapping[str, Region], found: Published) -> list[RegionMasks]:
    """Every region that has masks of the reference year, sites and the ground they own."""
    sides = _sides(found.chips)
    gathered = []
    for slug in sorted({slug for _, slug in found.masks} & set(found.sites) & set(found.owned) & set(regions)):
        sites = read_geoparquet(found.sites[slug].file("sites.parquet"))
        owned = read_geoparquet(found.owned[slug].file("owned_ground.parquet"))
        gathered.append(
            RegionMasks(
                slug=slug,
                boundary=regions[slug].geometry,
                cells=site_cells(sites, owned),
                places=_places(sites, sides, found.borders),
                masks={product: part for (product, region), part in sorted(found.masks.items()) if region == slug},
                baselines={p: _baselines(part) for (p, region), part in found.imagery.items() if region == slug},
            )
        )
    return gathered


def _places(sites: gpd.GeoDataFrame, sides: Mapping[str, _Side], borders: Borders | None) -> dict[str, Place]:
    """What is known of each site; its country is that of its window's centre, as in the site panel."""
    points = shapely.points(sites["longitude"].to_numpy(), sites["latitude"].to_numpy())
    codes: Sequence[str] = [""] * len(sites) if borders is None else borders.of_points(points)
    places = {}
    for row, code in zip(sites.itertuples(index=False), codes, strict=True):
        site = str(row.site_id)
        side = sides.get(site, _Side(str(row.split_group), held_out=False))
        places[site] = Place(side.group, side.held_out, float(row.outline_km2), code)
    return places


def _sides(chips: ByProduct) -> dict[str, _Side]:
    """The side of every site in training, as the training set deals them out.

    Only the indexes are read: pixels say nothing about it.
    """
    sets = [
        ChipSet(str(part.manifest.ref), read_geoparquet(part.file("index.parquet")), _folder(part), {})
        for _, part in sorted(chips.items(), key=lambda one: one[0][::-1])
    ]
    if not any((one.index["mine_fraction"] > 0).any() for one in sets):
        return {}
    return {ref.site_id: _Side(ref.group, ref.split == HELD_OUT_SPLIT) for ref in assemble(sets).refs}


def _folder(chips: Partition) -> Path:
    return chips.file("chips.zarr/zarr.json").parent


def _baselines(imagery: Partition) -> dict[str, str]:
    index = read_geoparquet(imagery.file("index.parquet"))
    return dict(zip(index["site_id"].astype(str), index["processing_baseline"].fillna("").astype(str), strict=True))
