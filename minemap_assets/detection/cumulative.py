"""All detections through each year, and what each year adds.

A year's patches count here by the rule for cumulatives, which may be stricter: what was wrong once stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.artefact import ClassifierCard
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.detections import passing, preset_for
from minemap_assets.detection.dissolving import Outline, added, dissolve
from minemap_assets.detection.presets import Preset
from minemap_assets.detection.schemas import ADDED, CUMULATIVE, PATCHES
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import TableSpec, empty_table, read_table, stack, write_table

MERCATOR = "EPSG:3857"


def build_cumulative(
    region: str,
    years: Mapping[int, Partition],
    card: ClassifierCard,
    config: DetectionConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write `cumulative_detections.parquet` and `added_detections.parquet` from the detections of each year.

    The first year adds nothing: what is older than the first look is no growth.
    """
    preset = preset_for(config, card)
    outlines: list[Outline] = []
    cumulative, growth = list[pd.DataFrame](), list[pd.DataFrame]()
    for year, partition in sorted(years.items()):
        before, outlines = outlines, dissolve([*outlines, *_counted(partition, preset)])
        cumulative.append(_table(region, year, outlines, CUMULATIVE))
        pieces = large_enough(added(outlines, before), preset) if cumulative[:-1] else []
        growth.append(_table(region, year, pieces, ADDED))
    writer.write(CUMULATIVE.file, lambda path: write_table(stack(cumulative, CUMULATIVE), CUMULATIVE, path))
    writer.write(ADDED.file, lambda path: write_table(stack(growth, ADDED), ADDED, path))
    return Outcome(_summary(sorted(years), cumulative, growth, card))


def large_enough(pieces: Sequence[Outline], preset: Preset) -> list[Outline]:
    """The pieces that are larger than the preset asks for, in the measure that it names."""
    if not pieces:
        return []
    shapes = gpd.GeoSeries(list(pieces), crs=WGS84)
    square_metres = np.asarray(shapes.to_crs(MERCATOR).area) if preset.mercator else areas_km2(shapes) * 1e6
    return [piece for piece, size in zip(pieces, square_metres, strict=True) if size > preset.least_added_ha * 1e4]


def _counted(partition: Partition, preset: Preset) -> npt.NDArray[np.object_]:
    """Squares of a year's patches that pass the rule for cumulatives."""
    patches = read_table(partition.file(PATCHES.file), PATCHES)
    squares = patches["geometry"].to_numpy()
    centres = shapely.centroid(squares)
    places = patches.assign(longitude=shapely.get_x(centres), latitude=shapely.get_y(centres))
    chosen: npt.NDArray[np.object_] = np.asarray(squares, object)[passing(places, preset.cumulative)]
    return chosen


def _table(region: str, year: int, outlines: Sequence[Outline], spec: TableSpec) -> pd.DataFrame:
    if not outlines:
        return empty_table(spec)
    shapes = gpd.GeoSeries(list(outlines), crs=WGS84)
    columns = {"region": region, "year": year, "number": np.arange(len(shapes)), "patch_area_km2": areas_km2(shapes)}
    frame: pd.DataFrame = gpd.GeoDataFrame(columns, geometry=shapes, crs=WGS84)
    return frame


def _summary(
    years: Sequence[int], cumulative: Sequence[pd.DataFrame], growth: Sequence[pd.DataFrame], card: ClassifierCard
) -> dict[str, Any]:
    return {
        "verdict": card.verdict,
        "years": list(years),
        "patch_area_km2": {
            str(y): round(float(t["patch_area_km2"].sum()), 4) for y, t in zip(years, cumulative, strict=True)
        },
        "added_km2": {str(y): round(float(t["patch_area_km2"].sum()), 4) for y, t in zip(years, growth, strict=True)},
    }
