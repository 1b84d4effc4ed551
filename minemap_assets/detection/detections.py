"""Detections of one region and year: patches whose scores pass the rule, joined where they touch."""

from dataclasses import replace
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.artefact import ClassifierCard
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.dissolving import dissolve
from minemap_assets.detection.isolation import kept
from minemap_assets.detection.patch_grid import patch_outlines, tile_named
from minemap_assets.detection.presets import Preset, Rule
from minemap_assets.detection.schemas import DETECTIONS, PATCH_SCORES, PATCHES, UNSEEN
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders, largest_share
from minemap_assets.polygons.schemas import empty_table, read_table, write_table
from minemap_assets.project.regions import Region
from minemap_assets.sites.geohash import position_ids

PRECISION = 8
"""Characters of a detection's geohash: 38 x 19 m, where a patch is 480 m."""


def preset_for(config: DetectionConfig, card: ClassifierCard) -> Preset:
    """The rules that hold: the settings' own, else those chosen for this classifier, else the preset's."""
    preset = config.chosen
    own = card.thresholds if config.preset == "default" else None
    if own is not None:
        rule = Rule(own.dissolved, own.isolated)
        preset = Preset(own.kept, rule, rule)
    if config.threshold is None and config.isolated is None:
        return preset
    yearly, cumulative = (_with(rule, config) for rule in (preset.yearly, preset.cumulative))
    least = min(preset.kept, yearly.threshold)
    return Preset(least, yearly, cumulative, preset.least_added_ha, preset.mercator)


def _with(rule: Rule, config: DetectionConfig) -> Rule:
    threshold = rule.threshold if config.threshold is None else config.threshold
    isolated = rule.isolated if config.isolated is None else config.isolated
    return Rule(
        threshold, None if isolated is None else max(isolated, threshold), rule.open and config.threshold is None
    )


def passing(scores: pd.DataFrame, rule: Rule) -> npt.NDArray[np.bool_]:
    """Which patches [score, longitude, latitude] pass a rule."""
    score = scores["score"].to_numpy(np.float64)
    threshold = np.nextafter(rule.threshold, 1.0) if rule.open else rule.threshold
    if rule.isolated is None:
        above: npt.NDArray[np.bool_] = score >= threshold
        return above
    longitudes, latitudes = (scores[axis].to_numpy(np.float64) for axis in ("longitude", "latitude"))
    return kept(longitudes, latitudes, np.nan_to_num(score, nan=-1.0), float(threshold), rule.isolated)


def outlined(scores: pd.DataFrame) -> gpd.GeoDataFrame:
    """Patches [tile, row, column] with their squares, in their order."""
    squares = np.empty(len(scores), object)
    for name, numbers in scores.groupby("tile").indices.items():
        rows, columns = (scores[axis].to_numpy(np.int64)[numbers] for axis in ("row", "column"))
        squares[numbers] = patch_outlines(tile_named(str(name)), rows, columns)
    return gpd.GeoDataFrame(scores, geometry=squares, crs=WGS84)


