"""Images of the Earth Engine stand-in: pixels of local files on any grid, computed when they are asked for.

As in Earth Engine, a source image is brought onto the grid that is asked for before anything else happens: by nearest
neighbour, or bilinearly between four pixels where its `resample` was called. A band that lies in several files is one
picture before it is resampled.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

Numbers = npt.NDArray[np.float64]
Mode = Literal["nearest", "bilinear"]

_MARGIN = 4
"""Source pixels read around the grid."""


@dataclass(frozen=True)
class Grid:
    """The pixels that are asked for."""

    width: int
    height: int
    transform: Affine
    crs: str

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        left, top = self.transform @ (0, 0)
        right, bottom = self.transform @ (self.width, self.height)
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


@dataclass(frozen=True, eq=False)
class Planes:
    """Bands on a grid: values and mask (True = there), both (band, row, column)."""

    names: tuple[str, ...]
    values: Numbers
    mask: npt.NDArray[np.bool_]


Render = Callable[[Grid, Mode], Planes]


@dataclass(eq=False)
class Image:
    """An image that is not computed yet; `parts` are the bands of one that is kept in files."""

    render: Render
    properties: Mapping[str, Any] = field(default_factory=dict)
    footprint: BaseGeometry = field(default_factory=shapely.Polygon)
    parts: Mapping[str, "Image"] = field(default_factory=dict)
    _known: dict[tuple[Grid, Mode], Planes] = field(default_factory=dict)

    def on(self, grid: Grid, mode: Mode = "nearest") -> Planes:
        """Its pixels on a grid, computed once."""
        if (grid, mode) not in self._known:
            self._known[grid, mode] = self.render(grid, mode)
        return self._known[grid, mode]

    def changed(self, how: Callable[[Planes], Planes]) -> "Image":
        """An image whose pixels come from this one's."""
        return Image(lambda g, m: how(self.on(g, m)), self.properties, self.footprint)


@dataclass(frozen=True)
class SourceBand:
    """Where a band lies: files of one grid and size of pixel, and the band's number in them."""

    files: tuple[str, ...]
    number: int = 1


def source_image(bands: Mapping[str, SourceBand], properties: Mapping[str, Any], footprint: BaseGeometry) -> Image:
    """An image kept in files."""
    whole = joined([_band_image(name, band) for name, band in bands.items()])
    return Image(whole.render, properties, footprint, whole.parts)


def _band_image(name: str, band: SourceBand) -> Image:
    def render(grid: Grid, mode: Mode) -> Planes:
        values = _read(band, grid, mode)[np.newaxis].astype(np.float64)
        return Planes((name,), np.nan_to_num(values), np.isfinite(values))

    image = Image(render)
    image.parts = {name: image}
    return image


def select(image: Image, wanted: Sequence[str], names: Sequence[str] | None = None) -> Image:
    """Some bands, under new names where these are given; of an image kept in files no others are read."""
    kept = joined([image.parts[name] for name in wanted]) if all(name in image.parts for name in wanted) else image

    def render(grid: Grid, mode: Mode) -> Planes:
        planes = kept.on(grid, mode)
        missing = [name for name in wanted if name not in planes.names]
        if missing:
            raise ValueError(f"Image.select: Band pattern '{missing[0]}' did not match any bands.")
        places = [planes.names.index(name) for name in wanted]
        return Planes(tuple(names or wanted), planes.values[places], planes.mask[places])

    return Image(render, image.properties, image.footprint)


def binary(one: Image, other: Image, operation: Callable[[Numbers, Numbers], npt.NDArray[Any]]) -> Image:
    """Band by band, a single band against all; a pixel is there where it is in both."""

    def render(grid: Grid, mode: Mode) -> Planes:
        left, right = one.on(grid, mode), other.on(grid, mode)
        values = operation(left.values, right.values).astype(np.float64)
        names = left.names if len(left.names) == len(values) else right.names
        return Planes(names, values, np.broadcast_to(left.mask & right.mask, values.shape))

    return Image(render, one.properties, one.footprint)


def constant(value: float) -> Image:
    """The same number everywhere."""

    def render(grid: Grid, _: Mode) -> Planes:
        shape = (1, grid.height, grid.width)
        return Planes(("constant",), np.full(shape, float(value)), np.ones(shape, dtype=np.bool_))

    return Image(render)


