"""Outlines of masks against `rasterio.features.shapes`, and what smoothing does to them.

Run: `python benchmarks/outlines.py [DATA]` with `DATA` a folder that holds `tailings-seg-s2-brazil` for real masks;
without it masks are drawn. Prints one JSON object. `ratio` is the processor time of `shapes` over that of `outline`,
with the mean of a probability inside each polygon, as raw polygons need it (`shapes` gives none); `bare_ratio` is
without. Smoothing: points left, pixels from the smoothed outline to the pixel edges (at most), and for discs and
ellipses from either outline to the true shape (mean and at most), with the bias of the area.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy.ndimage import gaussian_filter

from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.smoothing import smoothed

SIDE = 512
TIMES = 7
SIZES = (3, 4, 6, 10, 20, 50, 100, 200)
Mask = npt.NDArray[np.bool_]


def masks(data: Path | None) -> Iterator[tuple[str, Mask]]:
    """Names and masks: empty, full, blobs of many sizes, noise, stripes, and real ones."""
    random = np.random.default_rng(0)
    row, column = np.indices((SIDE, SIDE))
    yield "empty", np.zeros((SIDE, SIDE), dtype=bool)
    yield "one pixel", (row == 100) & (column == 300)
    yield "full", np.ones((SIDE, SIDE), dtype=bool)
    yield "disc of 200 px", (row - 250) ** 2 + (column - 250) ** 2 < 100**2
    for width in (2, 4, 8, 16, 32):
        field = gaussian_filter(random.standard_normal((SIDE, SIDE)), width)
        yield f"mines, smoothed over {width} px", field > 1.5 * field.std()
        yield f"half covered, smoothed over {width} px", field > 0
    yield "noise, 10 %", random.random((SIDE, SIDE)) < 0.1
    yield "noise, 50 %", random.random((SIDE, SIDE)) < 0.5
    yield "stripes", column % 2 == 0
    for path in sorted((data / "tailings-seg-s2-brazil" / "mask_tiff").glob("*.tif"))[:40:4] if data else ():
        with rasterio.open(path) as source:
            yield path.stem, source.read(1) > 0


def grid_of(mask: Mask) -> GeoBox:
    """A grid of 5 m pixels for a mask."""
    return GeoBox(mask.shape, Affine(5.0, 0.0, 600_000.0, 0.0, -5.0, 9_000_000.0), "EPSG:32630")


def milliseconds(work: Callable[[], object]) -> float:
    """Least processor time of a few runs."""
    times = []
    for _ in range(TIMES):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000.0 * min(times)


def furthest(geometry: Any, other: Any) -> npt.NDArray[np.float64]:
    """Pixels from points along a geometry's boundary to the boundary of another one."""
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(geometry.boundary, 0.5)))
    return np.asarray(shapely.distance(points, other.boundary) / 5.0, dtype=np.float64)


def compared(mask: Mask) -> dict[str, Any]:
    """Times of one mask, and its outlines after smoothing."""
    grid = grid_of(mask)
    values = np.random.default_rng(1).random(mask.shape).astype(np.float32)
    seen = mask.astype(np.uint8)
    theirs = milliseconds(lambda: list(shapes(seen, mask=mask, connectivity=4, transform=grid.affine)))
    with_means, bare = milliseconds(lambda: outline(mask, grid, values)), milliseconds(lambda: outline(mask, grid))
    polygons = outline(mask, grid).polygons
    found: dict[str, Any] = {
        "polygons": len(polygons),
        "ms": round(with_means, 2),
        "ratio": round(theirs / with_means, 1),
        "bare_ratio": round(theirs / bare, 1),
    }
    if len(polygons):
        smooth = smoothed(polygons, 5.0)
        before, after = (int(shapely.get_num_coordinates(p).sum()) for p in (polygons, smooth))
        few = [furthest(new, old).max() for new, old in zip(smooth[:50], polygons[:50], strict=True)]
        found |= {
            "smoothing_ms": round(milliseconds(lambda: smoothed(polygons, 5.0)), 2),
            "points_left": round(after / before, 2),
            "bytes_left": round(len(b"".join(shapely.to_wkb(smooth))) / len(b"".join(shapely.to_wkb(polygons))), 2),
            "pixels_away": round(float(max(few)), 3),
            "area_error": float(f"{np.abs(shapely.area(smooth) / shapely.area(polygons) - 1).max():.1e}"),
            "valid": bool(shapely.is_valid(smooth).all()),
        }
    return found


def against_truth(size: int) -> dict[str, Any]:
    """Ellipses of a size in pixels, drawn by their pixels' centres: pixel edges and smoothed outlines against them."""
    random = np.random.default_rng(size)
    # how many pixels a small shape gets is chance
    repeats = max(20, 4_000 // size)
    bias, edges, lines = [], [], []
    for _ in range(repeats):
        flat, turn, shift = random.uniform(0.5, 1.0), random.uniform(0, np.pi), random.uniform(-0.5, 0.5, 2)
        side = size + 8
        x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        east, south = side / 2 + shift
        u = (x - east) * np.cos(turn) + (y - south) * np.sin(turn)
        v = (y - south) * np.cos(turn) - (x - east) * np.sin(turn)
        mask = (2 * u / size) ** 2 + (2 * v / (flat * size)) ** 2 <= 1.0
        angle = np.linspace(0, 2 * np.pi, 2_000, endpoint=False)
        a, b = np.cos(angle) * size / 2, np.sin(angle) * flat * size / 2
        ring = np.column_stack(
            [east + a * np.cos(turn) - b * np.sin(turn), south + a * np.sin(turn) + b * np.cos(turn)]
        )
        truth = shapely.Polygon(np.array([600_000.0, 9_000_000.0]) + ring * np.array([5.0, -5.0]))
        polygons = outline(mask, grid_of(mask)).polygons
        # a thin one may fall into parts that meet at corners only
        smooth = smoothed(polygons, 5.0)
        bias.append(float(shapely.area(smooth).sum()) / truth.area - 1.0)
        edges.append(furthest(shapely.multipolygons(polygons), truth))
        lines.append(furthest(shapely.multipolygons(smooth), truth))
    return {
        "mean_area_bias": round(float(np.mean(bias)), 5),
        "pixel_edges_away": [
            round(float(np.mean([e.mean() for e in edges])), 3),
            round(float(max(map(np.max, edges))), 3),
        ],
        "smoothed_away": [
            round(float(np.mean([e.mean() for e in lines])), 3),
            round(float(max(map(np.max, lines))), 3),
        ],
    }


def main() -> None:
    """Measure and print."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = {name: compared(mask) for name, mask in masks(data)}
    truth = {f"{size} px": against_truth(size) for size in SIZES}
    biases = [one["mean_area_bias"] for one in truth.values()]
    worst = min(one["bare_ratio"] for one in found.values())
    report = {"least_ratio": worst, "mean_area_bias": round(float(np.mean(biases)), 5), "masks": found, "truth": truth}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