def build_detections(
    region: Region,
    year: int,
    scores: Partition,
    card: ClassifierCard,
    boundaries: gpd.GeoDataFrame,
    config: DetectionConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write `patches.parquet`, `detections.parquet` and `not_observed.parquet`."""
    table = read_table(scores.file(PATCH_SCORES.file), PATCH_SCORES)
    preset = preset_for(config, card)
    listed = table[(table["score"] > preset.kept) | passing(table, preset.yearly)]
    patches = outlined(listed.reset_index(drop=True)).assign(region=region.slug, year=year)
    patches, detections = joined(patches, passing(listed, preset.yearly), boundaries)
    facts = scores.manifest.summary
    detections = detections.assign(
        region=region.slug, year=year, product=card.product, classifier_version=facts["classifier_version"]
    )
    unseen = unobserved(table, region).assign(year=year)
    for frame, spec in ((patches, PATCHES), (detections, DETECTIONS), (unseen, UNSEEN)):
        writer.write(spec.file, partial(write_table, frame, spec))
    return Outcome(_summary(table, detections, unseen, region, preset, card) | {"year": year})


def joined(
    patches: gpd.GeoDataFrame, passes: npt.NDArray[np.bool_], boundaries: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Patches with the detection each belongs to, and the detections."""
    outlines = np.asarray(dissolve(patches.geometry[passes]), dtype=np.object_)
    if not len(outlines):
        return patches.assign(detection_id=None), _frame(empty_table(DETECTIONS))
    bounds = shapely.bounds(outlines)
    longitudes, latitudes = bounds[:, [0, 2]].mean(1), bounds[:, [1, 3]].mean(1)
    prefix = f"{patches['region'].iloc[0]}-{patches['year'].iloc[0]}-"
    areas = areas_km2(gpd.GeoSeries(outlines, crs=WGS84))
    ids = np.asarray(position_ids(prefix, longitudes, latitudes, areas, PRECISION), dtype=np.object_)
    chosen = np.flatnonzero(passes)
    centres = shapely.centroid(patches.geometry.to_numpy()[chosen])
    point, outline = shapely.STRtree(outlines).query(centres, predicate="intersects")
    owner = np.full(len(patches), None, object)
    owner[chosen[point]] = ids[outline]
    patches = patches.assign(detection_id=owner)
    by = patches.dropna(subset="detection_id").groupby("detection_id")
    found = by.agg(
        patches=("patch_id", "size"),
        score_mean=("score", "mean"),
        score_max=("score", "max"),
        observations=("observations", "mean"),
    )
    countries = largest_share(Borders(boundaries).split(outlines), len(outlines))
    detections = gpd.GeoDataFrame(
        {"detection_id": ids, "country_iso3": countries, "patch_area_km2": areas}, geometry=outlines, crs=WGS84
    )
    return patches, _frame(detections.merge(found, left_on="detection_id", right_index=True, how="left"))


def _frame(detections: pd.DataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(detections, geometry="geometry", crs=WGS84)


def unobserved(scores: pd.DataFrame, region: Region) -> gpd.GeoDataFrame:
    """Ground of the region [region, area_km2] that lies in no observed patch."""
    lost = scores[scores["score"].isna()]
    if not len(lost):
        return _frame(empty_table(UNSEEN))
    seen = scores[scores["score"].notna()]
    near = outlined(seen[seen["tile"].isin(_around(set(lost["tile"])))].reset_index(drop=True))
    ground = shapely.union_all(outlined(lost.reset_index(drop=True)).geometry.to_numpy())
    rest = shapely.difference(ground, shapely.union_all(near.geometry.to_numpy()))
    inside = [p for p in shapely.get_parts(shapely.intersection(rest, region.geometry)) if p.geom_type == "Polygon"]
    pieces = gpd.GeoSeries(inside, crs=WGS84)
    columns = {"region": region.slug, "number": np.arange(len(pieces)), "area_km2": areas_km2(pieces)}
    return gpd.GeoDataFrame(columns, geometry=pieces, crs=WGS84)


def _around(names: set[str]) -> set[str]:
    """The tiles and all that touch them; across a zone's seam those of its neighbours do not count."""
    tiles = [tile_named(name) for name in names]
    steps = (-1, 0, 1)
    return {replace(t, column=t.column + c, row=t.row + r).name for t in tiles for c in steps for r in steps}


def _summary(
    table: pd.DataFrame,
    detections: gpd.GeoDataFrame,
    unseen: gpd.GeoDataFrame,
    region: Region,
    preset: Preset,
    card: ClassifierCard,
) -> dict[str, Any]:
    return {
        "verdict": card.verdict,
        "detections": len(detections),
        "patch_area_km2": round(float(detections["patch_area_km2"].sum()), 4),
        "patches": len(table),
        "patches_observed": int(table["score"].notna().sum()),
        "not_observed_km2": round(float(unseen["area_km2"].sum()), 4),
        "not_observed_share": round(float(unseen["area_km2"].sum()) / region.area_km2, 6),
        "threshold": preset.yearly.threshold,
        "isolated": preset.yearly.isolated,
    }
