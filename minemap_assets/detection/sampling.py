"""A sample of a year's patches for people to label: of those that were detected, for precision, and of those that were
not, for recall.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.detections import outlined
from minemap_assets.detection.ground import Ground
from minemap_assets.detection.schemas import DETECTIONS, PATCH_SCORES, PATCHES
from minemap_assets.detection.thumbnails import thumbnail
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import read_table
from minemap_assets.project.listener import Progress, no_progress

SAMPLE = "sample.geojson"
THUMBNAILS = "thumbnails"

DETECTED, NEAR, BELOW = "detected", "near", "below"

NEAR_SCORE = 0.1
"""Patches that were not detected and score as much are a stratum of their own: most of what is missed lies there."""

_COLUMNS = ["patch_id", "tile", "row", "column", "score"]


@dataclass(frozen=True, eq=False)
class ScannedRegion:
    """What is sampled of one region and year."""

    region: str
    scores: Partition
    detections: Partition
    imagery: Partition | None


def build_sample(
    year: int,
    regions: Sequence[ScannedRegion],
    config: DetectionConfig,
    writer: PartitionWriter,
    *,
    progress: Progress = no_progress,
) -> Outcome:
    """Write `sample.geojson` and a picture of each of its patches.

    A patch that regions share is one patch. Each feature says how many patches its stratum has, so that the file alone
    is enough for estimates.
    """
    population = _population(regions, config)
    drawn = draw(population, config.sample_size, [config.seed, year])
    drawn["sample_id"] = [f"s{number + 1:05d}" for number in range(len(drawn))]
    frame = outlined(drawn.reset_index(drop=True))
    _pictures(frame, regions, writer, progress)
    writer.write(SAMPLE, lambda path: path.write_text(_geojson(frame, year), encoding="utf-8"))
    strata = population.groupby("stratum").size()
    return Outcome(
        {
            "year": year,
            "regions": [one.region for one in regions],
            "patches": len(population),
            "drawn": len(frame),
            "strata": {str(name): int(size) for name, size in strata.items()},
            "drawn_by_stratum": {str(n): int(c) for n, c in frame.groupby("stratum").size().items()},
        }
    )


def _population(regions: Sequence[ScannedRegion], config: DetectionConfig) -> pd.DataFrame:
    """Every patch that was scored [patch_id, tile, row, column, score, detection_id, region, stratum], once."""
    tables = [_patches(one, config) for one in regions]
    columns = [*_COLUMNS, "detection_id", "region", "stratum"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True).drop_duplicates("patch_id", ignore_index=True)[columns]


def _patches(one: ScannedRegion, config: DetectionConfig) -> pd.DataFrame:
    table = pd.read_parquet(one.scores.file(PATCH_SCORES.file), columns=_COLUMNS)
    table = table[table["score"].notna()]
    patches = read_table(one.detections.file(PATCHES.file), PATCHES)[["patch_id", "detection_id"]]
    table = table.merge(patches, on="patch_id", how="left")
    found = table["detection_id"].notna()
    table["stratum"] = np.where(found, DETECTED, np.where(table["score"] >= NEAR_SCORE, NEAR, BELOW))
    if config.sample_by == "country":
        outlines = read_table(one.detections.file(DETECTIONS.file), DETECTIONS)
        country = table["detection_id"].map(dict(zip(outlines["detection_id"], outlines["country_iso3"], strict=True)))
        table.loc[found, "stratum"] = DETECTED + " " + country[found].astype(str)
    return table.assign(region=one.region)


def draw(population: pd.DataFrame, size: int, seed: Sequence[int]) -> pd.DataFrame:
    """At most `size` patches of the detected strata, in equal shares, and as many of the others; in random order, and
    with the size of each one's stratum (`stratum_patches`).
    """
    rng = np.random.default_rng(list(seed))
    ordered = population.sort_values("patch_id", ignore_index=True)
    sizes = {str(name): int(count) for name, count in ordered.groupby("stratum").size().items()}
    detected = sorted(name for name in sizes if name.startswith(DETECTED))
    rest = sorted(set(sizes) - set(detected))
    chosen = [np.zeros(0, np.int64)]
    for names in (detected, rest):
        for name, count in shares({name: sizes[name] for name in names}, size).items():
            numbers = np.flatnonzero(ordered["stratum"] == name)
            chosen.append(rng.choice(numbers, count, replace=False))
    # detected or not must not be told from the order
    order: npt.NDArray[np.int64] = rng.permutation(np.concatenate(chosen))
    drawn = ordered.iloc[order].reset_index(drop=True)
    return drawn.assign(stratum_patches=drawn["stratum"].map(sizes).astype("int64"))


def shares(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of each stratum: equal shares of `total`, and what one lacks goes to the others."""
    found, left = dict.fromkeys(sizes, 0), total
    for place, name in enumerate(sorted(sizes, key=lambda one: (sizes[one], one))):
        found[name] = min(sizes[name], left // (len(sizes) - place))
        left -= found[name]
    return found


def _pictures(
    frame: gpd.GeoDataFrame, regions: Sequence[ScannedRegion], writer: PartitionWriter, progress: Progress
) -> None:
    """A picture of each patch, where its region's images are there."""
    images = {one.region: Ground(open_imagery(one.imagery)) for one in regions if one.imagery is not None}
    done = 0
    for (region, tile), rows in frame.groupby(["region", "tile"]):
        for row in rows.itertuples(index=False):
            progress(done, len(frame), "drawing patch")
            done += 1
            if region in images:
                picture = thumbnail(images[region], str(tile), int(row.row), int(row.column))
                writer.write(f"{THUMBNAILS}/{row.sample_id}.png", partial(Path.write_bytes, data=picture))


def _geojson(frame: gpd.GeoDataFrame, year: int) -> str:
    features: list[dict[str, Any]] = []
    for row in frame.itertuples(index=False):
        properties = {
            "sample_id": row.sample_id,
            "class": "",
            "region": row.region,
            "year": year,
            "stratum": row.stratum,
            "stratum_patches": int(row.stratum_patches),
            "patch_id": row.patch_id,
            "detection_id": None if pd.isna(row.detection_id) else row.detection_id,
            "score": round(float(row.score), 6),
            "thumbnail": f"{THUMBNAILS}/{row.sample_id}.png",
        }
        shape = json.loads(shapely.to_geojson(shapely.set_precision(row.geometry, 1e-7)))
        features.append({"type": "Feature", "properties": properties, "geometry": shape})
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1) + "\n"


def copy_sample(sample: Partition, folder: Path) -> int:
    """Copy a sample and its pictures into a folder; returns how many patches it has."""
    for name in sample.names():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(sample.file(name).read_bytes())
    return len(json.loads((folder / SAMPLE).read_text(encoding="utf-8"))["features"])
