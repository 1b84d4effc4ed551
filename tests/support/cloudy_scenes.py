"""Real Sentinel-2 series with published cloud masks, laid out as a team's folder, and what must come of them.

What must come of them is computed from the published masks alone, by none of the imagery room's code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

Mask = npt.NDArray[np.bool_]

KEYS = {"blue": "B02", "red": "B04", "nir": "B08", "swir16": "B11", "swir22": "B12"}
CLOUDY_CLASSES = (0, 1, 3, 8, 9, 10)
_COLOURS = {
    0: (0, 0, 0),
    2: (47, 47, 47),
    3: (100, 50, 0),
    4: (0, 160, 0),
    5: (255, 230, 90),
    6: (0, 0, 255),
    7: (128, 128, 128),
    8: (192, 192, 192),
    9: (255, 255, 255),
    10: (100, 200, 255),
}
"""The colours in which the published series paints the scene classification."""


@dataclass(frozen=True, eq=False)
class Sight:
    """One date: reflectance x 10,000 by band (row, column), and where the published mask says that it is clear."""

    day: date
    values: Mapping[str, npt.NDArray[np.float64]]
    clear: Mask
    classes: npt.NDArray[np.uint8] | None = None


def aurora(zipped: Path, folder: Path, *, days: tuple[date, date] | None = None) -> tuple[list[Sight], GeoBox]:
    """Write a mine's series: the bands byte for byte, and the classes that the painted classification shows.

    Returns every date whose files are whole, and the grid of the files; `days` limits what is written (last excluded).
    """
    sights = []
    with ZipFile(zipped) as archive:
        dated: dict[date, list[str]] = {}
        for name in archive.namelist():
            if name.endswith(".tiff"):
                dated.setdefault(date.fromisoformat(Path(name).name[:10]), []).append(name)
        for day, names in sorted(dated.items()):
            if days is not None and not days[0] <= day < days[1]:
                continue
            for key in KEYS.values():
                (name,) = (n for n in names if f"_{key}_" in n)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{day}_{key}.tif").write_bytes(archive.read(name))
            (name,) = (n for n in names if "Scene_classification" in n)
            with rasterio.open(f"/vsizip/{zipped}/{name}") as source:
                classes = _decoded(source.read())
                write(folder / f"{day}_SCL.tif", classes[np.newaxis], source.transform, str(source.crs))
            sights.append(_aurora_sight(folder, day, classes))
    whole = [s for s in sights if s is not None]
    with rasterio.open(folder / f"{whole[0].day}_B02.tif") as source:
        return whole, GeoBox(source.shape, source.transform, str(source.crs))


def _decoded(picture: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    classes = np.full(picture.shape[1:], 255, dtype=np.uint8)
    for number, colour in _COLOURS.items():
        painted = np.asarray(colour)[:, np.newaxis, np.newaxis]
        classes[(np.rint(picture / 257) == painted).all(axis=0)] = number
    assert classes.max() < 255, "a colour that stands for no class"
    return classes


def _aurora_sight(folder: Path, day: date, classes: npt.NDArray[np.uint8]) -> Sight | None:
    """None for the dates that PROVENANCE.md calls malformed: of one band, of 38 x 27 pixels, or empty."""
    values, valid = {}, np.ones(classes.shape, dtype=np.bool_)
    for band, key in KEYS.items():
        with rasterio.open(folder / f"{day}_{key}.tif") as source:
            if source.count != 2 or source.shape == (38, 27):
                return None
            values[band] = source.read(1) / 65_535 * 10_000
            # the mask calls a few pixels valid that were too dark for a number; a 0 is no observation
            valid &= (source.read(2) > 0) & (values[band] > 0)
    clear = valid & ~np.isin(classes, CLOUDY_CLASSES)
    return Sight(day, values, clear, classes) if valid.any() else None


def write(path: Path, bands: npt.NDArray[Any], affine: Affine, crs: str) -> None:
    """Write (band, row, column) as a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with rasterio.open(path, "w", **profile, crs=crs, transform=affine) as target:
        target.write(bands)


def within(sights: Iterable[Sight], first: date, end: date) -> list[Sight]:
    """The dates from `first` up to but not including `end`."""
    return [sight for sight in sights if first <= sight.day < end]


def clear_count(sights: Sequence[Sight]) -> npt.NDArray[np.int64]:
    """How often each pixel was clear."""
    return np.asarray(np.sum([sight.clear for sight in sights], axis=0), dtype=np.int64)


def median(sights: Sequence[Sight], band: str) -> npt.NDArray[np.float64]:
    """The median over the clear dates of each pixel; NaN where there is none."""
    stack = np.stack([np.where(sight.clear, sight.values[band], np.nan) for sight in sights])
    seen = np.isfinite(stack).any(axis=0)
    middle = np.full(seen.shape, np.nan)
    middle[seen] = np.nanmedian(stack[:, seen], axis=0)
    return middle


def nearest(values: npt.NDArray[Any], source: GeoBox, grid: GeoBox) -> npt.NDArray[Any]:
    """The value of the pixel in which each centre of the grid lies; 0 outside."""
    columns, rows = np.meshgrid(np.arange(grid.shape[1]) + 0.5, np.arange(grid.shape[0]) + 0.5)
    a = grid.affine
    x, y = a.c + a.a * columns + a.b * rows, a.f + a.d * columns + a.e * rows
    x, y = Transformer.from_crs(str(grid.crs), str(source.crs), always_xy=True).transform(x, y)
    b = ~source.affine
    across = np.floor(b.c + b.a * np.asarray(x) + b.b * np.asarray(y)).astype(int)
    down = np.floor(b.f + b.d * np.asarray(x) + b.e * np.asarray(y)).astype(int)
    inside = (across >= 0) & (down >= 0) & (across < source.shape[1]) & (down < source.shape[0])
    taken = values[np.where(inside, down, 0), np.where(inside, across, 0)]
    return np.where(inside, taken, np.zeros((), dtype=values.dtype))


def largest_patch(gap: Mask) -> int:
    """Pixels of the largest patch joined by sides or corners, by walking it."""
    left = {(int(r), int(c)) for r, c in zip(*np.nonzero(gap), strict=True)}
    largest = 0
    while left:
        walk, size = [left.pop()], 0
        while walk:
            row, column = walk.pop()
            size += 1
            around = {(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} & left
            left -= around
            walk += around
        largest = max(largest, size)
    return largest


def longest_wait(days: Iterable[date], first: date, end: date) -> int:
    """The most days in a row, from `first` up to but not including `end`, that are none of these days."""
    seen = {day.toordinal() for day in days}
    longest = run = 0
    for number in range(first.toordinal(), end.toordinal()):
        run = 0 if number in seen else run + 1
        longest = max(longest, run)
    return longest
