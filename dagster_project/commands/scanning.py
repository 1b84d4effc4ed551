"""Scans: points to learn from, overlays, samples of detections and what their labels say."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.detection.accuracy import accuracy, read_labels, sentences
from minemap_assets.detection.assets import DETECTION_SAMPLE, DETECTION_SUMMARY, PATCH_SCORES
from minemap_assets.detection.dependencies import scan_bands, scan_product
from minemap_assets.detection.hard_points import hard_points
from minemap_assets.detection.patch_grid import tiles_of
from minemap_assets.detection.projection import Projection, project_scan
from minemap_assets.detection.sampling import copy_sample
from minemap_assets.detection.sampling_points import (
    FromTruth,
    SamplingPoints,
    check_inside,
    once,
    points_from_truth,
    read_points,
    register_points,
    together,
)
from minemap_assets.detection.schemas import PATCH_SCORES as SCORES
from minemap_assets.detection.schemas import SUMMARY
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.rules import reference_year_of, season_of
from minemap_assets.polygons.schemas import empty_table, read_table
from minemap_assets.project.project import Project
from minemap_assets.sites.assets import GROUND_TRUTH, SITES

SCANNED = "+sites/sites,room:detection"
"""What a scan makes: sites are needed to tell candidates from what is known."""


def points_of_file(project: Project, path: Path, column: str | None, crs: str | None) -> SamplingPoints:
    """Register the points of a file. Raises `BadInputError` for points in no region."""
    points = read_points(path, column=column, crs=crs)
    check_inside(points, project.active_regions(), path)
    register_points(project.lake.store, points)
    return points


def points_of_labels(
    project: Project, regions: Sequence[str], wanted: FromTruth, *, hard: Sequence[str] = ()
) -> SamplingPoints:
    """Register points drawn in and away from the outlines that count as truth; in regions where all mines are
    outlined (`hard`) also ground that the scan of the reference year took for a mine.

    Raises `BadInputError` where none of the regions has such outlines, or where `hard` finds no scan.
    """
    truths = {slug: found for slug in regions if (found := _truth(project, slug)) is not None}
    parts = [_drawn(project, slug, truth, wanted) for slug, truth in truths.items()]
    if not any(part.mine.any() for part in parts):
        raise BadInputError(
            "there are no outlines of mines to draw points in; make them with `minemap run --select +sites/sites`, or "
            "give a file of points"
        )
    parts += [_hard(project, slug, truths[slug], wanted) for slug in hard if len(truths.get(slug, ()))]
    points = once(together(parts))
    register_points(project.lake.store, points)
    return points


def _truth(project: Project, slug: str) -> gpd.GeoDataFrame | None:
    """All outlines of a region, whatever they count as; None where they were not made."""
    found = project.lake.find(GROUND_TRUTH.ref((slug,)))
    return None if found is None else read_geoparquet(found.file("ground_truth.parquet"))


def _drawn(project: Project, slug: str, truth: gpd.GeoDataFrame, wanted: FromTruth) -> SamplingPoints:
    sites, outline = project.lake.find(SITES.ref((slug,))), project.region(slug).geometry
    labels = truth[(truth["layer"] == "labels") & (truth["area_km2"] > 0.0)]
    mines = shapely.intersection(labels.geometry.to_numpy(), outline)
    avoided = [truth.geometry.to_numpy()]
    if sites is not None:  # windows of sites show mines that no outline has in this year
        avoided.append(read_geoparquet(sites.file("sites.parquet")).geometry.to_numpy())
    areal = mines[shapely.area(mines) > 0.0]
    return points_from_truth(areal, np.concatenate(avoided), outline, wanted)


def _hard(project: Project, slug: str, truth: gpd.GeoDataFrame, wanted: FromTruth) -> SamplingPoints:
    year = reference_year_of(project, project.region(slug))
    found = project.lake.find(PATCH_SCORES.ref((slug, str(year))))
    if found is None:
        raise BadInputError(
            f"--hard learns from a scan of {slug} in {year}, the year of the outlines, and there is none; "
            f"`minemap scan run --regions {slug} --years {year}` makes it"
        )
    return hard_points(read_table(found.file(SCORES.file), SCORES), truth.geometry.to_numpy(), wanted)


def export_sample(project: Project, year: int, folder: Path) -> int:
    """Copy a year's sample into a folder; returns how many patches it has. Raises `BadInputError` without one."""
    found = project.lake.find(DETECTION_SAMPLE.ref((str(year),)))
    if found is None:
        raise BadInputError(f"{year} has no sample; scan it with `minemap scan run --years {year}`")
    if folder.exists() and any(folder.iterdir()):
        raise BadInputError(f"{folder} holds something already; name an empty folder, so that no labels are lost")
    return copy_sample(found, folder)


def label_sentences(path: Path) -> Sequence[str]:
    """What a labelled sample says."""
    return sentences(accuracy(read_labels(path)))


def projections(project: Project, regions: Sequence[str], year: int) -> tuple[int, list[Projection]]:
    """Tiles of regions, and what each source would need for them in a year; no service is asked."""
    product, bands = scan_product(project), scan_bands(project)
    sums: dict[str, Projection] = {}
    count = 0
    for slug in regions:
        region = project.region(slug)
        tiles = list(tiles_of(region.geometry))
        count += len(tiles)
        for one in project_scan(project, product, bands, season_of(region, year), tiles):
            before = sums.get(one.source)
            sums[one.source] = one if before is None else before + one
    return count, list(sums.values())


def summary_table(project: Project, regions: Sequence[str], years: Sequence[int], by: str) -> pd.DataFrame:
    """Rows of the summary. Raises `BadInputError` for something that it does not sum up by."""
    found = project.lake.find(DETECTION_SUMMARY.ref())
    table = empty_table(SUMMARY) if found is None else read_table(found.file(SUMMARY.file), SUMMARY)
    known = sorted(set(table["by"]) | {"region", "country"})
    if by not in known:
        raise BadInputError(f"detections are not summed up by {by!r}; choose one of {', '.join(known)}")
    return table[table["region"].isin(regions) & table["year"].isin(years) & (table["by"] == by)]
