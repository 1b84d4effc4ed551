"""Detections summed up: by region, by country, inside areas of one's own, and by the distance to lines and points."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.artefact import ClassifierCard
from minemap_assets.detection.candidates import to_windows
from minemap_assets.detection.overlays import Overlay
from minemap_assets.detection.schemas import DETECTIONS, SUMMARY, UNSEEN
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import MINING_POLYGONS, read_table, stack, write_table

DISTANCES_KM = (1, 5, 20)
"""Ends of the ranges of distance, in kilometres; beyond the last is one more."""

Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class DetectedYear:
    """What was detected in a region and year, and what was outlined there, where it was."""

    region: str
    year: int
    detections: Partition
    polygons: Partition | None


@dataclass(frozen=True, eq=False)
class _Part:
    """A group of detections: what the group is, its name, and what of each of them lies in it."""

    by: str
    name: str
    ids: list[str]
    pieces: Objects


def build_summary(
    years: Sequence[DetectedYear], overlays: Sequence[Overlay], card: ClassifierCard, writer: PartitionWriter
) -> Outcome:
    """Write `detection_summary.parquet`.

    A detection that lies in two areas of an overlay counts in both, with its ground in each. The area of outlines is
    missing, and not zero, where a year of a region was not outlined.
    """
    tables = [_year(one, overlays) for one in sorted(years, key=lambda one: (one.region, one.year))]
    table = stack(tables, SUMMARY)
    writer.write(SUMMARY.file, lambda path: write_table(table, SUMMARY, path))
    regions = table[table["by"] == "region"]
    return Outcome(
        {
            "verdict": card.verdict,
            "rows": len(table),
            "regions": sorted(set(regions["region"])),
            "years": sorted({int(year) for year in regions["year"]}),
            "overlays": [overlay.name for overlay in overlays],
            "detections": int(regions["detections"].sum()),
            "patch_area_km2": round(float(regions["patch_area_km2"].sum()), 4),
        }
    )


def _year(one: DetectedYear, overlays: Sequence[Overlay]) -> pd.DataFrame:
    table = read_table(one.detections.file(DETECTIONS.file), DETECTIONS)
    lost = read_table(one.detections.file(UNSEEN.file), UNSEEN)
    outlines = None if one.polygons is None else _outlines(one.polygons)
    return summed(one.region, one.year, table, float(lost["area_km2"].sum()), outlines, overlays)


def summed(
    region: str,
    year: int,
    detections: pd.DataFrame,
    unseen_km2: float,
    outlines: Objects | None,
    overlays: Sequence[Overlay],
) -> pd.DataFrame:
    """The rows of a region and year; `outlines` are those of mining polygons, None where there are none yet."""
    rows = [
        {
            "region": region,
            "year": year,
            "by": part.by,
            "name": part.name,
            "detections": len(set(part.ids)),
            "patch_area_km2": _area(part.pieces),
            "outlined_km2": np.nan if outlines is None else _inside(part.pieces, outlines),
            "not_observed_km2": unseen_km2 if part.by == "region" else np.nan,
        }
        for part in _parts(region, detections, overlays)
    ]
    return pd.DataFrame(rows, columns=list(SUMMARY.names))


def _parts(region: str, table: pd.DataFrame, overlays: Sequence[Overlay]) -> Iterator[_Part]:
    shapes: Objects = np.asarray(table["geometry"], dtype=np.object_)
    ids = table["detection_id"].astype(str).tolist()
    yield _Part("region", region, ids, shapes)
    yield from _grouped("country", table["country_iso3"].astype(str).tolist(), ids, shapes)
    for overlay in overlays:
        if overlay.areal:
            yield from _within(overlay, ids, shapes)
        else:
            yield from _grouped(overlay.name, _ranges(to_windows(shapes, overlay.shapes) / 1000.0), ids, shapes)


def _grouped(by: str, names: Sequence[str], ids: Sequence[str], shapes: Objects) -> Iterator[_Part]:
    for name in sorted(set(names)):
        chosen = [number for number, one in enumerate(names) if one == name]
        yield _Part(by, name, [ids[number] for number in chosen], shapes[chosen])


def _within(overlay: Overlay, ids: Sequence[str], shapes: Objects) -> Iterator[_Part]:
    """What lies in each area; areas of one name are one."""
    found: dict[str, list[tuple[str, shapely.Geometry]]] = {}
    if len(shapes):
        for number, feature in shapely.STRtree(overlay.shapes).query(shapes, predicate="intersects").T.tolist():
            piece = shapely.intersection(shapes[number], overlay.shapes[feature])
            if shapely.area(piece) > 0.0:
                found.setdefault(overlay.names[feature], []).append((ids[number], piece))
    for name, rows in sorted(found.items()):
        pieces = np.empty(len(rows), dtype=np.object_)
        pieces[:] = [piece for _, piece in rows]
        yield _Part(overlay.name, name, [one for one, _ in rows], pieces)


def _ranges(kilometres: npt.NDArray[np.float64]) -> list[str]:
    """The range that each distance lies in, such as `1 to 5 km`."""
    ends = (0, *DISTANCES_KM)
    names = [f"{low} to {high} km" for low, high in zip(ends, DISTANCES_KM, strict=False)]
    names.append(f"beyond {DISTANCES_KM[-1]} km")
    return [names[place] for place in np.searchsorted(DISTANCES_KM, kilometres, side="left")]


def _outlines(polygons: Partition) -> Objects:
    return np.asarray(read_table(polygons.file(MINING_POLYGONS.file), MINING_POLYGONS)["geometry"], dtype=np.object_)


def _area(pieces: Objects) -> float:
    """Area of pieces together, square kilometres; ground that two of them share counts once."""
    if not len(pieces):
        return 0.0
    union = shapely.union_all(pieces)
    return float(areas_km2(gpd.GeoSeries([union], crs=WGS84))[0])


def _inside(pieces: Objects, outlines: Objects) -> float:
    """Area of the outlines inside pieces, square kilometres."""
    if not len(pieces) or not len(outlines):
        return 0.0
    near = np.unique(shapely.STRtree(outlines).query(pieces, predicate="intersects")[1])
    if not len(near):
        return 0.0
    common = shapely.intersection(shapely.union_all(outlines[near]), shapely.union_all(pieces))
    return float(areas_km2(gpd.GeoSeries([common], crs=WGS84))[0])


def years_of(
    detections: Mapping[tuple[str, ...], Partition], polygons: Mapping[tuple[str, ...], Partition]
) -> list[DetectedYear]:
    """Regions and years by their keys (region, year)."""
    return [DetectedYear(keys[0], int(keys[1]), one, polygons.get(keys)) for keys, one in sorted(detections.items())]