def joined(images: Sequence[Image]) -> Image:
    """All bands of several images; a band that comes again takes the place of the earlier one."""

    def render(grid: Grid, mode: Mode) -> Planes:
        bands: dict[str, tuple[Any, Any]] = {}
        for image in images:
            planes = image.on(grid, mode)
            bands |= {name: (planes.values[i], planes.mask[i]) for i, name in enumerate(planes.names)}
        return Planes(tuple(bands), np.stack([v for v, _ in bands.values()]), np.stack([m for _, m in bands.values()]))

    parts = {name: part for image in images for name, part in image.parts.items()}
    return Image(render, images[0].properties, images[0].footprint, parts if all(i.parts for i in images) else {})


def masked_band(name: str) -> Image:
    """A band that is nowhere."""

    def render(grid: Grid, _: Mode) -> Planes:
        shape = (1, grid.height, grid.width)
        return Planes((name,), np.zeros(shape), np.zeros(shape, dtype=np.bool_))

    image = Image(render)
    image.parts = {name: image}
    return image


def stacked(images: Sequence[Image], how: Callable[[Numbers, npt.NDArray[np.bool_]], Planes]) -> Image:
    """One image from many: `how` gets values and masks (image, band, row, column)."""

    def render(grid: Grid, mode: Mode) -> Planes:
        planes = [image.on(grid, mode) for image in images]
        found = how(np.stack([p.values for p in planes]), np.stack([p.mask for p in planes]))
        return Planes(planes[0].names, found.values, found.mask)

    return Image(render)


def _read(band: SourceBand, grid: Grid, mode: Mode) -> npt.NDArray[np.float32]:
    """A band on a grid, NaN where it is not there."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.warp import reproject, transform_bounds

    target = np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    with rasterio.open(band.files[0]) as first:
        crs, pixel = first.crs, abs(first.transform.a)
    left, bottom, right, top = transform_bounds(grid.crs, crs, *grid.bounds, densify_pts=21)
    found = _merged(
        band, (left - _MARGIN * pixel, bottom - _MARGIN * pixel, right + _MARGIN * pixel, top + _MARGIN * pixel)
    )
    if found is None:
        return target
    values, transform = found
    reproject(
        values,
        target,
        src_transform=transform,
        src_crs=crs,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling[mode],
        tolerance=0.01,
        num_threads=1,
        XSCALE="1",
        YSCALE="1",
    )
    return target


def _merged(
    band: SourceBand, bounds: tuple[float, float, float, float]
) -> tuple[npt.NDArray[np.float32], Affine] | None:
    """The part of a band's files within some bounds as one array, the first file on top."""
    import rasterio
    from rasterio.windows import Window

    pieces: list[tuple[Affine, npt.NDArray[np.float32]]] = []
    for path in band.files:
        with rasterio.open(path) as source:
            inverse = ~source.transform
            (west, north), (east, south) = inverse @ (bounds[0], bounds[3]), inverse @ (bounds[2], bounds[1])
            left, top = max(0, math.floor(west)), max(0, math.floor(north))
            right, bottom = min(source.width, math.ceil(east)), min(source.height, math.ceil(south))
            if left >= right or top >= bottom:
                continue
            window = Window(left, top, right - left, bottom - top)
            values = source.read(band.number, window=window).astype(np.float32)
            values[source.read_masks(band.number, window=window) == 0] = np.nan
            if source.colorinterp[-1].name == "alpha":
                values[source.read(source.count, window=window) == 0] = np.nan
            pieces.append((source.window_transform(window), values))
    if not pieces:
        return None
    first = pieces[0][0]
    places = [(round(c), round(r)) for c, r in ((~first) @ (t.c, t.f) for t, _ in pieces)]
    west, north = min(c for c, _ in places), min(r for _, r in places)
    east = max(c + v.shape[1] for (c, _), (_, v) in zip(places, pieces, strict=True))
    south = max(r + v.shape[0] for (_, r), (_, v) in zip(places, pieces, strict=True))
    merged = np.full((south - north, east - west), np.nan, dtype=np.float32)
    for (column, row), (_, values) in zip(places, pieces, strict=True):
        part = merged[row - north : row - north + values.shape[0], column - west : column - west + values.shape[1]]
        part[...] = np.where(np.isnan(part), values, part)
    return merged, first @ Affine.translation(west, north)
