"""Finishing: confirmed objects become the polygons of the tables, with their areas and the sites they lie on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.confirmation import Confirmed
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.corrections import apply_corrections
from minemap_assets.polygons.holes import fill_holes
from minemap_assets.polygons.merge import Merged, absorb
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell


@dataclass(frozen=True, eq=False)
class Finished:
    """Polygons (EPSG:4326) with areas, the sites whose ground they lie on, and the outlines they are made of.

    `members` are rows of `Confirmed.outlines`; `corrections` say what a person did to each, and `facts` what to all.
    """

    polygons: npt.NDArray[np.object_]
    members: tuple[npt.NDArray[np.int64], ...]
    area_km2: npt.NDArray[np.float64]
    site_ids: tuple[tuple[str, ...], ...]
    corrections: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def finished(confirmed: Confirmed, cells: Mapping[str, SiteCell], config: PolygonsConfig) -> Finished:
    """Fill holes, take in what lies in them, smooth where the settings say so, and measure."""
    merged = confirmed.merged
    merged = absorb(merged.with_polygons(fill_holes(merged.polygons, config.holes, config.min_hole_km2)))
    sites = confirmed.outlines["site_id"].to_numpy(dtype=object)
    site_ids = tuple(tuple(sorted(set(sites[rows]))) for rows in merged.members)
    if config.outlines == "smoothed":
        merged = merged.with_polygons(_smoothed(merged, site_ids, cells))
    return Finished(merged.polygons, merged.members, _areas(merged.polygons), site_ids, ("",) * len(site_ids))


def corrected(
    before: Finished,
    corrections: Sequence[Correction],
    region: Region,
    year: int,
    outlines: gpd.GeoDataFrame,
    config: PolygonsConfig,
) -> Finished:
    """The polygons that a person's corrections leave; the same object where they change nothing."""
    found = apply_corrections(
        before.polygons, year, corrections, within=region.geometry, min_area_km2=config.min_area_km2
    )
    if found.keep.all() and not len(found.outlines):
        return before
    sites = outlines["site_id"].to_numpy(dtype=object)
    kept = np.flatnonzero(found.keep)
    members = [np.unique(np.concatenate([before.members[n] for n in numbers])) for numbers in found.replaced]
    polygons = np.concatenate([before.polygons[kept], found.outlines])
    facts = {"rejected": found.rejected, "redrawn": found.redrawn, "corrections": list(found.notes)}
    return Finished(
        polygons,
        (*(before.members[n] for n in kept), *members),
        np.concatenate([before.area_km2[kept], _areas(found.outlines)]),
        (*(before.site_ids[n] for n in kept), *(tuple(sorted(set(sites[rows]))) for rows in members)),
        ("",) * len(kept) + found.kinds,
        facts,
    )


def site_areas(done: Finished, cells: Mapping[str, SiteCell]) -> dict[str, float]:
    """Area in km2 on the ground of each site; together that of all polygons."""
    area = dict.fromkeys(cells, 0.0)
    shared: list[int] = []
    for number, site_ids in enumerate(done.site_ids):
        if len(site_ids) == 1:
            area[site_ids[0]] += float(done.area_km2[number])
        else:
            shared.append(number)
    for number, site, share in _shares(done, shared, cells):
        area[site] += share * float(done.area_km2[number])
    return area


def _shares(done: Finished, shared: Sequence[int], cells: Mapping[str, SiteCell]) -> list[tuple[int, str, float]]:
    """How polygons on the ground of several sites divide among them: (polygon, site, share); shares add up to 1."""
    pairs = [(number, site) for number in shared for site in done.site_ids[number]]
    if not pairs:
        return []
    parts = shapely.intersection(
        done.polygons[[number for number, _ in pairs]],
        np.array([cells[site].cell for _, site in pairs], dtype=object),
    )
    frame = pd.DataFrame({"number": [n for n, _ in pairs], "area": _areas(parts)})
    together = frame.groupby("number")["area"].transform("sum")
    # a person may draw beyond the ground of the sites whose polygons an outline replaces
    equal = 1.0 / frame.groupby("number")["area"].transform("size")
    share = (frame["area"] / together).where(together > 0.0, equal)
    return [(number, site, float(s)) for (number, site), s in zip(pairs, share, strict=True)]


def _areas(polygons: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    return areas_km2(gpd.GeoSeries(polygons, crs=WGS84)) if len(polygons) else np.zeros(0)


def _smoothed(
    merged: Merged, site_ids: Sequence[tuple[str, ...]], cells: Mapping[str, SiteCell]
) -> npt.NDArray[np.object_]:
    """Smoothed in the lattice of the first site of each polygon."""
    from minemap_assets.polygons.smoothing import smoothed

    lattices = np.array([cells[ids[0]].crs for ids in site_ids], dtype=object)
    pixels = np.array([abs(cells[ids[0]].grid.affine.a) for ids in site_ids], dtype=np.float64)
    found = merged.polygons.copy()
    for crs, pixel in sorted(set(zip(lattices.tolist(), pixels.tolist(), strict=True))):
        chosen = np.flatnonzero((lattices == crs) & (pixels == pixel))
        local = np.asarray(gpd.GeoSeries(found[chosen], crs=WGS84).to_crs(crs), dtype=object)
        found[chosen] = to_wgs84(list(smoothed(local, pixel)), crs)
    return found
